//! The official AWS CLI judges the scenarios as we do, but for the written differences.
//!
//! The table in README.md beside this file is made by the test. After an intended change:
//! ```sh
//! DOCS_BLESS=1 tests/run --test it verify::oracle
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Mutex;

use super::aws_cli::{CliVerdicts, GAP, VALID, program, validate};
use super::cloudtrail::cloudtrail;
use super::scenarios::{self, Scenario};
use crate::s3_server::S3Server;

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/verify/README.md");

/// What one side says of a file or of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Good,
    Bad,
    /// Nothing.
    Silent,
}

/// A scenario that was judged.
struct Judged {
    scenario: Scenario,
    exit_codes: Vec<i32>,
    cli: CliVerdicts,
    differences: Vec<Difference>,
}

/// A file or time of which the two sides say another thing.
struct Difference {
    label: String,
    ours: String,
    cli: String,
    /// The number of its reason.
    reason: usize,
}

/// Why the two sides differ.
struct Reason {
    /// The first word of the label.
    kind: &'static str,
    ours: &'static str,
    cli: &'static str,
    text: &'static str,
}

const fn reason(
    kind: &'static str,
    ours: &'static str,
    cli: &'static str,
    text: &'static str,
) -> Reason {
    Reason { kind, ours, cli, text }
}

const OTHER_BUCKET: &str = "The AWS CLI follows the chain to the other bucket. `cloudtrail2sql` reads the \
                            source that it is given: import and verify the other bucket, too.";

/// One line for each kind of difference. A difference that is not here fails the test, and so does a
/// line that no scenario needs.
const REASONS: [Reason; 21] = [
    reason(
        "log",
        "unproven",
        "-",
        "The AWS CLI says nothing of log files whose digest it refuses or does not find. The database \
         has their records, and nothing proves them.",
    ),
    reason(
        "log",
        "proven",
        "-",
        "The AWS CLI refuses the digest that names the file (see the other reasons of the scenario), \
         and says nothing of the file.",
    ),
    reason("log", "unexpected", "-", "The AWS CLI only looks at files that digests name."),
    reason(
        "log",
        "proven",
        "unexpected data after end of compressed stream",
        "Zero bytes behind gzip are padding: the content is what is signed.",
    ),
    reason(
        "log",
        "proven",
        "invalid format",
        "The file was unpacked: the content is what is signed.",
    ),
    reason(
        "log",
        "proven",
        "not found",
        "The file was deleted, or unpacked and renamed, and the content that was imported is proven.",
    ),
    reason(
        "log",
        "proven",
        "hash value doesn't match",
        "The file was changed after the import, and the database has the records of the right one.",
    ),
    reason(
        "log",
        "changed",
        VALID,
        "The right file was put back after the import, but the database has the records of the other \
         one.",
    ),
    reason(
        "digest",
        "proven",
        "has been moved from its original location",
        "From `AWSLogs/` on, the key is the one that is signed: a digest that was moved or copied is \
         still proven, and the report says where it was delivered.",
    ),
    reason(
        "digest",
        "proven",
        "signature verification failed",
        "The signature in the metadata is missing or damaged, and the copy in the next digest \
         verifies.",
    ),
    reason("digest", "proven", "invalid format", "The digest was unpacked: the content is signed."),
    reason(
        "digest",
        "replaced",
        VALID,
        "The AWS CLI does not compare a digest with the hash and the signature that the next one \
         names.",
    ),
    reason(
        "digest",
        "missing",
        "-",
        "The AWS CLI counts digests that were deleted in a row as one (aws-cli issue 7054).",
    ),
    reason("digest", "begin", "-", "The same, at the begin of the chain."),
    reason(
        "gap",
        "-",
        GAP,
        "The exchanged digest names none before it, but starts when the one before ends: there is no \
         time between the two.",
    ),
    reason("gap", "off", "-", "The AWS CLI refuses the digests around it."),
    reason(
        "end",
        "end",
        "-",
        "The AWS CLI starts with the newest digest that is left. Log files behind it show that \
         digests are missing.",
    ),
    reason("end", "no_digest", "-", "The AWS CLI prints \u{201c}No digests found\u{201d}."),
    reason("digest", "elsewhere", VALID, OTHER_BUCKET),
    reason("digest", "-", VALID, OTHER_BUCKET),
    reason("log", "-", VALID, OTHER_BUCKET),
];

impl Judged {
    fn new(scenario: Scenario) -> Self {
        let (s3, keys) = (S3Server::start(), cloudtrail(&scenario.keys));
        scenario.tree.put_into(&s3);
        let (mut exit_codes, mut cli) = (Vec::new(), CliVerdicts::new());
        for chain in &scenario.chains {
            let (code, verdicts) = validate(&s3, &keys, chain);
            exit_codes.push(code);
            cli.extend(verdicts);
        }
        let mut judged = Self { scenario, exit_codes, cli, differences: vec![] };
        judged.compare();
        judged
    }

    /// Returns what we say of each file and time, by label.
    fn ours(&self) -> BTreeMap<String, String> {
        let Scenario { tree, imported, source: (bucket, prefix), expected, .. } = &self.scenario;
        let mut ours = BTreeMap::new();
        let trees = [Some(tree), imported.as_ref()].into_iter().flatten();
        for (place, key) in trees.flat_map(|tree| tree.objects.keys()) {
            if place == bucket && key.starts_with(prefix) {
                ours.insert(super::label::label(key), "proven".to_owned());
            }
        }
        for finding in expected {
            ours.extend(verdicts_of(finding));
        }
        ours
    }

    fn compare(&mut self) {
        let ours = self.ours();
        let labels: BTreeSet<&String> = ours.keys().chain(self.cli.keys()).collect();
        for label in labels {
            let (our, cli) = (ours.get(label), self.cli.get(label));
            let our_class = match our.map(String::as_str) {
                None | Some("pending") => Class::Silent,
                Some("proven") => Class::Good,
                Some(_) => Class::Bad,
            };
            let cli_class = match cli.map(String::as_str) {
                None => Class::Silent,
                Some(VALID) => Class::Good,
                Some(_) => Class::Bad,
            };
            if our_class == cli_class {
                continue;
            }
            let text = |said: Option<&String>| said.map_or("-", |it| it).to_owned();
            let (ours, cli) = (text(our), text(cli));
            let kind = label.split(' ').next().unwrap();
            let reason = REASONS
                .iter()
                .position(|it| it.kind == kind && it.ours == ours && it.cli == cli)
                .unwrap_or(usize::MAX);
            self.differences.push(Difference { label: label.clone(), ours, cli, reason });
        }
    }
}

/// Returns what a finding is about, as the AWS CLI would name it, and the word for it.
fn verdicts_of(finding: &str) -> Vec<(String, String)> {
    let Some(hole) = finding.strip_prefix("hole ") else {
        let (label, word) = finding.rsplit_once(' ').unwrap();
        // It is only listed for its note.
        let word = if label.starts_with("digest") && word == "proven" { "replaced" } else { word };
        return vec![(label.to_owned(), word.to_owned())];
    };
    let (kind, hole) = hole.split_once(' ').unwrap();
    let (hole, _) = hole.split_once(" with ").unwrap();
    let (span, chain) = hole.split_once(' ').unwrap_or((hole, ""));
    let (from, to) = span.split_once("..").unwrap();
    let chain = if chain.is_empty() { String::new() } else { format!(" {chain}") };
    let labels = match kind {
        // The digests of these hours are not there.
        "missing" | "begin" | "elsewhere" => {
            hours_back(from, to).iter().map(|end| format!("digest {end}{chain}")).collect()
        }
        "off" => vec![format!("gap {to}{chain}")],
        _ => vec![format!("end {to}{chain}")],
    };
    labels.into_iter().map(|label| (label, kind.to_owned())).collect()
}

/// Returns the ends of the hours back from `to` that are after `from`: only the last one, if it is not
/// known when the first one starts.
fn hours_back(from: &str, to: &str) -> Vec<String> {
    const DAY_MINUTES: i32 = 24 * 60;
    let minutes = |clock: &str| -> Option<i32> {
        let (hour, minute) = clock.split_once(':')?;
        Some(hour.parse::<i32>().ok()? * 60 + minute.parse::<i32>().ok()?)
    };
    let to = minutes(to).unwrap();
    let length = minutes(from).map_or(60, |from| (to - from).rem_euclid(DAY_MINUTES));
    let ends = (0..length).step_by(60).map(|back| (to - back).rem_euclid(DAY_MINUTES));
    ends.map(|end| format!("{:02}:{:02}", end / 60, end % 60)).collect()
}

/// Judges all scenarios, some at the same time.
fn judge_all() -> Vec<Judged> {
    let scenarios: Vec<(usize, Scenario)> = scenarios::all().into_iter().enumerate().collect();
    let (waiting, done) = (Mutex::new(scenarios.into_iter()), Mutex::new(BTreeMap::new()));
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let Some((number, scenario)) = waiting.lock().unwrap().next() else { break };
                    let judged = Judged::new(scenario);
                    done.lock().unwrap().insert(number, judged);
                }
            });
        }
    });
    done.into_inner().unwrap().into_values().collect()
}

#[test]
fn the_aws_cli_agrees_but_for_the_written_differences() {
    // Before the threads, of which each would say that it is missing.
    program();
    let all = judge_all();
    let mut unexplained = String::new();
    for judged in &all {
        for it in judged.differences.iter().filter(|it| it.reason == usize::MAX) {
            let Difference { label, ours, cli, .. } = it;
            writeln!(unexplained, "{}: {label}: {ours} / {cli}", judged.scenario.name).unwrap();
        }
    }
    assert!(unexplained.is_empty(), "differences without a reason:\n{unexplained}");
    let used: BTreeSet<usize> =
        all.iter().flat_map(|it| &it.differences).map(|it| it.reason).collect();
    for (number, Reason { kind, ours, cli, .. }) in REASONS.iter().enumerate() {
        assert!(used.contains(&number), "no scenario needs the reason for {kind}: {ours} / {cli}");
    }
    let page = page(&all);
    if crate::docs::blesses() {
        std::fs::write(README, page).unwrap();
    } else {
        let written = std::fs::read_to_string(README).unwrap_or_default();
        assert!(written == page, "README.md is another, see the head of this file; now:\n{page}");
    }
}

/// Returns the page with the table.
fn page(all: &[Judged]) -> String {
    let mut page = include_str!("head.md").to_owned();
    let texts = reason_texts();
    for judged in all {
        let Scenario { name, expected, .. } = &judged.scenario;
        let is_finding = |text: &&String| !text.ends_with(" pending");
        let code = if expected.iter().any(|text| is_finding(&text)) { 3 } else { 0 };
        let ours = expected.iter().map(|text| shown(text));
        let cli = judged.cli.iter().filter(|(_, it)| *it != VALID);
        let cli = cli.map(|(label, verdict)| (label.clone(), &**verdict));
        let codes: Vec<String> = judged.exit_codes.iter().map(i32::to_string).collect();
        let text = |number: usize| REASONS[number].text;
        let number = |it: &Difference| texts.iter().position(|other| *other == text(it.reason));
        let reasons: BTreeSet<usize> =
            judged.differences.iter().map(|it| number(it).unwrap() + 1).collect();
        let reasons: Vec<String> = reasons.iter().map(usize::to_string).collect();
        writeln!(
            page,
            "| {name} | {} | {code} | {} | {} | {} |",
            grouped(ours),
            grouped(cli),
            codes.join(", "),
            reasons.join(", ")
        )
        .unwrap();
    }
    page.push_str("\n## Reasons\n\n");
    for (number, text) in (1..).zip(texts) {
        writeln!(page, "{number}. {text}").unwrap();
    }
    page
}

/// Returns each reason once: it may explain several kinds of differences.
fn reason_texts() -> Vec<&'static str> {
    let mut texts: Vec<&str> = Vec::new();
    for Reason { text, .. } in &REASONS {
        if !texts.contains(text) {
            texts.push(text);
        }
    }
    texts
}

/// Returns what a finding is about, and the word for it.
fn shown(finding: &str) -> (String, &str) {
    let (label, word) = finding.rsplit_once(' ').unwrap();
    match label.split(' ').next().unwrap() {
        // The words of a hole come first.
        "hole" => (finding.to_owned(), ""),
        "digest" if word == "proven" => (label.to_owned(), "replaced"),
        _ => (label.to_owned(), word),
    }
}

/// Lists what is said of files. Of more than three files of which the same is said, only how many there
/// are.
fn grouped<'v>(verdicts: impl Iterator<Item = (String, &'v str)>) -> String {
    let mut groups: BTreeMap<(String, &str), Vec<String>> = BTreeMap::new();
    for (label, verdict) in verdicts {
        let kind = label.split(' ').next().unwrap().to_owned();
        groups.entry((kind, verdict)).or_default().push(label);
    }
    let shown = groups.iter().map(|((kind, verdict), labels)| {
        let labels = match labels.len() {
            4.. => format!("{} {kind}s", labels.len()),
            _ => labels.join(", "),
        };
        if verdict.is_empty() { labels } else { format!("{labels}: {verdict}") }
    });
    shown.collect::<Vec<_>>().join("; ")
}
