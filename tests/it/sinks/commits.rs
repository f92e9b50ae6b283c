//! One batch, one transaction: it commits whole or not at all, and the ledger's primary key decides.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use cloudtrail2sql::database::batch::{NoRows, ParsedObject};
use cloudtrail2sql::database::ledger::{Line, LoadedContent, ObjectOutcome};
use cloudtrail2sql::database::{ErrorClass, Store};
use cloudtrail2sql::import::load::load;
use cloudtrail2sql::retry::RetryPolicy;
use cloudtrail2sql::trail::filter::FilterSet;
use cloudtrail2sql::trail::object::ObjectId;
use cloudtrail2sql::trail::record::{Kind, Log};

use super::backend::{Backend, BackendKind};
use super::objects::{
    RUN, batch, cells, failed, id, log_of, numbered, numbered_log, object, reject,
};
use super::scratch::{Scratch, row};
use crate::databases::{Engine, promises};

/// Short waits, many attempts.
pub const RETRY: RetryPolicy = RetryPolicy {
    attempts_max: 10,
    deadline: Duration::from_mins(1),
    first_wait_max: Duration::from_millis(1),
    wait_max: Duration::from_secs(10),
};

promises! { async on everywhere:
    rows_rejects_and_ledger_line_commit_together
    a_refused_batch_leaves_nothing
    a_batch_with_a_taken_key_conflicts_and_leaves_nothing
    rejects_without_their_ledger_line_are_replaced
    a_line_is_replaced_unless_it_is_loaded
    a_compared_object_updates_its_line_and_only_if_it_is_loaded
    the_ledger_knows_what_is_asked_whatever_the_number
    two_imports_of_the_same_objects_load_each_once
}
promises! { async on all:
    the_tables_hold_what_was_committed
    a_duplicate_in_the_users_own_unique_index_is_refused_data
    a_duplicate_among_the_rejects_is_refused_data
    a_ledger_that_refuses_a_line_for_good_is_reported
    a_write_dropped_at_any_moment_is_in_or_out_whole
}
promises! { async on servers:
    connections_that_the_server_ended_are_replaced
}

async fn rows_rejects_and_ledger_line_commit_together(on: impl Into<BackendKind>) {
    let (backend, sink) = Backend::prepared(on).await;
    let mut log = numbered_log("a", 3);
    log.rejects = vec![reject(1, "17"), reject(4, "18")];
    let log = object("a", Ok(log));
    let foreign = object("b", Err(NoRows::Skipped(Kind::Digest)));
    sink.write(RUN, &batch(3, [log, foreign, failed("c", "cut off")])).await.unwrap();

    assert_eq!(backend.counts().await, [3, 3, 2]);
    let seen = backend.sink().seen(&[id("a"), id("b"), id("c"), id("d")]).await.unwrap();
    assert_eq!(seen.len(), 3);
    for (name, expected) in [
        ("a", ObjectOutcome::Loaded),
        ("b", ObjectOutcome::Skipped(Kind::Digest)),
        ("c", ObjectOutcome::Failed("cut off".into())),
    ] {
        let line = &seen[&id(name)];
        assert_eq!((&line.outcome, line.run_id, line.batch_id), (&expected, RUN, 3), "{name}");
    }
    let rejected = sink.rejected_records(10).await.unwrap();
    let rejected: Vec<_> =
        rejected.iter().map(|it| (&*it.uri, it.record_index, &*it.record)).collect();
    assert_eq!(rejected, [("s3://trail/a", 1, "17"), ("s3://trail/a", 4, "18")]);
    assert_eq!(sink.failed_objects(10).await.unwrap().len(), 1);
}

async fn the_tables_hold_what_was_committed(engine: Engine) {
    let (scratch, sink) = Scratch::prepared(engine).await;
    let mut log = numbered_log("a", 3);
    log.rejects = vec![reject(1, r#"["é😀"]"#), reject(4, "17")];
    log.replaced_chars = 2;
    let log = object("a", Ok(log));
    let foreign = object("b", Err(NoRows::Skipped(Kind::Digest)));
    sink.write(RUN, &batch(3, [log, foreign, failed("c", "cut\0off")])).await.unwrap();

    assert_eq!(scratch.counts().await, [3, 3, 2]);
    let lines = scratch
        .query(
            "SELECT uri, version, size_bytes, digest, outcome, kind, record_count, row_count, \
             reject_count, altered_count, reason, run_id, batch_id FROM import_objects ORDER BY uri",
        )
        .await;
    let mut expected = [
        row(&["s3://trail/a", "v1", "41", "d1", "loaded", "", "5", "3", "2", "2", "", "7", "3"]),
        row(&["s3://trail/b", "v1", "41", "d1", "skipped", "", "0", "0", "0", "0", "", "7", "3"]),
        row(&["s3://trail/c", "v1", "41", "d1", "failed", "", "0", "0", "0", "0", "", "7", "3"]),
    ];
    (expected[0][5], expected[0][10]) = (None, None);
    (expected[1][5], expected[1][10]) = (Some("digest".into()), None);
    (expected[2][5], expected[2][10]) = (None, Some("cut␀off".into()));
    assert_eq!(lines, expected);
    let rejects = "SELECT record_index, offset_bytes, reason, record FROM import_rejects \
                   ORDER BY record_index";
    assert_eq!(
        scratch.query(rejects).await,
        [
            row(&["1", "100", "not a CloudTrail record", r#"["é😀"]"#]),
            row(&["4", "400", "not a CloudTrail record", "17"])
        ]
    );
    let seen = sink.seen(&[id("a"), id("b"), id("c"), id("d")]).await.unwrap();
    let line = |outcome| {
        let (version, sha256) = ("v1".into(), "d1".into());
        let filters = FilterSet::All;
        Line { outcome, version, sha256, run_id: 7, batch_id: 3, number: None, filters }
    };
    assert_eq!(seen.len(), 3);
    let of = |name: &str, outcome| Line { number: Some(id(name).number(0)), ..line(outcome) };
    assert_eq!(seen[&id("a")], of("a", ObjectOutcome::Loaded));
    assert_eq!(seen[&id("b")], of("b", ObjectOutcome::Skipped(Kind::Digest)));
    assert_eq!(seen[&id("c")], of("c", ObjectOutcome::Failed("cut␀off".into())));
}

fn bad(name: &str) -> ParsedObject {
    let good = cells(&[("eventID", "good"), ("eventName", "GetObject")]);
    log_of(name, [good, cells(&[("eventID", "bad"), ("eventName", "bad")])])
}

async fn a_refused_batch_leaves_nothing(on: impl Into<BackendKind>) {
    let (backend, sink) = Backend::prepared(on).await;
    backend.refuse_bad_rows().await;
    let mut log = numbered_log("a", 200);
    log.rejects = vec![reject(200, "1")];
    let batch_one = batch(1, [object("a", Ok(log)), bad("b"), numbered("c", 3)]);
    for _ in 0..2 {
        let error = sink.write(RUN, &batch_one).await.unwrap_err();
        assert!(error.class == ErrorClass::DataRefused, "{error:?}");
        assert_eq!(backend.counts().await, [0; 3]);
    }
    // The same sink continues, and only the bad object fails.
    let mut settled = Vec::new();
    load(&*sink, RUN, batch_one, RETRY, &mut settled).await.unwrap();
    assert_eq!(backend.counts().await, [203, 3, 1]);
    let failed = sink.failed_objects(10).await.unwrap();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0].uri, "s3://trail/b");
    let expected = if matches!(backend, Backend::Memory(_)) { "too sour" } else { "no" };
    assert!(failed[0].reason.contains(expected), "{}", failed[0].reason);
}

async fn a_batch_with_a_taken_key_conflicts_and_leaves_nothing(on: impl Into<BackendKind>) {
    let (backend, sink) = Backend::prepared(on).await;
    let other = backend.sink();
    other.write(8, &batch(1, [numbered("taken", 2)])).await.unwrap();
    let objects = [numbered("a", 3), numbered("taken", 2), numbered("z", 3)];
    let error = sink.write(RUN, &batch(1, objects)).await.unwrap_err();
    assert!(error.class == ErrorClass::Conflict, "{error:?}");
    assert_eq!(backend.counts().await, [2, 1, 0]);
    sink.write(RUN, &batch(2, [numbered("a", 3), numbered("z", 3)])).await.unwrap();
    assert_eq!(backend.counts().await, [8, 3, 0]);
}

/// Returns an object with two rows and these rejects.
fn with_rejects(name: &str, indexes: &[u64]) -> ParsedObject {
    let mut log = numbered_log(name, 2);
    log.rejects = indexes.iter().map(|index| reject(*index, "17")).collect();
    object(name, Ok(log))
}

async fn rejects_without_their_ledger_line_are_replaced(on: impl Into<BackendKind>) {
    let (backend, sink) = Backend::prepared(on).await;
    // Without rows, because the write does not delete rows.
    let rejects = vec![reject(2, "17"), reject(3, "18")];
    let only_rejects = object("a", Ok(Log { rejects, ..Log::default() }));
    sink.write(6, &batch(1, [only_rejects, with_rejects("other", &[0])])).await.unwrap();
    backend.delete_line("a").await;
    assert_eq!(backend.counts().await, [2, 1, 3]);
    // Fewer rejects than before: what is left over goes, too.
    let again = batch(1, [with_rejects("a", &[2]), with_rejects("b", &[5])]);
    sink.write(RUN, &again).await.unwrap();
    assert_eq!(backend.counts().await, [6, 3, 3]);
    let found = sink.rejected_records(10).await.unwrap();
    let mut found: Vec<_> = found.iter().map(|it| (&*it.uri, it.record_index)).collect();
    found.sort_unstable();
    assert_eq!(found, [("s3://trail/a", 2), ("s3://trail/b", 5), ("s3://trail/other", 0)]);
}

/// What refuses the line is named, and not "another import".
async fn a_ledger_that_refuses_a_line_for_good_is_reported(engine: Engine) {
    let (scratch, sink) = Scratch::prepared(engine).await;
    let column = if engine.is_mysql() { "version (20)" } else { "version" };
    scratch.run(&format!("CREATE UNIQUE INDEX one_version ON import_objects ({column})")).await;
    let (mut settled, objects) = (Vec::new(), [numbered("a", 1), numbered("b", 1)]);
    let error = load(&*sink, RUN, batch(1, objects), RETRY, &mut settled).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Fatal);
    assert_eq!(error.message, "cannot write a ledger line");
    let cause = error.source.as_ref().unwrap().to_string();
    // SQLite names the column, not the index.
    let expected = if engine == Engine::Sqlite { "import_objects.version" } else { "one_version" };
    assert!(cause.contains(expected), "{cause}");
    assert!(error.hint.unwrap().contains("unique index"));
    assert_eq!((settled.len(), scratch.counts().await), (0, [0; 3]));
}

/// The user's own index on the rejects refuses one object, and the others load.
async fn a_duplicate_among_the_rejects_is_refused_data(engine: Engine) {
    let (scratch, sink) = Scratch::prepared(engine).await;
    scratch.run("CREATE UNIQUE INDEX once ON import_rejects (offset_bytes)").await;
    let objects = [with_rejects("a", &[1]), with_rejects("b", &[1]), numbered("c", 1)];
    let mut settled = Vec::new();
    load(&*sink, RUN, batch(1, objects), RETRY, &mut settled).await.unwrap();
    assert_eq!(scratch.counts().await, [3, 3, 1]);
    let failed = sink.failed_objects(10).await.unwrap();
    assert_eq!(failed.len(), 1);
    assert!(failed[0].reason.contains("the database refuses it: "), "{}", failed[0].reason);
}

async fn a_line_is_replaced_unless_it_is_loaded(on: impl Into<BackendKind>) {
    let (backend, sink) = Backend::prepared(on).await;
    let foreign = object("skipped", Err(NoRows::Skipped(Kind::OtherJson)));
    let lines = [failed("failed", "cut"), foreign, numbered("loaded", 1)];
    sink.write(6, &batch(1, lines)).await.unwrap();

    let replacing = |name: &str| {
        let mut object = numbered(name, 2);
        object.replaces_line = true;
        object
    };
    let error = sink.write(RUN, &batch(1, [replacing("failed"), replacing("loaded")])).await;
    assert!(error.as_ref().is_err_and(|error| error.class == ErrorClass::Conflict), "{error:?}");
    assert_eq!(backend.counts().await, [1, 3, 0]);
    let seen = sink.seen(&[id("failed"), id("loaded")]).await.unwrap();
    assert!(matches!(seen[&id("failed")].outcome, ObjectOutcome::Failed(_)));
    assert_eq!(seen[&id("loaded")].run_id, 6);

    let both = [replacing("failed"), replacing("skipped")];
    sink.write(RUN, &batch(2, both)).await.unwrap();
    assert_eq!(backend.counts().await, [5, 3, 0]);
    let seen = sink.seen(&[id("failed"), id("skipped")]).await.unwrap();
    assert!(seen.values().all(|line| line.outcome == ObjectOutcome::Loaded && line.run_id == RUN));
}

/// Returns an object of another version, whose bytes have this SHA-256.
fn compared(name: &str, version: &str, sha256: &str) -> ParsedObject {
    let ParsedObject { mut object, id, sha256: loaded_sha256, .. } = numbered(name, 0);
    object.version = version.into();
    let (number, filters) = (Some(id.number(0)), FilterSet::All);
    let loaded = LoadedContent { sha256: loaded_sha256, number, filters };
    ParsedObject::compared(object, id, sha256.into(), &loaded)
}

async fn a_compared_object_updates_its_line_and_only_if_it_is_loaded(on: impl Into<BackendKind>) {
    let (backend, sink) = Backend::prepared(on).await;
    let lines = [failed("failed", "cut"), numbered("same", 2), numbered("other", 1)];
    sink.write(6, &batch(1, lines)).await.unwrap();
    let names = ["same", "other", "failed", "new"];
    let ids = names.map(id);
    // Twice: an update is repeatable, after a lost answer.
    for _ in 0..2 {
        let objects = [
            compared("same", "v2", "d1"),
            compared("other", "v2", "d2"),
            compared("failed", "v2", "d2"),
            compared("new", "v2", "d1"),
        ];
        sink.write(RUN, &batch(2, objects)).await.unwrap();
        assert_eq!(backend.counts().await, [3, 3, 0]);
        let seen = sink.seen(&ids).await.unwrap();
        let line = |name: &str| {
            let line = &seen[&id(name)];
            (line.outcome.as_str(), &*line.version, &*line.sha256, line.run_id, line.batch_id)
        };
        assert_eq!(line("same"), ("loaded", "v2", "d1", 6, 1));
        assert_eq!(line("other"), ("changed", "v2", "d1", RUN, 0));
        assert_eq!(line("failed"), ("failed", "v1", "d1", 6, 1));
        assert!(!seen.contains_key(&id("new")));
    }
    // `status` shows it: the newest run first.
    let failed = sink.failed_objects(10).await.unwrap();
    let shown: Vec<_> = failed.iter().map(|it| (&*it.uri, it.run_id)).collect();
    assert_eq!(shown, [("s3://trail/other", RUN), ("s3://trail/failed", 6)]);
    assert!(failed[0].reason.contains("changed since it was loaded"), "{}", failed[0].reason);
    let totals = sink.ledger_totals().await.unwrap();
    assert_eq!((totals.loaded, totals.failed, totals.rows), (1, 2, 3));
    // A changed line is never replaced, and the loaded bytes make it loaded again.
    let mut replacing = numbered("other", 5);
    replacing.replaces_line = true;
    let error = sink.write(8, &batch(1, [replacing])).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Conflict, "{error:?}");
    sink.write(8, &batch(2, [compared("other", "v3", "d1")])).await.unwrap();
    let seen = sink.seen(&ids).await.unwrap();
    let line = &seen[&id("other")];
    assert_eq!((&line.outcome, &*line.version), (&ObjectOutcome::Loaded, "v3"));
    assert_eq!(sink.failed_objects(10).await.unwrap().len(), 1);
    assert_eq!(backend.counts().await, [3, 3, 0]);
}

async fn a_duplicate_in_the_users_own_unique_index_is_refused_data(engine: Engine) {
    let (scratch, sink) = Scratch::prepared(engine).await;
    scratch.run("CREATE UNIQUE INDEX once ON logs (eventID)").await;
    sink.write(RUN, &batch(1, [numbered("a", 2)])).await.unwrap();
    let twice = ["x/0", "x/1", "a/1"].map(|id| cells(&[("eventID", id)]));
    let batch = batch(2, [log_of("b", twice), numbered("c", 3)]);
    let error = sink.write(RUN, &batch).await.unwrap_err();
    assert!(error.class == ErrorClass::DataRefused, "{error:?}");
    let mut settled = Vec::new();
    load(&*sink, RUN, batch, RETRY, &mut settled).await.unwrap();
    let failed: Vec<ObjectId> = settled
        .iter()
        .filter(|(_, fate)| matches!(fate, ObjectOutcome::Failed(_)))
        .map(|(object, _)| object.id)
        .collect();
    assert_eq!(failed, [id("b")]);
    assert_eq!(scratch.counts().await, [5, 3, 0]);
}

async fn the_ledger_knows_what_is_asked_whatever_the_number(on: impl Into<BackendKind>) {
    let (_backend, sink) = Backend::prepared(on).await;
    let names: Vec<String> = (0..1_000).map(|n| format!("key {n}")).collect();
    let known = names.iter().step_by(3).map(|name| numbered(name, 0)).collect::<Vec<_>>();
    sink.write(RUN, &batch(1, known)).await.unwrap();
    for asked in [0, 1, 2, 128, 999, 1_000] {
        let ids: Vec<ObjectId> = names[..asked].iter().map(|name| id(name)).collect();
        let seen = sink.seen(&ids).await.unwrap();
        let mut found: Vec<ObjectId> = seen.into_keys().collect();
        let mut expected: Vec<ObjectId> = ids.into_iter().step_by(3).collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{asked} asked");
    }
}

/// Loads 41 objects of 3 rows in batches of `width`, forwards or backwards.
async fn load_all(sink: &dyn Store, run_id: i64, width: usize, is_reversed: bool) -> [usize; 2] {
    let mut names: Vec<usize> = (0..41).collect();
    if is_reversed {
        names.reverse();
    }
    let (mut loaded, mut already_loaded) = (0, 0);
    for (n, names) in (1..).zip(names.chunks(width)) {
        let objects: Vec<ParsedObject> =
            names.iter().map(|name| numbered(&name.to_string(), 3)).collect();
        let mut settled = Vec::new();
        load(sink, run_id, batch(n, objects), RETRY, &mut settled).await.unwrap();
        for (_, fate) in settled {
            match fate {
                ObjectOutcome::Loaded => loaded += 1,
                ObjectOutcome::AlreadyLoaded => already_loaded += 1,
                other => panic!("{other:?}"),
            }
        }
    }
    [loaded, already_loaded]
}

async fn two_imports_of_the_same_objects_load_each_once(on: impl Into<BackendKind>) {
    let (backend, one) = Backend::prepared(on).await;
    let two = backend.sink();
    backend.yield_in_writes();
    let ([loaded_one, not_one], [loaded_two, not_two]) =
        tokio::join!(load_all(&*one, 1, 7, false), load_all(&*two, 2, 6, true));
    assert_eq!(loaded_one + loaded_two, 41);
    assert_eq!((loaded_one + not_one, loaded_two + not_two), (41, 41));
    assert_eq!(backend.counts().await, [123, 41, 0]);
    assert_eq!(backend.event_ids().await, 123);
    if matches!(backend, Backend::Memory(_)) {
        assert!(loaded_one > 0 && loaded_two > 0, "they did not run at once");
    }
}

/// At which moment a write is dropped.
#[derive(Debug, Clone, Copy)]
struct Cut {
    /// How often the write is polled before that: it waits for the database after each poll.
    polls: usize,
    /// Whether the drop waits for the database's next answer, which the write does not see.
    is_answered: bool,
}

/// Polls `write` until the moment of the cut, and drops it; returns its result if it ended before.
async fn cut_off<T>(write: impl Future<Output = T>, cut: Cut) -> Option<T> {
    let mut write = pin!(write);
    let mut polls = 0;
    poll_fn(|context| {
        if polls == cut.polls {
            return Poll::Ready(None);
        }
        polls += 1;
        match write.as_mut().poll(context) {
            Poll::Ready(result) => Poll::Ready(Some(result)),
            Poll::Pending if polls == cut.polls && !cut.is_answered => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Writes two objects by a write that is cut off, then loads them; returns whether the write ended
/// before it was cut off, and whether it is in the database.
async fn write_cut_off(sink: &dyn Store, name: &str, cut: Cut) -> (bool, bool) {
    let batch = batch(1, [numbered(name, 700), numbered(&format!("{name}b"), 1)]);
    let written = cut_off(sink.write(RUN, &batch), cut).await;
    let has_ended = written.map(Result::unwrap).is_some();
    let mut settled = Vec::new();
    load(sink, 8, batch, RETRY, &mut settled).await.unwrap();
    let outcomes: Vec<&ObjectOutcome> = settled.iter().map(|(_, outcome)| outcome).collect();
    match outcomes[..] {
        [ObjectOutcome::AlreadyLoaded, ObjectOutcome::AlreadyLoaded] => (has_ended, true),
        [ObjectOutcome::Loaded, ObjectOutcome::Loaded] => (has_ended, false),
        _ => panic!("{cut:?}: half of the write is committed: {outcomes:?}"),
    }
}

/// Writes that must have been cut off beyond their `BEGIN`, and rolled back.
const ROLLED_BACK_MIN: usize = 5;

/// How often all moments are tried before so many must have been.
const ROUNDS_MAX: usize = 10;

async fn a_write_dropped_at_any_moment_is_in_or_out_whole(engine: Engine) {
    let (scratch, sink) = Scratch::prepared(engine).await;
    let (mut writes, mut rolled_back) = (0, 0);
    for _ in 0..ROUNDS_MAX {
        for is_answered in [true, false] {
            // From before the first statement until the write ends before it is cut off. How many
            // polls that takes differs: an answer that comes at once needs no other poll.
            for polls in 0.. {
                let cut = Cut { polls, is_answered };
                let (has_ended, is_in) = write_cut_off(&*sink, &format!("n{writes}"), cut).await;
                writes += 1;
                if has_ended {
                    assert!(is_in, "a write that ended well is not in");
                    break;
                }
                assert!(!is_in || polls > 0, "a write that was never polled is in");
                // The first poll sends `BEGIN`, and every later one sends more. A write that is
                // in was cut off at its commit.
                rolled_back += usize::from(polls > 1 && !is_in);
            }
        }
        if rolled_back >= ROLLED_BACK_MIN {
            break;
        }
    }
    assert_eq!(scratch.counts().await, [writes * 701, writes * 2, 0]);
    assert_eq!(scratch.count("(SELECT DISTINCT eventID FROM logs) AS ids").await, writes * 701);
    assert!(rolled_back >= ROLLED_BACK_MIN, "only {rolled_back} of {writes} were in the middle");
}

async fn connections_that_the_server_ended_are_replaced(engine: Engine) {
    let (scratch, sink) = Scratch::prepared(engine).await;
    // Opens several connections; then the server ends all of them.
    let ids = [id("a")];
    let (one, two, three) = tokio::join!(sink.seen(&ids), sink.seen(&ids), sink.seen(&ids));
    for seen in [one, two, three] {
        assert!(seen.unwrap().is_empty());
    }
    for id in scratch.connections().await {
        let end =
            if engine.is_mysql() { "KILL ID" } else { "SELECT pg_terminate_backend(ID)::text" };
        scratch.run(&end.replace("ID", &id)).await;
    }
    let mut settled = Vec::new();
    load(&*sink, RUN, batch(1, [numbered("a", 3)]), RETRY, &mut settled).await.unwrap();
    assert_eq!(settled[0].1, ObjectOutcome::Loaded);
    assert_eq!(scratch.counts().await, [3, 1, 0]);
}
