//! What is kept of one JSON object, by its keys.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::text::CellRules;
use super::{COLUMNS, Kind, Log};
use crate::row::CELLS;

const EVENT_SOURCE: usize = 3;
const EVENT_NAME: usize = 4;
const ERROR_CODE: usize = 8;
const EVENT_ID: usize = 13;
const EVENT_TYPE: usize = 14;
const RECIPIENT_ACCOUNT_ID: usize = 15;

/// The columns that hold JSON text as it stands in the file: userIdentity, requestParameters,
/// responseElements.
const JSON_COLUMNS: [usize; 3] = [1, 10, 11];

/// The columns any of which marks an object as a CloudTrail record: eventVersion, eventTime,
/// eventSource, eventName, eventID. The others occur in other services' events.
const MARK_COLUMNS: [usize; 5] = [0, 2, EVENT_SOURCE, EVENT_NAME, EVENT_ID];

/// The fields of one object that mean something to us, each as its JSON text.
pub(super) struct Fields<'t> {
    /// Whether any of the values may have a backslash in a string.
    pub(super) may_have_escapes: bool,
    columns: [Option<&'t str>; CELLS],
    insight_details: Option<&'t str>,
    event_category: Option<&'t str>,
    aggregated_event_id: Option<&'t str>,
    account_id: Option<&'t str>,
    has_capital_event_source: bool,
    kind: Option<Kind>,
}

impl<'t> Fields<'t> {
    pub(super) fn new() -> Self {
        Self {
            may_have_escapes: true,
            columns: [None; CELLS],
            insight_details: None,
            event_category: None,
            aggregated_event_id: None,
            account_id: None,
            has_capital_event_source: false,
            kind: None,
        }
    }

    /// Keeps the value under a key; the last of equal keys wins.
    #[inline]
    pub(super) fn set(&mut self, key: Key, raw: &'t str) {
        let slot = match key {
            Key::Column(column) => &mut self.columns[column],
            Key::InsightDetails => &mut self.insight_details,
            Key::EventCategory => &mut self.event_category,
            Key::EventId => &mut self.aggregated_event_id,
            Key::AccountId => &mut self.account_id,
            Key::CapitalEventSource => {
                self.has_capital_event_source = true;
                return;
            }
            Key::Mark(kind) => {
                self.kind = Some(kind);
                return;
            }
            Key::Records | Key::Other => return,
        };
        *slot = Some(raw);
    }

    /// S3 notifications and Lambda events name an `eventSource` such as `"aws:s3"`, SNS an
    /// `EventSource` (AWS Lambda developer guide, event examples); CloudTrail never does.
    pub(super) fn is_other_services_event(&self) -> bool {
        self.has_capital_event_source
            || self.columns[EVENT_SOURCE].is_some_and(|source| source.starts_with("\"aws:"))
    }

    pub(super) fn is_marked(&self) -> bool {
        let is_aggregated = self.aggregated_event_id.is_some();
        is_aggregated || MARK_COLUMNS.iter().any(|&column| self.columns[column].is_some())
    }

    pub(super) fn kind(&self) -> Kind {
        match self.columns[EVENT_SOURCE] {
            Some("\"aws:s3\"") => Kind::S3Notification,
            _ if self.is_other_services_event() => Kind::LambdaEvent,
            _ => self.kind.unwrap_or(Kind::OtherJson),
        }
    }

    /// Adds the row, or names the first column that is too narrow for it.
    pub(super) fn push_row(&self, rules: &CellRules, log: &mut Log) -> Result<(), usize> {
        let mut raw = self.columns;
        if let Some(details) = self.insight_details {
            fill_from_insight(details, &mut raw);
        }
        let is_aggregated = self.event_category == Some("\"Aggregated\"")
            || self.columns[EVENT_TYPE] == Some("\"AwsAggregatedEvent\"");
        if is_aggregated {
            raw[EVENT_ID] = raw[EVENT_ID].or(self.aggregated_event_id);
            raw[RECIPIENT_ACCOUNT_ID] = raw[RECIPIENT_ACCOUNT_ID].or(self.account_id);
        }
        let mut altered = 0;
        let cells: [Option<Cow<'_, str>>; CELLS] = std::array::from_fn(|column| {
            let raw = raw[column].filter(|raw| *raw != "null")?;
            if JSON_COLUMNS.contains(&column) {
                return Some(Cow::Borrowed(raw));
            }
            Some(rules.cell(raw, self.may_have_escapes, &mut altered))
        });
        let cells = cells.each_ref().map(Option::as_deref);
        rules.check(&cells)?;
        log.altered += altered;
        log.rows.push(&cells);
        Ok(())
    }
}

/// Insight records say what they are about in `insightDetails` only.
fn fill_from_insight<'t>(details: &'t str, raw: &mut [Option<&'t str>; CELLS]) {
    // Anything but an object has nothing to tell; it is valid JSON, so nothing else fails.
    let Ok(members) = serde_json::from_str::<Members<'_>>(details) else { return };
    let mut inner = Fields::new();
    for (key, value) in members.0 {
        inner.set(key, value.get());
    }
    for column in [EVENT_SOURCE, EVENT_NAME, ERROR_CODE] {
        raw[column] = raw[column].or(inner.columns[column]);
    }
}

/// The keys that mean something to us.
#[derive(Clone, Copy)]
pub(super) enum Key {
    Column(usize),
    Records,
    InsightDetails,
    EventCategory,
    EventId,
    AccountId,
    CapitalEventSource,
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
            b"eventId" => Self::EventId,
            b"accountId" => Self::AccountId,
            b"EventSource" => Self::CapitalEventSource,
            b"digestS3Object" | b"digestEndTime" => Self::Mark(Kind::Digest),
            b"configurationItems" => Self::Mark(Kind::ConfigItems),
            _ => match COLUMNS.iter().position(|column| column.as_bytes() == name) {
                Some(column) => Self::Column(column),
                None => Self::Other,
            },
        }
    }
}

/// Reads a key. As bytes, because a key with a lone surrogate must not kill the file.
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
pub(super) struct Members<'t>(pub(super) Vec<(Key, &'t RawValue)>);

impl<'de> de::Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;
        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(MembersVisitor)
    }
}
