//! The conductor: from listed objects to committed batches.
//!
//! The only room with channels and tasks. `pipeline::run` loads; `dry_run::dry_run` only lists
//! and reads a sample.

pub mod error;

pub mod memory;

pub mod batcher;

pub mod progress;

mod losses;

pub mod load;

pub mod stop;

mod breaker;

mod triage;

mod prepare;

pub mod dry_run;

pub mod pipeline;

use std::sync::Arc;

use self::batcher::BatchLimits;
use crate::retry::RetryPolicy;
use crate::trail::filter::FilterSet;
use crate::trail::layout::Selection;
use crate::trail::object::Shard;

/// How one run is done.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Which objects of the sources are imported.
    pub selection: Arc<Selection>,
    /// Which of their records are loaded.
    pub selected: FilterSet,
    /// The part of them that this machine imports.
    pub shard: Shard,
    /// Steps of the listing that are taken at once.
    pub listers: usize,
    /// Objects fetched at once.
    pub fetchers: usize,
    /// Batches written at once.
    pub writers: usize,
    /// When a batch is closed.
    pub batch: BatchLimits,
    /// The budget for the buffers of all objects in flight.
    pub memory_bytes: u64,
    /// The most bytes that an object may decode to.
    pub object_bytes_max: u64,
    /// Whether the rows of a changed object are replaced.
    pub replaces_changed: bool,
    /// Whether the ledger gets the hash of each content.
    pub hashes_contents: bool,
    /// How often and how long a request to the database is repeated.
    pub retry: RetryPolicy,
}

/// How a run ended that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Every listed object was settled.
    Complete,
    /// The user stopped it before that.
    Stopped,
}
