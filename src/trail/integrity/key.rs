//! The names of digests and of log files.
//!
//! A digest is `[PREFIX/]AWSLogs/[o-ORG/]ACCOUNT/CloudTrail-Digest/REGION/YYYY/MM/DD/` followed by
//! `ACCOUNT_CloudTrail-Digest_REGION_TRAIL_HOMEREGION_YYYYMMDDTHHMMSSZ[_backfill].json.gz`. The time is
//! the end of the time it covers (AWS CloudTrail user guide, "CloudTrail digest file structure").

use std::fmt;

use jiff::civil::Date;

use crate::trail::layout::{DIGEST_FAMILY, Layout};
use crate::trail::time::EventTime;

/// Returns the part of a key, path or URI from its last folder `AWSLogs` on: what stays the same when a
/// tree is copied to another bucket, prefix or folder. `None` without such a folder.
///
/// ```
/// use cloudtrail2sql::trail::integrity::key::path_in_trail;
///
/// assert_eq!(path_in_trail("s3://b/p/AWSLogs/1/x.json.gz"), Some("AWSLogs/1/x.json.gz"));
/// assert_eq!(path_in_trail("s3://b/MyAWSLogs/1/x.json.gz"), None);
/// ```
pub fn path_in_trail(uri: &str) -> Option<&str> {
    let mut starts = uri.rmatch_indices("AWSLogs/").map(|(at, _)| at);
    let start = starts.find(|&at| at == 0 || uri.as_bytes()[at - 1] == b'/')?;
    Some(&uri[start..])
}

/// The digests of one trail in one account and region, each of which names the one before.
///
/// The digests that CloudTrail makes later, in a backfill, form a chain of their own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Chain {
    /// The account whose log files are listed, 12 digits.
    pub account: String,
    /// The region whose log files are listed.
    pub region: String,
    /// The trail's name, which may contain `_`, `.` and `-`.
    pub trail: String,
    /// The region where the trail was created.
    pub home_region: String,
    /// Whether it is the chain of a backfill.
    pub is_backfill: bool,
}

/// `trail management-events of eu-central-1`, for reports.
impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let backfill = if self.is_backfill { ", backfill" } else { "" };
        write!(f, "trail {} of {}{backfill}", self.trail, self.home_region)
    }
}

/// The name of a digest, taken apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DigestName {
    /// The chain that the digest belongs to.
    pub chain: Chain,
    /// When the time that the digest covers ends.
    pub end: EventTime,
    /// The day folder, which is the day of `end`.
    pub day: Date,
}

impl DigestName {
    /// Reads a key, a path or a URI; `None` if it is not the name of a digest in the folder of its day.
    ///
    /// An unpacked digest may have lost the `.gz`.
    pub fn of(uri: &str) -> Option<Self> {
        let Layout { account, family, region, day } = Layout::of(uri)?;
        if family != DIGEST_FAMILY {
            return None;
        }
        let file = uri.rsplit('/').next()?;
        let file = file.strip_suffix(".gz").unwrap_or(file).strip_suffix(".json")?;
        let (file, is_backfill) = match file.strip_suffix("_backfill") {
            Some(file) => (file, true),
            None => (file, false),
        };
        // The trail's name may contain what separates the parts, so it is what is left in the middle.
        let rest = strip_names(file, [&account, &family, &region])?;
        let (rest, time) = rest.rsplit_once('_')?;
        let (trail, home_region) = rest.rsplit_once('_')?;
        if trail.is_empty() || home_region.is_empty() {
            return None;
        }
        let (time_day, end) = parse_time(time, 6)?;
        let (trail, home_region) = (trail.to_owned(), home_region.to_owned());
        let chain = Chain { account, region, trail, home_region, is_backfill };
        (time_day == day).then_some(Self { chain, end, day })
    }
}

/// Returns whether a key, path or URI is in a folder of digests.
pub fn is_in_digest_folder(uri: &str) -> bool {
    Layout::of(uri).is_some_and(|layout| layout.family == DIGEST_FAMILY)
}

/// The kinds of log files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogFamily {
    /// `CloudTrail`: management and data events.
    Trail,
    /// `CloudTrail-Insight`.
    Insight,
    /// `CloudTrail-NetworkActivity`.
    NetworkActivity,
    /// `CloudTrail-Aggregated`.
    Aggregated,
}

/// The name of a log file, taken apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogName {
    /// The account, 12 digits.
    pub account: String,
    /// The region.
    pub region: String,
    /// What kind of events it has.
    pub family: LogFamily,
    /// The day folder.
    pub day: Date,
    /// When it was delivered, rounded to five minutes, up or down. `None` if the name has another form.
    pub delivered: Option<EventTime>,
}

impl LogName {
    /// Reads a key, a path or a URI; `None` if it is not in a folder of log files.
    pub fn of(uri: &str) -> Option<Self> {
        let Layout { account, family: folder, region, day } = Layout::of(uri)?;
        let family = match &*folder {
            "CloudTrail" => LogFamily::Trail,
            "CloudTrail-Insight" => LogFamily::Insight,
            "CloudTrail-NetworkActivity" => LogFamily::NetworkActivity,
            "CloudTrail-Aggregated" => LogFamily::Aggregated,
            _ => return None,
        };
        let file = uri.rsplit('/').next()?;
        let time = strip_names(file, [&account, &folder, &region])
            .and_then(|rest| parse_time(rest.split('_').next()?, 4));
        // A time of another day is not the folder's: the name was not given by CloudTrail.
        let delivered = time.filter(|(time_day, _)| *time_day == day).map(|(_, time)| time);
        Some(Self { account, region, family, day, delivered })
    }
}

/// Returns what follows the names and the `_` behind each.
fn strip_names<'f>(file: &'f str, names: [&str; 3]) -> Option<&'f str> {
    names.iter().try_fold(file, |rest, name| rest.strip_prefix(*name)?.strip_prefix('_'))
}

/// Reads `YYYYMMDDT`, hours, minutes and perhaps seconds in `clock_digits` digits, and `Z`.
fn parse_time(text: &str, clock_digits: usize) -> Option<(Date, EventTime)> {
    let (date, clock) = text.strip_suffix('Z')?.split_once('T')?;
    let are_digits = |text: &str, count: usize| {
        text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    if !are_digits(date, 8) || !are_digits(clock, clock_digits) {
        return None;
    }
    let seconds = clock.get(4..6).unwrap_or("00");
    // The general parser reads a leap second as the one before.
    if seconds > "59" {
        return None;
    }
    let day = format!("{}-{}-{}", &date[..4], &date[4..6], &date[6..]);
    let time = EventTime::parse(&format!("{day}T{}:{}:{seconds}Z", &clock[..2], &clock[2..4]))?;
    Some((day.parse().ok()?, time))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    const DAY: &str = "111122223333/CloudTrail-Digest/eu-central-1/2026/01/15";

    fn digest(start: &str, file: &str) -> Option<DigestName> {
        DigestName::of(&format!("{start}AWSLogs/{DAY}/{file}"))
    }

    #[test]
    fn the_name_of_a_digest_is_read_from_both_ends() {
        for trail in ["main", "a_b", "_x_", "us-east-1", "a_us-east-1_b.c-d", "CloudTrail-Digest"] {
            for (backfill, is_backfill) in [("", false), ("_backfill", true)] {
                for start in ["", "s3://b/", "s3://b/p/q/", "/data/"] {
                    let name = format!(
                        "111122223333_CloudTrail-Digest_eu-central-1_{trail}_us-east-1_\
                         20260115T235731Z{backfill}"
                    );
                    let found = digest(start, &format!("{name}.json.gz")).unwrap();
                    assert_eq!(found.chain.account, "111122223333");
                    assert_eq!(found.chain.region, "eu-central-1");
                    assert_eq!(found.chain.trail, trail);
                    assert_eq!(found.chain.home_region, "us-east-1");
                    assert_eq!(found.chain.is_backfill, is_backfill);
                    assert_eq!(found.end.to_string(), "2026-01-15 23:57:31");
                    assert_eq!(found.day, date(2026, 1, 15));
                    assert_eq!(digest(start, &format!("{name}.json")), Some(found));
                }
            }
        }
        let organization = format!(
            "s3://b/AWSLogs/o-abc/{DAY}/111122223333_CloudTrail-Digest_eu-central-1_t_us-east-1_\
             20260115T000000Z.json.gz"
        );
        assert!(DigestName::of(&organization).is_some());
    }

    #[test]
    fn what_is_not_the_name_of_a_digest_is_none() {
        let good =
            "111122223333_CloudTrail-Digest_eu-central-1_t_us-east-1_20260115T005731Z.json.gz";
        assert!(digest("", good).is_some());
        for (part, other) in [
            ("111122223333_", "444455556666_"),
            ("eu-central-1_t", "eu-west-1_t"),
            ("_t_", "_"),
            ("_t_", "__"),
            ("t_us-east-1_", "t__"),
            ("20260115", "20260116"),
            ("20260115", "20260132"),
            ("005731", "0057"),
            ("005731", "246060"),
            ("005731", "005760"),
            ("005731", "0057\u{e9}1"),
            ("Z.json", "Z_x.json"),
            (".json.gz", ".gz"),
            (".json.gz", ""),
        ] {
            let name = good.replacen(part, other, 1);
            assert_eq!(digest("", &name), None, "{name}");
        }
        assert_eq!(DigestName::of(&format!("s3://b/{DAY}/{good}")), None, "no AWSLogs");
        assert!(is_in_digest_folder(&format!("AWSLogs/{DAY}/x")));
    }

    #[test]
    fn the_name_of_a_log_file_has_its_family_and_time() {
        for (folder, family) in [
            ("CloudTrail", LogFamily::Trail),
            ("CloudTrail-Insight", LogFamily::Insight),
            ("CloudTrail-NetworkActivity", LogFamily::NetworkActivity),
            ("CloudTrail-Aggregated", LogFamily::Aggregated),
        ] {
            let day = format!("s3://b/AWSLogs/o-abc/111122223333/{folder}/us-east-1/2026/01/15");
            let name = format!("{day}/111122223333_{folder}_us-east-1_20260115T2350Z_aB3.json.gz");
            let log = LogName::of(&name).unwrap();
            assert_eq!(log.family, family);
            assert_eq!(log.delivered.unwrap().to_string(), "2026-01-15 23:50:00");
            for other in ["x.json.gz", "111122223333_CloudTrail_us-east-1_20260114T2350Z_a.json.gz"]
            {
                let log = LogName::of(&format!("{day}/{other}")).unwrap();
                assert_eq!((log.delivered, log.day), (None, date(2026, 1, 15)));
            }
        }
        assert_eq!(LogName::of(&format!("AWSLogs/{DAY}/x.json.gz")), None);
    }
}
