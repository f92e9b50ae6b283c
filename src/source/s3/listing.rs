//! Listing keys, one page at a time.

use std::borrow::Cow;

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_s3::types::{EncodingType, Object};

use super::client::Bucket;
use super::fault::Answer;
use crate::object::ObjectRef;
use crate::source::{Pages, SourceError};

// S3: ListObjectsV2 returns at most 1,000 keys.
const PAGE_KEYS_MAX: i32 = 1_000;

/// What to list.
#[derive(Debug, Clone, Default)]
pub(super) struct Ask<'a> {
    /// What keys begin with.
    pub(super) prefix: &'a str,
    /// What ends the part of a key, after the prefix, under which keys are rolled up.
    pub(super) delimiter: Option<&'a str>,
    /// The key after which to begin.
    pub(super) start_after: Option<&'a str>,
    /// Fewer keys than a full page.
    pub(super) keys_max: Option<i32>,
}

/// One page of a listing.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) objects: Vec<ObjectRef>,
    /// What keys were rolled up under, if a delimiter was given.
    #[expect(dead_code, reason = "nothing asks with a delimiter yet")]
    pub(super) prefixes: Vec<String>,
    /// Where to go on; none at the end.
    pub(super) next: Option<String>,
}

impl Bucket {
    /// Lists one page: the first, or the one that `token` stands for.
    ///
    /// A page may be empty and still not the last.
    pub(super) async fn list(
        &self,
        ask: &Ask<'_>,
        token: Option<&str>,
    ) -> Result<Page, SourceError> {
        let answer = self
            .client
            .list_objects_v2()
            .bucket(&self.name)
            .prefix(ask.prefix)
            .set_delimiter(ask.delimiter.map(str::to_owned))
            .set_start_after(ask.start_after.map(str::to_owned))
            .set_continuation_token(token.map(str::to_owned))
            .max_keys(ask.keys_max.unwrap_or(PAGE_KEYS_MAX))
            // XML 1.0 has no way to write U+0001, which a key may contain.
            .encoding_type(EncodingType::Url)
            .set_request_payer(self.payer())
            .send()
            .await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => return Err(self.list_error(ask.prefix, error).await),
        };
        let odd = |what: &'static str| SourceError::List {
            uri: self.uri(ask.prefix),
            cause: what.into(),
        };
        // Servers that do not know the parameter do not echo it.
        let is_encoded = answer.encoding_type() == Some(&EncodingType::Url);
        let objects = answer
            .contents()
            .iter()
            .map(|object| self.listed(object, is_encoded))
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| odd("the server listed an object without key or size"))?;
        let prefixes = answer
            .common_prefixes()
            .iter()
            .filter_map(|common| common.prefix())
            .map(|prefix| key_of(prefix, is_encoded).into_owned())
            .collect();
        let next = if answer.is_truncated().unwrap_or_default() {
            // To stop here would leave out objects in silence; to begin again would never end.
            match answer.next_continuation_token() {
                Some(next) if Some(next) != token => Some(next.to_owned()),
                _ => return Err(odd("the server says there is more, but not where")),
            }
        } else {
            None
        };
        Ok(Page { objects, prefixes, next })
    }

    /// Returns the first object whose key begins with `prefix`.
    pub(super) async fn first_below(&self, prefix: &str) -> Result<Option<ObjectRef>, SourceError> {
        let ask = Ask { prefix, keys_max: Some(1), ..Ask::default() };
        let mut token = None;
        loop {
            let page = self.list(&ask, token.as_deref()).await?;
            if let Some(object) = page.objects.into_iter().next() {
                return Ok(Some(object));
            }
            token = Some(match page.next {
                Some(next) => next,
                None => return Ok(None),
            });
        }
    }

    /// Returns the object of that key, or `None` if there is none, or we may not know.
    pub(super) async fn head(&self, key: &str) -> Result<Option<ObjectRef>, SourceError> {
        let answer = self
            .client
            .head_object()
            .bucket(&self.name)
            .key(key)
            .set_request_payer(self.payer())
            .send()
            .await;
        match answer {
            Ok(answer) => Ok(Some(ObjectRef {
                location: self.location(key.to_owned()),
                size_bytes: answer.content_length().map_or(0, i64::unsigned_abs),
                version: version(answer.e_tag()),
                is_named: true,
            })),
            // Refusals have no body, hence no code: the listing that follows gets a better one.
            Err(error) if Answer::of(&error).is_some() => Ok(None),
            Err(error) => Err(self.unanswered(error).await),
        }
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

/// Returns the key that a listing shows. S3 writes a space as `+`, like a form, and every other
/// odd byte as `%XX`; what is not a valid escape stays as it is.
fn key_of(shown: &str, is_encoded: bool) -> Cow<'_, str> {
    if !is_encoded || !shown.contains(['%', '+']) {
        return Cow::Borrowed(shown);
    }
    let hex = |byte: Option<&u8>| byte.and_then(|&byte| char::from(byte).to_digit(16));
    let shown = shown.as_bytes();
    let mut key = Vec::with_capacity(shown.len());
    let mut at = 0;
    while at < shown.len() {
        match (shown[at], hex(shown.get(at + 1)), hex(shown.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                key.push(u8::try_from(high * 16 + low).expect("two hex digits make a byte"));
                at += 2;
            }
            (b'+', ..) => key.push(b' '),
            (byte, ..) => key.push(byte),
        }
        at += 1;
    }
    Cow::Owned(String::from_utf8_lossy(&key).into_owned())
}

/// A listing of all below a prefix.
pub(super) struct S3Pages {
    bucket: Arc<Bucket>,
    prefix: String,
    at: At,
}

enum At {
    Start,
    Token(String),
    End,
}

impl S3Pages {
    pub(super) fn new(bucket: Arc<Bucket>, prefix: String) -> Self {
        Self { bucket, prefix, at: At::Start }
    }
}

#[async_trait]
impl Pages for S3Pages {
    async fn next_page(&mut self) -> Result<Option<Vec<ObjectRef>>, SourceError> {
        let ask = Ask { prefix: &self.prefix, ..Ask::default() };
        loop {
            let token = match &self.at {
                At::Start => None,
                At::Token(token) => Some(token.as_str()),
                At::End => return Ok(None),
            };
            let page = self.bucket.list(&ask, token).await?;
            self.at = page.next.map_or(At::End, At::Token);
            if !page.objects.is_empty() {
                return Ok(Some(page.objects));
            }
        }
    }
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
