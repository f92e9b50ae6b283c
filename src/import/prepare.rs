//! One object: fetch, decode, parse, within the memory budget.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Semaphore;

use super::batcher::Prepared;
use super::breaker::{Breaker, DENIED_MAX};
use super::error::chain;
use super::losses::LossLog;
use super::memory::{Memory, MemoryPermit};
use super::progress::Progress;
use super::stop::StopSignals;
use super::triage::TriagedObject;
use crate::database::batch::{NoRows, ParsedObject};
use crate::database::ledger::{LoadedContent, ObjectOutcome, Triage, sha256_hex};
use crate::source::{Source, SourceError};
use crate::trail::filter::{FILTERS_BYTES_MAX, FilterSet, Wanted};
use crate::trail::gzip::{DecodeError, decode, decoded_bytes_hint, is_gzip};
use crate::trail::integrity::hash::ContentHash;
use crate::trail::object::ObjectRef;
use crate::trail::record::{
    CellRules, Kind, Log, ParseError, ParseLimits, ParseOptions, REJECTS_MAX, may_be_text_export,
    parse_object,
};

/// What decodes to no more than this is read in less than a millisecond. The runtime's own threads
/// can be blocked for so long; handing the work to another thread wakes that thread, and then
/// wakes this one again.
const INLINE_BYTES_MAX: u64 = 256 << 10;

/// How much of an object is read to classify it.
const HEAD_BYTES: u64 = 64 << 10;

/// An object above this size that is not named like a log is classified by its head first.
const UNNAMED_BYTES_MAX: u64 = 1 << 20;

/// Deflate makes incompressible data at most 5 bytes per 16 KiB longer (RFC 1951, section 3.2.4),
/// and the headers of one member take less than this: an object that is longer than the limit by
/// more decodes to more than the limit.
const GZIP_OVERHEAD_MIN: u64 = 64 << 10;

/// Bytes that the parser may need for one byte of the worst text: U+FFFD for a single byte (3), the
/// same twice in its row, as a column and among the other fields (6), 106 bytes of row for each 14 of a
/// tiny record (8), and as much again while the rows are moved to a larger buffer.
const WORST_RATIO: u64 = 3 + 2 * (6 + 8);

/// Bytes for one byte of a usual export: a copy of its records, their places, and their rows.
const EXPORT_RATIO: u64 = 4;

/// Why an object is not read again: see [`FILTERS_BYTES_MAX`].
const TOO_MANY_FILTERS: &str = "it was imported with so many filters that the ledger has no room for more; import it without \
     filters";

/// Turns triaged objects into parsed ones; shared by the fetchers.
///
/// Memory is reserved in a fixed order, from two budgets: first for the stored bytes, then for the
/// decoded text and its rows. A task that waits for the second budget holds only the first, and no
/// task that holds the second waits for the first. So no deadlock is possible.
#[derive(Debug)]
pub(super) struct Preparer {
    pub(super) rules: CellRules,
    pub(super) progress: Arc<Progress>,
    pub(super) signals: Arc<StopSignals>,
    pub(super) breaker: Breaker,
    pub(super) memory: Memory,
    /// One permit per core: decoding and parsing more at once only costs memory.
    pub(super) cpu: Arc<Semaphore>,
    pub(super) object_bytes_max: u64,
    /// Whether the rows of a changed object are replaced.
    pub(super) replaces_changed: bool,
    /// The records to load.
    pub(super) selected: FilterSet,
    /// Whether contents are hashed.
    pub(super) hashes_contents: bool,
    pub(super) losses: Arc<LossLog>,
}

impl Preparer {
    /// Fetches, decodes and parses one object; `None` if it is settled without the database.
    pub(super) async fn prepare(&self, triaged: TriagedObject) -> Option<Prepared> {
        let TriagedObject { source, object, id, triage } = triaged;
        let (replaces_line, loaded) = match triage {
            Triage::New => (false, None),
            Triage::Retry => (true, None),
            Triage::Compare(loaded) => (false, Some(loaded)),
            Triage::Settled(outcome) => {
                self.progress.settled_unread(&object, &outcome);
                return None;
            }
        };
        let fetching = self.fetch(&*source, &object);
        // What is being fetched when the run is stopped is left for the next run.
        let fetched = tokio::select! {
            biased;
            fetched = fetching => fetched,
            () = self.signals.stopped() => {
                self.progress.pending(object.size_bytes);
                return None;
            }
        };
        let (stored, _stored_permit) = match fetched {
            Ok(fetched) => {
                self.breaker.read();
                fetched
            }
            Err(FetchError::Source(error)) if error.is_fatal() => {
                self.progress.pending(object.size_bytes);
                self.signals.fail(error);
                return None;
            }
            Err(FetchError::Source(denied @ SourceError::Denied { .. }))
                if !replaces_line && self.breaker.denied() =>
            {
                self.progress.pending(object.size_bytes);
                let cause = Box::new(denied);
                self.signals.fail(SourceError::AllDenied { objects: DENIED_MAX, cause });
                return None;
            }
            Err(error) if loaded.is_some() => {
                self.not_read_again(&object, &error.into_no_rows());
                return None;
            }
            Err(error) => {
                let content = Err(error.into_no_rows());
                let object = ParsedObject::new(object, id, String::new(), replaces_line, content);
                return Some(Prepared { object, permit: None });
            }
        };
        let sha256 = sha256_hex(&stored);
        let Some(wanted) = self.wanted(loaded.as_ref(), &sha256) else {
            let loaded = loaded.expect("all records of an object that is not loaded are wanted");
            let object = ParsedObject::compared(object, id, sha256, &loaded);
            return Some(Prepared { object, permit: None });
        };
        if wanted.is_read_again()
            && wanted.loaded.union(&wanted.selected).column_bytes() > FILTERS_BYTES_MAX
        {
            self.not_read_again(&object, &NoRows::Failed(TOO_MANY_FILTERS.to_owned()));
            return None;
        }
        let wanted = Arc::new(wanted);
        let (read, mut permit) = self.read(&stored, &object, id.number(0), &wanted).await;
        let (content, hash) = match read {
            Ok(Read { log, content }) => (Ok(log), content),
            Err(error) => (Err(error.into_no_rows()), None),
        };
        permit.shrink(content.as_ref().map_or(0, Log::bytes));
        let object = match (loaded, content) {
            (Some(loaded), Ok(log)) if wanted.is_read_again() => {
                ParsedObject::extending(object, id, loaded, &self.selected, log)
            }
            (Some(_), Err(no_rows)) if wanted.is_read_again() => {
                self.not_read_again(&object, &no_rows);
                return None;
            }
            (Some(loaded), content) => ParsedObject::replacing(object, id, sha256, loaded, content)
                .selected_by(wanted.selected.clone()),
            (None, content) => ParsedObject::new(object, id, sha256, replaces_line, content)
                .selected_by(wanted.selected.clone()),
        };
        Some(Prepared { object: object.with_content(hash), permit: Some(permit) })
    }

    /// Returns which records of an object are read; `None` if there is nothing to load.
    fn wanted(&self, loaded: Option<&LoadedContent>, sha256: &str) -> Option<Wanted> {
        let selected = self.selected.clone();
        let Some(loaded) = loaded else {
            return Some(Wanted { selected, loaded: FilterSet::NONE });
        };
        let is_same = loaded.sha256 == sha256;
        if loaded.number.is_none() || (is_same && loaded.filters.covers(&selected)) {
            None
        } else if is_same {
            Some(Wanted { selected, loaded: loaded.filters.clone() })
        } else {
            let replaces = self.replaces_changed || loaded.is_read_again();
            // What earlier imports selected stays selected.
            let selected = loaded.filters.union(&selected);
            replaces.then_some(Wanted { selected, loaded: FilterSet::NONE })
        }
    }

    /// Counts a loaded object as failed that was to be compared or extended. What is loaded stays, and
    /// the next run tries again.
    fn not_read_again(&self, object: &ObjectRef, no_rows: &NoRows) {
        let reason = match no_rows {
            NoRows::Skipped(kind) => format!("it is {} now", kind.as_str()),
            NoRows::Failed(reason) => reason.clone(),
        };
        let reason = format!("it is loaded, but cannot be read again: {reason}");
        let outcome = ObjectOutcome::Failed(reason);
        self.losses.outcome(object, &outcome);
        self.progress.settled_unread(object, &outcome);
    }

    /// Fetches an object, unless its size and its head show that it need not be.
    async fn fetch(
        &self,
        source: &dyn Source,
        object: &ObjectRef,
    ) -> Result<(Bytes, MemoryPermit), FetchError> {
        let is_too_large = object.size_bytes > self.object_bytes_max + GZIP_OVERHEAD_MIN;
        let is_suspect = !object.claims_to_be_log() && object.size_bytes > UNNAMED_BYTES_MAX;
        if is_too_large || is_suspect {
            let head = source.fetch_head(object, HEAD_BYTES).await.map_err(FetchError::Source)?;
            let may_be_log = object.claims_to_be_log()
                || is_gzip(&head)
                || may_be_json(&head)
                || may_be_text_export(&head);
            if !may_be_log {
                return Err(FetchError::NotALog(Kind::OtherFile));
            }
            if is_too_large {
                let limit_bytes = self.object_bytes_max;
                let error = ReadError::Decode(DecodeError::TooLarge { limit_bytes });
                return Err(FetchError::TooLarge(error));
            }
        }
        let permit = self.memory.stored.reserve(object.size_bytes).await;
        let fetched = source.fetch(object).await.map_err(FetchError::Source)?;
        Ok((fetched.bytes, permit))
    }

    /// Decodes and parses, with more memory if it turns out to need more.
    async fn read(
        &self,
        stored: &Bytes,
        object: &ObjectRef,
        number: i64,
        wanted: &Arc<Wanted>,
    ) -> (Result<Read, ReadError>, MemoryPermit) {
        let limit = self.object_bytes_max;
        let mut decoded_max = limit.min(decoded_bytes_hint(stored).max(stored.len()) as u64);
        // A row usually takes less than its record's text, and seldom a quarter more.
        let mut rows_max = decoded_max + decoded_max / 4;
        loop {
            let permit = self.memory.decoded.reserve(decoded_max + rows_max).await;
            let options = ReadOptions {
                number,
                hashes_content: self.hashes_contents,
                decoded_bytes_max: decoded_max,
                parse: ParseLimits {
                    bytes_max: usize::try_from(rows_max).unwrap_or(usize::MAX),
                    rejects_max: REJECTS_MAX,
                },
            };
            match self.read_off_thread(stored, object, options, wanted).await {
                // The trailer promised less: there are several members, or it is wrong.
                Err(ReadError::Decode(DecodeError::TooLarge { .. })) if decoded_max < limit => {
                    decoded_max = limit;
                    rows_max = rows_max.max(limit + limit / 4);
                }
                Err(ReadError::Parse(ParseError::OutOfRoom { .. }))
                    if rows_max < decoded_max * WORST_RATIO =>
                {
                    let is_usual = rows_max < decoded_max * EXPORT_RATIO;
                    rows_max = decoded_max * if is_usual { EXPORT_RATIO } else { WORST_RATIO };
                }
                other => return (other, permit),
            }
        }
    }

    /// Decodes and parses inline if the object is small, otherwise on the blocking pool.
    async fn read_off_thread(
        &self,
        stored: &Bytes,
        object: &ObjectRef,
        options: ReadOptions,
        wanted: &Arc<Wanted>,
    ) -> Result<Read, ReadError> {
        if options.decoded_bytes_max <= INLINE_BYTES_MAX {
            return read(stored, object, options, &self.rules, wanted);
        }
        let cpu = Arc::clone(&self.cpu).acquire_owned().await.expect("it is never closed");
        let (stored, object, rules) = (stored.clone(), object.clone(), self.rules.clone());
        let wanted = Arc::clone(wanted);
        let read = tokio::task::spawn_blocking(move || {
            let _cpu = cpu;
            read(&stored, &object, options, &rules, &wanted)
        });
        read.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
    }
}

/// Returns whether the first character that is not blank may begin a JSON document of records.
fn may_be_json(head: &[u8]) -> bool {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    // Only blanks so far: the rest decides.
    matches!(text.first(), None | Some(b'{' | b'['))
}

/// Why an object was not fetched.
#[derive(Debug)]
enum FetchError {
    Source(SourceError),
    NotALog(Kind),
    TooLarge(ReadError),
}

impl FetchError {
    /// Returns what the ledger records.
    fn into_no_rows(self) -> NoRows {
        match self {
            Self::Source(error) => NoRows::Failed(with_hint(&error)),
            Self::NotALog(kind) => NoRows::Skipped(kind),
            Self::TooLarge(error) => error.into_no_rows(),
        }
    }
}

/// How one object is read.
#[derive(Debug, Clone, Copy)]
struct ReadOptions {
    /// Its number in the ledger.
    number: i64,
    /// Whether its content is hashed.
    hashes_content: bool,
    /// What it may take.
    decoded_bytes_max: u64,
    parse: ParseLimits,
}

/// What one object has.
#[derive(Debug)]
struct Read {
    log: Log,
    /// The hash of its content, if it was to be taken.
    content: Option<ContentHash>,
}

/// Why an object has no rows.
#[derive(Debug, thiserror::Error)]
enum ReadError {
    #[error(transparent)]
    Decode(#[from] DecodeError),
    #[error(transparent)]
    Parse(#[from] ParseError),
}

impl ReadError {
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
fn read(
    stored: &[u8],
    object: &ObjectRef,
    options: ReadOptions,
    rules: &CellRules,
    wanted: &Wanted,
) -> Result<Read, ReadError> {
    let json = decode(stored, options.decoded_bytes_max)?;
    let ReadOptions { number: object_number, parse: limits, hashes_content, .. } = options;
    let options = ParseOptions { rules, limits, object_number, wanted };
    let error = match parse_object(&json, &options) {
        Ok(log) => {
            let content = hashes_content.then(|| ContentHash::of(&json));
            return Ok(Read { log, content });
        }
        Err(error) => error,
    };
    // A file that is neither gzip nor JSON nor named like a log is some other file.
    Err(ReadError::Parse(match error {
        ParseError::NotALog(_) | ParseError::OutOfRoom { .. } => error,
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
