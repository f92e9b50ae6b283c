//! What a database holds only a part of, because of the filters of imports.

use serde::Serialize;

use super::format::{counted, rfc3339, shell_word};
use crate::cli::escape::visible;
use crate::database::status::PartlyLoaded;
use crate::trail::filter::{FilterSet, RecordFilter};

/// The keys for programs.
#[derive(Debug, Clone, Serialize)]
pub(super) struct PartJson<'p> {
    objects: u64,
    records_left_out: u64,
    /// The filters of all these objects; `None` if they differ.
    filters: Option<&'p [RecordFilter]>,
}

impl<'p> From<&'p PartlyLoaded> for PartJson<'p> {
    fn from(part: &'p PartlyLoaded) -> Self {
        let filters = match &part.filters {
            Some(FilterSet::Any(filters)) => Some(&**filters),
            Some(FilterSet::All) | None => None,
        };
        Self { objects: part.objects, records_left_out: part.filtered, filters }
    }
}

/// Returns what is loaded and what is not, without a full stop.
pub(super) fn in_words(part: &PartlyLoaded) -> String {
    let objects = counted(part.objects, "object");
    let selected = match &part.filters {
        Some(FilterSet::Any(filters)) if !filters.is_empty() => {
            let filters = filters.iter().map(options).collect::<Vec<_>>().join(" or ");
            format!("records that {} selects", visible(&filters))
        }
        _ => "records that filters select".to_owned(),
    };
    let left_out = counted(part.filtered, "record");
    format!("{objects}, only {selected}; {left_out} left out")
}

/// Returns the options of `import` that make a filter, between backticks.
fn options(filter: &RecordFilter) -> String {
    let mut options = Vec::new();
    for (name, values) in [
        ("--event-name", &filter.event_names),
        ("--event-source", &filter.event_sources),
        ("--username", &filter.usernames),
        ("--access-key-id", &filter.access_key_ids),
        ("--resource-name", &filter.resource_names),
        ("--event-category", &filter.event_categories),
    ] {
        options.extend(values.iter().map(|value| format!("{name} {}", shell_word(value))));
    }
    options.extend(filter.read_only.map(|value| format!("--read-only {value}")));
    options.extend(filter.errors_only.then(|| "--errors-only".to_owned()));
    for (name, time) in [("--since", filter.since), ("--until", filter.until)] {
        options.extend(time.map(|time| format!("{name} {}", rfc3339(time.0))));
    }
    format!("`{}`", options.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said_with_the_options_that_select() {
        let column = r#"[{"event_names":["A","b c"],"read_only":false,"since":"2026-01-15 00:00:00"},
            {"errors_only":true}]"#;
        let filters = FilterSet::from_column(Some(column)).unwrap();
        let part = PartlyLoaded { objects: 1_234, filtered: 1, filters: Some(filters) };
        assert_eq!(
            in_words(&part),
            "1,234 objects, only records that `--errors-only` or `--event-name A --event-name 'b c' \
             --read-only false --since 2026-01-15T00:00:00Z` selects; 1 record left out"
        );
        let part = PartlyLoaded { objects: 1, filtered: 20, filters: None };
        assert_eq!(
            in_words(&part),
            "1 object, only records that filters select; 20 records left out"
        );
    }
}
