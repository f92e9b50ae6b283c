//! Takes the records out of what people export: answers of the AWS CLI, events of EventBridge and
//! CloudWatch Logs, query results, and CSV.
//!
//! Pure. An export is recognised by its content. Its records are copied into one JSON array, which the
//! parser then reads like a log file; what stands in a record's place and is none stays in the array, so
//! that it is rejected with its text. What the envelope says of a record becomes a further member of the
//! record, and so a part of `otherFields`.

use super::{Kind, ParseError};

mod csv;

mod json;

mod lines;

/// The members that an envelope adds to a record. CloudTrail has no fields of these names.
mod added {
    /// What `lookup-events` says of the resources.
    pub(in crate::trail::record) const LOOKUP_RESOURCES: &str = "lookupResources";
    /// The EventBridge event without its `detail`.
    pub(in crate::trail::record) const EVENT_BRIDGE: &str = "eventBridge";
    /// The log group, the stream, and what CloudWatch Logs knows of the message.
    pub(in crate::trail::record) const CLOUDWATCH_LOGS: &str = "cloudWatchLogs";
    /// The other columns of a query's row.
    pub(in crate::trail::record) const QUERY_RESULT: &str = "queryResult";
    /// The columns of the Event history that no record has.
    pub(in crate::trail::record) const EVENT_HISTORY: &str = "eventHistory";
}

/// The records of an export.
#[derive(Debug)]
pub(super) struct Unwrapped {
    /// One JSON array.
    pub(super) text: String,
    /// What kind of export it is.
    pub(super) kind: Kind,
    /// Characters that were replaced by U+FFFD.
    pub(super) replaced_chars: u64,
    /// Where each element begins in the array, and where it begins in the export.
    starts: Vec<(usize, usize)>,
}

impl Unwrapped {
    /// Returns where the element of the array that begins at `offset_bytes` begins in the export.
    pub(super) fn place_of(&self, offset_bytes: u64) -> u64 {
        let is_at = |(start, _): &(usize, usize)| (*start as u64).cmp(&offset_bytes);
        let found = self.starts.binary_search_by(is_at);
        found.map_or(offset_bytes, |n| self.starts[n].1 as u64)
    }
}

/// Returns the records of a JSON export: `None` if the documents are none.
///
/// # Errors
/// [`ParseError::OutOfRoom`]: the array takes more than `bytes_max`.
pub(super) fn unwrap_json(text: &str, bytes_max: usize) -> Result<Option<Unwrapped>, ParseError> {
    json::unwrap(text, Builder::new(text, bytes_max))
}

/// Returns the records of an export that does not begin like JSON: `None` if it is none.
///
/// # Errors
/// [`ParseError::OutOfRoom`], and [`ParseError::NoEventJson`]: a query result without whole records.
pub(super) fn unwrap_text(text: &str, bytes_max: usize) -> Result<Option<Unwrapped>, ParseError> {
    if lines::is_export(text) {
        return lines::unwrap(text, Builder::new(text, bytes_max)).map(Some);
    }
    csv::unwrap(text, Builder::new(text, bytes_max))
}

/// Returns whether a file that begins in this way may be an export that is not JSON.
pub(crate) fn may_be_text_export(head: &[u8]) -> bool {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    lines::is_export(&line) || csv::is_export(&line)
}

/// Builds the array.
struct Builder<'t> {
    export: &'t str,
    text: String,
    starts: Vec<(usize, usize)>,
    replaced_chars: u64,
    bytes_max: usize,
}

impl<'t> Builder<'t> {
    fn new(export: &'t str, bytes_max: usize) -> Self {
        let text = String::with_capacity(export.len().min(bytes_max));
        Self { export, text, starts: Vec::new(), replaced_chars: 0, bytes_max }
    }

    /// Adds a record, with a further member if the envelope has something to add. `place` is where it
    /// begins in the export. What is not a JSON object is added as `otherwise`, which is JSON.
    fn push(
        &mut self,
        record: &str,
        added: Option<(&str, String)>,
        place: usize,
        otherwise: &str,
    ) -> Result<(), ParseError> {
        let is_object = record.trim_ascii_start().starts_with('{')
            && serde_json::from_str::<serde::de::IgnoredAny>(record).is_ok();
        if !is_object {
            return self.push_json(otherwise, place);
        }
        let record = record.trim_ascii();
        let Some((name, value)) = added else { return self.push_json(record, place) };
        let inside = record[1..record.len() - 1].trim_ascii();
        let comma = if inside.is_empty() { "" } else { "," };
        self.push_json(&format!("{{{inside}{comma}\"{name}\":{value}}}"), place)
    }

    /// Adds JSON as it is.
    fn push_json(&mut self, json: &str, place: usize) -> Result<(), ParseError> {
        // With its comma, the bracket at the end, and its entry in the list of starts.
        let bytes =
            self.text.len() + json.len() + 2 + (self.starts.len() + 1) * size_of::<[usize; 2]>();
        if bytes > self.bytes_max {
            return Err(ParseError::OutOfRoom { bytes_max: self.bytes_max });
        }
        self.text.push(if self.starts.is_empty() { '[' } else { ',' });
        self.starts.push((self.text.len(), place));
        self.text.push_str(json);
        Ok(())
    }

    /// Returns where a part of the export begins.
    fn place_of(&self, part: &str) -> usize {
        part.as_ptr() as usize - self.export.as_ptr() as usize
    }

    fn finish(mut self, kind: Kind) -> Unwrapped {
        self.text.push_str(if self.starts.is_empty() { "[]" } else { "]" });
        let Self { text, starts, replaced_chars, .. } = self;
        Unwrapped { text, kind, replaced_chars, starts }
    }
}

/// Returns JSON of a text.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("text can be written as JSON")
}

/// Returns a JSON object of these members: names, and values as JSON.
fn object<'m>(members: impl IntoIterator<Item = (&'m str, &'m str)>) -> String {
    let members: Vec<String> =
        members.into_iter().map(|(name, value)| format!("{}:{value}", quoted(name))).collect();
    format!("{{{}}}", members.join(","))
}
