//! What a dry run finds: objects and bytes by account, region and day, and by verdict.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::layout::Layout;
use crate::ledger::Verdict;
use crate::object::{ObjectId, ObjectRef};
use crate::progress::Count;
use crate::source::Source;

/// Objects that are read for the estimate. They are those with the smallest hashes: a fair sample,
/// and the same one next time.
const SAMPLE_OBJECTS_MAX: usize = 64;

/// What a run would find.
#[derive(Debug, Clone, Default)]
pub struct Survey {
    /// Per account, region and day; `None` gathers objects that are laid out otherwise.
    pub groups: BTreeMap<Option<Group>, Found>,
    /// Some of what it would load.
    sample: BTreeMap<ObjectId, (Arc<dyn Source>, ObjectRef)>,
    /// What reading the sample showed.
    pub sampled: Sampled,
    /// How long listing and triage took.
    pub listing_took: Duration,
}

/// What some objects hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sampled {
    /// Objects that were read, and their stored bytes.
    pub read: Count,
    /// Rows in them.
    pub rows: u64,
    /// Bytes of these rows.
    pub row_bytes: u64,
}

impl Sampled {
    /// Adds what some more objects hold.
    pub fn add(&mut self, more: Self) {
        self.read.objects += more.read.objects;
        self.read.bytes += more.read.bytes;
        self.rows += more.rows;
        self.row_bytes += more.row_bytes;
    }
}

/// What objects are counted by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Group {
    /// The account, 12 digits.
    pub account: String,
    /// The region.
    pub region: String,
    /// The day folder, `YYYY-MM-DD`.
    pub day: String,
}

/// Objects and stored bytes, by what a run would do with them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Found {
    /// It would load them, or find out that they are no logs.
    pub new: Count,
    /// It would try them again.
    pub again: Count,
    /// They are in, or known to be no logs.
    pub known: Count,
}

impl Survey {
    /// Returns the sums over all groups.
    pub fn total(&self) -> Found {
        let mut total = Found::default();
        for found in self.groups.values() {
            for (sum, part) in [
                (&mut total.new, found.new),
                (&mut total.again, found.again),
                (&mut total.known, found.known),
            ] {
                sum.objects += part.objects;
                sum.bytes += part.bytes;
            }
        }
        total
    }

    /// Takes the sample, to be read.
    pub fn take_sample(&mut self) -> Vec<(Arc<dyn Source>, ObjectRef)> {
        std::mem::take(&mut self.sample).into_values().collect()
    }

    /// Returns about how many rows a run would load; `None` if nothing was sampled.
    pub fn rows_estimate(&self) -> Option<u64> {
        self.scaled(self.sampled.rows)
    }

    /// Returns about how many bytes these rows have.
    pub fn row_bytes_estimate(&self) -> Option<u64> {
        self.scaled(self.sampled.row_bytes)
    }

    fn scaled(&self, sampled: u64) -> Option<u64> {
        let total = self.total();
        let bytes = u128::from(total.new.bytes + total.again.bytes);
        let scaled = bytes * u128::from(sampled);
        u64::try_from(scaled.checked_div(u128::from(self.sampled.read.bytes))?).ok()
    }

    /// Counts one object.
    pub fn count(
        &mut self,
        source: &Arc<dyn Source>,
        object: &ObjectRef,
        id: ObjectId,
        verdict: &Verdict,
    ) {
        if matches!(verdict, Verdict::New | Verdict::Again) {
            self.sample.insert(id, (Arc::clone(source), object.clone()));
            if self.sample.len() > SAMPLE_OBJECTS_MAX {
                self.sample.pop_last();
            }
        }
        let group = Layout::of(&object.location.uri()).map(|layout| Group {
            account: layout.account,
            region: layout.region,
            day: layout.day.to_string(),
        });
        let found = self.groups.entry(group).or_default();
        let count = match verdict {
            Verdict::New => &mut found.new,
            Verdict::Again | Verdict::MaybeChanged { .. } => &mut found.again,
            Verdict::AlreadyLoaded | Verdict::AlreadySkipped(_) => &mut found.known,
        };
        count.objects += 1;
        count.bytes += object.size_bytes;
    }
}
