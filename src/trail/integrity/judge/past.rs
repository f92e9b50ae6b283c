//! What the days that were judged leave for those that follow.

use std::collections::{BTreeMap, HashSet};

use jiff::civil::Date;

use super::NAME_SLACK_S;
use super::spans::{Span, add};
use crate::trail::integrity::key::Chain;
use crate::trail::time::EventTime;

/// What is known of earlier days. Its size does not depend on their number, except for
/// `unnamed`.
#[derive(Debug, Default)]
pub(super) struct Past {
    /// The last day that was judged.
    pub(super) day: Option<Date>,
    /// The newest digest of each chain.
    pub(super) tails: BTreeMap<Chain, Tail>,
    /// The paths of the digests of the last day.
    pub(super) paths: HashSet<String>,
    /// What the proven digests of the last day cover.
    pub(super) proven: Vec<Span>,
    /// What its proven digests of backfills cover.
    pub(super) backfilled: Vec<Span>,
    /// What its other digests and its holes cover.
    pub(super) doubtful: Vec<Span>,
    /// When the first digest starts or the first log file was delivered.
    pub(super) first: Option<EventTime>,
    /// The newest log file of a trail.
    pub(super) newest_log: Option<EventTime>,
    /// Whether there was any digest.
    pub(super) has_digests: bool,
    /// The times of the unexpected log files of the day that is being judged.
    pub(super) unexpected: Vec<EventTime>,
    /// The unproven log files since shortly before the last proven digest: how many have each time. Names
    /// have a time of each five minutes, so these are at most 288 numbers for a day without digests.
    pub(super) unnamed: BTreeMap<EventTime, u64>,
}

/// The newest digest of a chain.
#[derive(Debug, Clone)]
pub(super) struct Tail {
    pub(super) end: EventTime,
    pub(super) path: String,
    /// The end of the newest digest that is proven.
    pub(super) proven_end: Option<EventTime>,
    /// Log files after it that are unexpected because another chain covers their time.
    pub(super) unexpected: u64,
}

impl Past {
    /// Returns the end of the last proven digest of all chains.
    pub(super) fn proven_end(&self) -> Option<EventTime> {
        self.tails.values().filter_map(|tail| tail.proven_end).max()
    }

    /// Returns how many unproven log files have a time within a span, or within the slack around it.
    pub(super) fn unnamed_in(&self, from: Option<EventTime>, to: EventTime) -> u64 {
        let from = from.map(|from| add(from, -NAME_SLACK_S));
        let until = self.unnamed.range(..=add(to, NAME_SLACK_S));
        until.filter(|(time, _)| from.is_none_or(|from| from <= **time)).map(|(_, it)| it).sum()
    }

    /// Forgets the files that no later hole can have: those a day before the last proven digest.
    pub(super) fn forget(&mut self) {
        let Some(end) = self.proven_end() else { return };
        self.unnamed = self.unnamed.split_off(&add(end, -86_400));
    }
}
