//! The memory budget bounds what is in flight, and never stands still.

use super::memory_source::{log_json, name};
use super::*;
use crate::import::dry_run::dry_run;

/// Objects of about 100 KB each when decoded, and packed hardly less.
fn large_logs(objects: usize, is_gzip: bool) -> Arc<MemorySource> {
    let source = MemorySource::new();
    for n in 0..objects {
        let ids = (0..100).map(|row| format!("{n}/{row}/{}", "x".repeat(1_000)));
        let ids: Vec<String> = ids.collect();
        if is_gzip {
            source.put(&name(n), log_gz(&ids));
        } else {
            source.put(&format!("{n}.json"), log_json(&ids).into_bytes());
        }
    }
    Arc::new(source)
}

fn tiny(memory_bytes: u64) -> Plan {
    let batch = BatchLimits { rows_max: 1_000, bytes_max: 1 << 30, objects_max: 1_000 };
    Plan { batch, memory_bytes, ..plan() }
}

#[tokio::test(start_paused = true)]
async fn objects_larger_than_the_whole_budget_pass_alone() {
    let source = large_logs(13, false);
    for memory_bytes in [1, 1 << 10, 64 << 10, 150 << 10, 300 << 10, 1 << 20] {
        for (fetchers, writers) in [(1, 1), (3, 2), (16, 3)] {
            let sink = new_sink();
            let (_stop, stopped) = watch::channel(false);
            let plan = Plan { fetchers, writers, ..tiny(memory_bytes) };
            let left = run_with(plan, [Arc::clone(&source)], &sink, stopped).await;
            assert_eq!(left.end.unwrap(), End::Complete, "{memory_bytes}");
            assert_balanced(&left.tally);
            assert_eq!((left.tally.loaded.objects, sink.rows()), (13, 1_300), "{memory_bytes}");
        }
    }
}

/// A batch that waits for more objects must not make them wait for it.
#[tokio::test(start_paused = true)]
async fn no_object_waits_for_a_batch_to_grow_old() {
    let source = large_logs(13, false);
    for memory_bytes in [1, 150 << 10, 300 << 10] {
        for (fetchers, writers) in [(1, 1), (3, 2)] {
            let sink = new_sink();
            let (_stop, stopped) = watch::channel(false);
            let plan = Plan { fetchers, writers, ..tiny(memory_bytes) };
            let begun = Instant::now();
            let left = run_with(plan, [Arc::clone(&source)], &sink, stopped).await;
            assert_eq!((left.end.unwrap(), sink.rows()), (End::Complete, 1_300));
            assert!(begun.elapsed() < BATCH_AGE_MAX, "{memory_bytes}: {:?}", begun.elapsed());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn several_members_pass_a_budget_below_the_cap() {
    let (source, sink) = (Arc::new(MemorySource::new()), new_sink());
    for n in 0..13 {
        let (json, name) = (format!(r#"[{{"eventVersion":"1","eventID":"{n}"}}]"#), name(n));
        let padding = vec![b' '; 50_000];
        source.put(&name, [gz(json.as_bytes()), gz(&padding), gz(b" ")].concat());
    }
    let (_stop, stopped) = watch::channel(false);
    let left = run_with(tiny(32 << 10), [source], &sink, stopped).await;
    assert_eq!(left.end.unwrap(), End::Complete);
    assert_eq!(sink.rows(), 13);
}

#[tokio::test(start_paused = true)]
async fn a_database_that_hangs_stops_the_fetching_at_the_budget() {
    // Compressed a hundredfold, they are listed as almost nothing.
    for is_gzip in [false, true] {
        let source = large_logs(60, is_gzip);
        let sink = Arc::new(MemoryStore::with_write_faults([Fault::Hang; 2]));
        let (_stop, stopped) = watch::channel(false);
        let sources: Vec<Arc<dyn Source>> = vec![Arc::clone(&source) as Arc<dyn Source>];
        let running =
            run(tiny(2 << 20), sources, sink as Arc<dyn Sink>, 0, Arc::default(), stopped);
        assert!(tokio::time::timeout(Duration::from_hours(1), running).await.is_err());
        // 2 MiB hold 20 objects of 100 KB, once they are parsed; one that is being read counts
        // more, and has been fetched when it waits for that.
        let fetched = source.fetches();
        assert!(
            (10..=20 + plan().fetchers).contains(&fetched),
            "{is_gzip}: {fetched} were fetched"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_budget_is_whole_again_after_each_way_an_object_can_end() {
    let (source, sink) = (logs(), new_sink());
    source.put("a.json", b"{}".to_vec());
    source.put("b.json.gz", gz(b"{\"Records\":["));
    source.fail_fetch(&name(3), false);
    source.list_all(10);
    sink.state().bad.insert(id(&name(7)));
    for _ in 0..2 {
        // One object at a time: a share that leaks stops the run.
        let plan = Plan { memory_bytes: 1, ..plan() };
        let (_stop, stopped) = watch::channel(false);
        let left = run_with(plan, [Arc::clone(&source)], &sink, stopped).await;
        assert_eq!(left.end.unwrap(), End::Complete);
        assert_balanced(&left.tally);
        assert_eq!((left.tally.failed.objects, sink.rows()), (3, 39 * 3));
        source.touch(&name(5));
    }
}

/// Issue 11: the dry run kept every object of its sample, and with it the budget, until all were
/// read.
#[tokio::test(start_paused = true)]
async fn a_dry_run_reads_more_than_the_budget_holds() {
    for memory_bytes in [1, 300 << 10, 1 << 20] {
        let sources = vec![large_logs(41, false) as Arc<dyn Source>];
        let (_stop, stopped) = watch::channel(false);
        let plan = tiny(memory_bytes);
        let running = dry_run(&plan, sources, None, Arc::default(), stopped);
        let ended = tokio::time::timeout(FOR_EVER, running).await.expect("the dry run hangs");
        let (dry_run, end) = ended.unwrap();
        assert_eq!(end, End::Complete);
        assert_eq!((dry_run.sampled.read.objects, dry_run.sampled.rows), (41, 4_100));
    }
}
