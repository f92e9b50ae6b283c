//! What a run has done so far: counters, and the equations they must satisfy.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use crate::batch::ParsedObject;
use crate::load::Fate;
use crate::record::Kind;
use crate::sink::RunTotals;
use crate::source::Found;

/// The counters of one run, shared by its tasks.
#[derive(Debug, Default)]
pub struct Progress {
    tally: Mutex<Tally>,
}

/// The counters at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Objects listed, and their stored bytes.
    pub listed: Count,
    /// Objects whose rows this run loaded.
    pub loaded: Count,
    /// Objects that were in before.
    pub already_loaded: Count,
    /// Objects that are no log files, by kind.
    pub skipped: BTreeMap<Kind, Count>,
    /// Objects of which nothing is in.
    pub failed: Count,
    /// Objects that were listed and met no fate, because the run was stopped or failed.
    pub not_reached: Count,
    /// Records read from the loaded objects.
    pub records: u64,
    /// Rows among them.
    pub rows: u64,
    /// Rejected ones among them.
    pub rejects: u64,
    /// Characters replaced by U+FFFD.
    pub altered: u64,
    /// Objects that are for other machines to load; they do not count as listed.
    pub other_shards: Count,
    /// Requests that the listing took.
    pub list_requests: u64,
    /// Folders that were not looked into, because they hold no logs: how many of each name.
    pub without_logs: BTreeMap<String, u64>,
    /// Folders and objects that were found and not chosen.
    pub not_chosen: u64,
    /// Whether all objects have been listed.
    pub is_listing_done: bool,
}

/// Objects and their stored bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    /// How many objects.
    pub objects: u64,
    /// Their stored bytes together.
    pub bytes: u64,
}

impl Count {
    /// Counts one object more.
    pub fn add(&mut self, size_bytes: u64) {
        self.objects += 1;
        self.bytes += size_bytes;
    }
}

impl Progress {
    /// Returns the counters as they are now.
    pub fn tally(&self) -> Tally {
        self.change(|tally| tally.clone())
    }

    /// Counts a listed object.
    pub fn listed(&self, size_bytes: u64) {
        self.change(|tally| tally.listed.add(size_bytes));
    }

    /// Counts an object that another machine is to load.
    pub fn of_other_shard(&self, size_bytes: u64) {
        self.change(|tally| tally.other_shards.add(size_bytes));
    }

    /// Counts what a step of the listing took and left out.
    pub fn stepped(&self, found: &Found) {
        self.change(|tally| {
            tally.list_requests += found.requests;
            tally.not_chosen += found.not_chosen;
            for (name, folders) in &found.without_logs {
                *tally.without_logs.entry(name.clone()).or_default() += folders;
            }
        });
    }

    /// Notes that every object has been listed.
    pub fn listing_done(&self) {
        self.change(|tally| tally.is_listing_done = true);
    }

    /// Counts an object that a stopped run leaves.
    pub fn not_reached(&self, size_bytes: u64) {
        self.change(|tally| tally.not_reached.add(size_bytes));
    }

    /// Counts an object whose fate triage decided.
    pub fn settled_unread(&self, size_bytes: u64, fate: &Fate) {
        self.change(|tally| tally.settle(size_bytes, fate));
    }

    /// Counts an object that went through a batch.
    pub fn settled(&self, object: &ParsedObject, fate: &Fate) {
        self.change(|tally| {
            tally.settle(object.object.size_bytes, fate);
            if let (Fate::Loaded, Some(log)) = (fate, object.log()) {
                tally.records += log.records();
                tally.rows += log.rows.len() as u64;
                tally.rejects += log.rejects.len() as u64;
                tally.altered += log.altered;
            }
        });
    }

    fn change<T>(&self, change: impl FnOnce(&mut Tally) -> T) -> T {
        change(&mut self.tally.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Tally {
    fn settle(&mut self, size_bytes: u64, fate: &Fate) {
        match fate {
            Fate::Loaded => self.loaded.add(size_bytes),
            Fate::AlreadyLoaded => self.already_loaded.add(size_bytes),
            Fate::Skipped(kind) => self.skipped.entry(*kind).or_default().add(size_bytes),
            Fate::Failed(_) => self.failed.add(size_bytes),
        }
    }

    /// Counts as not reached what was listed and met no fate: a run that fails drops what is in
    /// flight.
    pub fn leave_unsettled(&mut self) {
        let fates = [self.loaded, self.already_loaded, self.failed, self.not_reached];
        let settled = fates.iter().chain(self.skipped.values());
        let (objects, bytes) =
            settled.fold((0, 0), |(objects, bytes), it| (objects + it.objects, bytes + it.bytes));
        self.not_reached.objects += self.listed.objects - objects;
        self.not_reached.bytes += self.listed.bytes - bytes;
    }

    /// Returns how many objects are no log files.
    pub fn skipped_objects(&self) -> u64 {
        self.skipped.values().map(|count| count.objects).sum()
    }

    /// Returns how many objects have met their fate.
    pub fn settled_objects(&self) -> u64 {
        self.loaded.objects
            + self.already_loaded.objects
            + self.skipped_objects()
            + self.failed.objects
    }

    /// Returns whether every object and record ended in exactly one place.
    pub fn is_balanced(&self) -> bool {
        let objects = self.settled_objects() + self.not_reached.objects;
        self.listed.objects == objects && self.records == self.rows + self.rejects
    }

    /// Returns whether something was left out or altered.
    pub fn has_losses(&self) -> bool {
        self.failed.objects + self.rejects + self.altered > 0
    }

    /// Returns the sums that the ledger keeps of a run.
    pub fn totals(&self) -> RunTotals {
        RunTotals {
            listed: self.listed.objects,
            loaded: self.loaded.objects,
            already_loaded: self.already_loaded.objects,
            skipped: self.skipped_objects(),
            failed: self.failed.objects,
            records: self.records,
            rows: self.rows,
            rejects: self.rejects,
            altered: self.altered,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_met_no_fate_is_not_reached() {
        let progress = Progress::default();
        (1..=5).for_each(|size_bytes| progress.listed(size_bytes));
        progress.settled_unread(1, &Fate::AlreadyLoaded);
        progress.settled_unread(2, &Fate::Skipped(Kind::Digest));
        progress.not_reached(3);
        let mut tally = progress.tally();
        assert!(!tally.is_balanced());
        tally.leave_unsettled();
        assert_eq!(tally.not_reached, Count { objects: 3, bytes: 12 });
        assert!(tally.is_balanced());
    }
}
