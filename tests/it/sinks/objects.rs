//! Parsed objects and batches, made without a source.

use cloudtrail2sql::batch::{Batch, ParsedContent, ParsedObject};
use cloudtrail2sql::object::{Location, ObjectId, ObjectRef};
use cloudtrail2sql::record::{COLUMNS, CellRules, Content, Log, Reject, parse};
use cloudtrail2sql::row::{CELLS, Cells};

/// The run that the tests write for.
pub const RUN: i64 = 7;

/// Returns the position of a column of `logs`.
pub fn column(name: &str) -> usize {
    COLUMNS.iter().position(|column| *column == name).unwrap()
}

/// Returns a row with these values; the other columns are NULL.
pub fn cells<'t>(values: &[(&str, &'t str)]) -> Cells<'t> {
    let mut cells = [None; CELLS];
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
pub fn object(name: &str, content: ParsedContent) -> ParsedObject {
    let location = location(name);
    ParsedObject {
        id: location.id(),
        object: ObjectRef { location, size_bytes: 41, version: "v1".into(), is_named: false },
        digest: "d1".into(),
        content,
        replaces_line: false,
        reserved: None,
    }
}

/// Returns an object that holds these rows.
pub fn log_of<'c>(name: &str, rows: impl IntoIterator<Item = Cells<'c>>) -> ParsedObject {
    let mut log = Log::default();
    rows.into_iter().for_each(|cells| log.rows.push(&cells));
    object(name, ParsedContent::Log(log))
}

/// Returns an object whose rows differ in their eventID, NAME/0 and so on.
pub fn numbered(name: &str, rows: usize) -> ParsedObject {
    let mut log = Log::default();
    for n in 0..rows {
        log.rows.push(&cells(&[("eventID", &format!("{name}/{n}")), ("eventName", "GetObject")]));
    }
    object(name, ParsedContent::Log(log))
}

/// Returns an object read from JSON by the rules of a sink.
pub fn parsed(name: &str, json: &str, rules: &CellRules) -> ParsedObject {
    let Ok(Content::Log(log)) = parse(json.as_bytes(), rules) else { panic!("no log: {json}") };
    object(name, ParsedContent::Log(log))
}

/// Returns a record that was rejected.
pub fn reject(index: u64, text: &str) -> Reject {
    let (offset_bytes, reason) = (100 * index, format!("reason {index}"));
    Reject { index, offset_bytes, reason, text: text.into() }
}

/// Returns an object that failed.
pub fn failed(name: &str, reason: &str) -> ParsedObject {
    object(name, ParsedContent::Failed(reason.into()))
}

/// Returns a batch.
pub fn batch(id: i64, objects: impl Into<Vec<ParsedObject>>) -> Batch {
    Batch { id, objects: objects.into() }
}
