use std::collections::BTreeSet;

use self::memory_source::{Cue, MemorySource, gz, id, log_gz, name};
use super::*;
use crate::database::ErrorClass;
use crate::database::memory_store::{Fault, MemoryStore};
use crate::import::progress::Tally;
use crate::source::SourceError;
use crate::trail::filter::FilterSet;
use crate::trail::gzip::is_gzip;
use crate::trail::object::Shard;

mod budget;
mod contents;
mod memory_source;

/// The runs that have begun; each has a number of its own.
static RUNS: std::sync::atomic::AtomicI64 = std::sync::atomic::AtomicI64::new(1);

/// Longer than any run here takes; with time paused it costs nothing.
const FOR_EVER: Duration = Duration::from_secs(100_000);

fn plan() -> Plan {
    Plan {
        selection: Arc::default(),
        shard: Shard::WHOLE,
        listers: 1,
        fetchers: 3,
        writers: 2,
        batch: BatchLimits { rows_max: 10, bytes_max: 1 << 20, objects_max: 100 },
        memory_bytes: 1 << 20,
        object_bytes_max: 200_000,
        replaces_changed: false,
        hashes_contents: false,
        selected: FilterSet::All,
        retry: RetryPolicy {
            attempts_max: 6,
            deadline: Duration::from_mins(5),
            first_wait_max: Duration::from_millis(100),
            wait_max: Duration::from_secs(1),
        },
    }
}

/// What a run left.
struct Left {
    end: Result<End, ImportError>,
    tally: Tally,
}

async fn run_with(
    plan: Plan,
    sources: impl IntoIterator<Item = Arc<MemorySource>>,
    sink: &Arc<MemoryStore>,
    stop: watch::Receiver<bool>,
) -> Left {
    let progress = Arc::new(Progress::default());
    let sources = sources.into_iter().map(|source| source as Arc<dyn Source>).collect();
    let sink = Arc::clone(sink) as Arc<dyn Sink>;
    let run_id = RUNS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let running = run(plan, sources, sink, run_id, Arc::clone(&progress), stop);
    let end = tokio::time::timeout(FOR_EVER, running).await.expect("the run hangs");
    Left { end, tally: progress.tally() }
}

async fn run_one(source: &Arc<MemorySource>, sink: &Arc<MemoryStore>) -> Left {
    let (_stop, stopped) = watch::channel(false);
    run_with(plan(), [Arc::clone(source)], sink, stopped).await
}

/// Returns the class of the database error that ended a run.
fn class(end: &Result<End, ImportError>) -> Option<ErrorClass> {
    match end {
        Err(ImportError::Database(error)) => Some(error.class),
        _ => None,
    }
}

/// Runs to the end, and checks the equations.
async fn complete(source: &Arc<MemorySource>, sink: &Arc<MemoryStore>) -> Tally {
    let Left { end, tally } = run_one(source, sink).await;
    assert_eq!(end.unwrap(), End::Complete);
    assert!(tally.is_listing_done);
    assert_eq!(tally.pending.objects, 0);
    assert_balanced(&tally);
    tally
}

fn assert_balanced(tally: &Tally) {
    assert!(tally.is_balanced(), "{tally:?}");
    let bytes = tally.loaded.bytes
        + tally.already_loaded.bytes
        + tally.failed.bytes
        + tally.pending.bytes
        + tally.skipped.values().map(|count| count.bytes).sum::<u64>();
    assert_eq!(tally.listed.bytes, bytes);
}

/// Returns 41 objects of three rows, in pages of 10.
fn logs() -> Arc<MemorySource> {
    let source = MemorySource::new();
    for n in 0..41 {
        let ids = [0, 1, 2].map(|row| format!("{n}/{row}"));
        source.put(&name(n), log_gz(&ids));
    }
    source.list_all(10);
    Arc::new(source)
}

fn new_sink() -> Arc<MemoryStore> {
    Arc::new(MemoryStore::new())
}

/// Checks that after another run, undisturbed, everything is in once.
async fn assert_next_run_completes(source: &Arc<MemorySource>, sink: &Arc<MemoryStore>) {
    source.list_all(10);
    let tally = complete(source, sink).await;
    assert_eq!(tally.loaded.objects + tally.already_loaded.objects, 41, "{tally:?}");
    assert_eq!((sink.rows(), sink.lines("loaded")), (123, 41));
}

#[tokio::test(start_paused = true)]
async fn every_object_is_loaded_once_whatever_does_not_divide() {
    let (source, sink) = (logs(), new_sink());
    let tally = complete(&source, &sink).await;
    assert_eq!((tally.listed.objects, tally.loaded.objects), (41, 41));
    assert_eq!((tally.records, tally.rows, tally.rejects), (123, 123, 0));
    assert_eq!((sink.rows(), sink.lines("loaded")), (123, 41));

    let tally = complete(&source, &sink).await;
    assert_eq!((tally.already_loaded.objects, tally.loaded.objects), (41, 0));
    assert_eq!((sink.rows(), source.fetches()), (123, 41));
}

#[tokio::test(start_paused = true)]
async fn faults_of_the_database_that_pass_lose_and_double_nothing() {
    let faults = [
        Fault::Lose,
        Fault::Break,
        Fault::Late,
        Fault::Conflict,
        Fault::Refuse,
        Fault::Delay(Duration::from_secs(30)),
    ];
    for fault in faults {
        for at in [0, 1, 6, 12, 13] {
            let passes = std::iter::repeat_n(Fault::Pass, at);
            let sink = Arc::new(MemoryStore::with_write_faults(passes.chain([fault])));
            sink.state().seen_faults.extend([Fault::Break, Fault::Pass, Fault::Break]);
            let tally = complete(&logs(), &sink).await;
            assert_eq!((tally.loaded.objects, tally.rows), (41, 123), "{fault:?} at {at}");
            assert_eq!(sink.rows(), 123, "{fault:?} at {at}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_fatal_error_of_the_database_ends_the_run_and_the_next_one_goes_on() {
    for at in [0, 1, 6, 12] {
        let passes = std::iter::repeat_n(Fault::Pass, at);
        let sink = Arc::new(MemoryStore::with_write_faults(passes.chain([Fault::Fatal])));
        let source = logs();
        let Left { end, tally } = run_one(&source, &sink).await;
        assert!(class(&end) == Some(ErrorClass::Fatal), "{end:?}");
        assert_eq!(3 * tally.loaded.objects, tally.rows);
        assert!(sink.rows() < 123 && sink.rows() as u64 >= tally.rows);
        sink.state().write_faults.clear();
        assert_next_run_completes(&source, &sink).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_ledger_that_cannot_be_asked_ends_the_run() {
    let sink = new_sink();
    sink.state().seen_faults.push_back(Fault::Fatal);
    let Left { end, .. } = run_one(&logs(), &sink).await;
    assert!(class(&end) == Some(ErrorClass::Fatal), "{end:?}");

    sink.state().seen_faults.extend([Fault::Break; 6]);
    let before = sink.state().questions;
    let Left { end, .. } = run_one(&logs(), &sink).await;
    assert!(class(&end) == Some(ErrorClass::Transient), "{end:?}");
    assert_eq!(sink.state().questions - before, 6);
    assert_eq!(sink.rows(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_dropped_in_a_hanging_write_can_be_done_again() {
    for at in [0, 5, 12] {
        let passes = std::iter::repeat_n(Fault::Pass, at);
        let hangs = [Fault::Hang, Fault::Hang];
        let sink = Arc::new(MemoryStore::with_write_faults(passes.chain(hangs)));
        let source = logs();
        let (_stop, stopped) = watch::channel(false);
        let sources: Vec<Arc<dyn Source>> = vec![Arc::clone(&source) as Arc<dyn Source>];
        let running =
            run(plan(), sources, Arc::clone(&sink) as Arc<dyn Sink>, 0, Arc::default(), stopped);
        assert!(tokio::time::timeout(Duration::from_hours(1), running).await.is_err());
        sink.state().write_faults.clear();
        assert_next_run_completes(&source, &sink).await;
    }
}

#[tokio::test(start_paused = true)]
async fn one_refused_object_costs_one_object() {
    let (source, sink) = (logs(), new_sink());
    sink.state().bad.insert(id(&name(17)));
    let tally = complete(&source, &sink).await;
    assert_eq!((tally.loaded.objects, tally.failed.objects), (40, 1));
    assert_eq!((tally.rows, sink.rows(), sink.lines("failed")), (120, 120, 1));
    assert!(tally.has_losses());
    // It is tried again, and by now it passes.
    sink.state().bad.clear();
    let before = sink.calls().0;
    let tally = complete(&source, &sink).await;
    assert_eq!((tally.loaded.objects, tally.already_loaded.objects), (1, 40));
    assert_eq!(sink.calls().0 - before, 1, "its line was not replaced at once");
    assert_eq!((sink.rows(), sink.lines("failed")), (123, 0));
}

#[tokio::test(start_paused = true)]
async fn one_object_that_cannot_be_fetched_costs_one_object() {
    let (source, sink) = (logs(), new_sink());
    source.fail_fetch(&name(5), false);
    let tally = complete(&source, &sink).await;
    assert_eq!((tally.loaded.objects, tally.failed.objects), (40, 1));
    assert_eq!((sink.rows(), sink.lines("failed")), (120, 1));
    source.mend_fetches();
    assert_next_run_completes(&source, &sink).await;
}

#[tokio::test(start_paused = true)]
async fn a_fatal_error_of_a_fetch_loads_what_is_in_flight_and_counts_the_rest() {
    for n in [0, 1, 20, 40] {
        let (source, sink) = (logs(), new_sink());
        source.fail_fetch(&name(n), true);
        let Left { end, tally } = run_one(&source, &sink).await;
        assert!(matches!(end, Err(ImportError::Source(SourceError::Refused { .. }))), "{end:?}");
        assert_balanced(&tally);
        assert!(tally.pending.objects >= 1 && tally.failed.objects == 0, "{tally:?}");
        assert_eq!(sink.rows() as u64, tally.rows);
        source.mend_fetches();
        assert_next_run_completes(&source, &sink).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_listing_that_breaks_off_loads_what_is_in_flight_and_counts_the_rest() {
    for pages in [0, 1, 3] {
        let (source, sink) = (logs(), new_sink());
        source.cut_listing(pages, Cue::Break);
        let Left { end, tally } = run_one(&source, &sink).await;
        assert!(matches!(end, Err(ImportError::Source(SourceError::Refused { .. }))), "{end:?}");
        assert_balanced(&tally);
        assert_eq!(tally.listed.objects, 10 * pages as u64);
        assert!(!tally.is_listing_done);
        assert_eq!(sink.rows() as u64, tally.rows);
        assert_next_run_completes(&source, &sink).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_anywhere_loads_what_is_in_flight_and_counts_the_rest() {
    for fetches in [1, 4, 17, 40] {
        let (source, sink) = (logs(), new_sink());
        let (stop, stopped) = watch::channel(false);
        source.stop_at_fetch(fetches, stop);
        let Left { end, tally } = run_with(plan(), [Arc::clone(&source)], &sink, stopped).await;
        assert_eq!(end.unwrap(), End::Stopped);
        assert_balanced(&tally);
        // Everything that was fetched is in.
        assert_eq!(tally.loaded.objects, source.fetches() as u64, "{tally:?}");
        assert_eq!(sink.rows(), 3 * source.fetches());
        assert!(tally.loaded.objects >= fetches as u64);
        assert!(fetches > 17 || tally.pending.objects > 0, "{tally:?}");
        assert_next_run_completes(&source, &sink).await;
    }
}

/// A policy whose waits are longer than anybody waits after Ctrl-C.
fn patient_plan() -> Plan {
    let minute = Duration::from_mins(1);
    let retry = RetryPolicy { first_wait_max: minute, wait_max: minute, ..plan().retry };
    Plan { retry, ..plan() }
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_the_wait_for_a_database_that_is_away() {
    for is_in_triage in [true, false] {
        let (source, sink) = (logs(), new_sink());
        let faults = std::iter::repeat_n(Fault::Break, 100);
        if is_in_triage {
            sink.state().seen_faults.extend(faults);
        } else {
            sink.state().write_faults.extend(faults);
        }
        let (stop, stopped) = watch::channel(false);
        let stopping = async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            stop.send_replace(true);
        };
        let started = Instant::now();
        let running = run_with(patient_plan(), [source], &sink, stopped);
        let (left, ()) = tokio::join!(running, stopping);
        assert_eq!(left.end.unwrap(), End::Stopped);
        let took = started.elapsed();
        assert!(took < Duration::from_secs(6), "in triage: {is_in_triage}, {took:?}");
        let mut tally = left.tally;
        tally.leave_unsettled();
        assert_balanced(&tally);
        assert_eq!(sink.rows(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_a_query_of_the_ledger_that_hangs() {
    let (source, sink) = (logs(), new_sink());
    sink.state().seen_faults.extend(std::iter::repeat_n(Fault::Hang, 100));
    let (stop, stopped) = watch::channel(false);
    let stopping = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        stop.send_replace(true);
    };
    let started = Instant::now();
    let (left, ()) = tokio::join!(run_with(plan(), [source], &sink, stopped), stopping);
    assert_eq!(left.end.unwrap(), End::Stopped);
    assert!(started.elapsed() < Duration::from_secs(6), "{:?}", started.elapsed());
    let mut tally = left.tally;
    tally.leave_unsettled();
    assert_balanced(&tally);
    assert_eq!(sink.rows(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_a_listing_that_hangs() {
    let (source, sink) = (logs(), new_sink());
    source.cut_listing(2, Cue::Hang);
    let (stop, stopped) = watch::channel(false);
    let stopping = async {
        tokio::time::sleep(Duration::from_mins(1)).await;
        stop.send_replace(true);
    };
    let (left, ()) = tokio::join!(run_with(plan(), [source], &sink, stopped), stopping);
    assert_eq!(left.end.unwrap(), End::Stopped);
    assert_balanced(&left.tally);
    assert_eq!((left.tally.loaded.objects, sink.rows()), (20, 60));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_stopped_before_it_begins_loads_nothing() {
    let (source, sink) = (logs(), new_sink());
    let (_stop, stopped) = watch::channel(true);
    let left = run_with(plan(), [source], &sink, stopped).await;
    assert_eq!(left.end.unwrap(), End::Stopped);
    assert_balanced(&left.tally);
    assert_eq!(sink.rows(), 0);
}

#[tokio::test(start_paused = true)]
async fn rows_show_up_while_the_listing_is_slow() {
    let (source, sink) = (logs(), new_sink());
    // One object, far from filling a batch, and then nothing for an hour.
    source.list_all(1);
    source.cut_listing(1, Cue::Hang);
    let (_stop, stopped) = watch::channel(false);
    let started = Instant::now();
    let looking = async {
        while sink.rows() == 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        started.elapsed()
    };
    let running = run_with(plan(), [source], &sink, stopped);
    tokio::select! {
        _ = running => panic!("the run ended"),
        waited = looking => assert!(waited <= 2 * BATCH_AGE_MAX, "{waited:?}"),
    }
    assert_eq!(sink.rows(), 3);
}

#[tokio::test(start_paused = true)]
async fn sources_that_overlap_load_each_object_once() {
    for writers in [1, 2, 5] {
        let (one, two) = (logs(), logs());
        two.list_all(7);
        let (_stop, stopped) = watch::channel(false);
        let sink = new_sink();
        let plan = Plan { listers: writers, writers, ..plan() };
        let left = run_with(plan, [one, two], &sink, stopped).await;
        assert_eq!(left.end.unwrap(), End::Complete);
        assert_balanced(&left.tally);
        assert_eq!(left.tally.listed.objects, 82);
        assert_eq!((left.tally.loaded.objects, left.tally.already_loaded.objects), (41, 41));
        assert_eq!((sink.rows(), left.tally.rows), (123, 123));
    }
}

#[tokio::test(start_paused = true)]
async fn two_runs_at_once_load_each_object_once() {
    let (one, two, sink) = (logs(), logs(), new_sink());
    let (one, two) = tokio::join!(run_one(&one, &sink), run_one(&two, &sink));
    for left in [&one, &two] {
        assert!(matches!(left.end, Ok(End::Complete)), "{:?}", left.end);
        assert_balanced(&left.tally);
    }
    assert_eq!(one.tally.rows + two.tally.rows, 123);
    assert_eq!(sink.rows(), 123);
}

#[tokio::test(start_paused = true)]
async fn no_object_is_a_complete_run() {
    let (source, sink) = (Arc::new(MemorySource::new()), new_sink());
    let tally = complete(&source, &sink).await;
    assert_eq!((tally.listed.objects, sink.calls().0), (0, 0));
}

#[test]
fn the_names_of_the_objects_differ() {
    assert_eq!((0..41).map(name).collect::<BTreeSet<_>>().len(), 41);
    assert!(is_gzip(&gz(b"x")));
}
