//! Fetching one object: all of the listed version, or an error.

use std::time::Duration;

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use bytes::BytesMut;
use tracing::warn;

use super::answer::{Answer, innermost};
use super::bucket::Bucket;
use super::connector::BACKOFF_MAX;
use super::page::version;
use crate::retry::RetryPolicy;
use crate::source::{Cause, Fetched, SourceError};
use crate::trail::object::{Location, ObjectRef};

/// Attempts to read a body. Each is up to 8 requests, because the SDK repeats a request whose
/// answer never began.
const BODY_ATTEMPTS_MAX: u32 = 5;

/// The time after which no further attempt to read a body starts.
///
/// Five bodies of [`CAPACITY_BYTES_MAX`] that break off near their end fit into it at 1 MB/s.
const BODY_DEADLINE: Duration = Duration::from_mins(6);

/// The largest buffer that is reserved before the first byte arrives. A listed size may be wrong.
const CAPACITY_BYTES_MAX: u64 = 64 << 20;

/// How one attempt of a fetch failed.
enum AttemptError {
    /// Another attempt would fail, too.
    Final(SourceError),
    /// Another attempt may succeed.
    Transient(Cause),
}

impl Bucket {
    /// Returns the bytes of `object` in the listed version: all of them, or the first
    /// `head_bytes_max`.
    pub(super) async fn fetch(
        &self,
        object: &ObjectRef,
        head_bytes_max: Option<u64>,
    ) -> Result<Fetched, SourceError> {
        let wanted_bytes =
            head_bytes_max.map_or(object.size_bytes, |max| max.min(object.size_bytes));
        let policy = RetryPolicy {
            attempts_max: BODY_ATTEMPTS_MAX,
            deadline: BODY_DEADLINE,
            first_wait_max: self.connector.options.timeouts.retry_base,
            wait_max: BACKOFF_MAX,
        };
        let mut retry = policy.start();
        loop {
            let cause = match self.fetch_once(object, wanted_bytes).await {
                Ok(fetched) => return Ok(fetched),
                Err(AttemptError::Final(error)) => return Err(error),
                Err(AttemptError::Transient(cause)) => cause,
            };
            let (uri, wait) = (object.location.uri(), retry.next_wait());
            let attempts = retry.failed_attempts();
            let Some(wait) = wait else {
                return Err(SourceError::Broken { uri, attempts, cause });
            };
            warn!(uri, attempts, error = %cause, "object not read to its end; reading it again");
            tokio::time::sleep(wait).await;
        }
    }

    async fn fetch_once(
        &self,
        object: &ObjectRef,
        wanted_bytes: u64,
    ) -> Result<Fetched, AttemptError> {
        let Location::S3 { key, .. } = &object.location else {
            unreachable!("a bucket lists only S3 objects");
        };
        // A range cannot be empty.
        let is_head = 0 < wanted_bytes && wanted_bytes < object.size_bytes;
        let range = is_head.then(|| format!("bytes=0-{}", wanted_bytes - 1));
        let e_tag = (!object.version.is_empty()).then(|| format!("\"{}\"", object.version));
        self.rate_limiter.acquire().await;
        let answer = self
            .client
            .get_object()
            .bucket(&self.name)
            .key(key)
            .set_if_match(e_tag)
            .set_range(range)
            .set_request_payer(self.payer())
            .send()
            .await;
        match answer {
            Ok(answer) => collect(answer, object, wanted_bytes).await,
            Err(error) => match Answer::of(&error) {
                Some(answer) if answer.is_kms_throttling() => {
                    self.rate_limiter.slow_down();
                    Err(AttemptError::Transient(answer.into()))
                }
                _ => Err(AttemptError::Final(self.fetch_error(object, error).await)),
            },
        }
    }
}

/// Reads the body of `answer`, if it belongs to the listed version of `object`.
async fn collect(
    answer: GetObjectOutput,
    object: &ObjectRef,
    wanted_bytes: u64,
) -> Result<Fetched, AttemptError> {
    let changed = || AttemptError::Final(SourceError::Changed { uri: object.location.uri() });
    // Not every server honours `If-Match`.
    let version = version(answer.e_tag());
    let is_version = version.is_empty() || object.version.is_empty() || version == object.version;
    let size_bytes = answer.content_length().map(i64::unsigned_abs);
    if !is_version || size_bytes.is_some_and(|size_bytes| size_bytes != wanted_bytes) {
        return Err(changed());
    }
    let capacity_bytes = wanted_bytes.min(CAPACITY_BYTES_MAX);
    let mut bytes = BytesMut::with_capacity(usize::try_from(capacity_bytes).unwrap_or_default());
    let metadata = answer.metadata.unwrap_or_default().into_iter().collect();
    let mut body = answer.body;
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| AttemptError::Transient(innermost(&error)))?;
        bytes.extend_from_slice(&chunk);
        if bytes.len() as u64 > wanted_bytes {
            return Err(changed());
        }
    }
    if (bytes.len() as u64) < wanted_bytes {
        let cause = format!("the body ended after {} of {} bytes", bytes.len(), wanted_bytes);
        return Err(AttemptError::Transient(cause.into()));
    }
    Ok(Fetched { bytes: bytes.freeze(), metadata })
}
