//! Single servers with settings that get in the way of an import: they require a primary key or make one,
//! open transactions by themselves, or limit the time of a statement.

use std::time::Duration;

use super::{
    Expected, KEY_REMEDY, MYSQL_1, SAMPLE, Setting, create_logs_without_key, tables_without_key,
};
use crate::binary::Place;
use crate::databases::{Engine, HeldTable, OwnDatabase};
use crate::wait;

const SQLITE_1: &str = include_str!("../../fixtures/schema-1.sqlite.sql");

fn an_import_into_new_tables_is_exact(engine: Engine, setting: &str) {
    let expected = Expected::sample();
    let _setting = Setting::on_server(engine, setting, "ON");
    let database = OwnDatabase::new(engine);
    expected.assert_imported_twice(&database);
    assert!(tables_without_key(&database).is_empty(), "{:?}", tables_without_key(&database));
}

#[test]
#[ignore = "for `tests/run --clusters`"]
fn mysql_that_requires_primary_keys_takes_our_tables() {
    an_import_into_new_tables_is_exact(Engine::Mysql, "sql_require_primary_key");
}

#[test]
#[ignore = "for `tests/run --clusters`"]
fn mysql_that_generates_primary_keys_takes_our_tables() {
    an_import_into_new_tables_is_exact(Engine::Mysql, "sql_generate_invisible_primary_key");
}

#[test]
#[ignore = "for `tests/run --clusters`"]
fn mariadb_that_requires_primary_keys_takes_our_tables() {
    an_import_into_new_tables_is_exact(Engine::Mariadb, "innodb_force_primary_key");
}

#[test]
#[ignore = "for `tests/run --clusters`"]
fn mariadb_that_requires_primary_keys_refuses_a_table_without_one_and_names_the_remedy() {
    let (expected, database) = (Expected::sample(), OwnDatabase::new(Engine::Mariadb));
    create_logs_without_key(&database);
    let _setting = Setting::on_server(Engine::Mariadb, "innodb_force_primary_key", "ON");
    expected.assert_refused_then_imported(&database);
}

/// Makes a database of MySQL as version 0.1.0 left it.
fn first_schema() -> OwnDatabase {
    let database = OwnDatabase::new(Engine::Mysql);
    let create = format!("CREATE DATABASE {} CHARACTER SET utf8mb4", database.name);
    Engine::Mysql.administer(&create);
    database.query(MYSQL_1);
    database
}

/// Imports the sample into a database of SQLite as version 0.1.0 left it.
fn sample_after_first_schema() -> Expected {
    let database = OwnDatabase::new(Engine::Sqlite);
    std::fs::File::create(database.file()).unwrap();
    database.query(SQLITE_1);
    Expected::of(Place::new(), &[SAMPLE], &database)
}

#[test]
#[ignore = "for `tests/run --clusters`"]
fn a_first_schema_with_generated_keys_is_migrated() {
    let expected = sample_after_first_schema();
    let _setting = Setting::on_server(Engine::Mysql, "sql_generate_invisible_primary_key", "ON");
    let database = first_schema();
    let keys = database.number(
        "SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE() \
         AND table_name = 'logs' AND column_name = 'my_row_id'",
    );
    assert_eq!(keys, 1);
    expected.assert_imported_twice(&database);
    assert!(tables_without_key(&database).is_empty());
}

#[test]
#[ignore = "for `tests/run --clusters`"]
fn a_first_schema_without_a_key_is_refused_with_the_remedy() {
    let expected = sample_after_first_schema();
    let database = first_schema();
    let _setting = Setting::on_server(Engine::Mysql, "sql_require_primary_key", "ON");
    let refused = expected.import(&database.url).expect(1);
    assert!(refused.stderr.contains("error: cannot migrate the tables"), "{}", refused.shown());
    assert!(refused.stderr.contains(KEY_REMEDY), "{}", refused.shown());
    database.query(KEY_REMEDY);
    expected.assert_imported_twice(&database);
}

fn an_import_without_autocommit_is_exact(engine: Engine) {
    let expected = Expected::sample();
    let database = OwnDatabase::new(engine);
    {
        let _setting = Setting::on_server(engine, "autocommit", "OFF");
        expected.import(&database.url).expect(expected.exit_code);
        expected.assert_nothing_left(&database.url);
    }
    expected.assert_same(engine, &database.url);
    // The end of a run is the last thing that is written.
    let complete = "SELECT COUNT(*) FROM import_runs WHERE outcome = 'complete'";
    assert_eq!(database.number(complete), 2, "a run's end is lost");
}

#[test]
#[ignore = "for `tests/run --clusters`"]
fn mysql_without_autocommit_takes_an_import() {
    an_import_without_autocommit_is_exact(Engine::Mysql);
}

#[test]
#[ignore = "for `tests/run --clusters`"]
fn mariadb_without_autocommit_takes_an_import() {
    an_import_without_autocommit_is_exact(Engine::Mariadb);
}

#[test]
#[ignore = "for `tests/run --clusters`"]
fn the_time_limit_of_mariadb_ends_no_index_build() {
    let expected = Expected::sample();
    let database = OwnDatabase::new(Engine::Mariadb);
    expected.place.run(&["--quiet", "--database", &database.url, "import", "--no-index", SAMPLE]);
    let limit = Duration::from_secs(2);
    let _setting = Setting::on_server(Engine::Mariadb, "max_statement_time", "2");
    let held = HeldTable::of(&database);
    let running = expected.place.start(&["--database", &database.url, "index"]);
    wait::until("an index is built", || database.index_builds() > 0);
    // The only time that a test of clusters sleeps for: the limit has to pass.
    std::thread::sleep(limit + Duration::from_secs(1));
    drop(held);
    let run = running.end().expect(0);
    assert!(!run.stderr.contains("retrying"), "{}", run.shown());
    expected.assert_same(Engine::Mariadb, &database.url);
}
