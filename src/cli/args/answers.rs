//! The arguments of `query` and `search`, and their settings.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use jiff::Timestamp;

use super::help;
use crate::answers::{self, Filters, Found, Period, Search};
use crate::cli::config::{
    self, AnswerForm, ConfigError, DatabaseSettings, DayEdge, Export, QuerySettings,
    SearchSettings, defaults,
};

/// Arguments of `query`.
#[derive(Debug, Args)]
#[command(after_long_help = help::QUERY_EXAMPLES)]
pub(super) struct QueryArgs {
    /// The name of the question
    #[arg(value_name = "NAME")]
    pub(super) name: Option<String>,

    #[command(flatten)]
    filters: FilterArgs,

    /// Length of a period of `timeline`
    #[arg(long, value_enum, value_name = "PERIOD", help_heading = "Filters")]
    by: Option<By>,

    /// Print the SQL for the database, but do not run it
    #[arg(long, help_heading = "Answer")]
    sql: bool,

    #[command(flatten)]
    export: ExportArgs,
}

/// Arguments of `search`.
#[derive(Debug, Args)]
#[command(after_long_help = help::SEARCH_EXAMPLES)]
pub(super) struct SearchArgs {
    #[command(flatten)]
    filters: FilterArgs,

    /// Print the SQL for the database, but do not run it
    #[arg(long, help_heading = "Answer")]
    sql: bool,

    #[command(flatten)]
    export: ExportArgs,
}

/// Which events an answer is about. The names are those of `aws cloudtrail lookup-events`.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Filters")]
struct FilterArgs {
    #[command(flatten)]
    times: TimeArgs,

    /// Name of the user, role session or service, as the column `user_name` has it
    #[arg(long, value_name = "NAME")]
    username: Option<String>,

    /// Operation, such as `PutObject`
    #[arg(long, value_name = "NAME")]
    event_name: Option<String>,

    /// Service, such as `s3.amazonaws.com`
    #[arg(long, value_name = "NAME")]
    event_source: Option<String>,

    /// Access key of the request
    #[arg(long, value_name = "ID")]
    access_key_id: Option<String>,

    /// Name or ARN anywhere in the request, the response, the resources or further fields
    #[arg(long, value_name = "NAME")]
    resource_name: Option<String>,

    #[command(flatten)]
    places: PlaceArgs,

    /// Address of the caller
    #[arg(long, value_name = "ADDRESS")]
    source_ip: Option<String>,

    /// Only calls that failed
    #[arg(long)]
    errors_only: bool,

    /// Return at most this number of rows [default: 50, or the question's own]
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

/// When the events happened.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Filters")]
pub(super) struct TimeArgs {
    /// First moment, in UTC: 2026-01-15, 2026-01-15T08:30:00Z, or 7d for seven days ago
    #[arg(long, value_name = "TIME")]
    since: Option<String>,

    /// Last moment, in the same forms; a day includes its last second
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

/// Where the events happened.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Filters")]
pub(super) struct PlaceArgs {
    /// Account that received the request
    #[arg(long, value_name = "ID")]
    account_id: Option<String>,

    /// Region of the event
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
}

/// Where an answer goes.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Answer")]
struct ExportArgs {
    /// Write the answer into this file, whole or not at all
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Compress the answer
    #[arg(long)]
    gzip: bool,
}

/// The length of a period of the timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum By {
    /// Days.
    Day,
    /// Hours.
    Hour,
    /// Minutes.
    Minute,
}

impl QueryArgs {
    pub(super) fn settings(
        &self,
        name: &str,
        database: DatabaseSettings,
        form: AnswerForm,
    ) -> Result<QuerySettings, ConfigError> {
        let question =
            answers::question(name).ok_or_else(|| ConfigError::UnknownQuestion(name.to_owned()))?;
        let period = self.by.map(|by| match by {
            By::Day => Period::Day,
            By::Hour => Period::Hour,
            By::Minute => Period::Minute,
        });
        let filters = Filters { period, ..self.filters.filters(Timestamp::now())? };
        let statement = question.statement(&filters, database.engine());
        let statement =
            statement.map_err(|error| ConfigError::Question { name: question.name, error })?;
        Ok(QuerySettings {
            rows_max: question.rows_max(&filters),
            bar: question.period.map(|_| "n"),
            statement,
            database,
            prints_sql: self.sql,
            export: self.export.export(form),
        })
    }
}

impl SearchArgs {
    pub(super) fn settings(
        &self,
        database: DatabaseSettings,
        form: AnswerForm,
    ) -> Result<SearchSettings, ConfigError> {
        let filters = self.filters.filters(Timestamp::now())?;
        let limit = filters.limit.unwrap_or(defaults::SEARCH_EVENTS);
        let found = match form {
            AnswerForm::Json | AnswerForm::Jsonl => Found::Record,
            AnswerForm::Text | AnswerForm::Csv | AnswerForm::Tsv => Found::Row,
        };
        Ok(SearchSettings {
            database,
            search: Search::new(filters, found, limit),
            prints_sql: self.sql,
            export: self.export.export(form),
        })
    }
}

impl ExportArgs {
    fn export(&self, form: AnswerForm) -> Export {
        Export { form, file: self.out.clone(), is_gzip: self.gzip }
    }
}

impl FilterArgs {
    fn filters(&self, now: Timestamp) -> Result<Filters, ConfigError> {
        let limit = |rows| config::count_in("--limit", rows, &defaults::ANSWER_ROWS_RANGE);
        let limit = self.limit.map(limit).transpose()?;
        Ok(Filters {
            username: config::filled("--username", self.username.as_ref())?,
            event_name: config::filled("--event-name", self.event_name.as_ref())?,
            event_source: config::filled("--event-source", self.event_source.as_ref())?,
            access_key_id: config::filled("--access-key-id", self.access_key_id.as_ref())?,
            resource_name: config::filled("--resource-name", self.resource_name.as_ref())?,
            source_ip: config::filled("--source-ip", self.source_ip.as_ref())?,
            errors_only: self.errors_only,
            limit: limit.and_then(|rows| u32::try_from(rows).ok()),
            ..when_and_where(&self.times, &self.places, now)?
        })
    }
}

/// Returns the filters that `query`, `search` and `report` have in common.
pub(super) fn when_and_where(
    times: &TimeArgs,
    places: &PlaceArgs,
    now: Timestamp,
) -> Result<Filters, ConfigError> {
    let moment = |flag, typed: &Option<String>, edge| {
        typed.as_deref().map(|typed| config::moment(flag, typed, now, edge)).transpose()
    };
    let since = moment("--since", &times.since, DayEdge::Start)?;
    let until = moment("--until", &times.until, DayEdge::End)?;
    if let (Some(since), Some(until)) = (since, until)
        && since > until
    {
        return Err(ConfigError::TimesReversed { since, until });
    }
    let account_id = places.account_id.as_deref().map(config::account).transpose()?;
    let region = config::filled("--region", places.region.as_ref())?;
    Ok(Filters { since, until, account_id, region, ..Filters::default() })
}
