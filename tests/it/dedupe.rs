//! `dedupe`: events that are there more than once lose all rows but the first, whatever happens meanwhile,
//! and the ledger's equations stay true.

mod disturbed;
mod forgotten;
mod refused;

use std::path::Path;

use cloudtrail2sql::answers::{Flag, questions};
use serde_json::{Value, json};

use crate::binary::{Place, Run};
use crate::databases::{Engine, OwnDatabase, promises};
use crate::logs::{record, record_with, wrapper};

promises! { on all:
    two_copies_of_the_sample_end_like_one
    an_overlap_is_removed_and_nothing_else
    only_rows_with_the_same_id_and_content_are_duplicates
    the_row_of_the_earliest_run_is_kept
}

promises! { on [sqlite postgres]:
    an_event_with_more_rows_than_memory_holds_loses_all_but_one
}

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sample");

/// How many records the sample has.
const SAMPLE_ROWS: u64 = 1_234;

/// Each of these counts must be 0.
const EQUATIONS: [&str; 4] = [
    "SELECT COUNT(*) FROM import_objects \
     WHERE record_count <> row_count + reject_count + COALESCE(duplicate_count, 0)",
    "SELECT (SELECT COUNT(*) FROM logs) - (SELECT COALESCE(SUM(row_count), 0) FROM import_objects)",
    "SELECT COUNT(*) FROM import_objects o WHERE row_count <> \
     (SELECT COUNT(*) FROM logs l WHERE l.objectId = o.number)",
    "SELECT COUNT(*) FROM (SELECT l.objectId AS number FROM logs l LEFT JOIN import_objects o \
     ON o.number = l.objectId WHERE o.number IS NULL) orphans",
];

#[track_caller]
fn assert_balanced(database: &OwnDatabase) {
    for equation in EQUATIONS {
        let integer = if database.engine.is_mysql() { "SIGNED" } else { "BIGINT" };
        let difference = database.number(&format!("SELECT CAST(({equation}) AS {integer})"));
        assert_eq!(difference, 0, "{equation}");
    }
}

/// Copies the sample into a folder of the place.
fn copy_sample(place: &Place, folder: &str) {
    for entry in walkdir::WalkDir::new(SAMPLE) {
        let entry = entry.unwrap();
        if entry.file_type().is_file() {
            let name = entry.path().strip_prefix(SAMPLE).unwrap();
            let bytes = std::fs::read(entry.path()).unwrap();
            place.write(Path::new(folder).join(name), bytes);
        }
    }
}

/// Runs `dedupe`, and checks what it leaves.
#[track_caller]
fn dedupe(place: &Place, database: &OwnDatabase, args: &[&str], code: i32) -> Value {
    let run = place.run(&[&["--output=json", "dedupe"], args].concat()).expect(code);
    assert_balanced(database);
    run.json()
}

/// Returns how many events and rows are counted.
fn counts(report: &Value) -> (u64, u64) {
    (report["events"].as_u64().unwrap(), report["rows"].as_u64().unwrap())
}

/// Returns the answer to every question.
fn answers(place: &Place) -> Vec<(&'static str, String)> {
    let answer = |question: &cloudtrail2sql::answers::Question| {
        let mut args = vec!["--quiet", "query", question.name, "--output=jsonl"];
        if let Some(flag) = question.needs {
            args.push(flag.as_str());
            args.push(match flag {
                Flag::Since => "2026-01-15T00:30:00Z",
                Flag::Username => "keiko",
                Flag::AccessKeyId => "AKIAIOSFODNN7EXAMPLE",
                Flag::ResourceName => "acme-data",
                Flag::SourceIp => "198.51.100.7",
                Flag::Limit | Flag::By => unreachable!("no question needs it"),
            });
        }
        (question.name, place.run(&args).expect(0).stdout)
    };
    questions().iter().map(answer).collect()
}

fn two_copies_of_the_sample_end_like_one(engine: Engine) {
    let (once, twice) = (OwnDatabase::new(engine), OwnDatabase::new(engine));
    let mut place = Place::with_database(&once.url);
    copy_sample(&place, "a");
    copy_sample(&place, "b");
    place.run(&["--quiet", "import", "a"]).expect(0);
    let (rows, expected) = (once.contents().rows, answers(&place));
    place.set("DATABASE_URL", &twice.url);
    place.run(&["--quiet", "import", "a", "b"]).expect(0);
    assert_eq!(twice.number("SELECT COUNT(*) FROM logs"), 2 * SAMPLE_ROWS);
    let before = twice.contents();

    let report = dedupe(&place, &twice, &[], 0);
    assert_eq!(counts(&report), (SAMPLE_ROWS, SAMPLE_ROWS), "{report}");
    let folders = json!([{
        "folder": place.path("b"), "kept_folder": place.path("a"), "rows": SAMPLE_ROWS
    }]);
    assert_eq!(report["folders"], folders);
    assert_eq!(report["deleted"], false);
    assert_eq!(twice.contents(), before, "it was only to count");
    let status = place.run(&["status"]).expect(0);
    assert!(!status.stdout.contains("duplicates"), "{}", status.shown());

    let removed = dedupe(&place, &twice, &["--delete"], 0);
    for key in ["events", "rows", "objects", "folders", "differing_events", "left"] {
        assert_eq!(removed[key], report[key], "{key}");
    }
    assert_eq!(twice.contents().rows, rows);
    assert_eq!(counts(&dedupe(&place, &twice, &["--delete"], 0)), (0, 0));
    assert_eq!(answers(&place), expected);
    // All rows of one folder are kept, and none of the other.
    let of_b = "SELECT COUNT(*) FROM import_objects \
         WHERE uri LIKE '%/b/%' AND duplicate_count IS NOT NULL AND row_count > 0";
    assert_eq!(twice.number(of_b), 0);

    let again = place.run(&["--output=json", "import", "a", "b"]).expect(0).json();
    assert_eq!(again["loaded"]["objects"], 0);
    assert_eq!(twice.contents().rows, rows);
    let status = place.run(&["status"]).expect(0);
    assert!(status.stdout.contains("duplicates removed"), "{}", status.shown());
    let status = place.run(&["--output=json", "status"]).expect(0).json();
    assert_eq!(status["duplicates_removed"], SAMPLE_ROWS);
    // What kept no row can be forgotten without loss.
    let forgotten = place.run(&["--output=json", "forget", "b"]).expect(0).json();
    assert_eq!(forgotten["loaded_again"], 0);
    assert_eq!(twice.contents().rows, rows);
}

/// Returns the `eventID`s of all rows, with the name of the file of each.
fn rows(database: &OwnDatabase) -> Vec<String> {
    let rows = database.query(
        "SELECT l.eventID, o.uri FROM logs l LEFT JOIN import_objects o ON o.number = l.objectId",
    );
    let file = |uri: &str| uri.rsplit('/').next().unwrap().trim_end_matches(".json").to_owned();
    let mut rows: Vec<String> = rows
        .iter()
        .map(|row| {
            let object = row[1].as_deref().map_or("none".to_owned(), file);
            format!("{} {object}", row[0].as_deref().unwrap_or("NULL"))
        })
        .collect();
    rows.sort();
    rows
}

/// Writes a log of these events.
fn write(place: &Place, name: &str, event_ids: &[&str]) {
    let records: Vec<String> = event_ids.iter().map(|id| record(id)).collect();
    place.write(name, wrapper(&records));
}

fn an_overlap_is_removed_and_nothing_else(engine: Engine) {
    let database = OwnDatabase::new(engine);
    let place = Place::with_database(&database.url);
    write(&place, "logs/1/a.json", &["1", "2", "3", "3"]);
    write(&place, "logs/2/b.json", &["3", "4", "it's"]);
    write(&place, "logs/2/c.json", &["2", "4", "5 ", "5"]);
    place.write("logs/2/d.json", wrapper(&[record("it's"), "17".to_owned()]));
    place.run(&["--quiet", "import", "logs"]).expect(3);
    let report = dedupe(&place, &database, &[], 0);
    assert_eq!((counts(&report), &report["objects"]), ((4, 5), &json!(4)), "{report}");
    let text = place.run(&["dedupe", "--delete"]).expect(0).stdout;
    let folder = |name: &str| place.path(name).display().to_string();
    for line in [
        "         events  rows  objects".to_owned(),
        "removed       4     5        4".to_owned(),
        format!("2 rows of {}, kept in {}", folder("logs/2"), folder("logs/1")),
        format!("2 rows repeated in {}", folder("logs/2")),
        format!("1 row repeated in {}", folder("logs/1")),
    ] {
        assert!(text.lines().any(|it| it == line), "{line} is not in\n{text}");
    }
    assert_balanced(&database);
    assert_eq!(rows(&database), ["1 a", "2 a", "3 a", "4 b", "5  c", "5 c", "it's b"]);
    assert_eq!(database.number("SELECT COUNT(*) FROM import_rejects"), 1);
}

fn only_rows_with_the_same_id_and_content_are_duplicates(engine: Engine) {
    let database = OwnDatabase::new(engine);
    let place = Place::with_database(&database.url);
    let shared = |id: &str| record_with(id, "\"sharedEventID\":\"s\"");
    let without_id = record("x").replace("\"eventID\":\"x\",", "");
    assert_ne!(without_id, record("x"));
    place.write(
        "logs/a.json",
        wrapper(&[
            record_with("other", "\"readOnly\":true"),
            record_with("column", "\"errorCode\":\"A\""),
            record_with("case", "\"errorCode\":\"a\""),
            record_with("null", "\"errorCode\":null"),
            shared("s1"),
            without_id.clone(),
            record("same"),
            record_with("three", "\"n\":1"),
        ]),
    );
    place.write(
        "logs/b.json",
        wrapper(&[
            record_with("other", "\"readOnly\":false"),
            record_with("column", "\"errorCode\":\"B\""),
            record_with("case", "\"errorCode\":\"A\""),
            record_with("null", "\"errorCode\":\"\""),
            shared("s2"),
            without_id,
            record("same"),
            record_with("three", "\"n\":2"),
            record_with("three", "\"n\":3"),
            record_with("three", "\"n\":1"),
        ]),
    );
    place.run(&["--quiet", "import", "logs"]).expect(0);
    let report = dedupe(&place, &database, &[], 0);
    assert_eq!(counts(&report), (2, 2), "{report}");
    let differing = |report: &Value| {
        let events = report["differing"].as_array().unwrap().clone();
        let event = |it: &Value| format!("{} {}", it["event_id"].as_str().unwrap(), it["contents"]);
        events.iter().map(event).collect::<Vec<_>>()
    };
    let expected = ["case 2", "column 2", "null 2", "other 2", "three 3"];
    assert_eq!(
        (differing(&report), &report["differing_events"]),
        (expected.map(str::to_owned).into(), &json!(5))
    );
    let removed = dedupe(&place, &database, &["--delete", "--limit=2"], 0);
    assert_eq!(counts(&removed), (2, 2));
    assert_eq!(differing(&removed), ["case 2", "column 2"]);
    assert_eq!(removed["differing_events"], 5);
    assert_eq!(database.number("SELECT COUNT(*) FROM logs"), 16);
    assert_eq!(database.number("SELECT COUNT(*) FROM logs WHERE eventID IS NULL"), 2);
    let text = place.run(&["dedupe"]).expect(0).stdout;
    let warning =
        "warning: the rows of 5 events have the same eventID and different content, and stay";
    assert!(text.contains(warning) && text.contains("\n  three: 3 contents\n"), "{text}");
}

fn the_row_of_the_earliest_run_is_kept(engine: Engine) {
    let database = OwnDatabase::new(engine);
    let place = Place::with_database(&database.url);
    write(&place, "logs/z.json", &["1", "2"]);
    write(&place, "logs/a.json", &["1", "2", "3"]);
    write(&place, "logs/B.json", &["3"]);
    place.run(&["--quiet", "import", "logs/z.json"]).expect(0);
    place.run(&["--quiet", "import", "logs"]).expect(0);
    dedupe(&place, &database, &["--delete"], 0);
    assert_eq!(rows(&database), ["1 z", "2 z", "3 B"]);
    // A later copy of what was removed once.
    write(&place, "logs/c.json", &["3", "1", "4"]);
    place.run(&["--quiet", "import", "logs"]).expect(0);
    assert_eq!(counts(&dedupe(&place, &database, &["--delete"], 0)), (2, 2));
    assert_eq!(rows(&database), ["1 z", "2 z", "3 B", "4 c"]);
    let counts = "SELECT uri, row_count, duplicate_count FROM import_objects ORDER BY uri";
    let counts: Vec<String> = database
        .query(counts)
        .iter()
        .map(|row| {
            let cell = |n: usize| row[n].as_deref().unwrap_or("NULL");
            format!("{} {} {}", &cell(0)[cell(0).len() - 6..], cell(1), cell(2))
        })
        .collect();
    let mut expected = ["B.json 1 NULL", "a.json 0 3", "c.json 1 2", "z.json 2 NULL"];
    expected.sort_by_key(|line| counts.iter().position(|it| it == line));
    assert_eq!(counts, expected);
}

fn an_event_with_more_rows_than_memory_holds_loses_all_but_one(engine: Engine) {
    // The limit is 50,000.
    const COPIES: u64 = 60_001;
    let database = OwnDatabase::new(engine);
    let place = Place::with_database(&database.url);
    let mut records = vec![record("many"); COPIES.try_into().unwrap()];
    records.push(record_with("many", "\"n\":1"));
    records.extend([record("zz"), record("zz")]);
    place.write("logs/b.json", wrapper(&records));
    write(&place, "logs/a.json", &["many"]);
    place.run(&["--quiet", "import", "logs"]).expect(0);
    assert_eq!(counts(&dedupe(&place, &database, &[], 0)), (2, COPIES + 1));
    let removed = dedupe(&place, &database, &["--delete"], 0);
    assert_eq!(counts(&removed), (2, COPIES + 1), "{removed}");
    assert_eq!(rows(&database), ["many a", "many b", "zz b"]);
}

/// Returns the number of rows that a run of `dedupe` has removed.
fn removed_by(run: &Run) -> u64 {
    run.json()["rows"].as_u64().unwrap()
}
