//! CSV: downloads of the Event history, and query results that have whole records.

use std::borrow::Cow;

use super::{Builder, Unwrapped, added, object, quoted};
use crate::trail::record::{Kind, ParseError};

/// The column of a query result that has whole records (CloudTrail Lake).
const EVENT_JSON: &str = "eventjson";

/// Columns that the Event history has always had. Since 2021 there are 16, before there were 10.
const HISTORY_COLUMNS: [&str; 5] =
    ["Event ID", "Event time", "User name", "Event name", "Event source"];

/// The longest header that is read. The known ones have up to 400 bytes.
const HEADER_BYTES_MAX: usize = 16 << 10;

/// The columns of the Event history that a record has as text, and their fields.
const FIELDS: [(&str, &str); 11] = [
    ("Event time", "eventTime"),
    ("Event source", "eventSource"),
    ("Event name", "eventName"),
    ("AWS region", "awsRegion"),
    ("Source IP address", "sourceIPAddress"),
    ("User agent", "userAgent"),
    ("Error code", "errorCode"),
    ("Request ID", "requestID"),
    ("Event ID", "eventID"),
    ("Event type", "eventType"),
    ("Recipient Account Id", "recipientAccountId"),
];

/// What the first line says of a table.
#[derive(Clone, Copy)]
enum Table {
    History,
    /// A query result, whose records are in this column.
    Records(usize),
    /// A query result with columns of records, but without whole records.
    Columns,
}

/// Returns whether the first line is the header of a table that this module reads or refuses.
pub(super) fn is_export(text: &str) -> bool {
    header_of(text).is_some()
}

/// Returns the records of a table; `None` if it is none that is known.
///
/// # Errors
/// [`ParseError::NoEventJson`]: a query result without whole records.
pub(super) fn unwrap<'t>(
    text: &'t str,
    mut builder: Builder<'t>,
) -> Result<Option<Unwrapped>, ParseError> {
    let Some((header, table)) = header_of(text) else { return Ok(None) };
    // One row may have all commas of the text, and the reader keeps a number for each.
    let cells_max = text.bytes().filter(|byte| *byte == b',').count();
    if cells_max.saturating_mul(size_of::<usize>()) > builder.bytes_max {
        return Err(ParseError::OutOfRoom { bytes_max: builder.bytes_max });
    }
    let mut rows = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
    let mut row = csv::StringRecord::new();
    // The text is UTF-8, and a reader of bytes in memory does not fail.
    while rows.read_record(&mut row).unwrap_or(false) {
        let position = |of: Option<&csv::Position>| {
            let byte = of.map_or(0, csv::Position::byte);
            usize::try_from(byte).unwrap_or(usize::MAX).min(text.len())
        };
        let (start, end) = (position(row.position()), position(Some(rows.position())));
        // The reader takes the second character of an end of line with the next row.
        let line = text[start..end].trim_matches(['\r', '\n']);
        let place = builder.place_of(line);
        let as_text = || quoted(line);
        if row.len() != header.len() {
            builder.push_json(&[&as_text()], place)?;
            continue;
        }
        match table {
            Table::Columns => return Err(ParseError::NoEventJson),
            Table::History => builder.push_json(&[&record_of(&header, &row)], place)?,
            Table::Records(column) => {
                let others = header.iter().zip(&row).enumerate().filter(|(n, _)| *n != column);
                let others: Vec<(&str, String)> =
                    others.map(|(_, (name, cell))| (name, quoted(cell))).collect();
                let others = object(others.iter().map(|(name, cell)| (*name, &**cell)));
                let others = (header.len() > 1).then_some((added::QUERY_RESULT, others));
                builder.push(&row[column], others, place, as_text)?;
            }
        }
    }
    let kind = match table {
        Table::History => Kind::EventHistory,
        Table::Records(_) | Table::Columns => Kind::QueryResult,
    };
    Ok(Some(builder.finish(kind, true)))
}

/// Reads the header, if it is one that is known.
fn header_of(text: &str) -> Option<(csv::StringRecord, Table)> {
    let line = text.split('\n').next().filter(|line| line.len() <= HEADER_BYTES_MAX)?;
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(line.as_bytes());
    let mut header = csv::StringRecord::new();
    if !reader.read_record(&mut header).ok()? {
        return None;
    }
    let position = |name: &str| header.iter().position(|it| it.eq_ignore_ascii_case(name));
    let has_all = |names: &[&str]| names.iter().all(|name| position(name).is_some());
    let table = if has_all(&HISTORY_COLUMNS) {
        Table::History
    } else if let Some(column) = position(EVENT_JSON) {
        Table::Records(column)
    } else if has_all(&["eventtime", "eventname"]) {
        Table::Columns
    } else {
        return None;
    };
    Some((header, table))
}

/// Returns the record of a line of the Event history. It has the fields that the download has.
fn record_of(header: &csv::StringRecord, row: &csv::StringRecord) -> String {
    let cell = |name: &str| {
        let found = header.iter().zip(row).find(|(column, _)| *column == name);
        found.map(|(_, cell)| cell).filter(|cell| !cell.is_empty())
    };
    let mut members: Vec<(&str, Cow<'_, str>)> = Vec::new();
    for (column, field) in FIELDS {
        if let Some(text) = cell(column) {
            members.push((field, quoted(text).into()));
        }
    }
    let (user, key) = (cell("User name"), cell("AWS access key"));
    if user.is_some() || key.is_some() {
        let parts = [("userName", user), ("accessKeyId", key)];
        let parts = parts.map(|(name, text)| (name, text.map(quoted)));
        let parts = parts.iter().filter_map(|(name, text)| Some((*name, text.as_deref()?)));
        members.push(("userIdentity", object(parts).into()));
    }
    if let Some(read_only) = cell("Read-only") {
        let is_bool = ["true", "false"].into_iter().find(|it| it.eq_ignore_ascii_case(read_only));
        members.push(("readOnly", is_bool.map_or_else(|| quoted(read_only).into(), Cow::Borrowed)));
    }
    if let Some(category) = cell("Event category") {
        members.push(("eventCategory", quoted(category).into()));
    }
    if let Some(resources) = cell("Resources").filter(|it| *it != "[]") {
        let is_json = serde_json::from_str::<serde::de::IgnoredAny>(resources).is_ok();
        let json = if is_json { resources.into() } else { quoted(resources).into() };
        members.push((added::LOOKUP_RESOURCES, json));
    }
    let known = ["User name", "AWS access key", "Read-only", "Event category", "Resources"];
    let is_known =
        |name: &str| known.contains(&name) || FIELDS.iter().any(|(column, _)| *column == name);
    let others = header.iter().zip(row).filter(|(name, cell)| !is_known(name) && !cell.is_empty());
    let others: Vec<(&str, String)> = others.map(|(name, cell)| (name, quoted(cell))).collect();
    if !others.is_empty() {
        let others = object(others.iter().map(|(name, cell)| (*name, &**cell)));
        members.push((added::EVENT_HISTORY, others.into()));
    }
    object(members.iter().map(|(name, value)| (*name, &**value)))
}
