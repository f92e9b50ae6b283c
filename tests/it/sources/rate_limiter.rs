//! After S3 has refused most requests, fewer requests are sent.
//!
//! The clock stands still unless the test advances it, so that nothing depends on how fast the
//! machine is: a request that waits for its turn never goes out, and every other one does.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use cloudtrail2sql::source::Source;
use cloudtrail2sql::source::s3::S3Source;
use cloudtrail2sql::trail::object::ObjectRef;
use tokio::time::advance;

use super::{only, s3};
use crate::s3_server::{Fault, Op, S3Server};

/// Between two requests at 50 a second, which is the least.
const PERIOD: Duration = Duration::from_millis(20);

/// Requests that are refused at once: so many show that S3 means all of them.
const REFUSED: usize = 20;

/// Requests after the refusals, by turns fetches and listings.
const REQUESTS: usize = 21;

/// Keeps the paused clock from advancing by itself while the runtime waits for the network.
///
/// tokio changelog, 1.24: time does not auto-advance while a blocking task runs.
#[must_use]
fn freeze_clock() -> mpsc::Sender<()> {
    let (thaw, thawed) = mpsc::channel();
    drop(tokio::task::spawn_blocking(move || thawed.recv()));
    thaw
}

/// A bucket with one object.
struct Bucket {
    server: S3Server,
    source: S3Source,
    object: ObjectRef,
}

impl Bucket {
    async fn new() -> Self {
        let server = S3Server::start();
        server.put("trail", "a", "x");
        let source = s3::open(&server, "").await.unwrap();
        let object = only(&source).await;
        Self { server, source, object }
    }

    async fn request(&self, op: Op) {
        if op == Op::GetObject {
            self.source.fetch(&self.object).await.unwrap();
        } else {
            self.source.listing(&Arc::default()).take(false).await.unwrap();
        }
    }

    async fn requests(&self, op: Op, count: usize) {
        for _ in 0..count {
            self.request(op).await;
        }
    }

    /// Returns how many requests have reached the server.
    fn sent(&self) -> usize {
        self.server.calls(Op::GetObject) + self.server.calls(Op::ListObjectsV2)
    }
}

/// Sends requests that S3 refuses once each, and advances the clock until their second tries are
/// answered.
/// The requests to another bucket give it time on the network.
async fn requests_refused(bucket: &Arc<Bucket>, op: Op, other: &Bucket) {
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..REFUSED {
        let bucket = Arc::clone(bucket);
        requests.spawn(async move { bucket.request(op).await });
    }
    let ticks = async {
        loop {
            other.request(Op::GetObject).await;
            advance(Duration::from_millis(1)).await;
        }
    };
    tokio::select! {
        _ = requests.join_all() => {}
        () = ticks => {}
    }
}

/// Sends a request whose turn has come, and waits for its answer.
async fn request_now(request: impl Future<Output = ()>, other: &Bucket) {
    tokio::select! {
        () = request => {}
        // The clock stands still, so the deadline is counted in requests, too.
        () = other.requests(Op::GetObject, 10_000) => panic!("the turn of a request never comes"),
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_refusal_fetches_and_listings_of_a_bucket_share_one_pace() {
    let _frozen = freeze_clock();
    for (op, fault) in [
        (Op::GetObject, Fault::SlowDown),
        (Op::GetObject, Fault::KmsThrottling),
        (Op::ListObjectsV2, Fault::SlowDown),
    ] {
        let (bucket, other) = (Arc::new(Bucket::new().await), Bucket::new().await);
        bucket.server.fail_next(op, fault, REFUSED);
        requests_refused(&bucket, op, &other).await;
        // The first request at the new pace. From here on each one has to wait.
        advance(PERIOD).await;
        request_now(bucket.request(Op::GetObject), &other).await;
        for op in [Op::ListObjectsV2, Op::GetObject].into_iter().cycle().take(REQUESTS) {
            let before = bucket.sent();
            let mut request = std::pin::pin!(bucket.request(op));
            tokio::select! {
                biased;
                () = &mut request => panic!("{fault:?}: {op:?} did not wait for its turn"),
                // Each of these goes the same way, and begins later.
                () = other.requests(op, 5) => {}
            }
            assert_eq!(bucket.sent(), before, "{fault:?}: {op:?} did not wait for its turn");
            advance(PERIOD).await;
            request_now(request, &other).await;
        }
    }
}
