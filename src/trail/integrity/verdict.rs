//! What the judge is told, and what it states: plain data.
//!
//! Times are those of delivery, not of events. A *path* is the part of a key, path or URI from
//! `AWSLogs/` on, by which digests and log files are recognised wherever the tree lies.

use jiff::civil::Date;
use sha2::{Digest as _, Sha256};

use super::digest::ReadDigest;
use super::hash::{ContentHash, decode_hex, encode_hex};
use super::key::{Chain, DigestName};
use crate::trail::object::Location;
use crate::trail::time::EventTime;

mod counts;

pub use counts::{DigestCounts, FileCounts, Totals, UnnamedCounts};

// What the judge is told.

/// Everything of one day folder of one account and region.
#[derive(Debug, Clone)]
pub struct Day {
    /// The day folder.
    pub day: Date,
    /// The digests that the source has, of all trails.
    pub digests: Vec<FoundDigest>,
    /// The digests of this source that earlier verifications stored.
    pub remembered: Vec<RememberedDigest>,
    /// The log files of this source that the ledger has, of all families.
    pub ledger: Vec<LedgerFile>,
    /// The URIs of the log files that the source has, of all families.
    pub source: Vec<String>,
}

impl Day {
    /// Returns a day without anything.
    pub fn empty(day: Date) -> Self {
        let (digests, remembered, ledger, source) = (vec![], vec![], vec![], vec![]);
        Self { day, digests, remembered, ledger, source }
    }
}

/// A file in a folder of digests.
#[derive(Debug, Clone)]
pub struct FoundDigest {
    /// Where it is.
    pub location: Location,
    /// What is in it.
    pub content: FoundContent,
    /// The metadata [`SIGNATURE_METADATA`](super::signature::SIGNATURE_METADATA) of the object. A local
    /// file has none.
    pub signature: Option<String>,
}

/// What is in a digest that was found.
#[derive(Debug, Clone)]
pub enum FoundContent {
    /// It was read.
    Read(Box<ReadDigest>),
    /// It could not be read, for this reason: not fetched, not decoded, not parsed.
    Unreadable(String),
    /// It was not fetched, because [`Judge::skippable`](super::judge::Judge::skippable) named it.
    Skipped,
}

/// A digest that an earlier verification judged and stored: a [`DigestVerdict`] as the database has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RememberedDigest {
    /// Its URI at that time.
    pub uri: String,
    /// Whether it was proven.
    pub is_proven: bool,
    /// When the time that it covers starts.
    pub start: Option<EventTime>,
    /// The hash of its content.
    pub sha256: Option<ContentHash>,
    /// The signature that verified it, in hexadecimal digits.
    pub signature: Option<String>,
    /// The bucket and key of the digest before it.
    pub previous: Option<(String, String)>,
    /// The proofs of its files if all were proven; otherwise empty.
    pub proofs: Vec<FileProof>,
    /// Whether all of its files were proven, possibly none.
    pub is_all_proven: bool,
    /// Whether its proven successor named another content or signature: see [`DigestNote::Replaced`].
    pub is_replaced: bool,
}

/// A log file in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerFile {
    /// Its URI.
    pub uri: String,
    /// What became of it.
    pub outcome: LedgerOutcome,
}

/// What became of a log file in the import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LedgerOutcome {
    /// It was loaded. The hash is that of the content that was loaded, if it was taken.
    Loaded(Option<ContentHash>),
    /// It could not be loaded, for this reason.
    Failed(String),
    /// It is not a log file, for this reason.
    Skipped(String),
}

// What the judge states.

/// The verdict on one day folder of one account and region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JudgedDay {
    /// The line of the report.
    pub coverage: Coverage,
    /// All digests that were found, in the order of their URIs.
    pub digests: Vec<DigestVerdict>,
    /// The URIs of the digests that earlier verifications stored and the source no longer has.
    pub deleted: Vec<String>,
    /// The holes that end in this day.
    pub holes: Vec<Hole>,
    /// The log files that are not proven, in the order of their URIs.
    pub files: Vec<FileFinding>,
}

/// What was judged in one day of an account and region, in numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coverage {
    /// The account.
    pub account: String,
    /// The region.
    pub region: String,
    /// The day folder.
    pub day: Date,
    /// The seconds of the day between the first and the last digest or log file of the region.
    pub seconds: u32,
    /// The seconds of the day that proven digests cover.
    pub proven_seconds: u32,
    /// The digests of this day folder.
    pub digests: DigestCounts,
    /// The log files of this day folder that proven digests name.
    pub files: FileCounts,
    /// The loaded log files of this day folder that no proven digest names.
    pub unnamed: UnnamedCounts,
}

/// The verdict on a digest that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestVerdict {
    /// Where it was found.
    pub uri: String,
    /// Its name, taken apart; `None` if it is not that of a digest.
    pub name: Option<DigestName>,
    /// What it is.
    pub state: DigestState,
    /// What else is to be said of it.
    pub notes: Vec<DigestNote>,
    /// When the time that it covers starts, if it was read.
    pub start: Option<EventTime>,
    /// The hash of its content, if it was read.
    pub sha256: Option<ContentHash>,
    /// The signature that verified it, in hexadecimal digits.
    pub signature: Option<String>,
    /// The bucket and key of the digest before it.
    pub previous: Option<(String, String)>,
    /// The log files that it names, of all days, if it is proven.
    pub files: FileCounts,
    /// The proofs of its files if all are proven; otherwise empty.
    pub proofs: Vec<FileProof>,
}

impl DigestVerdict {
    /// Returns what a later verification is to be told of it.
    pub fn remember(&self) -> RememberedDigest {
        RememberedDigest {
            uri: self.uri.clone(),
            is_proven: matches!(self.state, DigestState::Proven(_)),
            start: self.start,
            sha256: self.sha256,
            signature: self.signature.clone(),
            previous: self.previous.clone(),
            proofs: self.proofs.clone(),
            is_all_proven: self.files.named == self.files.proven,
            is_replaced: self.replaced_by().is_some(),
        }
    }

    /// Returns the URI of its proven successor that names another content or signature.
    pub fn replaced_by(&self) -> Option<&str> {
        self.notes.iter().find_map(|note| match note {
            DigestNote::Replaced { successor } => Some(&**successor),
            _ => None,
        })
    }

    /// Returns whether it is to be reported.
    pub fn is_finding(&self) -> bool {
        let is_finding = |note: &DigestNote| !matches!(note, DigestNote::Moved { .. });
        !matches!(self.state, DigestState::Proven(_)) || self.notes.iter().any(is_finding)
    }
}

/// What a digest is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DigestState {
    /// A signature verifies with a listed key.
    Proven(ProvenBy),
    /// There is no signature to verify: it has no metadata, and no later digest has a copy.
    NoSignature,
    /// The key with this fingerprint is not among those listed.
    UnknownKey(String),
    /// Its own signature does not verify.
    WrongSignature,
    /// The copy of its signature in its proven successor, with this URI, does not verify.
    WrongCopy(String),
    /// It was delivered as this key, and lies in another place.
    Replayed(String),
    /// It could not be read, for this reason.
    Unreadable(String),
}

impl DigestState {
    /// Returns the word by which databases and machines know it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Proven(_) => "proven",
            Self::NoSignature => "no_signature",
            Self::UnknownKey(_) => "unknown_key",
            Self::WrongSignature => "wrong_signature",
            Self::WrongCopy(_) => "wrong_copy",
            Self::Replayed(_) => "replayed",
            Self::Unreadable(_) => "unreadable",
        }
    }
}

/// Which signature proves a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProvenBy {
    /// The one in the object's metadata.
    Metadata,
    /// The copy in the next digest.
    Successor,
    /// The one that an earlier verification stored.
    Database,
}

impl ProvenBy {
    /// Returns the word by which databases and machines know it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Metadata => "metadata",
            Self::Successor => "successor",
            Self::Database => "database",
        }
    }
}

/// What else is to be said of a digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DigestNote {
    /// Its proven successor, with this URI, names another hash or signature.
    Replaced {
        /// The successor.
        successor: String,
    },
    /// An earlier verification proved another content of the same name.
    ReplacedSince,
    /// It was delivered to another bucket or prefix. No finding.
    Moved {
        /// The URI of the delivery.
        from: String,
    },
    /// It was skipped, and the database no longer has this many of the files that it proved.
    FilesMissing {
        /// How many.
        files: u64,
    },
}

/// A time in which log files cannot be proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hole {
    /// Why.
    pub kind: HoleKind,
    /// The chain that has the hole; `None` if there is no digest.
    pub chain: Option<Chain>,
    /// When it starts; `None` if no digest and no log file says.
    pub from: Option<EventTime>,
    /// When it ends.
    pub to: EventTime,
    /// The URI of the proven digest after it, which says so.
    pub digest: Option<String>,
    /// The loaded log files of that time that no digest names. If there are none, logging may have been
    /// stopped.
    pub files: u64,
}

/// Why there is a hole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HoleKind {
    /// A digest that a proven one names, with this bucket and key, is not there. Nothing is proven back
    /// to the next older one.
    Missing(String, String),
    /// A chain starts after another ended: validation or logging was off.
    Off,
    /// The oldest digest names one before it, with this bucket and key; or, with `None`, the chain
    /// starts there and log files lie before it.
    Begin(Option<(String, String)>),
    /// Log files, or the end of the verified time, lie behind the last proven digest by more than
    /// [`DIGEST_DELAY_MAX_S`](super::judge::DIGEST_DELAY_MAX_S).
    End,
    /// The chain continues in another bucket, with this bucket and key.
    Elsewhere(String, String),
    /// Log files are loaded, and there is no digest at all.
    NoDigest,
}

impl HoleKind {
    /// Returns the word by which machines know it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Missing(..) => "missing",
            Self::Off => "off",
            Self::Begin(_) => "begin",
            Self::End => "end",
            Self::Elsewhere(..) => "elsewhere",
            Self::NoDigest => "no_digest",
        }
    }
}

/// A log file that is not proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileFinding {
    /// Where it is: in the ledger, in the source, or where the digest says.
    pub uri: String,
    /// What it is.
    pub state: FileState,
    /// The URI of the digest that names it; `None` if no proven digest does.
    pub digest: Option<String>,
}

/// What a log file is that is not proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileState {
    /// The content that was loaded is not the one that the digest names.
    Changed {
        /// The hash of the content that was loaded.
        loaded: ContentHash,
        /// The hash that the digest names.
        named: ContentHash,
    },
    /// The import failed on it or skipped it, for this reason.
    NotLoaded(String),
    /// The source has it, the ledger does not.
    NotImported,
    /// Neither the source nor the ledger has it.
    Gone,
    /// It was loaded, and the content's hash was not taken.
    NotHashed,
    /// A digest names it more than a day late, when its day was judged already. Counted as not hashed.
    NamedLate,
    /// It is loaded, and no proven digest covers its time.
    Unproven,
    /// It is loaded, its time is proven, and no digest names it: it is forged, or of another trail
    /// without validation.
    Unexpected,
}

impl FileState {
    /// Returns the word by which machines know it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Changed { .. } => "changed",
            Self::NotLoaded(_) => "not_loaded",
            Self::NotImported => "not_imported",
            Self::Gone => "gone",
            Self::NotHashed => "not_hashed",
            Self::NamedLate => "named_late",
            Self::Unproven => "unproven",
            Self::Unexpected => "unexpected",
        }
    }
}

/// What remains to be said after the last day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conclusion {
    /// The last day.
    pub day: Option<JudgedDay>,
    /// The holes after the last digest, and those that end after the days that are judged.
    pub holes: Vec<Hole>,
    /// The sums over all days.
    pub totals: Totals,
}

/// Stands for a log file with a content: the first 16 bytes of a hash of its path and of its content's
/// hash.
///
/// A digest whose files are all proven is stored with these, so that a later verification recognises
/// the files without fetching the digest again. To find another file with a given proof takes some 2^128
/// attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileProof(pub [u8; 16]);

impl FileProof {
    /// Returns the proof of a file with this path and content. A final `.gz` of the path does not count.
    pub fn of(path: &str, sha256: ContentHash) -> Self {
        let path = path.strip_suffix(".gz").unwrap_or(path);
        let hash = Sha256::new().chain_update(sha256.0).chain_update(path).finalize();
        let mut proof = [0; 16];
        proof.copy_from_slice(&hash[..16]);
        Self(proof)
    }

    /// Returns proofs in hexadecimal digits, one after another.
    pub fn write_all(proofs: &[Self]) -> String {
        proofs.iter().map(|proof| encode_hex(&proof.0)).collect()
    }

    /// Reads what [`FileProof::write_all`] wrote. What has another form is no proof.
    pub fn parse_all(text: &str) -> Vec<Self> {
        let bytes = decode_hex(text).unwrap_or_default();
        let (proofs, _rest) = bytes.as_chunks::<16>();
        proofs.iter().map(|proof| Self(*proof)).collect()
    }
}
