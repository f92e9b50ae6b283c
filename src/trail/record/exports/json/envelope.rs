//! Reads JSON without keeping more of it than a few members.

use std::borrow::Cow;
use std::fmt;
use std::ops::ControlFlow::{self, Break, Continue};

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::trail::record::text::{Content, characters};

/// The most members of an envelope. Those that are known have up to 11.
const MEMBERS_MAX: usize = 64;

/// The members of an envelope, in the order of the text.
#[derive(Default)]
pub(super) struct Envelope<'t>(Vec<(Cow<'t, str>, &'t RawValue)>);

impl<'t> Envelope<'t> {
    /// Reads the members of a value; `None` if it is not an object, or has too many for an envelope.
    pub(super) fn of(value: &'t RawValue) -> Option<Self> {
        serde_json::from_str(value.get()).ok()
    }

    /// Returns the last member of this name.
    pub(super) fn get(&self, name: &str) -> Option<&'t RawValue> {
        let found = self.0.iter().rev().find(|(known, _)| known == name);
        found.map(|(_, value)| *value)
    }

    /// Returns the last member of this name as JSON, if it is a string.
    pub(super) fn text(&self, name: &str) -> Option<&'t str> {
        self.get(name).map(RawValue::get).filter(|it| it.starts_with('"'))
    }

    pub(super) fn first(&self) -> Option<(&str, &'t RawValue)> {
        self.0.first().map(|(name, value)| (&**name, *value))
    }

    /// Iterates over the members but these.
    pub(super) fn without(&self, left_out: &[&str]) -> impl Iterator<Item = (&str, &'t str)> {
        let kept = self.0.iter().filter(|(name, _)| !left_out.contains(&&**name));
        kept.map(|(name, value)| (&**name, value.get()))
    }
}

impl<'de> Deserialize<'de> for Envelope<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EnvelopeVisitor;
        impl<'de> Visitor<'de> for EnvelopeVisitor {
            type Value = Envelope<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((name, value)) = map.next_entry::<&'de RawValue, &'de RawValue>()? {
                    if members.len() == MEMBERS_MAX {
                        return Err(A::Error::custom("too many members"));
                    }
                    members.push((name_of(name.get()), value));
                }
                Ok(Envelope(members))
            }
        }
        deserializer.deserialize_map(EnvelopeVisitor)
    }
}

/// Returns the characters of a name.
pub(super) fn name_of(quoted: &str) -> Cow<'_, str> {
    characters(quoted, Content::Unchecked, &mut 0)
}

/// Passes on each document of a text, of arrays their elements, until `take` breaks off.
///
/// # Errors
/// The text is not JSON from some document on.
pub(super) fn each_document<'t, B>(
    text: &'t str,
    take: &mut dyn FnMut(&'t RawValue) -> ControlFlow<B>,
) -> Result<ControlFlow<B>, serde_json::Error> {
    for document in serde_json::Deserializer::from_str(text).into_iter::<&RawValue>() {
        let document = document?;
        let is_array = document.get().starts_with('[');
        let taken = if is_array { each_element(document, take) } else { take(document) };
        if taken.is_break() {
            return Ok(taken);
        }
    }
    Ok(Continue(()))
}

/// Passes on each element of an array until `take` breaks off. Anything else has no elements.
pub(super) fn each_element<'t, B>(
    array: &'t RawValue,
    take: &mut dyn FnMut(&'t RawValue) -> ControlFlow<B>,
) -> ControlFlow<B> {
    let mut end = Continue(());
    let elements = Elements { take, end: &mut end };
    // The text is valid JSON: the only errors are that it is no array, and that `take` broke off.
    let _ = elements.deserialize(&mut serde_json::Deserializer::from_str(array.get()));
    end
}

/// Returns the first element of an array.
pub(super) fn first_element(array: &RawValue) -> Option<&RawValue> {
    each_element(array, &mut |element| Break(element)).break_value()
}

struct Elements<'f, 't, B> {
    take: &'f mut dyn FnMut(&'t RawValue) -> ControlFlow<B>,
    end: &'f mut ControlFlow<B>,
}

impl<'t, B> DeserializeSeed<'t> for Elements<'_, 't, B> {
    type Value = ();

    fn deserialize<D: Deserializer<'t>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'t, B> Visitor<'t> for Elements<'_, 't, B> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'t>>(self, mut elements: A) -> Result<(), A::Error> {
        while let Some(element) = elements.next_element()? {
            *self.end = (self.take)(element);
            if self.end.is_break() {
                return Err(A::Error::custom("stopped"));
            }
        }
        Ok(())
    }
}
