//! Gathers parsed objects into batches.
//!
//! Pure. An object is never divided between two batches, so that its rows and its ledger line can
//! commit together.

use std::collections::HashSet;

use super::memory::MemoryPermit;
use crate::database::batch::{Batch, ParsedObject};
use crate::trail::object::ObjectId;

/// A parsed object with the memory it occupies.
#[derive(Debug)]
pub struct Prepared {
    /// The object.
    pub object: ParsedObject,
    /// Its part of the memory budget; returned when dropped.
    pub permit: Option<MemoryPermit>,
}

impl Prepared {
    fn rows(&self) -> usize {
        self.object.log().rows.len()
    }

    fn row_bytes(&self) -> usize {
        self.object.log().rows.as_copy_bytes().len()
    }
}

/// A closed batch with the memory its objects occupy.
#[derive(Debug)]
pub struct GatheredBatch {
    /// The batch.
    pub batch: Batch,
    /// Returned to the memory budget once the batch is settled.
    pub permits: Vec<MemoryPermit>,
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
    objects: Vec<ParsedObject>,
    permits: Vec<MemoryPermit>,
    ids: HashSet<ObjectId>,
    numbers: HashSet<i64>,
    rows: usize,
    bytes: usize,
    next_id: i64,
}

impl Batcher {
    /// Makes a batcher with nothing pending.
    pub fn new(limits: BatchLimits) -> Self {
        let (objects, permits) = (Vec::new(), Vec::new());
        let (ids, numbers) = (HashSet::new(), HashSet::new());
        Self { limits, objects, permits, ids, numbers, rows: 0, bytes: 0, next_id: 1 }
    }

    /// Adds an object; returns the batch that it closed.
    ///
    /// An object that would overfill the pending batch, or is already part of it (two sources may
    /// overlap), closes that batch and starts the next. So does one whose number another object of the
    /// batch has: the ledger shows only numbers of earlier batches as taken.
    pub fn push(&mut self, prepared: Prepared) -> Option<GatheredBatch> {
        let overfills = self.rows + prepared.rows() > self.limits.rows_max
            || self.bytes + prepared.row_bytes() > self.limits.bytes_max
            || self.objects.len() == self.limits.objects_max;
        let is_duplicate = self.ids.contains(&prepared.object.id)
            || self.numbers.contains(&prepared.object.number());
        let closed = if overfills || is_duplicate { self.finish() } else { None };
        self.rows += prepared.rows();
        self.bytes += prepared.row_bytes();
        self.ids.insert(prepared.object.id);
        self.numbers.insert(prepared.object.number());
        self.objects.push(prepared.object);
        self.permits.extend(prepared.permit);
        closed
    }

    /// Returns how much of the memory budget the pending objects hold, in bytes.
    pub fn held_bytes(&self) -> u64 {
        self.permits.iter().map(MemoryPermit::held_bytes).sum()
    }

    /// Closes the pending batch; `None` if nothing is pending.
    pub fn finish(&mut self) -> Option<GatheredBatch> {
        if self.objects.is_empty() {
            return None;
        }
        (self.rows, self.bytes) = (0, 0);
        self.ids.clear();
        self.numbers.clear();
        let id = self.next_id;
        self.next_id += 1;
        let objects = std::mem::take(&mut self.objects);
        Some(GatheredBatch {
            batch: Batch { id, objects },
            permits: std::mem::take(&mut self.permits),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trail::fields::COLUMN_COUNT;
    use crate::trail::object::{Location, ObjectRef};
    use crate::trail::record::Log;

    fn prepared(name: &str, rows: usize) -> Prepared {
        let location = Location::S3 { bucket: "b".into(), key: name.into() };
        let mut log = Log::default();
        (0..rows).for_each(|_| log.rows.push(&[Some("x"); COLUMN_COUNT].into()));
        let id = location.id();
        let object = ObjectRef { location, size_bytes: 1, version: "v".into(), is_named: false };
        let object = ParsedObject::new(object, id, String::new(), false, Ok(log));
        Prepared { object, permit: None }
    }

    fn limits(rows_max: usize) -> BatchLimits {
        BatchLimits { rows_max, bytes_max: usize::MAX, objects_max: usize::MAX }
    }

    /// Returns the rows of each batch.
    fn batches(limits: BatchLimits, sizes: &[usize]) -> Vec<usize> {
        let mut batcher = Batcher::new(limits);
        let mut closed = Vec::new();
        for (n, &rows) in sizes.iter().enumerate() {
            closed.extend(batcher.push(prepared(&n.to_string(), rows)));
        }
        closed.extend(batcher.finish());
        assert!(batcher.finish().is_none());
        let ids: Vec<i64> = closed.iter().map(|gathered| gathered.batch.id).collect();
        assert_eq!(ids, (1..).take(closed.len()).collect::<Vec<i64>>());
        closed.iter().map(|gathered| gathered.batch.rows()).collect()
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
        let row = prepared("x", 1).row_bytes();
        let by_bytes = BatchLimits { bytes_max: 2 * row, ..limits(usize::MAX) };
        assert_eq!(batches(by_bytes, &[1; 5]), [2, 2, 1]);
        let by_objects = BatchLimits { objects_max: 3, ..limits(usize::MAX) };
        assert_eq!(batches(by_objects, &[0; 7]), [0, 0, 0]);
    }

    #[test]
    fn an_object_is_in_a_batch_at_most_once() {
        let mut batcher = Batcher::new(limits(10));
        assert!(batcher.push(prepared("same", 1)).is_none());
        let closed = batcher.push(prepared("same", 1)).unwrap();
        assert_eq!(closed.batch.objects.len(), 1);
        assert_eq!(batcher.finish().unwrap().batch.objects.len(), 1);
    }
}
