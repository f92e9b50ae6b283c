//! Batches: lists of whole objects, closed on rows or bytes.
//!
//! Pure. An object is never divided between two batches, so that its rows and its ledger line can
//! commit together.

use std::collections::HashSet;

use crate::budget::Share;
use crate::object::{ObjectId, ObjectRef};
use crate::record::{Kind, Log};

/// An object after fetching, decoding and parsing, ready to be written down.
#[derive(Debug)]
pub struct ParsedObject {
    /// The object as it was listed.
    pub object: ObjectRef,
    /// The ledger's key for it.
    pub id: ObjectId,
    /// The digest of its stored bytes; empty if they could not be read.
    pub digest: String,
    /// What it holds.
    pub content: ParsedContent,
    /// Whether the ledger has a line for it that this one replaces.
    pub replaces_line: bool,
    /// Its share of the memory budget, given back when it is dropped.
    pub reserved: Option<Share>,
}

/// What a parsed object holds.
#[derive(Debug)]
pub enum ParsedContent {
    /// Rows and rejects to load.
    Log(Log),
    /// Not a log file.
    Foreign(Kind),
    /// Nothing that could be loaded, and why.
    Failed(String),
}

impl ParsedObject {
    /// Returns its log, if it is one.
    pub fn log(&self) -> Option<&Log> {
        match &self.content {
            ParsedContent::Log(log) => Some(log),
            ParsedContent::Foreign(_) | ParsedContent::Failed(_) => None,
        }
    }

    fn rows(&self) -> usize {
        self.log().map_or(0, |log| log.rows.len())
    }

    fn row_bytes(&self) -> usize {
        self.log().map_or(0, |log| log.rows.as_copy_bytes().len())
    }
}

/// Objects that are written in one transaction.
#[derive(Debug)]
pub struct Batch {
    /// The batch's number in its run; with the run it tells a lost answer from another's work.
    pub id: i64,
    /// The objects, at least one, each at most once.
    pub objects: Vec<ParsedObject>,
}

impl Batch {
    /// Returns how many rows its objects have together.
    pub fn rows(&self) -> usize {
        self.objects.iter().map(ParsedObject::rows).sum()
    }
}

/// When a batch is closed.
#[derive(Debug, Clone, Copy)]
pub struct BatchLimits {
    /// Rows; a larger object makes a batch of its own.
    pub rows_max: usize,
    /// Bytes of packed rows; a larger object makes a batch of its own.
    pub bytes_max: usize,
    /// Objects, however small.
    pub objects_max: usize,
}

/// Gathers objects into batches.
#[derive(Debug)]
pub struct Batcher {
    limits: BatchLimits,
    pending: Vec<ParsedObject>,
    ids: HashSet<ObjectId>,
    rows: usize,
    bytes: usize,
    held_bytes: u64,
    next_id: i64,
}

impl Batcher {
    /// Makes a batcher with nothing pending.
    pub fn new(limits: BatchLimits) -> Self {
        let (pending, ids) = (Vec::new(), HashSet::new());
        Self { limits, pending, ids, rows: 0, bytes: 0, held_bytes: 0, next_id: 1 }
    }

    /// Adds an object; returns the batch that it closed.
    ///
    /// An object that would overfill the pending batch, or is in it already (two sources may
    /// overlap), closes that batch and starts the next.
    pub fn push(&mut self, object: ParsedObject) -> Option<Batch> {
        let overfills = self.rows + object.rows() > self.limits.rows_max
            || self.bytes + object.row_bytes() > self.limits.bytes_max
            || self.pending.len() == self.limits.objects_max;
        let closed = if overfills || self.ids.contains(&object.id) { self.finish() } else { None };
        self.rows += object.rows();
        self.bytes += object.row_bytes();
        self.held_bytes += object.reserved.as_ref().map_or(0, Share::held_bytes);
        self.ids.insert(object.id);
        self.pending.push(object);
        closed
    }

    /// Returns how much of the memory budget the pending objects hold, in bytes.
    pub fn held_bytes(&self) -> u64 {
        self.held_bytes
    }

    /// Returns what is pending, if anything is.
    pub fn finish(&mut self) -> Option<Batch> {
        if self.pending.is_empty() {
            return None;
        }
        (self.rows, self.bytes, self.held_bytes) = (0, 0, 0);
        self.ids.clear();
        let id = self.next_id;
        self.next_id += 1;
        Some(Batch { id, objects: std::mem::take(&mut self.pending) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Location;
    use crate::row::CELLS;

    fn object(name: &str, rows: usize) -> ParsedObject {
        let location = Location::S3 { bucket: "b".into(), key: name.into() };
        let mut log = Log::default();
        (0..rows).for_each(|_| log.rows.push(&[Some("x"); CELLS]));
        ParsedObject {
            id: location.id(),
            object: ObjectRef { location, size_bytes: 1, version: "v".into(), is_named: false },
            digest: String::new(),
            content: ParsedContent::Log(log),
            replaces_line: false,
            reserved: None,
        }
    }

    fn limits(rows_max: usize) -> BatchLimits {
        BatchLimits { rows_max, bytes_max: usize::MAX, objects_max: usize::MAX }
    }

    /// Returns the rows of each batch.
    fn batches(limits: BatchLimits, sizes: &[usize]) -> Vec<usize> {
        let mut batcher = Batcher::new(limits);
        let mut closed = Vec::new();
        for (n, &rows) in sizes.iter().enumerate() {
            closed.extend(batcher.push(object(&n.to_string(), rows)));
        }
        closed.extend(batcher.finish());
        assert!(batcher.finish().is_none());
        let ids: Vec<i64> = closed.iter().map(|batch| batch.id).collect();
        assert_eq!(ids, (1..).take(closed.len()).collect::<Vec<i64>>());
        closed.iter().map(Batch::rows).collect()
    }

    #[test]
    fn a_batch_closes_before_it_overfills_and_the_rest_is_not_forgotten() {
        assert_eq!(batches(limits(10), &[3; 41]).len(), 14);
        assert_eq!(batches(limits(10), &[3, 3, 3, 3]), [9, 3]);
        assert_eq!(batches(limits(10), &[5, 5, 5]), [10, 5]);
        assert_eq!(batches(limits(10), &[1, 25, 1]), [1, 25, 1]);
        assert_eq!(batches(limits(10), &[]), Vec::<usize>::new());
    }

    #[test]
    fn bytes_and_objects_close_a_batch_too() {
        let row = object("x", 1).row_bytes();
        let by_bytes = BatchLimits { bytes_max: 2 * row, ..limits(usize::MAX) };
        assert_eq!(batches(by_bytes, &[1; 5]), [2, 2, 1]);
        let by_objects = BatchLimits { objects_max: 3, ..limits(usize::MAX) };
        assert_eq!(batches(by_objects, &[0; 7]), [0, 0, 0]);
    }

    #[test]
    fn an_object_is_in_a_batch_at_most_once() {
        let mut batcher = Batcher::new(limits(10));
        assert!(batcher.push(object("same", 1)).is_none());
        let closed = batcher.push(object("same", 1)).unwrap();
        assert_eq!(closed.objects.len(), 1);
        assert_eq!(batcher.finish().unwrap().objects.len(), 1);
    }
}
