//! Where logs come from: listing objects in steps, and fetching one object's bytes.
//!
//! A source knows nothing of CloudTrail's JSON and nothing of databases. Listing streams: memory
//! does not grow with the number of objects.

pub mod list_queue;

pub mod folder;

pub mod s3;

use std::collections::BTreeMap;
use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::trail::layout::Selection;
use crate::trail::object::ObjectRef;

/// A place that holds objects: one file, a folder, an S3 object or an S3 prefix.
#[async_trait]
pub trait Source: Send + Sync + std::fmt::Debug {
    /// Returns the first step of a listing of what is chosen.
    fn listing(&self, selection: &Arc<Selection>) -> Box<dyn Step>;

    /// Returns an object's stored bytes, whole: as many as its listing said, unchanged since.
    ///
    /// Passing faults are retried inside, within a bound; cancel safe.
    ///
    /// # Errors
    /// [`SourceError::is_fatal`] tells whether the whole run is over or only this object is out.
    async fn fetch(&self, object: &ObjectRef) -> Result<Fetched, SourceError>;

    /// Returns the first stored bytes of an object: `bytes_max` of them, or all if it has fewer.
    ///
    /// # Errors
    /// As for [`Source::fetch`].
    async fn fetch_head(&self, object: &ObjectRef, bytes_max: u64) -> Result<Bytes, SourceError>;
}

/// One object as it was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Its stored bytes, whole.
    pub bytes: Bytes,
    /// What the store keeps beside the bytes, such as a digest file's signature; empty for a
    /// local file. S3: user-defined metadata, keys in lower case without `x-amz-meta-`.
    pub metadata: BTreeMap<String, String>,
}

/// One step of a listing: one request to S3, or one page of a folder.
///
/// Each step says which steps follow. They are independent of each other, so that several can be
/// taken side by side; taken depth first, they never pile up: what waits is bounded by the width
/// of the tree, not by the number of objects.
#[async_trait]
pub trait Step: Send + std::fmt::Debug {
    /// Takes the step. With `wants_more`, it makes more steps of what is left, where it can.
    ///
    /// # Errors
    /// The listing cannot go on; what was found before stays valid.
    async fn take(self: Box<Self>, wants_more: bool) -> Result<Found, SourceError>;
}

/// What one step of a listing found.
#[derive(Debug, Default)]
pub struct Found {
    /// Objects, at most 1,000.
    pub objects: Vec<ObjectRef>,
    /// The steps that follow, the first one first.
    pub steps: Vec<Box<dyn Step>>,
    /// Requests that were sent.
    pub requests: u64,
    /// Folders that were not looked into, because they hold no logs: how many of each name.
    pub without_logs: BTreeMap<String, u64>,
    /// Folders and objects that were found and not chosen.
    pub filtered_out: u64,
}

impl Found {
    /// Drops the objects that are not chosen.
    fn keep_chosen(&mut self, selection: &Selection) {
        let found = self.objects.len();
        if !selection.is_all() {
            self.objects.retain(|object| selection.has(&object.location.uri()));
        }
        self.filtered_out += (found - self.objects.len()) as u64;
    }
}

/// What went wrong, as the layer below tells it.
pub type Cause = Box<dyn Error + Send + Sync>;

/// Why objects could not be listed, or one of them not fetched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// A file or folder that the user named cannot be opened, or a folder not read to its end.
    #[error("cannot open `{}`", .path.display())]
    Path {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        cause: io::Error,
    },
    /// No AWS credentials could be had.
    #[error("cannot get AWS credentials")]
    Credentials {
        /// The profile that was asked for.
        profile: Option<String>,
        /// What the providers said.
        #[source]
        cause: Cause,
    },
    /// The AWS credentials were valid once.
    #[error("the AWS credentials have expired")]
    Expired {
        /// What S3 said.
        #[source]
        cause: Cause,
    },
    /// S3 does not know the credentials, or not in this region.
    #[error("S3 refused the AWS credentials for `{uri}`")]
    Refused {
        /// The bucket, prefix or object asked for.
        uri: String,
        /// What S3 said.
        #[source]
        cause: Cause,
    },
    /// There is no such bucket.
    #[error("there is no bucket `{bucket}`")]
    NoBucket {
        /// Its name.
        bucket: String,
        /// What S3 said.
        #[source]
        cause: Cause,
    },
    /// The bucket is in another region, and S3 did not say which.
    #[error("the bucket `{bucket}` is not in region `{region}`")]
    WrongRegion {
        /// Its name.
        bucket: String,
        /// Where we asked for it.
        region: String,
        /// What S3 said.
        #[source]
        cause: Cause,
    },
    /// The credentials do not allow this listing.
    #[error("cannot list `{uri}`")]
    ListDenied {
        /// The prefix.
        uri: String,
        /// What has to be allowed.
        grant: Grant,
        /// What S3 said.
        #[source]
        cause: Cause,
    },
    /// The listing failed for another reason, after all retries.
    #[error("cannot list `{uri}` to its end")]
    List {
        /// The prefix.
        uri: String,
        /// What happened.
        #[source]
        cause: Cause,
    },
    /// There is neither an object of that key nor anything below it.
    #[error("there is nothing at `{uri}`")]
    NotFound {
        /// What was named.
        uri: String,
    },
    /// No answer from S3, after all retries.
    #[error("cannot reach S3 at {place}")]
    Unreachable {
        /// The endpoint or region.
        place: String,
        /// What happened last.
        #[source]
        cause: Cause,
    },

    /// The credentials do not allow reading this object, or the key it is encrypted with.
    #[error("cannot read `{uri}`")]
    Denied {
        /// The object.
        uri: String,
        /// What has to be allowed.
        grant: Grant,
        /// What S3 said.
        #[source]
        cause: Cause,
    },
    /// The object was listed but is gone.
    #[error("`{uri}` is no longer there")]
    Missing {
        /// The object.
        uri: String,
        /// What the source said.
        #[source]
        cause: Cause,
    },
    /// The object is another than the one listed. A new listing shows the new one.
    #[error("`{uri}` changed after it was listed")]
    Changed {
        /// The object.
        uri: String,
    },
    /// The object is in an archive class and not restored.
    #[error("`{uri}` is archived")]
    Archived {
        /// The object.
        uri: String,
        /// What S3 said.
        #[source]
        cause: Cause,
    },
    /// The object's bytes never arrived whole.
    #[error("cannot read `{uri}` whole, after {attempts} attempts")]
    Broken {
        /// The object.
        uri: String,
        /// How often its body was asked for.
        attempts: u32,
        /// What happened last.
        #[source]
        cause: Cause,
    },
    /// The object cannot be read for another reason, after all retries.
    #[error("cannot read `{uri}`")]
    Fetch {
        /// The object.
        uri: String,
        /// What happened.
        #[source]
        cause: Cause,
    },
}

/// Whom to allow what on AWS: the resources that the missing permissions are for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// What `s3:ListBucket` is needed on.
    pub bucket_arn: String,
    /// What `s3:GetObject` is needed on.
    pub objects_arn: String,
    /// Whether requests were sent without credentials.
    pub is_anonymous: bool,
}

impl SourceError {
    /// Returns whether nothing more can be read from the source; else only this object is out.
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::Path { .. }
            | Self::Credentials { .. }
            | Self::Expired { .. }
            | Self::Refused { .. }
            | Self::NoBucket { .. }
            | Self::WrongRegion { .. }
            | Self::ListDenied { .. }
            | Self::List { .. }
            | Self::NotFound { .. }
            | Self::Unreachable { .. } => true,
            Self::Denied { .. }
            | Self::Missing { .. }
            | Self::Changed { .. }
            | Self::Archived { .. }
            | Self::Broken { .. }
            | Self::Fetch { .. } => false,
        }
    }

    /// Returns what the user can do about it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Path { cause, .. } if cause.kind() == io::ErrorKind::NotFound => {
                "check the spelling; S3 addresses start with `s3://`".into()
            }
            Self::Credentials { profile: Some(profile), .. } => format!(
                "sign in with `aws sso login --profile {profile}`, or name another `--profile`; \
                 public buckets need `--no-sign-request`"
            ),
            Self::Credentials { profile: None, .. } => {
                "sign in with `aws sso login` or `aws configure`, \
                 or name a `--profile`; public buckets need `--no-sign-request`"
                    .into()
            }
            Self::Expired { .. } => {
                "sign in again, then run the same command: what is loaded stays".into()
            }
            Self::Refused { .. } => "check the keys or `--profile`, the clock, and `--region`: \
                 the GovCloud and China regions and other S3 servers know only their own keys"
                .into(),
            Self::NoBucket { .. } => {
                "check the spelling, and `--endpoint-url` if it is not a bucket of AWS".into()
            }
            Self::NotFound { .. } => "check the spelling; keys are case-sensitive".into(),
            Self::WrongRegion { .. } => "name its region with `--region`".into(),
            Self::ListDenied { grant, .. } if grant.is_anonymous => {
                "the bucket does not let everyone list it: leave out `--no-sign-request`".into()
            }
            Self::ListDenied { grant, .. } => format!(
                "the role needs `s3:ListBucket` on `{}` and `s3:GetObject` on `{}`; \
                 a requester-pays bucket needs `--request-payer`",
                grant.bucket_arn, grant.objects_arn
            ),
            Self::Denied { grant, .. } if grant.is_anonymous => {
                "the object is not public: leave out `--no-sign-request`".into()
            }
            Self::Denied { grant, .. } => format!(
                "the role needs `s3:GetObject` on `{}`, \
                 and `kms:Decrypt` on the KMS key if one encrypts it",
                grant.objects_arn
            ),
            Self::Unreachable { .. } => "check the network, `--region` and `--endpoint-url`, \
                 then run the same command: what is loaded stays"
                .into(),
            Self::Missing { .. } | Self::Changed { .. } | Self::Broken { .. } => {
                "run the same command again to load what is there now".into()
            }
            Self::Archived { .. } => {
                "restore it with `aws s3api restore-object`, then run the same command again".into()
            }
            Self::Path { .. } | Self::List { .. } | Self::Fetch { .. } => return None,
        };
        Some(hint)
    }
}
