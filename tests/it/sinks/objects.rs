//! Parsed objects and batches, made without a source.

use cloudtrail2sql::database::batch::{Batch, NoRows, ParsedObject};
use cloudtrail2sql::trail::fields::COLUMN_COUNT;
pub use cloudtrail2sql::trail::fields::column;
use cloudtrail2sql::trail::object::{Location, ObjectId, ObjectRef};
use cloudtrail2sql::trail::record::{CellRules, Log, ParseLimits, Reject, RejectReason, parse};
use cloudtrail2sql::trail::rows::Cells;

/// The run that the tests write for.
pub const RUN: i64 = 7;

/// Returns a row with these values; the other columns are NULL.
pub fn cells<'t>(values: &[(&str, &'t str)]) -> Cells<'t> {
    let mut cells = [None; COLUMN_COUNT];
    for (name, value) in values {
        cells[column(name)] = Some(*value);
    }
    cells
}

/// Returns the ledger's key of the object of that name.
pub fn id(name: &str) -> ObjectId {
    location(name).id()
}

fn location(name: &str) -> Location {
    Location::S3 { bucket: "trail".into(), key: name.into() }
}

/// Returns an object with any content.
pub fn object(name: &str, content: Result<Log, NoRows>) -> ParsedObject {
    let location = location(name);
    let id = location.id();
    let object = ObjectRef { location, size_bytes: 41, version: "v1".into(), is_named: false };
    ParsedObject::new(object, id, "d1".into(), false, content)
}

/// Returns an object that holds these rows.
pub fn log_of<'c>(name: &str, rows: impl IntoIterator<Item = Cells<'c>>) -> ParsedObject {
    let mut log = Log::default();
    rows.into_iter().for_each(|cells| log.rows.push(&cells.into()));
    object(name, Ok(log))
}

/// Returns an object whose rows differ in their eventID, NAME/0 and so on.
pub fn numbered(name: &str, rows: usize) -> ParsedObject {
    object(name, Ok(numbered_log(name, rows)))
}

/// Returns the log of [`numbered`].
pub fn numbered_log(name: &str, rows: usize) -> Log {
    let mut log = Log::default();
    for n in 0..rows {
        let event_id = format!("{name}/{n}");
        log.rows.push(&cells(&[("eventID", &event_id), ("eventName", "GetObject")]).into());
    }
    log
}

/// Returns an object read from JSON by the rules of a sink.
pub fn parsed(name: &str, json: &str, rules: &CellRules) -> ParsedObject {
    object(name, Ok(parse(json.as_bytes(), rules, ParseLimits::UNBOUNDED_BYTES).unwrap()))
}

/// Returns a record that was rejected.
pub fn reject(index: u64, text: &str) -> Reject {
    let (offset_bytes, reason) = (100 * index, RejectReason::NotARecord);
    Reject { index, offset_bytes, reason, text: text.into() }
}

/// Returns an object that failed.
pub fn failed(name: &str, reason: &str) -> ParsedObject {
    object(name, Err(NoRows::Failed(reason.into())))
}

/// Returns a batch.
pub fn batch(id: i64, objects: impl Into<Vec<ParsedObject>>) -> Batch {
    Batch { id, objects: objects.into() }
}
