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
//! Where JSON leaves a choice: the last of duplicate keys wins; unknown fields may nest to any
//! depth; bytes that are not UTF-8 and lone surrogates become U+FFFD and are counted.

use thiserror::Error;

use super::rows::Rows;

mod collect;
mod exact;
mod fast;
mod members;
mod scan;
mod text;

pub use text::{CellLimit, CellRules};

/// The records of one log file.
#[derive(Debug, Default)]
pub struct Log {
    /// The records that became rows.
    pub rows: Rows,
    /// The records that could not.
    pub rejects: Vec<Reject>,
    /// Characters that were replaced by U+FFFD.
    pub replaced_chars: u64,
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
    /// The offset of its first byte in the decoded text.
    pub offset_bytes: u64,
    /// Why it is rejected.
    pub reason: String,
    /// Its text.
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

/// Why a decoded object has no rows.
#[derive(Debug, Error)]
pub enum ParseError {
    /// It is JSON, but not a CloudTrail log. This is not a failure: the object is skipped.
    #[error("not a CloudTrail log, but {}", .0.as_str())]
    NotALog(Kind),
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
    /// `Records` is present, but not an array.
    #[error("`Records` is {found}, not an array")]
    RecordsNotArray {
        /// What it is.
        found: &'static str,
    },
}

/// Reads one object's decoded bytes.
///
/// ```
/// use cloudtrail2sql::trail::fields::column;
/// use cloudtrail2sql::trail::record::{CellRules, parse};
///
/// let json = br#"{"Records":[{"eventID":"a","eventName":"GetObject"}, 42]}"#;
/// let log = parse(json, &CellRules::ANY)?;
/// assert_eq!((log.records(), log.rows.len()), (2, 1));
/// let row = log.rows.iter().next().unwrap();
/// assert_eq!((row[column("eventName")], row[column("eventID")]), (Some("GetObject"), Some("a")));
/// assert_eq!(log.rejects[0].reason, "not an object, but a number");
/// # Ok::<(), cloudtrail2sql::trail::record::ParseError>(())
/// ```
///
/// # Errors
/// The bytes are not JSON, not a log, or `Records` is not an array: see [`ParseError`].
pub fn parse(json: &[u8], rules: &CellRules) -> Result<Log, ParseError> {
    // Windows tools put a byte order mark before UTF-8 text.
    let json = json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(json);
    let (text, replaced_chars) = text::to_utf8(json);
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
    collected.into_log(replaced_chars).map_err(ParseError::NotALog)
}

#[cfg(test)]
mod tests;
