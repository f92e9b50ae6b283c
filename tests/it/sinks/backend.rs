//! Where a promise is checked that needs no SQL: on a database, or on the store in memory.

use std::sync::Arc;
use std::time::Duration;

use cloudtrail2sql::database::memory_store::{Fault, MemoryStore};
use cloudtrail2sql::database::{Store, UpgradePolicy};

use super::objects::id;
use super::scratch::Scratch;
use crate::databases::Engine;

/// Selects the store in memory, as an [`Engine`] selects a database.
pub struct Memory;

/// The choice of a backend.
pub enum BackendKind {
    Memory,
    Sql(Engine),
}

impl From<Memory> for BackendKind {
    fn from(_: Memory) -> Self {
        Self::Memory
    }
}

impl From<Engine> for BackendKind {
    fn from(engine: Engine) -> Self {
        Self::Sql(engine)
    }
}

/// A test's own database, or its own store in memory.
pub enum Backend {
    Memory(Arc<MemoryStore>),
    Sql(Scratch),
}

impl Backend {
    /// Makes a backend with our tables, and a sink for it.
    pub async fn prepared(kind: impl Into<BackendKind>) -> (Self, Arc<dyn Store>) {
        let backend = match kind.into() {
            BackendKind::Memory => Self::Memory(Arc::new(MemoryStore::new())),
            BackendKind::Sql(engine) => Self::Sql(Scratch::new(engine)),
        };
        let sink = backend.sink();
        assert!(!sink.has_ledger().await.unwrap());
        assert!(sink.prepare(UpgradePolicy::Refuse).await.unwrap());
        assert!(sink.has_ledger().await.unwrap());
        (backend, sink)
    }

    /// Returns another sink for the same data.
    pub fn sink(&self) -> Arc<dyn Store> {
        match self {
            Self::Memory(store) => store.clone(),
            Self::Sql(scratch) => scratch.sink(),
        }
    }

    /// Returns how many rows, ledger lines and rejects there are.
    pub async fn counts(&self) -> [usize; 3] {
        match self {
            Self::Memory(store) => {
                let rows = store.rows();
                let state = store.state();
                [rows, state.lines.len(), state.rejects.len()]
            }
            Self::Sql(scratch) => scratch.counts().await,
        }
    }

    /// Returns how many different eventIDs the rows have.
    pub async fn event_ids(&self) -> usize {
        match self {
            Self::Memory(store) => {
                let state = store.state();
                let ids: std::collections::HashSet<_> =
                    state.rows.iter().map(|(_, event_id)| event_id).collect();
                ids.len()
            }
            Self::Sql(scratch) => scratch.count("(SELECT DISTINCT eventID FROM logs) AS ids").await,
        }
    }

    /// Makes it refuse the rows of the object `b`, whose eventName is `bad`.
    pub async fn refuse_bad_rows(&self) {
        let Self::Sql(scratch) = self else {
            let Self::Memory(store) = self else { unreachable!() };
            store.state().bad.insert(id("b"));
            return;
        };
        let rule = match scratch.engine {
            Engine::Sqlite => {
                "CREATE TRIGGER no_bad BEFORE INSERT ON logs WHEN NEW.eventName = 'bad' \
                 BEGIN SELECT RAISE(ABORT, 'no bad rows'); END"
            }
            _ => "ALTER TABLE logs ADD CONSTRAINT no_bad CHECK (eventName <> 'bad')",
        };
        scratch.run(rule).await;
    }

    /// Deletes the ledger line of an object, but not its rejects, as a person may do.
    pub async fn delete_line(&self, name: &str) {
        match self {
            Self::Memory(store) => {
                store.state().lines.remove(&id(name)).unwrap();
            }
            Self::Sql(scratch) => {
                let delete = format!("DELETE FROM import_objects WHERE uri = 's3://trail/{name}'");
                scratch.run(&delete).await;
            }
        }
    }

    /// Makes the next writes yield to others, as those to a real database do.
    pub fn yield_in_writes(&self) {
        if let Self::Memory(store) = self {
            let delay = |n: u64| Fault::Delay(Duration::from_millis(n % 3));
            store.state().write_faults.extend((0..100).map(delay));
        }
    }
}
