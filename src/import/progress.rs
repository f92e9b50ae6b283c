//! The counters of a run, and the equations that they must satisfy.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use crate::database::batch::ParsedObject;
use crate::database::ledger::ObjectOutcome;
use crate::database::status::RunTotals;
use crate::source::{FolderCounts, Found, UnreadableFolder};
use crate::trail::object::ObjectRef;
use crate::trail::record::Kind;

/// Unreadable folders that are named in the summary; the others are only counted.
const UNREADABLE_NAMED_MAX: usize = 20;

/// Skipped objects that are named in the summary; the others are only counted.
const SKIPPED_NAMED_MAX: usize = 5;

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
    /// Objects that were loaded before.
    pub already_loaded: Count,
    /// Objects that are not log files, by kind.
    pub skipped: BTreeMap<Kind, Count>,
    /// Skipped objects of the other kinds than are usual beside logs, the first
    /// five of them by URI: those that the user named come first.
    pub skipped_first: BTreeSet<SkippedObject>,
    /// Skipped objects that the user named: files, not folders or prefixes above them.
    pub skipped_named: u64,
    /// Objects that could not be loaded: nothing was committed, or only their earlier content.
    pub failed: Count,
    /// Objects that were listed and not settled, because the run was stopped or failed.
    pub pending: Count,
    /// Records read from the loaded objects.
    pub records: u64,
    /// Rows among them.
    pub rows: u64,
    /// Rejected ones among them.
    pub rejects: u64,
    /// Those among them that no filter selects.
    pub filtered: u64,
    /// Further records that were read again, because earlier imports had loaded only some of an object's.
    pub known: u64,
    /// Characters replaced by U+FFFD, and values replaced by their text.
    pub replaced_chars: u64,
    /// Objects that belong to other shards; they do not count as listed.
    pub other_shards: Count,
    /// LIST requests that were sent.
    pub list_requests: u64,
    /// Folders that were not listed, because they hold no logs.
    pub without_logs: FolderCounts,
    /// Folders and objects that the selection leaves out.
    pub filtered_out: u64,
    /// Files that were left out, because the program itself uses them.
    pub own_files: u64,
    /// Links on disk that lead out of their source's folder and were not followed.
    pub links_not_followed: u64,
    /// Selected folders that could not be listed.
    pub unreadable_folders: u64,
    /// The first of them, in the order of the listing.
    pub unreadable: Vec<UnreadableFolder>,
    /// Whether all objects have been listed.
    pub is_listing_done: bool,
}

/// An object that was skipped.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct SkippedObject {
    /// Whether only a folder or prefix above it was named.
    #[serde(skip)]
    pub is_found: bool,
    /// Where it is.
    pub uri: String,
    /// What it is.
    pub kind: Kind,
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

    /// Counts an object that belongs to another shard.
    pub fn of_other_shard(&self, size_bytes: u64) {
        self.change(|tally| tally.other_shards.add(size_bytes));
    }

    /// Counts what a step of the listing cost and left out.
    pub fn stepped(&self, found: &Found) {
        self.change(|tally| {
            tally.list_requests += found.requests;
            tally.filtered_out += found.filtered_out;
            tally.own_files += found.own_files;
            tally.without_logs.merge(&found.without_logs);
            tally.links_not_followed += found.links_not_followed;
            tally.unreadable_folders += found.unreadable.len() as u64;
            let room = UNREADABLE_NAMED_MAX - tally.unreadable.len();
            tally.unreadable.extend(found.unreadable.iter().take(room).cloned());
        });
    }

    /// Notes that every object has been listed.
    pub fn listing_done(&self) {
        self.change(|tally| tally.is_listing_done = true);
    }

    /// Counts an object that a stopped run leaves for the next one.
    pub fn pending(&self, size_bytes: u64) {
        self.change(|tally| tally.pending.add(size_bytes));
    }

    /// Counts an object that was settled without its records.
    pub fn settled_unread(&self, object: &ObjectRef, outcome: &ObjectOutcome) {
        self.change(|tally| tally.settle(object, outcome));
    }

    /// Counts an object that went through a batch.
    pub fn settled(&self, object: &ParsedObject, outcome: &ObjectOutcome) {
        self.change(|tally| {
            tally.settle(&object.object, outcome);
            if *outcome == ObjectOutcome::Loaded {
                let log = object.log();
                tally.records += log.records();
                tally.rows += log.rows.len() as u64;
                tally.rejects += log.rejects.len() as u64;
                tally.filtered += log.filtered;
                tally.known += log.known;
                tally.replaced_chars += log.replaced_chars;
            }
        });
    }

    fn change<T>(&self, change: impl FnOnce(&mut Tally) -> T) -> T {
        change(&mut self.tally.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Tally {
    fn settle(&mut self, object: &ObjectRef, outcome: &ObjectOutcome) {
        let size_bytes = object.size_bytes;
        match outcome {
            ObjectOutcome::Loaded => self.loaded.add(size_bytes),
            ObjectOutcome::AlreadyLoaded => self.already_loaded.add(size_bytes),
            ObjectOutcome::Skipped(kind) => {
                self.skipped.entry(*kind).or_default().add(size_bytes);
                self.skipped_named += u64::from(object.is_named);
                if !kind.is_usual() || object.is_named {
                    let (is_found, uri) = (!object.is_named, object.location.uri());
                    self.skipped_first.insert(SkippedObject { is_found, uri, kind: *kind });
                    if self.skipped_first.len() > SKIPPED_NAMED_MAX {
                        self.skipped_first.pop_last();
                    }
                }
            }
            ObjectOutcome::Changed(_) | ObjectOutcome::Failed(_) => self.failed.add(size_bytes),
        }
    }

    /// Counts as pending what was listed and not settled: a run that fails drops what is in flight.
    pub fn leave_unsettled(&mut self) {
        let counts = [self.loaded, self.already_loaded, self.failed, self.pending];
        let settled = counts.iter().chain(self.skipped.values());
        let (objects, bytes) =
            settled.fold((0, 0), |(objects, bytes), it| (objects + it.objects, bytes + it.bytes));
        self.pending.objects += self.listed.objects - objects;
        self.pending.bytes += self.listed.bytes - bytes;
    }

    /// Returns how many objects are not log files.
    pub fn skipped_objects(&self) -> u64 {
        self.skipped.values().map(|count| count.objects).sum()
    }

    /// Returns how many objects are settled.
    pub fn settled_objects(&self) -> u64 {
        self.loaded.objects
            + self.already_loaded.objects
            + self.skipped_objects()
            + self.failed.objects
    }

    /// Returns whether every object and record ended in exactly one place.
    pub fn is_balanced(&self) -> bool {
        let objects = self.settled_objects() + self.pending.objects;
        let records = self.rows + self.rejects + self.filtered;
        self.listed.objects == objects && self.records == records
    }

    /// Returns whether something was left out or replaced.
    ///
    /// An object that is no log is not left out: folders and buckets hold other files, too. Who names a
    /// file expects something of it, so a named one is.
    pub fn has_losses(&self) -> bool {
        let objects = self.failed.objects + self.skipped_named + self.unreadable_folders;
        objects + self.rejects + self.replaced_chars > 0
    }

    /// Returns how many skipped objects are neither of a usual kind nor in `skipped_first`.
    pub fn skipped_others(&self) -> u64 {
        let unusual = self.skipped.iter().filter(|(kind, _)| !kind.is_usual());
        let unusual: u64 = unusual.map(|(_, count)| count.objects).sum();
        let shown = self.skipped_first.iter().filter(|it| !it.kind.is_usual()).count() as u64;
        unusual - shown
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
            filtered: self.filtered,
            replaced_chars: self.replaced_chars,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trail::object::Location;

    fn object(key: &str, size_bytes: u64) -> ObjectRef {
        let location = Location::S3 { bucket: "b".into(), key: key.into() };
        ObjectRef { location, size_bytes, version: String::new(), is_named: false }
    }

    #[test]
    fn the_first_skipped_objects_are_kept_and_named_files_come_first() {
        let progress = Progress::default();
        let skip = |object: &ObjectRef, kind| {
            progress.settled_unread(object, &ObjectOutcome::Skipped(kind));
        };
        for n in [7, 3, 9, 1, 5, 2, 8] {
            skip(&object(&n.to_string(), 1), Kind::OtherJson);
        }
        skip(&object("0", 1), Kind::Digest);
        assert!(!progress.tally().has_losses());
        skip(&ObjectRef { is_named: true, ..object("x", 1) }, Kind::Digest);
        let tally = progress.tally();
        let first: Vec<&str> = tally.skipped_first.iter().map(|it| &it.uri[5..]).collect();
        assert_eq!(first, ["b/x", "b/1", "b/2", "b/3", "b/5"]);
        assert_eq!((tally.skipped_others(), tally.skipped_named), (3, 1));
        assert!(tally.has_losses());
    }

    #[test]
    fn what_was_not_settled_is_pending() {
        let progress = Progress::default();
        (1..=5).for_each(|size_bytes| progress.listed(size_bytes));
        progress.settled_unread(&object("a", 1), &ObjectOutcome::AlreadyLoaded);
        progress.settled_unread(&object("b", 2), &ObjectOutcome::Skipped(Kind::Digest));
        progress.pending(3);
        let mut tally = progress.tally();
        assert!(!tally.is_balanced());
        tally.leave_unsettled();
        assert_eq!(tally.pending, Count { objects: 3, bytes: 12 });
        assert!(tally.is_balanced());
    }
}
