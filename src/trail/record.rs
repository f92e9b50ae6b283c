//! JSON to rows.
//!
//! Pure. Takes one object's decoded bytes and returns its rows and rejected records, or reports
//! what else the object is. Three shapes are logs: `{"Records":[…]}`, a top-level array of
//! records, and records (or whole wrappers) one after another, as in NDJSON. The content decides
//! what a document is: a digest, another service's events and other JSON are not failures.
//!
//! There are two passes. The fast one goes straight from the text into rows, with a scanner of our
//! own that checks every byte. When anything is unusual (an element that is not an object, a
//! syntax error), its work is discarded and the exact pass runs, which uses `serde_json`: it takes
//! every element as raw text first, so that one odd record is rejected alone, with its place and
//! its text, and a syntax error is reported with its line.
//!
//! Where JSON leaves a choice: the last of duplicate keys wins; bytes that are not UTF-8, lone
//! surrogates and U+0000 become U+FFFD and are counted; values may nest to any depth, but what nests
//! too deep for a database is stored as a string.

use std::collections::HashSet;
use std::fmt;

use serde::de::IgnoredAny;
use thiserror::Error;

use self::exports::Unwrapped;
use super::filter::{FilterSet, Wanted};
use super::format::Format;
use super::rows::Rows;

mod text;

mod scan;

mod members;

mod exports;

mod row;

mod rebuild;

mod select;

mod collect;

mod exact;

mod fast;

#[cfg(any(test, feature = "fuzzing"))]
mod agreement;

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use agreement::{assert_passes_agree, records_of_export};

pub(crate) use exports::may_be_text_export;
pub use rebuild::rebuild;
pub use text::{CellLimit, CellRules};

/// The records of one log file.
#[derive(Debug, Default)]
pub struct Log {
    /// The records that became rows.
    pub rows: Rows,
    /// The records that could not.
    pub rejects: Vec<Reject>,
    /// Where each identity first occurs. An identity may be listed more than once.
    pub identities: Vec<IdentityRef>,
    /// Characters that were replaced by U+FFFD, and values that nest too deep and were replaced by
    /// their text.
    pub replaced_chars: u64,
    /// Records that no filter selects.
    pub filtered: u64,
    /// Records that an earlier import has loaded or rejected, with another filter.
    pub known: u64,
}

/// An identity that occurs in the rows of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdentityRef {
    /// Its key in `identities`.
    pub id: i64,
    /// Where the row begins that has its text as `userIdentity`, for
    /// [`Rows::row_at`](super::rows::Rows::row_at).
    pub row_at_byte: usize,
}

impl Log {
    /// Returns how many bytes the log occupies.
    pub fn bytes(&self) -> u64 {
        let rejects: usize = self.rejects.iter().map(|reject| reject.text.len()).sum();
        let identities = self.identities.len() * size_of::<IdentityRef>();
        (self.rows.as_copy_bytes().len() + rejects + identities) as u64
    }

    /// Returns how many records were read, besides those that an earlier import has loaded or rejected.
    pub fn records(&self) -> u64 {
        (self.rows.len() + self.rejects.len()) as u64 + self.filtered
    }

    /// Returns how many records were read and are neither rows nor rejects.
    fn left_out(&self) -> u64 {
        self.filtered + self.known
    }

    /// Leaves out the rows and rejects of the records that another import has loaded or rejected
    /// meanwhile, and counts them as known.
    pub fn leave_out(&mut self, loaded: &FilterSet) {
        let mut rows = Rows::default();
        rows.set_object(self.rows.object_id());
        let (mut identities, mut ids) = (Vec::new(), HashSet::new());
        for row in self.rows.iter().filter(|row| !select::has_row(loaded, row)) {
            let row_at_byte = rows.as_copy_bytes().len();
            if let Some(id) = row.identity_id.filter(|id| ids.insert(*id)) {
                identities.push(IdentityRef { id, row_at_byte });
            }
            rows.push(&row);
        }
        let before = self.rows.len() + self.rejects.len();
        self.rejects.retain(|reject| {
            matches!(reject.reason, RejectReason::TooLong(_))
                && !select::has_text(loaded, &reject.text)
        });
        (self.rows, self.identities) = (rows, identities);
        self.known += (before - self.rows.len() - self.rejects.len()) as u64;
    }
}

/// A record that cannot become a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// Its place among the object's records, from 0.
    pub index: u64,
    /// The offset of its first byte in the decoded bytes of the object.
    pub offset_bytes: u64,
    /// Why it is rejected.
    pub reason: RejectReason,
    /// Its text.
    pub text: String,
}

/// Why a record cannot become a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RejectReason {
    /// It is not a JSON object, but this.
    NotAnObject(&'static str),
    /// It has none of the fields that mark a CloudTrail record.
    NotARecord,
    /// The value of this column is longer than the column allows.
    TooLong(&'static str),
}

impl fmt::Display for RejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnObject(found) => write!(f, "not an object, but {found}"),
            Self::NotARecord => f.write_str("not a CloudTrail record"),
            Self::TooLong(column) => write!(f, "`{column}` is longer than its column"),
        }
    }
}

/// What the parser may keep of one object, whatever the object contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParseLimits {
    /// The most bytes that may be allocated for the packed rows and their identities, and for a copy
    /// of the text if it is not UTF-8.
    pub bytes_max: usize,
    /// The most rejected records.
    pub rejects_max: usize,
}

impl ParseLimits {
    /// No bound on the bytes; as many rejects as an import keeps.
    pub const UNBOUNDED_BYTES: Self = Self { bytes_max: usize::MAX, rejects_max: REJECTS_MAX };
}

/// The most records of one object that are kept in `import_rejects`. With more, the object fails:
/// something is wrong with it, not with its records.
pub const REJECTS_MAX: usize = 10_000;

/// What an object is that holds no CloudTrail records. Exports may hold some, which are loaded.
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
    /// Answers of `aws cloudtrail lookup-events`.
    LookupEvents,
    /// Events of EventBridge.
    EventBridge,
    /// Messages of CloudWatch Logs.
    CloudWatchLogs,
    /// The result of a query.
    QueryResult,
    /// The CSV download of CloudTrail's Event history.
    EventHistory,
    /// Any other JSON.
    OtherJson,
    /// Neither gzip nor JSON, and not named like a log.
    OtherFile,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 12] = [
        Self::Digest,
        Self::Empty,
        Self::S3Notification,
        Self::LambdaEvent,
        Self::ConfigItems,
        Self::LookupEvents,
        Self::EventBridge,
        Self::CloudWatchLogs,
        Self::QueryResult,
        Self::EventHistory,
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
            Self::LookupEvents => "lookup-events",
            Self::EventBridge => "eventbridge",
            Self::CloudWatchLogs => "cloudwatch-logs",
            Self::QueryResult => "query-result",
            Self::EventHistory => "event-history",
            Self::OtherJson => "other-json",
            Self::OtherFile => "other-file",
        }
    }

    /// Returns whether objects of this kind are usual in a bucket or folder of logs.
    pub const fn is_usual(self) -> bool {
        matches!(self, Self::Digest | Self::Empty)
    }

    /// Returns the kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

impl serde::Serialize for Kind {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Why a decoded object has no rows.
#[derive(Debug, Error)]
pub enum ParseError {
    /// It is JSON, but not a CloudTrail log. This is not a failure: the object is skipped.
    #[error("not a CloudTrail log, but {}", .0.as_str())]
    NotALog(Kind),
    /// There is nothing in it.
    #[error("the file is empty")]
    Empty,
    /// Another format, of which the bytes tell the name.
    #[error("not JSON, but {format} ({})", .format.advice())]
    OtherFormat {
        /// The format.
        format: Format,
    },
    /// A query result with some columns of records, but without whole records.
    #[error("a query result without whole records (select the column `eventJson` in the query)")]
    NoEventJson,
    /// A JSON value that is neither an object nor an array.
    #[error("JSON, but {0} instead of an object or an array")]
    Scalar(&'static str),
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
    /// More records are rejected than are kept.
    #[error("{rejects} of its {records} records are rejected, the first because it is {first}")]
    TooManyRejects {
        /// How many are rejected.
        rejects: u64,
        /// How many records there are.
        records: u64,
        /// Why the first one is rejected.
        first: RejectReason,
    },
    /// The rows take more than [`ParseLimits::bytes_max`]. With more, the object may be read.
    #[error("its rows take more than {bytes_max} bytes")]
    OutOfRoom {
        /// The limit.
        bytes_max: usize,
    },
    /// A cell of PostgreSQL's COPY has at most 2^31 - 1 bytes, and so has the text.
    #[error("the text has more than 2 GiB once U+FFFD replaces what is not UTF-8")]
    TextTooLong,
    /// `Records` is present, but not an array.
    #[error("`Records` is {found}, not an array")]
    RecordsNotArray {
        /// What it is.
        found: &'static str,
    },
}

impl ParseError {
    /// Returns why a text of this length is not JSON.
    fn from_json(error: serde_json::Error, text_bytes: usize) -> Self {
        if error.is_eof() { Self::CutOff { text_bytes } } else { Self::Syntax(error) }
    }
}

/// Reads one object's decoded bytes.
///
/// ```
/// use cloudtrail2sql::trail::fields::column;
/// use cloudtrail2sql::trail::record::{CellRules, ParseLimits, parse};
///
/// let json = br#"{"Records":[{"eventID":"a","eventName":"GetObject"}, 42]}"#;
/// let log = parse(json, &CellRules::ANY, ParseLimits::UNBOUNDED_BYTES)?;
/// assert_eq!((log.records(), log.rows.len()), (2, 1));
/// let row = log.rows.iter().next().unwrap();
/// assert_eq!(row.cells[column("eventName")], Some("GetObject"));
/// assert_eq!(log.rejects[0].reason.to_string(), "not an object, but a number");
/// # Ok::<(), cloudtrail2sql::trail::record::ParseError>(())
/// ```
///
/// # Errors
/// The bytes are not JSON, not a log, or `Records` is not an array: see [`ParseError`].
pub fn parse(json: &[u8], rules: &CellRules, limits: ParseLimits) -> Result<Log, ParseError> {
    let wanted = Wanted::ALL;
    parse_object(json, &ParseOptions { rules, limits, object_number: 0, wanted: &wanted })
}

/// How the log file of one object is read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ParseOptions<'o> {
    /// What its rows can hold.
    pub(crate) rules: &'o CellRules,
    /// What may be kept of it.
    pub(crate) limits: ParseLimits,
    /// Its number in the ledger. The rows refer to it from the start, so that they need not be visited
    /// again to set it.
    pub(crate) object_number: i64,
    /// Which of its records are read.
    pub(crate) wanted: &'o Wanted,
}

/// Reads a log file as [`parse`] does.
///
/// # Errors
/// Those of [`parse`].
pub(crate) fn parse_object(json: &[u8], options: &ParseOptions<'_>) -> Result<Log, ParseError> {
    if let Some(format) = Format::of(json) {
        return Err(ParseError::OtherFormat { format });
    }
    // Windows tools put a byte order mark before UTF-8 text.
    let marked = json.strip_prefix(BYTE_ORDER_MARK);
    let json = marked.unwrap_or(json);
    let (text, replaced_chars) = text::to_utf8(json, options.limits.bytes_max)?;
    // A copy of the text leaves less room for the rows.
    let options = options.with_less_room(if replaced_chars > 0 { text.len() } else { 0 });
    let bytes_max = options.limits.bytes_max;
    let mut log = match text.trim_ascii_start().as_bytes().first() {
        None => return Err(ParseError::Empty),
        Some(b'{' | b'[') => match parse_text(&text, &options) {
            Err(ParseError::NotALog(Kind::OtherJson)) => {
                let unwrapped = exports::unwrap_json(&text, bytes_max)?;
                let unwrapped = unwrapped.ok_or(ParseError::NotALog(Kind::OtherJson))?;
                parse_unwrapped(&unwrapped, &options)?
            }
            read => read?,
        },
        Some(_) => match exports::unwrap_text(&text, bytes_max)? {
            Some(unwrapped) => parse_unwrapped(&unwrapped, &options)?,
            None if serde_json::from_str::<IgnoredAny>(&text).is_ok() => {
                return Err(ParseError::Scalar(text::json_type(text.trim_ascii_start())));
            }
            None => {
                let head = &json[..json.len().min(12)];
                let starts_with = format!("`{}`", head.escape_ascii());
                return Err(ParseError::NotJson { starts_with });
            }
        },
    };
    options.count_replaced(&mut log, replaced_chars);
    if replaced_chars > 0 {
        text::restore_offsets(json, log.rejects.iter_mut().map(|it| &mut it.offset_bytes));
    }
    if marked.is_some() {
        log.rejects.iter_mut().for_each(|it| it.offset_bytes += BYTE_ORDER_MARK.len() as u64);
    }
    Ok(log)
}

impl ParseOptions<'_> {
    /// Returns these options for rows that share their room with `bytes` of something else.
    fn with_less_room(self, bytes: usize) -> Self {
        let bytes_max = self.limits.bytes_max.saturating_sub(bytes);
        Self { limits: ParseLimits { bytes_max, ..self.limits }, ..self }
    }

    /// Adds characters of the whole text that were replaced. The first import of an object counts them.
    fn count_replaced(&self, log: &mut Log, replaced_chars: u64) {
        if !self.wanted.is_read_again() {
            log.replaced_chars += replaced_chars;
        }
    }
}

/// Reads the documents of a text.
fn parse_text(text: &str, options: &ParseOptions<'_>) -> Result<Log, ParseError> {
    let collected = match fast::read(text, options)? {
        Some(collected) => collected,
        None => exact::read(text, options)?,
    };
    collected.into_log()
}

/// Reads the records of an export.
fn parse_unwrapped(unwrapped: &Unwrapped, options: &ParseOptions<'_>) -> Result<Log, ParseError> {
    let options = options.with_less_room(unwrapped.bytes());
    let mut log = parse_text(&unwrapped.text, &options).map_err(|error| match error {
        ParseError::NotALog(_) => ParseError::NotALog(unwrapped.kind),
        error => error,
    })?;
    log.rejects.iter_mut().for_each(|reject| unwrapped.restore(reject));
    options.count_replaced(&mut log, unwrapped.replaced_chars);
    Ok(log)
}

/// The byte order mark of UTF-8 (Unicode standard, section 23.8).
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

#[cfg(test)]
mod tests;
