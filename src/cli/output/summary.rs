//! The summary of an import.

use std::time::Duration;

use super::format::{bytes, count, counted, duration};
use super::table::Table;
use super::verified::VerifyReport;
use super::warnings::Warning;
use super::{Report, to_json};
use crate::cli::config::ShardSettings;
use crate::cli::error::Exit;
use crate::cli::escape::visible;
use crate::database::BuiltIndexes;
use crate::database::indexes::Index;
use crate::database::status::PartlyLoaded;
use crate::import::progress::{Count, SkippedObject, Tally};
use crate::source::{FolderCounts, UnreadableFolder};
use crate::verify::outcome::Verified;

mod json;

/// The most names of folders that the text shows; JSON has more.
const FOLDER_NAMES_SHOWN: usize = 10;

/// The results of an import.
#[derive(Debug)]
pub(crate) struct Summary {
    /// The database, without its password, and what named it.
    pub(crate) database: String,
    /// Whether the database itself was created.
    pub(crate) is_created: bool,
    /// The part that was imported, and what named it; `None` for all.
    pub(crate) shard: Option<ShardSettings>,
    /// How the run ended.
    pub(crate) exit: Exit,
    /// Its counters.
    pub(crate) tally: Tally,
    /// How long connecting and creating tables took.
    pub(crate) prepare_took: Duration,
    /// How long listing and loading took.
    pub(crate) load_took: Duration,
    /// The indexes that were built.
    pub(crate) built: Vec<BuiltIndexes>,
    /// How long the update of the statistics took, if there was one.
    pub(crate) statistics_took: Option<Duration>,
    /// How long building all of the indexes took.
    pub(crate) index_took: Duration,
    /// What the database has only a part of, because of filters.
    pub(crate) part: Option<PartlyLoaded>,
    /// The indexes that are still missing, because they were not requested or the run ended.
    pub(crate) missing: Vec<Index>,
    /// What the verification found, if there was one.
    pub(crate) verified: Option<Verified>,
}

impl Report for Summary {
    /// Returns the three parts, what was not listed, the equations and the warnings.
    fn text(&self) -> String {
        let mut text = self.table().to_string();
        text.push('\n');
        let tally = &self.tally;
        let mut lines = left_out(tally);
        lines.extend(equations(tally));
        let warnings = self.warnings();
        if !warnings.is_empty() {
            lines.push(String::new());
        }
        lines.extend(warnings.iter().map(ToString::to_string));
        for line in lines {
            text.push_str(&line);
            text.push('\n');
        }
        if let Some(verified) = &self.verified {
            text.push('\n');
            text.push_str(&VerifyReport(verified).text());
        }
        text
    }

    fn json(&self) -> String {
        to_json(&json::SummaryJson::from(self))
    }
}

impl Summary {
    /// Returns the parts before, load and after.
    fn table(&self) -> Table<5> {
        let tally = &self.tally;
        let mut table = Table::new(["objects", "rows", "rejected", "bytes", "time"]);
        let created = if self.is_created { "database, tables" } else { "tables" };
        table.row("before", created, timed(self.prepare_took));
        table.row("load", "listed", objects(&tally.listed));
        if tally.already_loaded.objects > 0 {
            table.row("", "already loaded", objects(&tally.already_loaded));
        }
        for (kind, it) in &tally.skipped {
            table.row("", &format!("skipped: {}", kind.as_str()), objects(it));
        }
        let mut loaded = objects(&tally.loaded);
        loaded[1] = Some(count(tally.rows));
        loaded[2] = Some(count(tally.rejects));
        loaded[4] = Some(duration(self.load_took));
        table.row("", "loaded", loaded);
        if tally.failed.objects > 0 {
            table.row("", "failed", objects(&tally.failed));
        }
        if tally.pending.objects > 0 {
            table.row("", "pending", objects(&tally.pending));
        }
        let mut part = "after";
        let indexes: usize = self.built.iter().map(|built| built.indexes.len()).sum();
        if indexes > 0 {
            let name = counted(indexes as u64, "index");
            table.row(std::mem::take(&mut part), &name, timed(self.index_took));
        }
        if let Some(took) = self.statistics_took {
            table.row(part, "statistics", timed(took));
        }
        table
    }

    /// Returns what the user should know or do now.
    fn warnings(&self) -> Vec<Warning> {
        let tally = &self.tally;
        let mut warnings = Vec::new();
        let is_idle = tally.loaded.objects + tally.failed.objects + tally.pending.objects == 0;
        if self.exit == Exit::Complete && is_idle {
            warnings.push(match (tally.listed.objects, tally.already_loaded.objects) {
                (0, _) if tally.other_shards.objects > 0 => Warning::EmptyShard,
                (0, _) => Warning::NoObjects,
                (_, 0) => Warning::NoLogs,
                _ => Warning::NothingNew,
            });
        }
        if tally.replaced_chars > 0 {
            warnings.push(Warning::Replaced(tally.replaced_chars));
        }
        if tally.failed.objects > 0 {
            warnings.push(Warning::Failed(tally.failed.objects));
        }
        if tally.skipped_named > 0 {
            warnings.push(Warning::NothingLoaded(tally.skipped_named));
        }
        if tally.unreadable_folders > 0 {
            warnings.push(Warning::Unreadable(tally.unreadable_folders));
        }
        if tally.rejects > 0 {
            warnings.push(Warning::Rejected(tally.rejects));
        }
        if let Some(part) = &self.part {
            warnings.push(Warning::PartlyLoaded(part.clone()));
        }
        match self.exit {
            Exit::Interrupted => warnings.push(Warning::Interrupted),
            Exit::Failed | Exit::Usage => warnings.push(Warning::StoppedByError),
            Exit::LeftOutAccepted => warnings.push(Warning::LossesAccepted),
            Exit::Complete | Exit::LeftOut => {}
        }
        let part = self.shard.as_ref().map(|it| it.shard).filter(|shard| shard.is_part());
        if let Some(shard) = part {
            // Its indexes are left to `index` on purpose.
            warnings.push(Warning::OneShard(shard));
        } else if !self.missing.is_empty() {
            let names = self.missing.iter().map(|index| index.name).collect();
            warnings.push(Warning::MissingIndexes(names));
        }
        warnings
    }
}

fn objects(it: &Count) -> [Option<String>; 5] {
    [Some(count(it.objects)), None, None, Some(bytes(it.bytes)), None]
}

fn timed(took: Duration) -> [Option<String>; 5] {
    [None, None, None, None, Some(duration(took))]
}

/// Returns what was not listed, or does not belong to this run.
pub(super) fn left_out(tally: &Tally) -> Vec<String> {
    let mut lines = Vec::new();
    if tally.without_logs != FolderCounts::default() {
        lines.push(format!("not listed (no logs inside): {}", folders(&tally.without_logs)));
    }
    if tally.own_files > 0 {
        let files = counted(tally.own_files, "file");
        lines.push(format!("not listed (used by this program): {files}"));
    }
    if tally.links_not_followed > 0 {
        let counted = counted(tally.links_not_followed, "link");
        lines.push(format!("not followed: {counted} out of the folder (see `--follow-links`)"));
    }
    for UnreadableFolder { uri, reason } in &tally.unreadable {
        lines.push(format!("cannot list {}: {}", visible(uri), visible(reason)));
    }
    let unnamed = tally.unreadable_folders - tally.unreadable.len() as u64;
    if unnamed > 0 {
        lines.push(format!("cannot list {}", counted(unnamed, "more folder")));
    }
    for SkippedObject { uri, kind, .. } in &tally.skipped_first {
        lines.push(format!("skipped {}: {}", visible(uri), kind.as_str()));
    }
    if tally.skipped_others() > 0 {
        let objects = counted(tally.skipped_others(), "more object");
        lines.push(format!("skipped {objects} (see `cloudtrail2sql status --skipped`)"));
    }
    match tally.filtered_out {
        0 => {}
        1 => lines.push("filtered out: 1 folder or object".to_owned()),
        more => lines.push(format!("filtered out: {} folders and objects", count(more))),
    }
    if tally.other_shards.objects > 0 {
        let objects = counted(tally.other_shards.objects, "object");
        lines.push(format!("left to other shards: {objects}"));
    }
    lines
}

/// Returns the most frequent names of folders, and how many other folders there are.
fn folders(counts: &FolderCounts) -> String {
    let mut names: Vec<(&String, u64)> = counts.names.iter().map(|(name, n)| (name, *n)).collect();
    names.sort_by_key(|(_, folders)| std::cmp::Reverse(*folders));
    let rest = names.split_off(names.len().min(FOLDER_NAMES_SHOWN));
    let more = counts.others + rest.iter().map(|(_, folders)| folders).sum::<u64>();
    let in_words =
        |(name, folders): (&String, u64)| counted(folders, &format!("{} folder", visible(name)));
    let mut shown = names.into_iter().map(in_words).collect::<Vec<_>>().join(", ");
    if more > 0 {
        shown.push_str(&format!(" and {}", counted(more, "other folder")));
    }
    shown
}

/// Returns the equations of the run with their numbers.
pub(crate) fn equations(tally: &Tally) -> [String; 2] {
    let mut objects = format!(
        "objects: {} listed = {} loaded + {} already loaded + {} skipped + {} failed",
        count(tally.listed.objects),
        count(tally.loaded.objects),
        count(tally.already_loaded.objects),
        count(tally.skipped_objects()),
        count(tally.failed.objects)
    );
    if tally.pending.objects > 0 {
        objects.push_str(&format!(" + {} pending", count(tally.pending.objects)));
    }
    let mut records = format!(
        "records: {} read = {} rows + {} rejected",
        count(tally.records + tally.known),
        count(tally.rows),
        count(tally.rejects)
    );
    for (number, name) in [(tally.filtered, "filtered"), (tally.known, "already loaded")] {
        if number > 0 {
            records.push_str(&format!(" + {} {name}", count(number)));
        }
    }
    [objects, records]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trail::record::Kind;

    #[test]
    fn what_was_left_out_is_counted_in_words() {
        let mut tally = Tally::default();
        assert!(left_out(&tally).is_empty());
        tally.without_logs.add("CloudTrail-Digest", 2);
        tally.without_logs.add("Config", 1);
        tally.filtered_out = 1;
        tally.other_shards.objects = 1;
        assert_eq!(
            left_out(&tally),
            [
                "not listed (no logs inside): 2 CloudTrail-Digest folders, 1 Config folder",
                "filtered out: 1 folder or object",
                "left to other shards: 1 object",
            ]
        );
        for n in 0..FOLDER_NAMES_SHOWN {
            tally.without_logs.add(&format!("x\u{1b}\n{n}"), 3);
        }
        let line = &left_out(&tally)[0];
        assert!(line.contains(": 3 x\\u{1b}\\n0 folders, "), "{line}");
        assert!(line.ends_with(" and 3 other folders"), "{line}");
        tally.without_logs = FolderCounts::default();
        tally.unreadable_folders = 3;
        let folder = |uri: &str| UnreadableFolder { uri: uri.into(), reason: "denied".into() };
        tally.unreadable = vec![folder("/a"), folder("/b\n")];
        assert_eq!(
            left_out(&tally)[..3],
            ["cannot list /a: denied", "cannot list /b\\n: denied", "cannot list 1 more folder"]
        );
        tally.unreadable_folders = 0;
        tally.unreadable.clear();
        tally.links_not_followed = 1;
        let links = "not followed: 1 link out of the folder (see `--follow-links`)";
        assert_eq!(left_out(&tally)[0], links);
        tally.links_not_followed = 0;
        let skipped = SkippedObject { is_found: true, uri: "/a\n".into(), kind: Kind::OtherJson };
        tally.skipped_first.insert(skipped);
        tally.skipped.insert(Kind::OtherJson, Count { objects: 3, bytes: 1 });
        tally.skipped.insert(Kind::Digest, Count { objects: 9, bytes: 1 });
        let more = "skipped 2 more objects (see `cloudtrail2sql status --skipped`)";
        assert_eq!(left_out(&tally)[..2], ["skipped /a\\n: other-json", more]);
        tally.skipped.clear();
        tally.skipped_first.clear();
        tally.own_files = 1;
        assert_eq!(left_out(&tally)[0], "not listed (used by this program): 1 file");
        tally.own_files = 0;
        tally.filtered_out = 1_234;
        tally.other_shards.objects = 2;
        assert_eq!(
            left_out(&tally),
            ["filtered out: 1,234 folders and objects", "left to other shards: 2 objects",]
        );
    }
}
