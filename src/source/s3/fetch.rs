//! Fetching one object, whole and unchanged, or not at all.

use std::time::Duration;

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use bytes::BytesMut;
use tracing::warn;

use super::client::{BACKOFF_MAX, Bucket};
use super::fault::{Answer, innermost};
use super::listing::version;
use crate::source::{Cause, Fetched, SourceError};
use crate::trail::object::{Location, ObjectRef};

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
    /// Returns the bytes of `object`, of the listed version: as many as listed, or the first
    /// `head_bytes_max` of them.
    pub(super) async fn fetch(
        &self,
        object: &ObjectRef,
        head_bytes_max: Option<u64>,
    ) -> Result<Fetched, SourceError> {
        let wanted_bytes =
            head_bytes_max.map_or(object.size_bytes, |max| max.min(object.size_bytes));
        let mut wait = self.patience().retry_base;
        let mut attempts = 0;
        loop {
            attempts += 1;
            let cause = match self.fetch_once(object, wanted_bytes).await {
                Ok(fetched) => return Ok(fetched),
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

    async fn fetch_once(&self, object: &ObjectRef, wanted_bytes: u64) -> Result<Fetched, Miss> {
        let Location::S3 { key, .. } = &object.location else {
            unreachable!("a bucket lists only S3 objects");
        };
        // A range of no bytes cannot be asked for.
        let is_head = 0 < wanted_bytes && wanted_bytes < object.size_bytes;
        let range = is_head.then(|| format!("bytes=0-{}", wanted_bytes - 1));
        let e_tag = (!object.version.is_empty()).then(|| format!("\"{}\"", object.version));
        self.pace.turn().await;
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
                    self.pace.refused();
                    Err(Miss::Passing(answer.into()))
                }
                _ => Err(Miss::Final(self.fetch_error(object, error).await)),
            },
        }
    }
}

/// Reads the body of `answer`, if it is that of the `object` listed.
async fn collect(
    answer: GetObjectOutput,
    object: &ObjectRef,
    wanted_bytes: u64,
) -> Result<Fetched, Miss> {
    let changed = || Miss::Final(SourceError::Changed { uri: object.location.uri() });
    // Not every server heeds `If-Match`.
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
        bytes.extend_from_slice(&chunk.map_err(|error| Miss::Passing(innermost(&error)))?);
        if bytes.len() as u64 > wanted_bytes {
            return Err(changed());
        }
    }
    if (bytes.len() as u64) < wanted_bytes {
        let cause = format!("the body ended after {} of {} bytes", bytes.len(), wanted_bytes);
        return Err(Miss::Passing(cause.into()));
    }
    Ok(Fetched { bytes: bytes.freeze(), metadata })
}
