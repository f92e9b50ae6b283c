//! Which files a tree has: where, when, and how many records in each.
//!
//! The plan is made hour by hour and never held as a whole. It depends on the
//! settings alone; a file's contents depend on the seed and the file's number
//! alone, so that files can be made in any order and in parts.

use jiff::ToSpan as _;
use jiff::civil::Date;

use crate::random::{Random, mix};
use crate::world::REGIONS;

/// What is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Decides everything that is left to chance.
    pub(crate) seed: u64,
    /// Records in all log files together.
    pub(crate) records: u64,
    /// Number of accounts, at least one.
    pub(crate) accounts: usize,
    /// Number of regions, at least one and at most as many as there are.
    pub(crate) regions: usize,
    /// Number of days, at least one.
    pub(crate) days: usize,
    /// Hours of each day in which files are written, from midnight: 1 to 24.
    pub(crate) hours: usize,
    /// The first day.
    pub(crate) first_day: Date,
    /// Records in every file, instead of sizes as in life.
    pub(crate) records_per_file: Option<u64>,
}

/// The kinds of log files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// Management and data events.
    Trail,
    /// Insights.
    Insight,
    /// Network activity.
    NetworkActivity,
    /// Aggregated events.
    Aggregated,
}

impl Family {
    /// All families, in the order of the summary.
    pub(crate) const ALL: [Self; 4] =
        [Self::Trail, Self::Insight, Self::NetworkActivity, Self::Aggregated];

    /// Returns the family's folder, which is also part of its file names.
    pub(crate) fn folder(self) -> &'static str {
        match self {
            Self::Trail => "CloudTrail",
            Self::Insight => "CloudTrail-Insight",
            Self::NetworkActivity => "CloudTrail-NetworkActivity",
            Self::Aggregated => "CloudTrail-Aggregated",
        }
    }
}

/// One log file to be made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FilePlan {
    /// Number in the tree, log files and digests counted together.
    pub(crate) number: u64,
    /// Number of the account.
    pub(crate) account: usize,
    /// Number of the region.
    pub(crate) region: usize,
    /// What is in it.
    pub(crate) family: Family,
    /// The time in its name, in seconds since 1970.
    pub(crate) secs: i64,
    /// Records in it, at least one.
    pub(crate) records: u64,
}

/// All files of one hour, in all accounts and regions.
#[derive(Debug)]
pub(crate) struct Hour {
    /// When it begins, in seconds since 1970.
    pub(crate) start_secs: i64,
    /// The log files: by account, then region, then time.
    pub(crate) files: Vec<FilePlan>,
    /// Number of the hour's first digest; one follows for each account and region.
    pub(crate) first_digest: u64,
}

/// Traffic by hour of the day (UTC), relative.
const BY_HOUR: [u64; 24] =
    [5, 4, 4, 4, 5, 6, 8, 11, 14, 16, 16, 15, 15, 16, 17, 17, 16, 14, 12, 10, 9, 8, 7, 6];
/// Traffic of the busiest, second busiest, … account or region; the last goes for all others.
const BY_RANK: [u64; 5] = [40, 16, 8, 4, 2];

/// How many files have how many records: of 1,000 files, so many have from … to ….
///
/// Chosen so that 44 % of the files have less than 1 KB compressed, which is one
/// record or two alike, while most records are in files of hundreds and thousands.
const FILE_RECORDS: [(usize, usize, usize); 8] = [
    (410, 1, 1),
    (100, 2, 3),
    (180, 4, 10),
    (130, 11, 40),
    (100, 41, 150),
    (50, 151, 500),
    (22, 501, 2_000),
    (8, 2_001, 8_000),
];

/// The plan of a tree, as an iterator over its hours.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    settings: &'a Settings,
    hour: usize,
    number: u64,
    /// Weight of the slots so far, and the records given to them.
    passed: Share,
    total_weight: u128,
}

#[derive(Debug, Default)]
struct Share {
    weight: u128,
    records: u64,
}

impl<'a> Plan<'a> {
    /// Plans the tree that `settings` describe.
    pub(crate) fn new(settings: &'a Settings) -> Self {
        let mut plan =
            Self { settings, hour: 0, number: 0, passed: Share::default(), total_weight: 0 };
        plan.total_weight = (0..settings.days * settings.hours)
            .flat_map(|hour| slots(settings).map(move |slot| (hour, slot)))
            .map(|(hour, (account, region))| weight(settings, hour, account, region))
            .sum();
        plan
    }

    /// Gives the next slot its records, so that all slots together have exactly all.
    fn next_share(&mut self, weight: u128) -> u64 {
        self.passed.weight += weight;
        let due = u128::from(self.settings.records) * self.passed.weight / self.total_weight;
        let due = u64::try_from(due).expect("no more than all records");
        let share = due - self.passed.records;
        self.passed.records = due;
        share
    }

    fn draw_file(&self, random: &mut Random, left: u64) -> (Family, u64) {
        let family = match random.below(1_000) {
            0..12 => Family::Insight,
            12..36 => Family::NetworkActivity,
            36..40 => Family::Aggregated,
            _ => Family::Trail,
        };
        let records = match (self.settings.records_per_file, family) {
            (Some(records), _) => records,
            (None, Family::Trail) => draw_records(random),
            (None, Family::Insight) => random.between(&(1..=4)) as u64,
            (None, Family::NetworkActivity) => random.between(&(1..=60)) as u64,
            (None, Family::Aggregated) => random.between(&(1..=12)) as u64,
        };
        (family, records.min(left))
    }
}

impl Iterator for Plan<'_> {
    type Item = Hour;

    fn next(&mut self) -> Option<Hour> {
        let settings = self.settings;
        let (day, hour) = (self.hour / settings.hours, self.hour % settings.hours);
        if day == settings.days {
            return None;
        }
        let start_secs = day_start_secs(settings, day) + 3600 * i64::try_from(hour).ok()?;
        let mut files = Vec::new();
        for (account, region) in slots(settings) {
            let mut left = self.next_share(weight(settings, self.hour, account, region));
            let slot = (self.hour * settings.accounts + account) * settings.regions + region;
            let mut random = Random::new(mix(settings.seed, 0x51_07), slot as u64);
            let first = files.len();
            while left > 0 {
                let (family, records) = self.draw_file(&mut random, left);
                left -= records;
                // Files are named by the five minutes in which they were closed.
                let secs = start_secs + 300 * i64::try_from(random.below(12)).ok()?;
                files.push(FilePlan { number: 0, account, region, family, secs, records });
            }
            files[first..].sort_by_key(|file| file.secs);
        }
        for (file, number) in files.iter_mut().zip(self.number..) {
            file.number = number;
        }
        let first_digest = self.number + files.len() as u64;
        self.number = first_digest + (settings.accounts * settings.regions) as u64;
        self.hour += 1;
        Some(Hour { start_secs, files, first_digest })
    }
}

/// Returns the accounts and regions, in the order of an hour's files and digests.
pub(crate) fn slots(settings: &Settings) -> impl Iterator<Item = (usize, usize)> {
    let regions = settings.regions.min(REGIONS.len());
    (0..settings.accounts)
        .flat_map(move |account| (0..regions).map(move |region| (account, region)))
}

fn weight(settings: &Settings, hour: usize, account: usize, region: usize) -> u128 {
    let by_rank = |rank: usize| BY_RANK[rank.min(BY_RANK.len() - 1)];
    let by_hour = BY_HOUR[hour % settings.hours];
    u128::from(by_hour * by_rank(account) * by_rank(region))
}

fn day_start_secs(settings: &Settings, day: usize) -> i64 {
    let days = i32::try_from(day).unwrap_or(i32::MAX).days();
    let date = settings.first_day.saturating_add(days);
    date.at(0, 0, 0, 0)
        .to_zoned(jiff::tz::TimeZone::UTC)
        .map_or(0, |zoned| zoned.timestamp().as_second())
}

fn draw_records(random: &mut Random) -> u64 {
    let mut ticket = random.below(1_000);
    for (files, low, high) in FILE_RECORDS {
        if ticket < files {
            return random.between(&(low..=high)) as u64;
        }
        ticket -= files;
    }
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(records: u64) -> Settings {
        Settings {
            seed: 7,
            records,
            accounts: 3,
            regions: 4,
            days: 2,
            hours: 24,
            first_day: Date::constant(2026, 1, 15),
            records_per_file: None,
        }
    }

    #[test]
    fn the_files_of_a_plan_hold_exactly_the_records_asked_for() {
        for records in [0, 1, 41, 12_347, 1_000_003] {
            let settings = settings(records);
            let planned: u64 =
                Plan::new(&settings).flat_map(|hour| hour.files).map(|file| file.records).sum();
            assert_eq!(planned, records);
        }
    }

    #[test]
    fn files_and_digests_are_numbered_without_gaps() {
        let settings = settings(5_003);
        let mut next = 0;
        for hour in Plan::new(&settings) {
            for file in &hour.files {
                assert_eq!(file.number, next);
                next += 1;
            }
            assert_eq!(hour.first_digest, next);
            next += 3 * 4;
        }
    }

    #[test]
    fn a_fixed_number_of_records_per_file_is_kept() {
        let settings = Settings { records_per_file: Some(1), ..settings(1_009) };
        let files = Plan::new(&settings).flat_map(|hour| hour.files);
        assert_eq!(files.filter(|file| file.records == 1).count(), 1_009);
    }
}
