//! What `dedupe` finds and removes: rows that hold a record which another row holds, too.
//!
//! Two rows are duplicates if they have the same `eventID` and agree in everything else that is stored of
//! a record, byte for byte. So nothing of a record is lost with a duplicate, only where it was delivered
//! a second time, and the ledger keeps that.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::ControlFlow;

use sha2::{Digest, Sha256};

use super::answer::{AnswerCell, RowSink};
use crate::trail::fields::{COLUMN_COUNT, column};

/// The most rows that are held in memory, and removed in one transaction.
pub(super) const ROWS_MAX: usize = 50_000;

/// The columns of a row before those of its record: its key and its object.
const BEFORE_RECORD: usize = 2;

const EVENT_ID: usize = BEFORE_RECORD + column("eventID");

/// A place in the order of `eventID`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The last `eventID` that was looked at.
    pub(super) after: Option<String>,
    /// The end of the rows that are looked at together.
    pub(super) until: Until,
}

/// The end of some rows in the order of `eventID`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Until {
    #[default]
    Unknown,
    /// This `eventID` is the last one.
    Id(String),
    /// No more rows follow.
    End,
}

/// Some of the values of `eventID` that several rows have.
#[derive(Debug)]
pub struct IdPage {
    /// The values, possibly none.
    pub ids: Vec<String>,
    /// Where the next page begins; `None` after the last one.
    pub next: Option<Cursor>,
}

/// The duplicates among the rows of a page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Duplicates {
    /// Events with a row that can be removed.
    pub events: u64,
    /// The rows that can be removed, or were.
    pub rows: Vec<DuplicateRows>,
    /// Duplicates beyond those that are held in memory: only counted, without their objects.
    pub beyond: u64,
    /// Rows that stay although they are duplicates, because they name no object of the ledger.
    pub left: u64,
    /// Events whose rows have one `eventID` and different contents.
    pub differing: Vec<DifferingEvent>,
    /// Whether the page had more rows than are looked at together: look at it again.
    pub is_part: bool,
}

/// Rows of one object that another object has, too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DuplicateRows {
    /// The number of the object.
    pub object: i64,
    /// Its location.
    pub uri: String,
    /// The location of the object whose rows are kept.
    pub kept_uri: String,
    /// How many.
    pub rows: u64,
}

/// An `eventID` of rows with different contents.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct DifferingEvent {
    /// The `eventID`.
    pub event_id: String,
    /// How many contents there are.
    pub contents: u64,
}

/// An object of the ledger, as far as it decides which row is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owner {
    /// The run that loaded it.
    pub(super) run_id: i64,
    pub(super) uri: String,
    /// The objects whose duplicates it kept before.
    pub(super) kept_for: BTreeSet<i64>,
}

/// A row, without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FoundRow {
    /// What the database finds the row by.
    pub(super) key: String,
    pub(super) event_id: String,
    /// The SHA-256 of all that is stored of its record.
    pub(super) content: [u8; 32],
    pub(super) object: Option<i64>,
}

/// A row that can be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Duplicate {
    pub(super) key: String,
    pub(super) object: i64,
    /// The object of the row that is kept.
    pub(super) kept_in: i64,
}

/// What is to be done with rows.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) events: u64,
    pub(super) duplicates: Vec<Duplicate>,
    pub(super) left: u64,
    pub(super) differing: Vec<DifferingEvent>,
}

impl Plan {
    /// Decides which rows are duplicates.
    ///
    /// Of rows with the same content, the first one is kept: that of the object that the earliest run
    /// loaded, then that of the first object by URI, in the order of bytes. Rows that name no object of
    /// `owners` come last and are never removed.
    pub(super) fn of(rows: Vec<FoundRow>, owners: &HashMap<i64, Owner>) -> Self {
        let mut events: BTreeMap<String, HashMap<[u8; 32], Vec<FoundRow>>> = BTreeMap::new();
        for row in rows {
            let contents = events.entry(row.event_id.clone()).or_default();
            contents.entry(row.content).or_default().push(row);
        }
        let mut plan = Self::default();
        for (event_id, contents) in events {
            if contents.len() > 1 {
                plan.differing.push(DifferingEvent { event_id, contents: contents.len() as u64 });
            }
            let removable = plan.duplicates.len();
            for copies in contents.into_values() {
                plan.keep_first(copies, owners);
            }
            plan.events += u64::from(plan.duplicates.len() > removable);
        }
        plan
    }

    /// Adds all rows but the first one.
    fn keep_first(&mut self, copies: Vec<FoundRow>, owners: &HashMap<i64, Owner>) {
        let owner = |row: &FoundRow| {
            row.object.and_then(|number| owners.get(&number).map(|owner| (number, owner)))
        };
        let (mut ranked, orphans): (Vec<_>, Vec<_>) =
            copies.into_iter().partition(|row| owner(row).is_some());
        ranked.sort_by(|one, other| {
            let rank = |row| owner(row).map(|(_, owner)| (owner.run_id, &owner.uri));
            rank(one).cmp(&rank(other)).then_with(|| one.key.cmp(&other.key))
        });
        let mut ranked = ranked.into_iter().filter_map(|row| Some((row.object?, row.key)));
        let Some((kept_in, _)) = ranked.next() else {
            self.left += orphans.len() as u64 - 1;
            return;
        };
        self.left += orphans.len() as u64;
        self.duplicates.extend(ranked.map(|(object, key)| Duplicate { key, object, kept_in }));
    }

    /// Returns how many rows each object loses.
    pub(super) fn lost_rows(&self) -> BTreeMap<i64, u64> {
        let mut lost = BTreeMap::new();
        for duplicate in &self.duplicates {
            *lost.entry(duplicate.object).or_default() += 1;
        }
        lost
    }

    /// Returns, for each object whose row is kept, the objects that it is kept for, with those of
    /// before; only where there are new ones. An object need not keep a row for itself.
    pub(super) fn kept_for(&self, owners: &HashMap<i64, Owner>) -> BTreeMap<i64, BTreeSet<i64>> {
        let mut kept_for: BTreeMap<i64, BTreeSet<i64>> = BTreeMap::new();
        for Duplicate { object, kept_in, .. } in &self.duplicates {
            let is_known = object == kept_in
                || owners.get(kept_in).is_none_or(|owner| owner.kept_for.contains(object));
            if !is_known {
                kept_for.entry(*kept_in).or_default().insert(*object);
            }
        }
        for (number, objects) in &mut kept_for {
            objects.extend(owners.get(number).into_iter().flat_map(|owner| &owner.kept_for));
        }
        kept_for
    }

    /// Returns the plan as a result.
    pub(super) fn into_duplicates(self, owners: &HashMap<i64, Owner>) -> Duplicates {
        let mut pairs: BTreeMap<(i64, i64), u64> = BTreeMap::new();
        for duplicate in &self.duplicates {
            *pairs.entry((duplicate.object, duplicate.kept_in)).or_default() += 1;
        }
        let uri =
            |number: i64| owners.get(&number).map(|owner| owner.uri.clone()).unwrap_or_default();
        let rows = pairs.into_iter().map(|((object, kept_in), rows)| DuplicateRows {
            object,
            uri: uri(object),
            kept_uri: uri(kept_in),
            rows,
        });
        let rows = rows.collect();
        let Self { events, left, differing, .. } = self;
        Duplicates { events, rows, beyond: 0, left, differing, is_part: false }
    }
}

/// Reads rows: a key, the number of the object, and everything that is stored of a record. It holds
/// [`ROWS_MAX`] rows, without their contents.
#[derive(Debug, Default)]
pub(super) struct RowReader {
    pub(super) rows: Vec<FoundRow>,
    /// Whether there were more.
    pub(super) is_full: bool,
    /// Those of the rows beyond [`ROWS_MAX`] whose content was there before.
    pub(super) copies_beyond: u64,
    contents: HashSet<[u8; 32]>,
}

impl RowSink for RowReader {
    fn columns(&mut self, _names: &[String]) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn row(&mut self, cells: &[AnswerCell]) -> ControlFlow<()> {
        let record = &cells[BEFORE_RECORD..];
        assert_eq!(record.len(), COLUMN_COUNT + 1, "the query selects what is stored of a record");
        let content = hash(record);
        if self.rows.len() == ROWS_MAX {
            if !self.is_full {
                self.is_full = true;
                self.contents = self.rows.iter().map(|row| row.content).collect();
            }
            self.copies_beyond += u64::from(self.contents.contains(&content));
            return ControlFlow::Continue(());
        }
        let text = |cell: &AnswerCell| cell.text().unwrap_or_default().to_owned();
        let object = cells[1].text().and_then(|number| number.parse().ok());
        let (key, event_id) = (text(&cells[0]), text(&cells[EVENT_ID]));
        self.rows.push(FoundRow { key, event_id, content, object });
        ControlFlow::Continue(())
    }
}

/// Returns the SHA-256 of cells, each with its length, so that no text runs into the next one.
fn hash(cells: &[AnswerCell]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for cell in cells {
        match cell.text() {
            None => hash.update([0]),
            Some(text) => {
                hash.update([1]);
                hash.update((text.len() as u64).to_le_bytes());
                hash.update(text);
            }
        }
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owners() -> HashMap<i64, Owner> {
        let owner = |(number, run_id, uri): (i64, i64, &str)| {
            let kept_for = BTreeSet::from([if number == 1 { 4 } else { 0 }]);
            (number, Owner { run_id, uri: uri.to_owned(), kept_for })
        };
        [(1, 7, "s3://b/a"), (2, 7, "s3://b/B"), (3, 6, "s3://z/z"), (4, 9, "s3://b/0")]
            .map(owner)
            .into()
    }

    fn row(key: &str, event_id: &str, content: u8, object: Option<i64>) -> FoundRow {
        let (key, event_id) = (key.to_owned(), event_id.to_owned());
        FoundRow { key, event_id, content: [content; 32], object }
    }

    fn keys(plan: &Plan) -> Vec<(&str, i64)> {
        plan.duplicates.iter().map(|it| (&*it.key, it.kept_in)).collect()
    }

    #[test]
    fn the_row_of_the_earliest_run_is_kept_then_that_of_the_first_uri() {
        let rows = |objects: &[i64]| {
            objects.iter().map(|it| row(&it.to_string(), "e", 1, Some(*it))).collect::<Vec<_>>()
        };
        for (objects, expected) in [
            (&[4, 1, 2, 3][..], &[("2", 3), ("1", 3), ("4", 3)][..]),
            (&[1, 4, 2], &[("1", 2), ("4", 2)]),
            (&[1], &[]),
        ] {
            assert_eq!(keys(&Plan::of(rows(objects), &owners())), expected);
        }
        // Within one object, all rows but one.
        let plan = Plan::of(vec![row("2", "e", 1, Some(4)), row("1", "e", 1, Some(4))], &owners());
        assert_eq!(keys(&plan), [("2", 4)]);
        assert_eq!(plan.kept_for(&owners()), BTreeMap::new());
    }

    #[test]
    fn rows_with_other_content_and_rows_of_no_object_stay() {
        let plan = Plan::of(
            vec![
                row("1", "e", 1, Some(1)),
                row("2", "e", 2, Some(2)),
                row("3", "e", 1, None),
                row("4", "e", 1, Some(77)),
                row("5", "f", 1, Some(4)),
                row("6", "g", 1, None),
                row("7", "g", 1, None),
                row("8", "h", 3, Some(1)),
                row("9", "h", 3, Some(4)),
            ],
            &owners(),
        );
        assert_eq!((keys(&plan), plan.events, plan.left), (vec![("9", 1)], 1, 3));
        assert_eq!(plan.differing, [DifferingEvent { event_id: "e".to_owned(), contents: 2 }]);
    }

    #[test]
    fn an_object_lists_each_object_once_that_it_keeps_rows_for() {
        let rows = vec![
            row("1", "e", 1, Some(1)),
            row("2", "e", 1, Some(4)),
            row("3", "f", 1, Some(2)),
            row("4", "f", 1, Some(4)),
            row("5", "g", 1, Some(2)),
            row("6", "g", 1, Some(4)),
        ];
        let plan = Plan::of(rows, &owners());
        assert_eq!(plan.lost_rows(), BTreeMap::from([(4, 3)]));
        // Object 1 has it already.
        let expected = BTreeMap::from([(2, BTreeSet::from([0, 4]))]);
        assert_eq!(plan.kept_for(&owners()), expected);
        let found = plan.into_duplicates(&owners());
        let rows: Vec<_> = found.rows.iter().map(|it| (&*it.kept_uri, it.rows)).collect();
        assert_eq!(rows, [("s3://b/a", 1), ("s3://b/B", 2)]);
    }

    #[test]
    fn rows_beyond_the_limit_are_counted_and_not_held() {
        let mut cells = vec![AnswerCell::Null; BEFORE_RECORD + COLUMN_COUNT + 1];
        let mut reader = RowReader::default();
        for n in 0..ROWS_MAX + 3 {
            let is_other = n == ROWS_MAX + 1;
            cells[5] = AnswerCell::Text(if is_other { "other" } else { "one" }.to_owned());
            assert!(reader.row(&cells).is_continue());
        }
        assert_eq!((reader.rows.len(), reader.is_full, reader.copies_beyond), (ROWS_MAX, true, 2));
    }

    #[test]
    fn a_hash_tells_null_from_empty_and_one_cell_from_two() {
        let text = |text: &str| AnswerCell::Text(text.to_owned());
        let contents = [
            [text("ab"), text("")],
            [text("a"), text("b")],
            [text("ab"), AnswerCell::Null],
            [AnswerCell::Null, text("ab")],
        ];
        let hashes: HashSet<[u8; 32]> = contents.iter().map(|cells| hash(cells)).collect();
        assert_eq!(hashes.len(), contents.len());
    }
}
