//! One object: fetch, decode, parse, within the memory budget.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Semaphore;

use super::batcher::Prepared;
use super::error::chain;
use super::losses::LossLog;
use super::memory::MemoryBudget;
use super::progress::Progress;
use super::stop::StopSignals;
use super::triage::TriagedObject;
use crate::database::Sink;
use crate::database::batch::{NoRows, ParsedObject};
use crate::database::ledger::{ObjectOutcome, Triage, sha256_hex};
use crate::source::SourceError;
use crate::trail::gzip::{DecodeError, decode, decoded_bytes_hint, is_gzip};
use crate::trail::object::ObjectRef;
use crate::trail::record::{CellRules, Kind, Log, ParseError, parse};

/// The ratio that an object is expected to decode with before its trailer has been seen.
/// CloudTrail's JSON usually shrinks to a tenth to a fifteenth.
const EXPECTED_RATIO: u64 = 12;

/// What decodes to no more than this is read in less than a millisecond. The runtime's own threads
/// can be blocked for so long; handing the work to another thread wakes that thread, and then
/// wakes this one again.
const INLINE_BYTES_MAX: u64 = 256 << 10;

/// Turns triaged objects into parsed ones; shared by the fetchers.
#[derive(Debug)]
pub(super) struct Preparer {
    pub(super) sink: Arc<dyn Sink>,
    pub(super) progress: Arc<Progress>,
    pub(super) signals: Arc<StopSignals>,
    pub(super) losses: Arc<LossLog>,
    pub(super) memory: MemoryBudget,
    /// One permit per core: decoding and parsing more at once only costs memory.
    pub(super) cpu: Arc<Semaphore>,
    pub(super) object_bytes_max: u64,
}

impl Preparer {
    /// Fetches, decodes and parses one object; `None` if it is settled without the database.
    pub(super) async fn prepare(&self, triaged: TriagedObject) -> Option<Prepared> {
        let TriagedObject { source, object, id, triage } = triaged;
        let (replaces_line, loaded_sha256) = match triage {
            Triage::New => (false, None),
            Triage::Retry => (true, None),
            Triage::Compare { sha256 } => (false, Some(sha256)),
            Triage::Settled(outcome) => {
                self.progress.settled_unread(object.size_bytes, &outcome);
                return None;
            }
        };
        let size_bytes = object.size_bytes;
        let mut permit = self.memory.reserve(expected_bytes(&object)).await;
        let stored = match source.fetch(&object).await {
            Ok(fetched) => fetched.bytes,
            Err(error) if error.is_fatal() => {
                self.progress.pending(size_bytes);
                self.signals.fail(error);
                return None;
            }
            Err(error) => {
                let failed = Err(NoRows::Failed(with_hint(&error)));
                let object = ParsedObject::new(object, id, String::new(), replaces_line, failed);
                return Some(Prepared { object, permit: None });
            }
        };
        let sha256 = sha256_hex(&stored);
        if let Some(loaded_sha256) = loaded_sha256 {
            let outcome = if loaded_sha256 == sha256 {
                ObjectOutcome::AlreadyLoaded
            } else {
                let reason = "it changed after it was loaded; its earlier rows are still there";
                ObjectOutcome::Failed(reason.into())
            };
            self.losses.outcome(&object, &outcome);
            self.progress.settled_unread(size_bytes, &outcome);
            return None;
        }
        let mut decoded_max = decoded_bytes_hint(&stored) as u64;
        let limit = self.object_bytes_max;
        let content = loop {
            let needed = stored.len() as u64 + 2 * decoded_max;
            if needed > permit.requested_bytes() {
                // Waiting for more while holding some could wait for ever.
                drop(permit);
                permit = self.memory.reserve(needed).await;
            }
            let attempt_limit = limit.min(decoded_max.max(stored.len() as u64));
            match self.read_off_thread(&stored, &object, attempt_limit).await {
                // The trailer promised less (there are several members, or it lies): repeat, with
                // all the room that the limit allows.
                Err(ReadError::Decode(DecodeError::TooLarge { .. })) if attempt_limit < limit => {
                    decoded_max = limit;
                }
                other => break other,
            }
        };
        let content = content.map_err(ReadError::into_no_rows);
        let row_bytes = content.as_ref().map_or(0, |log| log.rows.as_copy_bytes().len() as u64);
        permit.shrink(row_bytes);
        let object = ParsedObject::new(object, id, sha256, replaces_line, content);
        Some(Prepared { object, permit: Some(permit) })
    }

    /// Decodes and parses inline if the object is small, otherwise on the blocking pool.
    async fn read_off_thread(
        &self,
        stored: &Bytes,
        object: &ObjectRef,
        limit_bytes: u64,
    ) -> Result<Log, ReadError> {
        if limit_bytes <= INLINE_BYTES_MAX {
            return read(stored, object, limit_bytes, self.sink.rules());
        }
        let cpu = Arc::clone(&self.cpu).acquire_owned().await.expect("it is never closed");
        let (stored, object, sink) = (stored.clone(), object.clone(), Arc::clone(&self.sink));
        let read = tokio::task::spawn_blocking(move || {
            let _cpu = cpu;
            read(&stored, &object, limit_bytes, sink.rules())
        });
        read.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
    }
}

/// Returns what an object is expected to need while it is read: stored, decoded, packed.
fn expected_bytes(object: &ObjectRef) -> u64 {
    let is_gzip = object.location.file_name().to_ascii_lowercase().ends_with(".gz");
    let ratio = if is_gzip { EXPECTED_RATIO } else { 1 };
    object.size_bytes.saturating_mul(1 + 2 * ratio)
}

/// Why an object has no rows.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error(transparent)]
    Decode(#[from] DecodeError),
    #[error(transparent)]
    Parse(#[from] ParseError),
}

impl ReadError {
    /// Returns whether the object was read, and is something else than a log.
    pub(super) fn is_not_a_log(&self) -> bool {
        matches!(self, Self::Parse(ParseError::NotALog(_)))
    }

    /// Returns what the ledger records.
    fn into_no_rows(self) -> NoRows {
        match self {
            Self::Parse(ParseError::NotALog(kind)) => NoRows::Skipped(kind),
            Self::Decode(DecodeError::TooLarge { .. }) => {
                NoRows::Failed(format!("{} (raise `--max-object-size` to load it)", chain(&self)))
            }
            Self::Decode(_) | Self::Parse(_) => NoRows::Failed(chain(&self)),
        }
    }
}

/// Decodes and parses stored bytes: the CPU's part of the work.
pub(super) fn read(
    stored: &[u8],
    object: &ObjectRef,
    limit_bytes: u64,
    rules: &CellRules,
) -> Result<Log, ReadError> {
    let json = decode(stored, limit_bytes)?;
    let error = match parse(&json, rules) {
        Ok(log) => return Ok(log),
        Err(error) => error,
    };
    // A file that is neither gzip nor JSON nor named like a log is some other file.
    Err(ReadError::Parse(match error {
        ParseError::NotALog(_) => error,
        ParseError::Empty if !object.claims_to_be_log() => ParseError::NotALog(Kind::Empty),
        _ if !object.claims_to_be_log() && !is_gzip(stored) => ParseError::NotALog(Kind::OtherFile),
        _ => error,
    }))
}

/// Returns the error, its causes and its hint in one line.
fn with_hint(error: &SourceError) -> String {
    match error.hint() {
        Some(hint) => format!("{} ({hint})", chain(error)),
        None => chain(error),
    }
}
