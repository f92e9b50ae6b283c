//! Fetching one object: all of the listed version, or an error.

use std::sync::atomic::Ordering;
use std::time::Duration;

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::types::ServerSideEncryption;
use bytes::BytesMut;
use md5::{Digest, Md5};
use tokio::time::{Instant, timeout_at};

use super::answer::innermost;
use super::attempt::AttemptError;
use super::bucket::Bucket;
use super::options::BODY_PROGRESS_BYTES;
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
        let mut unmatched = None;
        loop {
            let fetched = self.fetch_once(object, wanted_bytes).await;
            let fetched = fetched.and_then(|(fetched, e_tag_is)| {
                self.check(object, fetched, e_tag_is, &mut unmatched)
            });
            let error = match fetched {
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
    ) -> Result<(Fetched, ETagIs), AttemptError> {
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
        self.rate_limiter.accepted();
        let e_tag_is = self.e_tag_is(&answer);
        let progress = self.connector.options.timeouts.progress;
        Ok((collect(answer, object, wanted_bytes, progress).await?, e_tag_is))
    }

    /// Returns what the `ETag` of an answer says about its bytes.
    ///
    /// The `ETag` of an object that was uploaded as a whole, and is not encrypted with a key of KMS
    /// or of the customer, is its MD5 ("Object", Amazon S3 API Reference).
    fn e_tag_is(&self, answer: &GetObjectOutput) -> ETagIs {
        let is_aws = self.connector.other_server().is_none();
        match answer.server_side_encryption() {
            _ if answer.sse_customer_algorithm().is_some() => ETagIs::Opaque,
            Some(ServerSideEncryption::Aes256) if is_aws => ETagIs::Md5,
            Some(ServerSideEncryption::Aes256) | None => ETagIs::PerhapsMd5,
            Some(_) => ETagIs::Opaque,
        }
    }

    /// Returns `fetched` if its bytes are those that were stored, as far as that can be known.
    ///
    /// Compressed bytes have a checksum of their own, which decoding compares. Others are compared
    /// with the `ETag`. Some servers have `ETag`s that only look like an MD5: if no object of
    /// the bucket has matched yet, the same bytes twice (`unmatched` holds the first) are accepted.
    fn check(
        &self,
        object: &ObjectRef,
        fetched: Fetched,
        e_tag_is: ETagIs,
        unmatched: &mut Option<[u8; 16]>,
    ) -> Result<Fetched, AttemptError> {
        let is_whole = fetched.bytes.len() as u64 == object.size_bytes;
        let is_compressed = fetched.bytes.starts_with(GZIP_MAGIC);
        let Some(expected) = md5_of(&object.version) else { return Ok(fetched) };
        if !is_whole || is_compressed || e_tag_is == ETagIs::Opaque {
            return Ok(fetched);
        }
        let actual: [u8; 16] = Md5::digest(&fetched.bytes).into();
        if actual == expected {
            self.has_md5.store(true, Ordering::Relaxed);
            return Ok(fetched);
        }
        let is_md5 = e_tag_is == ETagIs::Md5 || self.has_md5.load(Ordering::Relaxed);
        if !is_md5 && *unmatched == Some(actual) {
            return Ok(fetched);
        }
        *unmatched = Some(actual);
        let cause = "the bytes differ from those that were stored: their MD5 is not the ETag";
        Err(AttemptError::Damaged(cause.into()))
    }
}

/// How compressed bytes begin (RFC 1952).
const GZIP_MAGIC: &[u8] = b"\x1f\x8b";

/// What an `ETag` says about the bytes of its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ETagIs {
    Md5,
    /// Another server than AWS may use anything.
    PerhapsMd5,
    Opaque,
}

/// Returns the MD5 that a version looks like: 32 hexadecimal digits. That of an object which was
/// uploaded in parts has more.
fn md5_of(version: &str) -> Option<[u8; 16]> {
    let is_hex = version.len() == 32 && version.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex.then(|| u128::from_str_radix(version, 16).ok().map(u128::to_be_bytes)).flatten()
}

/// Reads the body of `answer`, if it belongs to the listed version of `object`.
async fn collect(
    answer: GetObjectOutput,
    object: &ObjectRef,
    wanted_bytes: u64,
    progress: Duration,
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
    // A server that sends a byte now and then would hold a fetcher, and its memory, for ever.
    let (mut due, mut due_bytes) = (Instant::now() + progress, BODY_PROGRESS_BYTES);
    loop {
        let Ok(chunk) = timeout_at(due, body.next()).await else {
            let cause = format!(
                "the body is too slow: {} of {wanted_bytes} bytes, less than {} KiB in {} s",
                bytes.len(),
                BODY_PROGRESS_BYTES >> 10,
                progress.as_secs_f64()
            );
            return Err(AttemptError::Damaged(cause.into()));
        };
        let Some(chunk) = chunk else { break };
        let chunk = chunk.map_err(|error| AttemptError::Damaged(innermost(&error)))?;
        bytes.extend_from_slice(&chunk);
        if bytes.len() as u64 > wanted_bytes {
            return Err(wrong_size(bytes.len() as u64));
        }
        if bytes.len() >= due_bytes {
            (due, due_bytes) = (Instant::now() + progress, bytes.len() + BODY_PROGRESS_BYTES);
        }
    }
    if (bytes.len() as u64) < wanted_bytes {
        let cause = format!("the body ended after {} of {} bytes", bytes.len(), wanted_bytes);
        return Err(AttemptError::Damaged(cause.into()));
    }
    Ok(Fetched { bytes: bytes.freeze(), metadata })
}
