//! The exact pass: element by element, so that an odd element is rejected alone.
//!
//! Its work is linear in the text, and it keeps nothing of an element but what the collector keeps.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::collect::{Collector, Taken};
use super::members::{Key, MemberName, Members};
use super::text;
use super::{ParseError, ParseOptions, RejectReason};

/// Reads all documents of the text.
pub(super) fn read<'t>(
    text: &'t str,
    options: &'t ParseOptions<'_>,
) -> Result<Collector<'t>, ParseError> {
    let collector = Collector::new(text.len(), options);
    let mut reader = Reader { text, collector, failure: None };
    let mut documents = serde_json::Deserializer::from_str(text);
    loop {
        let raw: &RawValue =
            Deserialize::deserialize(&mut documents).map_err(|error| reader.fault(error))?;
        reader.value(raw, Place::Top)?;
        let end = reader.offset_of(raw) + raw.get().len();
        if text[end..].bytes().all(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')) {
            return Ok(reader.collector);
        }
    }
}

/// Where a JSON value was found, which decides what it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// At the top level: a wrapper, an array of records, a record, or something else.
    Top,
    /// An element of `Records` or of a top-level array.
    Element,
}

struct Reader<'t> {
    text: &'t str,
    collector: Collector<'t>,
    /// Why a visitor stopped `serde_json`, whose own error says nothing of it.
    failure: Option<ParseError>,
}

impl<'t> Reader<'t> {
    fn value(&mut self, raw: &'t RawValue, place: Place) -> Result<(), ParseError> {
        let taken = match (raw.get().as_bytes().first(), place) {
            (Some(b'{'), _) => self.object(raw, place)?,
            (Some(b'['), Place::Top) => return self.elements(raw),
            _ => Taken::Rejected(RejectReason::NotAnObject(text::json_type(raw.get()))),
        };
        if let Taken::Rejected(reason) = taken {
            let offset_bytes = self.offset_of(raw) as u64;
            self.collector.reject(reason, offset_bytes, raw.get());
        }
        Ok(())
    }

    /// Takes the elements of an array, one at a time.
    fn elements(&mut self, array: &'t RawValue) -> Result<(), ParseError> {
        let mut elements = serde_json::Deserializer::from_str(array.get());
        let read = Elements(self).deserialize(&mut elements);
        read.map_err(|error| self.fault(error))
    }

    /// Takes one record, or the records of a wrapper.
    fn object(&mut self, object: &'t RawValue, place: Place) -> Result<Taken, ParseError> {
        let mut members = serde_json::Deserializer::from_str(object.get());
        let read = Object { reader: self, place }.deserialize(&mut members);
        match read.map_err(|error| self.fault(error))? {
            Some(members) => self.collector.take(&members),
            None => Ok(Taken::Done),
        }
    }

    fn records(&mut self, value: &'t RawValue) -> Result<(), ParseError> {
        if !value.get().starts_with('[') {
            return Err(ParseError::RecordsNotArray { found: text::json_type(value.get()) });
        }
        self.collector.has_records_array = true;
        self.elements(value)
    }

    fn offset_of(&self, raw: &RawValue) -> usize {
        raw.get().as_ptr() as usize - self.text.as_ptr() as usize
    }

    /// Keeps a failure for [`Reader::fault`] and returns an error that stops `serde_json`.
    fn stop<E: serde::de::Error>(&mut self, failure: ParseError) -> E {
        self.failure = Some(failure);
        E::custom("stopped")
    }

    fn fault(&mut self, error: serde_json::Error) -> ParseError {
        let failure = self.failure.take();
        failure.unwrap_or_else(|| ParseError::from_json(error, self.text.len()))
    }
}

/// Passes the elements of an array to the reader.
struct Elements<'p, 't>(&'p mut Reader<'t>);

impl<'t> DeserializeSeed<'t> for Elements<'_, 't> {
    type Value = ();

    fn deserialize<D: Deserializer<'t>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'t> Visitor<'t> for Elements<'_, 't> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'t>>(self, mut elements: A) -> Result<(), A::Error> {
        while let Some(element) = elements.next_element()? {
            let taken = self.0.value(element, Place::Element);
            taken.map_err(|failure| self.0.stop(failure))?;
        }
        Ok(())
    }
}

/// Reads the members of an object that matter; `None` if it is a wrapper, whose records it passes
/// to the reader.
struct Object<'p, 't> {
    reader: &'p mut Reader<'t>,
    place: Place,
}

impl<'t> DeserializeSeed<'t> for Object<'_, 't> {
    type Value = Option<Members<'t>>;

    fn deserialize<D: Deserializer<'t>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'t> Visitor<'t> for Object<'_, 't> {
    type Value = Option<Members<'t>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'t>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Members::new();
        let mut is_wrapper = false;
        while let Some((name, value)) = map.next_entry::<MemberName<'t>, &'t RawValue>()? {
            if matches!(name.key, Key::Records) && self.place == Place::Top {
                let records = self.reader.records(value);
                records.map_err(|failure| self.reader.stop(failure))?;
                is_wrapper = true;
            } else {
                members.set_escaped(name, value.get());
            }
        }
        Ok((!is_wrapper).then_some(members))
    }
}
