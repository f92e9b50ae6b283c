//! What a verification found.

use crate::source::UnreadableFolder;
use crate::trail::integrity::verdict::{
    Conclusion, Coverage, DigestNote, DigestState, DigestVerdict, FileFinding, Hole, JudgedDay,
    Totals,
};

/// The most findings of each kind that are kept. The others are only counted.
pub const FINDINGS_MAX: usize = 100_000;

/// Findings of one kind, in the order of accounts, regions and days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Findings<T> {
    /// The first [`FINDINGS_MAX`].
    pub kept: Vec<T>,
    /// How many more there are.
    pub left_out: u64,
}

impl<T> Default for Findings<T> {
    fn default() -> Self {
        Self { kept: Vec::new(), left_out: 0 }
    }
}

impl<T> Findings<T> {
    fn extend(&mut self, findings: impl IntoIterator<Item = T>) {
        let mut findings = findings.into_iter();
        let room = FINDINGS_MAX - self.kept.len();
        self.kept.extend(findings.by_ref().take(room));
        self.left_out += findings.count() as u64;
    }

    fn append(&mut self, other: Self) {
        self.extend(other.kept);
        self.left_out += other.left_out;
    }

    /// Returns how many there are.
    pub fn count(&self) -> u64 {
        self.kept.len() as u64 + self.left_out
    }
}

/// A digest that is not proven, or of which something is to be said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestFinding {
    /// Where it is.
    pub uri: String,
    /// What it is.
    pub state: DigestState,
    /// What else is to be said.
    pub notes: Vec<DigestNote>,
}

/// A hole of one account and region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoleFinding {
    /// The account.
    pub account: String,
    /// The region.
    pub region: String,
    /// The hole.
    pub hole: Hole,
}

/// What a verification found.
#[derive(Debug, Clone, Default)]
pub struct Verified {
    /// Each account, region and day, in this order.
    pub coverage: Vec<Coverage>,
    /// Digests that are not proven, or of which something is to be said.
    pub digests: Findings<DigestFinding>,
    /// The URIs of digests that an earlier verification stored and the source no longer has.
    pub deleted: Findings<String>,
    /// Times in which log files cannot be proven.
    pub holes: Findings<HoleFinding>,
    /// Log files that are not proven.
    pub files: Findings<FileFinding>,
    /// Proven digests that lie elsewhere than they were delivered, and the first place of a delivery.
    pub moved: (u64, Option<String>),
    /// The sums.
    pub totals: Totals,
    /// Digests that were fetched; the others were proven before.
    pub fetched: u64,
    /// Log files that were read again to hash their contents.
    pub reread: u64,
    /// LIST requests that were sent.
    pub list_requests: u64,
    /// Folders that could not be listed: what is in them is unknown.
    pub unreadable: Vec<UnreadableFolder>,
}

impl Verified {
    /// Returns whether all is proven: no finding, no hole, and nothing that could not be listed.
    pub fn is_all_proven(&self) -> bool {
        self.totals.is_all_proven() && self.unreadable.is_empty()
    }

    /// Returns whether there was a digest or a log file.
    pub(super) fn has_anything(&self) -> bool {
        let Totals { digests, files, unnamed, .. } = self.totals;
        let files = [files.named, unnamed.pending, unnamed.unproven, unnamed.unexpected];
        let all = files.iter().chain([&digests.found, &digests.deleted, &unnamed.other_families]);
        all.copied().any(|count| count > 0) || !self.unreadable.is_empty()
    }

    /// Adds the verdict on a day.
    pub(super) fn add(&mut self, account: &str, region: &str, judged: JudgedDay) {
        let JudgedDay { coverage, digests, deleted, holes, files } = judged;
        self.coverage.push(coverage);
        for digest in &digests {
            let from = digest.notes.iter().find_map(|note| match note {
                DigestNote::Moved { from } => Some(from),
                _ => None,
            });
            if let Some(from) = from {
                self.moved.0 += 1;
                self.moved.1.get_or_insert_with(|| from.clone());
            }
        }
        let found = digests.into_iter().filter(DigestVerdict::is_finding);
        let found = found.map(|DigestVerdict { uri, state, notes, .. }| {
            let notes = notes.into_iter().filter(|it| !matches!(it, DigestNote::Moved { .. }));
            DigestFinding { uri, state, notes: notes.collect() }
        });
        self.digests.extend(found);
        self.deleted.extend(deleted);
        self.add_holes(account, region, holes);
        self.files.extend(files);
    }

    fn add_holes(&mut self, account: &str, region: &str, holes: Vec<Hole>) {
        self.holes.extend(holes.into_iter().map(|hole| HoleFinding {
            account: account.to_owned(),
            region: region.to_owned(),
            hole,
        }));
    }

    /// Adds what remains to be said of an account and region.
    pub(super) fn conclude(&mut self, account: &str, region: &str, conclusion: Conclusion) {
        let Conclusion { day, holes, totals } = conclusion;
        if let Some(judged) = day {
            self.add(account, region, judged);
        }
        self.add_holes(account, region, holes);
        self.totals += totals;
    }

    /// Adds another account and region.
    pub(super) fn merge(&mut self, other: Self) {
        self.coverage.extend(other.coverage);
        self.digests.append(other.digests);
        self.deleted.append(other.deleted);
        self.holes.append(other.holes);
        self.files.append(other.files);
        self.moved.0 += other.moved.0;
        self.moved.1 = self.moved.1.take().or(other.moved.1);
        self.totals += other.totals;
        self.fetched += other.fetched;
        self.reread += other.reread;
        self.list_requests += other.list_requests;
        self.unreadable.extend(other.unreadable);
    }
}
