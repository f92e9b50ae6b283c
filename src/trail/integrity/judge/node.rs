//! One digest in its chain.

use std::collections::HashMap;

use super::spans::add;
use crate::trail::integrity::digest::{Digest, ReadDigest};
use crate::trail::integrity::hash::ContentHash;
use crate::trail::integrity::key::{DigestName, path_in_trail};
use crate::trail::integrity::public_keys::KeyRing;
use crate::trail::integrity::signature::is_signature_of;
use crate::trail::integrity::verdict::{
    DigestNote, DigestState, DigestVerdict, FileCounts, FileProof, FoundContent, FoundDigest,
    ProvenBy, RememberedDigest,
};
use crate::trail::object::Location;
use crate::trail::time::EventTime;

/// Returns the path that digests and log files are compared by: from `AWSLogs/` on, without a final
/// `.gz`, so that unpacked files are recognised.
pub(super) fn identity(uri: &str) -> &str {
    let path = path_in_trail(uri).unwrap_or(uri);
    path.strip_suffix(".gz").unwrap_or(path)
}

/// A digest that was found.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) uri: String,
    pub(super) path: String,
    /// `None` if the name is not that of a digest; then it has a state and no other part.
    pub(super) name: Option<DigestName>,
    pub(super) body: Body,
    pub(super) state: DigestState,
    pub(super) notes: Vec<DigestNote>,
    /// The signature that verified it.
    pub(super) signature: Option<String>,
    /// How many files it names.
    pub(super) entries: u64,
    /// Those that were judged until now.
    pub(super) files: FileCounts,
    pub(super) proofs: Vec<FileProof>,
    /// Whether its files of earlier days were judged with these days.
    pub(super) is_half_counted: bool,
    remembered: Option<RememberedDigest>,
    /// The signature in the metadata.
    metadata: Option<String>,
    own: Own,
    /// The copy of the signature that was verified last, and whether it is right.
    checked_copy: Option<(String, bool)>,
}

/// What is in a digest.
#[derive(Debug)]
pub(super) enum Body {
    Read(Box<ReadDigest>),
    Unreadable,
    /// With the proofs that no file was found for until now.
    Skipped(Vec<FileProof>),
}

/// The signature in the metadata, or that of an earlier verification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Own {
    /// The key is not known.
    Unchecked,
    Absent,
    Verified(ProvenBy),
    Wrong,
}

/// What a digest says of the one before.
struct Successor {
    uri: String,
    is_proven: bool,
    /// Unless it was skipped.
    says: Option<(ContentHash, String)>,
}

impl Node {
    pub(super) fn new(
        found: FoundDigest,
        remembered: Option<RememberedDigest>,
        keys: &KeyRing,
    ) -> Self {
        let uri = found.location.uri();
        let name = DigestName::of(&uri);
        let mut state = DigestState::NoSignature;
        let body = match found.content {
            _ if name.is_none() => {
                state = DigestState::Unreadable("its name is not that of a digest".to_owned());
                Body::Unreadable
            }
            FoundContent::Read(read) => Body::Read(read),
            FoundContent::Unreadable(reason) => {
                state = DigestState::Unreadable(reason);
                Body::Unreadable
            }
            FoundContent::Skipped => match &remembered {
                Some(it) if it.is_proven => Body::Skipped(it.proofs.clone()),
                _ => {
                    state = DigestState::Unreadable("it was not read".to_owned());
                    Body::Unreadable
                }
            },
        };
        let path = identity(&uri).to_owned();
        let entries = match &body {
            Body::Read(read) => read.digest.files.len(),
            Body::Skipped(proofs) => proofs.len(),
            Body::Unreadable => 0,
        };
        let mut node = Self {
            uri,
            path,
            name,
            body,
            state,
            notes: vec![],
            signature: None,
            entries: entries as u64,
            files: FileCounts::default(),
            proofs: vec![],
            is_half_counted: false,
            remembered,
            metadata: found.signature,
            own: Own::Unchecked,
            checked_copy: None,
        };
        node.check_own(keys);
        node.note_move(&found.location);
        node
    }

    /// Verifies the signature in the metadata, or else the one that an earlier verification stored.
    fn check_own(&mut self, keys: &KeyRing) {
        let Body::Read(read) = &self.body else { return };
        let Some(key) = keys.get(&read.digest.fingerprint) else { return };
        self.own = Own::Absent;
        let metadata = self.metadata.take();
        let stored = self.remembered.as_ref().and_then(|it| it.signature.clone());
        for (signature, source) in [(metadata, ProvenBy::Metadata), (stored, ProvenBy::Database)] {
            let Some(signature) = signature else { continue };
            if is_signature_of(read, key, &signature) {
                self.own = Own::Verified(source);
                self.signature = Some(signature.trim_ascii().to_ascii_lowercase());
                return;
            }
            if source == ProvenBy::Metadata {
                self.own = Own::Wrong;
            }
        }
    }

    fn note_move(&mut self, location: &Location) {
        let Body::Read(read) = &self.body else { return };
        let (bucket, key) = match location {
            Location::S3 { bucket, key } | Location::OtherS3 { bucket, key, .. } => (bucket, key),
            // A copy on a disk lies elsewhere in any case.
            Location::File(_) | Location::Stdin { .. } => return,
        };
        let Digest { bucket: written_bucket, key: written_key, .. } = &read.digest;
        if (bucket, key) != (written_bucket, written_key)
            && identity(written_key) == identity(&self.path)
        {
            self.notes
                .push(DigestNote::Moved { from: format!("s3://{written_bucket}/{written_key}") });
        }
    }

    pub(super) fn is_proven(&self) -> bool {
        matches!(self.state, DigestState::Proven(_))
    }

    pub(super) fn is_backfill(&self) -> bool {
        self.name.as_ref().is_some_and(|name| name.chain.is_backfill)
    }

    /// Returns whether it is proven whatever the next digest says.
    pub(super) fn is_proven_without_successor(&self) -> bool {
        let is_replaced = self.remembered.as_ref().is_some_and(|it| it.is_replaced);
        !is_replaced
            && (matches!(self.own, Own::Verified(_)) || matches!(self.body, Body::Skipped(_)))
    }

    /// Returns the time that it covers: what it says if it is proven, otherwise the hour before the time
    /// in its name.
    pub(super) fn span(&self) -> Option<(EventTime, EventTime)> {
        let end = self.name.as_ref()?.end;
        let start = match &self.body {
            Body::Read(read) if self.is_proven() => {
                return Some((read.digest.start, read.digest.end));
            }
            Body::Skipped(_) => self.remembered.as_ref().and_then(|it| it.start),
            Body::Read(_) | Body::Unreadable => None,
        };
        Some((start.unwrap_or(add(end, -3_600)), end))
    }

    /// Returns the bucket and key of the digest before it.
    pub(super) fn previous(&self) -> Option<(&str, &str)> {
        match &self.body {
            Body::Read(read) => read.digest.previous.as_ref().map(|it| (&*it.bucket, &*it.key)),
            Body::Skipped(_) => {
                let previous = self.remembered.as_ref()?.previous.as_ref()?;
                Some((&previous.0, &previous.1))
            }
            Body::Unreadable => None,
        }
    }

    /// Returns the bucket to which it was delivered, if it was read.
    pub(super) fn bucket(&self) -> Option<&str> {
        match &self.body {
            Body::Read(read) => Some(&read.digest.bucket),
            Body::Skipped(_) | Body::Unreadable => None,
        }
    }

    fn sha256(&self) -> Option<ContentHash> {
        match &self.body {
            Body::Read(read) => Some(read.sha256),
            Body::Skipped(_) => self.remembered.as_ref().and_then(|it| it.sha256),
            Body::Unreadable => None,
        }
    }

    /// Decides its state from its own signature and from what later digests say of it.
    fn settle(&mut self, successors: &[Successor], keys: &KeyRing) {
        if self.own == Own::Unchecked {
            self.check_own(keys);
        }
        self.state = match &self.body {
            Body::Unreadable => return,
            Body::Skipped(_) => {
                self.signature = self.remembered.as_ref().and_then(|it| it.signature.clone());
                DigestState::Proven(ProvenBy::Database)
            }
            Body::Read(read) if identity(&read.digest.key) != self.path => {
                DigestState::Replayed(read.digest.key.clone())
            }
            Body::Read(read) if keys.get(&read.digest.fingerprint).is_none() => {
                DigestState::UnknownKey(read.digest.fingerprint.clone())
            }
            Body::Read(_) => match self.own {
                Own::Verified(source) => DigestState::Proven(source),
                Own::Wrong | Own::Absent | Own::Unchecked => {
                    self.settle_by_copies(successors, keys)
                }
            },
        };
        self.note_replacement(successors);
    }

    fn settle_by_copies(&mut self, successors: &[Successor], keys: &KeyRing) -> DigestState {
        let mut state = match self.own {
            Own::Wrong => DigestState::WrongSignature,
            Own::Absent | Own::Unchecked | Own::Verified(_) => DigestState::NoSignature,
        };
        for successor in successors {
            let Some((_, copy)) = &successor.says else { continue };
            if self.is_copy_right(copy, keys) {
                self.signature = Some(copy.trim_ascii().to_ascii_lowercase());
                return DigestState::Proven(ProvenBy::Successor);
            }
            // A forged successor says nothing about this digest.
            if successor.is_proven && state == DigestState::NoSignature {
                state = DigestState::WrongCopy(successor.uri.clone());
            }
        }
        state
    }

    fn is_copy_right(&mut self, copy: &str, keys: &KeyRing) -> bool {
        let Body::Read(read) = &self.body else { return false };
        if let Some((checked, is_right)) = &self.checked_copy
            && checked == copy
        {
            return *is_right;
        }
        let key = keys.get(&read.digest.fingerprint);
        let is_right = key.is_some_and(|key| is_signature_of(read, key, copy));
        self.checked_copy = Some((copy.to_owned(), is_right));
        is_right
    }

    fn note_replacement(&mut self, successors: &[Successor]) {
        self.notes.retain(|note| !matches!(note, DigestNote::Replaced { .. }));
        if !self.is_proven() {
            return;
        }
        let sha256 = self.sha256();
        let others = successors.iter().filter(|successor| {
            successor.is_proven
                && successor.says.as_ref().is_some_and(|(hash, signature)| {
                    let own = self.signature.as_ref();
                    sha256.is_some_and(|it| it != *hash)
                        || own.is_some_and(|own| !own.eq_ignore_ascii_case(signature.trim_ascii()))
                })
        });
        let notes = others.map(|it| DigestNote::Replaced { successor: it.uri.clone() });
        self.notes.extend(notes.take(1));
        let remembered = self.remembered.as_ref().filter(|it| it.is_proven);
        let is_other = remembered.and_then(|it| it.sha256).is_some_and(|it| Some(it) != sha256);
        if is_other && !self.notes.contains(&DigestNote::ReplacedSince) {
            self.notes.push(DigestNote::ReplacedSince);
        }
    }

    /// Returns the verdict, which the database stores and the report shows.
    pub(super) fn verdict(self) -> DigestVerdict {
        let sha256 = self.sha256();
        let previous = self.previous().map(|(bucket, key)| (bucket.to_owned(), key.to_owned()));
        let start = match &self.body {
            Body::Unreadable => None,
            Body::Read(read) => Some(read.digest.start),
            Body::Skipped(_) => self.span().map(|(start, _)| start),
        };
        let is_all_proven = self.files.named == self.files.proven;
        let proofs = if is_all_proven { self.proofs } else { vec![] };
        let Self { uri, name, state, notes, signature, files, .. } = self;
        DigestVerdict { uri, name, state, notes, start, sha256, signature, previous, files, proofs }
    }
}

/// Decides the states of digests, which are in ascending order of their ends.
///
/// From the newest to the oldest, so that it is known whether a successor is proven.
pub(super) fn settle(nodes: &mut [&mut Node], keys: &KeyRing) {
    let mut by_previous: HashMap<String, Vec<Successor>> = HashMap::new();
    for node in nodes.iter_mut().rev() {
        let successors = by_previous.get(&node.path).map_or(&[][..], Vec::as_slice);
        node.settle(successors, keys);
        let Some((_, key)) = node.previous() else { continue };
        let says = match &node.body {
            Body::Read(read) => read.digest.previous.as_ref(),
            Body::Skipped(_) | Body::Unreadable => None,
        };
        by_previous.entry(identity(key).to_owned()).or_default().push(Successor {
            uri: node.uri.clone(),
            is_proven: node.is_proven(),
            says: says.map(|it| (it.sha256, it.signature.clone())),
        });
    }
}
