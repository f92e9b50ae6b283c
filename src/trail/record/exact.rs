//! The exact pass: element by element, so that an odd element is rejected alone.

use serde::de::Deserialize;
use serde_json::value::RawValue;

use super::collect::{Collector, Place, Taken};
use super::members::{Entries, Key, Members};
use super::text::{self, CellRules};
use super::{ParseError, Reject};
use crate::trail::fields::COLUMNS;

/// Reads all documents of the text.
pub(super) fn read(text: &str, rules: &CellRules) -> Result<Collector, ParseError> {
    let mut reader = Reader { text, rules, collector: Collector::new(text.len()) };
    let mut documents = serde_json::Deserializer::from_str(text);
    loop {
        let raw = Deserialize::deserialize(&mut documents).map_err(|error| reader.fault(error))?;
        reader.value(raw, Place::Top)?;
        if documents.end().is_ok() {
            return Ok(reader.collector);
        }
    }
}

struct Reader<'t> {
    text: &'t str,
    rules: &'t CellRules,
    collector: Collector,
}

impl<'t> Reader<'t> {
    fn value(&mut self, raw: &'t RawValue, place: Place) -> Result<(), ParseError> {
        let taken = match (raw.get().as_bytes().first(), place) {
            (Some(b'{'), _) => self.object(raw, place)?,
            (Some(b'['), Place::Top) => return self.elements(raw),
            _ => {
                self.reject(raw, format!("not an object, but {}", text::json_type(raw.get())));
                return Ok(());
            }
        };
        match taken {
            Taken::Row => {}
            Taken::Foreign => self.reject(raw, "not a CloudTrail record".into()),
            Taken::Oversized { column } => {
                let reason = format!("`{}` is longer than its column", COLUMNS[column]);
                self.reject(raw, reason);
            }
        }
        Ok(())
    }

    fn elements(&mut self, array: &'t RawValue) -> Result<(), ParseError> {
        let elements: Vec<&'t RawValue> =
            serde_json::from_str(array.get()).map_err(|error| self.fault(error))?;
        elements.into_iter().try_for_each(|element| self.value(element, Place::Element))
    }

    /// Takes one record, or the records of a wrapper.
    fn object(&mut self, object: &'t RawValue, place: Place) -> Result<Taken, ParseError> {
        let Entries(entries) =
            serde_json::from_str(object.get()).map_err(|error| self.fault(error))?;
        let mut members = Members::new();
        let mut is_wrapper = false;
        for (key, value) in entries {
            if matches!(key, Key::Records) && place == Place::Top {
                self.records(value)?;
                is_wrapper = true;
            } else {
                members.set(key, value.get());
            }
        }
        if is_wrapper {
            return Ok(Taken::Row);
        }
        Ok(self.collector.take(&members, place, self.rules))
    }

    fn records(&mut self, value: &'t RawValue) -> Result<(), ParseError> {
        if !value.get().starts_with('[') {
            return Err(ParseError::RecordsNotArray { found: text::json_type(value.get()) });
        }
        self.collector.has_records_array = true;
        self.elements(value)
    }

    fn reject(&mut self, raw: &'t RawValue, reason: String) {
        let log = &mut self.collector.log;
        let offset_bytes = (raw.get().as_ptr() as usize - self.text.as_ptr() as usize) as u64;
        let (index, text) = (log.records(), raw.get().to_owned());
        log.rejects.push(Reject { index, offset_bytes, reason, text });
    }

    fn fault(&self, error: serde_json::Error) -> ParseError {
        if error.is_eof() {
            return ParseError::CutOff { text_bytes: self.text.len() };
        }
        ParseError::Syntax(error)
    }
}
