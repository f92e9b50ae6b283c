//! Imports AWS CloudTrail logs from S3 or folders into SQLite, PostgreSQL, MySQL or MariaDB.
//!
//! # The way of the data
//!
//! ```text
//! SOURCE ─list steps─▶ [object] ─ledger: new / seen / changed─▶ job
//!    ═ bounded queue ═▶ fetch → decode → parse ─▶ parsed object
//!    ═ bounded queue ═▶ batcher ─▶ batch ─▶ load: rows + ledger lines, one transaction
//!    ─▶ post-load: build the missing indexes ─▶ summary
//! ```
//!
//! An *object* is one log file in the source; a *record* is one CloudTrail event inside it; a
//! *row* is what the table holds; a *batch* is a list of whole objects. A record is *rejected*
//! when it cannot become a row; an object has *failed* when none of it could be loaded, and is
//! *skipped* when it is no log file. The *ledger* is the table that says which objects are in.
//!
//! # What always holds
//!
//! 1. An object is in or out, whole: rows, rejects and ledger line commit in one transaction.
//! 2. A retry asks first: before a batch is written again, the ledger says whether it is in.
//! 3. Two imports may run at once; the ledger's primary key decides.
//! 4. listed = loaded + already loaded + skipped + failed; records = rows + rejected.
//! 5. A run resumes by the ledger only, never by the largest key or the newest time.
//! 6. One bad object costs one object.
//! 7. Every queue, buffer, loop, retry and timeout has a named bound.
//! 8. No secret is printed.
//!
//! # Where things are
//!
//! The modules stand in reading order, and each imports only from those above it (a test keeps
//! that so). `source` and `sink` never meet; only `sink` knows SQL drivers, only `source::s3` the
//! AWS SDK, and only [`pipeline`] has channels and tasks.

pub mod layout;
pub mod object;

pub mod source;

pub mod listing;

pub mod decode;
pub mod row;

pub mod record;

pub mod budget;

pub mod batch;

pub mod ledger;

pub mod config;

pub mod sink;

pub mod error;

pub mod load;

pub mod notice;

pub mod progress;

pub mod index;

pub mod survey;

pub mod pipeline;

pub mod status;

pub mod report;

pub mod logging;

pub mod cli;

pub mod app;
