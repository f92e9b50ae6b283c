//! Filters: which records an import loads, and which records of an object are loaded already.
//!
//! A filter is a pure function of the record, so that the ledger can keep what was selected instead of
//! what was left out. A later import with another filter then loads exactly the records that it selects
//! and that no earlier filter selected. This file has what a filter is and its text in the ledger; the
//! room `record` applies it.

use std::collections::BTreeSet;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::time::EventTime;

/// The longest text of a filter, in bytes. The ledger has it once for each object.
pub const FILTER_BYTES_MAX: usize = 16 << 10;

/// The longest text of the filters that one object was loaded with, in bytes.
pub const FILTERS_BYTES_MAX: usize = 64 << 10;

/// A condition on records, with the names of the AWS CLI's `lookup-events`. Different fields apply
/// together; of several values of one field, one must match. An empty set and `None` match any record.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordFilter {
    /// Operations: the value of `eventName`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub event_names: BTreeSet<String>,
    /// Services: the value of `eventSource`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub event_sources: BTreeSet<String>,
    /// Names of callers, as the column `user_name` has them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub usernames: BTreeSet<String>,
    /// Access keys of requests, as the column `access_key_id` has them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub access_key_ids: BTreeSet<String>,
    /// Names or ARNs that the request, the response or a field without a column contains.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub resource_names: BTreeSet<String>,
    /// Categories: the value of `eventCategory`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub event_categories: BTreeSet<String>,
    /// The value of `readOnly`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_only: Option<bool>,
    /// Whether only records with an `errorCode` match.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub errors_only: bool,
    /// The first `eventTime`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<FilterTime>,
    /// The last `eventTime`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<FilterTime>,
}

/// A bound of a filter on `eventTime`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FilterTime(pub EventTime);

impl Serialize for FilterTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for FilterTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let no_time = || serde::de::Error::custom("not a time");
        EventTime::parse(&text).map(Self).ok_or_else(no_time)
    }
}

impl RecordFilter {
    /// Returns whether it matches every record.
    pub fn is_all(&self) -> bool {
        *self == Self::default()
    }

    /// Returns the filter as JSON. Equal filters have equal texts.
    ///
    /// # Panics
    /// Never: it has nothing that JSON cannot have.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a filter can be written as JSON")
    }

    /// Returns whether it can be applied to the 16 columns of a record alone.
    pub fn needs_only_columns(&self) -> bool {
        self.resource_names.is_empty()
            && self.event_categories.is_empty()
            && self.read_only.is_none()
    }

    /// Returns the sets of values.
    fn sets(&self) -> [&BTreeSet<String>; 6] {
        [
            &self.event_names,
            &self.event_sources,
            &self.usernames,
            &self.access_key_ids,
            &self.resource_names,
            &self.event_categories,
        ]
    }

    fn sets_mut(&mut self) -> [&mut BTreeSet<String>; 6] {
        [
            &mut self.event_names,
            &mut self.event_sources,
            &mut self.usernames,
            &mut self.access_key_ids,
            &mut self.resource_names,
            &mut self.event_categories,
        ]
    }

    /// Returns whether it certainly matches each record that `other` matches.
    fn covers(&self, other: &Self) -> bool {
        let mut sets = self.sets().into_iter().zip(other.sets());
        sets.all(|(ours, theirs)| ours.is_empty() || (!theirs.is_empty() && theirs.is_subset(ours)))
            && (self.read_only.is_none() || self.read_only == other.read_only)
            && (!self.errors_only || other.errors_only)
            && self.since.is_none_or(|ours| other.since.is_some_and(|theirs| ours <= theirs))
            && self.until.is_none_or(|ours| other.until.is_some_and(|theirs| theirs <= ours))
    }

    /// Returns one filter in place of two that differ only in the values of one field, or in times
    /// which overlap.
    fn joined(&self, other: &Self) -> Option<Self> {
        let mut joined = self.clone();
        if (self.since, self.until) == (other.since, other.until) {
            let mut sets = self.sets().into_iter().zip(other.sets());
            let differing = sets.position(|(ours, theirs)| ours != theirs)?;
            let theirs = other.sets()[differing];
            let ours = std::mem::replace(joined.sets_mut()[differing], theirs.clone());
            if ours.is_empty() || theirs.is_empty() || joined != *other {
                return None;
            }
            joined.sets_mut()[differing].extend(ours);
            return Some(joined);
        }
        // Without any bound, a filter also matches records that have no time.
        let are_timed = [self, other].iter().all(|it| it.since.is_some() || it.until.is_some());
        let begins_in = |one: &Self, other: &Self| {
            one.since.zip(other.until).is_none_or(|(since, until)| since <= until)
        };
        let overlap = begins_in(self, other) && begins_in(other, self);
        (joined.since, joined.until) = (other.since, other.until);
        if !are_timed || !overlap || joined != *other {
            return None;
        }
        joined.since = self.since.zip(other.since).map(|(one, other)| one.min(other));
        joined.until = self.until.zip(other.until).map(|(one, other)| one.max(other));
        (joined.since.is_some() || joined.until.is_some()).then_some(joined)
    }
}

/// The records that at least one of several filters matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FilterSet {
    /// Every record, without a filter.
    All,
    /// Invariant: in their order, none matches every record, and none covers another.
    Any(Vec<RecordFilter>),
}

impl FilterSet {
    /// No record.
    pub const NONE: Self = Self::Any(Vec::new());

    /// Returns the records that a filter matches.
    pub fn of(filter: &RecordFilter) -> Self {
        if filter.is_all() { Self::All } else { Self::Any(vec![filter.clone()]) }
    }

    /// Returns whether it certainly has each record that `other` has.
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::All, _) => true,
            (Self::Any(_), Self::All) => false,
            (Self::Any(ours), Self::Any(theirs)) => {
                theirs.iter().all(|theirs| ours.iter().any(|ours| ours.covers(theirs)))
            }
        }
    }

    /// Returns the records that either has.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let (Self::Any(ours), Self::Any(theirs)) = (self, other) else { return Self::All };
        let mut filters: Vec<RecordFilter> = Vec::with_capacity(ours.len() + theirs.len());
        for filter in ours.iter().chain(theirs) {
            let mut filter = filter.clone();
            if filters.iter().any(|it| it.covers(&filter)) {
                continue;
            }
            while let Some((at, joined)) =
                filters.iter().enumerate().find_map(|(at, it)| Some((at, it.joined(&filter)?)))
            {
                filters.swap_remove(at);
                filter = joined;
            }
            filters.retain(|it| !filter.covers(it));
            filters.push(filter);
        }
        filters.sort();
        Self::Any(filters)
    }

    /// Returns whether it can be told from the 16 columns alone whether it has a record.
    pub fn needs_only_columns(&self) -> bool {
        match self {
            Self::All => true,
            Self::Any(filters) => filters.iter().all(RecordFilter::needs_only_columns),
        }
    }

    /// Returns the text in the ledger: a JSON array; `None` for all records.
    ///
    /// # Panics
    /// Never: filters have nothing that JSON cannot have.
    pub fn to_column(&self) -> Option<String> {
        match self {
            Self::All => None,
            Self::Any(filters) => {
                Some(serde_json::to_string(filters).expect("filters can be written as JSON"))
            }
        }
    }

    /// Returns how long the text in the ledger is.
    pub(crate) fn column_bytes(&self) -> usize {
        self.to_column().map_or(0, |text| text.len())
    }

    /// Reads the text in the ledger.
    ///
    /// # Errors
    /// It is not a list of filters that this version of the program knows.
    pub fn from_column(text: Option<&str>) -> Result<Self, serde_json::Error> {
        let Some(text) = text else { return Ok(Self::All) };
        let filters: Vec<RecordFilter> = serde_json::from_str(text)?;
        let each = filters.iter().map(Self::of);
        Ok(each.fold(Self::NONE, |set, filter| set.union(&filter)))
    }
}

/// Which records of an object are read: those that are selected and are not loaded yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// What this import selects.
    pub selected: FilterSet,
    /// What earlier imports have loaded or rejected. With any filter here, they have also rejected
    /// everything that is no record.
    pub loaded: FilterSet,
}

impl Wanted {
    /// All records of an object that is read for the first time.
    pub const ALL: Self = Self { selected: FilterSet::All, loaded: FilterSet::NONE };

    /// Returns whether an earlier import has read the object.
    pub fn is_read_again(&self) -> bool {
        self.loaded != FilterSet::NONE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> RecordFilter {
        let event_names = names.iter().map(|&it| it.to_owned()).collect();
        RecordFilter { event_names, ..RecordFilter::default() }
    }

    fn time(text: &str) -> Option<FilterTime> {
        (!text.is_empty()).then(|| FilterTime(EventTime::parse(text).unwrap()))
    }

    /// Returns a filter on times in January 2026.
    fn days(since: &str, until: &str) -> RecordFilter {
        let day = |day: &str| if day.is_empty() { day.into() } else { format!("2026-01-{day}") };
        let time = |text: &str| time(&day(text));
        let at =
            |text: &str| text.is_empty().then(String::new).unwrap_or(format!("{text}T00:00:00Z"));
        let (since, until) = (time(&at(since)), time(&at(until)));
        RecordFilter { since, until, ..names(&["A"]) }
    }

    fn set(filters: &[RecordFilter]) -> FilterSet {
        filters.iter().fold(FilterSet::NONE, |set, it| set.union(&FilterSet::of(it)))
    }

    #[test]
    fn a_filter_has_one_text() {
        let filter = RecordFilter {
            read_only: Some(false),
            errors_only: true,
            since: time("2026-01-15T09:30:00Z"),
            ..names(&["b", "a", "b"])
        };
        let text = r#"{"event_names":["a","b"],"read_only":false,"errors_only":true,"since":"2026-01-15 09:30:00"}"#;
        assert_eq!(filter.to_json(), text);
        let column = format!("[{text}]");
        assert_eq!(FilterSet::of(&filter).to_column().as_ref(), Some(&column));
        assert_eq!(FilterSet::from_column(Some(&column)).unwrap(), FilterSet::of(&filter));
        assert_eq!(FilterSet::from_column(None).unwrap(), FilterSet::All);
        assert_eq!(FilterSet::All.to_column(), None);
        assert_eq!(FilterSet::from_column(Some("[]")).unwrap(), FilterSet::NONE);
        for text in ["", "{}", r#"[{"later_option":1}]"#, r#"[{"since":"yesterday"}]"#] {
            assert!(FilterSet::from_column(Some(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn a_filter_covers_a_narrower_one() {
        let errors = RecordFilter { errors_only: true, ..names(&["A"]) };
        let reads = RecordFilter { read_only: Some(true), ..names(&["A"]) };
        for (wide, narrow) in [
            (RecordFilter::default(), names(&["A"])),
            (names(&["A", "B"]), names(&["A"])),
            (names(&["A"]), errors.clone()),
            (names(&["A"]), reads.clone()),
            (days("02", ""), days("03", "05")),
            (days("02", "05"), days("02", "05")),
            (names(&["A"]), days("", "05")),
        ] {
            assert!(wide.covers(&narrow), "{wide:?} {narrow:?}");
            assert!(wide == narrow || !narrow.covers(&wide), "{wide:?} {narrow:?}");
        }
        for (one, other) in [
            (names(&["A"]), names(&["B"])),
            (errors, reads),
            (days("02", "05"), days("03", "06")),
            (names(&["A"]), RecordFilter { event_sources: ["A".into()].into(), ..names(&[]) }),
        ] {
            assert!(!one.covers(&other) && !other.covers(&one), "{one:?} {other:?}");
        }
    }

    #[test]
    fn a_union_keeps_no_filter_that_another_covers_and_joins_times() {
        let union = |filters: &[RecordFilter]| match set(filters) {
            FilterSet::All => vec![RecordFilter::default()],
            FilterSet::Any(filters) => filters,
        };
        assert_eq!(union(&[names(&["A"]), names(&["A", "B"])]), [names(&["A", "B"])]);
        assert_eq!(union(&[names(&["B"]), names(&["A"])]), [names(&["A", "B"])]);
        let errors = RecordFilter { errors_only: true, ..names(&["A"]) };
        assert_eq!(union(&[names(&["B"]), errors.clone()]), [errors, names(&["B"])]);
        assert_eq!(union(&[names(&["A"]), RecordFilter::default()]), [RecordFilter::default()]);
        assert_eq!(union(&[days("02", "05"), days("04", "09")]), [days("02", "09")]);
        assert_eq!(union(&[days("02", "05"), days("05", "")]), [days("02", "")]);
        assert_eq!(union(&[days("02", "03"), days("05", "06")]).len(), 2);
        // The third one joins the two others.
        let three = [days("02", "03"), days("05", "06"), days("03", "05")];
        assert_eq!(union(&three), [days("02", "06")]);
        // Together they have every time, but no record without one.
        assert_eq!(union(&[days("", "05"), days("03", "")]).len(), 2);
        assert_eq!(union(&[days("", "05"), names(&["A"])]), [names(&["A"])]);
    }

    #[test]
    fn a_set_covers_what_its_filters_cover() {
        let two = set(&[days("02", "03"), names(&["B"])]);
        assert!(two.covers(&set(&[names(&["B"])])) && two.covers(&FilterSet::NONE));
        assert!(FilterSet::All.covers(&two) && FilterSet::All.covers(&FilterSet::All));
        assert!(!two.covers(&FilterSet::All) && !FilterSet::NONE.covers(&two));
        let in_parts = set(&[days("02", "03"), days("05", "06")]);
        assert!(in_parts.covers(&set(&[days("05", "06"), days("02", "02")])));
        assert!(!in_parts.covers(&set(&[days("02", "06")])));
    }
}
