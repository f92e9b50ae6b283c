//! Applies filters to records.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::Value;

use super::members::Members;
use super::text::{self, Content};
use crate::trail::fields::{COLUMN_COUNT, column};
use crate::trail::filter::{FilterSet, RecordFilter, Wanted};
use crate::trail::identity::Identity;
use crate::trail::rows::Row;
use crate::trail::time::EventTime;

const EVENT_TIME: usize = column("eventTime");
const EVENT_NAME: usize = column("eventName");
const EVENT_SOURCE: usize = column("eventSource");
const ERROR_CODE: usize = column("errorCode");
const USER_IDENTITY: usize = column("userIdentity");

/// The columns that may name a resource, besides the fields without a column.
const RESOURCES: [usize; 2] = [column("requestParameters"), column("responseElements")];

/// What an import does with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    /// It loads or rejects it.
    Take,
    /// No filter selects it.
    Filtered,
    /// An earlier import has loaded or rejected it.
    Known,
}

/// Returns what an import does with the record of these members.
pub(super) fn choose(wanted: &Wanted, members: &Members<'_>) -> Choice {
    if *wanted == Wanted::ALL {
        return Choice::Take;
    }
    let record = Record::new(members);
    if record.is_in(&wanted.loaded) {
        Choice::Known
    } else if record.is_in(&wanted.selected) {
        Choice::Take
    } else {
        Choice::Filtered
    }
}

/// Returns whether a set of filters has the record with this JSON text.
pub(super) fn has_text(set: &FilterSet, record: &str) -> bool {
    Record::new(&Members::parse(record)).is_in(set)
}

/// Returns whether a set of filters has the record of a row.
pub(super) fn has_row(set: &FilterSet, row: &Row<'_>) -> bool {
    has_text(set, &super::rebuild(&row.cells, row.other_fields))
}

/// A record whose values are read as a filter asks for them.
struct Record<'m, 't> {
    members: &'m Members<'t>,
    fallbacks: Option<[Option<&'t str>; COLUMN_COUNT]>,
}

impl<'m, 't> Record<'m, 't> {
    fn new(members: &'m Members<'t>) -> Self {
        Self { members, fallbacks: members.fallbacks() }
    }

    fn is_in(&self, set: &FilterSet) -> bool {
        match set {
            FilterSet::All => true,
            FilterSet::Any(filters) => filters.iter().any(|filter| self.matches(filter)),
        }
    }

    /// Applies what costs least first.
    fn matches(&self, filter: &RecordFilter) -> bool {
        let has_text = |column: usize, values: &BTreeSet<String>| {
            values.is_empty() || self.cell(column).is_some_and(|cell| values.contains(&*cell))
        };
        has_text(EVENT_NAME, &filter.event_names)
            && has_text(EVENT_SOURCE, &filter.event_sources)
            && (!filter.errors_only || self.raw(ERROR_CODE).is_some())
            && self.is_in_time(filter)
            && self.is_read_only(filter)
            && self.has_category(filter)
            && self.has_caller(filter)
            && self.has_resource(filter)
    }

    /// Returns the JSON text of the value that a column shows.
    fn raw(&self, column: usize) -> Option<&'t str> {
        let fallback = || self.fallbacks.as_ref().and_then(|fallbacks| fallbacks[column]);
        self.members.columns[column].or_else(fallback)
    }

    /// Returns what a text column holds.
    fn cell(&self, column: usize) -> Option<Cow<'t, str>> {
        self.raw(column).map(|raw| self.characters(raw))
    }

    fn characters(&self, raw: &'t str) -> Cow<'t, str> {
        text::characters(raw, self.members.content, &mut 0)
    }

    fn is_in_time(&self, filter: &RecordFilter) -> bool {
        if filter.since.is_none() && filter.until.is_none() {
            return true;
        }
        let time = self.cell(EVENT_TIME).and_then(|text| EventTime::parse(&text));
        time.is_some_and(|time| {
            filter.since.is_none_or(|since| since.0 <= time)
                && filter.until.is_none_or(|until| time <= until.0)
        })
    }

    /// `readOnly` is a truth value, or in some exports a string that names one.
    fn is_read_only(&self, filter: &RecordFilter) -> bool {
        filter.read_only.is_none_or(|expected| {
            let raw = self.members.other("readOnly");
            raw.is_some_and(|raw| self.characters(raw).parse() == Ok(expected))
        })
    }

    fn has_category(&self, filter: &RecordFilter) -> bool {
        let category = || self.members.other("eventCategory").map(|raw| self.characters(raw));
        filter.event_categories.is_empty()
            || category().is_some_and(|it| filter.event_categories.contains(&*it))
    }

    fn has_caller(&self, filter: &RecordFilter) -> bool {
        if filter.usernames.is_empty() && filter.access_key_ids.is_empty() {
            return true;
        }
        let raw = self.raw(USER_IDENTITY).unwrap_or_default();
        let text = text::json(raw, self.members.content, &mut 0);
        let identity = Identity::parse(&text);
        let has = |column: &str, values: &BTreeSet<String>| {
            values.is_empty() || identity.text(column).is_some_and(|text| values.contains(text))
        };
        has("user_name", &filter.usernames) && has("access_key_id", &filter.access_key_ids)
    }

    fn has_resource(&self, filter: &RecordFilter) -> bool {
        let names = &filter.resource_names;
        let contains = |raw: &str| names.iter().any(|name| contains(raw, name));
        names.is_empty()
            || RESOURCES.into_iter().filter_map(|column| self.raw(column)).any(contains)
            || self.members.others().any(|(_, raw)| contains(raw))
    }
}

/// Returns whether a JSON text contains a name, as it stands there or with its escapes resolved.
fn contains(raw: &str, name: &str) -> bool {
    if raw.contains(name) {
        return true;
    }
    let escaped = || {
        let text = text::json(raw, Content::Unchecked, &mut 0);
        serde_json::from_str(&text).is_ok_and(|value| has_string(&value, name))
    };
    raw.contains('\\') && escaped()
}

/// Returns whether a string in a value contains a name. Values nest no deeper than 30 levels.
fn has_string(value: &Value, name: &str) -> bool {
    match value {
        Value::String(text) => text.contains(name),
        Value::Array(elements) => elements.iter().any(|element| has_string(element, name)),
        Value::Object(members) => {
            members.iter().any(|(key, value)| key.contains(name) || has_string(value, name))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
