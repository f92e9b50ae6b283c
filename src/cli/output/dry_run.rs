//! The dry run's report: what a run would find, and what it would cost.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::table::Table;
use super::{bytes, count, duration, json, left_out};
use crate::cli::config::Prices;
use crate::database::url::Engine;
use crate::import::dry_run::{DryRun, Found, Group};
use crate::import::progress::{Count, Tally};

/// The speed that the time is estimated at; stated with the estimate. Any of the databases
/// reaches it on two cores, or nearly.
const ROWS_PER_SECOND: u64 = 100_000;

/// What is known at the end of a dry run.
#[derive(Debug, Clone, Copy)]
pub struct DryRunReport<'b> {
    /// What was found.
    pub dry_run: &'b DryRun,
    /// What listing it took.
    pub tally: &'b Tally,
    /// What requests cost.
    pub prices: Prices,
    /// What kind of database it is for.
    pub engine: Engine,
}

/// The estimate, in numbers.
#[derive(Debug, Clone, Copy, Serialize)]
struct Estimate {
    sampled_objects: u64,
    rows: u64,
    row_bytes: u64,
    database_bytes: u64,
    seconds: u64,
    assumed_rows_per_second: u64,
}

/// Requests and what they cost.
#[derive(Debug, Clone, Copy, Serialize)]
struct Requests {
    list: u64,
    get: u64,
    usd_per_1000_list: f64,
    usd_per_1000_get: f64,
    usd: f64,
}

impl DryRunReport<'_> {
    fn estimate(&self) -> Option<Estimate> {
        let rows = self.dry_run.rows_estimate()?;
        let row_bytes = self.dry_run.row_bytes_estimate()?;
        // What `logs` and its indexes took on disk, in percent of the packed rows' 82.6 MB, for the
        // generator's `--records 100000 --seed 7`: 95.9 MB, 92.6 MB, and 134.2 MB on MySQL (121.6
        // on MariaDB); rounded up.
        let percent = match self.engine {
            Engine::Sqlite => 120,
            Engine::Postgres => 115,
            Engine::Mysql => 165,
        };
        Some(Estimate {
            sampled_objects: self.dry_run.sampled.read.objects,
            rows,
            row_bytes,
            database_bytes: row_bytes / 100 * percent,
            seconds: rows.div_ceil(ROWS_PER_SECOND),
            assumed_rows_per_second: ROWS_PER_SECOND,
        })
    }

    /// Requests that S3 is paid for; a folder takes none.
    fn requests(&self) -> Option<Requests> {
        let list = self.tally.list_requests;
        let total = self.dry_run.total();
        let get = total.new.objects + total.retried.objects;
        #[expect(clippy::cast_precision_loss, reason = "a sum of money")]
        let usd = (list as f64 * self.prices.list + get as f64 * self.prices.get) / 1000.0;
        let (usd_per_1000_list, usd_per_1000_get) = (self.prices.list, self.prices.get);
        (list > 0).then_some(Requests { list, get, usd_per_1000_list, usd_per_1000_get, usd })
    }
}

/// Returns what a run would find, by account, region and day, and the report.
pub fn dry_run_text(report: &DryRunReport<'_>) -> String {
    let mut table = Table::new(["new", "again", "to load", "already known"]);
    let cells = |found: &Found| {
        [
            Some(count(found.new.objects)),
            Some(count(found.retried.objects)),
            Some(bytes(found.new.bytes + found.retried.bytes)),
            Some(count(found.known.objects)),
        ]
    };
    for (group, found) in &report.dry_run.groups {
        let name = match group {
            Some(Group { account, region, day }) => format!("{account}  {region}  {day}"),
            None => "other places".to_owned(),
        };
        table.row("", &name, cells(found));
    }
    let total = report.dry_run.total();
    table.row("", "total", cells(&total));
    let mut lines = vec![table.to_string()];
    lines.extend(left_out(report.tally));
    if let Some(estimate) = report.estimate() {
        lines.push(format!(
            "estimate, from {} objects: {} rows, {} in the database, {} at {} rows/s",
            count(estimate.sampled_objects),
            count(estimate.rows),
            bytes(estimate.database_bytes),
            duration(Duration::from_secs(estimate.seconds)),
            count(estimate.assumed_rows_per_second)
        ));
    }
    if let Some(requests) = report.requests() {
        lines.push(format!(
            "requests: {} LIST, {} GET: {:.4} USD, at {} USD per 1,000 LIST and {} USD per 1,000 \
             GET",
            count(requests.list),
            count(requests.get),
            requests.usd,
            requests.usd_per_1000_list,
            requests.usd_per_1000_get
        ));
    }
    let listing_took = duration(report.dry_run.listing_took);
    lines.push(format!("dry run: listed in {listing_took}; nothing was written"));
    let mut text = lines.join("\n");
    text.push('\n');
    text
}

/// Returns the same for machines.
pub fn dry_run_json(report: &DryRunReport<'_>) -> String {
    #[derive(Serialize)]
    struct GroupJson<'s> {
        account: Option<&'s str>,
        region: Option<&'s str>,
        day: Option<&'s str>,
        #[serde(flatten)]
        found: FoundJson,
    }
    #[derive(Serialize)]
    struct FoundJson {
        new: Count,
        retried: Count,
        known: Count,
    }
    #[derive(Serialize)]
    struct ReportJson<'s> {
        dry_run: bool,
        groups: Vec<GroupJson<'s>>,
        total: FoundJson,
        other_shards: Count,
        filtered_out: u64,
        folders_without_logs: &'s BTreeMap<String, u64>,
        estimate: Option<Estimate>,
        requests: Option<Requests>,
        listing_seconds: f64,
    }
    let found = |it: &Found| FoundJson { new: it.new, retried: it.retried, known: it.known };
    let groups = report.dry_run.groups.iter().map(|(group, it)| GroupJson {
        account: group.as_ref().map(|group| &*group.account),
        region: group.as_ref().map(|group| &*group.region),
        day: group.as_ref().map(|group| &*group.day),
        found: found(it),
    });
    json(&ReportJson {
        dry_run: true,
        groups: groups.collect(),
        total: found(&report.dry_run.total()),
        other_shards: report.tally.other_shards,
        filtered_out: report.tally.filtered_out,
        folders_without_logs: &report.tally.without_logs,
        estimate: report.estimate(),
        requests: report.requests(),
        listing_seconds: report.dry_run.listing_took.as_secs_f64(),
    })
}
