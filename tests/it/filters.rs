//! Filters of imports: each record that one of them selects is loaded once, whatever the order, and the
//! ledger knows what is missing.

mod oracle;

use std::collections::BTreeSet;

use cloudtrail2sql::trail::gzip::decode;
use serde_json::Value;

use self::oracle::{Filter, event_id};
use crate::binary::{Place, Run};
use crate::databases::{Engine, OwnDatabase, Table, promises};
use crate::exactly_once::at_once::meet;
use crate::logs::{gz, record, record_with, wrapper};
use crate::s3_server::{ACCESS_KEY, S3Server, SECRET_KEY};

promises! { on all:
    filters_add_up_to_an_import_of_everything
    imports_with_different_filters_meet_and_lose_nothing
    a_killed_import_with_a_filter_is_continued
}

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sample");

/// Each of these counts must be 0.
const EQUATIONS: [&str; 4] = [
    "SELECT COUNT(*) FROM import_objects WHERE record_count <> row_count + reject_count \
     + COALESCE(duplicate_count, 0) + COALESCE(filtered_count, 0)",
    "SELECT COUNT(*) FROM import_objects o WHERE row_count <> \
     (SELECT COUNT(*) FROM logs l WHERE l.objectId = o.number)",
    "SELECT COUNT(*) FROM import_objects o WHERE reject_count <> \
     (SELECT COUNT(*) FROM import_rejects r WHERE r.object_id = o.id)",
    "SELECT COUNT(*) FROM import_objects WHERE filters IS NULL AND filtered_count > 0",
];

#[track_caller]
fn assert_balanced(database: &OwnDatabase) {
    for equation in EQUATIONS {
        let integer = if database.engine.is_mysql() { "SIGNED" } else { "BIGINT" };
        let difference = database.number(&format!("SELECT CAST(({equation}) AS {integer})"));
        assert_eq!(difference, 0, "{equation}");
    }
}

/// Records that a filter may misread, and elements that are no records.
fn odd_records() -> Vec<String> {
    let named =
        |id: &str, name: &str, fields: &str| record_with(id, fields).replace("GetObject", name);
    let escaped = r#""resources":[{"ARN":"arn:aws:s3:::acme-data\/a","type":"AWS::S3::Object"}]"#;
    vec![
        named("escaped", "PutObject", escaped),
        named("read only as text", "PutObject", r#""readOnly":"true""#),
        named("read only of another type", "PutObject", r#""readOnly":1"#),
        named("two values", "PutObject", r#""readOnly":true,"readOnly":false"#),
        named("no time", "PutObject", r#""a":1"#).replace("2023-07-10T11:00:00Z", "yesterday"),
        named("another offset", "PutObject", r#""a":1"#)
            .replace("2023-07-10T11:00:00Z", "2026-01-15T01:30:00+01:00"),
        named("category", "PutObject", r#""eventCategory":"Data","errorCode":null"#),
        // Too long for `eventSource` of MySQL.
        named("long", "PutObject", r#""errorCode":"AccessDenied""#)
            .replace("s3.amazonaws.com", &format!("{}.amazonaws.com", "s".repeat(400))),
        r#"{"eventVersion":"1.08","eventTime":"2026-01-15T00:10:00Z","eventID":"insight",
            "eventType":"AwsCloudTrailInsight","eventCategory":"Insight","insightDetails":
            {"eventSource":"s3.amazonaws.com","eventName":"PutObject","errorCode":"Throttling"}}"#
            .to_owned(),
        record_with("lone surrogate", r#""k":"\ud800 acme-data""#),
        record_with("key", r#""additionalEventData":{"acme-data":null}"#),
        record_with("unicode", r#""k":"\u0061cme-data""#),
        record("plain"),
    ]
}

/// Writes what is imported: the sample, and two objects with what is odd.
fn write_files(write: &mut dyn FnMut(&str, Vec<u8>)) {
    for entry in walkdir::WalkDir::new(SAMPLE) {
        let entry = entry.unwrap();
        let name = entry.path().strip_prefix(SAMPLE).unwrap().to_str().unwrap();
        if entry.file_type().is_file() && !name.contains("Digest") {
            write(&format!("logs/{name}"), std::fs::read(entry.path()).unwrap());
        }
    }
    let mut odd = odd_records();
    odd.insert(3, "42".to_owned());
    odd.push(r#"{"a":1}"#.to_owned());
    write("logs/odd.json.gz", gz(&wrapper(&odd)));
    let mut text = wrapper(&[record("first"), record("bytes"), "[]".to_owned(), record("last")]);
    let at = text.windows(5).position(|it| it == b"bytes").unwrap();
    text[at] = 0xff;
    write("logs/bytes.json", text);
}

/// A folder with these files, and a database.
fn place(engine: Engine) -> (Place, OwnDatabase) {
    let database = OwnDatabase::new(engine);
    let place = Place::with_database(&database.url);
    write_files(&mut |name, bytes| place.write(name, bytes));
    (place, database)
}

/// Returns every record of these files with its `eventID`, read without the program's parser.
fn records() -> Vec<Value> {
    let mut records = Vec::new();
    write_files(&mut |_, bytes| {
        let json = decode(&bytes, 1 << 30).unwrap();
        let text = String::from_utf8_lossy(&json).replace("\\ud800", "\\ufffd");
        let Ok(Value::Object(mut wrapper)) = serde_json::from_str(&text) else { return };
        let Some(Value::Array(elements)) = wrapper.remove("Records") else { return };
        records.extend(elements.into_iter().filter(|it| it.get("eventVersion").is_some()));
    });
    records
}

fn event_ids(database: &OwnDatabase) -> Vec<String> {
    let rows: Table = database.query("SELECT eventID FROM logs ORDER BY eventID");
    let mut ids: Vec<String> = rows.into_iter().flatten().flatten().collect();
    ids.sort();
    ids
}

/// Imports with a filter. What is odd is rejected or replaced by the import that meets it.
#[track_caller]
fn import(place: &Place, filter: &Filter) -> Run {
    let args = [&["--output=json", "import", "--no-index", "logs"][..], &filter.args()].concat();
    let run = place.run(&args);
    assert!([0, 3].contains(&run.code()), "{}", run.shown());
    run
}

/// Imports with filters after one another, and checks the table after each.
#[track_caller]
fn assert_union(engine: Engine, filters: &[Filter], records: &[Value]) {
    let (place, database) = place(engine);
    for n in 1..=filters.len() {
        let filter = &filters[n - 1];
        let run = import(&place, filter);
        assert!(n > 1 || run.code() == 3, "{}", run.shown());
        assert_holds(&database, &filters[..n], records);
        let again = import(&place, filter).expect(0).json();
        assert_eq!((&again["loaded"]["objects"], &again["records"]), (&0.into(), &0.into()));
    }
}

/// Checks that the table holds each record once that one of the filters selects, and no other.
#[track_caller]
fn assert_holds(database: &OwnDatabase, filters: &[Filter], records: &[Value]) {
    let rejected = rejected_ids(database);
    let selected = records.iter().filter(|it| filters.iter().any(|filter| filter.selects(it)));
    let mut expected: Vec<&str> =
        selected.map(event_id).filter(|id| !rejected.contains(*id)).collect();
    expected.sort_unstable();
    let shown: Vec<String> = filters.iter().map(Filter::to_string).collect();
    assert_eq!(event_ids(database), expected, "{shown:?}");
    assert_balanced(database);
}

/// Returns the `eventID` of rejected records: on MySQL, one value is too long.
fn rejected_ids(database: &OwnDatabase) -> BTreeSet<String> {
    let rejects = database.query("SELECT record FROM import_rejects").into_iter().flatten();
    let id = |record: String| {
        let record: Value = serde_json::from_str(&record).ok()?;
        Some(record["eventID"].as_str()?.to_owned())
    };
    rejects.flatten().filter_map(id).collect()
}

#[test]
fn the_table_is_the_union_of_what_the_filters_select() {
    let records = records();
    assert!(records.len() > 1_200, "{}", records.len());
    let mut random = fastrand::Rng::with_seed(15);
    let mut selected = 0;
    for _ in 0..30 {
        let filters: Vec<Filter> =
            (0..random.usize(1..=4)).map(|_| Filter::random(&mut random)).collect();
        selected += records.iter().filter(|it| filters[0].selects(it)).count();
        assert_union(Engine::Sqlite, &filters, &records);
    }
    assert!(selected > 500, "the filters select next to nothing: {selected}");
}

/// Every filter selects what it should, alone.
#[test]
fn each_filter_selects_what_an_independent_reader_selects() {
    let records = records();
    for filter in Filter::each() {
        let selected = records.iter().filter(|it| filter.selects(it)).count();
        assert!((1..records.len()).contains(&selected), "{filter} selects {selected}");
        assert_union(Engine::Sqlite, &[filter], &records);
    }
}

fn filters_add_up_to_an_import_of_everything(engine: Engine) {
    let records = records();
    let mut random = fastrand::Rng::with_seed(16);
    let mut filters: Vec<Filter> = (0..3).map(|_| Filter::random(&mut random)).collect();
    filters.extend([Filter::errors(), Filter::default()]);
    assert_union(engine, &filters, &records);

    // What is left in the database is what one import of everything leaves.
    let (whole, parts) = (place(engine), place(engine));
    import(&whole.0, &Filter::default());
    for filter in &filters {
        import(&parts.0, filter);
    }
    let (expected, found) = (whole.1.contents(), parts.1.contents());
    assert_eq!(found.rows, expected.rows);
    let without_folder = |table: &Table, database: &(Place, OwnDatabase)| -> Table {
        let folder = database.0.path("logs").display().to_string();
        let mut table = table.clone();
        for row in &mut table {
            row[0] = row[0].as_ref().map(|uri| uri.replace(&folder, ""));
            // The version has the time of the file.
            row.remove(1);
        }
        table
    };
    assert_eq!(without_folder(&found.ledger, &parts), without_folder(&expected.ledger, &whole));
    assert_eq!(without_folder(&found.rejects, &parts), without_folder(&expected.rejects, &whole));
    let left =
        "SELECT COUNT(*) FROM import_objects WHERE filters IS NOT NULL OR filtered_count > 0";
    assert_eq!(parts.1.number(left), 0);
}

/// Two imports find every object new, or in the same state, and load different records of it.
fn imports_with_different_filters_meet_and_lose_nothing(engine: Engine) {
    let server = S3Server::start();
    let mut objects = Vec::new();
    write_files(&mut |name, bytes| {
        server.put("trail", name, bytes);
        objects.push(name.to_owned());
    });
    let database = OwnDatabase::new(engine);
    let mut place = Place::new();
    place.set("AWS_ACCESS_KEY_ID", ACCESS_KEY);
    place.set("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
    let endpoint_url = server.endpoint_url();
    let (errors, puts) = (Filter::errors(), Filter::named(&["PutObject", "AssumeRole"]));
    let reads = Filter { read_only: Some(true), ..Filter::default() };
    let records = records();
    let mut so_far = Vec::new();
    for pair in [[errors, puts], [reads, Filter::default()]] {
        let common =
            ["-v", "--output=json", "import", "--no-index", "--endpoint-url", &endpoint_url];
        let filters = pair.each_ref().map(Filter::args);
        let args: Vec<Vec<&str>> = filters
            .iter()
            .map(|filter| {
                let database = ["--database", &database.url, "s3://trail/logs/"];
                [&common[..], filter, &database].concat()
            })
            .collect();
        let own = [objects[0].clone(), objects[1].clone()];
        let runs = meet(&server, &mut place, &args, &own, objects.len());
        so_far.extend(pair);
        for run in &runs {
            assert!([0, 3].contains(&run.code()), "{}", run.shown());
            assert_eq!(run.json()["failed"]["objects"], 0, "{}", run.shown());
        }
        assert_holds(&database, &so_far, &records);
    }
}

fn a_killed_import_with_a_filter_is_continued(engine: Engine) {
    let (place, database) = place(engine);
    import(&place, &Filter::errors());
    let puts = Filter::named(&["PutObject", "GetObject", "Decrypt"]);
    for kill_after in 1..6 {
        let args = ["import", "--no-index", "--batch-rows=10", "--verbose", "logs"];
        let mut running = place.start(&[&args[..], &puts.args()].concat());
        for _ in 0..kill_after * 3 {
            if !running.reaches("loaded ") {
                break;
            }
        }
        running.kill();
        assert_balanced(&database);
    }
    import(&place, &puts);
    assert_holds(&database, &[Filter::errors(), puts], &records());
}
