//! The official AWS CLI, which judges digests and log files by `aws cloudtrail validate-logs`.

use std::collections::BTreeMap;
use std::process::{Command, Output};

use regex_lite::Regex;

use super::label::{clock, label};
use super::scenarios::CliChain;
use crate::key_server::KeyServer;
use crate::s3_server::{ACCESS_KEY, S3Server, SECRET_KEY};

/// What it says of each file, by label: `valid`, or why not. A time without digests is `gap 00:57`,
/// after its end.
pub type CliVerdicts = BTreeMap<String, String>;

/// What it says when a file is right.
pub const VALID: &str = "valid";

/// What it says of a time between two chains.
pub const GAP: &str = "no log files were delivered";

/// Lines that say nothing of a file.
const SUMMARY: &str = r"^(Validating log files for trail .*|Results (requested|found) for .*|No digests found|No valid digests found in range|\d+/\d+ (backfill )?(digest|log) files valid(, .*)?|)$";

/// Has the CLI judge one chain; returns its exit code and its verdicts.
///
/// # Panics
/// It says something that is not understood.
pub fn validate(s3: &S3Server, cloudtrail: &KeyServer, chain: &CliChain) -> (i32, CliVerdicts) {
    let output = run(s3, cloudtrail, chain);
    let (stdout, stderr) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let file = Regex::new(r"^(?:\(backfill\) )?(?:Digest|Log) file\t(s3://\S+)\t(.*)$").unwrap();
    let gap = Regex::new(r"^No log files were delivered by CloudTrail between \S+ and (\S+)$");
    let (gap, summary) = (gap.unwrap(), Regex::new(SUMMARY).unwrap());
    let mut verdicts = CliVerdicts::new();
    for line in stdout.lines().chain(stderr.lines()) {
        let (name, verdict) = if let Some(parts) = file.captures(line) {
            (label(&parts[1]), shortened(&parts[2]))
        } else if let Some(parts) = gap.captures(line) {
            (format!("gap {}", clock(&parts[1])), GAP.to_owned())
        } else {
            assert!(summary.is_match(line), "{line}\nin:\n{stdout}\n{stderr}");
            continue;
        };
        let before = verdicts.insert(name, verdict);
        assert!(before.is_none(), "it judges a file twice:\n{stdout}\n{stderr}");
    }
    (output.status.code().unwrap(), verdicts)
}

/// Cuts what says no more than `INVALID`, and fingerprints.
fn shortened(verdict: &str) -> String {
    let verdict = verdict.strip_prefix("INVALID: ").unwrap_or(verdict);
    Regex::new("[0-9a-f]{32}").unwrap().replace(verdict, "…").into_owned()
}

/// Returns the program.
///
/// # Panics
/// There is none: a failure, never a skipped test.
pub fn program() -> String {
    let program = std::env::var("TEST_AWS_CLI").unwrap_or_default();
    assert!(!program.is_empty(), "no AWS CLI: set TEST_AWS_CLI, or run `tests/run`, which gets it");
    program
}

fn run(s3: &S3Server, cloudtrail: &KeyServer, chain: &CliChain) -> Output {
    let CliChain { account, region, trail, bucket, prefix, is_of_organization } = chain;
    // An organization's trail is that of its management account.
    let arn = format!("arn:aws:cloudtrail:us-east-1:111122223333:trail/{trail}");
    let mut command = Command::new(program());
    command.args(["cloudtrail", "validate-logs", "--verbose", "--region", region]);
    command.args(["--trail-arn", &arn, "--account-id", account]);
    command.args(["--start-time", "2026-01-15T00:00:00Z", "--end-time", "2026-01-17T00:00:00Z"]);
    if !is_of_organization {
        command.args(["--s3-bucket", bucket]);
    }
    if !prefix.is_empty() {
        command.args(["--s3-prefix", prefix]);
    }
    command.env_clear().env("AWS_ENDPOINT_URL_S3", s3.endpoint_url());
    for service in ["CLOUDTRAIL", "ORGANIZATIONS"] {
        command.env(format!("AWS_ENDPOINT_URL_{service}"), cloudtrail.endpoint_url());
    }
    for (name, value) in [
        ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
        ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_CONFIG_FILE", "/nowhere"),
        ("AWS_SHARED_CREDENTIALS_FILE", "/nowhere"),
        ("PATH", "/usr/bin:/bin"),
        ("LC_ALL", "C.UTF-8"),
    ] {
        command.env(name, value);
    }
    command.output().unwrap()
}
