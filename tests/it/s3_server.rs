//! An S3 server in this process, which answers with faults on request.
//!
//! It speaks the real protocol on 127.0.0.1 and checks signatures (by `s3s`), so that tests go
//! through all of the SDK. It runs on a thread and a runtime of its own: a test may block, pause
//! its clock, or start the program as a process.
//!
//! ```text
//! connection ─▶ record the call ─▶ held? ─▶ latency ─▶ region ─▶ fault? too fast? ─▶ s3s ─▶ store
//! ```

#[path = "s3_server/fault.rs"]
mod fault;
#[path = "s3_server/hold.rs"]
mod hold;
#[path = "s3_server/limit.rs"]
mod limit;
#[path = "s3_server/object_store.rs"]
mod object_store;

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request, Uri};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, HttpError, HttpResponse};
use tokio::sync::oneshot;

pub use self::fault::Fault;
use self::hold::Held;
pub use self::hold::Hold;
use self::limit::Limit;
use self::object_store::ObjectStore;
pub use self::object_store::Order as ListOrder;

pub const ACCESS_KEY: &str = "AKIDTEST";
pub const SECRET_KEY: &str = "not-a-secret";
pub const REGION: &str = "us-east-1";

/// For [`S3Server::fail_next`]: every call from now on.
pub const ALWAYS: usize = usize::MAX;

/// The operation of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    HeadBucket,
    HeadObject,
    GetObject,
    ListObjectsV2,
    Other,
}

/// A request as it came in.
#[derive(Debug, Clone)]
pub struct Call {
    pub op: Op,
    pub key: String,
    pub query: String,
    pub headers: HeaderMap,
}

impl Call {
    fn new(method: &Method, uri: &Uri, headers: &HeaderMap) -> Self {
        let path = uri.path().trim_start_matches('/');
        let (_, key) = path.split_once('/').unwrap_or((path, ""));
        let query = uri.query().unwrap_or_default().to_owned();
        let op = match (method, key.is_empty()) {
            (&Method::HEAD, true) => Op::HeadBucket,
            (&Method::HEAD, false) => Op::HeadObject,
            (&Method::GET, false) => Op::GetObject,
            (&Method::GET, true) if query.contains("list-type=2") => Op::ListObjectsV2,
            _ => Op::Other,
        };
        let key = object_store::decoded(key);
        Self { op, key, query, headers: headers.clone() }
    }

    /// Returns a header's text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Returns whether the program that sent it was started with this `AWS_SDK_UA_APP_ID`.
    pub fn is_of(&self, app: &str) -> bool {
        let agents = self.header("user-agent").unwrap_or_default();
        agents.split(' ').any(|agent| agent.strip_prefix("app/") == Some(app))
    }

    /// Returns the region that the request was signed for.
    pub fn signed_region(&self) -> Option<&str> {
        let (_, scope) = self.header("authorization")?.split_once("Credential=")?;
        scope.split('/').nth(2)
    }
}

/// A fault that a test has ordered.
#[derive(Debug)]
struct Order {
    op: Op,
    key: Option<String>,
    fault: Fault,
    times_left: usize,
    /// One of so many calls that match.
    every: usize,
    matches: usize,
}

impl Order {
    fn new(op: Op, key: Option<String>, fault: Fault, times_left: usize, every: usize) -> Self {
        Self { op, key, fault, times_left, every, matches: 0 }
    }
}

#[derive(Debug, Default)]
struct State {
    calls: Vec<Call>,
    orders: Vec<Order>,
    held: Option<Held>,
    limit: Option<(Op, Limit)>,
    refused: u64,
    faults_done: u64,
    latency: Duration,
    region: Option<String>,
}

/// The server; it stops when dropped.
#[derive(Debug)]
pub struct S3Server {
    address: SocketAddr,
    store: ObjectStore,
    state: Arc<Mutex<State>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl S3Server {
    /// Starts a server that takes requests signed with [`ACCESS_KEY`] only.
    pub fn start() -> Self {
        Self::serve(true)
    }

    /// Starts a server that takes unsigned requests only.
    pub fn start_public() -> Self {
        Self::serve(false)
    }

    fn serve(is_signed: bool) -> Self {
        let store = ObjectStore::default();
        let state = Arc::new(Mutex::new(State::default()));
        let mut builder = S3ServiceBuilder::new(store.clone());
        if is_signed {
            builder.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        }
        let s3 = builder.build();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn({
            let state = state.clone();
            move || {
                let runtime =
                    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async {
                    tokio::select! {
                        () = accept(listener, s3, state) => {}
                        _ = stopped => {}
                    }
                });
            }
        });
        Self { address, store, state, stop: Some(stop), thread: Some(thread) }
    }

    pub fn endpoint_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Makes a bucket with nothing in it.
    pub fn make_bucket(&self, bucket: &str) {
        self.store.make_bucket(bucket);
    }

    /// Stores an object, and makes the bucket if there is none.
    pub fn put(&self, bucket: &str, key: &str, bytes: impl Into<Vec<u8>>) {
        self.put_with_metadata(bucket, key, bytes, []);
    }

    /// Stores an object with user-defined metadata.
    pub fn put_with_metadata<'m>(
        &self,
        bucket: &str,
        key: &str,
        bytes: impl Into<Vec<u8>>,
        metadata: impl IntoIterator<Item = (&'m str, &'m str)>,
    ) {
        let metadata =
            metadata.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        self.store.put(bucket, key, bytes.into(), metadata.collect());
    }

    /// Removes all buckets.
    pub fn clear(&self) {
        self.store.clear();
    }

    pub fn remove(&self, bucket: &str, key: &str) {
        self.store.remove(bucket, key);
    }

    /// Answers the next `times` calls of `op` with `fault`. Orders are served first come, first
    /// served.
    pub fn fail_next(&self, op: Op, fault: Fault, times: usize) {
        self.state().orders.push(Order::new(op, None, fault, times, 1));
    }

    /// Answers one of `every` calls of `op` with `fault`.
    pub fn fail_every(&self, op: Op, fault: Fault, every: usize) {
        self.state().orders.push(Order::new(op, None, fault, ALWAYS, every));
    }

    /// Answers every call of `op` on `key` with `fault`.
    pub fn fail_on(&self, op: Op, key: &str, fault: Fault) {
        let key = Some(key.to_owned());
        self.state().orders.push(Order::new(op, key, fault, ALWAYS, 1));
    }

    /// Holds back the answers to the calls that match, until the handle releases them.
    ///
    /// # Panics
    /// There is another such handle.
    #[must_use]
    pub fn hold(&self, is_held: impl Fn(&Call) -> bool + Send + 'static) -> Hold {
        let before = self.state().held.replace(Held::new(is_held));
        assert!(before.is_none(), "calls are held already");
        Hold { state: self.state.clone() }
    }

    /// Forgets all faults ordered.
    pub fn heal(&self) {
        self.state().orders.clear();
    }

    /// Answers `SlowDown` to the calls of `op` that exceed `per_second`.
    pub fn limit(&self, op: Op, per_second: u32) {
        self.state().limit = Some((op, Limit::new(per_second)));
    }

    /// Returns how many calls exceeded the limit.
    pub fn refused(&self) -> u64 {
        self.state().refused
    }

    /// Returns how many calls were answered with a fault that was ordered.
    pub fn faults_done(&self) -> u64 {
        self.state().faults_done
    }

    /// Delays each answer.
    pub fn set_latency(&self, latency: Duration) {
        self.state().latency = latency;
    }

    /// Moves all buckets to `region`: requests signed for another one are redirected.
    pub fn set_region(&self, region: &str) {
        self.state().region = Some(region.to_owned());
    }

    /// Ignores `If-Match`, as some servers do.
    pub fn ignore_if_match(&self) {
        self.store.ignore_if_match();
    }

    /// Lists objects in another order than S3 does.
    pub fn list_in(&self, order: ListOrder) {
        self.store.set_order(order);
    }

    /// Gives the objects there are new `ETag`s that only look like an MD5.
    pub fn hide_md5(&self) {
        self.store.set_opaque_e_tags();
    }

    /// Returns how many calls of `op` came in, failed ones included.
    pub fn calls(&self, op: Op) -> usize {
        self.state().calls.iter().filter(|call| call.op == op).count()
    }

    /// Returns every call that came in.
    pub fn all_calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept(listener: TcpListener, s3: S3Service, state: Arc<Mutex<State>>) {
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    loop {
        let Ok((connection, _)) = listener.accept().await else { continue };
        let _ = connection.set_nodelay(true);
        let (s3, state) = (s3.clone(), state.clone());
        tokio::spawn(async move {
            let answers = service_fn(move |request| answer(request, s3.clone(), state.clone()));
            // An error here is a fault that cuts the connection, or a client that went away.
            let _ = Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(connection), answers)
                .await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    s3: S3Service,
    state: Arc<Mutex<State>>,
) -> Result<HttpResponse, HttpError> {
    let call = Call::new(request.method(), request.uri(), request.headers());
    let (held, latency, region, fault) = {
        let mut state = state.lock().unwrap();
        state.calls.push(call.clone());
        let held = state.held.as_mut().and_then(|held| held.take(&call));
        (held, state.latency, state.region.clone(), state.next_fault(&call))
    };
    if let Some(released) = held {
        let _ = released.await;
    }
    tokio::time::sleep(latency).await;
    let region = region.as_deref().unwrap_or(REGION);
    let is_redirected = call.signed_region().is_some_and(|signed| signed != region);
    let fault = if is_redirected { Some(Fault::Redirect) } else { fault };
    let mut response = match fault {
        None => s3.call(request.map(Body::from)).await?,
        Some(_) if let Some((bytes, end)) = fault::cut_at(fault) => {
            fault::cut(s3.call(request.map(Body::from)).await?, bytes, end)
        }
        Some(Fault::Flip) => fault::flip(s3.call(request.map(Body::from)).await?),
        Some(Fault::Drip(pause)) => fault::drip(s3.call(request.map(Body::from)).await?, pause),
        Some(Fault::Hang) => std::future::pending::<Result<_, Infallible>>().await.unwrap(),
        Some(Fault::Drop) => return Err(HttpError::new("connection dropped, as ordered".into())),
        Some(fault) => fault.answer(),
    };
    response.headers_mut().insert("x-amz-bucket-region", region.parse().unwrap());
    Ok(response)
}

impl State {
    fn next_fault(&mut self, call: &Call) -> Option<Fault> {
        self.next_order(call).or_else(|| {
            let (_, limit) = self.limit.as_mut().filter(|(op, _)| *op == call.op)?;
            let is_refused = !limit.admits();
            self.refused += u64::from(is_refused);
            is_refused.then_some(Fault::SlowDown)
        })
    }

    fn next_order(&mut self, call: &Call) -> Option<Fault> {
        let order = self.orders.iter_mut().find(|order| {
            order.times_left > 0
                && order.op == call.op
                && order.key.as_ref().is_none_or(|key| *key == call.key)
        })?;
        order.matches += 1;
        if !order.matches.is_multiple_of(order.every) {
            return None;
        }
        if order.times_left != ALWAYS {
            order.times_left -= 1;
        }
        self.faults_done += 1;
        Some(order.fault)
    }
}
