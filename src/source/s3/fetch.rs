//! Fetching one object, whole and unchanged, or not at all.

use std::time::Duration;

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use bytes::{Bytes, BytesMut};
use tracing::warn;

use super::client::{BACKOFF_MAX, Bucket};
use super::fault::{Answer, innermost};
use super::listing::version;
use crate::object::ObjectRef;
use crate::source::{Cause, SourceError};

/// Times a body is asked for. Each is up to 8 requests, as the answer's head may fail, too.
const BODY_ATTEMPTS_MAX: u32 = 5;

/// Most that is set aside before the first byte arrives. A listed size may be wrong.
const CAPACITY_BYTES_MAX: u64 = 64 << 20;

/// How one try of a fetch failed.
enum Miss {
    /// Not to be tried again.
    Final(SourceError),
    /// The next try may do better.
    Passing(Cause),
}

impl Bucket {
    /// Returns the bytes of `object`: as many as listed, of the listed version.
    pub(super) async fn fetch(&self, key: &str, object: &ObjectRef) -> Result<Bytes, SourceError> {
        let mut wait = self.patience().retry_base;
        let mut attempts = 0;
        loop {
            attempts += 1;
            let cause = match self.fetch_once(key, object).await {
                Ok(bytes) => return Ok(bytes),
                Err(Miss::Final(error)) => return Err(error),
                Err(Miss::Passing(cause)) => cause,
            };
            let uri = object.location.uri();
            if attempts == BODY_ATTEMPTS_MAX {
                return Err(SourceError::Broken { uri, attempts, cause });
            }
            warn!(uri, attempts, error = %cause, "not read whole; reading it again");
            tokio::time::sleep(wait).await;
            wait = Duration::min(wait * 2, BACKOFF_MAX);
        }
    }

    async fn fetch_once(&self, key: &str, object: &ObjectRef) -> Result<Bytes, Miss> {
        let e_tag = (!object.version.is_empty()).then(|| format!("\"{}\"", object.version));
        self.pace.turn().await;
        let answer = self
            .client
            .get_object()
            .bucket(&self.name)
            .key(key)
            .set_if_match(e_tag)
            .set_request_payer(self.payer())
            .send()
            .await;
        match answer {
            Ok(answer) => collect(answer, object).await,
            Err(error) => match Answer::of(&error) {
                Some(answer) if answer.is_kms_throttling() => {
                    self.pace.refused();
                    Err(Miss::Passing(answer.into()))
                }
                _ => Err(Miss::Final(self.fetch_error(object, error).await)),
            },
        }
    }
}

/// Reads the body of `answer`, if it is that of the `object` listed.
async fn collect(answer: GetObjectOutput, object: &ObjectRef) -> Result<Bytes, Miss> {
    let changed = || Miss::Final(SourceError::Changed { uri: object.location.uri() });
    // Not every server heeds `If-Match`.
    let version = version(answer.e_tag());
    let is_version = version.is_empty() || object.version.is_empty() || version == object.version;
    let size_bytes = answer.content_length().map(i64::unsigned_abs);
    if !is_version || size_bytes.is_some_and(|size_bytes| size_bytes != object.size_bytes) {
        return Err(changed());
    }
    let capacity_bytes = object.size_bytes.min(CAPACITY_BYTES_MAX);
    let mut bytes = BytesMut::with_capacity(usize::try_from(capacity_bytes).unwrap_or_default());
    let mut body = answer.body;
    while let Some(chunk) = body.next().await {
        bytes.extend_from_slice(&chunk.map_err(|error| Miss::Passing(innermost(&error)))?);
        if bytes.len() as u64 > object.size_bytes {
            return Err(changed());
        }
    }
    if (bytes.len() as u64) < object.size_bytes {
        let cause = format!("the body ended after {} of {} bytes", bytes.len(), object.size_bytes);
        return Err(Miss::Passing(cause.into()));
    }
    Ok(bytes.freeze())
}
