//! The wording of all results: the summary, the dry run, the indexes, the status.
//!
//! A result is a [`Report`]: it has one form for people and one for programs. `stdout` prints it.

mod format;

mod table;

mod partial;

mod warnings;

mod progress_display;

mod indexes;

mod verified;

mod summary;

mod dry_run;

mod jobs;

mod status;

mod forget;

mod dedupe;

mod record;

mod questions;

mod answer;

mod page;

mod stdout;

pub(crate) use self::answer::{AnswerWriter, Destination};
pub(crate) use self::dedupe::DedupeReport;
pub(crate) use self::dry_run::DryRunReport;
pub(crate) use self::forget::ForgetReport;
pub(crate) use self::indexes::IndexReport;
pub(crate) use self::page::{
    Findings, LIST_ROWS_MAX, LedgerState, New, NewReason, TOP_ROWS_MAX, page,
};
pub(crate) use self::progress_display::ProgressDisplay;
pub(crate) use self::questions::QuestionList;
pub(crate) use self::record::{FoundRecord, RecordPlace, RecordReport};
pub(crate) use self::status::Status;
pub(crate) use self::stdout::{print, print_text};
pub(crate) use self::summary::{Summary, equations};
pub(crate) use self::verified::{VerifyReport, equations as verification_equations};
pub(crate) use self::warnings::Warning;

use serde::Serialize;

use crate::cli::escape::visible_json;

/// A result that can be printed.
pub(crate) trait Report {
    /// Returns the result for people.
    fn text(&self) -> String;

    /// Returns the result for programs: one JSON value.
    fn json(&self) -> String;
}

fn to_json(value: &impl Serialize) -> String {
    let json = serde_json::to_string_pretty(value).expect("all map keys are strings");
    format!("{}\n", visible_json(&json))
}
