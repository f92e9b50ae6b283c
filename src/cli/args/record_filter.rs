//! The filters of `import`, and the record filter that they make.

use clap::Args;
use jiff::{Timestamp, ToSpan};

use crate::cli::config::{self, ConfigError, DayEdge};
use crate::trail::filter::{FILTER_BYTES_MAX, FilterTime, RecordFilter};
use crate::trail::layout::Selection;
use crate::trail::time::EventTime;

/// The categories of events (AWS CloudTrail user guide, "CloudTrail record contents").
const CATEGORIES: [&str; 5] = ["Management", "Data", "Insight", "NetworkActivity", "Aggregated"];

/// Which records of the objects to load. The names are those of `aws cloudtrail lookup-events`.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Filters")]
pub(super) struct RecordFilterArgs {
    /// Load only records with this `eventName`, such as `PutObject`; may be repeated
    ///
    /// Different filters apply together; of the values of a repeated one, one must match. The ledger keeps
    /// which records were selected. A later import with other filters, or without any,
    /// loads exactly what is missing. `status` shows that the database has only a part.
    #[arg(long, value_name = "NAME")]
    event_name: Vec<String>,

    /// Load only records of this service, such as `s3.amazonaws.com`; may be repeated
    #[arg(long, value_name = "NAME")]
    event_source: Vec<String>,

    /// Load only records of this user, role session or service; may be repeated
    ///
    /// As the column `user_name` of the view `events` has it.
    #[arg(long, value_name = "NAME")]
    username: Vec<String>,

    /// Load only records of requests with this access key; may be repeated
    #[arg(long, value_name = "ID")]
    access_key_id: Vec<String>,

    /// Load only records that have this name or ARN in them; may be repeated
    ///
    /// Anywhere in the request, the response, the resources or further fields.
    #[arg(long, value_name = "NAME")]
    resource_name: Vec<String>,

    /// Load only records that read, or only records that write
    #[arg(long, value_name = "true|false", hide_possible_values = true)]
    read_only: Option<bool>,

    /// Load only records of calls that failed
    #[arg(long)]
    errors_only: bool,

    /// Load only records of this category, such as `Management` or `Data`; may be repeated
    ///
    /// Records of versions before 1.07 have no category, and are not loaded then.
    #[arg(long, value_name = "NAME")]
    event_category: Vec<String>,

    /// Load only records from this `eventTime` on: 2026-01-15, 2026-01-15T08:30:00Z, or 7d
    ///
    /// In UTC. `--from` selects day folders instead, by the time of delivery. With `--since` and without
    /// `--from`, day folders before this day are not read.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,

    /// Load only records up to this `eventTime`, in the same forms; a day includes its last second
    ///
    /// CloudTrail delivers late. Without `--to`, day folders up to one day later are read.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

impl RecordFilterArgs {
    /// Returns the filter.
    pub(super) fn filter(&self, now: Timestamp) -> Result<RecordFilter, ConfigError> {
        let set = |flag, typed: &[String]| {
            let values = typed.iter().map(|typed| config::filled(flag, Some(typed)));
            values.filter_map(Result::transpose).collect::<Result<_, _>>()
        };
        let moment = |flag, typed: &Option<String>, edge| {
            typed.as_deref().map(|typed| config::moment(flag, typed, now, edge)).transpose()
        };
        let since = moment("--since", &self.since, DayEdge::Start)?;
        let until = moment("--until", &self.until, DayEdge::End)?;
        if let (Some(since), Some(until)) = (since, until)
            && since > until
        {
            return Err(ConfigError::TimesReversed { since, until });
        }
        let categories: Vec<String> = self.event_category.iter().map(|it| category(it)).collect();
        let filter = RecordFilter {
            event_names: set("--event-name", &self.event_name)?,
            event_sources: set("--event-source", &self.event_source)?,
            usernames: set("--username", &self.username)?,
            access_key_ids: set("--access-key-id", &self.access_key_id)?,
            resource_names: set("--resource-name", &self.resource_name)?,
            event_categories: set("--event-category", &categories)?,
            read_only: self.read_only,
            errors_only: self.errors_only,
            since: since.map(FilterTime),
            until: until.map(FilterTime),
        };
        let bytes = filter.to_json().len();
        if bytes > FILTER_BYTES_MAX {
            return Err(ConfigError::FilterTooLong { bytes });
        }
        Ok(filter)
    }
}

/// Returns a category as CloudTrail writes it.
fn category(typed: &str) -> String {
    let known = CATEGORIES.into_iter().find(|known| known.eq_ignore_ascii_case(typed.trim()));
    known.map_or_else(|| typed.to_owned(), ToOwned::to_owned)
}

/// Returns the selection without the day folders that cannot hold a record which the filter matches, if
/// the user names no days.
///
/// A file is never in the folder of a day before its events. It may be in that of a later day.
pub(super) fn without_other_days(selection: Selection, filter: &RecordFilter) -> Selection {
    let day = |time: EventTime| {
        let time = Timestamp::from_second(time.unix_s()).ok()?;
        Some(time.to_zoned(jiff::tz::TimeZone::UTC).date())
    };
    let event_from = filter.since.and_then(|since| day(since.0));
    let event_to = filter.until.and_then(|until| day(until.0)?.checked_add(1.day()).ok());
    Selection {
        event_from: event_from.filter(|_| selection.from.is_none()),
        event_to: event_to.filter(|_| selection.to.is_none()),
        ..selection
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Typed {
        #[command(flatten)]
        filter: RecordFilterArgs,
    }

    fn filter(args: &[&str]) -> Result<RecordFilter, ConfigError> {
        let typed = Typed::try_parse_from([&["x"], args].concat()).unwrap();
        typed.filter.filter("2026-03-01T06:00:00Z".parse().unwrap())
    }

    #[test]
    fn options_make_the_filter_that_the_ledger_keeps() {
        assert!(filter(&[]).unwrap().is_all());
        for (args, expected) in [
            (&["--event-name", "b", "--event-name", " a "][..], r#"{"event_names":["a","b"]}"#),
            (
                &["--read-only", "false", "--errors-only"],
                r#"{"read_only":false,"errors_only":true}"#,
            ),
            (
                &["--event-category", "data", "--event-category", "New"],
                r#"{"event_categories":["Data","New"]}"#,
            ),
            (
                &["--since", "1d", "--until", "2026-02-28"],
                r#"{"since":"2026-02-28 06:00:00","until":"2026-02-28 23:59:59"}"#,
            ),
        ] {
            assert_eq!(filter(args).unwrap().to_json(), expected);
        }
    }

    #[test]
    fn a_filter_that_selects_nothing_or_is_too_long_is_refused() {
        let message = |args: &[&str]| filter(args).unwrap_err().to_string();
        assert_eq!(message(&["--username", " "]), "`--username` is empty");
        let reversed = message(&["--since", "2026-02-02", "--until", "2026-02-01"]);
        assert!(reversed.starts_with("`--since 2026-02-02 00:00:00` is after"), "{reversed}");
        assert!(message(&["--since", "soon"]).contains("--since"));
        let long = "é".repeat(FILTER_BYTES_MAX / 2);
        let too_long = message(&["--resource-name", &long]);
        assert_eq!(
            too_long,
            "the filters have 16407 bytes as JSON, but at most 16384 can be kept with each object"
        );
    }

    #[test]
    fn folders_of_other_days_are_left_out_unless_the_user_names_days() {
        let filter = filter(&["--since", "2026-01-15T10:00:00Z", "--until", "2026-01-31"]).unwrap();
        let days = |selection: Selection| {
            let selection = without_other_days(selection, &filter);
            [selection.event_from, selection.event_to].map(|it| it.map(|day| day.to_string()))
        };
        let (first, last) = (Some("2026-01-15".to_owned()), Some("2026-02-01".to_owned()));
        assert_eq!(days(Selection::default()), [first.clone(), last.clone()]);
        let day = Some("2026-03-01".parse().unwrap());
        assert_eq!(days(Selection { from: day, ..Selection::default() }), [None, last]);
        assert_eq!(days(Selection { to: day, ..Selection::default() }), [first, None]);
    }
}
