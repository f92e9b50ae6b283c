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

/// Empty pages in a row, after which a listing has failed. S3 sends some where many keys were
/// deleted.
const EMPTY_PAGES_MAX: u32 = 10_000;

const NOT_IN_ORDER: &str = "the server listed keys that are not in order after the ones before";

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
    /// The next page; none on the last page.
    pub(super) next: Option<Rest>,
}

/// The rest of a listing, after one page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rest {
    token: String,
    past: Past,
}

/// What the pages up to one have shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Past {
    /// The greatest key or prefix.
    last: Option<String>,
    /// How many of the latest pages were empty.
    empty_pages: u32,
}

impl Past {
    /// Returns what is past after a page whose objects and prefixes are sorted, or `None` if it does
    /// not follow what was `past` before. A prefix may be listed at the end of one page and at the
    /// start of the next.
    fn of(past: Self, objects: &[ObjectRef], prefixes: &[String]) -> Option<Self> {
        let ends = |object: Option<&ObjectRef>, prefix: Option<&String>| {
            [object.map(|object| listed_key(object).to_owned()), prefix.cloned()]
        };
        let first = ends(objects.first(), prefixes.first()).into_iter().flatten().min();
        let last = ends(objects.last(), prefixes.last()).into_iter().flatten().max();
        if last.is_none() {
            return Some(Self { empty_pages: past.empty_pages + 1, ..past });
        }
        let follows = past.last.is_none() || (first >= past.last && last > past.last);
        follows.then_some(Self { last, empty_pages: 0 })
    }
}

impl Bucket {
    /// Lists one page: the first, or the one after others.
    ///
    /// An empty page is not necessarily the last one.
    pub(super) async fn list(
        &self,
        request: &ListRequest<'_>,
        rest: Option<&Rest>,
    ) -> Result<Page, SourceError> {
        let token = rest.map(|rest| &*rest.token);
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
        let start = || Past { last: request.start_after.map(str::to_owned), empty_pages: 0 };
        let past = rest.map_or_else(start, |rest| rest.past.clone());
        self.page(request, token, past, &answer)
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
        self.rate_limiter.accepted();
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
        past: Past,
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
        let prefixes: Vec<String> = answer
            .common_prefixes()
            .iter()
            .filter_map(|common| common.prefix())
            .map(|prefix| key_of(prefix, is_encoded).into_owned())
            .collect();
        let keys = objects.iter().map(listed_key).chain(prefixes.iter().map(String::as_str));
        if !keys.into_iter().all(|key| key.starts_with(request.prefix)) {
            return Err(invalid("the server listed an object that was not asked for"));
        }
        // A part of a listing is skipped, or taken as the end, by the order of its keys.
        if !objects.iter().map(listed_key).is_sorted() || !prefixes.is_sorted() {
            return Err(invalid(NOT_IN_ORDER));
        }
        let past = Past::of(past, &objects, &prefixes).ok_or_else(|| invalid(NOT_IN_ORDER))?;
        if past.empty_pages > EMPTY_PAGES_MAX {
            return Err(invalid(
                "the server announced another page again and again, and sent none",
            ));
        }
        let next = if answer.is_truncated().unwrap_or_default() {
            // Stopping here would silently leave out objects; the same token again would never end.
            match answer.next_continuation_token() {
                Some(next) if Some(next) != token => Some(Rest { token: next.to_owned(), past }),
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

fn listed_key(object: &ObjectRef) -> &str {
    object.location.key().expect("a bucket lists only S3 objects")
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
