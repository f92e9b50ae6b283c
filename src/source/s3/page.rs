//! One page of keys: one request to S3.

use std::borrow::Cow;

use aws_sdk_s3::types::{EncodingType, Object};
use percent_encoding::percent_decode_str;

use super::bucket::Bucket;
use crate::source::SourceError;
use crate::trail::object::ObjectRef;

// S3: ListObjectsV2 returns at most 1,000 keys.
const PAGE_KEYS_MAX: i32 = 1_000;

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
        self.rate_limiter.acquire().await;
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
            .send()
            .await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => return Err(self.list_error(request.prefix, error).await),
        };
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
