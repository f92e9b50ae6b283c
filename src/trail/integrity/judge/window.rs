//! What is known of the times around the day that is judged.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::holes::{self, Found};
use super::node::{Node, identity};
use super::past::{Past, Tail};
use super::spans::{Span, Spans, add, around};
use super::{DIGEST_DELAY_MAX_S, HeldDay, NAME_SLACK_S, midnight};
use crate::trail::integrity::key::{Chain, LogFamily, LogName};
use crate::trail::integrity::verdict::{FileFinding, FileState, Hole, UnnamedCounts};
use crate::trail::time::EventTime;

/// The times around a day, as proven digests cover them.
pub(super) struct Window {
    proven: Spans,
    /// Holes, and digests that are not proven.
    doubtful: Spans,
    holes: Vec<Found>,
    /// The end of the last proven digest of each chain.
    ends: BTreeMap<Chain, EventTime>,
    /// From when on log files may still be named; `None` if no digest is expected to do so.
    pending_from: Option<EventTime>,
    /// The last time that digests or log files have.
    last: Option<EventTime>,
}

/// What a loaded log file is that no digest names.
enum Unnamed {
    Pending,
    Unproven,
    Unexpected,
}

impl Window {
    pub(super) fn new(
        held: &HeldDay,
        next: Option<&HeldDay>,
        past: &Past,
        until: Option<EventTime>,
    ) -> Self {
        let next_nodes = next.map_or(&[][..], |next| &next.nodes);
        let mut nodes: Vec<&Node> = held.nodes.iter().chain(next_nodes).collect();
        nodes.sort_by_key(|node| node.name.as_ref().map(|name| name.end));
        let (proven, unproven): (Vec<&Node>, Vec<&Node>) =
            nodes.iter().partition(|node| node.is_proven());
        let oldest_unnamed = past.unnamed.keys().next().copied().or(held.files.oldest_unnamed());
        let holes = holes::find(&nodes, past, held.day, oldest_unnamed);
        let spans = |nodes: &[&Node]| -> Vec<Span> {
            nodes.iter().filter_map(|node| node.span()).collect()
        };
        let doubtful = spans(&unproven).into_iter().chain(past.doubtful.iter().copied());
        let of_holes = holes.iter().map(|Found { hole, .. }| {
            (hole.from.unwrap_or(add(hole.to, -DIGEST_DELAY_MAX_S)), hole.to)
        });

        let mut ends: BTreeMap<Chain, EventTime> = BTreeMap::new();
        let past_ends = past.tails.iter().filter_map(|(chain, it)| Some((chain, it.proven_end?)));
        let names = proven.iter().filter_map(|node| node.name.as_ref());
        for (chain, end) in past_ends.chain(names.map(|name| (&name.chain, name.end))) {
            let last = ends.entry(chain.clone()).or_insert(end);
            *last = end.max(*last);
        }
        let newest_log = next.and_then(|next| next.files.newest()).max(held.files.newest());
        let newest = newest_log.max(past.newest_log).max(until);
        let last_end = nodes.iter().filter_map(|it| it.name.as_ref()).map(|it| it.end).max();
        Self {
            proven: Spans::of(spans(&proven).into_iter().chain(past.proven.iter().copied())),
            doubtful: Spans::of(doubtful.chain(of_holes)),
            holes,
            pending_from: pending_from(&ends, newest),
            ends,
            last: newest_log.max(last_end),
        }
    }

    /// Judges the loaded log files of the day that no proven digest names.
    pub(super) fn judge_unnamed(&self, held: &mut HeldDay, past: &mut Past) -> UnnamedCounts {
        let mut counts = UnnamedCounts::default();
        for (path, file) in held.files.iter().filter(|(_, file)| !file.is_named) {
            let Some(uri) = file.loaded_uri() else { continue };
            let name = LogName::of(path);
            if name.as_ref().is_some_and(|name| name.family != LogFamily::Trail) {
                counts.other_families += 1;
                continue;
            }
            let time = name.and_then(|name| name.delivered);
            let state = match self.judge_time(time, held.day) {
                Unnamed::Pending => {
                    counts.pending += 1;
                    continue;
                }
                Unnamed::Unproven => {
                    counts.unproven += 1;
                    if let Some(time) = time {
                        *past.unnamed.entry(time).or_default() += 1;
                    }
                    FileState::Unproven
                }
                Unnamed::Unexpected => {
                    counts.unexpected += 1;
                    past.unexpected.extend(time);
                    FileState::Unexpected
                }
            };
            held.findings.push(FileFinding { uri: uri.to_owned(), state, digest: None });
        }
        counts
    }

    fn judge_time(&self, time: Option<EventTime>, day: Date) -> Unnamed {
        let Some(time) = time else {
            // Its name was not given by CloudTrail.
            let is_proven = span_of(day).is_some_and(|span| self.proven.touch(span));
            return if is_proven { Unnamed::Unexpected } else { Unnamed::Unproven };
        };
        if self.pending_from.is_some_and(|from| from <= time) {
            return Unnamed::Pending;
        }
        let times = around(time, NAME_SLACK_S);
        if self.proven.cover(times) && !self.doubtful.touch(times) {
            Unnamed::Unexpected
        } else {
            Unnamed::Unproven
        }
    }

    /// Returns the holes that end in the day.
    pub(super) fn holes_of_day(&self) -> Vec<Hole> {
        let of_day = self.holes.iter().filter(|found| found.is_of_day);
        of_day.map(|found| found.hole.clone()).collect()
    }

    /// Returns how many seconds of the day proven digests cover.
    pub(super) fn proven_seconds(&self, day: Date) -> u32 {
        let seconds = span_of(day).map_or(0, |span| self.proven.seconds_of(span));
        u32::try_from(seconds).unwrap_or(0)
    }

    /// Returns how many seconds of the day are between the first and the last thing that is known.
    pub(super) fn seconds(&self, day: Date, has_next: bool, past: &Past) -> u32 {
        let Some((start, end)) = span_of(day) else { return 0 };
        let first = past.first.map_or(end, |first| first.max(start));
        let last = if has_next { end } else { self.last.map_or(start, |last| last.min(end)) };
        u32::try_from(last.unix_s() - first.unix_s()).unwrap_or(0)
    }

    /// Leaves to the days that follow what they need.
    pub(super) fn leave(&self, held: &HeldDay, past: &mut Past) {
        past.day = Some(held.day);
        past.newest_log = past.newest_log.max(held.files.newest());
        past.has_digests |= !held.nodes.is_empty();
        past.paths = held.nodes.iter().map(|node| identity(&node.path).to_owned()).collect();
        (past.proven, past.backfilled, past.doubtful) = (vec![], vec![], vec![]);
        for node in &held.nodes {
            let (Some(name), Some(span)) = (&node.name, node.span()) else { continue };
            let tail = past.tails.entry(name.chain.clone()).or_insert(Tail {
                end: name.end,
                path: String::new(),
                proven_end: None,
                unexpected: 0,
            });
            if tail.end <= name.end {
                (tail.end, tail.path) = (name.end, node.path.clone());
            }
            if node.is_proven() {
                (tail.proven_end, tail.unexpected) = (tail.proven_end.max(Some(name.end)), 0);
                past.proven.push(span);
                past.backfilled.extend(node.is_backfill().then_some(span));
            } else {
                past.doubtful.push(span);
            }
        }
        let unexpected = std::mem::take(&mut past.unexpected);
        for (chain, tail) in &mut past.tails {
            let end = self.ends.get(chain);
            let after = unexpected.iter().filter(|time| end.is_some_and(|end| end <= *time));
            tail.unexpected += after.count() as u64;
        }
        past.doubtful.extend(self.holes.iter().filter(|it| it.is_of_day).map(
            |Found { hole, .. }| (hole.from.unwrap_or(add(hole.to, -DIGEST_DELAY_MAX_S)), hole.to),
        ));
    }
}

/// Returns from when on log files may still be named: from the last digest on, if it is not so old that
/// the next one is missing. Of several trails, the one whose last digest is older counts, unless it has
/// ended.
fn pending_from(ends: &BTreeMap<Chain, EventTime>, newest: Option<EventTime>) -> Option<EventTime> {
    let last = *ends.values().max()?;
    let is_close = |to: EventTime, end: EventTime| to.unix_s() - end.unix_s() <= DIGEST_DELAY_MAX_S;
    if newest.is_some_and(|newest| !is_close(newest, last)) {
        return None;
    }
    let of_trails = ends.iter().filter(|(chain, _)| !chain.is_backfill).map(|(_, end)| *end);
    let first = of_trails.filter(|end| is_close(last, *end)).min();
    Some(add(first.unwrap_or(last), -NAME_SLACK_S))
}

/// Returns the times of a day.
fn span_of(day: Date) -> Option<Span> {
    Some((midnight(day)?, midnight(day.tomorrow().ok()?)?))
}
