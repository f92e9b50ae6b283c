//! An S3 bucket, a prefix in it, or one object.
//!
//! The only place that knows the AWS SDK. It reads and lists; it never writes.
//!
//! ```text
//! S3Options ─▶ S3Connector ───open(key)───▶ S3Source ─▶ listing: steps of ≤ 1,000 keys
//!              credentials, connections,    one bucket,   │
//!              shared by a run's sources    its region    └▶ fetch: If-Match, checked, again if cut
//! ```
//!
//! What an address means. The AWS CLI is of two minds (`ls` lists by plain prefix, `cp` takes a
//! key or a folder), so a name without a slash at its end is the first of these that exists:
//!
//! | address | is |
//! |---|---|
//! | `s3://bucket`, `s3://bucket/` | the whole bucket |
//! | `s3://bucket/prefix/` | everything below, be it nothing |
//! | `s3://bucket/name` | the object of that key |
//! | | everything below `name/` |
//! | | every key that begins with `name` |
//! | | [`SourceError::NotFound`] |

mod client;
mod fault;
mod fetch;
mod http;
mod listing;
mod options;
mod pace;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use self::client::Bucket;
pub use self::client::S3Connector;
use self::listing::S3Step;
pub use self::options::{Patience, S3Options};
use super::{Fetched, Source, SourceError, Step};
use crate::trail::layout::Selection;
use crate::trail::object::ObjectRef;

/// A bucket's objects below a prefix, or one object. Opened by [`S3Connector::open`].
#[derive(Debug)]
pub struct S3Source {
    bucket: Arc<Bucket>,
    scope: Scope,
}

#[derive(Debug)]
enum Scope {
    Prefix(String),
    Object(ObjectRef),
}

impl S3Source {
    /// Returns the region that requests go to: the bucket's, where S3 told it.
    pub fn region(&self) -> &str {
        self.bucket.region()
    }

    /// Decides what `key` is: an object, or a prefix.
    async fn resolve(mut bucket: Bucket, key: String) -> Result<Self, SourceError> {
        if key.is_empty() || key.ends_with('/') {
            bucket.allow(&key);
            return Ok(Self { bucket: Arc::new(bucket), scope: Scope::Prefix(key) });
        }
        bucket.allow(&key);
        // Listing shows an object as well, but not to those who may only read it.
        if let Some(object) = bucket.head(&key).await? {
            return Ok(Self { bucket: Arc::new(bucket), scope: Scope::Object(object) });
        }
        let folder = format!("{key}/");
        let scope = if bucket.first_below(&folder).await?.is_some() {
            bucket.allow(&folder);
            Scope::Prefix(folder)
        } else {
            match bucket.first_below(&key).await? {
                None => return Err(SourceError::NotFound { uri: bucket.uri(&key) }),
                // It is there but `head` was refused: its fetch will tell why.
                Some(object) if bucket.is_at(&object, &key) => {
                    Scope::Object(ObjectRef { is_named: true, ..object })
                }
                Some(_) => Scope::Prefix(key),
            }
        };
        Ok(Self { bucket: Arc::new(bucket), scope })
    }
}

#[async_trait]
impl Source for S3Source {
    fn listing(&self, selection: &Arc<Selection>) -> Box<dyn Step> {
        let bucket = Arc::clone(&self.bucket);
        Box::new(match &self.scope {
            Scope::Prefix(prefix) => S3Step::below(bucket, selection, prefix.clone()),
            Scope::Object(object) => S3Step::only(bucket, object.clone()),
        })
    }

    async fn fetch(&self, object: &ObjectRef) -> Result<Fetched, SourceError> {
        self.bucket.fetch(object, None).await
    }

    async fn fetch_head(&self, object: &ObjectRef, bytes_max: u64) -> Result<Bytes, SourceError> {
        let fetched = self.bucket.fetch(object, Some(bytes_max)).await?;
        Ok(fetched.bytes)
    }
}
