//! After a refusal from S3, fewer requests are sent.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cloudtrail2sql::source::Source;

use super::{only, s3};
use crate::s3_server::{Fault, Op, S3Server};

#[tokio::test]
async fn after_a_refusal_fetches_and_listings_of_a_bucket_share_one_rate() {
    for (op, fault) in [
        (Op::GetObject, Fault::SlowDown),
        (Op::GetObject, Fault::KmsThrottling),
        (Op::ListObjectsV2, Fault::SlowDown),
    ] {
        let server = S3Server::start();
        server.put("trail", "a", "x");
        let source = s3::open(&server, "").await.unwrap();
        let object = only(&source).await;
        server.fail_next(op, fault, 1);
        let start = Instant::now();
        for _ in 0..21 {
            source.fetch(&object).await.unwrap();
            source.listing(&Arc::default()).take(false).await.unwrap();
        }
        // 40 requests at 50 per second, a rate that grows a little. Without a limit this takes 0.2 s.
        assert!(start.elapsed() > Duration::from_millis(600), "{op:?} {:?}", start.elapsed());
    }
}
