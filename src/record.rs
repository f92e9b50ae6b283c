//! JSON to records: the only file that knows CloudTrail's field names and file shapes.
//!
//! Pure. Takes one object's decoded bytes and returns its rows and rejected records, or says what
//! else the object is. Three shapes are logs: `{"Records":[…]}`, a top-level array of records,
//! and records (or whole wrappers) one after another, as in NDJSON. What a document is, its
//! content says: a digest, another service's events and other JSON are foreign, not failures.
//!
//! Two passes share one code. The fast one reads each record straight from the text into a row.
//! When anything is odd (an element that is no object, a syntax error), it is thrown away and the
//! exact one runs: it takes every element as raw text first, so that one odd record is rejected
//! alone, with its place and its text.
//!
//! JSON's own freedoms: the last of duplicate keys wins; unknown fields may nest to any depth;
//! bytes that are not UTF-8 and lone surrogates become U+FFFD, and are counted.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use thiserror::Error;

use crate::row::{CELLS, Rows};

mod text;

pub use text::{CellLimit, CellRules};

/// The columns of `logs`, in order: the tutorial's names, which are CloudTrail's.
pub const COLUMNS: [&str; CELLS] = [
    "eventVersion",
    "userIdentity",
    "eventTime",
    "eventSource",
    "eventName",
    "awsRegion",
    "sourceIPAddress",
    "userAgent",
    "errorCode",
    "errorMessage",
    "requestParameters",
    "responseElements",
    "requestID",
    "eventID",
    "eventType",
    "recipientAccountId",
];

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

/// What a decoded object turned out to be.
#[derive(Debug)]
pub enum Content {
    /// A log file, perhaps without any record.
    Log(Log),
    /// Something else, to be skipped.
    Foreign(Kind),
}

/// The records of one log file.
#[derive(Debug, Default)]
pub struct Log {
    /// The records that became rows.
    pub rows: Rows,
    /// The records that could not.
    pub rejects: Vec<Reject>,
    /// Characters that were replaced by U+FFFD.
    pub altered: u64,
}

impl Log {
    /// Returns how many records were read: rows and rejects.
    pub fn records(&self) -> u64 {
        (self.rows.len() + self.rejects.len()) as u64
    }
}

/// A record that cannot become a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// Its place among the object's records, from 0.
    pub index: u64,
    /// Its first byte in the decoded text.
    pub offset_bytes: u64,
    /// Why.
    pub reason: String,
    /// The record's own text.
    pub text: String,
}

/// What an object is that holds no CloudTrail records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A CloudTrail digest file.
    Digest,
    /// Nothing at all, such as the zero-byte "folders" that consoles make.
    Empty,
    /// S3 event notifications, whose wrapper looks like CloudTrail's.
    S3Notification,
    /// Events that other services hand to Lambda functions, in the same wrapper.
    LambdaEvent,
    /// An AWS Config snapshot or history.
    ConfigItems,
    /// Any other JSON.
    OtherJson,
    /// Neither gzip nor JSON, and not named like a log.
    OtherFile,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 7] = [
        Self::Digest,
        Self::Empty,
        Self::S3Notification,
        Self::LambdaEvent,
        Self::ConfigItems,
        Self::OtherJson,
        Self::OtherFile,
    ];

    /// Returns the name that the ledger and the reports use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Digest => "digest",
            Self::Empty => "empty",
            Self::S3Notification => "s3-notification",
            Self::LambdaEvent => "lambda-event",
            Self::ConfigItems => "config-items",
            Self::OtherJson => "other-json",
            Self::OtherFile => "other-file",
        }
    }

    /// Returns the kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// Why a decoded object is no readable JSON document. The object is out.
#[derive(Debug, Error)]
pub enum ParseError {
    /// There is nothing in it.
    #[error("the file is empty")]
    Empty,
    /// Neither gzip nor the start of a JSON object or array.
    #[error("neither gzip nor JSON: starts with {starts_with}")]
    NotJson {
        /// The first bytes, escaped for a terminal.
        starts_with: String,
    },
    /// The text ends inside a value.
    #[error("the JSON is cut off after {text_bytes} bytes")]
    CutOff {
        /// How long the text is.
        text_bytes: usize,
    },
    /// Not JSON from here on.
    #[error("not valid JSON")]
    Syntax(#[source] serde_json::Error),
    /// `Records` is there, but is no array.
    #[error("`Records` is {found}, not an array")]
    RecordsNotArray {
        /// What it is.
        found: &'static str,
    },
}

/// Reads one object's decoded bytes.
///
/// # Errors
/// The bytes are no JSON text, or `Records` is no array: see [`ParseError`].
pub fn parse(json: &[u8], rules: &CellRules) -> Result<Content, ParseError> {
    // Windows tools put a byte order mark before UTF-8 text.
    let json = json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(json);
    let (text, altered) = text::to_utf8(json);
    match text.trim_ascii_start().as_bytes().first() {
        None => return Err(ParseError::Empty),
        Some(b'{' | b'[') => {}
        Some(_) => {
            let head = &json[..json.len().min(12)];
            return Err(ParseError::NotJson { starts_with: format!("`{}`", head.escape_ascii()) });
        }
    }
    let mut reader = Reader::new(&text, Pass::Fast, rules);
    let reader = match reader.read() {
        Ok(()) if !reader.must_reject() => reader,
        _ => {
            reader = Reader::new(&text, Pass::Exact, rules);
            reader.read().map_err(|error| match reader.records_found_as {
                Some(found) => ParseError::RecordsNotArray { found },
                None if error.is_eof() => ParseError::CutOff { text_bytes: text.len() },
                None => ParseError::Syntax(error),
            })?;
            reader
        }
    };
    Ok(reader.into_content(altered))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pass {
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
struct Reader<'t> {
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
    records_found_as: Option<&'static str>,
}

impl<'t> Reader<'t> {
    fn new(text: &'t str, pass: Pass, rules: &'t CellRules) -> Self {
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
    fn read(&mut self) -> Result<(), serde_json::Error> {
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
    fn must_reject(&self) -> bool {
        self.oversized > 0 || (self.foreign > 0 && self.marked > 0)
    }

    fn into_content(self, altered: u64) -> Content {
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
            self.fill_from_insight(details, &mut raw);
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

    /// Insight records say what they are about in `insightDetails` only.
    fn fill_from_insight(&self, details: &'t str, raw: &mut [Option<&'t str>; CELLS]) {
        let mut inner = Fields::default();
        let mut reader = serde_json::Deserializer::from_str(details);
        // Anything but an object has nothing to tell; it is valid JSON, so nothing else fails.
        if FieldsSeed(&mut inner).deserialize(&mut reader).is_ok() {
            for column in [EVENT_SOURCE, EVENT_NAME, ERROR_CODE] {
                raw[column] = raw[column].or(inner.columns[column]);
            }
        }
    }

    /// Takes one value under its key; returns whether the key means something here.
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

/// The keys that mean something to us.
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

#[cfg(test)]
mod tests;
