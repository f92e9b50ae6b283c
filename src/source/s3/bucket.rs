//! One bucket: its client, its names, and the permissions that it takes.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::Builder;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::head_bucket::{HeadBucketError, HeadBucketOutput};
use aws_sdk_s3::types::RequestPayer;
use tracing::{debug, warn};

use super::attempt::AttemptError;
use super::connector::S3Connector;
use super::rate_limiter::RateLimiter;
use crate::retry::{Retry, RetryPolicy};
use crate::source::Grant;
use crate::trail::object::{Location, ObjectRef};

/// Attempts of a request that only finds out whether S3 answers. They fail fast on a mistyped
/// endpoint.
const PROBE_ATTEMPTS_MAX: u32 = 3;

/// Attempts of one request, the first included. With the default waits, they span about half a
/// minute, so that an outage of that length costs no object.
const ATTEMPTS_MAX: u32 = 12;

/// The time after which no further attempt starts.
///
/// Five bodies of 64 MiB that break off near their end fit into it at 1 MB/s.
const DEADLINE: Duration = Duration::from_mins(6);

/// The longest wait between two attempts.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// One bucket, in its region.
pub(super) struct Bucket {
    pub(super) client: Client,
    /// Admits fetches and listings.
    pub(super) rate_limiter: Arc<RateLimiter>,
    pub(super) connector: S3Connector,
    pub(super) name: String,
    pub(super) region: String,
    /// The endpoint or region, for messages.
    pub(super) place: String,
    read_prefix: String,
    /// Whether the `ETag` of an object was seen to be the MD5 of its bytes.
    pub(super) has_md5: AtomicBool,
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket")
            .field("name", &self.name)
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

impl Bucket {
    /// Returns the bucket `name`, as requests to `region` reach it.
    pub(super) fn new(connector: &S3Connector, name: &str, region: String) -> Self {
        let rate_limiter = Arc::new(RateLimiter::new(name));
        Self {
            client: Client::from_conf(connector.client_config(&region).build()),
            rate_limiter,
            connector: connector.clone(),
            name: name.to_owned(),
            place: connector.place(&region),
            region,
            read_prefix: String::new(),
            has_md5: AtomicBool::new(false),
        }
    }

    pub(super) fn payer(&self) -> Option<RequestPayer> {
        self.connector.options.request_payer.then_some(RequestPayer::Requester)
    }

    pub(super) fn location(&self, key: String) -> Location {
        let bucket = self.name.clone();
        match self.connector.other_server() {
            Some(endpoint) => Location::OtherS3 { endpoint, bucket, key },
            None => Location::S3 { bucket, key },
        }
    }

    pub(super) fn uri(&self, key: &str) -> String {
        self.location(key.to_owned()).uri()
    }

    pub(super) fn is_at(&self, object: &ObjectRef, key: &str) -> bool {
        object.location == self.location(key.to_owned())
    }

    /// Starts counting the attempts of one request, body included.
    pub(super) fn start_retries(&self) -> Retry {
        let policy = RetryPolicy {
            attempts_max: ATTEMPTS_MAX,
            deadline: DEADLINE,
            first_wait_max: self.connector.options.timeouts.retry_base,
            wait_max: WAIT_MAX,
        };
        policy.start()
    }

    /// Waits before the next attempt, or returns how many failed if another one is of no use.
    pub(super) async fn wait_to_retry(
        &self,
        retry: &mut Retry,
        uri: &str,
        error: &AttemptError,
    ) -> Result<(), u32> {
        if error.is_throttling() {
            self.rate_limiter.refused();
        }
        let wait = retry.next_wait().filter(|_| error.is_transient());
        let (attempts, reason) = (retry.failed_attempts(), error.reason());
        let Some(wait) = wait else { return Err(attempts) };
        if matches!(error, AttemptError::Damaged(_)) {
            warn!(uri, attempts, error = reason, "the answer is not complete; asking again");
        } else {
            debug!(uri, attempts, error = reason, "the request failed; asking again");
        }
        tokio::time::sleep(wait).await;
        Ok(())
    }

    /// Sets the prefix that is read, which [`Bucket::grant`] names.
    pub(super) fn set_read_prefix(&mut self, prefix: &str) {
        prefix.clone_into(&mut self.read_prefix);
    }

    /// Returns the permissions that reading takes.
    pub(super) fn grant(&self) -> Grant {
        let is_arn = self.name.starts_with("arn:");
        let bucket_arn = if is_arn {
            self.name.clone()
        } else {
            format!("arn:{}:s3:::{}", partition(&self.region), self.name)
        };
        let below = if is_arn { "/object/" } else { "/" };
        let objects_arn = format!("{bucket_arn}{below}{}*", self.read_prefix);
        let is_anonymous = self.connector.options.no_sign_request;
        Grant { bucket_arn, objects_arn, is_anonymous }
    }

    /// Returns whether S3 answers at all, even with a refusal.
    pub(super) async fn is_reachable(&self) -> bool {
        match self.probe().await {
            Ok(_) => true,
            Err(error) => error.raw_response().is_some(),
        }
    }

    /// Sends `HeadBucket`, the request that needs the fewest permissions.
    pub(super) async fn probe(&self) -> Result<HeadBucketOutput, SdkError<HeadBucketError>> {
        let retries = RetryConfig::standard()
            .with_max_attempts(PROBE_ATTEMPTS_MAX)
            .with_initial_backoff(self.connector.options.timeouts.retry_base);
        self.client
            .head_bucket()
            .bucket(&self.name)
            .customize()
            .config_override(Builder::default().retry_config(retries))
            .send()
            .await
    }
}

/// Returns the partition of AWS that a region belongs to, as ARNs name it.
fn partition(region: &str) -> &'static str {
    // The partitions of the AWS SDKs' endpoint rules.
    const PARTITIONS: [(&str, &str); 7] = [
        ("cn-", "aws-cn"),
        ("us-gov-", "aws-us-gov"),
        ("us-iso-", "aws-iso"),
        ("us-isob-", "aws-iso-b"),
        ("eu-isoe-", "aws-iso-e"),
        ("us-isof-", "aws-iso-f"),
        ("eusc-", "aws-eusc"),
    ];
    PARTITIONS.iter().find(|(start, _)| region.starts_with(start)).map_or("aws", |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_names_the_partition_of_the_region() {
        for (region, name) in [
            ("eu-west-1", "aws"),
            ("us-gov-west-1", "aws-us-gov"),
            ("cn-north-1", "aws-cn"),
            ("us-iso-east-1", "aws-iso"),
            ("us-isob-east-1", "aws-iso-b"),
            ("eu-isoe-west-1", "aws-iso-e"),
            ("us-isof-south-1", "aws-iso-f"),
            ("eusc-de-east-1", "aws-eusc"),
        ] {
            assert_eq!(partition(region), name, "{region}");
        }
    }
}
