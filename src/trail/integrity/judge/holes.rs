//! The times in which log files cannot be proven.

use jiff::civil::Date;

use super::node::{Node, identity};
use super::past::Past;
use super::spans::{Spans, add};
use crate::trail::integrity::key::{Chain, DigestName};
use crate::trail::integrity::verdict::{Hole, HoleKind};
use crate::trail::time::EventTime;

/// A digest starts when the one that it names ends; up to this many seconds more are no hole.
const LINK_GAP_S: i64 = 60;

/// A hole, and whether it ends at a digest of the day that is judged, not of the one after.
pub(super) struct Found {
    pub(super) hole: Hole,
    pub(super) is_of_day: bool,
}

/// Returns the holes before each proven digest. Digests are in ascending order of their ends.
/// `oldest_unnamed` is the time of the oldest log file that no digest names.
pub(super) fn find(
    nodes: &[&Node],
    past: &Past,
    day: Date,
    oldest_unnamed: Option<EventTime>,
) -> Vec<Found> {
    let mut found = Vec::new();
    let backfills = nodes.iter().filter(|node| node.is_proven() && node.is_backfill());
    let backfills = backfills.filter_map(|node| node.span());
    let backfilled = Spans::of(backfills.chain(past.backfilled.iter().copied()));
    for (place, node) in nodes.iter().enumerate() {
        let (Some(name), Some((start, _)), true) = (&node.name, node.span(), node.is_proven())
        else {
            continue;
        };
        let before = Before {
            nodes,
            past,
            place,
            chain: &name.chain,
            oldest_unnamed,
            backfilled: &backfilled,
        };
        if let Some((kind, from)) = before.hole(node, start) {
            let hole = Hole {
                kind,
                chain: Some(name.chain.clone()),
                from,
                to: start,
                digest: Some(node.uri.clone()),
                files: 0,
            };
            found.push(Found { hole, is_of_day: name.day <= day });
        }
    }
    found
}

/// What is older than one digest.
struct Before<'a> {
    nodes: &'a [&'a Node],
    past: &'a Past,
    place: usize,
    chain: &'a Chain,
    oldest_unnamed: Option<EventTime>,
    /// What the proven digests of backfills cover.
    backfilled: &'a Spans,
}

impl Before<'_> {
    /// Returns the hole between a digest that starts at `start` and what is older, and when the hole
    /// starts.
    fn hole(&self, node: &Node, start: EventTime) -> Option<(HoleKind, Option<EventTime>)> {
        let older = self.older();
        let Some((bucket, key)) = node.previous() else {
            // A chain starts here.
            if older.is_some() || self.chain.is_backfill {
                return self.off(older?, start);
            }
            if let Some(end) = self.proven_before(start) {
                return self.off(end, start);
            }
            let first = self.oldest_unnamed.filter(|first| *first < start);
            return first.map(|first| (HoleKind::Begin(None), Some(first)));
        };
        if let Some(end) = self.end_of(identity(key)) {
            // If nothing was delivered between the two, logging was stopped.
            return self.off(add(end, LINK_GAP_S), start).map(|(kind, _)| (kind, Some(end)));
        }
        let from = older.or_else(|| {
            let first = self.oldest_unnamed.filter(|first| *first < start);
            first.filter(|_| self.proven_before(start).is_none())
        });
        let is_elsewhere = node.bucket().is_some_and(|own| own != bucket);
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        let kind = match older {
            _ if is_elsewhere => HoleKind::Elsewhere(bucket, key),
            Some(_) => HoleKind::Missing(bucket, key),
            None => HoleKind::Begin(Some((bucket, key))),
        };
        Some((kind, from))
    }

    /// Returns the hole from `end` to `start`, unless a backfill proves that time, or is what stops and
    /// starts: each backfill has its own times.
    fn off(&self, end: EventTime, start: EventTime) -> Option<(HoleKind, Option<EventTime>)> {
        let is_hole =
            end < start && !self.chain.is_backfill && !self.backfilled.cover((end, start));
        is_hole.then_some((HoleKind::Off, Some(end)))
    }

    fn earlier(&self) -> impl Iterator<Item = (&Node, &DigestName)> {
        let nodes = self.nodes[..self.place].iter().rev();
        nodes.filter_map(|node| Some((&**node, node.name.as_ref()?)))
    }

    /// Returns the end of the next older digest of the chain, whatever its state.
    fn older(&self) -> Option<EventTime> {
        let own_end = self.nodes[self.place].name.as_ref()?.end;
        let mut ends =
            self.earlier().filter(|(_, name)| name.chain == *self.chain && name.end < own_end);
        let in_window = ends.next().map(|(_, name)| name.end);
        in_window.or_else(|| self.past.tails.get(self.chain).map(|tail| tail.end))
    }

    /// Returns the end of the digest with this path.
    fn end_of(&self, path: &str) -> Option<EventTime> {
        let nodes = self.nodes.iter().find(|node| node.path == path);
        let name = nodes.and_then(|node| node.name.as_ref());
        let in_window = name.map(|name| name.end);
        let tail = self.past.tails.get(self.chain).filter(|tail| tail.path == path);
        in_window.or(tail.map(|tail| tail.end)).or_else(|| {
            let is_known = self.past.paths.contains(path);
            is_known.then(|| DigestName::of(&format!("{path}.gz")).map(|name| name.end)).flatten()
        })
    }

    /// Returns until when the other chains prove log files before `start`.
    fn proven_before(&self, start: EventTime) -> Option<EventTime> {
        let spans = self.nodes.iter().filter(|node| node.is_proven()).filter_map(|it| it.span());
        let ends = spans.filter(|(from, _)| *from < start).map(|(_, end)| end);
        ends.max().max(self.past.proven_end())
    }
}
