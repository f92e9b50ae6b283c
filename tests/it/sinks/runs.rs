//! The record of runs, and the queries of `status`.

use cloudtrail2sql::database::batch::NoRows;
use cloudtrail2sql::database::status::{RunStart, RunTotals};
use cloudtrail2sql::trail::object::Shard;
use cloudtrail2sql::trail::record::Kind;

use super::backend::{Backend, BackendKind};
use super::objects::{RUN, batch, failed, numbered, numbered_log, object, reject};
use crate::databases::promises;

promises! { async on everywhere:
    a_run_is_recorded_from_its_beginning_to_its_end
    runs_that_begin_at_once_have_different_ids
    failed_objects_and_rejected_records_are_listed
    skipped_objects_are_listed
    the_newest_run_is_listed_first
    the_ledger_adds_up
}

async fn a_run_is_recorded_from_its_beginning_to_its_end(on: impl Into<BackendKind>) {
    let (_backend, sink) = Backend::prepared(on).await;
    assert!(sink.runs(10).await.unwrap().is_empty());
    let sources = r#"["s3://trail/é😀/"]"#;
    let killed = sink.begin_run(&RunStart::default()).await.unwrap();
    let start = RunStart {
        sources: sources.into(),
        selection: Some(r#"{"from":"2026-01-15"}"#.into()),
        shard: Shard::parse("2/10000"),
        job: Some("é😀 import/periodic-1".repeat(100)),
    };
    let last = sink.begin_run(&start).await.unwrap();
    assert!(last > killed);
    let runs = sink.runs(10).await.unwrap();
    assert_eq!(runs.iter().map(|run| run.id).collect::<Vec<_>>(), [last, killed]);
    assert_eq!((&*runs[0].outcome, &*runs[0].sources), ("running", sources));
    assert_eq!((&runs[0].selection, runs[0].shard), (&start.selection, start.shard));
    assert_eq!(runs[0].job, start.job);
    assert_eq!((&runs[1].selection, runs[1].shard, &runs[1].job), (&None, None, &None));
    assert_eq!(runs[0].program_version, env!("CARGO_PKG_VERSION"));
    assert_eq!((&runs[0].finished_at, runs[0].totals), (&None, RunTotals::default()));

    let totals = RunTotals {
        listed: 1,
        loaded: 2,
        already_loaded: 3,
        skipped: 4,
        failed: 5,
        records: 6,
        rows: 7,
        rejects: 8,
        filtered: 11,
        replaced_chars: u64::from(u32::MAX) + 9,
    };
    sink.finish_run(last, "partial", &totals).await.unwrap();
    let runs = sink.runs(1).await.unwrap();
    assert_eq!(runs.len(), 1);
    assert_eq!((&*runs[0].outcome, runs[0].totals), ("partial", totals));
    assert!(runs[0].finished_at.as_ref().unwrap() >= &runs[0].started_at);
    assert_eq!(sink.runs(10).await.unwrap()[1].outcome, "running");
}

async fn runs_that_begin_at_once_have_different_ids(on: impl Into<BackendKind>) {
    let (backend, one) = Backend::prepared(on).await;
    let two = backend.sink();
    for _ in 0..10 {
        let start = RunStart::default();
        let (one, two) = tokio::join!(one.begin_run(&start), two.begin_run(&start));
        assert_ne!(one.unwrap(), two.unwrap());
    }
    let ids = one.runs(100).await.unwrap().into_iter().map(|run| run.id);
    assert_eq!(ids.collect::<std::collections::BTreeSet<_>>().len(), 20);
    if let Backend::Sql(scratch) = backend {
        assert_eq!(scratch.count("import_runs").await, 20);
    }
}

async fn failed_objects_and_rejected_records_are_listed(on: impl Into<BackendKind>) {
    let (_backend, sink) = Backend::prepared(on).await;
    let reason = format!("a long reason: {}", "é😀".repeat(50_000));
    let mut log = numbered_log("b", 1);
    let text = format!("\"{}\"", "x".repeat(200_000));
    log.rejects = vec![reject(3, "null"), reject(5, &text)];
    let log = object("b", Ok(log));
    let objects = [failed("a 'quoted' \\ name", &reason), log, failed("c", "")];
    sink.write(RUN, &batch(1, objects)).await.unwrap();

    let mut found = sink.failed_objects(10).await.unwrap();
    found.sort_by(|one, two| one.uri.cmp(&two.uri));
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].uri, "s3://trail/a 'quoted' \\ name");
    assert!(found[0].reason == reason && found[1].reason.is_empty());
    assert_eq!(found[0].run_id, RUN);
    assert_eq!(sink.failed_objects(1).await.unwrap().len(), 1);

    let found = sink.rejected_records(10).await.unwrap();
    let places: Vec<(u64, u64)> =
        found.iter().map(|record| (record.record_index, record.offset_bytes)).collect();
    assert_eq!(places, [(3, 300), (5, 500)]);
    assert_eq!((&*found[0].reason, &*found[0].record), ("not a CloudTrail record", "null"));
    assert!(found[1].record == text && found[1].uri == "s3://trail/b");
    assert_eq!(sink.rejected_records(1).await.unwrap().len(), 1);
}

async fn skipped_objects_are_listed(on: impl Into<BackendKind>) {
    let (_backend, sink) = Backend::prepared(on).await;
    assert!(sink.skipped_objects(10).await.unwrap().is_empty());
    let skipped = |name: &str, kind| object(name, Err(NoRows::Skipped(kind)));
    let of_first = [skipped("b", Kind::OtherJson), failed("c", "x"), skipped("a", Kind::Digest)];
    sink.write(RUN, &batch(1, of_first)).await.unwrap();
    sink.write(RUN + 1, &batch(1, [skipped("z é😀", Kind::CloudWatchLogs)])).await.unwrap();
    let found = sink.skipped_objects(10).await.unwrap();
    let shown: Vec<_> = found.iter().map(|it| (&*it.uri, &*it.kind, it.run_id - RUN)).collect();
    let expected = [
        ("s3://trail/z é😀", "cloudwatch-logs", 1),
        ("s3://trail/a", "digest", 0),
        ("s3://trail/b", "other-json", 0),
    ];
    assert_eq!(shown, expected);
    assert!(found.iter().all(|it| it.finished_at.ends_with('Z')), "{found:?}");
    assert_eq!(sink.skipped_objects(2).await.unwrap(), found[..2]);
}

async fn the_newest_run_is_listed_first(on: impl Into<BackendKind>) {
    let (_backend, sink) = Backend::prepared(on).await;
    let with_rejects = |name| {
        let mut log = numbered_log(name, 1);
        log.rejects = vec![reject(4, "1"), reject(9, "2")];
        object(name, Ok(log))
    };
    // The names order differently from the runs.
    for (run, names) in [(5, ["a", "z"]), (7, ["d", "c"]), (6, ["b", "y"])] {
        let rejected = names.map(with_rejects);
        let failed = names.map(|name| failed(&format!("failed {name}"), "x"));
        sink.write(run, &batch(1, rejected.into_iter().chain(failed).collect::<Vec<_>>()))
            .await
            .unwrap();
    }
    for lines_max in [3, 4, 100] {
        let taken = lines_max as usize;
        let found = sink.failed_objects(lines_max).await.unwrap();
        let found: Vec<&str> = found.iter().map(|it| it.uri.rsplit(' ').next().unwrap()).collect();
        let expected = ["c", "d", "b", "y", "a", "z"];
        assert_eq!(found, expected[..taken.min(6)]);
        let found = sink.rejected_records(lines_max).await.unwrap();
        let found: Vec<_> =
            found.iter().map(|it| (it.uri.rsplit('/').next().unwrap(), it.record_index)).collect();
        let expected: Vec<_> =
            expected.into_iter().flat_map(|name| [(name, 4), (name, 9)]).take(taken).collect();
        assert_eq!(found, expected);
    }
}

async fn the_ledger_adds_up(on: impl Into<BackendKind>) {
    let (_backend, sink) = Backend::prepared(on).await;
    assert_eq!(sink.ledger_totals().await.unwrap(), RunTotals::default());
    let mut log = numbered_log("a", 41);
    (log.rejects, log.replaced_chars) = (vec![reject(0, "1"), reject(9, "2")], 5);
    let log = object("a", Ok(log));
    let foreign = |name| object(name, Err(NoRows::Skipped(Kind::Empty)));
    sink.write(RUN, &batch(1, [log, numbered("b", 3), foreign("c"), failed("d", "x")]))
        .await
        .unwrap();
    sink.write(RUN, &batch(2, [foreign("e"), foreign("f")])).await.unwrap();
    let expected = RunTotals {
        listed: 6,
        loaded: 2,
        already_loaded: 0,
        skipped: 3,
        failed: 1,
        records: 46,
        rows: 44,
        rejects: 2,
        filtered: 0,
        replaced_chars: 5,
    };
    assert_eq!(sink.ledger_totals().await.unwrap(), expected);
}
