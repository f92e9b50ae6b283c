//! The data model: a record survives its row, no record breaks a query, and every row names its object.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use cloudtrail2sql::trail::gzip::decode;
use serde_json::Value;

use crate::binary::Place;
use crate::databases::{Engine, OwnDatabase, Table, promises};
use crate::logs::{gz, record, record_with, wrapper};

promises! { on all:
    a_record_survives_its_row
    no_record_breaks_a_query
    two_objects_with_one_number_get_two
    what_is_forgotten_is_gone_and_can_be_imported_again
    rows_of_the_first_schema_are_counted_and_left
    a_changed_object_is_replaced_on_request
    without_other_fields_the_table_is_the_tutorials
    a_record_is_printed_with_its_file
    the_printed_schema_makes_the_tables_of_an_import
}

/// The folder whose records make the round trip. Another one can be named, such as logs of one's own or
/// those that the example `generate` makes.
const FOLDER_VARIABLE: &str = "ROUND_TRIP_FOLDER";

/// Returns every record below a folder, read without the program's parser.
pub fn records_below(folder: &Path) -> Vec<Value> {
    let mut records = Vec::new();
    for entry in walkdir::WalkDir::new(folder).sort_by_file_name() {
        let entry = entry.unwrap();
        if !entry.file_type().is_file() {
            continue;
        }
        let stored = std::fs::read(entry.path()).unwrap();
        let Ok(json) = decode(&stored, 1 << 30) else { continue };
        let documents = serde_json::Deserializer::from_slice(&json).into_iter::<Value>();
        for document in documents.map_while(Result::ok) {
            match document {
                Value::Array(elements) => records.extend(elements),
                Value::Object(mut members) => match members.remove("Records") {
                    Some(Value::Array(elements)) => records.extend(elements),
                    _ => records.push(Value::Object(members)),
                },
                _ => {}
            }
        }
    }
    records.retain(|record| record.get("eventVersion").is_some());
    records
}

/// Returns the columns of a row that a record is rebuilt from, in the order of `rebuild`.
fn columns() -> String {
    let columns = cloudtrail2sql::trail::fields::COLUMNS;
    format!("{}, otherFields", columns.join(", "))
}

/// Rebuilds the records of all rows.
fn rebuilt(database: &OwnDatabase) -> Vec<Value> {
    let rows = database.query(&format!("SELECT {} FROM logs", columns()));
    let rebuild = |row: &Vec<Option<String>>| {
        let (other_fields, cells) = row.split_last().unwrap();
        let cells: Vec<Option<&str>> = cells.iter().map(Option::as_deref).collect();
        let cells = cells.try_into().unwrap();
        let json = cloudtrail2sql::trail::record::rebuild(&cells, other_fields.as_deref());
        serde_json::from_str(&json).unwrap()
    };
    rows.iter().map(rebuild).collect()
}

fn a_record_survives_its_row(engine: Engine) {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sample");
    let folder = std::env::var(FOLDER_VARIABLE).map_or(sample, PathBuf::from);
    let database = OwnDatabase::new(engine);
    let place = Place::with_database(&database.url);
    place.run(&["--quiet", "import", folder.to_str().unwrap()]);
    let count = |records: Vec<Value>| {
        let mut counts: BTreeMap<String, u32> = BTreeMap::new();
        // Maps of `serde_json` are sorted, so equal values have one text.
        for record in records {
            *counts.entry(record.to_string()).or_default() += 1;
        }
        counts
    };
    let (expected, found) = (count(records_below(&folder)), count(rebuilt(&database)));
    assert!(expected.len() > 1_000, "only {} records in {}", expected.len(), folder.display());
    let missing: Vec<_> = expected.iter().filter(|(it, n)| found.get(*it) != Some(n)).collect();
    let replaced = database.number("SELECT SUM(altered_count) FROM import_objects");
    assert!(
        missing.len() as u64 <= replaced,
        "{} of {} records came back otherwise; the first is {:?}",
        missing.len(),
        expected.len(),
        missing[0]
    );
    // `identities` has the text of each row's identity.
    let differing = "SELECT COUNT(*) FROM logs l LEFT JOIN identities i ON i.id = l.identityId \
         WHERE l.userIdentity IS NOT NULL AND (i.user_identity IS NULL \
         OR i.user_identity <> l.userIdentity)";
    assert_eq!(database.number(differing), 0);
    let unnamed = "SELECT COUNT(*) FROM logs l LEFT JOIN import_objects o ON o.number = l.objectId \
         WHERE o.number IS NULL";
    assert_eq!(database.number(unnamed), 0);
}

/// Records that are valid JSON, each of which would break a query on some database.
pub fn poison() -> Vec<String> {
    let deep = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    let values = [
        r#"{"k":"a\u0000b"}"#.to_owned(),
        r#"{"k":"\ud800","\udc00":1}"#.to_owned(),
        r#"{"k":1e400000}"#.to_owned(),
        r#"{"k":1,"k":2}"#.to_owned(),
        r#"{"k":"é😀\ud83d\ude00","'\"":"\\"}"#.to_owned(),
        deep(30),
        deep(31),
        deep(101),
        deep(20_000),
    ];
    let mut records = Vec::new();
    for value in values {
        for field in ["requestParameters", "responseElements", "userIdentity", "resources", "other"]
        {
            let id = format!("p{}", records.len());
            let text = record(&id);
            let start = text.find(&format!("\"{field}\":"));
            // The last of two members counts.
            assert!(start.is_some() || matches!(field, "resources" | "other"), "{field}");
            records.push(record_with(&id, &format!("\"{field}\":{value}")));
        }
    }
    for (n, time) in
        ["2026-02-30T00:00:00Z", "0000-00-00T00:00:00Z", "never", ""].iter().enumerate()
    {
        records.push(record_with(&format!("t{n}"), &format!("\"eventTime\":\"{time}\"")));
    }
    records
}

fn no_record_breaks_a_query(engine: Engine) {
    let database = OwnDatabase::new(engine);
    let place = Place::with_database(&database.url);
    let records = poison();
    place.write("logs/poison.json.gz", gz(&wrapper(&records)));
    place.write("logs/good.json.gz", gz(&wrapper(&[record("good")])));
    // What is replaced is counted.
    place.run(&["--quiet", "import", "logs"]).expect(3);
    let count = u64::try_from(records.len()).unwrap() + 1;
    assert_eq!(database.number("SELECT COUNT(*) FROM logs"), count);
    // Every column of the view is evaluated for every row.
    let columns = cloudtrail_view_columns(&database);
    for column in &columns {
        let query =
            format!("SELECT COUNT(*) FROM events WHERE {column} IS NULL OR {column} IS NOT NULL");
        assert_eq!(database.number(&query), count, "{column}");
        database.query(&format!("SELECT MAX(CAST({column} AS CHAR(10))) FROM events"));
    }
    for json in ["userIdentity", "requestParameters", "responseElements", "otherFields"] {
        let member = match engine {
            Engine::Sqlite => format!("json_extract({json}, '$.k')"),
            Engine::Postgres => format!("{json}::json ->> 'k'"),
            Engine::Mysql | Engine::Mariadb => format!("JSON_VALUE({json}, '$.k')"),
        };
        // The expression is evaluated for every row, whatever it returns.
        let query = format!("SELECT COUNT(*) FROM logs WHERE COALESCE({member}, '') <> 'x'");
        assert_eq!(database.number(&query), count, "{json}");
    }
    let answer = database.query(
        "SELECT user_name, event_name, COUNT(*) FROM events WHERE event_id = 'good' \
         GROUP BY user_name, event_name",
    );
    assert_eq!(answer, table(&[&["alice", "GetObject", "1"]]));
    let times = database.number("SELECT COUNT(*) FROM logs WHERE eventAt IS NULL");
    assert_eq!(times, 4);
    assert!(database.number("SELECT COUNT(*) FROM identities") >= 5);
    let status = place.run(&["--output=json", "status"]).json();
    assert!(status["totals"]["replaced_chars"].as_u64().unwrap() > 20, "{status}");
}

fn cloudtrail_view_columns(database: &OwnDatabase) -> Vec<String> {
    let query = match database.engine {
        Engine::Sqlite => "SELECT name FROM pragma_table_info('events')",
        Engine::Postgres => {
            "SELECT column_name::text FROM information_schema.columns WHERE table_name = 'events'"
        }
        Engine::Mysql | Engine::Mariadb => {
            "SELECT CAST(column_name AS CHAR) FROM information_schema.columns \
             WHERE table_schema = DATABASE() AND table_name = 'events'"
        }
    };
    let columns: Vec<String> = database.query(query).into_iter().flatten().flatten().collect();
    assert_eq!(columns.len(), 41);
    columns
}

fn table(rows: &[&[&str]]) -> Table {
    rows.iter().map(|row| row.iter().map(|it| Some((*it).to_owned())).collect()).collect()
}

fn two_objects_with_one_number_get_two(engine: Engine) {
    let database = OwnDatabase::new(engine);
    let place = Place::with_database(&database.url);
    place.write("logs/a.json", wrapper(&[record("a")]));
    place.write("logs/b.json", wrapper(&[record("b1"), record("b2")]));
    place.run(&["--quiet", "import", "logs/a.json"]).expect(0);
    place.run(&["--quiet", "import", "logs/b.json"]).expect(0);
    let numbers = "SELECT number FROM import_objects WHERE uri LIKE '%b.json'";
    let number_of_b = database.query(numbers)[0][0].clone().unwrap();
    place.run(&["--quiet", "forget", "logs/b.json"]).expect(0);
    // Another object gets the number that `b.json` would have.
    for change in [
        format!("UPDATE import_objects SET number = {number_of_b}"),
        format!("UPDATE logs SET objectId = {number_of_b}"),
    ] {
        database.query(&change);
    }
    place.run(&["--quiet", "import", "logs"]).expect(0);
    let found = database.query(
        "SELECT l.eventID, CASE WHEN o.uri LIKE '%a.json' THEN 'a' ELSE 'b' END FROM logs l \
         JOIN import_objects o ON o.number = l.objectId ORDER BY l.eventID",
    );
    assert_eq!(found, table(&[&["a", "a"], &["b1", "b"], &["b2", "b"]]));
    assert_eq!(database.number("SELECT COUNT(DISTINCT number) FROM import_objects"), 2);
    // The object keeps its other number.
    place.run(&["--quiet", "import", "logs"]).expect(0);
    place.run(&["--quiet", "forget", "logs/b.json"]).expect(0);
    assert_eq!(database.query("SELECT eventID FROM logs"), table(&[&["a"]]));
}

fn what_is_forgotten_is_gone_and_can_be_imported_again(engine: Engine) {
    let database = OwnDatabase::new(engine);
    let place = Place::with_database(&database.url);
    for (folder, n) in (0..41).map(|n| (["one", "one2", "two"][n % 3], n)) {
        let mut records = vec![record(&format!("{n}a")), record(&format!("{n}b")), "7".to_owned()];
        records.truncate(3 - n % 3);
        place.write(format!("logs/{folder}/{n}.json"), wrapper(&records));
    }
    place.write("logs/one/bad.json", "{");
    place.run(&["--quiet", "import", "logs"]).expect(3);
    let before = database.contents();

    let dry =
        place.run(&["--output=json", "forget", "--dry-run", "logs/one", "nothing/here"]).expect(3);
    let dry = dry.json();
    assert_eq!(database.contents(), before);
    assert_eq!(dry["forgotten"]["objects"], 15);
    assert_eq!(dry["not_found"].as_array().unwrap().len(), 1);

    let forgotten = place.run(&["--output=json", "forget", "logs/one/"]).expect(0);
    assert_eq!(forgotten.json()["forgotten"], dry["forgotten"]);
    let gone = dry["forgotten"]["rows"].as_u64().unwrap();
    let after = database.contents();
    assert_eq!(after.rows.len() as u64 + gone, before.rows.len() as u64);
    assert_eq!(after.ledger.len() + 15, before.ledger.len());
    assert!(after.rejects.len() < before.rejects.len());
    let uris = "SELECT COUNT(*) FROM import_objects WHERE uri LIKE '%/one/%'";
    assert_eq!(database.number(uris), 0);
    assert_eq!(
        database.number("SELECT COUNT(*) FROM import_objects WHERE uri LIKE '%/one2/%'"),
        14
    );

    place.run(&["--quiet", "import", "logs"]).expect(3);
    assert_eq!(database.contents(), before);
    place.run(&["--quiet", "forget", "logs"]).expect(0);
    assert_eq!(database.number("SELECT COUNT(*) FROM logs"), 0);
    assert_eq!(database.number("SELECT COUNT(*) FROM import_rejects"), 0);
    assert_eq!(database.number("SELECT COUNT(*) FROM import_objects"), 0);
}

fn rows_of_the_first_schema_are_counted_and_left(engine: Engine) {
    let database = OwnDatabase::new(engine);
    let place = Place::with_database(&database.url);
    place.write("logs/a.json", wrapper(&[record("a1"), record("a2")]));
    place.write("logs/b.json", wrapper(&[record("b")]));
    place.run(&["--quiet", "import", "logs"]).expect(0);
    // As version 0.1.0 left them.
    for change in [
        "UPDATE import_objects SET number = NULL WHERE uri LIKE '%a.json'",
        "UPDATE logs SET objectId = NULL, otherFields = NULL WHERE eventID LIKE 'a%'",
    ] {
        database.query(change);
    }
    let status = place.run(&["status"]).expect(0);
    let expected = "without other fields, time, identity and object: 2 rows";
    assert!(status.stdout.contains(expected), "{}", status.shown());
    let forgotten = place.run(&["--output=json", "forget", "logs"]).expect(3).json();
    assert_eq!(forgotten["forgotten"]["rows"], 1);
    assert_eq!(forgotten["left"]["rows"], 2);
    assert_eq!(database.number("SELECT COUNT(*) FROM logs"), 2);
    // A changed one is not replaced, because its rows cannot be found.
    place.write("logs/a.json", wrapper(&[record("a3")]));
    place.run(&["--quiet", "import", "--replace-changed", "logs"]).expect(3);
    assert_eq!(database.number("SELECT COUNT(*) FROM logs WHERE eventID LIKE 'a%'"), 2);
    let reason = "SELECT reason FROM import_objects WHERE outcome = 'changed'";
    let reason = database.query(reason)[0][0].clone().unwrap();
    assert!(reason.contains("version 0.1.0"), "{reason}");
}

fn a_changed_object_is_replaced_on_request(engine: Engine) {
    let database = OwnDatabase::new(engine);
    let place = Place::with_database(&database.url);
    place.write("logs/a.json", wrapper(&[record("a1"), record("a2"), "17".to_owned()]));
    place.write("logs/b.json", wrapper(&[record("b1")]));
    place.run(&["--quiet", "import", "logs"]).expect(3);
    let ids = || database.query("SELECT eventID FROM logs ORDER BY eventID");

    place.write("logs/a.json", wrapper(&[record("a1"), record("a3"), record("a4")]));
    place.run(&["--quiet", "import", "logs"]).expect(3);
    assert_eq!(ids(), table(&[&["a1"], &["a2"], &["b1"]]));
    let outcome = "SELECT outcome FROM import_objects ORDER BY uri";
    assert_eq!(database.query(outcome), table(&[&["changed"], &["loaded"]]));

    let run = place.run(&["--output=json", "import", "--replace-changed", "logs"]).expect(0);
    let summary = run.json();
    assert_eq!(summary["loaded"]["objects"], 1);
    assert_eq!(summary["already_loaded"]["objects"], 1);
    assert_eq!(ids(), table(&[&["a1"], &["a3"], &["a4"], &["b1"]]));
    assert_eq!(database.query(outcome), table(&[&["loaded"], &["loaded"]]));
    assert_eq!(database.number("SELECT COUNT(*) FROM import_rejects"), 0);

    // New content that cannot be loaded replaces nothing.
    place.write("logs/a.json", "{\"Records\":[");
    place.run(&["--quiet", "import", "--replace-changed", "logs"]).expect(3);
    assert_eq!(ids(), table(&[&["a1"], &["a3"], &["a4"], &["b1"]]));
    assert_eq!(database.query(outcome), table(&[&["changed"], &["loaded"]]));
    let reason = database.query("SELECT reason FROM import_objects WHERE outcome = 'changed'");
    let reason = reason[0][0].as_deref().unwrap();
    assert!(reason.contains("cut off") && reason.contains("earlier content"), "{reason}");
}

fn without_other_fields_the_table_is_the_tutorials(engine: Engine) {
    let database = OwnDatabase::new(engine);
    let place = Place::with_database(&database.url);
    place.write("logs/a.json", wrapper(&[record("a")]));
    place.run(&["--quiet", "import", "--no-other-fields", "logs"]).expect(0);
    let filled = "SELECT COUNT(*) FROM logs WHERE otherFields IS NOT NULL";
    assert_eq!(database.number(filled), 0);
    let found = database.query("SELECT user_name, read_only FROM events");
    assert_eq!(found, [[Some("alice".to_owned()), None]]);
    let run = place.run(&["record", "a"]).expect(0);
    assert!(run.stdout.contains("(only the 16 columns are stored)"), "{}", run.stdout);
}

fn a_record_is_printed_with_its_file(engine: Engine) {
    let database = OwnDatabase::new(engine);
    let place = Place::with_database(&database.url);
    let text =
        record_with("it's", "\"resources\":[{\"ARN\":\"x\"}],\"big\":12345678901234567890.50");
    place.write("logs/a.json", wrapper(&[record("other"), text.clone()]));
    place.run(&["--quiet", "import", "logs"]).expect(0);
    let run = place.run(&["--output=json", "record", "it's"]).expect(0);
    let records = run.json();
    let [found] = &records.as_array().unwrap()[..] else { panic!("{}", run.stdout) };
    assert!(found["uri"].as_str().unwrap().ends_with("/logs/a.json"));
    assert_eq!(found["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(found["record_index"], 1);
    assert_eq!(found["record"], serde_json::from_str::<Value>(&text).unwrap());
    let shown = place.run(&["record", "it's"]).stdout;
    assert!(
        shown.lines().next().unwrap().ends_with("/logs/a.json, record 1 (from 0; the file has 2)"),
        "{shown}"
    );
    assert!(shown.contains("  \"big\": 12345678901234567890.50"), "{shown}");
    place.run(&["record", "none"]).expect(3);
    // A file that changed since does not show the place.
    place.write("logs/a.json", wrapper(&[text]));
    let changed = place.run(&["--output=json", "record", "it's"]).expect(0).json();
    assert_eq!(changed[0]["record_index"], Value::Null);
}

fn the_printed_schema_makes_the_tables_of_an_import(engine: Engine) {
    let imported = OwnDatabase::new(engine);
    let place = Place::with_database(&imported.url);
    place.write("logs/a.json", wrapper(&[record("a")]));
    place.run(&["--quiet", "import", "logs"]).expect(0);
    let schema = place.run(&["schema"]).expect(0);

    let database = OwnDatabase::new(engine);
    match engine {
        Engine::Sqlite => drop(std::fs::File::create(database.file()).unwrap()),
        _ => drop(engine.administer(&format!("CREATE DATABASE {}", database.name))),
    }
    database.query(&schema.stdout);
    assert_eq!(definitions(&database), definitions(&imported));
    let place = Place::with_database(&database.url);
    place.write("logs/a.json", wrapper(&[record("a")]));
    let run = place.run(&["--output=json", "import", "logs"]).expect(0);
    assert_eq!(run.json()["indexes_built"], serde_json::json!([]));
}

/// Returns the columns and indexes of all tables.
fn definitions(database: &OwnDatabase) -> Table {
    let queries: &[&str] = match database.engine {
        Engine::Sqlite => &[
            "SELECT m.name, c.name, c.type FROM sqlite_master m, pragma_table_info(m.name) c \
             WHERE m.type IN ('table', 'view') AND m.name NOT LIKE 'sqlite_%'",
            "SELECT tbl_name, name FROM sqlite_master WHERE type = 'index'",
        ],
        Engine::Postgres => &[
            "SELECT table_name::text, column_name::text, data_type::text \
             FROM information_schema.columns WHERE table_schema = 'public'",
            "SELECT tablename::text, indexdef FROM pg_indexes WHERE schemaname = 'public'",
        ],
        Engine::Mysql | Engine::Mariadb => &[
            "SELECT CAST(table_name AS CHAR), CAST(column_name AS CHAR), CAST(column_type AS CHAR), \
             CAST(extra AS CHAR) FROM information_schema.columns WHERE table_schema = DATABASE()",
            "SELECT CAST(table_name AS CHAR), CAST(index_name AS CHAR), CAST(column_name AS CHAR), \
             CAST(COALESCE(sub_part, 0) AS CHAR) FROM information_schema.statistics \
             WHERE table_schema = DATABASE()",
        ],
    };
    let mut all: Table = queries.iter().flat_map(|query| database.query(query)).collect();
    all.sort();
    let mut text = String::new();
    write!(text, "{}", all.len()).unwrap();
    all.push(vec![Some(text)]);
    all
}
