//! One page of keys: one request to S3.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_s3::config::interceptors::AfterDeserializationInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::types::{EncodingType, Object};
use percent_encoding::percent_decode_str;

use super::attempt::AttemptError;
use super::bucket::Bucket;
use crate::source::SourceError;
use crate::trail::object::ObjectRef;

// S3: ListObjectsV2 returns at most 1,000 keys.
const PAGE_KEYS_MAX: i32 = 1_000;

/// The last bytes of a complete listing.
const CLOSING_TAG: &[u8] = b"</ListBucketResult>";

/// What to list.
#[derive(Debug, Clone, Default)]
pub(super) struct ListRequest<'a> {
    /// What keys begin with.
    pub(super) prefix: &'a str,
    /// What ends the part of a key, after the prefix, under which keys are rolled up.
    pub(super) delimiter: Option<&'a str>,
    /// The key after which the listing begins.
    pub(super) start_after: Option<&'a str>,
    /// Fewer keys than a full page.
    pub(super) keys_max: Option<i32>,
}

/// One page of a listing.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) objects: Vec<ObjectRef>,
    /// What keys were rolled up under, if a delimiter was given.
    pub(super) prefixes: Vec<String>,
    /// The token of the next page; none on the last page.
    pub(super) next: Option<String>,
}

impl Bucket {
    /// Lists one page: the first, or the one that `token` stands for.
    ///
    /// An empty page is not necessarily the last one.
    pub(super) async fn list(
        &self,
        request: &ListRequest<'_>,
        token: Option<&str>,
    ) -> Result<Page, SourceError> {
        let mut retry = self.start_retries();
        let answer = loop {
            let error = match self.list_once(request, token).await {
                Ok(answer) => break answer,
                Err(error) => error,
            };
            match self.wait_to_retry(&mut retry, &self.uri(request.prefix), &error).await {
                Ok(()) => {}
                Err(_) => return Err(self.list_error(request.prefix, error).await),
            }
        };
        self.page(request, token, &answer)
    }

    /// Sends one LIST request. An answer that is cut short is an error.
    async fn list_once(
        &self,
        request: &ListRequest<'_>,
        token: Option<&str>,
    ) -> Result<ListObjectsV2Output, AttemptError> {
        self.rate_limiter.acquire().await;
        let is_closed = Arc::new(AtomicBool::new(false));
        let answer = self
            .client
            .list_objects_v2()
            .bucket(&self.name)
            .prefix(request.prefix)
            .set_delimiter(request.delimiter.map(str::to_owned))
            .set_start_after(request.start_after.map(str::to_owned))
            .set_continuation_token(token.map(str::to_owned))
            .max_keys(request.keys_max.unwrap_or(PAGE_KEYS_MAX))
            // XML 1.0 has no way to write U+0001, which a key may contain.
            .encoding_type(EncodingType::Url)
            .set_request_payer(self.payer())
            .customize()
            .interceptor(ClosingTag(Arc::clone(&is_closed)))
            .send()
            .await
            .map_err(|error| AttemptError::of(&error))?;
        if is_closed.load(Ordering::Relaxed) && says_it_is_complete(&answer) {
            Ok(answer)
        } else {
            Err(AttemptError::Damaged("the listing that the server sent is cut short".into()))
        }
    }

    /// Returns the page that a complete answer shows.
    fn page(
        &self,
        request: &ListRequest<'_>,
        token: Option<&str>,
        answer: &ListObjectsV2Output,
    ) -> Result<Page, SourceError> {
        let invalid = |what: &'static str| SourceError::List {
            uri: self.uri(request.prefix),
            cause: what.into(),
        };
        // Servers that do not know the parameter do not echo it.
        let is_encoded = answer.encoding_type() == Some(&EncodingType::Url);
        let objects = answer
            .contents()
            .iter()
            .map(|object| self.listed(object, is_encoded))
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| invalid("the server listed an object without key or size"))?;
        let prefixes = answer
            .common_prefixes()
            .iter()
            .filter_map(|common| common.prefix())
            .map(|prefix| key_of(prefix, is_encoded).into_owned())
            .collect();
        let next = if answer.is_truncated().unwrap_or_default() {
            // Stopping here would silently leave out objects; the same token again would never end.
            match answer.next_continuation_token() {
                Some(next) if Some(next) != token => Some(next.to_owned()),
                _ => return Err(invalid("the server announced another page without its token")),
            }
        } else {
            None
        };
        Ok(Page { objects, prefixes, next })
    }

    fn listed(&self, object: &Object, is_encoded: bool) -> Option<ObjectRef> {
        Some(ObjectRef {
            location: self.location(key_of(object.key()?, is_encoded).into_owned()),
            size_bytes: u64::try_from(object.size()?).ok()?,
            version: version(object.e_tag()),
            is_named: false,
        })
    }
}

/// Whether an answer has what S3 always sends: `IsTruncated`, and as many entries as it counts.
/// Some servers do not count them.
fn says_it_is_complete(answer: &ListObjectsV2Output) -> bool {
    let entries = answer.contents().len() + answer.common_prefixes().len();
    answer.is_truncated().is_some()
        && answer.key_count().is_none_or(|count| usize::try_from(count) == Ok(entries))
}

/// Notes whether the text of an answer ends with [`CLOSING_TAG`].
///
/// The SDK takes a text that ends early for a shorter listing. Without a length, as in HTTP/1.0,
/// the end of the connection ends the text, so HTTP does not show it either.
#[derive(Debug)]
struct ClosingTag(Arc<AtomicBool>);

impl Intercept for ClosingTag {
    fn name(&self) -> &'static str {
        "ClosingTag"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let text = context.response().body().bytes().unwrap_or_default();
        self.0.store(text.trim_ascii_end().ends_with(CLOSING_TAG), Ordering::Relaxed);
        Ok(())
    }
}

/// Returns the `ETag` without its quotes.
pub(super) fn version(e_tag: Option<&str>) -> String {
    e_tag.unwrap_or_default().trim_matches('"').to_owned()
}

/// Returns the key that a listing shows. S3 encodes it as a form would: a space is `+`, and `%XX`
/// any other special byte. An invalid escape stays as it is.
fn key_of(shown: &str, is_encoded: bool) -> Cow<'_, str> {
    if !is_encoded || !shown.contains(['%', '+']) {
        return Cow::Borrowed(shown);
    }
    // Before `%2B` is decoded to a plus sign.
    let shown = shown.replace('+', " ");
    Cow::Owned(percent_decode_str(&shown).decode_utf8_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoded_key_is_decoded_once() {
        assert_eq!(key_of("a+b%2Bc%25d%01%C3%BC", true), "a b+c%d\u{1}ü");
        assert_eq!(key_of("100%+%4", true), "100% %4");
        assert_eq!(key_of("a+b%2B", false), "a+b%2B");
    }
}
