//! One object's text to rows and rejects: what serde calls as it reads.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::text::{self, CellRules};
use super::{COLUMNS, Content, Kind, Log, Reject};
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pass {
    Fast,
    Exact,
}

/// Where an object stands; it decides what it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// A document of its own: a wrapper, a record, or foreign.
    Top,
    /// An element of `Records` or of a top-level array.
    Element,
}

/// What became of one value.
enum Taken {
    Row,
    /// It was a wrapper or an array; each element went its own way.
    Elements,
    Foreign,
    Oversized {
        column: usize,
    },
}

/// Collects what the documents of one object hold.
pub(super) struct Reader<'t> {
    text: &'t str,
    pass: Pass,
    rules: &'t CellRules,
    log: Log,
    /// Objects where a record may stand, and how many of them bear a record's marks.
    objects: u64,
    marked: u64,
    /// Objects that belong to something else.
    foreign: u64,
    /// What the first of them seems to be.
    kind: Option<Kind>,
    /// Records with a value that the table has no room for.
    oversized: u64,
    has_records_array: bool,
    /// What `Records` is, if it is no array.
    pub(super) records_found_as: Option<&'static str>,
}

impl<'t> Reader<'t> {
    pub(super) fn new(text: &'t str, pass: Pass, rules: &'t CellRules) -> Self {
        Self {
            text,
            pass,
            rules,
            log: Log::default(),
            objects: 0,
            marked: 0,
            foreign: 0,
            kind: None,
            oversized: 0,
            has_records_array: false,
            records_found_as: None,
        }
    }

    /// Reads all documents of the text.
    pub(super) fn read(&mut self) -> Result<(), serde_json::Error> {
        let mut documents = serde_json::Deserializer::from_str(self.text);
        loop {
            match self.pass {
                Pass::Fast => {
                    DocumentSeed { reader: self, place: Place::Top }.deserialize(&mut documents)?;
                }
                Pass::Exact => {
                    let raw: &'t RawValue = de::Deserialize::deserialize(&mut documents)?;
                    self.read_raw(raw, Place::Top)?;
                }
            }
            if documents.end().is_ok() {
                return Ok(());
            }
        }
    }

    /// Reads one value whose extent is known, so that an odd one is rejected alone.
    fn read_raw(&mut self, raw: &'t RawValue, place: Place) -> Result<(), serde_json::Error> {
        let is_container = match place {
            Place::Top => raw.get().starts_with(['{', '[']),
            Place::Element => raw.get().starts_with('{'),
        };
        if !is_container {
            self.reject(raw, format!("not an object, but {}", text::json_type(raw.get())));
            return Ok(());
        }
        let mut value = serde_json::Deserializer::from_str(raw.get());
        match (DocumentSeed { reader: self, place }).deserialize(&mut value)? {
            Taken::Row | Taken::Elements => {}
            Taken::Foreign => self.reject(raw, "not a CloudTrail record".into()),
            Taken::Oversized { column } => {
                let reason = format!("`{}` is longer than its column", COLUMNS[column]);
                self.reject(raw, reason);
            }
        }
        Ok(())
    }

    fn reject(&mut self, raw: &'t RawValue, reason: String) {
        let offset_bytes = (raw.get().as_ptr() as usize - self.text.as_ptr() as usize) as u64;
        let (index, text) = (self.log.records(), raw.get().to_owned());
        self.log.rejects.push(Reject { index, offset_bytes, reason, text });
    }

    /// Takes the fields of one object that is no `Records` wrapper.
    fn take_object(&mut self, fields: &Fields<'_>, place: Place) -> Taken {
        self.objects += 1;
        let is_marked = fields.is_marked();
        if fields.is_other_services_event() || (!is_marked && place == Place::Top) {
            self.foreign += 1;
            self.kind.get_or_insert(fields.kind());
            return Taken::Foreign;
        }
        self.marked += u64::from(is_marked);
        if let Err(column) = fields.push_row(self.rules, &mut self.log) {
            self.oversized += 1;
            return Taken::Oversized { column };
        }
        Taken::Row
    }

    /// Returns whether there are records that only the exact pass can reject by their text.
    pub(super) fn must_reject(&self) -> bool {
        self.oversized > 0 || (self.foreign > 0 && self.marked > 0)
    }

    pub(super) fn into_content(self, altered: u64) -> Content {
        let holds_only_foreign = self.objects > 0 && self.marked == 0;
        let holds_only_scalars = self.objects == 0 && !self.has_records_array;
        if holds_only_foreign || holds_only_scalars {
            return Content::Foreign(self.kind.unwrap_or(Kind::OtherJson));
        }
        let mut log = self.log;
        log.altered += altered;
        log.rows.shrink();
        Content::Log(log)
    }
}

/// What is kept of one object while its keys are read.
#[derive(Default)]
struct Fields<'t> {
    columns: [Option<&'t str>; CELLS],
    insight_details: Option<&'t str>,
    event_category: Option<&'t str>,
    aggregated_event_id: Option<&'t str>,
    account_id: Option<&'t str>,
    has_capital_event_source: bool,
    kind: Option<Kind>,
}

impl<'t> Fields<'t> {
    /// S3 notifications and Lambda events name an `eventSource` such as `"aws:s3"`, SNS an
    /// `EventSource` (AWS Lambda developer guide, event examples); CloudTrail never does.
    fn is_other_services_event(&self) -> bool {
        self.has_capital_event_source
            || self.columns[EVENT_SOURCE].is_some_and(|source| source.starts_with("\"aws:"))
    }

    fn is_marked(&self) -> bool {
        let is_aggregated = self.aggregated_event_id.is_some();
        is_aggregated || MARK_COLUMNS.iter().any(|&column| self.columns[column].is_some())
    }

    fn kind(&self) -> Kind {
        match self.columns[EVENT_SOURCE] {
            Some("\"aws:s3\"") => Kind::S3Notification,
            _ if self.is_other_services_event() => Kind::LambdaEvent,
            _ => self.kind.unwrap_or(Kind::OtherJson),
        }
    }

    /// Adds the row, or names the first column that is too narrow for it.
    fn push_row(&self, rules: &CellRules, log: &mut Log) -> Result<(), usize> {
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
            Some(rules.cell(raw, &mut altered))
        });
        let cells = cells.each_ref().map(Option::as_deref);
        rules.check(&cells)?;
        log.altered += altered;
        log.rows.push(&cells);
        Ok(())
    }

    /// Takes the value under a key.
    fn take<A: MapAccess<'t>>(&mut self, key: Key, map: &mut A) -> Result<(), A::Error> {
        let slot = match key {
            Key::Column(column) => &mut self.columns[column],
            Key::InsightDetails => &mut self.insight_details,
            Key::EventCategory => &mut self.event_category,
            Key::EventId => &mut self.aggregated_event_id,
            Key::AccountId => &mut self.account_id,
            Key::CapitalEventSource => {
                self.has_capital_event_source = true;
                return map.next_value::<de::IgnoredAny>().map(drop);
            }
            Key::Mark(kind) => {
                self.kind = Some(kind);
                return map.next_value::<de::IgnoredAny>().map(drop);
            }
            Key::Records | Key::Other => return map.next_value::<de::IgnoredAny>().map(drop),
        };
        *slot = Some(map.next_value::<&'t RawValue>()?.get());
        Ok(())
    }
}

/// Insight records say what they are about in `insightDetails` only.
fn fill_from_insight<'t>(details: &'t str, raw: &mut [Option<&'t str>; CELLS]) {
    let mut inner = Fields::default();
    let mut reader = serde_json::Deserializer::from_str(details);
    // Anything but an object has nothing to tell; it is valid JSON, so nothing else fails.
    if FieldsSeed(&mut inner).deserialize(&mut reader).is_ok() {
        for column in [EVENT_SOURCE, EVENT_NAME, ERROR_CODE] {
            raw[column] = raw[column].or(inner.columns[column]);
        }
    }
}

/// The keys that mean something to us.
#[derive(Clone, Copy)]
enum Key {
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
    fn from_name(name: &[u8]) -> Self {
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

/// Reads a wrapper, a record or an array of records straight into the reader.
struct DocumentSeed<'r, 't> {
    reader: &'r mut Reader<'t>,
    place: Place,
}

impl<'t> DeserializeSeed<'t> for DocumentSeed<'_, 't> {
    type Value = Taken;
    fn deserialize<D: Deserializer<'t>>(self, deserializer: D) -> Result<Taken, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'t> Visitor<'t> for DocumentSeed<'_, 't> {
    type Value = Taken;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'t>>(self, mut map: A) -> Result<Taken, A::Error> {
        let mut fields = Fields::default();
        let mut is_wrapper = false;
        while let Some(key) = map.next_key()? {
            if matches!(key, Key::Records) && self.place == Place::Top {
                map.next_value_seed(RecordsSeed { reader: self.reader })?;
                is_wrapper = true;
            } else {
                fields.take(key, &mut map)?;
            }
        }
        if is_wrapper {
            return Ok(Taken::Elements);
        }
        Ok(self.reader.take_object(&fields, self.place))
    }

    fn visit_seq<A: SeqAccess<'t>>(self, seq: A) -> Result<Taken, A::Error> {
        match self.place {
            Place::Top => read_elements(self.reader, seq).map(|()| Taken::Elements),
            Place::Element => Err(de::Error::invalid_type(de::Unexpected::Seq, &self)),
        }
    }
}

/// Reads the value of `Records`.
struct RecordsSeed<'r, 't> {
    reader: &'r mut Reader<'t>,
}

impl<'t> DeserializeSeed<'t> for RecordsSeed<'_, 't> {
    type Value = ();
    fn deserialize<D: Deserializer<'t>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.reader.pass == Pass::Fast {
            return deserializer.deserialize_seq(self);
        }
        // The exact pass tells a wrong type from a syntax error.
        let raw: &'t RawValue = de::Deserialize::deserialize(deserializer)?;
        if !raw.get().starts_with('[') {
            self.reader.records_found_as = Some(text::json_type(raw.get()));
            return Err(de::Error::custom("`Records` is not an array"));
        }
        serde_json::Deserializer::from_str(raw.get())
            .deserialize_seq(self)
            .map_err(de::Error::custom)
    }
}

impl<'t> Visitor<'t> for RecordsSeed<'_, 't> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of records")
    }

    fn visit_seq<A: SeqAccess<'t>>(self, seq: A) -> Result<(), A::Error> {
        self.reader.has_records_array = true;
        read_elements(self.reader, seq)
    }
}

fn read_elements<'t, A: SeqAccess<'t>>(
    reader: &mut Reader<'t>,
    mut seq: A,
) -> Result<(), A::Error> {
    match reader.pass {
        Pass::Fast => loop {
            let seed = DocumentSeed { reader, place: Place::Element };
            if seq.next_element_seed(seed)?.is_none() {
                return Ok(());
            }
        },
        Pass::Exact => {
            while let Some(raw) = seq.next_element::<&'t RawValue>()? {
                reader.read_raw(raw, Place::Element).map_err(de::Error::custom)?;
            }
            Ok(())
        }
    }
}

/// Reads the fields of one object, nothing else.
struct FieldsSeed<'f, 't>(&'f mut Fields<'t>);

impl<'t> DeserializeSeed<'t> for FieldsSeed<'_, 't> {
    type Value = ();
    fn deserialize<D: Deserializer<'t>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'t> Visitor<'t> for FieldsSeed<'_, 't> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'t>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key()? {
            self.0.take(key, &mut map)?;
        }
        Ok(())
    }
}
