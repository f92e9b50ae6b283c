//! Imports AWS CloudTrail logs from S3 or folders into SQLite, PostgreSQL, MySQL or MariaDB.
//!
//! # Data flow
//!
//! ```text
//! SOURCE ─list─▶ [object] ─ledger: new / seen / changed─▶ job
//!    ═ bounded queue ═▶ fetch → decode → parse ─▶ parsed object
//!    ═ bounded queue ═▶ batcher ─▶ batch ─▶ load: rows + ledger lines, one transaction
//!    ─▶ post-load: build the missing indexes ─▶ summary
//! ```
//!
//! An *object* is one log file in the source; a *record* is one CloudTrail event inside it; a
//! *row* is what the table holds; a *batch* is a list of whole objects. A record is *rejected*
//! when it cannot become a row; an object has *failed* when none of it could be loaded, and is
//! *skipped* when it is not a log file. The *ledger* is the table that records which objects are
//! loaded.
//!
//! # Invariants
//!
//! 1. An object is loaded whole or not at all: its rows, rejects and ledger line commit together.
//! 2. Before a batch is written again, the ledger is asked whether it was committed.
//! 3. Two imports may run at once; the ledger's primary key decides.
//! 4. listed = loaded + already loaded + skipped + failed; records = rows + rejected + filtered +
//!    duplicates.
//! 5. A run resumes by the ledger only, never by the largest key or the newest time.
//! 6. One bad object costs one object.
//! 7. Every queue, buffer, loop, retry and timeout has a named bound.
//! 8. No secret is printed.
//! 9. A row names its object, and the record can be rebuilt from it.
//!
//! # Rooms
//!
//! The rooms are listed in reading order. A room imports only from rooms above it, `source` and
//! `database` never import each other, and the modules of a room are listed in their own order
//! (`tests/it/structure.rs` enforces all of it).

/// The retry policy: attempts, a deadline, jittered backoff. Every loop that repeats a request
/// uses it.
pub mod retry;

/// What CloudTrail is: key layout, selection, fields, gzip and JSON to rows; its digests, and what
/// they prove.
/// Pure: no I/O, no async, no SQL.
pub mod trail;

/// Where objects come from: folders, S3, the listing queue. Knows no SQL.
pub mod source;

/// Where rows go and answers come from: schema, drivers, ledger, runs, migrations, post-load
/// indexes, status. Knows no S3; only this room imports sqlx.
pub mod database;

/// The conductor: triage, preparation, memory budget, batches, exactly-once load, progress, dry
/// run. The only room with channels and tasks.
pub mod import;

/// Verification: digests against the ledger. Keeps requests in flight, but has no channels and tasks.
pub mod verify;

/// Questions to the tables by name, and their SQL for each database. Reads only.
pub mod answers;

/// Arguments, configuration, one file per command, and everything that is printed.
pub mod cli;

/// What the fuzz targets run and check, each a function of bytes. The tests run the same functions
/// on the corpus of `fuzz/corpus/`.
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
