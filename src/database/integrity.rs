//! What a verification reads from the database and stores in it.

use crate::trail::integrity::hash::ContentHash;
use crate::trail::integrity::verdict::{
    Coverage, DigestVerdict, JudgedDay, LedgerFile, RememberedDigest,
};
use crate::trail::object::ObjectId;

/// A log file of the ledger, with what is needed to hash its content later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerObject {
    /// Its key in the ledger.
    pub id: ObjectId,
    /// The SHA-256 of its stored bytes when it was loaded, in hexadecimal.
    pub stored_sha256: String,
    /// What a verification judges.
    pub file: LedgerFile,
}

/// The hash of a content that was loaded without it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewContentHash {
    /// The object's key in the ledger.
    pub id: ObjectId,
    /// The SHA-256 of the stored bytes that were hashed, in hexadecimal: the hash is stored only if these
    /// are the bytes that were loaded.
    pub stored_sha256: String,
    /// The hash.
    pub content: ContentHash,
}

/// What a page of names lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// The objects of the ledger.
    Objects,
    /// The digests of earlier verifications.
    Digests,
}

/// The most names that one page has.
pub const NAMES_MAX: usize = 10_000;

/// The verdict on a day as it is stored.
#[derive(Debug)]
pub struct StoredDay<'j> {
    /// The URI of the account's folder.
    pub account_folder: String,
    /// What names the day: the URI of a folder that need not exist.
    pub folder: String,
    /// When it was judged.
    pub verified_at: jiff::Timestamp,
    pub(crate) coverage: &'j Coverage,
    pub(crate) digests: Vec<&'j DigestVerdict>,
    /// The URIs of the digests that the source no longer has.
    pub(crate) deleted: &'j [String],
}

impl<'j> StoredDay<'j> {
    /// Returns what is stored of the verdict on a day of the account with this folder.
    ///
    /// A digest that was proven before, and is not proven now or has another content, keeps its line: what
    /// was proven once must not be forgotten.
    pub fn of(
        account_folder: &str,
        judged: &'j JudgedDay,
        remembered: &[RememberedDigest],
    ) -> Self {
        let is_kept = |verdict: &DigestVerdict| {
            let before = remembered.iter().find(|it| it.uri == verdict.uri && it.is_proven);
            before.is_some_and(|before| {
                !verdict.remember().is_proven || before.sha256 != verdict.sha256
            })
        };
        let Coverage { region, day, .. } = &judged.coverage;
        Self {
            account_folder: account_folder.to_owned(),
            folder: format!("{account_folder}{region}/{day}"),
            verified_at: jiff::Timestamp::now(),
            coverage: &judged.coverage,
            digests: judged.digests.iter().filter(|it| !is_kept(it)).collect(),
            deleted: &judged.deleted,
        }
    }
}

/// Returns the key of what has this URI.
pub(super) fn name_of(uri: &str) -> ObjectId {
    ObjectId::of_name(uri.as_bytes())
}
