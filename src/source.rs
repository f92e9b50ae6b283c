//! Where objects come from: listing them in steps, and fetching the bytes of one.
//!
//! A source knows nothing of CloudTrail's JSON and nothing of databases. A listing streams: its
//! memory does not grow with the number of objects.

mod region_folder;

pub mod list_queue;

pub mod folder;

pub mod s3;

pub mod public_keys;

pub mod stdin;

use std::collections::BTreeMap;
use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use serde::Serialize;

pub use self::region_folder::{RegionFolder, RegionFolders};
use crate::trail::layout::Selection;
use crate::trail::object::ObjectRef;

/// A place that holds objects: one file, a folder, an S3 object or prefix, or standard input.
#[async_trait]
pub trait Source: Send + Sync + std::fmt::Debug {
    /// Returns the first step of a listing of the selected objects.
    fn listing(&self, selection: &Arc<Selection>) -> Box<dyn Step>;

    /// Returns all stored bytes of an object, in the version that was listed.
    ///
    /// Transient faults are retried inside, within a bound. Cancel safe.
    ///
    /// # Errors
    /// [`SourceError::is_fatal`] distinguishes errors that end the run from those that leave out
    /// only this object.
    async fn fetch(&self, object: &ObjectRef) -> Result<Fetched, SourceError>;

    /// Returns the first stored bytes of an object: `bytes_max` of them, or all if it has fewer.
    /// `bytes_max` is at least 1.
    ///
    /// # Errors
    /// As for [`Source::fetch`].
    async fn fetch_head(&self, object: &ObjectRef, bytes_max: u64) -> Result<Bytes, SourceError>;

    /// Returns the URI that the URIs of all objects of the source begin with, such as
    /// `s3://bucket/prefix/`; `None` for a source of a single object.
    ///
    /// It ends with a slash, unless the prefix that the user named ends within a name.
    fn root_uri(&self) -> Option<String> {
        None
    }

    /// Finds the folders of digests and log files below the root, without listing what is in them.
    /// The days of the selection do not matter here. Cancel safe.
    ///
    /// # Errors
    /// The search cannot continue, so that the folders would not be all.
    async fn region_folders(
        &self,
        selection: &Arc<Selection>,
    ) -> Result<RegionFolders, SourceError> {
        let _ = selection;
        Ok(RegionFolders::default())
    }

    /// Returns the first step of a listing of one of the [`Source::region_folders`] of this source.
    ///
    /// Taken depth first and without `wants_more`, the steps find objects in ascending order of their
    /// day folders. They find those of the days from `selection.from` to `selection.to`, whatever days
    /// of events are selected. Objects that are in no day folder of the region are not found, and
    /// counted as filtered out: no digest names them.
    fn listing_of(&self, folder: &RegionFolder, selection: &Arc<Selection>) -> Box<dyn Step> {
        let _ = selection;
        unreachable!("a source without region folders is asked to list `{}`", folder.uri)
    }
}

/// A fetched object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// All stored bytes.
    pub bytes: Bytes,
    /// What the source keeps beside the bytes, such as the signature of a digest file. S3:
    /// user-defined metadata, with keys in lower case and without `x-amz-meta-`. Empty for a local
    /// file.
    pub metadata: BTreeMap<String, String>,
}

/// One step of a listing: one request to S3, or one page of a folder.
///
/// A step returns the steps that follow it. Steps are independent of each other, so that several
/// can run at once. Taken depth first, the number of pending steps is bounded by the width of the
/// tree, not by the number of objects.
#[async_trait]
pub trait Step: Send + std::fmt::Debug {
    /// Takes the step. With `wants_more`, the rest is split into several steps if possible.
    ///
    /// # Errors
    /// The listing cannot continue. What was found before stays valid.
    async fn take(self: Box<Self>, wants_more: bool) -> Result<Found, SourceError>;
}

/// What one step of a listing found.
#[derive(Debug, Default)]
pub struct Found {
    /// Objects, at most 1,000.
    pub objects: Vec<ObjectRef>,
    /// The steps that follow, in the order of the listing.
    pub steps: Vec<Box<dyn Step>>,
    /// The number of requests sent.
    pub requests: u64,
    /// Folders that were not listed because they hold no logs.
    pub without_logs: FolderCounts,
    /// Folders and objects that are not selected.
    pub filtered_out: u64,
    /// Files that the program itself uses, such as its database.
    pub own_files: u64,
    /// Links on disk that lead out of the folder and were not followed.
    pub links_not_followed: u64,
    /// Selected folders that could not be listed.
    pub unreadable: Vec<UnreadableFolder>,
}

/// The most names that [`FolderCounts`] keeps.
pub const FOLDER_NAMES_MAX: usize = 1_000;

/// How many folders there are of each name. Names come from outside, so only some are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FolderCounts {
    /// The first [`FOLDER_NAMES_MAX`] names, and how many folders have each.
    pub names: BTreeMap<String, u64>,
    /// Folders with other names.
    pub others: u64,
}

impl FolderCounts {
    /// Counts `folders` more of this name.
    pub fn add(&mut self, name: &str, folders: u64) {
        if let Some(count) = self.names.get_mut(name) {
            *count += folders;
        } else if self.names.len() < FOLDER_NAMES_MAX {
            self.names.insert(name.to_owned(), folders);
        } else {
            self.others += folders;
        }
    }

    /// Counts all folders of `other`, too.
    pub fn merge(&mut self, other: &Self) {
        other.names.iter().for_each(|(name, folders)| self.add(name, *folders));
        self.others += other.others;
    }
}

/// A folder that could not be listed: what is below it is unknown.
///
/// It is not an object, so it has no line in the ledger, and the next run asks again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnreadableFolder {
    /// Where it is.
    pub uri: String,
    /// Why it could not be listed.
    pub reason: String,
}

/// Whether the process or the system has too many open files. No single object is to blame.
fn is_out_of_files(error: &io::Error) -> bool {
    // POSIX `ENFILE` and `EMFILE`; 23 and 24 on Linux, macOS and the BSDs.
    matches!(error.raw_os_error(), Some(23 | 24))
}

impl Found {
    /// Drops the objects that are not selected, and counts them.
    fn keep_selected(&mut self, selection: &Selection) {
        let found = self.objects.len();
        if !selection.is_all() {
            self.objects.retain(|object| selection.has(&object.location.uri()));
        }
        self.filtered_out += (found - self.objects.len()) as u64;
    }
}

/// The error of the layer below.
pub type Cause = Box<dyn Error + Send + Sync>;

/// Why objects could not be listed, or why one object could not be fetched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// A file or folder that the user named cannot be opened, or not all of a folder can be listed.
    #[error("cannot open `{}`", .path.display())]
    Path {
        /// The file or folder.
        path: PathBuf,
        /// The error of the operating system.
        #[source]
        cause: io::Error,
    },
    /// Standard input cannot be read, or not be copied into a temporary file.
    #[error("cannot copy standard input into a temporary file")]
    Stdin {
        /// The error of the operating system.
        #[source]
        cause: io::Error,
    },
    /// Standard input has more bytes than an object may have.
    #[error("standard input has more than {bytes_max} bytes")]
    StdinTooLarge {
        /// The limit.
        bytes_max: u64,
    },
    /// The process has as many open files as it may have.
    #[error("too many open files to read `{place}`")]
    OpenFiles {
        /// The file, folder or S3 object.
        place: String,
        /// The error of the operating system.
        #[source]
        cause: Cause,
    },
    /// No AWS credentials were found.
    #[error("cannot get AWS credentials")]
    Credentials {
        /// The profile of `--profile`.
        profile: Option<String>,
        /// The error of the credential providers.
        #[source]
        cause: Cause,
    },
    /// The AWS credentials have expired.
    #[error("the AWS credentials have expired")]
    Expired {
        /// The answer of S3.
        #[source]
        cause: Cause,
    },
    /// S3 does not accept the credentials, at least not in this region.
    #[error("S3 refused the AWS credentials for `{uri}`")]
    Refused {
        /// The bucket, prefix or object that was requested.
        uri: String,
        /// The answer of S3.
        #[source]
        cause: Cause,
    },
    /// The bucket does not exist.
    #[error("there is no bucket `{bucket}`")]
    NoBucket {
        /// Its name.
        bucket: String,
        /// The answer of S3.
        #[source]
        cause: Cause,
    },
    /// The bucket is in another region, which S3 did not name.
    #[error("the bucket `{bucket}` is not in region `{region}`")]
    WrongRegion {
        /// Its name.
        bucket: String,
        /// The region that the request was sent to.
        region: String,
        /// The answer of S3.
        #[source]
        cause: Cause,
    },
    /// The credentials do not allow this listing.
    #[error("cannot list `{uri}`")]
    ListDenied {
        /// The prefix.
        uri: String,
        /// The missing permissions.
        grant: Grant,
        /// The answer of S3.
        #[source]
        cause: Cause,
    },
    /// The listing failed for another reason, after all retries.
    #[error("cannot list all of `{uri}`")]
    List {
        /// The prefix.
        uri: String,
        /// The last error.
        #[source]
        cause: Cause,
    },
    /// There is neither an object with this key nor a key that begins with it.
    #[error("there is nothing at `{uri}`")]
    NotFound {
        /// The address that the user named.
        uri: String,
    },
    /// No answer from S3, after all retries.
    #[error("cannot reach S3 at {place}")]
    Unreachable {
        /// The endpoint or region.
        place: String,
        /// The last error.
        #[source]
        cause: Cause,
    },

    /// The credentials do not allow reading this object, or the key it is encrypted with.
    #[error("cannot read `{uri}`")]
    Denied {
        /// The object.
        uri: String,
        /// The missing permissions.
        grant: Grant,
        /// The answer of S3.
        #[source]
        cause: Cause,
    },
    /// Every object so far was denied.
    #[error("{objects} objects were denied, and none could be read")]
    AllDenied {
        /// How many were requested.
        objects: u64,
        /// The error of the last one.
        #[source]
        cause: Box<SourceError>,
    },
    /// The object was deleted after it was listed.
    #[error("`{uri}` no longer exists")]
    Missing {
        /// The object.
        uri: String,
        /// The error of the source.
        #[source]
        cause: Cause,
    },
    /// The object was replaced after it was listed. A new listing shows the new one.
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
        /// The answer of S3.
        #[source]
        cause: Cause,
    },
    /// No attempt received all bytes of the object.
    #[error("cannot read all of `{uri}` in {attempts} attempts")]
    Broken {
        /// The object.
        uri: String,
        /// How often the body was requested.
        attempts: u32,
        /// The last error.
        #[source]
        cause: Cause,
    },
    /// The object cannot be read for another reason, after all retries.
    #[error("cannot read `{uri}`")]
    Fetch {
        /// The object.
        uri: String,
        /// The last error.
        #[source]
        cause: Cause,
    },
}

/// The IAM permissions that are missing, and on which resources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The resource that `s3:ListBucket` is needed on.
    pub bucket_arn: String,
    /// The resource that `s3:GetObject` is needed on.
    pub objects_arn: String,
    /// Whether requests were sent without credentials.
    pub is_anonymous: bool,
}

impl SourceError {
    /// Whether nothing more can be read from the source. Otherwise only one object is left out.
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::Path { .. }
            | Self::Stdin { .. }
            | Self::StdinTooLarge { .. }
            | Self::OpenFiles { .. }
            | Self::Credentials { .. }
            | Self::Expired { .. }
            | Self::Refused { .. }
            | Self::NoBucket { .. }
            | Self::WrongRegion { .. }
            | Self::ListDenied { .. }
            | Self::List { .. }
            | Self::NotFound { .. }
            | Self::Unreachable { .. }
            | Self::AllDenied { .. } => true,
            Self::Denied { .. }
            | Self::Missing { .. }
            | Self::Changed { .. }
            | Self::Archived { .. }
            | Self::Broken { .. }
            | Self::Fetch { .. } => false,
        }
    }

    /// Returns what the user can do about the error.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Path { cause, .. } if cause.kind() == io::ErrorKind::NotFound => {
                "check the spelling; S3 addresses start with `s3://`".into()
            }
            Self::Stdin { .. } => {
                "the file is in the folder that `TMPDIR` names, or in /tmp".into()
            }
            Self::StdinTooLarge { .. } => {
                "it is one object: raise `--max-object-size`, or import files, which may be many"
                    .into()
            }
            Self::OpenFiles { .. } => {
                "raise the limit with `ulimit -n 4096` in this shell, or set \
                 fewer `--fetchers`; then run the same command: loaded objects are kept"
                    .into()
            }
            Self::Credentials { profile: Some(profile), .. } => format!(
                "sign in with `aws sso login --profile {profile}`, or set another `--profile`; \
                 public buckets need `--no-sign-request`"
            ),
            Self::Credentials { profile: None, .. } => {
                "sign in with `aws sso login` or `aws configure`, \
                 or set `--profile`; public buckets need `--no-sign-request`"
                    .into()
            }
            Self::Expired { .. } => {
                "sign in again and run the same command: loaded objects are kept".into()
            }
            Self::Refused { .. } => "check the keys or `--profile`, the clock, and `--region`: \
                 the GovCloud and China regions and other S3 servers accept only their own keys"
                .into(),
            Self::NoBucket { .. } => {
                "check the spelling, and set `--endpoint-url` if the bucket is not on AWS".into()
            }
            Self::NotFound { .. } => "check the spelling; keys are case-sensitive".into(),
            Self::WrongRegion { .. } => "set its region with `--region`".into(),
            Self::ListDenied { grant, .. } if grant.is_anonymous => {
                "the bucket is not public: leave out `--no-sign-request`".into()
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
            Self::AllDenied { cause, .. } => return cause.hint(),
            Self::Unreachable { .. } => "check the network, `--region` and `--endpoint-url`, \
                 then run the same command: loaded objects are kept"
                .into(),
            Self::Missing { .. } | Self::Changed { .. } | Self::Broken { .. } => {
                "run the same command again: it lists the objects anew".into()
            }
            Self::Archived { .. } => {
                "restore it with `aws s3api restore-object`, then run the same command again".into()
            }
            Self::Path { .. } | Self::List { .. } | Self::Fetch { .. } => return None,
        };
        Some(hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_many_names_of_folders_are_kept_and_all_folders_are_counted() {
        let mut counts = FolderCounts::default();
        for n in 0..=FOLDER_NAMES_MAX {
            counts.add(&n.to_string(), 1);
        }
        counts.add("0", 1);
        let mut all = counts.clone();
        all.merge(&counts);
        assert_eq!((counts.names.len(), counts.others), (FOLDER_NAMES_MAX, 1));
        assert_eq!((all.names.len(), all.others, all.names["0"]), (FOLDER_NAMES_MAX, 2, 4));
    }
}
