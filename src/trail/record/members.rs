//! The members of one JSON object that matter, found by their keys.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::text::CellRules;
use super::{Kind, Log};
use crate::trail::fields::{COLUMN_COUNT, COLUMNS, FIELDS, Fallback, Form, column};

const EVENT_SOURCE: usize = column("eventSource");
const EVENT_TYPE: usize = column("eventType");

/// The members of one object that matter, each as its JSON text.
pub(super) struct Members<'t> {
    /// Whether any of the values may have a backslash in a string.
    pub(super) may_have_escapes: bool,
    columns: [Option<&'t str>; COLUMN_COUNT],
    /// Values for columns under the names that aggregated records use.
    aggregated: [Option<&'t str>; COLUMN_COUNT],
    insight_details: Option<&'t str>,
    event_category: Option<&'t str>,
    is_sns_event: bool,
    kind: Option<Kind>,
}

impl<'t> Members<'t> {
    pub(super) fn new() -> Self {
        Self {
            may_have_escapes: true,
            columns: [None; COLUMN_COUNT],
            aggregated: [None; COLUMN_COUNT],
            insight_details: None,
            event_category: None,
            is_sns_event: false,
            kind: None,
        }
    }

    /// Keeps the value of a key; `null` is the same as no value. The last of duplicate keys wins.
    #[inline]
    pub(super) fn set(&mut self, key: Key, raw: &'t str) {
        let slot = match key {
            Key::Column(column) => &mut self.columns[column],
            Key::Aggregated(column) => &mut self.aggregated[column],
            Key::InsightDetails => &mut self.insight_details,
            Key::EventCategory => &mut self.event_category,
            Key::CapitalEventSource => {
                // What `lookup-events` prints has one, too: the service, such as `s3.amazonaws.com`.
                self.is_sns_event = raw.starts_with("\"aws:");
                return;
            }
            Key::Mark(kind) => {
                self.kind = Some(kind);
                return;
            }
            Key::Records | Key::Other => return,
        };
        *slot = (raw != "null").then_some(raw);
    }

    /// Returns whether this is an event of another service.
    ///
    /// S3 notifications and Lambda events have an `eventSource` such as `"aws:s3"`, SNS an
    /// `EventSource` (AWS Lambda developer guide, event examples); CloudTrail records never do.
    pub(super) fn is_other_services_event(&self) -> bool {
        self.is_sns_event
            || self.columns[EVENT_SOURCE].is_some_and(|source| source.starts_with("\"aws:"))
    }

    /// Returns whether any member marks the object as a CloudTrail record.
    pub(super) fn is_marked(&self) -> bool {
        let is_set = |column: usize| self.columns[column].or(self.aggregated[column]).is_some();
        FIELDS.iter().enumerate().any(|(column, field)| field.is_mark && is_set(column))
    }

    /// Returns what an object is that is not a CloudTrail record.
    pub(super) fn kind(&self) -> Kind {
        match self.columns[EVENT_SOURCE] {
            Some("\"aws:s3\"") => Kind::S3Notification,
            _ if self.is_other_services_event() => Kind::LambdaEvent,
            _ => self.kind.unwrap_or(Kind::OtherJson),
        }
    }

    /// Adds the row to `log`, or returns the first column that is too narrow for its value.
    pub(super) fn push_row(&self, rules: &CellRules, log: &mut Log) -> Result<(), usize> {
        let mut raw = self.columns;
        if let Some(details) = self.insight_details {
            fill_from_insight(details, &mut raw);
        }
        let is_aggregated = self.event_category == Some("\"Aggregated\"")
            || self.columns[EVENT_TYPE] == Some("\"AwsAggregatedEvent\"");
        if is_aggregated {
            for (value, aggregated) in raw.iter_mut().zip(self.aggregated) {
                *value = value.or(aggregated);
            }
        }
        let mut replaced_chars = 0;
        let cells: [Option<Cow<'_, str>>; COLUMN_COUNT] = std::array::from_fn(|column| {
            let raw = raw[column]?;
            Some(match FIELDS[column].form {
                Form::Json => Cow::Borrowed(raw),
                Form::Text => rules.cell(raw, self.may_have_escapes, &mut replaced_chars),
            })
        });
        let cells = cells.each_ref().map(Option::as_deref);
        rules.check(&cells)?;
        log.replaced_chars += replaced_chars;
        log.rows.push(&cells);
        Ok(())
    }
}

/// Fills the columns that an Insights record describes only in `insightDetails`.
fn fill_from_insight<'t>(details: &'t str, raw: &mut [Option<&'t str>; COLUMN_COUNT]) {
    // Anything but an object has nothing to add; it is valid JSON, so nothing else fails.
    let Ok(entries) = serde_json::from_str::<Entries<'_>>(details) else { return };
    let mut inner = Members::new();
    for (key, value) in entries.0 {
        inner.set(key, value.get());
    }
    for (column, field) in FIELDS.iter().enumerate() {
        if field.fallback == Some(Fallback::InsightDetails) {
            raw[column] = raw[column].or(inner.columns[column]);
        }
    }
}

/// The keys that matter.
#[derive(Clone, Copy)]
pub(super) enum Key {
    /// A column of that name.
    Column(usize),
    /// The column that an aggregated record fills under this name.
    Aggregated(usize),
    Records,
    InsightDetails,
    EventCategory,
    CapitalEventSource,
    /// A key that shows what a foreign document is.
    Mark(Kind),
    Other,
}

impl Key {
    /// Returns the key of that name, its escapes resolved.
    pub(super) fn from_name(name: &[u8]) -> Self {
        match name {
            b"Records" => Self::Records,
            b"insightDetails" => Self::InsightDetails,
            b"eventCategory" => Self::EventCategory,
            b"EventSource" => Self::CapitalEventSource,
            b"digestS3Object" | b"digestEndTime" => Self::Mark(Kind::Digest),
            b"configurationItems" => Self::Mark(Kind::ConfigItems),
            _ => Self::column(name),
        }
    }

    fn column(name: &[u8]) -> Self {
        if let Some(column) = COLUMNS.iter().position(|column| column.as_bytes() == name) {
            return Self::Column(column);
        }
        AGGREGATED
            .iter()
            .position(|aggregated| aggregated.is_some_and(|it| it.as_bytes() == name))
            .map_or(Self::Other, Self::Aggregated)
    }
}

/// The name that aggregated records use for each column, if it is another one.
const AGGREGATED: [Option<&str>; COLUMN_COUNT] = {
    let mut names = [None; COLUMN_COUNT];
    let mut n = 0;
    while n < COLUMN_COUNT {
        if let Some(Fallback::Aggregated(name)) = FIELDS[n].fallback {
            names[n] = Some(name);
        }
        n += 1;
    }
    names
};

/// Reads a key as bytes, because a key with a lone surrogate must not fail the file.
impl<'de> de::Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl Visitor<'_> for KeyVisitor {
            type Value = Key;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }
            fn visit_bytes<E>(self, name: &[u8]) -> Result<Key, E> {
                Ok(Key::from_name(name))
            }
        }
        deserializer.deserialize_bytes(KeyVisitor)
    }
}

/// The keys and values of one object, in order.
pub(super) struct Entries<'t>(pub(super) Vec<(Key, &'t RawValue)>);

impl<'de> de::Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor;
        impl<'de> Visitor<'de> for EntriesVisitor {
            type Value = Entries<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(EntriesVisitor)
    }
}
