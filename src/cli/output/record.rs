//! The result of `record`.

use serde::Serialize;
use serde_json::value::RawValue;

use super::format::count;
use super::{Report, to_json};
use crate::cli::escape::{visible, visible_json};
use crate::database::status::StoredRecord;

/// The records with one `eventID`.
#[derive(Debug)]
pub(crate) struct RecordReport {
    /// The `eventID`.
    pub(crate) event_id: String,
    /// The records; more than one if the event was delivered more than once.
    pub(crate) records: Vec<FoundRecord>,
}

/// A record, and its place in its file.
#[derive(Debug)]
pub(crate) struct FoundRecord {
    /// The record.
    pub(crate) record: StoredRecord,
    /// Its place, if the file could be read.
    pub(crate) place: Option<RecordPlace>,
}

/// The place of a record in its file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RecordPlace {
    /// Its position among the records of the file, from 0.
    pub(crate) index: u64,
    /// How many records the file has.
    pub(crate) records: u64,
}

/// One record for programs.
#[derive(Serialize)]
struct RecordJson<'r> {
    uri: Option<&'r str>,
    sha256: Option<&'r str>,
    record_index: Option<u64>,
    has_other_fields: bool,
    record: Box<RawValue>,
}

impl Report for RecordReport {
    fn text(&self) -> String {
        if self.records.is_empty() {
            return format!("no record has the eventID {}\n", visible(&self.event_id));
        }
        let mut text = String::new();
        for FoundRecord { record, place } in &self.records {
            let uri = record.uri.as_deref().map_or("unknown object".into(), visible);
            text.push_str(&uri);
            if let Some(RecordPlace { index, records }) = place {
                text.push_str(&format!(
                    ", record {index} (from 0; the file has {})",
                    count(*records)
                ));
            }
            text.push('\n');
            if !record.has_other_fields {
                text.push_str("(only the 16 columns are stored)\n");
            }
            // A `Value` would change numbers and the order of the members.
            let raw: &RawValue =
                serde_json::from_str(&record.json).expect("a rebuilt record is valid JSON");
            text.push_str(&format!("{}\n", visible_json(&indented(raw.get()))));
        }
        text
    }

    fn json(&self) -> String {
        let records = self.records.iter().map(|FoundRecord { record, place }| RecordJson {
            record_index: place.map(|place| place.index),
            uri: record.uri.as_deref(),
            sha256: record.sha256.as_deref(),
            has_other_fields: record.has_other_fields,
            record: RawValue::from_string(record.json.clone())
                .expect("a rebuilt record is valid JSON"),
        });
        to_json(&records.collect::<Vec<_>>())
    }
}

/// Returns JSON with each member and element on a line of its own.
fn indented(json: &str) -> String {
    let (mut text, mut depth) = (String::with_capacity(2 * json.len()), 0);
    let (mut is_string, mut is_escaped) = (false, false);
    let mut characters = json.chars().peekable();
    while let Some(character) = characters.next() {
        if is_string {
            text.push(character);
            (is_string, is_escaped) =
                (is_escaped || character != '"', !is_escaped && character == '\\');
            continue;
        }
        let break_line = |text: &mut String, depth: usize| {
            text.push('\n');
            text.push_str(&"  ".repeat(depth));
        };
        match character {
            ' ' | '\t' | '\n' | '\r' => {}
            '{' | '[' => {
                text.push(character);
                while characters.peek().is_some_and(char::is_ascii_whitespace) {
                    characters.next();
                }
                if let Some(close) = characters.next_if(|next| matches!(next, '}' | ']')) {
                    text.push(close);
                } else {
                    depth += 1;
                    break_line(&mut text, depth);
                }
            }
            '}' | ']' => {
                depth -= 1;
                break_line(&mut text, depth);
                text.push(character);
            }
            ',' => {
                text.push(',');
                break_line(&mut text, depth);
            }
            ':' => text.push_str(": "),
            _ => {
                is_string = character == '"';
                text.push(character);
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_and_elements_have_lines_of_their_own() {
        let json = r#"{"a":[1, {"b":"x,{\"\\"}],"c":{ },"d":[],"e":"\\"}"#;
        let expected = r#"{
  "a": [
    1,
    {
      "b": "x,{\"\\"
    }
  ],
  "c": {},
  "d": [],
  "e": "\\"
}"#;
        assert_eq!(indented(json), expected);
        assert_eq!(indented(expected), expected);
    }
}
