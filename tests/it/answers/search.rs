//! The command `search`: the newest events first, in pages, as rows or as whole records.

use serde_json::Value;

use crate::answers::{SAMPLE, imported};
use crate::binary::Place;
use crate::databases::{Engine, OwnDatabase, promises};
use crate::logs::{record, record_with, wrapper};
use crate::model::records_below;

promises! { on servers:
    a_search_finds_what_sqlite_finds
}

promises! { on all:
    pages_are_the_newest_events_and_leave_none_out
    records_are_those_of_the_files
}

fn a_search_finds_what_sqlite_finds(engine: Engine) {
    let (database, reference) = (OwnDatabase::new(engine), OwnDatabase::new(Engine::Sqlite));
    assert_same_searches(&imported(&database), &imported(&reference));
}

/// Searches at two places, which must find the same.
#[track_caller]
pub fn assert_same_searches(place: &Place, reference: &Place) {
    for filters in [
        &[][..],
        &["--since", "2026-01-15T00:30:00Z", "--until", "2026-01-15T01:00:00Z"],
        &["--username", "Alice"],
        &["--event-name", "GetObject", "--region", "us-east-1"],
        &["--event-source", "iam.amazonaws.com"],
        &["--access-key-id", "AKIAALICE"],
        &["--resource-name", "i-"],
        &["--account-id", "444455556666"],
        &["--source-ip", "198.51.100.7"],
        &["--errors-only"],
        &["--errors-only", "--event-source", "s3.amazonaws.com"],
    ] {
        for form in ["csv", "jsonl"] {
            let args = ["--quiet", "search", "--limit", "1000000", "--output", form];
            let args = [&args[..], filters].concat();
            let found = place.run(&args).expect(0).stdout;
            let heads = usize::from(form == "csv");
            assert!(found.lines().count() > heads, "{filters:?} finds nothing");
            assert_eq!(found, reference.run(&args).expect(0).stdout, "{filters:?}");
        }
    }
}

#[test]
fn only_errors_are_found_on_request() {
    let database = OwnDatabase::new(Engine::Sqlite);
    let place = imported(&database);
    let errors = |args: &[&str]| {
        let args = [&["--quiet", "search", "--output=jsonl", "--limit=100000"], args].concat();
        let found = place.run(&args).expect(0).stdout;
        let record = |line: &str| serde_json::from_str::<Value>(line).unwrap();
        let has_error = |line: &str| !record(line)["errorCode"].is_null();
        (found.lines().filter(|line| has_error(line)).count(), found.lines().count())
    };
    let (errors_of_all, all) = errors(&[]);
    assert!(0 < errors_of_all && errors_of_all < all);
    assert_eq!(errors(&["--errors-only"]), (errors_of_all, errors_of_all));
}

/// Returns the ids that a search finds, in order.
fn found(place: &Place, args: &[&str]) -> (Vec<String>, String) {
    let run = place.run(&[&["search", "--output", "jsonl"], args].concat()).expect(0);
    let id = |line: &str| {
        let record: Value = serde_json::from_str(line).unwrap();
        record["eventID"].as_str().unwrap().to_owned()
    };
    (run.stdout.lines().map(id).collect(), run.stderr)
}

fn pages_are_the_newest_events_and_leave_none_out(engine: Engine) {
    let database = OwnDatabase::new(engine);
    let place = Place::with_database(&database.url);
    let at = |id: &str, time: &str| record_with(id, &format!("\"eventTime\":\"{time}\""));
    place.write(
        "logs/a.json",
        wrapper(&[
            at("1", "2023-07-10T11:00:00Z"),
            at("untimed", "yesterday"),
            at("4", "2023-07-10T11:00:03Z"),
            at("2b", "2023-07-10T11:00:01Z"),
            at("2a", "2023-07-10T11:00:01Z"),
            at("0", "1999-12-31T23:59:59Z"),
            at("3", "2023-07-10T11:00:02.5Z"),
        ]),
    );
    place.run(&["--quiet", "import", "--no-index", "logs"]).expect(0);
    let all = ["4", "3", "2a", "2b", "1", "0", "untimed"];
    let (ids, log) = found(&place, &[]);
    assert_eq!(ids, all);
    assert!(log.contains("missing indexes: "), "{log}");
    assert!(!log.contains("older ones"), "{log}");
    place.run(&["--quiet", "index"]).expect(0);

    // Each page begins with the second that the last one ended in.
    let mut pages = Vec::new();
    let mut until = Vec::new();
    loop {
        let args = [&["--limit", "3"], &until.iter().map(String::as_str).collect::<Vec<_>>()[..]];
        let (ids, log) = found(&place, &args.concat());
        pages.push(ids);
        let Some((_, next)) = log.split_once("older ones: `--until ") else { break };
        until = vec!["--until".to_owned(), next.split_once('`').unwrap().0.to_owned()];
    }
    assert_eq!(pages, [vec!["4", "3", "2a"], vec!["2a", "2b", "1"], vec!["1", "0"]]);
    assert_eq!(found(&place, &["--limit", "7"]).0, all);
    assert_eq!(found(&place, &["--since", "1990-01-01"]).0, all[..6]);

    let (ids, log) = found(&place, &["--account-id", "111122223333", "--limit", "1"]);
    assert_eq!(ids, ["4"]);
    assert!(log.contains("no index serves --account-id: all events are read"), "{log}");
    let (_, log) = found(&place, &["--account-id", "111122223333", "--event-name", "GetObject"]);
    assert!(!log.contains("no index"), "{log}");
}

fn records_are_those_of_the_files(engine: Engine) {
    let database = OwnDatabase::new(engine);
    let place = Place::with_database(&database.url);
    place.write(
        "logs/a.json",
        "{\"Records\":[\n{\"eventVersion\":\"1\",\"eventID\":\"x\",\n\"requestParameters\":\n{\"a\":\n1e5}}]}",
    );
    place.run(&["--quiet", "import", "logs", SAMPLE]).expect(0);
    let mut expected = records_below(SAMPLE.as_ref());
    expected.extend(records_below(&place.path("logs")));
    let search = ["--quiet", "search", "--limit", "1000000", "--output"];
    let lines = place.run(&[&search[..], &["jsonl"]].concat()).expect(0).stdout;
    let mut found: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let array = place.run(&[&search[..], &["json"]].concat()).expect(0).json();
    assert_eq!(*array.as_array().unwrap(), found);
    let key = |record: &Value| record.to_string();
    expected.sort_by_cached_key(key);
    found.sort_by_cached_key(key);
    assert!(found == expected, "{} records, {} expected", found.len(), expected.len());
}

#[test]
fn no_event_is_an_empty_answer() {
    let place = Place::new();
    place.write("logs/a.json", wrapper(&[record("a")]));
    place.run(&["--quiet", "import", "logs"]).expect(0);
    for (form, expected) in [
        ("text", "no rows\n"),
        ("json", "[]\n"),
        ("jsonl", ""),
        (
            "tsv",
            "event_time\tuser_name\tevent_source\tevent_name\tregion\tsource_ip\tresource_arn\t\
             error_code\tevent_id\n",
        ),
    ] {
        let run = place.run(&["--quiet", "search", "--username", "nobody", "--output", form]);
        assert_eq!(run.expect(0).stdout, expected, "{form}");
    }
    let sql = place.run(&["search", "--event-name", "a'b", "--sql"]).expect(0).stdout;
    assert!(sql.contains("FROM events") && sql.contains("event_name = 'a''b'"), "{sql}");
}
