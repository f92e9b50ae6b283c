//! The result of `dedupe`.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;

use super::format::{count, counted};
use super::table::Table;
use super::{Report, to_json};
use crate::cli::escape::visible;
use crate::database::dedupe::{DifferingEvent, Duplicates};

/// The most objects that are told apart, and the most pairs of folders: bounds of the memory. Further
/// objects are not counted, and the rows of further pairs only in the sum.
const OBJECTS_MAX: usize = 1_000_000;
const PAIRS_MAX: usize = 10_000;

/// The folders of CloudTrail's layout below that of an account begin with this.
const CLOUDTRAIL: &str = "CloudTrail";

/// The duplicates that were found.
#[derive(Debug)]
pub(crate) struct DedupeReport {
    deletes: bool,
    lines_max: usize,
    events: u64,
    rows: u64,
    objects: HashSet<i64>,
    left: u64,
    differing_events: u64,
    differing: Vec<DifferingEvent>,
    /// The rows that a folder shares with the one whose rows are kept.
    pairs: BTreeMap<(String, String), u64>,
}

/// The keys of the report for programs.
#[derive(Serialize)]
struct DedupeJson<'r> {
    deleted: bool,
    events: u64,
    rows: u64,
    objects: usize,
    left: u64,
    differing_events: u64,
    folders: Vec<PairJson<'r>>,
    differing: &'r [DifferingEvent],
}

#[derive(Serialize)]
struct PairJson<'r> {
    folder: &'r str,
    kept_folder: &'r str,
    rows: u64,
}

impl DedupeReport {
    /// Returns an empty report, which lists at most so many pairs of folders, and as many events.
    pub(crate) fn new(deletes: bool, lines_max: usize) -> Self {
        Self {
            deletes,
            lines_max,
            events: 0,
            rows: 0,
            objects: HashSet::new(),
            left: 0,
            differing_events: 0,
            differing: Vec::new(),
            pairs: BTreeMap::new(),
        }
    }

    /// Adds the duplicates of a page. If the page has more, its events are counted with the rest.
    pub(crate) fn add(&mut self, found: Duplicates) {
        for rows in &found.rows {
            self.rows += rows.rows;
            if self.objects.len() < OBJECTS_MAX {
                self.objects.insert(rows.object);
            }
            let pair = folders(&rows.uri, &rows.kept_uri);
            if self.pairs.len() < PAIRS_MAX || self.pairs.contains_key(&pair) {
                *self.pairs.entry(pair).or_default() += rows.rows;
            }
        }
        self.rows += found.beyond;
        if found.is_part {
            return;
        }
        self.events += found.events;
        self.left += found.left;
        self.differing_events += found.differing.len() as u64;
        let room = self.lines_max - self.differing.len();
        self.differing.extend(found.differing.into_iter().take(room));
    }

    /// Returns how many duplicates stay, because they name no object of the ledger.
    pub(crate) fn left(&self) -> u64 {
        self.left
    }

    /// Returns the pairs of folders with the most rows.
    fn top_pairs(&self) -> Vec<PairJson<'_>> {
        let pairs = self.pairs.iter().map(|((folder, kept_folder), &rows)| PairJson {
            folder,
            kept_folder,
            rows,
        });
        let mut pairs: Vec<_> = pairs.collect();
        pairs.sort_by_key(|pair| std::cmp::Reverse(pair.rows));
        pairs.truncate(self.lines_max);
        pairs
    }
}

impl Report for DedupeReport {
    fn text(&self) -> String {
        let mut table = Table::new(["events", "rows", "objects"]);
        let name = if self.deletes { "removed" } else { "would be removed" };
        let counts = [self.events, self.rows, self.objects.len() as u64];
        table.row("", name, counts.map(|it| Some(count(it))));
        let mut text = table.to_string();
        for PairJson { folder, kept_folder, rows } in self.top_pairs() {
            let (rows, folder) = (counted(rows, "row"), visible(folder));
            if folder == kept_folder {
                text.push_str(&format!("\n{rows} repeated in {folder}"));
            } else {
                text.push_str(&format!("\n{rows} of {folder}, kept in {}", visible(kept_folder)));
            }
        }
        if !self.pairs.is_empty() {
            text.push('\n');
        }
        if self.left > 0 {
            text.push_str(&format!(
                "\nwarning: {} cannot be removed: version 0.1.0 or another program stored them, and they \
                 name no object of the ledger\n",
                counted(self.left, "duplicate row")
            ));
        }
        if self.differing_events > 0 {
            text.push_str(&format!(
                "\nwarning: the rows of {} have the same eventID and different content, and stay \
                 (`cloudtrail2sql record` prints them)\n",
                counted(self.differing_events, "event")
            ));
        }
        for event in &self.differing {
            let contents = counted(event.contents, "content");
            text.push_str(&format!("  {}: {contents}\n", visible(&event.event_id)));
        }
        if !self.deletes && self.rows > 0 {
            text.push_str("\n`cloudtrail2sql dedupe --delete` removes them\n");
        }
        text
    }

    fn json(&self) -> String {
        to_json(&DedupeJson {
            deleted: self.deletes,
            events: self.events,
            rows: self.rows,
            objects: self.objects.len(),
            left: self.left,
            differing_events: self.differing_events,
            folders: self.top_pairs(),
            differing: &self.differing,
        })
    }
}

/// Returns what two locations differ in: their folders, without the part at the end that they have in
/// common, and without CloudTrail's folders of regions and days.
fn folders(uri: &str, kept_uri: &str) -> (String, String) {
    let (mut one, mut other) = (segments(uri), segments(kept_uri));
    if one != other {
        while one.len() > 1 && other.len() > 1 && one.last() == other.last() {
            one.pop();
            other.pop();
        }
    }
    (one.join("/"), other.join("/"))
}

/// Returns the segments of the folder of a location.
fn segments(uri: &str) -> Vec<&str> {
    let mut segments: Vec<&str> = uri.split('/').collect();
    segments.pop();
    let of_account = segments.iter().position(|segment| *segment == "AWSLogs").unwrap_or_default();
    let below = segments[of_account..].iter().position(|it| it.starts_with(CLOUDTRAIL));
    if let Some(below) = below.filter(|_| of_account > 0) {
        segments.truncate(of_account + below);
    }
    segments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_locations_are_told_apart_by_the_folders_that_differ() {
        for (uri, kept_uri, expected) in [
            // A copy.
            (
                "/d/copy/AWSLogs/1/CloudTrail/r/2026/01/15/x.gz",
                "/d/logs/AWSLogs/1/CloudTrail/r/2026/01/15/x.gz",
                ("/d/copy", "/d/logs"),
            ),
            // The trail of an organization and that of an account.
            (
                "s3://b/AWSLogs/o-1/11/CloudTrail/r/2026/01/15/x.gz",
                "s3://b/AWSLogs/11/CloudTrail/r/2026/01/14/y.gz",
                ("s3://b/AWSLogs/o-1", "s3://b/AWSLogs"),
            ),
            // Delivered twice.
            (
                "s3://b/p/AWSLogs/11/CloudTrail/r/2026/01/15/x.gz",
                "s3://b/p/AWSLogs/11/CloudTrail/r/2026/01/14/y.gz",
                ("s3://b/p/AWSLogs/11", "s3://b/p/AWSLogs/11"),
            ),
            ("s3://one/x.gz", "s3://two/y.gz", ("s3://one", "s3://two")),
            ("/d/b.json", "/d/a.json", ("/d", "/d")),
            ("/d/CloudTrail/b.json", "/e/CloudTrail/b.json", ("/d", "/e")),
        ] {
            let (folder, kept_folder) = folders(uri, kept_uri);
            assert_eq!((&*folder, &*kept_folder), expected);
        }
    }

    #[test]
    fn the_pairs_with_the_most_rows_are_listed() {
        let mut report = DedupeReport::new(false, 2);
        for (n, rows) in [3, 9, 1, 5].into_iter().enumerate() {
            let rows = crate::database::dedupe::DuplicateRows {
                object: 1,
                uri: format!("/{n}/a"),
                kept_uri: "/k/a".to_owned(),
                rows,
            };
            report.add(Duplicates { events: 1, rows: vec![rows], ..Duplicates::default() });
        }
        let top: Vec<_> = report.top_pairs().iter().map(|it| (it.folder, it.rows)).collect();
        assert_eq!(top, [("/1", 9), ("/3", 5)]);
        assert_eq!((report.events, report.rows, report.objects.len()), (4, 18, 1));
    }
}
