//! Objects of which other records are loaded already.

use super::*;
use crate::database::ledger::LoadedContent;
use crate::trail::fields::column;
use crate::trail::filter::{FilterSet, RecordFilter};

/// Returns what records of these names are selected by. The rows of object 3 are named `3/0` to `3/2`.
fn named(names: &[&str]) -> FilterSet {
    let event_names = names.iter().map(|&name| name.to_owned()).collect();
    FilterSet::of(&RecordFilter { event_names, ..RecordFilter::default() })
}

fn failing() -> FilterSet {
    FilterSet::of(&RecordFilter { errors_only: true, ..RecordFilter::default() })
}

/// Records that another run has loaded some records of an object.
fn put(sink: &MemoryStore, name: usize, filters: FilterSet, rows: usize) {
    sink.put(id(name), ObjectOutcome::Loaded, rows);
    sink.state().lines.get_mut(&id(name)).unwrap().filters = filters;
}

/// Returns three rows with names that differ.
fn rows(name: usize) -> Log {
    let mut log = Log::default();
    for n in 0..3 {
        let text = format!("{name}/{n}");
        let mut cells = [None; COLUMN_COUNT];
        (cells[column("eventName")], cells[column("eventID")]) = (Some(&*text), Some(&*text));
        log.rows.push(&cells.into());
    }
    log
}

/// Returns an object that adds its three rows to those of the filters.
fn extending(name: usize, loaded: FilterSet) -> ParsedObject {
    let ParsedObject { object, id, sha256, .. } = log(name);
    let loaded = LoadedContent { sha256, number: Some(id.number(0)), filters: loaded };
    ParsedObject::extending(object, id, loaded, &failing(), rows(name))
}

#[tokio::test(start_paused = true)]
async fn no_sequence_of_faults_loses_or_doubles_a_row_that_is_added() {
    let faults =
        [Fault::Pass, Fault::Refuse, Fault::Lose, Fault::Break, Fault::Late, Fault::Conflict];
    for n in 0..6_usize.pow(4) {
        let sequence: Vec<Fault> = (0..4).map(|at| faults[n / 6_usize.pow(at) % 6]).collect();
        let sink = MemoryStore::with_write_faults(sequence.iter().copied());
        let own = named(&["other"]);
        (0..17).for_each(|name| put(&sink, name, own.clone(), 2));
        let objects = (0..17).map(|name| extending(name, own.clone())).collect();
        let mut settled = Vec::new();
        let policy = RetryPolicy { attempts_max: 10, ..POLICY };
        let batch = Batch { id: 5, objects };
        let loaded = load(&sink, RUN, batch, policy, &mut settled).await;
        assert!(loaded.is_ok(), "{sequence:?}: {loaded:?}");
        assert_eq!(count(&settled, &ObjectOutcome::Loaded), 17, "{sequence:?}");
        assert_eq!((sink.rows(), sink.lines("loaded")), (17 * 5, 17), "{sequence:?}");
        let both = own.union(&failing());
        assert!(sink.state().lines.values().all(|line| line.filters == both), "{sequence:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_another_run_did_meanwhile_decides_what_is_added() {
    let read = named(&["read"]);
    let later = [
        // Another filter has loaded one of the three rows, and two that are not ours.
        (read.union(&named(&["3/1"])), "", ObjectOutcome::Loaded, 4),
        (read.union(&failing()), "", ObjectOutcome::AlreadyLoaded, 2),
        (FilterSet::All, "", ObjectOutcome::AlreadyLoaded, 2),
        (read.clone(), "other content", ObjectOutcome::Failed(CHANGED_MEANWHILE.into()), 2),
    ];
    for (filters, sha256, expected, rows) in later {
        let sink = MemoryStore::new();
        put(&sink, 3, filters, 2);
        sink.state().lines.get_mut(&id(3)).unwrap().sha256 = sha256.to_owned();
        let objects = vec![extending(3, read.clone())];
        let settled = load_all(&sink, Batch { id: 5, objects }).await;
        assert_eq!((outcome(&settled, 3), sink.rows()), (&expected, rows));
    }
    // The object was removed from the ledger: its other records would be missing.
    let sink = MemoryStore::new();
    let settled = load_all(&sink, Batch { id: 5, objects: vec![extending(3, read)] }).await;
    assert!(matches!(outcome(&settled, 3), ObjectOutcome::Failed(_)));
    assert_eq!((sink.rows(), sink.lines("loaded")), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn an_object_that_another_run_has_loaded_in_part_gets_the_rest() {
    for ours in [FilterSet::All, named(&["3/0", "3/1", "3/2"])] {
        let sink = MemoryStore::new();
        put(&sink, 3, named(&["3/1"]), 2);
        let objects = vec![object(3, Ok(rows(3))).selected_by(ours.clone())];
        let settled = load_all(&sink, Batch { id: 5, objects }).await;
        assert_eq!((outcome(&settled, 3), sink.rows()), (&ObjectOutcome::Loaded, 4));
        assert!(sink.state().lines[&id(3)].filters.covers(&ours));
        assert_eq!(settled[0].0.log().known, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_replaced_object_does_not_lose_what_another_run_has_added() {
    let (before, added) = (named(&["a"]), named(&["a", "b"]));
    let sink = MemoryStore::new();
    put(&sink, 3, added.clone(), 2);
    sink.state().lines.get_mut(&id(3)).unwrap().sha256 = "old".to_owned();
    let ParsedObject { object, id: object_id, .. } = log(3);
    let loaded = LoadedContent { sha256: "old".into(), number: None, filters: before.clone() };
    let new = ParsedObject::replacing(object, object_id, "new".into(), loaded, Ok(Log::default()));
    let objects = vec![new.selected_by(before)];
    let settled = load_all(&sink, Batch { id: 5, objects }).await;
    assert_eq!(*outcome(&settled, 3), ObjectOutcome::Failed(CHANGED_MEANWHILE.into()));
    assert_eq!((sink.rows(), &sink.state().lines[&id(3)].filters), (2, &added));
}

#[tokio::test(start_paused = true)]
async fn refused_rows_leave_what_was_loaded_before() {
    let sink = MemoryStore::new();
    let own = named(&["other"]);
    put(&sink, 3, own.clone(), 2);
    sink.state().bad.insert(id(3));
    let objects = vec![log(0), extending(3, own.clone())];
    let settled = load_all(&sink, Batch { id: 5, objects }).await;
    let ObjectOutcome::Failed(reason) = outcome(&settled, 3) else { panic!("{settled:?}") };
    assert_eq!(reason, "the database refuses other records of it: value 17 is too sour");
    assert_eq!((sink.rows(), &sink.state().lines[&id(3)].filters), (5, &own));
}
