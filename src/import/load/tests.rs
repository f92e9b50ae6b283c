use std::collections::HashSet;

use tokio::time::Instant;

use super::*;
use crate::database::batch::NoRows;
use crate::database::memory_store::{Fault, MemoryStore};
use crate::trail::fields::COLUMN_COUNT;
use crate::trail::object::{Location, ObjectRef};
use crate::trail::record::{Kind, Log};
use std::time::Duration;

mod filters;

const RUN: i64 = 7;

fn object(name: usize, content: Result<Log, NoRows>) -> ParsedObject {
    let location = Location::S3 { bucket: "b".into(), key: name.to_string() };
    let id = location.id();
    let object = ObjectRef { location, size_bytes: 1, version: "v".into(), is_named: false };
    ParsedObject::new(object, id, String::new(), false, content)
}

fn log(name: usize) -> ParsedObject {
    let mut log = Log::default();
    (0..3).for_each(|n| log.rows.push(&[Some(&*format!("{name}/{n}")); COLUMN_COUNT].into()));
    object(name, Ok(log))
}

fn id(name: usize) -> ObjectId {
    log(name).id
}

/// Returns a batch of 41 objects with three rows each: nothing divides.
fn batch() -> Batch {
    Batch { id: 5, objects: (0..41).map(log).collect() }
}

const POLICY: RetryPolicy = RetryPolicy {
    attempts_max: 6,
    deadline: Duration::from_mins(5),
    first_wait_max: Duration::from_millis(100),
    wait_max: Duration::from_secs(1),
};

/// Loads, and checks that each object was settled once.
async fn load_all(sink: &MemoryStore, batch: Batch) -> Vec<(ParsedObject, ObjectOutcome)> {
    let objects = batch.objects.len();
    let mut settled = Vec::new();
    load(sink, RUN, batch, POLICY, &mut settled).await.unwrap();
    let ids: HashSet<ObjectId> = settled.iter().map(|(object, _)| object.id).collect();
    assert_eq!((settled.len(), ids.len()), (objects, objects));
    settled
}

async fn load_error(sink: &MemoryStore, batch: Batch) -> DatabaseError {
    load(sink, RUN, batch, POLICY, &mut Vec::new()).await.unwrap_err()
}

fn count(settled: &[(ParsedObject, ObjectOutcome)], outcome: &ObjectOutcome) -> usize {
    settled.iter().filter(|(_, found)| found == outcome).count()
}

fn outcome(settled: &[(ParsedObject, ObjectOutcome)], name: usize) -> &ObjectOutcome {
    &settled.iter().find(|(object, _)| object.id == id(name)).unwrap().1
}

#[tokio::test(start_paused = true)]
async fn a_lost_commit_answer_does_not_duplicate_rows() {
    let sink = MemoryStore::with_write_faults([Fault::Lose]);
    let settled = load_all(&sink, batch()).await;
    assert_eq!(count(&settled, &ObjectOutcome::Loaded), 41);
    assert_eq!(sink.rows(), 123);
    assert_eq!(sink.state().writes, 1);
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_lands_after_the_ledger_was_asked_does_not_duplicate_rows() {
    let sink = MemoryStore::with_write_faults([Fault::Late]);
    let settled = load_all(&sink, batch()).await;
    assert_eq!(count(&settled, &ObjectOutcome::Loaded), 41);
    assert_eq!(sink.rows(), 123);
    assert_eq!(sink.calls(), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn a_write_that_never_arrived_is_written_again() {
    let sink = MemoryStore::with_write_faults([Fault::Break]);
    let settled = load_all(&sink, batch()).await;
    assert_eq!(count(&settled, &ObjectOutcome::Loaded), 41);
    assert_eq!((sink.rows(), sink.state().writes), (123, 2));
}

/// Every sequence of four faults on the way of one batch.
#[tokio::test(start_paused = true)]
async fn no_sequence_of_faults_loses_or_doubles_a_row() {
    let faults =
        [Fault::Pass, Fault::Refuse, Fault::Lose, Fault::Break, Fault::Late, Fault::Conflict];
    for n in 0..6_usize.pow(4) * 2 {
        let sequence: Vec<Fault> = (0..4).map(|at| faults[n / 2 / 6_usize.pow(at) % 6]).collect();
        let sink = MemoryStore::with_write_faults(sequence.iter().copied());
        if n % 2 == 1 {
            sink.state().seen_faults.extend([Fault::Break, Fault::Pass, Fault::Break]);
        }
        // Four refusals split 17 objects down to one, and do not refuse that one.
        let batch = Batch { id: 5, objects: (0..17).map(log).collect() };
        let mut settled = Vec::new();
        let policy = RetryPolicy { attempts_max: 10, ..POLICY };
        let loaded = load(&sink, RUN, batch, policy, &mut settled).await;
        assert!(loaded.is_ok(), "{sequence:?}: {loaded:?}");
        assert_eq!(
            (settled.len(), count(&settled, &ObjectOutcome::Loaded)),
            (17, 17),
            "{sequence:?}"
        );
        assert_eq!((sink.rows(), sink.lines("loaded")), (51, 17), "{sequence:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_another_import_loaded_is_dropped_and_the_rest_loads() {
    let sink = MemoryStore::new();
    for name in [0, 7, 40] {
        sink.put(id(name), ObjectOutcome::Loaded, 3);
    }
    let settled = load_all(&sink, batch()).await;
    for name in [0, 7, 40] {
        assert_eq!(*outcome(&settled, name), ObjectOutcome::AlreadyLoaded);
    }
    assert_eq!(count(&settled, &ObjectOutcome::Loaded), 38);
    assert_eq!((sink.rows(), sink.state().writes), (123, 2));
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_another_import_loaded_whole_is_not_written_again() {
    let sink = MemoryStore::new();
    (0..41).for_each(|name| sink.put(id(name), ObjectOutcome::Loaded, 3));
    let settled = load_all(&sink, batch()).await;
    assert_eq!(count(&settled, &ObjectOutcome::AlreadyLoaded), 41);
    assert_eq!((sink.rows(), sink.state().writes), (123, 1));
}

#[tokio::test(start_paused = true)]
async fn failed_and_skipped_lines_of_another_run_are_replaced() {
    let sink = MemoryStore::new();
    sink.put(id(3), ObjectOutcome::Failed("cut off".into()), 0);
    sink.put(id(4), ObjectOutcome::Skipped(Kind::OtherJson), 0);
    let settled = load_all(&sink, batch()).await;
    assert_eq!(count(&settled, &ObjectOutcome::Loaded), 41);
    assert_eq!(sink.rows(), 123);
    assert!(sink.state().lines.values().all(|line| line.run_id == RUN));
}

#[tokio::test(start_paused = true)]
async fn an_object_that_both_imports_skip_keeps_its_line() {
    let sink = MemoryStore::new();
    sink.put(id(1), ObjectOutcome::Skipped(Kind::Digest), 0);
    let foreign = object(1, Err(NoRows::Skipped(Kind::Digest)));
    let batch = Batch { id: 5, objects: vec![log(0), foreign] };
    let settled = load_all(&sink, batch).await;
    assert_eq!(*outcome(&settled, 1), ObjectOutcome::Skipped(Kind::Digest));
    assert_eq!(sink.state().lines[&id(1)].run_id, -1);
    assert_eq!(sink.rows(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_to_the_replacing_of_a_line_is_settled_like_any_other() {
    for fault in [Fault::Lose, Fault::Break, Fault::Late] {
        let sink = MemoryStore::with_write_faults([fault]);
        sink.put(id(0), ObjectOutcome::Failed("cut off".into()), 0);
        let mut again = log(0);
        again.replaces_line = true;
        let settled = load_all(&sink, Batch { id: 5, objects: vec![again] }).await;
        assert_eq!(*outcome(&settled, 0), ObjectOutcome::Loaded, "{fault:?}");
        assert_eq!(sink.rows(), 3, "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_bad_object_of_41_is_split_off_and_written_down_with_its_reason() {
    for bad in [0, 1, 20, 39, 40] {
        let sink = MemoryStore::new();
        sink.state().bad.insert(id(bad));
        let settled = load_all(&sink, batch()).await;
        let ObjectOutcome::Failed(reason) = outcome(&settled, bad) else { panic!("{bad} is in") };
        assert_eq!(reason, "the database refuses it: value 17 is too sour");
        assert_eq!(count(&settled, &ObjectOutcome::Loaded), 40);
        assert_eq!(sink.rows(), 120);
        assert_eq!(sink.lines("failed"), 1);
        // Halving 41 six times, with a good half each, and the failed line.
        assert!(sink.state().writes <= 14, "{} writes", sink.state().writes);
    }
}

#[tokio::test(start_paused = true)]
async fn every_bad_object_is_found_among_the_good_ones() {
    for every in [1, 2, 7] {
        let sink = MemoryStore::new();
        sink.state().bad.extend((0..41).step_by(every).map(id));
        let bad = sink.state().bad.len();
        load_all(&sink, batch()).await;
        assert_eq!(sink.lines("failed"), bad);
        assert_eq!(sink.rows(), 3 * (41 - bad));
    }
}

#[tokio::test(start_paused = true)]
async fn faults_while_a_batch_is_split_do_not_double_its_rows() {
    for fault in [Fault::Lose, Fault::Break, Fault::Late, Fault::Conflict] {
        for at in 0..14 {
            let passes = std::iter::repeat_n(Fault::Pass, at);
            let sink = MemoryStore::with_write_faults(passes.chain([fault]));
            sink.state().bad.insert(id(20));
            let settled = load_all(&sink, batch()).await;
            assert_eq!(count(&settled, &ObjectOutcome::Loaded), 40, "{fault:?} at {at}");
            assert_eq!((sink.rows(), sink.lines("failed")), (120, 1), "{fault:?} at {at}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_line_of_a_failed_object_ends_the_run() {
    let sink = MemoryStore::new();
    sink.state().bad.insert(id(20));
    sink.state().refuses_failed_lines = true;
    let error = load_error(&sink, batch()).await;
    assert!(error.class == ErrorClass::Fatal, "{error:?}");
    assert_eq!(chain(&error), "cannot record a failed object: value 17 is too sour");
}

#[tokio::test(start_paused = true)]
async fn a_database_that_stays_away_is_asked_a_bounded_time_and_its_last_error_reported() {
    let sink = MemoryStore::with_write_faults([Fault::Break]);
    sink.state().seen_faults.extend([Fault::Break; 100]);
    let started = Instant::now();
    let error = load_error(&sink, batch()).await;
    assert!(error.class == ErrorClass::Transient, "{error:?}");
    // One write, and five questions, the last of which is answered.
    assert!(chain(&error).ends_with("no answer to call 5"), "{}", chain(&error));
    assert_eq!(sink.calls(), (1, 5));
    // At most 100, 200, 400, 800 and 1,000 ms, and at least half of that.
    let longest = 100 + 200 + 400 + 800 + 1_000;
    let waited_ms = started.elapsed().as_millis();
    assert!((longest / 2..=longest).contains(&waited_ms), "{waited_ms}");
    assert_eq!(sink.rows(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_single_attempt_is_not_repeated() {
    let sink = MemoryStore::with_write_faults([Fault::Break]);
    let once = RetryPolicy { attempts_max: 1, ..POLICY };
    let outcome = load(&sink, RUN, batch(), once, &mut Vec::new()).await;
    assert!(outcome.is_err_and(|error| error.class == ErrorClass::Transient));
    assert_eq!(sink.calls(), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_fatal_error_is_returned_at_once() {
    let sink = MemoryStore::with_write_faults([Fault::Fatal]);
    let started = Instant::now();
    let error = load_error(&sink, batch()).await;
    assert!(error.class == ErrorClass::Fatal, "{error:?}");
    assert_eq!((sink.state().writes, started.elapsed()), (1, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn what_was_settled_before_a_fatal_error_is_known() {
    // Refused whole; the first half passes; then the database is gone.
    let sink = MemoryStore::with_write_faults([Fault::Refuse, Fault::Pass, Fault::Fatal]);
    let mut settled = Vec::new();
    let outcome = load(&sink, RUN, batch(), POLICY, &mut settled).await;
    assert!(outcome.is_err_and(|error| error.class == ErrorClass::Fatal));
    assert_eq!((settled.len(), sink.rows()), (20, 60));
    assert_eq!(count(&settled, &ObjectOutcome::Loaded), 20);
}

#[tokio::test(start_paused = true)]
async fn conflicts_without_end_end() {
    let endless = vec![Fault::Conflict; 2_000];
    let sink = MemoryStore::with_write_faults(endless);
    let error = load_error(&sink, batch()).await;
    assert!(error.class == ErrorClass::Fatal, "{error:?}");
    assert_eq!(chain(&error), "cannot write a ledger line: another import holds the key");
    assert_eq!(sink.state().writes, CONFLICTS_MAX as usize + 1);
}

#[tokio::test(start_paused = true)]
async fn a_slow_answer_is_waited_for() {
    let sink = MemoryStore::with_write_faults([Fault::Delay(Duration::from_secs(100))]);
    load_all(&sink, batch()).await;
    assert_eq!((sink.rows(), sink.state().writes), (123, 1));
}

#[tokio::test(start_paused = true)]
async fn a_load_that_is_dropped_leaves_the_batch_out() {
    let sink = MemoryStore::with_write_faults([Fault::Hang]);
    let mut settled = Vec::new();
    let loading = load(&sink, RUN, batch(), POLICY, &mut settled);
    assert!(tokio::time::timeout(Duration::from_secs(1_000), loading).await.is_err());
    assert_eq!((settled.len(), sink.rows()), (0, 0));
}
