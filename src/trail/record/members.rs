//! The members of one JSON object that matter, found by their keys.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::Kind;
use super::text::{Content, characters};
use crate::trail::fields::{COLUMN_COUNT, COLUMNS, FIELDS, Fallback, column};

const EVENT_ID: usize = column("eventID");
const EVENT_SOURCE: usize = column("eventSource");
const EVENT_TYPE: usize = column("eventType");

/// How many fields that mark a record it needs.
const MARKS_MIN: usize = 2;

/// The fields that tell when and which, not what.
const DISTINCTIVE: [usize; 3] = [column("eventVersion"), column("eventTime"), EVENT_ID];

/// Above this number of members, duplicates are found by a hash map instead of by comparing each
/// with each.
const COMPARED_MEMBERS_MAX: usize = 16;

/// Names between their quotes, and values.
pub(super) type OtherMembers<'t> = Vec<(Cow<'t, str>, &'t str)>;

/// The members of one object, each as its JSON text.
#[derive(Debug)]
pub(super) struct Members<'t> {
    /// What the values may contain.
    pub(super) content: Content,
    /// Characters of the names that were replaced.
    pub(super) replaced_chars: u64,
    /// The values of the columns; `None` if there is no value, or `null`.
    pub(super) columns: [Option<&'t str>; COLUMN_COUNT],
    /// Whether the value of a column is an explicit `null`.
    pub(super) is_null: [bool; COLUMN_COUNT],
    /// All members that are not columns: names between their quotes, and values.
    others: OtherMembers<'t>,
    /// Values for columns under the names that aggregated records use, if there are any.
    aggregated: Option<[Option<&'t str>; COLUMN_COUNT]>,
    insight_details: Option<&'t str>,
    event_category: Option<&'t str>,
    is_sns_event: bool,
    kind: Option<Kind>,
}

impl<'t> Members<'t> {
    pub(super) fn new() -> Self {
        Self::in_memory_of(OtherMembers::new())
    }

    /// Returns no members, which will use the memory of earlier ones.
    pub(super) fn in_memory_of(mut others: OtherMembers<'t>) -> Self {
        others.clear();
        Self {
            content: Content::Unchecked,
            replaced_chars: 0,
            columns: [None; COLUMN_COUNT],
            is_null: [false; COLUMN_COUNT],
            others,
            aggregated: None,
            insight_details: None,
            event_category: None,
            is_sns_event: false,
            kind: None,
        }
    }

    /// Reads the members of a JSON text. Anything but an object has none.
    pub(super) fn parse(json: &'t str) -> Self {
        let mut members = Self::new();
        if let Ok(entries) = serde_json::from_str::<Entries<'_>>(json) {
            entries.0.into_iter().for_each(|(name, raw)| members.set_escaped(name, raw.get()));
        }
        members
    }

    /// Returns the memory, for [`Members::in_memory_of`].
    pub(super) fn into_memory(self) -> OtherMembers<'t> {
        self.others
    }

    /// Adds a member whose name has no escape. The last of duplicate names wins.
    #[inline]
    pub(super) fn set(&mut self, key: Key, name: &'t str, raw: &'t str) {
        self.set_key(key, raw);
        if !matches!(key, Key::Column(_)) {
            self.others.push((Cow::Borrowed(name), raw));
        }
    }

    /// Adds a member of any name. The last of duplicate names wins.
    pub(super) fn set_escaped(&mut self, name: MemberName<'t>, raw: &'t str) {
        self.set_key(name.key, raw);
        self.replaced_chars += name.replaced_chars;
        if !matches!(name.key, Key::Column(_)) {
            self.others.push((name.text, raw));
        }
    }

    #[inline]
    fn set_key(&mut self, key: Key, raw: &'t str) {
        let slot = match key {
            Key::Column(column) => {
                self.is_null[column] = raw == "null";
                &mut self.columns[column]
            }
            Key::Aggregated(column) => {
                &mut self.aggregated.get_or_insert([None; COLUMN_COUNT])[column]
            }
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

    /// Returns whether the members mark the object as a CloudTrail record: at least two of the fields that
    /// do so, among them one of [`DISTINCTIVE`]. Rule catalogues have an `eventName` and an `eventSource`.
    ///
    /// An `eventId` is a mark of aggregated records only. In any other it is the mark of another cloud: the
    /// events of Alibaba Cloud's ActionTrail have all other names of CloudTrail's.
    pub(super) fn is_marked(&self) -> bool {
        let event_id = self.aggregated.as_ref().and_then(|aggregated| aggregated[EVENT_ID]);
        let event_id = self.columns[EVENT_ID].or(event_id);
        if self.columns[EVENT_ID] != event_id && !self.is_aggregated() {
            return false;
        }
        let has =
            |column| if column == EVENT_ID { event_id } else { self.columns[column] }.is_some();
        let marks = (0..COLUMN_COUNT).filter(|column| FIELDS[*column].is_mark && has(*column));
        marks.count() >= MARKS_MIN && DISTINCTIVE.into_iter().any(has)
    }

    /// Returns whether this is an aggregated record.
    fn is_aggregated(&self) -> bool {
        is_text(self.event_category, "Aggregated")
            || is_text(self.columns[EVENT_TYPE], "AwsAggregatedEvent")
    }

    /// Returns what an object is that is not a CloudTrail record.
    pub(super) fn kind(&self) -> Kind {
        match self.columns[EVENT_SOURCE] {
            Some("\"aws:s3\"") => Kind::S3Notification,
            _ if self.is_other_services_event() => Kind::LambdaEvent,
            _ => self.kind.unwrap_or(Kind::OtherJson),
        }
    }

    /// Returns the values that columns have in records of other categories; `None` if there are none.
    pub(super) fn fallbacks(&self) -> Option<[Option<&'t str>; COLUMN_COUNT]> {
        if self.insight_details.is_none() && self.aggregated.is_none() {
            return None;
        }
        let inside = self.insight_details.map(Members::parse);
        let aggregated = self.aggregated.filter(|_| self.is_aggregated());
        Some(std::array::from_fn(|column| match FIELDS[column].fallback? {
            Fallback::InsightDetails => inside.as_ref()?.columns[column],
            Fallback::Aggregated(_) => aggregated?[column],
        }))
    }

    /// Returns the value of a member that is not a column, unless it is `null`.
    pub(super) fn other(&self, name: &str) -> Option<&'t str> {
        let last = self.others.iter().rev().find(|(own, _)| own == name);
        last.map(|(_, raw)| *raw).filter(|raw| *raw != "null")
    }

    /// Iterates over the members that are not columns, in the order of the text. Of two members of
    /// one name, only the last.
    pub(super) fn others(&self) -> impl Iterator<Item = (&str, &'t str)> {
        let count = self.others.len();
        let mut last_of = HashMap::new();
        if count > COMPARED_MEMBERS_MAX {
            last_of = self.others.iter().enumerate().map(|(n, (name, _))| (&**name, n)).collect();
        }
        let is_last = move |n: usize, name: &str| match count {
            ..=COMPARED_MEMBERS_MAX => !self.others[n + 1..].iter().any(|(later, _)| later == name),
            _ => last_of[name] == n,
        };
        let others = self.others.iter().enumerate();
        others.filter_map(move |(n, (name, raw))| is_last(n, name).then_some((&**name, *raw)))
    }
}

/// Returns whether a value is the string `expected`, however it is written.
fn is_text(raw: Option<&str>, expected: &str) -> bool {
    raw.is_some_and(|raw| {
        raw.starts_with('"') && characters(raw, Content::Unchecked, &mut 0) == expected
    })
}

/// The name of a member, which may have escapes.
pub(super) struct MemberName<'t> {
    pub(super) key: Key,
    /// The name between its quotes. Equal names have equal texts.
    text: Cow<'t, str>,
    replaced_chars: u64,
}

/// Reads the name as JSON text, because a lone surrogate in it must not fail the file.
impl<'de> Deserialize<'de> for MemberName<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let quoted = <&RawValue>::deserialize(deserializer)?.get();
        let mut replaced_chars = 0;
        let name = characters(quoted, Content::Unchecked, &mut replaced_chars);
        let key = Key::from_name(name.as_bytes());
        let text = match name {
            Cow::Borrowed(name) => Cow::Borrowed(name),
            Cow::Owned(name) => {
                let quoted = serde_json::to_string(&name).expect("text can be written as JSON");
                Cow::Owned(quoted[1..quoted.len() - 1].to_owned())
            }
        };
        Ok(Self { key, text, replaced_chars })
    }
}

/// The members of one object, in the order of the text.
struct Entries<'t>(Vec<(MemberName<'t>, &'t RawValue)>);

impl<'de> Deserialize<'de> for Entries<'de> {
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
