//! The summary for programs.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::Summary;
use crate::cli::output::indexes::{BuiltJson, names};
use crate::cli::output::partial::PartJson;
use crate::cli::output::verified::VerifiedJson;
use crate::import::progress::{Count, SkippedObject};
use crate::source::UnreadableFolder;
use crate::trail::object::Shard;

/// The keys, in the order in which they are printed.
#[derive(Serialize)]
pub(super) struct SummaryJson<'s> {
    outcome: &'static str,
    exit_code: u8,
    database: &'s str,
    database_created: bool,
    shard: Option<Shard>,
    shard_variable: Option<&'static str>,
    job: Option<&'s str>,
    listed: Count,
    loaded: Count,
    already_loaded: Count,
    skipped: Vec<SkippedJson>,
    skipped_first: &'s BTreeSet<SkippedObject>,
    skipped_named: u64,
    failed: Count,
    pending: Count,
    other_shards: Count,
    filtered_out: u64,
    folders_without_logs: &'s BTreeMap<String, u64>,
    other_folders_without_logs: u64,
    own_files: u64,
    links_not_followed: u64,
    unreadable_folders: u64,
    unreadable: &'s [UnreadableFolder],
    list_requests: u64,
    records: u64,
    rows: u64,
    rejected: u64,
    filtered: u64,
    records_already_loaded: u64,
    partly_loaded: Option<PartJson<'s>>,
    replaced_chars: u64,
    balanced: bool,
    prepare_seconds: f64,
    load_seconds: f64,
    index_seconds: f64,
    statistics_seconds: Option<f64>,
    indexes_built: Vec<BuiltJson>,
    indexes_missing: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verified: Option<VerifiedJson<'s>>,
}

#[derive(Serialize)]
struct SkippedJson {
    kind: &'static str,
    #[serde(flatten)]
    count: Count,
}

impl<'s> From<&'s Summary> for SummaryJson<'s> {
    fn from(summary: &'s Summary) -> Self {
        let tally = &summary.tally;
        let skipped = tally.skipped.iter();
        let shard = summary.shard.as_ref();
        Self {
            outcome: summary.exit.as_str(),
            exit_code: summary.exit.code(),
            database: &summary.database,
            database_created: summary.is_created,
            shard: shard.map(|it| it.shard),
            shard_variable: shard.and_then(|it| it.variable).map(|(name, _)| name),
            job: shard.and_then(|it| it.job.as_deref()),
            listed: tally.listed,
            loaded: tally.loaded,
            already_loaded: tally.already_loaded,
            skipped: skipped
                .map(|(kind, count)| SkippedJson { kind: kind.as_str(), count: *count })
                .collect(),
            skipped_first: &tally.skipped_first,
            skipped_named: tally.skipped_named,
            failed: tally.failed,
            pending: tally.pending,
            other_shards: tally.other_shards,
            filtered_out: tally.filtered_out,
            folders_without_logs: &tally.without_logs.names,
            other_folders_without_logs: tally.without_logs.others,
            own_files: tally.own_files,
            links_not_followed: tally.links_not_followed,
            unreadable_folders: tally.unreadable_folders,
            unreadable: &tally.unreadable,
            list_requests: tally.list_requests,
            records: tally.records + tally.known,
            rows: tally.rows,
            rejected: tally.rejects,
            filtered: tally.filtered,
            records_already_loaded: tally.known,
            partly_loaded: summary.part.as_ref().map(PartJson::from),
            replaced_chars: tally.replaced_chars,
            balanced: tally.is_balanced(),
            prepare_seconds: summary.prepare_took.as_secs_f64(),
            load_seconds: summary.load_took.as_secs_f64(),
            index_seconds: summary.index_took.as_secs_f64(),
            statistics_seconds: summary.statistics_took.map(|took| took.as_secs_f64()),
            indexes_built: summary.built.iter().map(BuiltJson::from).collect(),
            indexes_missing: names(&summary.missing),
            verified: summary.verified.as_ref().map(VerifiedJson::from),
        }
    }
}
