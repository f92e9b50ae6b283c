//! Fetching one object: all of the listed version, or an error.

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use bytes::BytesMut;

use super::answer::innermost;
use super::attempt::AttemptError;
use super::bucket::Bucket;
use super::page::version;
use crate::source::{Fetched, SourceError};
use crate::trail::object::ObjectRef;

/// The largest buffer that is reserved before the first byte arrives. A listed size may be wrong.
const CAPACITY_BYTES_MAX: u64 = 64 << 20;

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
        let mut retry = self.start_retries();
        loop {
            let error = match self.fetch_once(object, wanted_bytes).await {
                Ok(fetched) => return Ok(fetched),
                Err(error) => error,
            };
            match self.wait_to_retry(&mut retry, &object.location.uri(), &error).await {
                Ok(()) => {}
                Err(attempts) => return Err(self.fetch_error(object, error, attempts).await),
            }
        }
    }

    async fn fetch_once(
        &self,
        object: &ObjectRef,
        wanted_bytes: u64,
    ) -> Result<Fetched, AttemptError> {
        let key = object.location.key().expect("a bucket lists only S3 objects");
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
            .await
            .map_err(|error| AttemptError::of(&error))?;
        collect(answer, object, wanted_bytes).await
    }
}

/// Reads the body of `answer`, if it belongs to the listed version of `object`.
async fn collect(
    answer: GetObjectOutput,
    object: &ObjectRef,
    wanted_bytes: u64,
) -> Result<Fetched, AttemptError> {
    // Not every server honours `If-Match`.
    let version = version(answer.e_tag());
    if !version.is_empty() && !object.version.is_empty() && version != object.version {
        return Err(AttemptError::Changed);
    }
    // The version says that it is the same object, so the answer is wrong.
    let wrong_size = |size_bytes| match object.version.as_str() {
        "" => AttemptError::Changed,
        _ => AttemptError::Damaged(
            format!("the answer has {size_bytes} bytes instead of {wanted_bytes}").into(),
        ),
    };
    let size_bytes = answer.content_length().map(i64::unsigned_abs);
    if let Some(size_bytes) = size_bytes.filter(|size_bytes| *size_bytes != wanted_bytes) {
        return Err(wrong_size(size_bytes));
    }
    let capacity_bytes = wanted_bytes.min(CAPACITY_BYTES_MAX);
    let mut bytes = BytesMut::with_capacity(usize::try_from(capacity_bytes).unwrap_or_default());
    let metadata = answer.metadata.unwrap_or_default().into_iter().collect();
    let mut body = answer.body;
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| AttemptError::Damaged(innermost(&error)))?;
        bytes.extend_from_slice(&chunk);
        if bytes.len() as u64 > wanted_bytes {
            return Err(wrong_size(bytes.len() as u64));
        }
    }
    if (bytes.len() as u64) < wanted_bytes {
        let cause = format!("the body ended after {} of {} bytes", bytes.len(), wanted_bytes);
        return Err(AttemptError::Damaged(cause.into()));
    }
    Ok(Fetched { bytes: bytes.freeze(), metadata })
}
