//! All wording of results: the summary, the dry run, the status; as text and as JSON.
//!
//! Everything here returns text; the caller decides where it goes.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::cli::error::Exit;
use crate::database::{BuiltIndexes, Index};
use crate::import::progress::{Count, Tally};

mod dry_run;
mod format;
mod live;
mod status;
mod table;

pub use dry_run::{DryRunReport, dry_run_json, dry_run_text};
pub use format::{bytes, count, duration, visible};
pub use live::{Live, line};
pub use status::{Status, status_json, status_text};

use table::Table;

/// What is known at the end of an import.
#[derive(Debug)]
pub struct Summary {
    /// The database, without its password, and who named it.
    pub database: String,
    /// Whether the database itself was created.
    pub is_created: bool,
    /// How the run ended.
    pub exit: Exit,
    /// Its counters.
    pub tally: Tally,
    /// How long it took to connect and to create tables.
    pub prepare_took: Duration,
    /// How long listing and loading took.
    pub load_took: Duration,
    /// The indexes that were built.
    pub built: Vec<BuiltIndexes>,
    /// How long all of them took together.
    pub index_took: Duration,
    /// The indexes that are still missing, because they were not asked for or the run ended.
    pub missing: Vec<Index>,
}

/// Returns the summary in three parts, and the equations.
pub fn summary_text(summary: &Summary) -> String {
    let tally = &summary.tally;
    let mut table = Table::new(["objects", "rows", "rejected", "bytes", "time"]);
    let created = if summary.is_created { "database, tables" } else { "tables" };
    table.row("before", created, [None, None, None, None, Some(duration(summary.prepare_took))]);
    let objects = |it: &Count| [Some(count(it.objects)), None, None, Some(bytes(it.bytes)), None];
    let mut listed = objects(&tally.listed);
    listed[4] = Some(duration(summary.load_took));
    table.row("load", "listed", listed);
    if tally.already_loaded.objects > 0 {
        table.row("", "already loaded", objects(&tally.already_loaded));
    }
    for (kind, it) in &tally.skipped {
        table.row("", &format!("skipped: {}", kind.as_str()), objects(it));
    }
    let mut loaded = objects(&tally.loaded);
    loaded[1] = Some(count(tally.rows));
    loaded[2] = Some(count(tally.rejects));
    table.row("", "loaded", loaded);
    if tally.failed.objects > 0 {
        table.row("", "failed", objects(&tally.failed));
    }
    if tally.pending.objects > 0 {
        table.row("", "not reached", objects(&tally.pending));
    }
    let mut part = "after";
    for built in &summary.built {
        let time = [None, None, None, None, Some(duration(built.took))];
        for (n, index) in built.indexes.iter().enumerate() {
            // Indexes that one statement built have one time, on the last line.
            let is_last = n + 1 == built.indexes.len();
            let cells = if is_last { time.clone() } else { [const { None }; 5] };
            table.row(std::mem::take(&mut part), index.name, cells);
        }
    }
    let mut text = table.to_string();
    text.push('\n');
    for line in left_out(tally) {
        text.push_str(&line);
        text.push('\n');
    }
    for line in equations(tally) {
        text.push_str(&line);
        text.push('\n');
    }
    for line in closing(summary) {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// Returns what was not even listed, or is not for this run.
fn left_out(tally: &Tally) -> Vec<String> {
    let mut lines = Vec::new();
    if !tally.without_logs.is_empty() {
        let folders = tally.without_logs.iter();
        let folders: Vec<String> =
            folders.map(|(name, folders)| format!("{} {name}", count(*folders))).collect();
        lines.push(format!("not listed, as they hold no logs: {}", folders.join(", ")));
    }
    if tally.filtered_out > 0 {
        lines.push(format!("not chosen: {} folders and objects", count(tally.filtered_out)));
    }
    if tally.other_shards.objects > 0 {
        let objects = count(tally.other_shards.objects);
        lines.push(format!("for other shards: {objects} objects"));
    }
    lines
}

/// Returns the equations of the run with their numbers.
pub fn equations(tally: &Tally) -> [String; 2] {
    let mut objects = format!(
        "objects: {} listed = {} loaded + {} already loaded + {} skipped + {} failed",
        count(tally.listed.objects),
        count(tally.loaded.objects),
        count(tally.already_loaded.objects),
        count(tally.skipped_objects()),
        count(tally.failed.objects)
    );
    if tally.pending.objects > 0 {
        objects.push_str(&format!(" + {} not reached", count(tally.pending.objects)));
    }
    let records = format!(
        "records: {} read = {} rows + {} rejected",
        count(tally.records),
        count(tally.rows),
        count(tally.rejects)
    );
    [objects, records]
}

/// Returns what people should know or do now.
fn closing(summary: &Summary) -> Vec<String> {
    let tally = &summary.tally;
    let mut lines = Vec::new();
    let nothing_new = tally.loaded.objects + tally.failed.objects + tally.pending.objects == 0;
    if summary.exit == Exit::Complete && nothing_new {
        lines.push(match tally.listed.objects {
            0 => "nothing to load: no objects found".to_owned(),
            _ if tally.already_loaded.objects == 0 => {
                "nothing to load: none of the objects is a CloudTrail log".to_owned()
            }
            _ => "nothing to load: all of it is in".to_owned(),
        });
    }
    if tally.replaced_chars > 0 {
        lines.push(format!("altered: {} characters became U+FFFD", count(tally.replaced_chars)));
    }
    if tally.failed.objects > 0 {
        lines.push(
            "failed objects: `cloudtrail2sql status --failed` tells why; the same command \
                    tries them again"
                .to_owned(),
        );
    }
    if tally.rejects > 0 {
        lines.push("rejected records: `cloudtrail2sql status --rejected` shows them".to_owned());
    }
    if summary.exit == Exit::Interrupted {
        lines.push("interrupted: what was in flight is in; the same command goes on".to_owned());
    }
    if summary.exit == Exit::Failed {
        lines.push(
            "stopped by an error: what is counted as loaded is in; the same command goes \
                    on"
            .to_owned(),
        );
    }
    if !summary.missing.is_empty() {
        let names: Vec<&str> = summary.missing.iter().map(|index| index.name).collect();
        lines.push(format!(
            "missing indexes: {} (`cloudtrail2sql index` builds them)",
            names.join(", ")
        ));
    }
    if !lines.is_empty() {
        lines.insert(0, String::new());
    }
    lines
}

/// Returns the summary for machines: one JSON object.
pub fn summary_json(summary: &Summary) -> String {
    #[derive(Serialize)]
    struct Skipped {
        kind: &'static str,
        #[serde(flatten)]
        count: Count,
    }
    #[derive(Serialize)]
    struct BuiltJson {
        indexes: Vec<&'static str>,
        seconds: f64,
    }
    #[derive(Serialize)]
    struct SummaryJson<'s> {
        outcome: &'static str,
        exit_code: u8,
        database: &'s str,
        database_created: bool,
        listed: Count,
        loaded: Count,
        already_loaded: Count,
        skipped: Vec<Skipped>,
        failed: Count,
        pending: Count,
        other_shards: Count,
        filtered_out: u64,
        folders_without_logs: &'s BTreeMap<String, u64>,
        list_requests: u64,
        records: u64,
        rows: u64,
        rejected: u64,
        replaced_chars: u64,
        balanced: bool,
        prepare_seconds: f64,
        load_seconds: f64,
        index_seconds: f64,
        indexes_built: Vec<BuiltJson>,
        indexes_missing: Vec<&'static str>,
    }
    let tally = &summary.tally;
    let names = |indexes: &[Index]| indexes.iter().map(|index| index.name).collect();
    let skipped =
        tally.skipped.iter().map(|(kind, it)| Skipped { kind: kind.as_str(), count: *it });
    let built = summary.built.iter().map(|built| BuiltJson {
        indexes: names(&built.indexes),
        seconds: built.took.as_secs_f64(),
    });
    json(&SummaryJson {
        outcome: summary.exit.as_str(),
        exit_code: summary.exit.code(),
        database: &summary.database,
        database_created: summary.is_created,
        listed: tally.listed,
        loaded: tally.loaded,
        already_loaded: tally.already_loaded,
        skipped: skipped.collect(),
        failed: tally.failed,
        pending: tally.pending,
        other_shards: tally.other_shards,
        filtered_out: tally.filtered_out,
        folders_without_logs: &tally.without_logs,
        list_requests: tally.list_requests,
        records: tally.records,
        rows: tally.rows,
        rejected: tally.rejects,
        replaced_chars: tally.replaced_chars,
        balanced: tally.is_balanced(),
        prepare_seconds: summary.prepare_took.as_secs_f64(),
        load_seconds: summary.load_took.as_secs_f64(),
        index_seconds: summary.index_took.as_secs_f64(),
        indexes_built: built.collect(),
        indexes_missing: names(&summary.missing),
    })
}

/// Returns what `index` did.
pub fn index_text(built: &[BuiltIndexes]) -> String {
    if built.is_empty() {
        return "nothing to build: every index is there\n".to_owned();
    }
    let mut table = Table::new(["time"]);
    for built in built {
        for (n, index) in built.indexes.iter().enumerate() {
            let is_last = n + 1 == built.indexes.len();
            table.row("", index.name, [is_last.then(|| duration(built.took))]);
        }
    }
    table.to_string()
}

/// Returns what `index` did, for machines.
pub fn index_json(built: &[BuiltIndexes]) -> String {
    #[derive(Serialize)]
    struct BuiltJson {
        indexes: Vec<&'static str>,
        seconds: f64,
    }
    let built: Vec<BuiltJson> = built
        .iter()
        .map(|built| BuiltJson {
            indexes: built.indexes.iter().map(|index| index.name).collect(),
            seconds: built.took.as_secs_f64(),
        })
        .collect();
    json(&built)
}

fn json(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("it has string keys only");
    text.push('\n');
    text
}
