//! What was judged, in numbers, and the equations that they satisfy.

use std::ops::AddAssign;

/// How many digests have each state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DigestCounts {
    /// Digests that the source has.
    pub found: u64,
    /// Those with a signature that verifies.
    pub proven: u64,
    /// Those whose signature or key is not known.
    pub unproven: u64,
    /// Those with a signature that does not verify, or in another place than the signed one.
    pub wrong: u64,
    /// Those that could not be read.
    pub unreadable: u64,
    /// Digests that the source no longer has. They are not among those found.
    pub deleted: u64,
}

impl DigestCounts {
    /// Returns whether found = proven + unproven + wrong + unreadable.
    pub fn is_balanced(&self) -> bool {
        self.found == self.proven + self.unproven + self.wrong + self.unreadable
    }
}

impl AddAssign for DigestCounts {
    fn add_assign(&mut self, other: Self) {
        self.found += other.found;
        self.proven += other.proven;
        self.unproven += other.unproven;
        self.wrong += other.wrong;
        self.unreadable += other.unreadable;
        self.deleted += other.deleted;
    }
}

/// How many of the log files that proven digests name have each state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FileCounts {
    /// Log files that proven digests name.
    pub named: u64,
    /// Loaded, and the content is the one that the digest names.
    pub proven: u64,
    /// Loaded, and the content is another.
    pub changed: u64,
    /// Failed or skipped in the import.
    pub not_loaded: u64,
    /// In the source, but not in the ledger.
    pub not_imported: u64,
    /// In neither.
    pub gone: u64,
    /// The content was not compared.
    pub not_hashed: u64,
}

impl FileCounts {
    /// Returns whether named = proven + changed + not loaded + not imported + gone + not hashed.
    pub fn is_balanced(&self) -> bool {
        let Self { named, proven, changed, not_loaded, not_imported, gone, not_hashed } = *self;
        named == proven + changed + not_loaded + not_imported + gone + not_hashed
    }
}

impl AddAssign for FileCounts {
    fn add_assign(&mut self, other: Self) {
        self.named += other.named;
        self.changed += other.changed;
        self.proven += other.proven;
        self.not_loaded += other.not_loaded;
        self.not_imported += other.not_imported;
        self.gone += other.gone;
        self.not_hashed += other.not_hashed;
    }
}

/// How many loaded log files that no proven digest names have each state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UnnamedCounts {
    /// So new that their digest may not be delivered yet.
    pub pending: u64,
    /// Of a time that no proven digest covers.
    pub unproven: u64,
    /// Of a time whose digests are proven.
    pub unexpected: u64,
    /// Insight, network-activity and aggregated files, of any time. No finding.
    pub other_families: u64,
}

impl AddAssign for UnnamedCounts {
    fn add_assign(&mut self, other: Self) {
        self.pending += other.pending;
        self.unproven += other.unproven;
        self.unexpected += other.unexpected;
        self.other_families += other.other_families;
    }
}

/// All numbers of an account and region.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// The digests.
    pub digests: DigestCounts,
    /// The log files that proven digests name.
    pub files: FileCounts,
    /// The loaded log files that no proven digest names.
    pub unnamed: UnnamedCounts,
    /// Digests with a note that is a finding.
    pub noted: u64,
    /// Holes.
    pub holes: u64,
}

impl Totals {
    /// Returns whether both equations hold. If not, the judge has a bug.
    pub fn is_balanced(&self) -> bool {
        self.digests.is_balanced() && self.files.is_balanced()
    }

    /// Returns whether all is proven: no finding and no hole.
    pub fn is_all_proven(&self) -> bool {
        let Self { digests, files, unnamed, noted, holes } = self;
        digests.found == digests.proven
            && files.named == files.proven
            && [digests.deleted, unnamed.unproven, unnamed.unexpected, *noted, *holes]
                .iter()
                .all(|count| *count == 0)
    }
}

impl AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        self.digests += other.digests;
        self.files += other.files;
        self.unnamed += other.unnamed;
        self.noted += other.noted;
        self.holes += other.holes;
    }
}
