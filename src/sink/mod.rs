//! Where rows go: one database, whose ledger commits with the rows.
//!
//! A sink knows nothing of sources and nothing of JSON. Only this folder imports sqlx.
//!
//! Invariant: [`Sink::write`] is all or nothing. The rows, rejects and ledger lines of a batch
//! are in the database when it returns `Ok`, and none of them is after an error, except when the
//! answer to the commit was lost; then only [`Sink::seen`] can tell.

mod connection;
mod driver;
#[cfg(test)]
pub(crate) mod memory;
mod mysql;
mod postgres;
mod schema;
mod sql;
mod sqlite;

use std::collections::HashMap;
use std::error::Error;

use async_trait::async_trait;
use thiserror::Error;

use crate::batch::Batch;
use crate::ledger::Line;
use crate::object::ObjectId;
use crate::record::CellRules;

pub use schema::{INDEXES, Index};
pub use sql::{
    Database, FailedObject, OpenOptions, RejectedRecord, RunLine, RunTotals, UpgradePolicy,
};

/// The cause of an error, whatever it is.
pub type BoxError = Box<dyn Error + Send + Sync + 'static>;

/// A database that takes batches of whole objects.
#[async_trait]
pub trait Sink: Send + Sync + std::fmt::Debug {
    /// Returns what the `logs` table can hold.
    fn rules(&self) -> &CellRules;

    /// Returns the ledger's lines for those of the objects that it knows.
    async fn seen(&self, ids: &[ObjectId]) -> Result<HashMap<ObjectId, Line>, SinkError>;

    /// Writes a batch for a run, in one transaction. Cancelled in the middle, it rolls back.
    async fn write(&self, run_id: i64, batch: &Batch) -> Result<(), SinkError>;
}

/// Why the database did not do what it was asked.
///
/// The variants are what a caller may do about it.
#[derive(Debug, Error)]
pub enum SinkError {
    /// It may work in a moment: a lost connection, a deadlock, a busy server. Ask the ledger
    /// before writing again.
    #[error("cannot {doing}: the database did not answer, or asked to try again")]
    Transient {
        /// What was asked of it.
        doing: &'static str,
        /// What the driver says.
        #[source]
        source: BoxError,
    },
    /// The ledger has a line for one of the objects already: ask it which.
    #[error("another import wrote one of these objects first")]
    Conflict,
    /// The database refuses this data; other data may pass.
    #[error("the database refuses the data")]
    Refused {
        /// What the database says.
        #[source]
        source: BoxError,
    },
    /// Nothing more can be done with this database.
    #[error("cannot {doing}")]
    Fatal {
        /// What was asked of it.
        doing: &'static str,
        /// What the database says.
        #[source]
        source: BoxError,
        /// What the user can do.
        hint: Option<String>,
    },
    /// The database exists, but not as the tables need it.
    #[error("{what}")]
    Unfit {
        /// What is wrong with it.
        what: String,
        /// What the user can do.
        hint: String,
    },
}

impl SinkError {
    /// Returns the error of something that sent no data: nothing else would have passed.
    fn without_data(self, doing: &'static str) -> Self {
        match self {
            Self::Refused { source } => Self::Fatal { doing, source, hint: None },
            other => other,
        }
    }

    /// Returns what the user can do about it, if we know.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Fatal { hint, .. } => hint.as_deref(),
            Self::Unfit { hint, .. } => Some(hint),
            Self::Transient { .. } => Some(
                "check that the server is up, and the host and port of the database URL, then \
                 run the same command: what is loaded stays",
            ),
            Self::Conflict | Self::Refused { .. } => None,
        }
    }
}
