use std::collections::HashSet;

use tokio::time::Instant;

use super::*;
use crate::error::RunError;
use crate::object::{Location, ObjectRef};
use crate::record::Log;
use crate::row::CELLS;
use crate::sink::memory::{Fault, MemorySink};

const RUN: i64 = 7;

fn object(name: usize, content: ParsedContent) -> ParsedObject {
    let location = Location::S3 { bucket: "b".into(), key: name.to_string() };
    ParsedObject {
        id: location.id(),
        object: ObjectRef { location, size_bytes: 1, version: "v".into(), is_named: false },
        digest: String::new(),
        content,
        replaces_line: false,
        reserved: None,
    }
}

fn log(name: usize) -> ParsedObject {
    let mut log = Log::default();
    (0..3).for_each(|n| log.rows.push(&[Some(&*format!("{name}/{n}")); CELLS]));
    object(name, ParsedContent::Log(log))
}

fn id(name: usize) -> ObjectId {
    log(name).id
}

/// Returns a batch of 41 objects with three rows each: nothing divides.
fn batch() -> Batch {
    Batch { id: 5, objects: (0..41).map(log).collect() }
}

fn backoff() -> Backoff {
    let (first, longest) = (Duration::from_millis(100), Duration::from_secs(1));
    Backoff { first, longest, attempts_max: 6 }
}

/// Loads, and checks that each object was settled once.
async fn load_all(sink: &MemorySink, batch: Batch) -> Vec<(ParsedObject, Fate)> {
    let objects = batch.objects.len();
    let mut settled = Vec::new();
    load(sink, RUN, batch, &backoff(), &mut settled).await.unwrap();
    let ids: HashSet<ObjectId> = settled.iter().map(|(object, _)| object.id).collect();
    assert_eq!((settled.len(), ids.len()), (objects, objects));
    settled
}

async fn load_error(sink: &MemorySink, batch: Batch) -> SinkError {
    load(sink, RUN, batch, &backoff(), &mut Vec::new()).await.unwrap_err()
}

fn count(settled: &[(ParsedObject, Fate)], fate: &Fate) -> usize {
    settled.iter().filter(|(_, found)| found == fate).count()
}

fn fate(settled: &[(ParsedObject, Fate)], name: usize) -> &Fate {
    &settled.iter().find(|(object, _)| object.id == id(name)).unwrap().1
}

#[tokio::test(start_paused = true)]
async fn a_lost_commit_answer_does_not_duplicate_rows() {
    let sink = MemorySink::with_write_faults([Fault::Lose]);
    let settled = load_all(&sink, batch()).await;
    assert_eq!(count(&settled, &Fate::Loaded), 41);
    assert_eq!(sink.rows(), 123);
    assert_eq!(sink.state().writes, 1);
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_lands_after_the_ledger_was_asked_does_not_duplicate_rows() {
    let sink = MemorySink::with_write_faults([Fault::Late]);
    let settled = load_all(&sink, batch()).await;
    assert_eq!(count(&settled, &Fate::Loaded), 41);
    assert_eq!(sink.rows(), 123);
    assert_eq!(sink.calls(), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn a_write_that_never_arrived_is_written_again() {
    let sink = MemorySink::with_write_faults([Fault::Break]);
    let settled = load_all(&sink, batch()).await;
    assert_eq!(count(&settled, &Fate::Loaded), 41);
    assert_eq!((sink.rows(), sink.state().writes), (123, 2));
}

/// Every sequence of four faults on the way of one batch.
#[tokio::test(start_paused = true)]
async fn no_sequence_of_faults_loses_or_doubles_a_row() {
    let faults =
        [Fault::Pass, Fault::Refuse, Fault::Lose, Fault::Break, Fault::Late, Fault::Conflict];
    for n in 0..6_usize.pow(4) * 2 {
        let sequence: Vec<Fault> = (0..4).map(|at| faults[n / 2 / 6_usize.pow(at) % 6]).collect();
        let sink = MemorySink::with_write_faults(sequence.iter().copied());
        if n % 2 == 1 {
            sink.state().seen_faults.extend([Fault::Break, Fault::Pass, Fault::Break]);
        }
        // Four refusals split 17 objects down to one, and do not refuse that one.
        let batch = Batch { id: 5, objects: (0..17).map(log).collect() };
        let mut settled = Vec::new();
        let loaded = load(&sink, RUN, batch, &Backoff::default(), &mut settled).await;
        assert!(loaded.is_ok(), "{sequence:?}: {loaded:?}");
        assert_eq!((settled.len(), count(&settled, &Fate::Loaded)), (17, 17), "{sequence:?}");
        assert_eq!((sink.rows(), sink.lines(&Outcome::Loaded)), (51, 17), "{sequence:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_another_import_loaded_is_dropped_and_the_rest_loads() {
    let sink = MemorySink::new();
    for name in [0, 7, 40] {
        sink.put(id(name), Outcome::Loaded, 3);
    }
    let settled = load_all(&sink, batch()).await;
    for name in [0, 7, 40] {
        assert_eq!(*fate(&settled, name), Fate::AlreadyLoaded);
    }
    assert_eq!(count(&settled, &Fate::Loaded), 38);
    assert_eq!((sink.rows(), sink.state().writes), (123, 2));
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_another_import_loaded_whole_is_not_written_again() {
    let sink = MemorySink::new();
    (0..41).for_each(|name| sink.put(id(name), Outcome::Loaded, 3));
    let settled = load_all(&sink, batch()).await;
    assert_eq!(count(&settled, &Fate::AlreadyLoaded), 41);
    assert_eq!((sink.rows(), sink.state().writes), (123, 1));
}

#[tokio::test(start_paused = true)]
async fn failed_and_skipped_lines_of_another_run_are_replaced() {
    let sink = MemorySink::new();
    sink.put(id(3), Outcome::Failed, 0);
    sink.put(id(4), Outcome::Skipped(Kind::OtherJson), 0);
    let settled = load_all(&sink, batch()).await;
    assert_eq!(count(&settled, &Fate::Loaded), 41);
    assert_eq!(sink.rows(), 123);
    assert!(sink.state().lines.values().all(|line| line.run_id == RUN));
}

#[tokio::test(start_paused = true)]
async fn an_object_that_both_imports_skip_keeps_its_line() {
    let sink = MemorySink::new();
    sink.put(id(1), Outcome::Skipped(Kind::Digest), 0);
    let foreign = object(1, ParsedContent::Foreign(Kind::Digest));
    let batch = Batch { id: 5, objects: vec![log(0), foreign] };
    let settled = load_all(&sink, batch).await;
    assert_eq!(*fate(&settled, 1), Fate::Skipped(Kind::Digest));
    assert_eq!(sink.state().lines[&id(1)].run_id, -1);
    assert_eq!(sink.rows(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_to_the_replacing_of_a_line_is_settled_like_any_other() {
    for fault in [Fault::Lose, Fault::Break, Fault::Late] {
        let sink = MemorySink::with_write_faults([fault]);
        sink.put(id(0), Outcome::Failed, 0);
        let again = ParsedObject { replaces_line: true, ..log(0) };
        let settled = load_all(&sink, Batch { id: 5, objects: vec![again] }).await;
        assert_eq!(*fate(&settled, 0), Fate::Loaded, "{fault:?}");
        assert_eq!(sink.rows(), 3, "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_bad_object_of_41_is_split_off_and_written_down_with_its_reason() {
    for bad in [0, 1, 20, 39, 40] {
        let sink = MemorySink::new();
        sink.state().bad.insert(id(bad));
        let settled = load_all(&sink, batch()).await;
        let Fate::Failed(reason) = fate(&settled, bad) else { panic!("{bad} is in") };
        assert_eq!(reason, "the database refuses it: value 17 is too sour");
        assert_eq!(count(&settled, &Fate::Loaded), 40);
        assert_eq!(sink.rows(), 120);
        assert_eq!(sink.lines(&Outcome::Failed), 1);
        // Halving 41 six times, with a good half each, and the failed line.
        assert!(sink.state().writes <= 14, "{} writes", sink.state().writes);
    }
}

#[tokio::test(start_paused = true)]
async fn every_bad_object_is_found_among_the_good_ones() {
    for every in [1, 2, 7] {
        let sink = MemorySink::new();
        sink.state().bad.extend((0..41).step_by(every).map(id));
        let bad = sink.state().bad.len();
        load_all(&sink, batch()).await;
        assert_eq!(sink.lines(&Outcome::Failed), bad);
        assert_eq!(sink.rows(), 3 * (41 - bad));
    }
}

#[tokio::test(start_paused = true)]
async fn faults_while_a_batch_is_split_do_not_double_its_rows() {
    for fault in [Fault::Lose, Fault::Break, Fault::Late, Fault::Conflict] {
        for at in 0..14 {
            let passes = std::iter::repeat_n(Fault::Pass, at);
            let sink = MemorySink::with_write_faults(passes.chain([fault]));
            sink.state().bad.insert(id(20));
            let settled = load_all(&sink, batch()).await;
            assert_eq!(count(&settled, &Fate::Loaded), 40, "{fault:?} at {at}");
            assert_eq!((sink.rows(), sink.lines(&Outcome::Failed)), (120, 1), "{fault:?} at {at}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_line_of_a_failed_object_ends_the_run() {
    let sink = MemorySink::new();
    sink.state().bad.insert(id(20));
    sink.state().refuses_failed_lines = true;
    let error = load_error(&sink, batch()).await;
    assert!(matches!(error, SinkError::Fatal { .. }), "{error:?}");
    let told = crate::error::told(&RunError::from(error));
    assert!(told.starts_with("error: cannot write down a failed object\n  caused by: value 17"));
}

#[tokio::test(start_paused = true)]
async fn a_database_that_stays_away_is_asked_a_bounded_time_and_its_last_error_told() {
    let sink = MemorySink::with_write_faults([Fault::Break]);
    sink.state().seen_faults.extend([Fault::Break; 100]);
    let started = Instant::now();
    let error = load_error(&sink, batch()).await;
    assert!(matches!(error, SinkError::Transient { .. }), "{error:?}");
    // One write, and five questions, the last of which is told.
    assert!(chain(&error).ends_with("no answer to call 5"), "{}", chain(&error));
    assert_eq!(sink.calls(), (1, 5));
    // 100, 200, 400 and 800 ms, and no more than a second after that.
    assert_eq!(started.elapsed().as_millis(), 100 + 200 + 400 + 800 + 1_000);
    assert_eq!(sink.rows(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_single_attempt_is_not_repeated() {
    let sink = MemorySink::with_write_faults([Fault::Break]);
    let once = Backoff { attempts_max: 1, ..backoff() };
    let outcome = load(&sink, RUN, batch(), &once, &mut Vec::new()).await;
    assert!(matches!(outcome, Err(SinkError::Transient { .. })));
    assert_eq!(sink.calls(), (1, 0));
}

#[test]
fn a_wait_is_twice_the_one_before_and_never_over_the_longest() {
    let waits: Vec<u128> = (1..8).map(|attempt| backoff().wait(attempt).as_millis()).collect();
    assert_eq!(waits, [100, 200, 400, 800, 1_000, 1_000, 1_000]);
    assert_eq!(backoff().wait(u32::MAX), Duration::from_secs(1));
    let all: Duration =
        (1..Backoff::default().attempts_max).map(|attempt| Backoff::default().wait(attempt)).sum();
    assert!((20..60).contains(&all.as_secs()), "{all:?}");
}

#[tokio::test(start_paused = true)]
async fn a_fatal_error_is_returned_at_once() {
    let sink = MemorySink::with_write_faults([Fault::Fatal]);
    let started = Instant::now();
    let error = load_error(&sink, batch()).await;
    assert!(matches!(error, SinkError::Fatal { .. }), "{error:?}");
    assert_eq!((sink.state().writes, started.elapsed()), (1, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn what_was_settled_before_a_fatal_error_is_known() {
    // Refused whole; the first half passes; then the database is gone.
    let sink = MemorySink::with_write_faults([Fault::Refuse, Fault::Pass, Fault::Fatal]);
    let mut settled = Vec::new();
    let outcome = load(&sink, RUN, batch(), &backoff(), &mut settled).await;
    assert!(matches!(outcome, Err(SinkError::Fatal { .. })));
    assert_eq!((settled.len(), sink.rows()), (20, 60));
    assert_eq!(count(&settled, &Fate::Loaded), 20);
}

#[tokio::test(start_paused = true)]
async fn conflicts_without_end_end() {
    let endless = vec![Fault::Conflict; 2_000];
    let sink = MemorySink::with_write_faults(endless);
    let error = load_error(&sink, batch()).await;
    assert!(matches!(error, SinkError::Conflict), "{error:?}");
    assert_eq!(sink.state().writes, CONFLICTS_MAX as usize + 1);
}

#[tokio::test(start_paused = true)]
async fn a_slow_answer_is_waited_for() {
    let sink = MemorySink::with_write_faults([Fault::Delay(Duration::from_secs(100))]);
    load_all(&sink, batch()).await;
    assert_eq!((sink.rows(), sink.state().writes), (123, 1));
}

#[tokio::test(start_paused = true)]
async fn a_load_that_is_dropped_leaves_the_batch_out() {
    let sink = MemorySink::with_write_faults([Fault::Hang]);
    let mut settled = Vec::new();
    let backoff = backoff();
    let loading = load(&sink, RUN, batch(), &backoff, &mut settled);
    assert!(tokio::time::timeout(Duration::from_secs(1_000), loading).await.is_err());
    assert_eq!((settled.len(), sink.rows()), (0, 0));
}
