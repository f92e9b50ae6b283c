//! An S3 bucket, a prefix in it, or one object.
//!
//! The only place that knows the AWS SDK, but for `public_keys`. It reads and lists; it never writes.
//!
//! ```text
//! S3Options ─▶ S3Connector ───open(key)───▶ S3Source ─▶ listing: steps of ≤ 1,000 keys
//!              credentials, connections,    one bucket,   │
//!              shared by a run's sources    its region    └▶ fetch: If-Match, checked, retried
//! ```
//!
//! The meaning of an address follows both habits of the AWS CLI, where `ls` lists by plain prefix
//! and `cp` takes a key or a folder. A name without a slash at its end is the first of these that
//! exists:
//!
//! | address | meaning |
//! |---|---|
//! | `s3://bucket`, `s3://bucket/` | the whole bucket |
//! | `s3://bucket/prefix/` | all keys with this prefix, possibly none |
//! | `s3://bucket/name` | the object with this key |
//! | | all keys that begin with `name/` |
//! | | all keys that begin with `name` |
//! | | [`SourceError::NotFound`] |

pub(super) mod options;

mod http;

mod rate_limiter;

mod answer;

pub(super) mod attempt;

pub(super) mod sdk;

mod connector;

mod bucket;

mod errors;

mod page;

mod lookup;

mod fetch;

mod listing;

mod regions;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tracing::{debug, info};

use self::bucket::Bucket;
pub use self::connector::S3Connector;
use self::listing::S3Step;
pub use self::options::{S3Options, Timeouts};
use self::regions::region_folders;
use super::region_folder::Address;
use super::{Fetched, RegionFolder, RegionFolders, Source, SourceError, Step};
use crate::trail::layout::Selection;
use crate::trail::object::ObjectRef;

impl S3Connector {
    /// Opens a bucket, a prefix or an object, as the [table](self) says.
    ///
    /// `bucket` is a name or the ARN of an access point. `key` is empty for the whole bucket, and
    /// taken literally.
    ///
    /// # Errors
    /// Only fatal ones, among them [`SourceError::NotFound`].
    pub async fn open(&self, bucket: &str, key: &str) -> Result<S3Source, SourceError> {
        let name = bucket;
        let mut bucket = Bucket::new(self, name, self.region().to_owned());
        if let Some(region) = bucket.home_region().await?
            && region != bucket.region
        {
            info!(bucket = name, region, "the bucket is in another region");
            bucket = Bucket::new(self, name, region);
        }
        debug!(bucket = name, region = bucket.region, "opened");
        S3Source::resolve(bucket, key.to_owned()).await
    }
}

/// The objects of a bucket with a prefix, or one object. Opened by [`S3Connector::open`].
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
    /// Returns the region that requests are sent to: the bucket's, if S3 named it.
    pub fn region(&self) -> &str {
        &self.bucket.region
    }

    /// Finds out whether `key` is an object or a prefix.
    async fn resolve(mut bucket: Bucket, key: String) -> Result<Self, SourceError> {
        if key.is_empty() || key.ends_with('/') {
            bucket.set_read_prefix(&key);
            return Ok(Self { bucket: Arc::new(bucket), scope: Scope::Prefix(key) });
        }
        bucket.set_read_prefix(&key);
        // HEAD comes first, because reading an object does not take the permission to list.
        if let Some(object) = bucket.head(&key).await? {
            return Ok(Self { bucket: Arc::new(bucket), scope: Scope::Object(object) });
        }
        let folder = format!("{key}/");
        let scope = if bucket.first_below(&folder).await?.is_some() {
            bucket.set_read_prefix(&folder);
            Scope::Prefix(folder)
        } else {
            match bucket.first_below(&key).await? {
                None => return Err(SourceError::NotFound { uri: bucket.uri(&key) }),
                // HEAD was denied. The fetch reports why.
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
            Scope::Object(object) => S3Step::known(bucket, selection, object.clone()),
        })
    }

    async fn fetch(&self, object: &ObjectRef) -> Result<Fetched, SourceError> {
        self.bucket.fetch(object, None).await
    }

    async fn fetch_head(&self, object: &ObjectRef, bytes_max: u64) -> Result<Bytes, SourceError> {
        let fetched = self.bucket.fetch(object, Some(bytes_max)).await?;
        Ok(fetched.bytes)
    }

    fn root_uri(&self) -> Option<String> {
        match &self.scope {
            Scope::Prefix(prefix) => Some(self.bucket.uri(prefix)),
            Scope::Object(_) => None,
        }
    }

    async fn region_folders(
        &self,
        selection: &Arc<Selection>,
    ) -> Result<RegionFolders, SourceError> {
        match &self.scope {
            Scope::Prefix(prefix) => region_folders(&self.bucket, prefix, selection).await,
            Scope::Object(_) => Ok(RegionFolders::default()),
        }
    }

    fn listing_of(&self, folder: &RegionFolder, selection: &Arc<Selection>) -> Box<dyn Step> {
        let Address::Prefix(prefix) = &folder.address else {
            unreachable!("`{}` is not a folder of this source", folder.uri)
        };
        let selection = Arc::new(selection.without_event_days());
        let bucket = Arc::clone(&self.bucket);
        folder.in_day_folders(Box::new(S3Step::below(bucket, &selection, prefix.clone())))
    }
}
