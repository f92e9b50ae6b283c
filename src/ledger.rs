//! Triage: what the ledger says of an object, and what follows for this run.
//!
//! Pure: the sink reads the lines, this file only judges. An object is known by its
//! [`ObjectId`](crate::object::ObjectId); its version tells whether it is still the one that was
//! loaded.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use crate::object::ObjectRef;
use crate::record::Kind;

/// What became of an object, as the ledger keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Its rows and rejects are in.
    Loaded,
    /// It is no log file.
    Skipped(Kind),
    /// Nothing of it is in.
    Failed,
}

impl Outcome {
    /// Returns the word that the ledger's `outcome` column holds.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Loaded => "loaded",
            Self::Skipped(_) => "skipped",
            Self::Failed => "failed",
        }
    }
}

/// What triage needs of one line of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What became of the object.
    pub outcome: Outcome,
    /// Its version then.
    pub version: String,
    /// The digest of its stored bytes then; empty if they were never read.
    pub digest: String,
    /// The run that wrote the line.
    pub run_id: i64,
    /// The batch of that run.
    pub batch_id: i64,
}

/// What to do with a listed object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The ledger does not know it: load it.
    New,
    /// It failed, or was skipped and is different now: load it and replace its line.
    Again,
    /// It is in.
    AlreadyLoaded,
    /// It was no log file, and is unchanged.
    AlreadySkipped(Kind),
    /// It was loaded, and its version is different now: compare its digest with this one.
    MaybeChanged {
        /// The digest of the bytes that were loaded.
        digest: String,
    },
}

/// Judges a listed object by its line, if there is one.
pub fn judge(object: &ObjectRef, line: Option<&Line>) -> Verdict {
    let Some(line) = line else { return Verdict::New };
    let is_same = line.version == object.version;
    match &line.outcome {
        Outcome::Loaded if is_same => Verdict::AlreadyLoaded,
        Outcome::Loaded => Verdict::MaybeChanged { digest: line.digest.clone() },
        Outcome::Skipped(kind) if is_same => Verdict::AlreadySkipped(*kind),
        Outcome::Skipped(_) | Outcome::Failed => Verdict::Again,
    }
}

/// Returns the digest of an object's stored bytes: SHA-256 in 64 hexadecimal digits.
pub fn digest(stored: &[u8]) -> String {
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(stored) {
        write!(hex, "{byte:02x}").expect("writing to a String cannot fail");
    }
    hex
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Location;

    fn object(version: &str) -> ObjectRef {
        let location = Location::S3 { bucket: "b".into(), key: "k".into() };
        ObjectRef { location, size_bytes: 1, version: version.into(), is_named: false }
    }

    fn line(outcome: Outcome) -> Line {
        let (version, digest) = ("v1".into(), "d1".into());
        Line { outcome, version, digest, run_id: 1, batch_id: 1 }
    }

    #[test]
    fn a_known_object_is_judged_by_outcome_and_version() {
        let skipped = Outcome::Skipped(Kind::Digest);
        let changed = Verdict::MaybeChanged { digest: "d1".into() };
        for (version, line, expected) in [
            ("v1", None, Verdict::New),
            ("v1", Some(line(Outcome::Loaded)), Verdict::AlreadyLoaded),
            ("v2", Some(line(Outcome::Loaded)), changed),
            ("v1", Some(line(skipped.clone())), Verdict::AlreadySkipped(Kind::Digest)),
            ("v2", Some(line(skipped)), Verdict::Again),
            ("v1", Some(line(Outcome::Failed)), Verdict::Again),
            ("v2", Some(line(Outcome::Failed)), Verdict::Again),
        ] {
            assert_eq!(judge(&object(version), line.as_ref()), expected);
        }
    }

    #[test]
    fn a_digest_is_sha256_in_hexadecimal() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(digest(b""), empty);
    }
}
