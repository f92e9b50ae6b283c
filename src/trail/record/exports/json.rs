//! Exports that are JSON: single documents, one after another, or in arrays.

use std::borrow::Cow;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{Builder, Unwrapped, added, object};
use crate::trail::record::text::{Content, characters};
use crate::trail::record::{Kind, ParseError};

/// The members of an object, in the order of the text.
struct Entries<'t>(Vec<(Cow<'t, str>, &'t RawValue)>);

/// Returns the records of all documents; `None` if none of them is an export.
pub(super) fn unwrap<'t>(
    text: &'t str,
    builder: Builder<'t>,
) -> Result<Option<Unwrapped>, ParseError> {
    let mut reader = Reader { builder, kind: None };
    for document in serde_json::Deserializer::from_str(text).into_iter::<&RawValue>() {
        // The parser has already read all of it.
        let Ok(document) = document else { return Ok(None) };
        match document.get().as_bytes()[0] {
            b'[' => {
                for element in elements(document).unwrap_or_default() {
                    reader.element(element)?;
                }
            }
            _ => reader.element(document)?,
        }
    }
    let Reader { builder, kind } = reader;
    Ok(kind.map(|kind| builder.finish(kind)))
}

struct Reader<'t> {
    builder: Builder<'t>,
    /// The kind of the first document that is an export.
    kind: Option<Kind>,
}

impl<'t> Reader<'t> {
    /// Takes one document, or one element of a top-level array.
    fn element(&mut self, element: &'t RawValue) -> Result<(), ParseError> {
        let raw = element.get();
        if raw.starts_with('"') {
            // `--query 'Events[].CloudTrailEvent'` prints records as strings.
            return self.text(raw, None, Kind::LookupEvents);
        }
        let Some(Entries(members)) = entries(element) else {
            return self.builder.push_json(raw, self.builder.place_of(raw));
        };
        let get = |name: &str| {
            let found = members.iter().rev().find(|(known, _)| known == name);
            found.map(|(_, value)| *value)
        };
        let list = |name: &str| get(name).and_then(elements);
        if get("CloudTrailEvent").is_some() {
            return self.looked_up(element, &members);
        }
        if let Some(events) = list("Events") {
            return self.each(&events, Kind::LookupEvents, Self::looked_up);
        }
        if get("detail-type").is_some()
            && let Some(detail) = get("detail").filter(|it| it.get().starts_with('{'))
        {
            let envelope = without(&members, &["detail"]);
            self.kind.get_or_insert(Kind::EventBridge);
            let (record, place) = (detail.get(), self.builder.place_of(raw));
            let is_ours = entries(detail).is_some_and(|Entries(detail)| {
                detail.iter().any(|(name, _)| name == "eventVersion")
            });
            if !is_ours {
                return self.builder.push_json(raw, place);
            }
            return self.builder.push(record, Some((added::EVENT_BRIDGE, envelope)), place, raw);
        }
        if let (Some(message_type), Some(events)) = (get("messageType"), list("logEvents")) {
            // CloudWatch Logs checks with it that the destination can be reached.
            if message_type.get() == "\"CONTROL_MESSAGE\"" {
                self.kind.get_or_insert(Kind::CloudWatchLogs);
                return Ok(());
            }
            return self.messages(&events, &without(&members, &["logEvents", "messageType"]));
        }
        // `filter-log-events` and `get-log-events`.
        if let Some(events) = list("events") {
            return self.messages(&events, "{}");
        }
        if let Some(rows) = list("results") {
            return self.insights(&rows);
        }
        if let Some(rows) = list("QueryResultRows") {
            return self.query_result(&rows);
        }
        self.builder.push_json(raw, self.builder.place_of(raw))
    }

    /// Takes each element of a list that is an object.
    fn each(
        &mut self,
        list: &[&'t RawValue],
        kind: Kind,
        take: impl Fn(
            &mut Self,
            &'t RawValue,
            &[(Cow<'t, str>, &'t RawValue)],
        ) -> Result<(), ParseError>,
    ) -> Result<(), ParseError> {
        self.kind.get_or_insert(kind);
        for element in list {
            match entries(element) {
                Some(Entries(members)) => take(self, element, &members)?,
                None => {
                    self.builder.push_json(element.get(), self.builder.place_of(element.get()))?
                }
            }
        }
        Ok(())
    }

    /// Takes an event of `lookup-events` (AWS CLI, "cloudtrail lookup-events"), whose record is a string.
    fn looked_up(
        &mut self,
        event: &'t RawValue,
        members: &[(Cow<'t, str>, &'t RawValue)],
    ) -> Result<(), ParseError> {
        let record = value_of(members, "CloudTrailEvent").filter(|it| it.starts_with('"'));
        let Some(record) = record else {
            return self.builder.push_json(event.get(), self.builder.place_of(event.get()));
        };
        let resources = value_of(members, "Resources").filter(|it| it.len() > "[]".len());
        let resources = resources.map(|it| (added::LOOKUP_RESOURCES, it.to_owned()));
        self.text(record, resources, Kind::LookupEvents)
    }

    /// Takes messages of CloudWatch Logs. `group` is a JSON object of what they have in common.
    fn messages(&mut self, events: &[&'t RawValue], group: &str) -> Result<(), ParseError> {
        self.each(events, Kind::CloudWatchLogs, |reader, event, members| {
            let message = value_of(members, "message").filter(|it| it.starts_with('"'));
            let Some(message) = message else {
                return reader.builder.push_json(event.get(), reader.builder.place_of(event.get()));
            };
            let own = without(members, &["message"]);
            let both = [&group[1..group.len() - 1], &own[1..own.len() - 1]];
            let both: Vec<&str> = both.into_iter().filter(|it| !it.is_empty()).collect();
            let info = (added::CLOUDWATCH_LOGS, format!("{{{}}}", both.join(",")));
            reader.text(message, Some(info), Kind::CloudWatchLogs)
        })
    }

    /// Takes rows of Logs Insights: lists of fields, of which `@message` is the record.
    fn insights(&mut self, rows: &[&'t RawValue]) -> Result<(), ParseError> {
        self.rows(rows, Kind::CloudWatchLogs, "@message", added::CLOUDWATCH_LOGS, |cell| {
            let Entries(members) = entries(cell)?;
            let name = value_of(&members, "field")?;
            Some((name_of(name).into_owned(), value_of(&members, "value")?))
        })
    }

    /// Takes rows of CloudTrail Lake: lists of columns, of which `eventJson` is the record.
    fn query_result(&mut self, rows: &[&'t RawValue]) -> Result<(), ParseError> {
        self.rows(rows, Kind::QueryResult, "eventjson", added::QUERY_RESULT, |cell| {
            let Entries(members) = entries(cell)?;
            let (name, value) = members.first()?;
            Some((name.to_lowercase(), value.get()))
        })
    }

    fn rows(
        &mut self,
        rows: &[&'t RawValue],
        kind: Kind,
        record: &str,
        added: &str,
        cell: impl Fn(&'t RawValue) -> Option<(String, &'t str)>,
    ) -> Result<(), ParseError> {
        for row in rows {
            let cells: Vec<_> =
                elements(row).unwrap_or_default().into_iter().filter_map(&cell).collect();
            let found = cells.iter().find(|(name, value)| name == record && value.starts_with('"'));
            let Some((_, text)) = found else {
                self.builder.push_json(row.get(), self.builder.place_of(row.get()))?;
                continue;
            };
            let others: Vec<_> = cells.iter().filter(|(name, _)| name != record).collect();
            let others = (!others.is_empty())
                .then(|| (added, object(others.iter().map(|(name, value)| (&**name, *value)))));
            self.text(text, others, kind)?;
        }
        Ok(())
    }

    /// Takes a record that is a JSON string.
    fn text(
        &mut self,
        quoted: &'t str,
        added: Option<(&str, String)>,
        kind: Kind,
    ) -> Result<(), ParseError> {
        let record = characters(quoted, Content::Unchecked, &mut self.builder.replaced_chars);
        if record.trim_ascii_start().starts_with('{') {
            self.kind.get_or_insert(kind);
        }
        self.builder.push(&record, added, self.builder.place_of(quoted), quoted)
    }
}

/// Returns the characters of a name.
fn name_of(quoted: &str) -> Cow<'_, str> {
    characters(quoted, Content::Unchecked, &mut 0)
}

/// Returns the value of a member as JSON.
fn value_of<'t>(members: &[(Cow<'t, str>, &'t RawValue)], name: &str) -> Option<&'t str> {
    let found = members.iter().rev().find(|(known, _)| known == name);
    found.map(|(_, value)| value.get())
}

/// Returns an object of the members but these.
fn without(members: &[(Cow<'_, str>, &RawValue)], left_out: &[&str]) -> String {
    let kept = members.iter().filter(|(name, _)| !left_out.contains(&&**name));
    object(kept.map(|(name, value)| (&**name, value.get())))
}

fn entries(value: &RawValue) -> Option<Entries<'_>> {
    serde_json::from_str(value.get()).ok()
}

fn elements(value: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::from_str(value.get()).ok()
}

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor;
        impl<'de> Visitor<'de> for EntriesVisitor {
            type Value = Entries<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some((name, value)) = map.next_entry::<&'de RawValue, &'de RawValue>()? {
                    entries.push((name_of(name.get()), value));
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(EntriesVisitor)
    }
}
