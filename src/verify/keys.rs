//! Where public keys come from: files, or CloudTrail itself.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use thiserror::Error;

use crate::source::public_keys::{KeyService, KeyServiceError};
use crate::trail::integrity::public_keys::{KeyFileError, KeyRing};
use crate::trail::time::EventTime;

/// CloudTrail signs digests until this long after their end (AWS CLI, `validate-logs`).
const SIGNED_WITHIN_S: i64 = 2 * 3_600;

/// A digest of a backfill names when it was signed; the key was valid at most this long before or after.
const BACKFILL_SLACK_S: i64 = 3_600;

/// Public keys.
#[derive(Debug, Clone)]
pub enum Keys {
    /// Those of files. Nothing else is asked.
    Files(Arc<KeyRing>),
    /// `ListPublicKeys`, in the region of each digest.
    Service(Arc<KeyService>),
}

/// Why there are no keys.
#[derive(Debug, Error)]
pub enum KeyError {
    /// A file of keys cannot be opened.
    #[error("cannot read the public keys in `{}`", .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        #[source]
        cause: std::io::Error,
    },
    /// A file has no keys.
    #[error("cannot use the public keys in `{}`", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        cause: KeyFileError,
    },
    /// CloudTrail does not answer.
    #[error(transparent)]
    Service(#[from] KeyServiceError),
}

impl KeyError {
    /// Returns what the user can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Open { .. } => None,
            Self::File { .. } => Some(
                "write it with `aws cloudtrail list-public-keys --region REGION --start-time TIME \
                 --end-time TIME`"
                    .into(),
            ),
            Self::Service(error) => Some(error.hint()),
        }
    }
}

impl Keys {
    /// Reads the keys of files.
    ///
    /// # Errors
    /// The first file that has none.
    pub fn of_files(paths: &[PathBuf]) -> Result<Self, KeyError> {
        let mut ring = KeyRing::default();
        for path in paths {
            let file = std::fs::read(path);
            let file = file.map_err(|cause| KeyError::Open { path: path.clone(), cause })?;
            let keys = KeyRing::parse(&file);
            ring.merge(keys.map_err(|cause| KeyError::File { path: path.clone(), cause })?);
        }
        for key in ring.keys().filter(|key| key.is_fingerprint_unusual) {
            tracing::warn!("the fingerprint {} is not the MD5 of its key", key.fingerprint);
        }
        Ok(Self::Files(Arc::new(ring)))
    }
}

/// A key that a digest names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NamedKey {
    pub(super) fingerprint: String,
    /// The time that the digest covers.
    pub(super) span: (EventTime, EventTime),
    /// When it was signed, if it says so: in a backfill.
    pub(super) signed: Option<EventTime>,
}

/// The keys of one region, which are asked for when a digest names one that is not known.
#[derive(Debug)]
pub(super) struct RegionKeys {
    keys: Keys,
    region: String,
    ring: Arc<KeyRing>,
    /// What was asked for and is not known to CloudTrail, either.
    unknown: HashSet<String>,
}

impl RegionKeys {
    pub(super) fn new(keys: &Keys, region: &str) -> Self {
        let ring = match keys {
            Keys::Files(ring) => Arc::clone(ring),
            Keys::Service(_) => Arc::default(),
        };
        Self { keys: keys.clone(), region: region.to_owned(), ring, unknown: HashSet::new() }
    }

    pub(super) fn ring(&self) -> Arc<KeyRing> {
        Arc::clone(&self.ring)
    }

    /// Fetches the keys that are not known. Returns whether there are new ones.
    pub(super) async fn fetch(&mut self, named: &[NamedKey]) -> Result<bool, KeyError> {
        let Keys::Service(service) = &self.keys else { return Ok(false) };
        let before = self.ring.len();
        for key in named {
            if self.ring.get(&key.fingerprint).is_some() || self.unknown.contains(&key.fingerprint)
            {
                continue;
            }
            let (from, until) = key.window();
            let fetched = service.public_keys(&self.region, from, until).await?;
            let mut ring = (*self.ring).clone();
            ring.merge(fetched);
            self.ring = Arc::new(ring);
            if self.ring.get(&key.fingerprint).is_none() {
                self.unknown.insert(key.fingerprint.clone());
            }
        }
        Ok(self.ring.len() > before)
    }
}

impl NamedKey {
    /// Returns the time in which its key was valid.
    fn window(&self) -> (Timestamp, Timestamp) {
        let later = |time: EventTime, seconds: i64| {
            Timestamp::from_second(time.unix_s() + seconds).unwrap_or_default()
        };
        match self.signed {
            Some(signed) => (later(signed, -BACKFILL_SLACK_S), later(signed, BACKFILL_SLACK_S)),
            None => (later(self.span.0, 0), later(self.span.1, SIGNED_WITHIN_S)),
        }
    }
}
