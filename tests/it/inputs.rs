//! What people have instead of log files, through the program: exports, standard input, and files that
//! hold no records.

use std::fmt::Write as _;

use crate::binary::Place;
use crate::databases::{Engine, OwnDatabase};
use crate::logs::{gz, log_gz, record, wrapper};

/// The columns that an export's envelope does not change.
const COLUMNS: &str = "SELECT eventVersion, userIdentity, eventTime, eventSource, eventName, \
    awsRegion, sourceIPAddress, userAgent, requestParameters, requestID, eventID, eventType, \
    recipientAccountId, eventAt FROM logs ORDER BY eventID";

type Rows = Vec<Vec<Option<String>>>;

/// Imports a file into a database of its own; returns the rows.
fn rows_of(name: &str, bytes: &[u8]) -> Rows {
    let database = OwnDatabase::new(Engine::Sqlite);
    let place = Place::with_database(&database.url);
    place.write(name, bytes);
    let run = place.run(&["import", "--no-index", name]).expect(0);
    assert!(run.stderr.lines().count() == 1, "{name}: {}", run.shown());
    database.query(COLUMNS)
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

fn looked_up(record: &str) -> String {
    format!(r#"{{"EventId":"x","Resources":[],"CloudTrailEvent":{}}}"#, quoted(record))
}

/// The shapes: a name that a person would give the file, and its content.
fn exports(records: &[String]) -> Vec<(&'static str, Vec<u8>)> {
    let each = |with: &dyn Fn(&String) -> String, between: &str| {
        records.iter().map(with).collect::<Vec<_>>().join(between)
    };
    let on_bus = |record: &String| {
        format!(
            r#"{{"version":"0","detail-type":"AWS API Call via CloudTrail","detail":{record}}}"#
        )
    };
    let message = |record: &String| {
        format!(r#"{{"id":"1","timestamp":1688990400000,"message":{}}}"#, quoted(record))
    };
    let subscription = |record: &String| {
        format!(
            r#"{{"messageType":"DATA_MESSAGE","logGroup":"g","logEvents":[{}]}}"#,
            message(record)
        )
    };
    let insight =
        |record: &String| format!(r#"[{{"field":"@message","value":{}}}]"#, quoted(record));
    let members = records.iter().flat_map(|record| gz(subscription(record).as_bytes()));
    let event_json = |record: &String| format!(r#"[{{"eventJson":{}}}]"#, quoted(record));
    let cell = |record: &String| format!("\"{}\"\n", record.replace('"', "\"\""));
    let looked = each(&|record| looked_up(record), ",");
    let lines = each(&|record| format!("2023-07-10T12:00:00.000Z {record}\n"), "");
    vec![
        ("lookup.json", format!("{{\n  \"Events\": [{looked}]\n}}\n").into_bytes()),
        ("lookup.jsonl", each(&|record| looked_up(record), "\r\n").into_bytes()),
        ("strings.txt", format!("[{}]", each(&|record| quoted(record), ",")).into_bytes()),
        ("bus.json", each(&on_bus, "").into_bytes()),
        ("subscription", members.collect()),
        ("000000.gz", gz(lines.as_bytes())),
        ("filter.json", format!(r#"{{"events":[{}]}}"#, each(&message, ",")).into_bytes()),
        ("insights.json", format!(r#"{{"results":[{}]}}"#, each(&insight, ",")).into_bytes()),
        (
            "lake.json",
            format!(r#"{{"QueryResultRows":[{}]}}"#, each(&event_json, ",")).into_bytes(),
        ),
        ("result_1.csv.gz", gz(format!("eventJson\n{}", each(&cell, "")).as_bytes())),
    ]
}

#[test]
fn the_rows_of_an_export_are_those_of_a_log_file() {
    // More than a batch has by default, and no multiple of anything.
    let records: Vec<String> = (0..3_001).map(|n| record(&format!("{n} \"é😀\\"))).collect();
    let plain = rows_of("plain.json.gz", &gz(&wrapper(&records)));
    assert_eq!(plain.len(), records.len());
    for (name, export) in exports(&records) {
        assert!(rows_of(name, &export) == plain, "{name}");
    }
}

#[test]
fn the_exports_in_a_folder_are_loaded_once() {
    let place = Place::new();
    let exports = exports(&[record("a"), record("b")]);
    for (name, bytes) in &exports {
        place.write(format!("logs/{name}"), bytes);
    }
    let run = place.run(&["--output=json", "import", "logs"]).expect(0);
    assert_eq!(run.json()["rows"], 2 * exports.len(), "{}", run.shown());
    let again = place.run(&["--output=json", "import", "logs"]).expect(0);
    assert_eq!(again.json()["already_loaded"]["objects"], exports.len(), "{}", again.shown());
}

#[test]
fn a_record_of_an_export_is_found_in_its_file() {
    let place = Place::new();
    let export = format!(
        r#"{{"Events":[{},17,{}]}}"#,
        looked_up(&record("a")),
        looked_up(&record("b")).replace("[]", r#"[{"ResourceName":"vault"}]"#)
    );
    place.write("lookup.json", export);
    place.run(&["import", "lookup.json"]).expect(3);
    let run = place.run(&["record", "b"]).expect(0);
    assert!(
        run.stdout.contains("lookup.json, record 2 (from 0; the file has 3)"),
        "{}",
        run.shown()
    );
    assert!(run.stdout.contains("\"userName\": \"alice\""), "{}", run.shown());
    assert!(run.stdout.contains("\"ResourceName\": \"vault\""), "{}", run.shown());
    let rejected = place.run(&["status", "--rejected"]).expect(0);
    assert!(rejected.stdout.contains("not an object, but a number"), "{}", rejected.shown());
}

#[test]
fn a_named_file_without_records_is_a_loss_and_one_in_a_folder_is_named() {
    let place = Place::new();
    place.write("logs/a.json.gz", log_gz(&["a"]));
    for n in 0..7 {
        place.write(format!("logs/config {n}.json"), r#"{"configurationItems":[]}"#);
    }
    place.write("logs/digest.json", r#"{"digestS3Object":"x","digestEndTime":"y"}"#);
    let run = place.run(&["import", "logs"]).expect(0);
    for n in 0..5 {
        let line = format!("/logs/config {n}.json: config-items\n");
        assert!(run.stdout.contains(&line), "{}", run.shown());
    }
    let more = "skipped 2 more objects (see `cloudtrail2sql status --skipped`)";
    assert!(run.stdout.contains(more) && !run.stdout.contains("digest.json"), "{}", run.shown());

    place.write("alert.json", r#"{"rule":"x","data":{"eventVersion":"1.08","eventID":"a"}}"#);
    // The second time, the ledger knows it, and the answer is the same.
    for _ in 0..2 {
        let run = place.run(&["import", "logs/a.json.gz", "alert.json"]).expect(3);
        let error = "alert.json\n  caused by: it has no CloudTrail records (kind `other-json`)";
        assert!(run.stderr.contains(error), "{}", run.shown());
        assert!(run.stdout.contains("nothing loaded: 1 named file ("), "{}", run.shown());
    }
    let skipped = place.run(&["status", "--skipped", "--limit=2"]).expect(0);
    let lines: Vec<&str> = skipped.stdout.lines().collect();
    assert_eq!(lines.len(), 4, "{}", skipped.shown());
    assert!(lines[0].ends_with("/alert.json") && lines[1].starts_with("  other-json ("));
    assert!(lines[2].ends_with("/logs/config 0.json"), "{}", skipped.shown());
    let json = place.run(&["--output=json", "status", "--skipped"]).expect(0).json();
    let kinds: Vec<_> = json.as_array().unwrap().iter().map(|it| it["kind"].clone()).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == "config-items").count(), 7);
    assert_eq!(kinds.iter().filter(|kind| **kind == "digest").count(), 1);
}

#[test]
fn standard_input_is_loaded_once_by_its_content() {
    let place = Place::new();
    for (bytes, rows) in [
        (log_gz(&["a", "b"]), 2),
        (wrapper(&[record("c")]), 1),
        (looked_up(&record("d")).into_bytes(), 1),
    ] {
        let run = place.feed(&["--output=json", "import", "-"], &bytes).expect(0);
        assert_eq!(run.json()["rows"], rows, "{}", run.shown());
        let again = place.feed(&["--output=json", "import", "-"], &bytes).expect(0);
        assert_eq!(again.json()["already_loaded"]["objects"], 1, "{}", again.shown());
    }
    let run = place.run(&["record", "a"]).expect(0);
    let uri = run.stdout.lines().next().unwrap().to_owned();
    assert!(uri.starts_with("stdin:") && uri.len() == "stdin:".len() + 64, "{}", run.shown());
    let forgotten = place.run(&["--output=json", "forget", &uri]).expect(0);
    assert_eq!(forgotten.json()["forgotten"]["rows"], 2, "{}", forgotten.shown());
    // A file of that name is another source.
    place.write("-", log_gz(&["x"]));
    let run = place.run(&["--output=json", "import", "./-"]).expect(0);
    assert_eq!(run.json()["rows"], 1, "{}", run.shown());
}

#[test]
fn standard_input_can_be_combined_counted_and_refused() {
    let place = Place::new();
    place.write("a.json", wrapper(&[record("a")]));
    let input = log_gz(&["b", "c"]);
    let dry = place.feed(&["import", "--dry-run", "-", "a.json"], &input).expect(0);
    assert!(dry.stdout.contains("estimate from 2 objects: 3 rows"), "{}", dry.shown());
    let run = place.feed(&["--output=json", "import", "-", "a.json"], &input).expect(0);
    assert_eq!(run.json()["rows"], 3, "{}", run.shown());
    for (args, error) in [
        (&["import", "-", "-"][..], "standard input can only be read once"),
        (&["import", "--shard=1/2", "-"], "`--shard` cannot divide standard input"),
    ] {
        let run = place.feed(args, &input).expect(2);
        assert!(run.stderr.contains(error), "{}", run.shown());
    }
    let run = place.feed(&["import", "-"], b"").expect(3);
    assert!(run.stderr.contains("the file is empty"), "{}", run.shown());
    let run = place.feed(&["import", "-"], b"some text").expect(3);
    assert!(run.stderr.contains("neither gzip nor JSON"), "{}", run.shown());
    let large = vec![b' '; (1 << 20) + 1];
    let run = place.feed(&["import", "--max-object-size=1MiB", "-"], &large).expect(1);
    assert!(run.stderr.contains("standard input has more than 1048576 bytes"), "{}", run.shown());
}

/// The columns of the Event history, and the hint where a table has no whole records.
#[test]
fn csv_is_loaded_or_refused_with_what_to_do() {
    let mut csv =
        "User name,AWS access key,Event time,Event source,Event name,AWS region,Source IP \
        address,User agent,Error code,Resources,Request ID,Event ID,Read-only,Event type,Recipient \
        Account Id,Event category\n"
            .to_owned();
    for n in 0..3 {
        writeln!(
            csv,
            "al,,2021-11-30T10:21:4{n}Z,s3.amazonaws.com,GetObject,us-east-1,192.0.2.1,\"a, b\",,[],r,{n},true,AwsApiCall,1,Management"
        )
        .unwrap();
    }
    let rows =
        rows_of("event_history.csv", format!("\u{feff}{}", csv.replace('\n', "\r\n")).as_bytes());
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[2][1].as_deref(), Some(r#"{"userName":"al"}"#));
    assert_eq!(rows[2][13].as_deref(), Some("2021-11-30 10:21:42"));

    let place = Place::new();
    place.write("athena.csv", "\"eventversion\",\"eventtime\",\"eventname\"\n\"1\",\"2\",\"3\"\n");
    let run = place.run(&["import", "athena.csv"]).expect(3);
    assert!(run.stderr.contains("select the column `eventJson` in the query"), "{}", run.shown());
}
