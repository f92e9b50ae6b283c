//! What the ledger knows.

use serde::Serialize;

use super::table::Table;
use super::{count, json, visible};
use crate::database::status::{FailedObject, RejectedRecord, RunLine, RunTotals};

/// The most characters of a rejected record that a line shows; JSON has all.
const RECORD_CHARS_MAX: usize = 200;

/// One part of what the ledger records.
#[derive(Debug, Clone)]
pub enum Status {
    /// The sums over all objects, and the last run.
    Totals {
        /// Over all lines of the ledger.
        totals: RunTotals,
        /// The newest run, if there was one.
        last_run: Option<Box<RunLine>>,
    },
    /// Runs, the newest first.
    Runs(Vec<RunLine>),
    /// Objects that failed, the latest first.
    Failed(Vec<FailedObject>),
    /// Records that were rejected, by object and place.
    Rejected(Vec<RejectedRecord>),
}

/// Returns the status for people.
pub fn status_text(status: &Status) -> String {
    match status {
        Status::Totals { totals, last_run } => totals_text(totals, last_run.as_deref()),
        Status::Runs(runs) => runs_text(runs),
        Status::Failed(failed) => {
            let told = failed.iter().map(|it| {
                let (uri, reason) = (visible(&it.uri), visible(&it.reason));
                format!("{uri}\n  {reason} ({})\n", to_second(&it.finished_at))
            });
            or_none(told.collect(), "no object has failed\n")
        }
        Status::Rejected(rejected) => {
            let told = rejected.iter().map(|it| {
                let mut record: String = it.record.chars().take(RECORD_CHARS_MAX).collect();
                if record.len() < it.record.len() {
                    record.push('…');
                }
                format!(
                    "{}\n  record {} at byte {}: {}\n  {}\n",
                    visible(&it.uri),
                    it.record_index,
                    it.offset_bytes,
                    it.reason,
                    visible(&record)
                )
            });
            or_none(told.collect(), "no record was rejected\n")
        }
    }
}

fn or_none(text: String, none: &str) -> String {
    if text.is_empty() { none.to_owned() } else { text }
}

fn totals_text(totals: &RunTotals, last_run: Option<&RunLine>) -> String {
    let mut table = Table::new(["objects", "rows", "rejected"]);
    let loaded =
        [Some(count(totals.loaded)), Some(count(totals.rows)), Some(count(totals.rejects))];
    table.row("", "loaded", loaded);
    table.row("", "skipped", [Some(count(totals.skipped)), None, None]);
    table.row("", "failed", [Some(count(totals.failed)), None, None]);
    let mut text = table.to_string();
    if totals.replaced_chars > 0 {
        text.push_str(&format!(
            "altered: {} characters became U+FFFD\n",
            count(totals.replaced_chars)
        ));
    }
    if let Some(run) = last_run {
        text.push_str(&format!(
            "\nlast run: {}, {}\n",
            to_second(&run.started_at),
            outcome_text(run)
        ));
    }
    text
}

/// Returns a time to the second; JSON has all of it.
fn to_second(time: &str) -> String {
    match time.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => time.to_owned(),
    }
}

fn outcome_text(run: &RunLine) -> &str {
    match run.finished_at {
        Some(_) => &run.outcome,
        None => "running, or killed",
    }
}

fn runs_text(runs: &[RunLine]) -> String {
    if runs.is_empty() {
        return "no run yet\n".to_owned();
    }
    let heads = ["listed", "loaded", "already", "skipped", "failed", "rows", "rejected"];
    let mut table = Table::new(heads);
    for run in runs {
        let it = &run.totals;
        let counts =
            [it.listed, it.loaded, it.already_loaded, it.skipped, it.failed, it.rows, it.rejects];
        table.row(&to_second(&run.started_at), outcome_text(run), counts.map(|it| Some(count(it))));
    }
    table.to_string()
}

/// Returns the status for machines.
pub fn status_json(status: &Status) -> String {
    match status {
        Status::Totals { totals, last_run } => {
            #[derive(Serialize)]
            struct TotalsJson<'s> {
                totals: &'s RunTotals,
                last_run: Option<&'s RunLine>,
            }
            json(&TotalsJson { totals, last_run: last_run.as_deref() })
        }
        Status::Runs(runs) => json(runs),
        Status::Failed(failed) => json(failed),
        Status::Rejected(rejected) => json(rejected),
    }
}
