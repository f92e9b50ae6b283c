//! Exports that are JSON: single documents, one after another, or in arrays.
//!
//! The text is read until something in it is an export, so that any other JSON costs no memory. Only then
//! are records copied.

use std::borrow::Cow;
use std::ops::ControlFlow::{self, Break, Continue};

use serde_json::value::RawValue;

use self::envelope::{Envelope, each_document, each_element, first_element, name_of};
use super::{Builder, Unwrapped, added, object};
use crate::trail::record::members::Members;
use crate::trail::record::text::{Content, characters};
use crate::trail::record::{Kind, ParseError};

mod envelope;

/// The column of Logs Insights that has the whole message.
const MESSAGE: &str = "@message";

/// The column of CloudTrail Lake that has whole records, in lower case.
const EVENT_JSON: &str = "eventjson";

/// Returns the records of all documents; `None` if none of them is an export.
pub(super) fn unwrap(text: &str, bytes_max: usize) -> Result<Option<Unwrapped>, ParseError> {
    let first = each_document(text, &mut |element| match Shape::of(element) {
        Some((shape, _)) => Break(shape.kind()),
        None => Continue(()),
    });
    let Ok(Break(kind)) = first else { return Ok(None) };
    let mut reader = Reader { builder: Builder::new(text, bytes_max) };
    let read = each_document(text, &mut |element| flow(reader.element(element)));
    match read.map_err(|error| ParseError::from_json(error, text.len()))? {
        Break(error) => Err(error),
        Continue(()) => Ok(Some(reader.builder.finish(kind, false))),
    }
}

/// What a JSON value is that has records inside.
enum Shape<'t> {
    /// A record as a string: an element of `--query 'Events[].CloudTrailEvent'`.
    Text,
    /// An answer of `lookup-events` (AWS CLI, "cloudtrail lookup-events").
    Lookup(&'t RawValue),
    /// One event of such an answer.
    LookedUp,
    /// An event of EventBridge (EventBridge user guide, "Events").
    EventBridge(&'t RawValue),
    /// What a subscription delivers (CloudWatch Logs user guide, "Log group-level subscription filters").
    Subscription(&'t RawValue),
    /// The message by which CloudWatch Logs checks that the destination of a subscription can be reached.
    Control,
    /// An answer of `filter-log-events` or `get-log-events`.
    LogEvents(&'t RawValue),
    /// The result of a query of Logs Insights.
    Insights(&'t RawValue),
    /// The result of a query of CloudTrail Lake.
    QueryResult(&'t RawValue),
}

impl<'t> Shape<'t> {
    /// Returns what a document is, or an element of a top-level array.
    fn of(element: &'t RawValue) -> Option<(Self, Envelope<'t>)> {
        if element.get().starts_with('"') {
            let text = characters(element.get(), Content::Unchecked, &mut 0);
            return Members::parse(&text).is_marked().then(|| (Self::Text, Envelope::default()));
        }
        let envelope = Envelope::of(element)?;
        let list = |name: &str| envelope.get(name).filter(|it| it.get().starts_with('['));
        // Other services have lists of these names, too.
        let list_with = |name: &str, members: &[&str]| {
            let list = list(name)?;
            let first = Envelope::of(first_element(list)?)?;
            members.iter().all(|name| first.get(name).is_some()).then_some(list)
        };
        let detail = envelope.get("detail").filter(|it| it.get().starts_with('{'));
        let shape = if envelope.get("CloudTrailEvent").is_some() {
            Self::LookedUp
        } else if let Some(events) = list_with("Events", &["CloudTrailEvent"]) {
            Self::Lookup(events)
        } else if let (Some(_), Some(detail)) = (envelope.get("detail-type"), detail) {
            Self::EventBridge(detail)
        } else if let (Some(kind), Some(events)) = (envelope.get("messageType"), list("logEvents"))
        {
            let is_control = kind.get() == "\"CONTROL_MESSAGE\"";
            if is_control { Self::Control } else { Self::Subscription(events) }
        } else if let Some(events) = list_with("events", &["message", "timestamp"]) {
            Self::LogEvents(events)
        } else if let Some(rows) = list("results")
            && let Some(row) = first_element(rows)
            && cells(row, insights_cell).iter().any(|(name, _)| name == MESSAGE)
        {
            Self::Insights(rows)
        } else {
            Self::QueryResult(list("QueryResultRows")?)
        };
        Some((shape, envelope))
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Text | Self::Lookup(_) | Self::LookedUp => Kind::LookupEvents,
            Self::EventBridge(_) => Kind::EventBridge,
            Self::Subscription(_) | Self::Control | Self::LogEvents(_) | Self::Insights(_) => {
                Kind::CloudWatchLogs
            }
            Self::QueryResult(_) => Kind::QueryResult,
        }
    }
}

struct Reader<'t> {
    builder: Builder<'t>,
}

impl<'t> Reader<'t> {
    /// Takes one document, or one element of a top-level array.
    fn element(&mut self, element: &'t RawValue) -> Result<(), ParseError> {
        let Some((shape, envelope)) = Shape::of(element) else { return self.no_record(element) };
        match shape {
            Shape::Text => self.record(element.get(), None),
            Shape::LookedUp => self.looked_up(element),
            Shape::Lookup(events) => each(events, |event| self.looked_up(event)),
            Shape::EventBridge(detail) => {
                let place = self.builder.place_of(element.get());
                let added = (added::EVENT_BRIDGE, object(envelope.without(&["detail"])));
                self.builder.push(detail.get(), Some(added), place, || detail.get().to_owned())
            }
            Shape::Control => Ok(()),
            Shape::Subscription(events) => {
                let group = object(envelope.without(&["logEvents", "messageType"]));
                each(events, |event| self.message(event, &group))
            }
            Shape::LogEvents(events) => each(events, |event| self.message(event, "{}")),
            Shape::Insights(rows) => each(rows, |row| {
                let cells = cells(row, insights_cell);
                self.row(row, &cells, MESSAGE, added::CLOUDWATCH_LOGS)
            }),
            Shape::QueryResult(rows) => each(rows, |row| {
                let cells = cells(row, query_cell);
                if !cells.is_empty() && cells.iter().all(|(name, _)| name != EVENT_JSON) {
                    return Err(ParseError::NoEventJson);
                }
                self.row(row, &cells, EVENT_JSON, added::QUERY_RESULT)
            }),
        }
    }

    /// Takes an event of `lookup-events`.
    fn looked_up(&mut self, event: &'t RawValue) -> Result<(), ParseError> {
        let Some(envelope) = Envelope::of(event) else { return self.no_record(event) };
        let Some(record) = envelope.text("CloudTrailEvent") else { return self.no_record(event) };
        let resources = envelope.get("Resources").map(RawValue::get).filter(|it| *it != "[]");
        self.record(record, resources.map(|it| (added::LOOKUP_RESOURCES, it.to_owned())))
    }

    /// Takes a message of CloudWatch Logs. `group` is a JSON object of what it has in common with others.
    fn message(&mut self, event: &'t RawValue, group: &str) -> Result<(), ParseError> {
        let Some(envelope) = Envelope::of(event) else { return self.no_record(event) };
        let Some(message) = envelope.text("message") else { return self.no_record(event) };
        let own = object(envelope.without(&["message"]));
        let both = match (group, &*own) {
            ("{}", _) => own,
            (_, "{}") => group.to_owned(),
            _ => format!("{},{}", &group[..group.len() - 1], &own[1..]),
        };
        self.record(message, Some((added::CLOUDWATCH_LOGS, both)))
    }

    /// Takes a row of a query's result, whose column `record` has the record.
    fn row(
        &mut self,
        row: &'t RawValue,
        cells: &[(String, &'t str)],
        record: &str,
        added: &str,
    ) -> Result<(), ParseError> {
        let found = cells.iter().find(|(name, value)| name == record && value.starts_with('"'));
        let Some((_, text)) = found else { return self.no_record(row) };
        let others = cells.iter().filter(|(name, _)| name != record);
        let others = object(others.map(|(name, value)| (&**name, *value)));
        self.record(text, (others != "{}").then_some((added, others)))
    }

    /// Takes a record that is a JSON string.
    fn record(&mut self, quoted: &'t str, added: Option<(&str, String)>) -> Result<(), ParseError> {
        let place = self.builder.place_of(quoted);
        let record = characters(quoted, Content::Unchecked, &mut self.builder.replaced_chars);
        self.builder.push(&record, added, place, || quoted.to_owned())
    }

    /// Takes what stands in a record's place, and is none.
    fn no_record(&mut self, value: &'t RawValue) -> Result<(), ParseError> {
        self.builder.push_json(&[value.get()], self.builder.place_of(value.get()))
    }
}

/// The name of a column, and its value as JSON.
type Cell<'t> = (Cow<'t, str>, &'t str);

/// Returns the columns of a query's row and their values; none if there are too many for a row.
fn cells<'t>(
    row: &'t RawValue,
    cell: fn(&'t RawValue) -> Option<Cell<'t>>,
) -> Vec<(String, &'t str)> {
    /// CloudTrail Lake has some 30 columns, Logs Insights discovers up to 1,000 fields.
    const CELLS_MAX: usize = 1_100;
    let mut cells = Vec::new();
    let read = each_element(row, &mut |element| {
        if let Some((name, value)) = cell(element) {
            cells.push((name.into_owned(), value));
        }
        if cells.len() > CELLS_MAX { Break(()) } else { Continue(()) }
    });
    if read.is_break() { Vec::new() } else { cells }
}

/// Reads a cell such as `{"field":"@message","value":"…"}`.
fn insights_cell(cell: &RawValue) -> Option<Cell<'_>> {
    let envelope = Envelope::of(cell)?;
    Some((name_of(envelope.text("field")?), envelope.get("value")?.get()))
}

/// Reads a cell such as `{"eventJson":"…"}`. Names of columns are known in lower case.
fn query_cell(cell: &RawValue) -> Option<Cell<'_>> {
    let envelope = Envelope::of(cell)?;
    let (name, value) = envelope.first()?;
    Some((name.to_lowercase().into(), value.get()))
}

/// Passes the elements of an array on, up to the first error.
fn each<'t>(
    array: &'t RawValue,
    mut take: impl FnMut(&'t RawValue) -> Result<(), ParseError>,
) -> Result<(), ParseError> {
    match each_element(array, &mut |element| flow(take(element))) {
        Break(error) => Err(error),
        Continue(()) => Ok(()),
    }
}

fn flow(taken: Result<(), ParseError>) -> ControlFlow<ParseError> {
    taken.map_or_else(Break, Continue)
}
