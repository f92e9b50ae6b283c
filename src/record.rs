//! JSON to records: the only file that knows CloudTrail's field names and file shapes.
//!
//! Pure. Takes one object's decoded bytes and returns its rows and rejected records, or says what
//! else the object is. Three shapes are logs: `{"Records":[…]}`, a top-level array of records,
//! and records (or whole wrappers) one after another, as in NDJSON. What a document is, its
//! content says: a digest, another service's events and other JSON are foreign, not failures.
//!
//! There are two passes. The fast one goes straight from the text into rows, with a scanner of our
//! own that checks every byte. When anything is odd (an element that is no object, a syntax
//! error), its work is thrown away and the exact one runs, which is `serde_json`'s: it takes every
//! element as raw text first, so that one odd record is rejected alone, with its place and its
//! text, and a syntax error is told with its line.
//!
//! JSON's own freedoms: the last of duplicate keys wins; unknown fields may nest to any depth;
//! bytes that are not UTF-8 and lone surrogates become U+FFFD, and are counted.

use thiserror::Error;

use crate::row::{CELLS, Rows};

mod collect;
mod exact;
mod fast;
mod fields;
mod scan;
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
/// ```
/// use cloudtrail2sql::record::{CellRules, Content, parse};
///
/// let json = br#"{"Records":[{"eventID":"a","eventName":"GetObject"}, 42]}"#;
/// let Content::Log(log) = parse(json, &CellRules::ANY)? else { panic!("these are records") };
/// assert_eq!((log.records(), log.rows.len()), (2, 1));
/// let row = log.rows.iter().next().unwrap();
/// assert_eq!((row[4], row[13]), (Some("GetObject"), Some("a")));
/// assert_eq!(log.rejects[0].reason, "not an object, but a number");
/// # Ok::<(), cloudtrail2sql::record::ParseError>(())
/// ```
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
    let collected = match fast::read(&text, rules) {
        Some(collected) => collected,
        None => exact::read(&text, rules)?,
    };
    Ok(collected.into_content(altered))
}

#[cfg(test)]
mod tests;
