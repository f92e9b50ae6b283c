//! Short names of digests and log files, for people.

use regex_lite::Regex;

use super::tree::{ACCOUNT, REGION, TRAIL};

/// Returns the short name of the file at a key or URI: `digest 22:57`, `log 22:25 a`. What is not as in
/// most scenarios follows: the trail, the region, the account.
pub fn label(uri: &str) -> String {
    let file = uri.rsplit('/').next().unwrap();
    let name = Regex::new(r"^(\d{12})_CloudTrail(-Digest)?_([a-z0-9-]+)_(.*)$").unwrap();
    let Some(parts) = name.captures(file) else { return file.to_owned() };
    let rest = parts[4].trim_end_matches(".gz").trim_end_matches(".json");
    let mut label = match parts.get(2) {
        Some(_) => digest(rest),
        None => log(rest),
    };
    for (part, usual) in [(&parts[3], REGION), (&parts[1], ACCOUNT)] {
        if part != usual {
            label = format!("{label} {part}");
        }
    }
    label
}

/// `TRAIL_us-east-1_20260115T225731Z[_backfill]`
fn digest(rest: &str) -> String {
    let (rest, backfill) = match rest.strip_suffix("_backfill") {
        Some(rest) => (rest, " backfill"),
        None => (rest, ""),
    };
    let (rest, time) = rest.rsplit_once('_').unwrap();
    let (trail, _) = rest.rsplit_once('_').unwrap();
    let trail = if trail == TRAIL { String::new() } else { format!(" {trail}") };
    format!("digest {}{trail}{backfill}", clock(time))
}

/// `20260115T2225Z_UNIQUE`
fn log(rest: &str) -> String {
    let (time, unique) = rest.split_once('_').unwrap();
    format!("log {} {unique}", clock(time))
}

/// Returns the hour and minute of `2026-01-15T22:57:31Z` or `20260115T225731Z`.
pub fn clock(time: &str) -> String {
    let (_, clock) = time.split_once(['T', ' ']).unwrap();
    let digits: String = clock.chars().filter(char::is_ascii_digit).collect();
    format!("{}:{}", &digits[..2], &digits[2..4])
}

#[test]
fn labels_are_short_and_say_what_is_unusual() {
    let folder = "s3://trail/AWSLogs/111122223333/CloudTrail-Digest/eu-central-1/2026/01/15";
    for (name, expected) in [
        (
            "111122223333_CloudTrail-Digest_eu-central-1_main_us-east-1_20260115T225731Z.json.gz",
            "digest 22:57",
        ),
        (
            "111122223333_CloudTrail-Digest_us-west-2_a_b_us-east-1_20260115T225731Z_backfill.json.gz",
            "digest 22:57 a_b backfill us-west-2",
        ),
        ("444455556666_CloudTrail_eu-central-1_20260115T2225Z_a.json", "log 22:25 a 444455556666"),
    ] {
        assert_eq!(label(&format!("{folder}/{name}")), expected);
    }
}
