//! The result of a dry run: what an import would find, and what it would cost.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::format::{bytes, count, counted, duration};
use super::summary::left_out;
use super::table::Table;
use super::{Report, to_json};
use crate::cli::config::Prices;
use crate::cli::escape::visible;
use crate::database::url::Engine;
use crate::import::dry_run::{DryRun, Found, Group, UnreadObject};
use crate::import::progress::{Count, Tally};
use crate::source::UnreadableFolder;

/// The most lines of the table.
const TABLE_LINES_MAX: usize = 100;

/// The speed assumed for the estimate of the time, which is printed with it.
///
/// BENCHMARKS.md: on two cores, MySQL loads 78,704 rows/s, MariaDB 116,164, SQLite 156,492 and
/// PostgreSQL 247,869.
const ROWS_PER_SECOND: u64 = 100_000;

/// The results of a dry run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DryRunReport<'b> {
    /// What was found.
    pub(crate) dry_run: &'b DryRun,
    /// The counters of the listing.
    pub(crate) tally: &'b Tally,
    /// The prices of requests.
    pub(crate) prices: Prices,
    /// The kind of database.
    pub(crate) engine: Engine,
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
        // The size of `logs` and its indexes on disk in percent of the packed rows, rounded up.
        // With the generator's `--records 100000 --seed 7`, the packed rows have 82.6 MB, SQLite
        // takes 95.9 MB, PostgreSQL 92.6 MB, MySQL 134.2 MB and MariaDB 121.6 MB.
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

    /// Returns the requests that S3 charges for; `None` if only folders were listed.
    fn requests(&self) -> Option<Requests> {
        let list = self.tally.list_requests;
        let total = self.dry_run.total();
        let get = total.new.objects + total.retried.objects;
        #[expect(clippy::cast_precision_loss, reason = "a sum of money")]
        let usd = (list as f64 * self.prices.list + get as f64 * self.prices.get) / 1000.0;
        let (usd_per_1000_list, usd_per_1000_get) = (self.prices.list, self.prices.get);
        (list > 0).then_some(Requests { list, get, usd_per_1000_list, usd_per_1000_get, usd })
    }
    /// Returns what an import would find: by account, region and day, or by fewer of them if that
    /// takes too many lines.
    fn table(&self) -> Table<4> {
        let mut table = Table::new(["new", "retried", "to load", "known"]);
        let cells = |found: &Found| {
            [
                Some(count(found.new.objects)),
                Some(count(found.retried.objects)),
                Some(bytes(found.new.bytes + found.retried.bytes)),
                Some(count(found.known.objects)),
            ]
        };
        let names: [fn(&Group) -> String; 3] = [
            |Group { account, region, day }| format!("{account}  {region}  {day}"),
            |Group { account, region, .. }| format!("{account}  {region}"),
            |Group { account, .. }| account.clone(),
        ];
        let by_name = names.map(|name_of| self.groups_by(name_of));
        let [.., by_account] = &by_name;
        let fitting = by_name.iter().find(|groups| groups.len() <= TABLE_LINES_MAX);
        for (name, found) in fitting.unwrap_or(by_account) {
            table.row("", name, cells(found));
        }
        table.row("", "total", cells(&self.dry_run.total()));
        table
    }

    /// Returns the sums of the groups that have the same name, in their order.
    fn groups_by(&self, name_of: fn(&Group) -> String) -> Vec<(String, Found)> {
        let mut groups: Vec<(String, Found)> = Vec::new();
        for (group, found) in &self.dry_run.groups {
            let name = group.as_ref().map_or_else(|| "other layouts".to_owned(), name_of);
            match groups.last_mut() {
                Some((last, sum)) if *last == name => sum.add(found),
                _ => groups.push((name, *found)),
            }
        }
        groups
    }
}

impl Report for DryRunReport<'_> {
    fn text(&self) -> String {
        let mut lines = vec![self.table().to_string()];
        lines.extend(left_out(self.tally));
        for UnreadObject { uri, reason } in &self.dry_run.unread {
            lines.push(format!("cannot read {}: {}", visible(uri), visible(reason)));
        }
        if let Some(estimate) = self.estimate() {
            lines.push(format!(
                "estimate from {}: {}, {} in the database, {} at {} rows/s",
                counted(estimate.sampled_objects, "object"),
                counted(estimate.rows, "row"),
                bytes(estimate.database_bytes),
                duration(Duration::from_secs(estimate.seconds)),
                count(estimate.assumed_rows_per_second)
            ));
        }
        if let Some(requests) = self.requests() {
            lines.push(format!(
                "requests: {} LIST, {} GET: {:.4} USD, at {} USD per 1,000 LIST and {} USD per \
                 1,000 GET",
                count(requests.list),
                count(requests.get),
                requests.usd,
                requests.usd_per_1000_list,
                requests.usd_per_1000_get
            ));
        }
        let listing_took = duration(self.dry_run.listing_took);
        lines.push(format!("dry run: listed in {listing_took}; nothing was written"));
        let mut text = lines.join("\n");
        text.push('\n');
        text
    }

    fn json(&self) -> String {
        let groups = self.dry_run.groups.iter().map(|(group, found)| GroupJson {
            account: group.as_ref().map(|group| &*group.account),
            region: group.as_ref().map(|group| &*group.region),
            day: group.as_ref().map(|group| &*group.day),
            found: found.into(),
        });
        to_json(&ReportJson {
            dry_run: true,
            groups: groups.collect(),
            total: (&self.dry_run.total()).into(),
            other_shards: self.tally.other_shards,
            filtered_out: self.tally.filtered_out,
            folders_without_logs: &self.tally.without_logs.names,
            other_folders_without_logs: self.tally.without_logs.others,
            own_files: self.tally.own_files,
            links_not_followed: self.tally.links_not_followed,
            unreadable_folders: self.tally.unreadable_folders,
            unreadable: &self.tally.unreadable,
            unread: &self.dry_run.unread,
            estimate: self.estimate(),
            requests: self.requests(),
            listing_seconds: self.dry_run.listing_took.as_secs_f64(),
        })
    }
}

/// The keys of the result for programs, in the order in which they are printed.
#[derive(Serialize)]
struct ReportJson<'s> {
    dry_run: bool,
    groups: Vec<GroupJson<'s>>,
    total: FoundJson,
    other_shards: Count,
    filtered_out: u64,
    folders_without_logs: &'s BTreeMap<String, u64>,
    other_folders_without_logs: u64,
    own_files: u64,
    links_not_followed: u64,
    unreadable_folders: u64,
    unreadable: &'s [UnreadableFolder],
    unread: &'s [UnreadObject],
    estimate: Option<Estimate>,
    requests: Option<Requests>,
    listing_seconds: f64,
}

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

impl From<&Found> for FoundJson {
    fn from(found: &Found) -> Self {
        Self { new: found.new, retried: found.retried, known: found.known }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report_of(groups: impl IntoIterator<Item = Group>) -> String {
        let one = Found { new: Count { objects: 1, bytes: 1 }, ..Found::default() };
        let groups = groups.into_iter().map(|group| (Some(group), one)).collect();
        let report = DryRunReport {
            dry_run: &DryRun { groups, ..DryRun::default() },
            tally: &Tally::default(),
            prices: Prices { list: 0.0, get: 0.0 },
            engine: Engine::Sqlite,
        };
        report.text()
    }

    fn groups(accounts: u32, regions: u32, days: u32) -> impl Iterator<Item = Group> {
        (0..accounts * regions * days).map(move |n| Group {
            account: format!("{:012}", n % accounts),
            region: format!("region-{}", n / accounts % regions),
            day: format!("day {:03}", n / accounts / regions),
        })
    }

    #[test]
    fn the_table_has_a_line_for_as_much_as_fits() {
        for (accounts, regions, days, first, lines) in [
            (2, 2, 25, "000000000000  region-0  day 000 ", 100),
            (2, 2, 26, "000000000000  region-0 ", 4),
            (7, 17, 2, "000000000000 ", 7),
            // Accounts are never left out.
            (101, 1, 1, "000000000000 ", 101),
        ] {
            let text = report_of(groups(accounts, regions, days));
            let rows = text.lines().filter(|line| line.contains("00000000")).collect::<Vec<_>>();
            assert_eq!(rows.len(), lines, "{text}");
            assert!(rows[0].contains(first), "{}", rows[0]);
            let total = count(u64::from(accounts * regions * days));
            let sum = text.lines().find(|line| line.contains("total")).unwrap();
            assert!(sum.contains(&format!(" {total} ")), "{sum}");
        }
    }
}
