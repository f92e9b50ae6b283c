//! The arguments of `report`, and their settings.

use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;

use super::answers::{PlaceArgs, TimeArgs, when_and_where};
use super::help;
use crate::cli::config::{self, ConfigError, DatabaseSettings, DayEdge, ReportSettings};

/// Arguments of `report`.
#[derive(Debug, Args)]
#[command(after_long_help = help::REPORT_EXAMPLES)]
pub(super) struct ReportArgs {
    #[command(flatten)]
    times: TimeArgs,

    #[command(flatten)]
    places: PlaceArgs,

    /// Show principals, addresses and tools that were first seen at or after this time
    ///
    /// The default is the time of --since. Without --since, it is the beginning of the last quarter of
    /// the time between the first and the last event, but at most 24 hours before the last event.
    #[arg(long, value_name = "TIME", help_heading = "Page")]
    new_since: Option<String>,

    /// Write the page into this file, whole or not at all
    #[arg(long, value_name = "FILE", help_heading = "Page")]
    out: PathBuf,
}

impl ReportArgs {
    pub(super) fn settings(
        &self,
        database: DatabaseSettings,
    ) -> Result<ReportSettings, ConfigError> {
        let now = Timestamp::now();
        let moment = |typed: &String| config::moment("--new-since", typed, now, DayEdge::Start);
        Ok(ReportSettings {
            database,
            filters: when_and_where(&self.times, &self.places, now)?,
            new_since: self.new_since.as_ref().map(moment).transpose()?,
            file: self.out.clone(),
        })
    }
}
