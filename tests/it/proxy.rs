//! A TCP proxy between the program and a database server, with faults to order.
//!
//! It looks at what passes only so far as to see a `COMMIT`, which the program sends alone, as
//! text, and unencrypted.
//!
//! ```text
//! program ─▶ [count bytes, look for COMMIT, hold it?] ─▶ server
//! program ◀─ [count bytes, swallow? delay?]          ◀─ server
//! ```

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use crate::databases::{Engine, OwnDatabase, address_of};

/// What happens to a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitFault {
    /// The server never sees it; the connection is cut.
    NeverSent,
    /// The server gets it, and the connection is cut at once: it may have committed or not.
    CutAtOnce,
    /// The server commits; its answer is swallowed, and the connection cut.
    AnswerLost,
}

/// After how many bytes each connection is cut: so many at most, drawn for each connection.
#[derive(Debug, Clone, Copy)]
pub struct RandomCuts {
    pub seed: u64,
    /// Bytes from the program.
    pub asked_bytes_max: u64,
    /// Bytes from the server.
    pub answered_bytes_max: u64,
}

/// The bytes that a connection may still pass.
struct BytesLeft {
    asked: u64,
    answered: u64,
}

/// How connections are treated.
#[derive(Debug, Default)]
struct Orders {
    /// Every so many commits, counted over all connections, the next of `faults` happens.
    every_commits: u64,
    faults: Vec<CommitFault>,
    /// For the n-th connection: cut it after so many bytes from the program.
    cut_after_bytes: Option<fn(u64) -> u64>,
    random_cuts: Option<RandomCuts>,
    /// Pass no commit beyond so many.
    commits_max: Option<u64>,
    /// Wait before each answer.
    delay: Duration,
    /// Close what is open, and open nothing.
    is_down: bool,
    /// The first connection on which the program sends this falls silent: from then on it passes
    /// nothing, and stays open.
    silent_from: Option<&'static str>,
}

#[derive(Debug, Default)]
struct State {
    orders: watch::Sender<Orders>,
    connections: AtomicU64,
    commits: AtomicU64,
    faults_done: AtomicU64,
}

/// The proxy; it stops when dropped.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    /// `HOST:PORT` of the server.
    server: String,
    state: Arc<State>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Starts a proxy to the server of `engine`.
    pub fn start(engine: Engine) -> Self {
        Self::to(&engine.admin_url())
    }

    /// Starts a proxy to the server that an administrator's URL names.
    pub fn to(admin_url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State::default());
        let (stop, stopped) = oneshot::channel();
        let server = address_of(admin_url).to_owned();
        let (target, shared) = (server.clone(), state.clone());
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                tokio::select! {
                    () = accept(listener, target, shared) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { port, server, state, stop: Some(stop), thread: Some(thread) }
    }

    /// Returns the URL of `database` by way of the proxy, without encryption.
    pub fn url(&self, database: &OwnDatabase) -> String {
        let here = format!("127.0.0.1:{}", self.port);
        let url = database.url.replace(&self.server, &here);
        assert_ne!(url, database.url, "this URL does not lead to the proxy");
        match database.engine {
            Engine::Postgres => format!("{url}?sslmode=disable"),
            _ => format!("{url}?ssl-mode=DISABLED"),
        }
    }

    /// Spoils every so many commits, by each of the faults in turn.
    pub fn spoil_commits(&self, every_commits: u64, faults: &[CommitFault]) {
        self.order(|orders| {
            orders.every_commits = every_commits;
            orders.faults = faults.to_vec();
        });
    }

    /// Cuts the n-th connection after so many bytes from the program.
    pub fn cut_after(&self, bytes_of: fn(u64) -> u64) {
        self.order(|orders| orders.cut_after_bytes = Some(bytes_of));
    }

    /// Cuts each connection after a random number of bytes.
    pub fn cut_at_random(&self, cuts: RandomCuts) {
        self.order(|orders| orders.random_cuts = Some(cuts));
    }

    /// Passes so many commits and holds the others: their senders wait until the proxy is healed,
    /// or the server goes down.
    pub fn hold_commits_after(&self, commits_max: u64) {
        self.order(|orders| orders.commits_max = Some(commits_max));
    }

    /// Lets the first connection fall silent on which the program sends `word`, and no other.
    pub fn silence_from(&self, word: &'static str) {
        self.order(|orders| orders.silent_from = Some(word));
    }

    pub fn set_delay(&self, delay: Duration) {
        self.order(|orders| orders.delay = delay);
    }

    /// Makes the server unreachable, or reachable again.
    pub fn set_down(&self, is_down: bool) {
        self.order(|orders| orders.is_down = is_down);
    }

    /// Does what was asked no longer.
    pub fn heal(&self) {
        self.order(|orders| *orders = Orders::default());
    }

    /// Returns how many commits came by.
    pub fn commits(&self) -> u64 {
        self.state.commits.load(Ordering::Relaxed)
    }

    /// Returns how often a connection was cut.
    pub fn faults_done(&self) -> u64 {
        self.state.faults_done.load(Ordering::Relaxed)
    }

    fn order(&self, order: impl FnOnce(&mut Orders)) {
        self.state.orders.send_modify(order);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept(listener: TcpListener, server: String, state: Arc<State>) {
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    let mut connections = JoinSet::new();
    loop {
        let Ok((program, _)) = listener.accept().await else { continue };
        if state.orders.borrow().is_down {
            continue;
        }
        let number = state.connections.fetch_add(1, Ordering::Relaxed);
        let (server, state) = (server.clone(), state.clone());
        connections.spawn(async move {
            // A server that is down closes the connection of the program, too.
            let Ok(server) = TcpStream::connect(server).await else { return };
            program.set_nodelay(true).unwrap();
            server.set_nodelay(true).unwrap();
            tokio::select! {
                // A broken pipe here is a program that was killed, or a server that went away.
                _ = pass(program, server, &state, number) => {}
                () = state.until(|orders| orders.is_down) => {}
            }
        });
    }
}

/// Passes bytes until one side ends or a fault cuts the connection.
async fn pass(
    mut program: TcpStream,
    mut server: TcpStream,
    state: &State,
    number: u64,
) -> std::io::Result<()> {
    let mut left = state.orders.borrow().bytes_left(number);
    let (mut asked, mut answered) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    loop {
        tokio::select! {
            read = program.read(&mut asked) => {
                let count = read?;
                if count == 0 {
                    return Ok(());
                }
                if state.silences(&asked[..count]) {
                    // Until the program closes it, or the server does.
                    let _ = program.read(&mut asked).await;
                    return Ok(());
                }
                let passed = take(&mut left.asked, count);
                let fault = state.fault_of(&asked[..passed]).await;
                if fault == Some(CommitFault::NeverSent) {
                    return Ok(());
                }
                server.write_all(&asked[..passed]).await?;
                if fault == Some(CommitFault::AnswerLost) {
                    let _ = server.read(&mut answered).await?;
                }
                if left.asked == 0 {
                    state.faults_done.fetch_add(1, Ordering::Relaxed);
                }
                if fault.is_some() || left.asked == 0 {
                    return Ok(());
                }
            }
            read = server.read(&mut answered) => {
                let count = read?;
                if count == 0 {
                    return Ok(());
                }
                let delay = state.orders.borrow().delay;
                tokio::time::sleep(delay).await;
                let passed = take(&mut left.answered, count);
                program.write_all(&answered[..passed]).await?;
                if left.answered == 0 {
                    state.faults_done.fetch_add(1, Ordering::Relaxed);
                    return Ok(());
                }
            }
        }
    }
}

/// Takes up to `count` bytes from those that are left, and returns how many.
fn take(bytes_left: &mut u64, count: usize) -> usize {
    let passed = usize::try_from(*bytes_left).unwrap_or(usize::MAX).min(count);
    *bytes_left -= passed as u64;
    passed
}

/// Returns whether the program sends a COMMIT. `READ COMMITTED` is none.
fn has_commit(asked: &[u8]) -> bool {
    let word = b"COMMIT";
    let ends = asked.windows(word.len()).enumerate().filter(|(_, bytes)| bytes == word);
    ends.into_iter().any(|(at, _)| asked.get(at + word.len()) != Some(&b'T'))
}

impl Orders {
    /// Returns how many bytes the n-th connection passes.
    fn bytes_left(&self, number: u64) -> BytesLeft {
        let asked = self.cut_after_bytes.map_or(u64::MAX, |bytes_of| bytes_of(number));
        let Some(cuts) = self.random_cuts else { return BytesLeft { asked, answered: u64::MAX } };
        let mut random = fastrand::Rng::with_seed(cuts.seed.wrapping_add(number));
        BytesLeft {
            asked: asked.min(random.u64(1..=cuts.asked_bytes_max)),
            answered: random.u64(1..=cuts.answered_bytes_max),
        }
    }
}

impl State {
    /// Waits until the orders are so.
    async fn until(&self, is_so: impl FnMut(&Orders) -> bool) {
        let _ = self.orders.subscribe().wait_for(is_so).await;
    }

    /// Returns whether what the program sends silences its connection.
    fn silences(&self, asked: &[u8]) -> bool {
        let is_word = |word: &str| match word {
            "COMMIT" => has_commit(asked),
            word => asked.windows(word.len()).any(|it| it == word.as_bytes()),
        };
        let silences = self.orders.borrow().silent_from.is_some_and(is_word);
        if silences {
            self.orders.send_modify(|orders| orders.silent_from = None);
            self.faults_done.fetch_add(1, Ordering::Relaxed);
        }
        silences
    }

    /// Returns what is to happen to what the program sends. A commit may have to wait before.
    async fn fault_of(&self, asked: &[u8]) -> Option<CommitFault> {
        if !has_commit(asked) {
            return None;
        }
        let commits = 1 + self.commits.fetch_add(1, Ordering::Relaxed);
        self.until(|orders| orders.commits_max.is_none_or(|max| commits <= max)).await;
        let orders = self.orders.borrow();
        if orders.faults.is_empty() || !commits.is_multiple_of(orders.every_commits) {
            return None;
        }
        let done = self.faults_done.fetch_add(1, Ordering::Relaxed);
        let turn = usize::try_from(done).unwrap() % orders.faults.len();
        Some(orders.faults[turn])
    }
}
