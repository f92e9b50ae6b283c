//! A stand-in for CloudTrail's own API, which has the public keys, and for the parts of it and of
//! Organizations that the AWS CLI asks about an organization's trail.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::Body;
use serde_json::Value;
use tokio::sync::oneshot;

/// The trail and the organization that it describes to all who ask.
const TRAILS: &str = r#"{"trailList":[{"Name":"main","S3BucketName":"trail","HomeRegion":"us-east-1",
    "TrailARN":"arn:aws:cloudtrail:us-east-1:111122223333:trail/main","IsOrganizationTrail":true}]}"#;
const ORGANIZATION: &str = r#"{"Organization":{"Id":"o-example123"}}"#;

/// A request: the operation, and the region that it was signed for.
pub type Call = (String, String);

/// The server; it stops when dropped.
#[derive(Debug)]
pub struct CloudTrail {
    address: SocketAddr,
    calls: Arc<Mutex<Vec<Call>>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What it answers with: the public keys of each region.
type Keys = Arc<BTreeMap<String, String>>;

impl CloudTrail {
    /// Starts a server that has these keys, as files of `list-public-keys`, by region.
    pub fn start(keys: &BTreeMap<&'static str, String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let calls = Arc::new(Mutex::new(Vec::new()));
        let keys = keys.iter().map(|(region, keys)| ((*region).to_owned(), with_numbers(keys)));
        let keys: Keys = Arc::new(keys.collect());
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn({
            let calls = calls.clone();
            move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.unwrap().block_on(async {
                    tokio::select! {
                        () = accept(listener, keys, calls) => {}
                        _ = stopped => {}
                    }
                });
            }
        });
        Self { address, calls, stop: Some(stop), thread: Some(thread) }
    }

    pub fn endpoint_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns every call that came in.
    pub fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }
}

impl Drop for CloudTrail {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept(listener: TcpListener, keys: Keys, calls: Arc<Mutex<Vec<Call>>>) {
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    loop {
        let Ok((connection, _)) = listener.accept().await else { continue };
        let (keys, calls) = (keys.clone(), calls.clone());
        tokio::spawn(async move {
            let answers = service_fn(move |request| {
                let call = call_of(&request);
                let answer = answer(&call, &keys);
                calls.lock().unwrap().push(call);
                async move { Ok::<_, Infallible>(answer) }
            });
            let _ = Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(connection), answers)
                .await;
        });
    }
}

/// Returns the answer of the API, where times are seconds since 1970, not as the AWS CLI prints them.
fn with_numbers(key_file: &str) -> String {
    let mut answer: Value = serde_json::from_str(key_file).unwrap();
    for key in answer["PublicKeyList"].as_array_mut().unwrap() {
        for name in ["ValidityStartTime", "ValidityEndTime"] {
            let time: jiff::Timestamp = key[name].as_str().unwrap().parse().unwrap();
            key[name] = time.as_second().into();
        }
    }
    answer.to_string()
}

fn call_of(request: &Request<Incoming>) -> Call {
    let header = |name| request.headers().get(name).map_or("", |it| it.to_str().unwrap());
    let operation = header("x-amz-target").rsplit('.').next().unwrap();
    let scope = header("authorization").split_once("Credential=").map_or("", |(_, scope)| scope);
    (operation.to_owned(), scope.split('/').nth(2).unwrap_or_default().to_owned())
}

fn answer((operation, region): &Call, keys: &Keys) -> Response<Body> {
    let body = match &**operation {
        "ListPublicKeys" => keys.get(region).map_or("{\"PublicKeyList\":[]}", String::as_str),
        "DescribeTrails" => TRAILS,
        "DescribeOrganization" => ORGANIZATION,
        _ => panic!("no answer to {operation}"),
    };
    let response = Response::builder().header("content-type", "application/x-amz-json-1.1");
    response.body(Body::from(body.to_owned())).unwrap()
}
