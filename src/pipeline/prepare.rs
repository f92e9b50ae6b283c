//! One object: fetch, decode, parse, within the memory budget.

use std::sync::Arc;

use bytes::Bytes;

use super::Shared;
use super::triage::Job;
use crate::batch::{ParsedContent, ParsedObject};
use crate::decode::{DecodeError, decode, decoded_bytes_hint, is_gzip};
use crate::error::chain;
use crate::ledger;
use crate::load::Fate;
use crate::object::ObjectRef;
use crate::record::{CellRules, Content, Kind, ParseError, parse};
use crate::source::{Source, SourceError};
use crate::survey::Sampled;

/// What gzip usually makes of CloudTrail's JSON is a tenth to a fifteenth; this is what an object
/// is expected to need before its trailer has been seen.
const EXPECTED_RATIO: u64 = 12;

/// What decodes to no more than this is read in less than a millisecond. So long the runtime's own
/// threads can do without handing it over, which costs waking another thread, twice.
const INLINE_BYTES_MAX: u64 = 256 << 10;

/// Fetches, decodes and parses one object; `None` if its fate is settled without the database.
pub(super) async fn prepare(shared: &Shared, job: Job) -> Option<ParsedObject> {
    let Job { source, object, id, replaces_line, loaded_digest } = job;
    let size_bytes = object.size_bytes;
    let mut reserved = shared.budget.reserve(expected_bytes(&object)).await;
    let stored = match source.fetch(&object).await {
        Ok(stored) => stored,
        Err(error) if error.is_fatal() => {
            shared.progress.not_reached(size_bytes);
            shared.signals.fail(error);
            return None;
        }
        Err(error) => {
            let content = ParsedContent::Failed(told_with_hint(&error));
            let digest = String::new();
            let reserved = None;
            return Some(ParsedObject { object, id, digest, content, replaces_line, reserved });
        }
    };
    let digest = ledger::digest(&stored);
    if let Some(loaded_digest) = loaded_digest {
        let fate = if loaded_digest == digest {
            Fate::AlreadyLoaded
        } else {
            Fate::Failed("changed since it was loaded; the rows of its earlier state are in".into())
        };
        shared.notices.of_fate(&object, &fate);
        shared.progress.settled_unread(size_bytes, &fate);
        return None;
    }
    let mut decoded_max = decoded_bytes_hint(&stored) as u64;
    let limit = shared.plan.object_bytes_max;
    let content = loop {
        let needed = stored.len() as u64 + 2 * decoded_max;
        if needed > reserved.bytes() {
            // Never wait for more while holding some: that could wait for ever.
            drop(reserved);
            reserved = shared.budget.reserve(needed).await;
        }
        let attempt_limit = limit.min(decoded_max.max(stored.len() as u64));
        match read_off_thread(shared, &stored, &object, attempt_limit).await {
            // The trailer promised less (there are several members, or it lies): once more, with
            // all the room that the limit allows.
            Err(ReadError::Decode(DecodeError::TooLarge { .. })) if attempt_limit < limit => {
                decoded_max = limit;
            }
            other => break other,
        }
    };
    let content = content.unwrap_or_else(|error| ParsedContent::Failed(error.reason()));
    let row_bytes = match &content {
        ParsedContent::Log(log) => log.rows.as_copy_bytes().len() as u64,
        ParsedContent::Foreign(_) | ParsedContent::Failed(_) => 0,
    };
    reserved.shrink(row_bytes);
    let reserved = Some(reserved);
    Some(ParsedObject { object, id, digest, content, replaces_line, reserved })
}

/// Decodes and parses where it holds up nobody: at once if it is quick, else on a thread for that.
async fn read_off_thread(
    shared: &Shared,
    stored: &Bytes,
    object: &ObjectRef,
    limit_bytes: u64,
) -> Result<ParsedContent, ReadError> {
    if limit_bytes <= INLINE_BYTES_MAX {
        return read(stored, object, limit_bytes, shared.sink.rules());
    }
    let cpu = Arc::clone(&shared.cpu).acquire_owned().await.expect("it is never closed");
    let (stored, object, sink) = (stored.clone(), object.clone(), Arc::clone(&shared.sink));
    let read = tokio::task::spawn_blocking(move || {
        let _cpu = cpu;
        read(&stored, &object, limit_bytes, sink.rules())
    });
    read.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}

/// Reads one object for an estimate; what cannot be read tells nothing.
pub(super) async fn sample(
    source: Arc<dyn Source>,
    object: ObjectRef,
    limit_bytes: u64,
) -> Sampled {
    let mut sampled = Sampled::default();
    let Ok(stored) = source.fetch(&object).await else { return sampled };
    let object_bytes = object.size_bytes;
    let content =
        tokio::task::spawn_blocking(move || read(&stored, &object, limit_bytes, &CellRules::ANY));
    let Ok(Ok(content)) = content.await else { return sampled };
    sampled.read.add(object_bytes);
    if let ParsedContent::Log(log) = content {
        sampled.rows += log.rows.len() as u64;
        sampled.row_bytes += log.rows.as_copy_bytes().len() as u64;
    }
    sampled
}

/// Returns what an object will probably need while it is read: stored, decoded, packed.
fn expected_bytes(object: &ObjectRef) -> u64 {
    let is_gzip = object.location.file_name().to_ascii_lowercase().ends_with(".gz");
    let ratio = if is_gzip { EXPECTED_RATIO } else { 1 };
    object.size_bytes.saturating_mul(1 + 2 * ratio)
}

#[derive(Debug, thiserror::Error)]
enum ReadError {
    #[error(transparent)]
    Decode(#[from] DecodeError),
    #[error(transparent)]
    Parse(#[from] ParseError),
}

impl ReadError {
    /// Returns what the ledger and people are told.
    fn reason(&self) -> String {
        let reason = chain(self);
        match self {
            Self::Decode(DecodeError::TooLarge { .. }) => {
                format!("{reason} (`--max-object-size` allows more)")
            }
            Self::Decode(_) | Self::Parse(_) => reason,
        }
    }
}

/// Decodes and parses stored bytes: the CPU's share of the work.
fn read(
    stored: &[u8],
    object: &ObjectRef,
    limit_bytes: u64,
    rules: &CellRules,
) -> Result<ParsedContent, ReadError> {
    let json = decode(stored, limit_bytes)?;
    match parse(&json, rules) {
        Ok(Content::Log(log)) => Ok(ParsedContent::Log(log)),
        Ok(Content::Foreign(kind)) => Ok(ParsedContent::Foreign(kind)),
        // What is neither gzip nor JSON nor named like a log is some other file.
        Err(ParseError::Empty) if !object.claims_to_be_log() => {
            Ok(ParsedContent::Foreign(Kind::Empty))
        }
        Err(_) if !object.claims_to_be_log() && !is_gzip(stored) => {
            Ok(ParsedContent::Foreign(Kind::OtherFile))
        }
        Err(error) => Err(error.into()),
    }
}

fn told_with_hint(error: &SourceError) -> String {
    match error.hint() {
        Some(hint) => format!("{} ({hint})", chain(error)),
        None => chain(error),
    }
}
