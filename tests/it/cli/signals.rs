//! Ctrl-C and SIGTERM in the middle of a load.

use std::time::Duration;

use serde_json::Value;

use crate::binary::{Place, Run, Running};
use crate::databases::{Engine, OwnDatabase};
use crate::logs::log_gz;
use crate::promises::promises;
use crate::s3_server::{ACCESS_KEY, Fault, Op, S3Server, SECRET_KEY};

const OBJECTS: usize = 41;

promises! { on all:
    a_stopped_run_loads_what_is_in_flight_and_the_same_command_resumes
}

/// Returns a slow server with 41 logs of two records.
fn slow_server() -> S3Server {
    let server = S3Server::start();
    for n in 0..OBJECTS {
        let ids = [format!("{n}a"), format!("{n}b")];
        server.put("trail", &format!("{n:02}.json.gz"), log_gz(&ids.each_ref().map(|id| &**id)));
    }
    server.set_latency(Duration::from_millis(50));
    server
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
        "--fetchers=2",
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
    let (server, database) = (slow_server(), OwnDatabase::new(engine));
    let place = place_for(&database);
    let mut loaded = 0;
    for signal in ["INT", "TERM"] {
        let mut running = start(&place, &server);
        assert!(running.reaches("debug: loaded s3://"), "{}", running.end().shown());
        running.signal(signal);
        let run = running.end().expect(130);
        assert!(run.stderr.contains("warning: stopping: "), "{}", run.shown());
        assert_balanced(&run);
        let summary = run.json();
        assert_eq!(summary["outcome"], "interrupted");
        assert!(objects(&summary, "pending") > 0, "it was not in the middle: {}", run.shown());
        assert_eq!(objects(&summary, "already_loaded"), loaded);
        loaded += objects(&summary, "loaded");
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
    let (server, database) = (slow_server(), OwnDatabase::new(Engine::Sqlite));
    let place = place_for(&database);
    let endpoint_url = server.endpoint_url();
    let args = ["-v", "import", "--batch-rows=3", "--endpoint-url", &endpoint_url, "s3://trail"];
    server.set_latency(Duration::from_millis(50));
    let mut running = place.start(&[&args[..], &["--fetchers=1"]].concat());
    assert!(running.reaches("debug: loaded s3://"), "{}", running.end().shown());
    running.signal("INT");
    let run = running.end().expect(130);
    for part in
        [" pending\n", "interrupted: ", "run the same command to continue", "missing indexes: "]
    {
        assert!(run.stdout.contains(part), "{part} is not in {}", run.shown());
    }
    let status = place.run(&["status", "--runs", "--output=json"]).expect(0).json();
    assert_eq!(status[0]["outcome"], "interrupted");
}

#[test]
fn a_second_signal_ends_the_program_at_once() {
    let (server, database) = (slow_server(), OwnDatabase::new(Engine::Sqlite));
    let place = place_for(&database);
    // One object never arrives, so that the objects in flight never finish.
    server.fail_on(Op::GetObject, "20.json.gz", Fault::Hang);
    let mut running = start(&place, &server);
    assert!(running.reaches("debug: loaded s3://trail/17.json.gz"), "{}", running.end().shown());
    running.signal("INT");
    assert!(running.reaches("warning: stopping: "), "{}", running.end().shown());
    running.signal("INT");
    let run = running.end().expect(130);
    assert!(run.stderr.contains("error: stopped at once: "), "{}", run.shown());
    assert_eq!(run.stdout, "");
    server.heal();
    start(&place, &server).end().expect(0);
    let ids = database.number("SELECT COUNT(DISTINCT eventID) FROM logs");
    assert_eq!((ids, database.number("SELECT COUNT(*) FROM logs")), (82, 82));
}
