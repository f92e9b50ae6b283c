//! The result of a verification: what is proven, and every finding.

use std::borrow::Cow;

use super::format::{count, counted, rfc3339};
use super::table::Table;
use super::{Report, to_json};
use crate::cli::escape::visible;
use crate::trail::integrity::verdict::{
    Coverage, DigestNote, DigestState, FileFinding, FileState, Hole, HoleKind, Totals,
};
use crate::verify::outcome::{DigestFinding, Findings, HoleFinding, Verified};

mod json;

pub(super) use self::json::VerifiedJson;

/// The findings of each kind that the text lists. JSON has all that are kept.
const LINES_MAX: usize = 20;

/// The days that the text lists; with more, it lists accounts and regions.
const DAYS_MAX: usize = 100;

/// The result of a verification.
#[derive(Debug, Clone, Copy)]
pub(crate) struct VerifyReport<'v>(pub(crate) &'v Verified);

impl Report for VerifyReport<'_> {
    fn text(&self) -> String {
        let verified = self.0;
        let mut text = coverage_table(&verified.coverage).to_string();
        for list in [
            listed("digest", &verified.digests, digest_text),
            listed("deleted digest", &verified.deleted, |uri| deleted_text(uri)),
            listed("hole", &verified.holes, hole_text),
            listed("log file", &verified.files, file_text),
        ] {
            text.push_str(&list);
        }
        for folder in &verified.unreadable {
            let (uri, reason) = (visible(&folder.uri), visible(&folder.reason));
            text.push_str(&format!("\ncannot list {uri}: {reason}\n"));
        }
        text.push('\n');
        for line in equations(&verified.totals) {
            text.push_str(&line);
            text.push('\n');
        }
        if let (moved, Some(from)) = &verified.moved {
            let moved = counted(*moved, "digest");
            text.push_str(&format!(
                "moved: {moved} lie elsewhere than they were delivered, the first to {}\n",
                visible(from)
            ));
        }
        text.push_str(&format!("\n{}\n", verdict(verified)));
        text
    }

    fn json(&self) -> String {
        to_json(&json::VerifiedJson::from(self.0))
    }
}

/// Returns both equations with their numbers, and what no digest names.
pub(crate) fn equations(totals: &Totals) -> [String; 3] {
    let Totals { digests, files, unnamed, .. } = totals;
    [
        format!(
            "digests: {} found = {} proven + {} unproven + {} wrong + {} unreadable",
            count(digests.found),
            count(digests.proven),
            count(digests.unproven),
            count(digests.wrong),
            count(digests.unreadable)
        ),
        format!(
            "files: {} named = {} proven + {} changed + {} not loaded + {} not imported + {} gone + {} \
             not hashed",
            count(files.named),
            count(files.proven),
            count(files.changed),
            count(files.not_loaded),
            count(files.not_imported),
            count(files.gone),
            count(files.not_hashed)
        ),
        format!(
            "loaded, but named by no digest: {} pending, {} unproven, {} unexpected, {} of families \
             without digests",
            count(unnamed.pending),
            count(unnamed.unproven),
            count(unnamed.unexpected),
            count(unnamed.other_families)
        ),
    ]
}

fn verdict(verified: &Verified) -> String {
    if verified.is_all_proven() {
        let (files, digests) = (verified.totals.files.proven, verified.totals.digests.proven);
        let (files, digests) = (counted(files, "log file"), counted(digests, "digest"));
        return format!("all proven: {files}, as {digests} of CloudTrail name them");
    }
    "not all is proven: see the findings above".to_owned()
}

/// What a line of the table sums up.
#[derive(Default)]
struct Line {
    seconds: u64,
    proven_seconds: u64,
    digests: u64,
    named: u64,
    proven: u64,
    changed: u64,
    missing: u64,
    unexpected: u64,
    pending: u64,
}

impl Line {
    fn add(&mut self, coverage: &Coverage) {
        let Coverage { digests, files, unnamed, .. } = coverage;
        self.seconds += u64::from(coverage.seconds);
        self.proven_seconds += u64::from(coverage.proven_seconds);
        self.digests += digests.found;
        self.named += files.named;
        self.proven += files.proven;
        self.changed += files.changed;
        self.missing += files.not_loaded + files.not_imported + files.gone + files.not_hashed;
        self.unexpected += unnamed.unexpected + unnamed.unproven;
        self.pending += unnamed.pending;
    }

    fn cells(&self) -> [Option<String>; 9] {
        [
            Some(hours(self.seconds)),
            Some(hours(self.proven_seconds)),
            Some(count(self.digests)),
            Some(count(self.named)),
            Some(count(self.proven)),
            Some(count(self.changed)),
            Some(count(self.missing)),
            Some(count(self.unexpected)),
            Some(count(self.pending)),
        ]
    }
}

/// Returns seconds as hours: `23.9`.
fn hours(seconds: u64) -> String {
    let tenths = seconds * 10 / 3_600;
    format!("{}.{}", count(tenths / 10), tenths % 10)
}

fn coverage_table(coverage: &[Coverage]) -> Table<9> {
    let mut table = Table::new([
        "hours",
        "proven",
        "digests",
        "files",
        "proven",
        "changed",
        "missing",
        "unexpected",
        "pending",
    ]);
    let has_days = coverage.len() <= DAYS_MAX;
    let name = |it: &Coverage| {
        let place = format!("{}  {}", it.account, it.region);
        if has_days { format!("{place}  {}", it.day) } else { place }
    };
    let mut total = Line::default();
    let mut lines: Vec<(String, Line)> = Vec::new();
    for day in coverage {
        total.add(day);
        let name = name(day);
        match lines.last_mut() {
            Some((last, line)) if *last == name => line.add(day),
            _ => {
                let mut line = Line::default();
                line.add(day);
                lines.push((name, line));
            }
        }
    }
    for (name, line) in &lines {
        table.row("", &visible(name), line.cells());
    }
    table.row("", "total", total.cells());
    table
}

/// Returns the first findings of a kind, below a line with their number.
fn listed<T>(noun: &str, findings: &Findings<T>, in_words: impl Fn(&T) -> String) -> String {
    if findings.count() == 0 {
        return String::new();
    }
    let mut text = format!("\n{}:\n", counted(findings.count(), noun));
    for finding in findings.kept.iter().take(LINES_MAX) {
        text.push_str(&in_words(finding));
    }
    let more = findings.count().saturating_sub(LINES_MAX as u64);
    if more > 0 {
        text.push_str(&format!("… and {} more (`--output json` lists them)\n", count(more)));
    }
    text
}

fn digest_text(finding: &DigestFinding) -> String {
    let mut text = format!("{}\n", visible(&finding.uri));
    let state = match &finding.state {
        DigestState::Proven(_) => None,
        DigestState::NoSignature => Some(
            "unproven: it has no signature in its metadata, and no later digest has a copy"
                .to_owned(),
        ),
        DigestState::UnknownKey(key) => {
            Some(format!("unproven: its public key {key} is not known"))
        }
        DigestState::WrongSignature => Some("wrong: its signature does not verify".to_owned()),
        DigestState::WrongCopy(successor) => {
            Some(format!("wrong: the copy of its signature in {successor} does not verify"))
        }
        DigestState::Replayed(key) => Some(format!("wrong: it was delivered as {key}")),
        DigestState::Unreadable(reason) => Some(format!("unreadable: {reason}")),
    };
    let notes = finding.notes.iter().filter_map(|note| match note {
        DigestNote::Replaced { successor } => {
            Some(format!("replaced: {successor} names another content or signature"))
        }
        DigestNote::ReplacedSince => {
            Some("replaced: an earlier verification proved another content".to_owned())
        }
        DigestNote::FilesMissing { files } => {
            Some(format!("the ledger no longer has {} that it proved", counted(*files, "log file")))
        }
        DigestNote::Moved { .. } => None,
    });
    for line in state.into_iter().chain(notes) {
        text.push_str(&format!("  {}\n", visible(&line)));
    }
    text
}

fn deleted_text(uri: &str) -> String {
    format!(
        "{}\n  an earlier verification found it, and the source no longer has it\n",
        visible(uri)
    )
}

fn hole_text(finding: &HoleFinding) -> String {
    let HoleFinding { account, region, hole } = finding;
    let Hole { kind, chain, from, to, digest, files } = hole;
    let from = from.map_or("the beginning".to_owned(), rfc3339);
    let chain = chain.as_ref().map(|chain| format!(", {chain}")).unwrap_or_default();
    let files = match files {
        0 => "no log file of that time is loaded".to_owned(),
        files => format!("{} of that time cannot be proven", counted(*files, "loaded log file")),
    };
    let mut lines = vec![
        format!("{account} {region}, {from} to {}{chain}", rfc3339(*to)),
        format!("  {}; {files}", hole_reason(kind)),
    ];
    lines.extend(digest.as_deref().map(named_by));
    in_lines(&lines)
}

fn hole_reason(kind: &HoleKind) -> String {
    match kind {
        HoleKind::Missing(bucket, key) => {
            format!("missing: there is no digest s3://{bucket}/{key}")
        }
        HoleKind::Off => {
            "off: the chain of digests starts again; validation or logging was off".to_owned()
        }
        HoleKind::Begin(Some((bucket, key))) => {
            format!("begin: the digest before, s3://{bucket}/{key}, is not there")
        }
        HoleKind::Begin(None) => "begin: the digests start later".to_owned(),
        HoleKind::End => {
            "end: no digest follows, although it should have been delivered".to_owned()
        }
        HoleKind::Elsewhere(bucket, key) => {
            format!("elsewhere: the chain continues in s3://{bucket}/{key}")
        }
        HoleKind::NoDigest => {
            "no digest: log files are loaded, and there is no digest at all".to_owned()
        }
    }
}

fn file_text(finding: &FileFinding) -> String {
    let state = match &finding.state {
        FileState::Changed { loaded, named } => {
            format!("changed: SHA-256 {loaded} was loaded, {named} was signed")
        }
        FileState::NotLoaded(reason) => format!("not loaded: {reason}"),
        FileState::NotImported => "not imported: the ledger does not have it".to_owned(),
        FileState::Gone => "gone: neither the source nor the ledger has it".to_owned(),
        FileState::NotHashed => "not hashed: its content cannot be compared".to_owned(),
        FileState::NamedLate => "not compared: it is named more than a day late".to_owned(),
        FileState::Unproven => "unproven: no proven digest covers its time".to_owned(),
        FileState::Unexpected => {
            "unexpected: no digest names it, although its time is proven".to_owned()
        }
    };
    let mut lines = vec![finding.uri.clone(), format!("  {state}")];
    lines.extend(finding.digest.as_deref().map(named_by));
    in_lines(&lines)
}

/// Returns the line with the digest that names something.
fn named_by(digest: &str) -> String {
    format!("  named by {digest}")
}

/// Returns lines whose hidden characters are escaped.
fn in_lines(lines: &[String]) -> String {
    lines.iter().flat_map(|line| [visible(line), Cow::Borrowed("\n")]).collect()
}
