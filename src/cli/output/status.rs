//! The result of `status`: what the ledger records.

use serde::Serialize;

use super::format::{count, to_second};
use super::jobs::jobs_text;
use super::partial::PartJson;
use super::table::Table;
use super::warnings::Warning;
use super::{Report, to_json};
use crate::cli::escape::visible;
use crate::database::jobs::Job;
use crate::database::status::{
    FailedObject, PartlyLoaded, RejectedRecord, RunLine, RunTotals, SkippedObject,
};

/// The most characters of a rejected record that the text shows; JSON has all of them.
const RECORD_CHARS_MAX: usize = 200;

/// One part of what the ledger records.
#[derive(Debug, Clone)]
pub(crate) enum Status {
    /// The sums over all objects, and the last run.
    Totals {
        /// The sums over all lines of the ledger.
        totals: RunTotals,
        /// What is loaded only in part, because of filters.
        part: Option<PartlyLoaded>,
        /// Rows that `dedupe` removed.
        duplicates_removed: u64,
        /// Rows that version 0.1.0 loaded.
        rows_of_first_schema: u64,
        /// The newest run, if there was one.
        last_run: Option<Box<RunLine>>,
        /// The last job of several shards, if there was one, and others that are incomplete.
        jobs: Vec<Job>,
    },
    /// The runs, the newest first.
    Runs(Vec<RunLine>),
    /// The objects that failed or changed, the newest run first.
    Failed(Vec<FailedObject>),
    /// The objects that were skipped, the newest run first.
    Skipped(Vec<SkippedObject>),
    /// The records that were rejected, the newest run first.
    Rejected(Vec<RejectedRecord>),
}

/// The keys of [`Status::Totals`] for programs.
#[derive(Serialize)]
struct TotalsJson<'s> {
    totals: &'s RunTotals,
    partly_loaded: Option<PartJson<'s>>,
    #[serde(skip_serializing_if = "is_zero")]
    duplicates_removed: u64,
    rows_of_first_schema: u64,
    last_run: Option<&'s RunLine>,
    jobs: &'s [Job],
}

impl Report for Status {
    fn text(&self) -> String {
        match self {
            Self::Totals {
                totals,
                part,
                duplicates_removed,
                rows_of_first_schema,
                last_run,
                jobs,
            } => {
                let rows = (*duplicates_removed, *rows_of_first_schema);
                let mut text = totals_text(totals, part.as_ref(), rows, last_run.as_deref());
                text.push_str(&jobs_text(jobs));
                text
            }
            Self::Runs(runs) => runs_text(runs),
            Self::Failed(failed) => {
                or_none(failed.iter().map(failed_text).collect(), "no failed objects\n")
            }
            Self::Skipped(skipped) => {
                or_none(skipped.iter().map(skipped_text).collect(), "no skipped objects\n")
            }
            Self::Rejected(rejected) => {
                or_none(rejected.iter().map(rejected_text).collect(), "no rejected records\n")
            }
        }
    }

    fn json(&self) -> String {
        match self {
            Self::Totals {
                totals,
                part,
                duplicates_removed,
                rows_of_first_schema,
                last_run,
                jobs,
            } => to_json(&TotalsJson {
                totals,
                partly_loaded: part.as_ref().map(PartJson::from),
                duplicates_removed: *duplicates_removed,
                rows_of_first_schema: *rows_of_first_schema,
                last_run: last_run.as_deref(),
                jobs,
            }),
            Self::Runs(runs) => to_json(runs),
            Self::Failed(failed) => to_json(failed),
            Self::Skipped(skipped) => to_json(skipped),
            Self::Rejected(rejected) => to_json(rejected),
        }
    }
}

/// Returns whether a count is left out.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

fn failed_text(failed: &FailedObject) -> String {
    let (uri, reason) = (visible(&failed.uri), visible(&failed.reason));
    format!("{uri}\n  {reason} ({})\n", to_second(&failed.finished_at))
}

fn skipped_text(skipped: &SkippedObject) -> String {
    let (uri, kind) = (visible(&skipped.uri), visible(&skipped.kind));
    format!("{uri}\n  {kind} ({})\n", to_second(&skipped.finished_at))
}

fn rejected_text(rejected: &RejectedRecord) -> String {
    let mut record: String = rejected.record.chars().take(RECORD_CHARS_MAX).collect();
    if record.len() < rejected.record.len() {
        record.push('…');
    }
    format!(
        "{}\n  record {} at byte {}: {}\n  {}\n",
        visible(&rejected.uri),
        rejected.record_index,
        rejected.offset_bytes,
        visible(&rejected.reason),
        visible(&record)
    )
}

fn or_none(text: String, none: &str) -> String {
    if text.is_empty() { none.to_owned() } else { text }
}

fn totals_text(
    totals: &RunTotals,
    part: Option<&PartlyLoaded>,
    (duplicates_removed, rows_of_first_schema): (u64, u64),
    last_run: Option<&RunLine>,
) -> String {
    let mut table = Table::new(["objects", "rows", "rejected"]);
    let loaded =
        [Some(count(totals.loaded)), Some(count(totals.rows)), Some(count(totals.rejects))];
    table.row("", "loaded", loaded);
    table.row("", "skipped", [Some(count(totals.skipped)), None, None]);
    table.row("", "failed", [Some(count(totals.failed)), None, None]);
    if duplicates_removed > 0 {
        table.row("", "duplicates removed", [None, Some(count(duplicates_removed)), None]);
    }
    if part.is_some() {
        table.row("", "filtered", [None, Some(count(totals.filtered)), None]);
    }
    let mut text = table.to_string();
    if let Some(part) = part {
        text.push_str(&format!("\n{}\n", Warning::PartlyLoaded(part.clone())));
    }
    if totals.replaced_chars > 0 {
        text.push_str(&format!("\n{}\n", Warning::Replaced(totals.replaced_chars)));
    }
    if rows_of_first_schema > 0 {
        text.push_str(&format!("\n{}\n", Warning::FirstSchema(rows_of_first_schema)));
    }
    if let Some(run) = last_run {
        text.push_str(&format!(
            "\nlast run: {}, {}\n",
            visible(&to_second(&run.started_at)),
            visible(&outcome_and_shard(run))
        ));
    }
    text
}

fn outcome_text(run: &RunLine) -> &str {
    match run.finished_at {
        Some(_) => &run.outcome,
        None => "running or killed",
    }
}

fn outcome_and_shard(run: &RunLine) -> String {
    match run.shard {
        Some(shard) => format!("{}, shard {shard}", outcome_text(run)),
        None => outcome_text(run).to_owned(),
    }
}

fn runs_text(runs: &[RunLine]) -> String {
    if runs.is_empty() {
        return "no runs\n".to_owned();
    }
    let heads = ["listed", "loaded", "already loaded", "skipped", "failed", "rows", "rejected"];
    let mut table = Table::new(heads);
    for run in runs {
        let it = &run.totals;
        let counts =
            [it.listed, it.loaded, it.already_loaded, it.skipped, it.failed, it.rows, it.rejects];
        table.row(
            &to_second(&run.started_at),
            &outcome_and_shard(run),
            counts.map(|it| Some(count(it))),
        );
    }
    table.to_string()
}
