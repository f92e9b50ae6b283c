//! Takes the records out of what people export: answers of the AWS CLI, events of EventBridge and
//! CloudWatch Logs, query results, and CSV.
//!
//! Pure. An export is recognised by its content. Its records are copied into one JSON array, which the
//! parser then reads like a log file; what stands in a record's place and is none stays in the array, so
//! that it is rejected with its text. What the envelope says of a record becomes a further member of the
//! record, and so a part of `otherFields`.
//!
//! The work is linear in the text. What is kept is bounded by [`ParseLimits`](super::ParseLimits), except
//! for one record and its envelope.

use serde::de::IgnoredAny;

use super::{Kind, ParseError, Reject, RejectReason};

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
    /// Whether the export is not JSON. What is no record in it is a JSON string of its text.
    is_text: bool,
}

impl Unwrapped {
    /// Returns how many bytes this occupies.
    pub(super) fn bytes(&self) -> usize {
        self.text.len() + self.starts.len() * START_BYTES
    }

    /// Gives a reject of the array its place in the export; what is no object, its text there, too.
    pub(super) fn restore(&self, reject: &mut Reject) {
        let is_at = |(start, _): &(usize, usize)| (*start as u64).cmp(&reject.offset_bytes);
        if let Ok(n) = self.starts.binary_search_by(is_at) {
            reject.offset_bytes = self.starts[n].1 as u64;
        }
        if self.is_text && matches!(reject.reason, RejectReason::NotAnObject(_)) {
            reject.text = serde_json::from_str(&reject.text).expect("`Builder` made the string");
        }
    }
}

/// Returns the records of a JSON export: `None` if the documents are none.
///
/// # Errors
/// [`ParseError::OutOfRoom`]: the array takes more than `bytes_max`. [`ParseError::NoEventJson`]: a query
/// result without whole records. What is not valid JSON after the first export in the text.
pub(super) fn unwrap_json(text: &str, bytes_max: usize) -> Result<Option<Unwrapped>, ParseError> {
    json::unwrap(text, bytes_max)
}

/// Returns the records of an export that does not begin like a JSON object or array: `None` if it is none.
///
/// # Errors
/// As for [`unwrap_json`].
pub(super) fn unwrap_text(text: &str, bytes_max: usize) -> Result<Option<Unwrapped>, ParseError> {
    if lines::is_export(text) {
        return lines::unwrap(text, Builder::new(text, bytes_max)).map(Some);
    }
    match csv::unwrap(text, Builder::new(text, bytes_max))? {
        // Records as JSON strings, one after another: `jq '.Events[].CloudTrailEvent'` prints them.
        None if text.trim_ascii_start().starts_with('"') => json::unwrap(text, bytes_max),
        unwrapped => Ok(unwrapped),
    }
}

/// Returns whether a file that begins in this way may be an export that is not JSON.
pub(crate) fn may_be_text_export(head: &[u8]) -> bool {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let head = String::from_utf8_lossy(head);
    lines::is_export(&head) || csv::is_export(&head) || head.trim_ascii_start().starts_with("\"{")
}

/// What an element's entry in [`Unwrapped::starts`] occupies.
const START_BYTES: usize = size_of::<(usize, usize)>();

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
        Self { export, text: String::new(), starts: Vec::new(), replaced_chars: 0, bytes_max }
    }

    /// Adds a record, with a further member if the envelope has something to add. `place` is where it
    /// begins in the export. If it is not a JSON object, adds `otherwise`, which is JSON.
    fn push(
        &mut self,
        record: &str,
        added: Option<(&str, String)>,
        place: usize,
        otherwise: impl FnOnce() -> String,
    ) -> Result<(), ParseError> {
        let record = record.trim_ascii();
        let is_object =
            record.starts_with('{') && serde_json::from_str::<IgnoredAny>(record).is_ok();
        if !is_object {
            return self.push_json(&[&otherwise()], place);
        }
        let Some((name, value)) = added else { return self.push_json(&[record], place) };
        let members = record[..record.len() - 1].trim_ascii_end();
        let comma = if members == "{" { "" } else { "," };
        self.push_json(&[members, comma, "\"", name, "\":", &value, "}"], place)
    }

    /// Adds an element that is JSON, in parts.
    fn push_json(&mut self, parts: &[&str], place: usize) -> Result<(), ParseError> {
        let json_bytes: usize = parts.iter().map(|part| part.len()).sum();
        // With the comma, and the bracket at the end.
        let text_bytes = self.text.len() + json_bytes + 2;
        if text_bytes + (self.starts.len() + 1) * START_BYTES > self.bytes_max {
            return Err(ParseError::OutOfRoom { bytes_max: self.bytes_max });
        }
        if self.starts.is_empty() {
            // An array seldom takes more than its export: the records lose their escapes.
            self.text.reserve(text_bytes.max(self.export.len().min(self.bytes_max)));
        }
        self.text.push(if self.starts.is_empty() { '[' } else { ',' });
        self.starts.push((self.text.len(), place));
        self.text.extend(parts.iter().copied());
        Ok(())
    }

    /// Returns where a part of the export begins.
    fn place_of(&self, part: &str) -> usize {
        part.as_ptr() as usize - self.export.as_ptr() as usize
    }

    fn finish(mut self, kind: Kind, is_text: bool) -> Unwrapped {
        self.text.push_str(if self.starts.is_empty() { "[]" } else { "]" });
        self.text.shrink_to_fit();
        self.starts.shrink_to_fit();
        let Self { text, starts, replaced_chars, .. } = self;
        Unwrapped { text, kind, replaced_chars, starts, is_text }
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

#[cfg(test)]
mod tests;
