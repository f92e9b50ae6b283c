//! An object: one log file, an S3 object or a local file.
//!
//! The ledger identifies it by its [`ObjectId`]; its version shows whether it may have changed.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};

/// Where an object is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Location {
    /// An S3 object on AWS, where a bucket's name is unique.
    S3 {
        /// Bucket name.
        bucket: String,
        /// Key, as S3 gives it: case-sensitive UTF-8 of up to 1,024 bytes.
        key: String,
    },
    /// An object on another server with the S3 protocol. Two servers may have buckets of one name.
    OtherS3 {
        /// The server's `http://` or `https://` URL, without a slash at its end.
        endpoint: String,
        /// Bucket name.
        bucket: String,
        /// Key.
        key: String,
    },
    /// A local file, by its absolute path.
    File(PathBuf),
    /// What standard input had.
    Stdin {
        /// The SHA-256 of its bytes, in hexadecimal.
        sha256: String,
    },
}

impl Location {
    /// Returns the name that people read: `s3://bucket/key`, `https://server/bucket/key` for another
    /// S3 server, the path, or `stdin:SHA256`.
    ///
    /// In a path that is not UTF-8, U+FFFD stands for each invalid byte; [`Location::id`] still
    /// distinguishes two such paths.
    pub fn uri(&self) -> String {
        self.to_string()
    }

    /// Returns the object's key in the ledger.
    pub fn id(&self) -> ObjectId {
        let name = match self {
            Self::S3 { .. } | Self::OtherS3 { .. } | Self::Stdin { .. } => {
                Cow::Owned(self.uri().into_bytes())
            }
            Self::File(path) => Cow::Borrowed(path.as_os_str().as_encoded_bytes()),
        };
        ObjectId::of_name(&name)
    }

    /// Returns the key of an S3 object; `None` for anything else.
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::S3 { key, .. } | Self::OtherS3 { key, .. } => Some(key),
            Self::File(_) | Self::Stdin { .. } => None,
        }
    }

    /// Returns the part after the last `/`.
    pub fn file_name(&self) -> String {
        let uri = self.uri();
        uri.rsplit('/').next().unwrap_or_default().to_owned()
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::S3 { bucket, key } => write!(f, "s3://{bucket}/{key}"),
            Self::OtherS3 { endpoint, bucket, key } => write!(f, "{endpoint}/{bucket}/{key}"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Stdin { sha256 } => write!(f, "stdin:{sha256}"),
        }
    }
}

/// How many bytes of an [`ObjectId`] come from the folder.
const FOLDER_HASH_BYTES: usize = 8;

/// The SHA-256 of an object's folder (its first 8 bytes), then of its URI (its first 24 bytes).
///
/// S3 keys are case-sensitive and have up to 1,024 bytes, too many for a MySQL index, so the
/// ledger is keyed by their hash. Objects of one folder are neighbours in it: what is listed and
/// loaded together touches a few pages of the ledger, not one page per object.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId(pub [u8; 32]);

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ObjectId(")?;
        self.0[..6].iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str("…)")
    }
}

impl ObjectId {
    /// Returns the key of what has this URI, or this path.
    pub fn of_name(name: &[u8]) -> Self {
        let folder_bytes = name.iter().rposition(|byte| *byte == b'/').unwrap_or_default();
        let mut id = [0; 32];
        let (folder_hash, name_hash) = id.split_at_mut(FOLDER_HASH_BYTES);
        folder_hash.copy_from_slice(&Sha256::digest(&name[..folder_bytes])[..folder_hash.len()]);
        name_hash.copy_from_slice(&Sha256::digest(name)[..name_hash.len()]);
        Self(id)
    }

    /// Returns the first and the last key that an object in this folder may have. Other folders may have
    /// keys between them. `folder` is a URI or path without a slash at its end.
    pub fn range_of_folder(folder: &str) -> (Self, Self) {
        let mut ends = ([0; 32], [0xff; 32]);
        let hash = Sha256::digest(folder);
        for end in [&mut ends.0, &mut ends.1] {
            end[..FOLDER_HASH_BYTES].copy_from_slice(&hash[..FOLDER_HASH_BYTES]);
        }
        (Self(ends.0), Self(ends.1))
    }

    /// Returns the number that the object gets in the ledger, where rows refer to it: the first 63 bits
    /// of the hash of its URI. If another object has that number, `attempt` counts the further ones.
    pub fn number(self, attempt: u32) -> i64 {
        let first_i64 = |bytes: &[u8]| {
            let of_name = bytes.iter().take(size_of::<i64>());
            of_name.fold(0_i64, |number, byte| number << 8 | i64::from(*byte))
        };
        let number = if attempt == 0 {
            first_i64(&self.0[FOLDER_HASH_BYTES..])
        } else {
            let hash = Sha256::new().chain_update(self.0).chain_update(attempt.to_be_bytes());
            first_i64(&hash.finalize())
        };
        number & i64::MAX
    }

    /// Returns whether the object belongs to `shard`.
    pub fn is_in(self, shard: Shard) -> bool {
        let of_name = self.0[FOLDER_HASH_BYTES..].iter().take(8);
        let number = of_name.fold(0, |number, byte| number << 8 | u64::from(*byte));
        number % shard.count == shard.index - 1
    }
}

/// The part of the work of one of several machines that share a prefix: `K/N`.
///
/// Objects are assigned to shards by a hash of their URI, so the machines need not communicate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shard {
    /// `K`, from 1 to `N`.
    pub index: u64,
    /// `N`, at least 1.
    pub count: u64,
}

impl Shard {
    /// The shard of a single machine: everything.
    pub const WHOLE: Self = Self { index: 1, count: 1 };

    /// Returns the shard that `K/N` names, if K is one of 1 to N.
    pub fn parse(text: &str) -> Option<Self> {
        let (index, count) = text.split_once('/')?;
        let (index, count) = (index.parse().ok()?, count.parse().ok()?);
        (1..=count).contains(&index).then_some(Self { index, count })
    }

    /// Returns whether other machines import the rest.
    pub fn is_part(self) -> bool {
        self.count > 1
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl Serialize for Shard {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// An object as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectRef {
    /// Where it is.
    pub location: Location,
    /// Stored (compressed) size.
    pub size_bytes: u64,
    /// The ETag without quotes, or size and modification time. It changes with the content.
    pub version: String,
    /// Whether the user named this very object, not a folder or prefix above it.
    pub is_named: bool,
}

impl ObjectRef {
    /// Returns whether the file name has an extension that CloudTrail logs usually have, unpacked or
    /// not, or the user named this very object.
    ///
    /// It only decides whether an unreadable file is reported as failed or as skipped. The content
    /// decides what is loaded.
    pub fn claims_to_be_log(&self) -> bool {
        let name = self.location.file_name().to_ascii_lowercase();
        self.is_named
            || [".json", ".gz", ".jsonl", ".ndjson"].iter().any(|ending| name.ends_with(ending))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_keys_that_differ_in_case_have_two_ids() {
        let id = |key: &str| Location::S3 { bucket: "b".into(), key: key.into() }.id();
        assert_ne!(id("AWSLogs/a.json.gz"), id("AWSLogs/A.json.gz"));
    }

    #[test]
    fn one_key_on_two_servers_has_two_ids() {
        let (bucket, key) = ("b".to_owned(), "AWSLogs/a.json.gz".to_owned());
        let other = |endpoint: &str| {
            let (endpoint, bucket, key) = (endpoint.to_owned(), bucket.clone(), key.clone());
            Location::OtherS3 { endpoint, bucket, key }
        };
        let (one, two) = (other("http://127.0.0.1:9000"), other("http://127.0.0.1:9001"));
        let aws = Location::S3 { bucket: bucket.clone(), key: key.clone() };
        assert_eq!(aws.uri(), "s3://b/AWSLogs/a.json.gz");
        assert_eq!(one.uri(), "http://127.0.0.1:9000/b/AWSLogs/a.json.gz");
        let ids = std::collections::BTreeSet::from([aws.id(), one.id(), two.id()]);
        assert_eq!(ids.len(), 3);
    }

    #[cfg(unix)]
    #[test]
    fn two_paths_that_look_alike_have_two_ids() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt;
        let path = |bytes: &[u8]| Location::File(PathBuf::from(OsStr::from_bytes(bytes)));
        let (one, two) = (path(b"/logs/\xff.json"), path(b"/logs/\xfe.json"));
        assert_eq!(one.uri(), two.uri());
        assert_ne!(one.id(), two.id());
    }

    #[test]
    fn every_object_is_in_exactly_one_shard_and_none_is_empty() {
        let mut sizes = [0; 3];
        for n in 0..1_000 {
            let id = Location::S3 { bucket: "b".into(), key: n.to_string() }.id();
            let shards = (1..=3).filter(|&index| id.is_in(Shard { index, count: 3 }));
            let shards: Vec<u64> = shards.collect();
            assert_eq!(shards.len(), 1);
            sizes[usize::try_from(shards[0]).unwrap() - 1] += 1;
            assert!(id.is_in(Shard::WHOLE));
        }
        assert!(sizes.iter().all(|size| *size > 250), "{sizes:?}");
    }

    #[test]
    fn the_keys_of_a_folder_are_in_its_range() {
        let (first, last) = ObjectId::range_of_folder("s3://b/k");
        for key in ["k/a", "k/é"] {
            let id = Location::S3 { bucket: "b".into(), key: key.into() }.id();
            assert!(first <= id && id <= last, "{key}");
        }
        let other = Location::S3 { bucket: "b".into(), key: "k/a/b".into() }.id();
        assert!(other < first || last < other);
        let file = Location::File("/logs/x".into()).id();
        let (first, last) = ObjectId::range_of_folder("/logs");
        assert!(first <= file && file <= last);
    }

    #[test]
    fn a_shard_is_one_of_several() {
        assert_eq!(Shard::parse("2/3"), Some(Shard { index: 2, count: 3 }));
        assert_eq!(Shard::parse("2/3").unwrap().to_string(), "2/3");
        for text in ["", "1", "0/3", "4/3", "1/0", "a/b", "1/2/3", "-1/3", "1/99999999999999999999"]
        {
            assert_eq!(Shard::parse(text), None, "{text}");
        }
        assert!(Shard::parse("1/2").unwrap().is_part() && !Shard::WHOLE.is_part());
    }

    #[test]
    fn the_numbers_of_an_object_are_positive_and_differ() {
        let id = Location::S3 { bucket: "b".into(), key: "k".into() }.id();
        let numbers: std::collections::BTreeSet<i64> = (0..100).map(|it| id.number(it)).collect();
        assert_eq!(numbers.len(), 100);
        assert!(numbers.first() >= Some(&0));
        assert_eq!(id.number(7), id.number(7));
    }

    #[test]
    fn an_id_is_the_hash_of_the_folder_and_of_the_uri() {
        let place = Location::S3 { bucket: "trail".into(), key: "a b/ü.gz".into() };
        let of_folder = Sha256::digest("s3://trail/a b");
        let of_name = Sha256::digest("s3://trail/a b/ü.gz");
        assert_eq!(place.id().0[..], [&of_folder[..8], &of_name[..24]].concat());
    }
}
