//! Ctrl-C and SIGTERM in the middle of a load, and of an index build.

use std::time::{Duration, Instant};

use serde_json::Value;
use sqlx::Connection;

use crate::binary::{Place, Run, Running};
use crate::databases::{Engine, HeldTable, OwnDatabase, promises};
use crate::logs::log_gz;
use crate::s3_server::{ACCESS_KEY, Hold, Op, S3Server, SECRET_KEY};
use crate::wait;

const OBJECTS: usize = 41;

/// Objects that are in flight when a run is stopped.
const FETCHERS: usize = 2;

promises! { on all:
    a_stopped_run_loads_what_is_in_flight_and_the_same_command_resumes
}

promises! { on all:
    an_index_build_is_cancelled_on_the_server_and_the_run_is_interrupted
}

/// How long the program may take to end after a signal.
const END_MAX: Duration = Duration::from_secs(10);

fn an_index_build_is_cancelled_on_the_server_and_the_run_is_interrupted(engine: Engine) {
    let database = OwnDatabase::new(engine);
    let place = Place::with_database(&database.url);
    place.write("logs/a.json.gz", log_gz(&["a"]));
    place.run(&["import", "--no-index", "logs"]).expect(0);
    let mut held = None;
    if engine == Engine::Sqlite {
        // Rows for many seconds.
        database.query(
            "INSERT INTO logs (errorCode, eventName, eventSource, eventTime, eventType, requestID) \
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 600000) \
             SELECT hex(randomblob(20)), hex(randomblob(20)), hex(randomblob(20)), \
             hex(randomblob(20)), hex(randomblob(20)), hex(randomblob(20)) FROM n",
        );
    } else {
        held = Some(HeldTable::of(&database));
    }
    for (args, is_run) in [(&["index"][..], false), (&["import", "logs"], true)] {
        let mut running = place.start(args);
        assert!(running.reaches("building 14 indexes"), "{}", running.end().shown());
        match engine {
            Engine::Sqlite => std::thread::sleep(Duration::from_millis(300)),
            _ => wait::until("the build waits", || database.index_builds() > 0),
        }
        let signalled = Instant::now();
        running.signal("INT");
        let run = running.end().expect(130);
        assert!(signalled.elapsed() < END_MAX, "{:?}", signalled.elapsed());
        if held.is_some() {
            // The transaction still holds the table, so nothing but the cancel ends the build.
            wait::until("no build is left", || database.index_builds() == 0);
        }
        if is_run {
            let status = place.run(&["status", "--runs", "--output=json"]).expect(0).json();
            assert_eq!(status[0]["outcome"], "interrupted", "{}", run.shown());
        }
    }
    drop(held);
    database.query("DELETE FROM logs WHERE eventID IS NULL");
    place.run(&["index"]).expect(0);
}

/// Returns a server with 41 logs of two records.
fn server() -> S3Server {
    let server = S3Server::start();
    for n in 0..OBJECTS {
        let ids = [format!("{n}a"), format!("{n}b")];
        server.put("trail", &key(n), log_gz(&ids.each_ref().map(|id| &**id)));
    }
    server
}

fn key(n: usize) -> String {
    format!("{n:02}.json.gz")
}

/// Holds back the objects from the n-th on, so that a run gets to its middle and no further.
fn hold_from(server: &S3Server, n: usize) -> Hold {
    let first = key(n);
    server.hold(move |call| call.op == Op::GetObject && call.key >= first)
}

fn place_for(database: &OwnDatabase) -> Place {
    let mut place = Place::with_database(&database.url);
    place.set("AWS_ACCESS_KEY_ID", ACCESS_KEY);
    place.set("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
    place
}

fn start(place: &Place, server: &S3Server) -> Running {
    let endpoint_url = server.endpoint_url();
    place.start(&[
        "-v",
        "--output=json",
        "import",
        &format!("--fetchers={FETCHERS}"),
        "--batch-rows=3",
        "--endpoint-url",
        &endpoint_url,
        "s3://trail",
    ])
}

fn objects(summary: &Value, outcome: &str) -> u64 {
    summary[outcome]["objects"].as_u64().unwrap()
}

#[track_caller]
fn assert_balanced(run: &Run) {
    let summary = run.json();
    let outcomes = ["loaded", "already_loaded", "failed", "pending"];
    let sum: u64 = outcomes.iter().map(|outcome| objects(&summary, outcome)).sum();
    assert_eq!(objects(&summary, "listed"), sum, "{}", run.shown());
    assert_eq!(summary["rows"], summary["records"], "{}", run.shown());
    assert_eq!(summary["balanced"], true);
}

fn a_stopped_run_loads_what_is_in_flight_and_the_same_command_resumes(engine: Engine) {
    let (server, database) = (server(), OwnDatabase::new(engine));
    let place = place_for(&database);
    let mut loaded = 0;
    for (signal, held_from) in [("INT", 5), ("TERM", 15)] {
        let hold = hold_from(&server, held_from);
        let mut running = start(&place, &server);
        assert!(running.reaches("debug: loaded "), "{}", running.end().shown());
        wait::until("both fetchers are at it", || hold.calls().len() == FETCHERS);
        running.signal(signal);
        assert!(running.reaches("warning: stopping: "), "{}", running.end().shown());
        drop(hold);
        let run = running.end().expect(130);
        assert!(run.stderr.contains("warning: stopping: "), "{}", run.shown());
        assert_balanced(&run);
        let summary = run.json();
        assert_eq!(summary["outcome"], "interrupted");
        assert!(objects(&summary, "pending") > 0, "it was not in the middle: {}", run.shown());
        assert_eq!(objects(&summary, "already_loaded"), loaded);
        loaded += objects(&summary, "loaded");
        // Nothing that arrived before the signal is left out.
        assert!(loaded >= held_from as u64, "{}", run.shown());
        // Exactly what it counted is stored.
        assert_eq!(database.number("SELECT COUNT(*) FROM logs"), 2 * loaded);
    }
    let run = start(&place, &server).end().expect(0);
    assert_balanced(&run);
    assert_eq!(objects(&run.json(), "loaded"), OBJECTS as u64 - loaded);
    let ids = database.number("SELECT COUNT(DISTINCT eventID) FROM logs");
    assert_eq!((ids, database.number("SELECT COUNT(*) FROM logs")), (82, 82));
}

#[test]
fn the_summary_of_a_stopped_run_says_how_to_continue() {
    let (server, database) = (server(), OwnDatabase::new(Engine::Sqlite));
    let place = place_for(&database);
    let endpoint_url = server.endpoint_url();
    let args = ["-v", "import", "--batch-rows=3", "--endpoint-url", &endpoint_url, "s3://trail"];
    let hold = hold_from(&server, 5);
    let mut running = place.start(&[&args[..], &["--fetchers=1"]].concat());
    assert!(running.reaches("debug: loaded "), "{}", running.end().shown());
    running.signal("INT");
    assert!(running.reaches("warning: stopping: "), "{}", running.end().shown());
    drop(hold);
    let run = running.end().expect(130);
    for part in
        [" pending\n", "interrupted: ", "run the same command to continue", "missing indexes: "]
    {
        assert!(run.stdout.contains(part), "{part} is not in {}", run.shown());
    }
    let status = place.run(&["status", "--runs", "--output=json"]).expect(0).json();
    assert_eq!(status[0]["outcome"], "interrupted");
}

#[tokio::test]
async fn a_second_signal_ends_the_program_at_once() {
    let (server, database) = (server(), OwnDatabase::new(Engine::Sqlite));
    let place = place_for(&database);
    let hold = hold_from(&server, 20);
    let mut running = start(&place, &server);
    assert!(running.reaches("/trail/19.json.gz"), "{}", running.end().shown());
    // While another program locks the database, the batch in flight cannot be finished.
    let mut other = sqlx::SqliteConnection::connect(&database.url).await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    drop(hold);
    assert!(running.reaches("debug: writing"), "{}", running.end().shown());
    running.signal("INT");
    assert!(running.reaches("warning: stopping: "), "{}", running.end().shown());
    running.signal("INT");
    let run = running.end().expect(130);
    assert!(run.stderr.contains("error: stopped at once: "), "{}", run.shown());
    assert_eq!(run.stdout, "");
    other.close().await.unwrap();
    start(&place, &server).end().expect(0);
    let ids = database.number("SELECT COUNT(DISTINCT eventID) FROM logs");
    assert_eq!((ids, database.number("SELECT COUNT(*) FROM logs")), (82, 82));
}

/// Starts a program that waits for answers which never come, and interrupts it: it must end while
/// they are still held back.
#[track_caller]
fn interrupt_while_held(args: &[&str], op: Op, calls_min: usize) -> Run {
    let (server, database) = (server(), OwnDatabase::new(Engine::Sqlite));
    let hold = server.hold(move |call| call.op == op);
    let endpoint_url = server.endpoint_url();
    let args = [&["--output=json", "import"], args, &["--endpoint-url", &endpoint_url]].concat();
    let mut running = place_for(&database).start(&[&args[..], &["s3://trail/"]].concat());
    wait::until("it waits for the answers", || hold.calls().len() >= calls_min);
    running.signal("INT");
    assert!(running.reaches("warning: stopping: "), "{}", running.end().shown());
    let run = running.end().expect(130);
    assert!(!run.stderr.contains("error"), "{}", run.shown());
    run
}

#[test]
fn an_interrupt_ends_a_fetch_that_hangs() {
    let run = interrupt_while_held(&["--fetchers=41"], Op::GetObject, OBJECTS);
    assert_balanced(&run);
    assert_eq!(objects(&run.json(), "pending"), OBJECTS as u64);
}

#[test]
fn an_interrupt_ends_a_dry_run_that_reads_its_sample() {
    let run = interrupt_while_held(&["--dry-run", "--fetchers=2"], Op::GetObject, 2);
    assert!(run.json()["estimate"].is_null(), "{}", run.shown());
}

#[test]
fn an_interrupt_ends_a_listing_that_hangs() {
    let run = interrupt_while_held(&[], Op::ListObjectsV2, 1);
    assert_eq!(run.json()["listed"]["objects"], 0, "{}", run.shown());
}

#[test]
fn an_interrupt_ends_the_search_for_a_bucket() {
    let run = interrupt_while_held(&[], Op::HeadBucket, 1);
    assert_eq!(run.stdout, "", "{}", run.shown());
}
