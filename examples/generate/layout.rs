//! Keys of log files and digests, as CloudTrail lays them out in a bucket.

use std::fmt::Write as _;

use crate::plan::FilePlan;
use crate::random::{mix, scale};
use crate::value::civil;
use crate::world::{REGIONS, World};

/// Name of the trail, which is part of the names of digests.
pub(crate) const TRAIL: &str = "management-events";

/// Where in the bucket the tree stands, and how its files are stored.
#[derive(Debug, Clone, Default)]
pub(crate) struct Layout {
    /// Folder above `AWSLogs`, without slashes at its ends.
    pub(crate) prefix: Option<String>,
    /// The level of an organization trail, `o-…`.
    pub(crate) organization: Option<String>,
    /// Log files are stored as `.json`, not compressed.
    pub(crate) plain: bool,
}

impl Layout {
    /// Returns the key of a log file.
    pub(crate) fn log_key(&self, world: &World, file: &FilePlan) -> String {
        let account = world.account(file.account);
        let family = file.family.folder();
        let region = REGIONS[file.region];
        let mut key = self.folder(account, family, region, file.secs);
        let time = civil(file.secs).strftime("%Y%m%dT%H%MZ");
        write!(key, "{account}_{family}_{region}_{time}_").expect("a String takes all");
        push_unique(mix(world.seed, file.number), &mut key);
        key.push_str(if self.plain { ".json" } else { ".json.gz" });
        key
    }

    /// Returns the key of the digest that was closed at `end_secs`.
    pub(crate) fn digest_key(&self, account: &str, region: &str, end_secs: i64) -> String {
        let mut key = self.folder(account, "CloudTrail-Digest", region, end_secs);
        let home = REGIONS[0];
        let time = civil(end_secs).strftime("%Y%m%dT%H%M%SZ");
        write!(key, "{account}_CloudTrail-Digest_{region}_{TRAIL}_{home}_{time}.json.gz")
            .expect("a String takes all");
        key
    }

    fn folder(&self, account: &str, family: &str, region: &str, secs: i64) -> String {
        let mut key = String::with_capacity(200);
        let levels = [self.prefix.as_deref(), Some("AWSLogs"), self.organization.as_deref()];
        for level in levels.into_iter().flatten() {
            key.push_str(level);
            key.push('/');
        }
        let day = civil(secs).strftime("%Y/%m/%d");
        write!(key, "{account}/{family}/{region}/{day}/").expect("a String takes all");
        key
    }
}

/// The 16 letters and digits at the end of a file's name.
fn push_unique(bits: u64, out: &mut String) {
    const LETTERS: &[u8; 62] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    for place in 0..16 {
        out.push(char::from(LETTERS[scale(mix(bits, place), LETTERS.len())]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Family;

    #[test]
    fn keys_look_like_cloudtrail_s() {
        let world = World::new(1, 1);
        let file = FilePlan {
            number: 3,
            account: 0,
            region: 1,
            family: Family::Insight,
            secs: 1_768_467_900,
            records: 1,
        };
        let layout = Layout {
            prefix: Some("trails/main".to_owned()),
            organization: Some("o-abc123".to_owned()),
            plain: false,
        };
        let key = layout.log_key(&world, &file);
        let known = "trails/main/AWSLogs/o-abc123/111122223333/CloudTrail-Insight/eu-west-1/2026/01/15/\
                     111122223333_CloudTrail-Insight_eu-west-1_20260115T0905Z_";
        assert_eq!(key.strip_prefix(known).map(str::len), Some("0123456789abcdef.json.gz".len()));
        assert_eq!(
            Layout::default().digest_key("111122223333", "us-east-1", 1_768_467_451),
            "AWSLogs/111122223333/CloudTrail-Digest/us-east-1/2026/01/15/\
             111122223333_CloudTrail-Digest_us-east-1_management-events_us-east-1_20260115T085731Z.json.gz"
        );
    }
}
