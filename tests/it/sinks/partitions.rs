//! A `logs` table in partitions, made as docs/clusters.md says.

use std::process::Command;

use crate::binary::Place;
use crate::databases::{Engine, OwnDatabase};
use crate::docs::pages::page;

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sample");

/// How many records the sample has.
const SAMPLE_ROWS: u64 = 1_234;

/// Makes an empty database.
fn created(engine: Engine) -> OwnDatabase {
    let database = OwnDatabase::new(engine);
    engine.administer(&format!("CREATE DATABASE {}", database.name));
    database
}

/// Returns the SQL of a section of the page, its `n`-th block.
fn sql_of(section: &str, n: usize) -> String {
    let mut page = page("docs/clusters.md");
    let (_, rest) = page.text.split_once(&format!("\n### {section}\n")).unwrap();
    let (section, _) = rest.split_once("\n### ").unwrap();
    page.text = section.to_owned();
    page.blocks_of("sql").remove(n)
}

/// Runs a command of the page, which writes `schema.sql`. Returns that SQL.
pub fn schema_by(command: &str, place: &Place) -> String {
    let program = format!("{} --", env!("CARGO_BIN_EXE_cloudtrail2sql"));
    let command = command.replace("cloudtrail2sql --", &program);
    let done = Command::new("sh").args(["-c", &command]).current_dir(place.path("")).status();
    assert!(done.unwrap().success(), "{command}");
    std::fs::read_to_string(place.path("schema.sql")).unwrap()
}

/// Makes the tables on PostgreSQL by the command of the page, partitioned by `clause`.
fn make_postgres(database: &OwnDatabase, place: &Place, clause: &str) {
    let command = page("docs/clusters.md").blocks_of("sh").remove(0);
    let command = command
        .replace("postgres://loader@db.example.com/cloudtrail", &database.url)
        .replace("PARTITION BY RANGE (eventAt)", clause);
    let sql = schema_by(&command, place);
    assert!(sql.contains(clause), "{sql}");
    database.query(&sql);
}

/// Imports a copy of the sample, and removes it again as duplicates. Rows of several partitions have the
/// same place in their partition.
fn assert_copies_are_removed(place: &Place, database: &OwnDatabase) {
    let before = database.contents().rows;
    for (n, entry) in walkdir::WalkDir::new(SAMPLE).into_iter().enumerate() {
        let entry = entry.unwrap();
        if entry.file_type().is_file() {
            place.write(format!("copy/{n}.json.gz"), std::fs::read(entry.path()).unwrap());
        }
    }
    place.run(&["--quiet", "import", "copy"]).expect(0);
    assert_eq!(database.number("SELECT COUNT(*) FROM logs"), 2 * SAMPLE_ROWS);
    for rows in [SAMPLE_ROWS, 0] {
        let report = place.run(&["--output=json", "dedupe", "--delete"]).expect(0).json();
        assert_eq!(report["rows"], rows);
        assert_eq!(database.contents().rows, before);
    }
    let left = "SELECT COUNT(*) FROM logs l JOIN import_objects o ON o.number = l.objectId \
         WHERE o.uri LIKE '%/copy/%' OR o.record_count <> o.row_count + COALESCE(o.duplicate_count, 0)";
    assert_eq!(database.number(left), 0);
}

/// Imports the sample twice, and checks it.
fn assert_imported(place: &Place, database: &OwnDatabase) {
    let run = place.run(&["--output=json", "import", SAMPLE]).expect(0);
    assert_eq!(database.number("SELECT COUNT(*) FROM logs"), SAMPLE_ROWS);
    let json = run.json();
    assert_eq!(json["indexes_missing"].as_array().unwrap().len(), 0, "{}", run.shown());
    let again = place.run(&["--output=json", "import", SAMPLE]).expect(0).json();
    assert_eq!(again["loaded"]["objects"].as_u64(), Some(0));
    assert_eq!(database.number("SELECT COUNT(*) FROM logs"), SAMPLE_ROWS);
    assert_copies_are_removed(place, database);
}

/// Checks that a day's partition has rows, and that another import does not bring back those of a day that
/// was dropped.
fn assert_droppable(place: &Place, database: &OwnDatabase, count: &str, drop: &str) {
    let dropped = database.number(count);
    assert!(dropped > 0, "{count}");
    database.query(drop);
    place.run(&["import", SAMPLE]).expect(0);
    assert_eq!(database.number("SELECT COUNT(*) FROM logs"), SAMPLE_ROWS - dropped);
    place.run(&["forget", SAMPLE]).expect(0);
    assert_eq!(database.number("SELECT COUNT(*) FROM logs"), 0);
}

#[test]
fn postgres_takes_an_import_in_partitions_by_day() {
    let database = created(Engine::Postgres);
    let place = Place::with_database(&database.url);
    make_postgres(&database, &place, "PARTITION BY RANGE (eventAt)");
    let partitions = sql_of("PostgreSQL", 0);
    let (default, days) = partitions.split_once('\n').unwrap();
    database.query(days);
    let refused = place.run(&["import", SAMPLE]).expect(1);
    assert!(refused.stderr.contains("has no DEFAULT partition"), "{}", refused.shown());
    assert!(refused.stderr.contains(default.trim_end_matches(';')), "{}", refused.shown());
    // The program makes it on request.
    place.run(&["import", "--upgrade-table", "--no-index", SAMPLE]).expect(0);
    assert_imported(&place, &database);
    let count = "SELECT COUNT(*) FROM logs_2026_01_15";
    assert_droppable(&place, &database, count, "DROP TABLE logs_2026_01_15");
}

#[test]
fn postgres_takes_an_import_in_partitions_by_hash() {
    let database = created(Engine::Postgres);
    let place = Place::with_database(&database.url);
    make_postgres(&database, &place, "PARTITION BY HASH (eventID)");
    database.query(&sql_of("PostgreSQL", 1));
    assert_imported(&place, &database);
}

fn mysql_takes_an_import_in_partitions(engine: Engine, section: &str) {
    let database = created(engine);
    let place = Place::with_database(&database.url);
    place.run(&["import", "--no-index", SAMPLE]).expect(0);
    database.query(&sql_of(section, 0));
    database.query("ALTER TABLE logs DROP PARTITION rest");
    let refused = place.run(&["import", SAMPLE]).expect(1);
    assert!(refused.stderr.contains("no partition was made"), "{}", refused.shown());
    place.run(&["import", "--upgrade-table", "--no-index", SAMPLE]).expect(0);
    place.run(&["forget", SAMPLE]).expect(0);
    assert_imported(&place, &database);
    let count = "SELECT COUNT(*) FROM logs PARTITION (day_2026_01_15)";
    assert_droppable(&place, &database, count, "ALTER TABLE logs DROP PARTITION day_2026_01_15");
}

#[test]
fn mysql_takes_an_import_in_partitions_by_day() {
    mysql_takes_an_import_in_partitions(Engine::Mysql, "MySQL");
}

#[test]
fn mariadb_takes_an_import_in_partitions_by_day() {
    mysql_takes_an_import_in_partitions(Engine::Mariadb, "MariaDB");
}

#[test]
fn foreign_tables_are_refused() {
    let database = created(Engine::Postgres);
    let place = Place::with_database(&database.url);
    make_postgres(&database, &place, "PARTITION BY HASH (eventID)");
    // A server that nobody connects to: the table is looked at first.
    database.query(
        "CREATE FOREIGN DATA WRAPPER none; CREATE SERVER elsewhere FOREIGN DATA WRAPPER none; \
         CREATE TABLE logs_0 PARTITION OF logs FOR VALUES WITH (MODULUS 2, REMAINDER 0); \
         CREATE FOREIGN TABLE logs_1 PARTITION OF logs FOR VALUES WITH (MODULUS 2, REMAINDER 1) \
         SERVER elsewhere",
    );
    let refused = place.run(&["import", SAMPLE]).expect(1);
    assert!(
        refused.stderr.contains("rows of the `logs` table are on other servers"),
        "{}",
        refused.shown()
    );
}
