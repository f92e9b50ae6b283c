//! What was made, in numbers.

use std::fmt;

use crate::plan::Family;

/// Log files with less than this compressed are called small.
const SMALL_BYTES: usize = 1024;

/// Files, records and bytes made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    /// Files and records, by family in the order of [`Family::ALL`].
    pub(crate) by_family: [(u64, u64); 4],
    /// Digest files.
    pub(crate) digests: u64,
    /// Log files with less than 1 KB as stored.
    pub(crate) small: u64,
    /// JSON of the log files.
    pub(crate) json_bytes: u64,
    /// Log files as stored.
    pub(crate) stored_bytes: u64,
    /// Digests as stored.
    pub(crate) digest_bytes: u64,
    /// The most records in a file.
    pub(crate) records_max: u64,
}

impl Summary {
    /// Counts a log file.
    pub(crate) fn count_log(&mut self, family: Family, records: u64, json: usize, stored: usize) {
        let place = Family::ALL.iter().position(|known| *known == family).unwrap_or(0);
        let (family_files, family_records) = &mut self.by_family[place];
        *family_files += 1;
        *family_records += records;
        self.small += u64::from(stored < SMALL_BYTES);
        self.json_bytes += json as u64;
        self.stored_bytes += stored as u64;
        self.records_max = self.records_max.max(records);
    }

    /// Counts a digest.
    pub(crate) fn count_digest(&mut self, stored: usize) {
        self.digests += 1;
        self.digest_bytes += stored as u64;
    }

    /// Adds what another thread made.
    pub(crate) fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.by_family.iter_mut().zip(other.by_family) {
            *mine = (mine.0 + theirs.0, mine.1 + theirs.1);
        }
        self.digests += other.digests;
        self.small += other.small;
        self.json_bytes += other.json_bytes;
        self.stored_bytes += other.stored_bytes;
        self.digest_bytes += other.digest_bytes;
        self.records_max = self.records_max.max(other.records_max);
    }

    /// Returns the number of log files.
    pub(crate) fn files(&self) -> u64 {
        self.by_family.iter().map(|(files, _)| files).sum()
    }

    /// Returns the number of records.
    pub(crate) fn records(&self) -> u64 {
        self.by_family.iter().map(|(_, records)| records).sum()
    }

    /// Returns the mean number of bytes of JSON per record.
    pub(crate) fn mean_bytes(&self) -> u64 {
        self.json_bytes.checked_div(self.records()).unwrap_or(0)
    }

    /// Returns how many of 1,000 log files are small.
    pub(crate) fn small_per_mille(&self) -> u64 {
        (self.small * 1_000).checked_div(self.files()).unwrap_or(0)
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<28}{:>14}{:>14}", "", "files", "records")?;
        for (family, (files, records)) in Family::ALL.iter().zip(self.by_family) {
            writeln!(f, "{:<28}{files:>14}{records:>14}", family.folder())?;
        }
        writeln!(f, "{:<28}{:>14}{:>14}", "log files", self.files(), self.records())?;
        writeln!(f, "{:<28}{:>14}{:>14}", "CloudTrail-Digest", self.digests, "-")?;
        writeln!(f)?;
        writeln!(f, "JSON of the log files       {:>14} bytes", self.json_bytes)?;
        writeln!(f, "log files as stored         {:>14} bytes", self.stored_bytes)?;
        writeln!(f, "digests as stored           {:>14} bytes", self.digest_bytes)?;
        writeln!(f, "mean record                 {:>14} bytes of JSON", self.mean_bytes())?;
        writeln!(f, "most records in a file      {:>14}", self.records_max)?;
        let small = self.small_per_mille();
        writeln!(f, "log files under 1 KB        {:>12}.{} %", small / 10, small % 10)?;
        let ratio = (self.json_bytes * 10).checked_div(self.stored_bytes).unwrap_or(0);
        write!(f, "compressed                  {:>12}.{} times", ratio / 10, ratio % 10)
    }
}
