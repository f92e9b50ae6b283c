//! Judges the digests and log files of one account and region, day by day.
//!
//! ```text
//! for each account and region:            Judge::new
//!   for each day folder, ascending:
//!     list digests and log files, ask the database for what it has of the day
//!     Judge::skippable                    which digests need not be fetched
//!     fetch and read the others, in any order
//!     Judge::judge ─▶ the verdict on the day before
//!   Judge::conclude ─▶ the verdict on the last day, the holes at the end, the sums
//! ```
//!
//! The verdict on a day needs the day after. A digest without metadata is proven by the copy of its
//! signature in the next one, and a log file is named by a digest that ends up to 1 h 50 min after its
//! delivery. The judge holds one day and what it is given of the next.
//!
//! To judge only some days, give it also the day before the first and the day after the last, and name
//! the first and the last in [`JudgeSettings`]: a digest of the day after may name a file of the last
//! day, and the name of a file may be rounded into the day after.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::civil::Date;

use self::files::Files;
use self::naming::name_files;
use self::node::{Node, identity, settle};
use self::past::Past;
use self::window::Window;
use super::public_keys::KeyRing;
use super::verdict::{
    Conclusion, Coverage, Day, DigestCounts, DigestState, FileCounts, FileFinding, FileProof, Hole,
    HoleKind, JudgedDay, LedgerFile, LedgerOutcome, RememberedDigest, Totals, UnnamedCounts,
};
use crate::trail::time::EventTime;

mod spans;

mod past;

mod node;

mod files;

mod holes;

mod naming;

mod window;

/// Digests arrive at most 50 minutes after their end and end once an hour; more than this many seconds
/// after the last one, the next is missing.
pub const DIGEST_DELAY_MAX_S: i64 = 2 * 3_600 + 1_800;

/// The time in the name of a log file is that of its delivery, rounded to five minutes, up or down.
/// Compared with the times of digests, it may be off by this many seconds.
pub const NAME_SLACK_S: i64 = 600;

/// What is judged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JudgeSettings {
    /// The first day that is judged; `None` for the first that is given.
    pub from: Option<Date>,
    /// The last day that is judged; `None` for the last that is given.
    pub to: Option<Date>,
    /// Until when digests are expected: the end of `to` or the present, whichever is earlier. `None` if
    /// only log files behind the last digest show that digests are missing.
    pub until: Option<EventTime>,
}

impl JudgeSettings {
    fn has(&self, day: Date) -> bool {
        self.from.is_none_or(|from| from <= day) && self.to.is_none_or(|to| day <= to)
    }

    /// Returns the part of a hole that is within the days; `None` if there is none.
    fn clip(&self, mut hole: Hole) -> Option<Hole> {
        if let Some(start) = self.from.and_then(midnight) {
            if hole.to <= start {
                return None;
            }
            hole.from = Some(hole.from.map_or(start, |from| from.max(start)));
        }
        if let Some(end) = self.to.and_then(|to| midnight(to.tomorrow().ok()?)) {
            if hole.from.is_some_and(|from| from >= end) {
                return None;
            }
            hole.to = hole.to.min(end);
        }
        Some(hole)
    }
}

/// Judges one account and region.
#[derive(Debug)]
pub struct Judge {
    account: String,
    region: String,
    keys: Arc<KeyRing>,
    settings: JudgeSettings,
    past: Past,
    held: Option<HeldDay>,
    /// Holes that end behind the days that are judged.
    late_holes: Vec<Hole>,
    totals: Totals,
}

/// A day that is not judged yet.
#[derive(Debug)]
struct HeldDay {
    day: Date,
    nodes: Vec<Node>,
    files: Files,
    /// The remembered digests that the source no longer has, with the proofs not found until now.
    deleted: Vec<RememberedDigest>,
    found: u64,
    counts: FileCounts,
    findings: Vec<FileFinding>,
}

impl Judge {
    /// Begins to judge an account and region.
    pub fn new(account: &str, region: &str, keys: Arc<KeyRing>, settings: JudgeSettings) -> Self {
        Self {
            account: account.to_owned(),
            region: region.to_owned(),
            keys,
            settings,
            past: Past::default(),
            held: None,
            late_holes: vec![],
            totals: Totals::default(),
        }
    }

    /// Replaces the keys, for all that is not judged yet. The new ones have to contain the old.
    ///
    /// So keys can be fetched when a digest names one that is not known.
    pub fn set_keys(&mut self, keys: Arc<KeyRing>) {
        self.keys = keys;
    }

    /// Returns the URIs of those digests of the next day that need not be fetched: they were proven
    /// earlier with all their files, the ledger still has these files with the same contents, and the
    /// digest before was proven, too.
    ///
    /// For the others, and for all that are not remembered, [`Judge::judge`] needs the content.
    pub fn skippable<'d>(
        &self,
        remembered: &'d [RememberedDigest],
        ledger: &[LedgerFile],
    ) -> Vec<&'d str> {
        let complete = |it: &&RememberedDigest| {
            let is_read = it.start.is_some() && it.sha256.is_some();
            it.is_proven && it.is_all_proven && !it.is_replaced && is_read
        };
        if !remembered.iter().any(|it| complete(&it)) {
            return vec![];
        }
        let hashed = ledger.iter().filter_map(|line| match line.outcome {
            LedgerOutcome::Loaded(Some(sha256)) => Some(FileProof::of(identity(&line.uri), sha256)),
            _ => None,
        });
        let mut proofs: HashSet<FileProof> = hashed.collect();
        // Of a digest that was replaced, the next one has to say so again.
        let is_sound =
            |it: &&RememberedDigest| it.is_proven && !it.is_replaced && it.signature.is_some();
        let proven = remembered.iter().filter(is_sound);
        let mut paths: HashSet<&str> = proven.map(|it| identity(&it.uri)).collect();
        if let Some(held) = &self.held {
            proofs.extend(held.files.proofs().into_keys());
            let proven = held.nodes.iter().filter(|node| node.is_proven_without_successor());
            paths.extend(proven.map(|node| &*node.path));
        }
        let is_known = |it: &&RememberedDigest| {
            // It may have the only copy of the signature of the one before.
            let previous = it.previous.as_ref();
            previous.is_none_or(|(_, key)| paths.contains(identity(key)))
                && it.proofs.iter().all(|proof| proofs.contains(proof))
        };
        remembered.iter().filter(complete).filter(is_known).map(|it| &*it.uri).collect()
    }

    /// Takes the next day, and returns the verdict on the day before; `None` if there is none or it is not
    /// to be judged.
    ///
    /// # Panics
    /// If the day is not after the one before.
    pub fn judge(&mut self, day: Day) -> Option<JudgedDay> {
        let last = self.held.as_ref().map(|held| held.day);
        assert!(last.is_none_or(|last| last < day.day), "days are given in ascending order");
        let mut next = HeldDay::new(day, &self.keys);
        let judged = self.held.take().and_then(|held| self.finish_day(held, Some(&mut next)));
        self.held = Some(next);
        judged
    }

    /// Judges the last day, and returns what remains to be said.
    pub fn conclude(mut self) -> Conclusion {
        let day = self.held.take().and_then(|held| self.finish_day(held, None));
        let mut holes = std::mem::take(&mut self.late_holes);
        holes.extend(self.holes_at_the_end());
        self.totals.holes += holes.len() as u64;
        Conclusion { day, holes, totals: self.totals }
    }

    /// Judges a day with all that is known of the one after.
    fn finish_day(
        &mut self,
        mut held: HeldDay,
        mut next: Option<&mut HeldDay>,
    ) -> Option<JudgedDay> {
        let mut nodes: Vec<&mut Node> = held.nodes.iter_mut().collect();
        if let Some(next) = next.as_deref_mut() {
            nodes.extend(next.nodes.iter_mut());
        }
        nodes.sort_by_key(|node| node.name.as_ref().map(|name| name.end));
        settle(&mut nodes, &self.keys);
        self.totals.files.named +=
            name_files(&mut held, next.as_deref_mut(), self.past.day, &self.settings);

        // Each named file is judged once. If not, the equation does not hold.
        for node in held.nodes.iter().filter(|node| node.is_proven()) {
            let named = self.totals.files.named.wrapping_add(node.entries);
            self.totals.files.named = named.wrapping_sub(node.files.named);
        }

        let starts = held.nodes.iter().filter_map(Node::span).map(|(start, _)| start);
        let first = starts.chain(held.files.oldest()).min();
        self.past.first = self.past.first.or(first);

        let window = Window::new(&held, next.as_deref(), &self.past, self.settings.until);
        let unnamed = window.judge_unnamed(&mut held, &mut self.past);
        let (mut holes, proven_seconds) = (window.holes_of_day(), window.proven_seconds(held.day));
        let seconds = window.seconds(held.day, next.is_some(), &self.past);
        window.leave(&held, &mut self.past);
        for hole in &mut holes {
            hole.files = self.past.unnamed_in(hole.from, hole.to);
        }
        self.past.forget();
        let holes: Vec<Hole> = holes.into_iter().filter_map(|it| self.settings.clip(it)).collect();
        if !self.settings.has(held.day) {
            self.late_holes.extend(holes);
            return None;
        }
        self.totals.holes += holes.len() as u64;
        let mut judged = held.verdict(unnamed, holes);
        judged.coverage.account.clone_from(&self.account);
        judged.coverage.region.clone_from(&self.region);
        judged.coverage.seconds = seconds;
        judged.coverage.proven_seconds = proven_seconds;
        self.add_to_totals(&judged);
        Some(judged)
    }

    /// Adds a day. The named files were added when digests named them, so that the equation checks the
    /// sums.
    fn add_to_totals(&mut self, judged: &JudgedDay) {
        let Coverage { digests, files, unnamed, .. } = judged.coverage;
        self.totals.digests += digests;
        self.totals.files += FileCounts { named: 0, ..files };
        self.totals.unnamed += unnamed;
        let noted = judged
            .digests
            .iter()
            .filter(|it| matches!(it.state, DigestState::Proven(_)) && it.is_finding());
        self.totals.noted += noted.count() as u64;
    }

    /// Returns the holes that no later digest ends.
    fn holes_at_the_end(&self) -> Vec<Hole> {
        let past = &self.past;
        let hole = |kind, chain: Option<_>, from, to, files| Hole {
            kind,
            chain,
            from: Some(from),
            to,
            digest: None,
            files,
        };
        let mut holes = Vec::new();
        let Some(end) = past.proven_end() else {
            let times = past.unnamed.keys().next().zip(past.unnamed.keys().next_back());
            if let Some((first, last)) = times.filter(|_| !past.has_digests) {
                let files = past.unnamed_in(None, *last);
                holes.push(hole(HoleKind::NoDigest, None, *first, *last, files));
            }
            return holes.into_iter().filter_map(|it| self.settings.clip(it)).collect();
        };
        let newest = past.newest_log.max(self.settings.until);
        let is_late =
            |newest: EventTime, end: EventTime| newest.unix_s() - end.unix_s() > DIGEST_DELAY_MAX_S;
        for (chain, tail) in &past.tails {
            let Some(own_end) = tail.proven_end else { continue };
            let last = newest.filter(|newest| is_late(*newest, own_end));
            let Some(last) = last else { continue };
            if own_end == end {
                let files = past.unnamed_in(Some(own_end), last);
                holes.push(hole(HoleKind::End, Some(chain.clone()), own_end, last, files));
            } else if is_late(end, own_end) && tail.unexpected > 0 && !chain.is_backfill {
                // Another chain continues, but does not name these files.
                let files = tail.unexpected;
                holes.push(hole(HoleKind::End, Some(chain.clone()), own_end, last, files));
            }
        }
        holes.into_iter().filter_map(|it| self.settings.clip(it)).collect()
    }
}

impl HeldDay {
    fn new(day: Day, keys: &KeyRing) -> Self {
        let Day { day, digests, mut remembered, ledger, source } = day;
        let found = digests.len() as u64;
        let mut nodes = Vec::with_capacity(digests.len());
        let paths: HashSet<String> =
            digests.iter().map(|it| identity(&it.location.uri()).to_owned()).collect();
        for digest in digests {
            let uri = digest.location.uri();
            // A copy elsewhere was remembered with another URI.
            let at = remembered.iter().position(|it| it.uri == uri);
            let known = at.map(|at| remembered.swap_remove(at));
            nodes.push(Node::new(digest, known, keys));
        }
        remembered.retain(|it| !paths.contains(identity(&it.uri)));
        remembered.sort_by(|one, other| one.uri.cmp(&other.uri));
        Self {
            day,
            nodes,
            files: Files::new(ledger, source),
            deleted: remembered,
            found,
            counts: FileCounts::default(),
            findings: vec![],
        }
    }

    fn verdict(self, unnamed: UnnamedCounts, holes: Vec<Hole>) -> JudgedDay {
        let mut digests: Vec<_> = self.nodes.into_iter().map(Node::verdict).collect();
        digests.sort_by(|one, other| one.uri.cmp(&other.uri));
        let mut counts = DigestCounts {
            found: self.found,
            deleted: self.deleted.len() as u64,
            ..DigestCounts::default()
        };
        for digest in &digests {
            *match digest.state {
                DigestState::Proven(_) => &mut counts.proven,
                DigestState::NoSignature | DigestState::UnknownKey(_) => &mut counts.unproven,
                DigestState::WrongSignature
                | DigestState::WrongCopy(_)
                | DigestState::Replayed(_) => &mut counts.wrong,
                DigestState::Unreadable(_) => &mut counts.unreadable,
            } += 1;
        }
        let mut files = self.findings;
        files.sort_by(|one, other| one.uri.cmp(&other.uri));
        let coverage = Coverage {
            account: String::new(),
            region: String::new(),
            day: self.day,
            seconds: 0,
            proven_seconds: 0,
            digests: counts,
            files: self.counts,
            unnamed,
        };
        let deleted = self.deleted.into_iter().map(|it| it.uri).collect();
        JudgedDay { coverage, digests, deleted, holes, files }
    }
}

/// Returns the start of a day.
fn midnight(day: Date) -> Option<EventTime> {
    EventTime::parse(&format!("{day}T00:00:00Z"))
}

#[cfg(test)]
mod tests;
