//! Errors that end a run before it starts, and their messages.

use std::fs;

use super::{set_mode, small_tree};
use crate::binary::{Place, assert_shown};
use crate::databases::{Engine, OwnDatabase};

#[test]
fn wrong_usage_is_exit_code_2_and_does_nothing() {
    let place = small_tree();
    for args in [
        &[][..],
        &["import"],
        &["imprt", "AWSLogs"],
        &["import", "--bach-rows", "5", "AWSLogs"],
        &["import", "--batch-rows", "0", "AWSLogs"],
        &["import", "--memory", "lots", "AWSLogs"],
        &["import", "--load-method", "copy", "AWSLogs"],
        &["--database", "oracle://x", "import", "AWSLogs"],
        &["import", "http://example.com/x"],
        &["--config", "nowhere.toml", "import", "AWSLogs"],
    ] {
        let run = place.run(args).expect(2);
        assert_eq!(run.stdout, "", "{}", run.shown());
        assert!(!run.stderr.is_empty(), "{args:?}");
    }
    assert!(!place.path("cloudtrail.db").exists());
}

#[test]
fn a_file_that_does_not_exist_is_named() {
    let place = Place::new();
    assert_shown!("no_such_file", place.run(&["import", "AWSLogs"]));
    assert!(!place.path("cloudtrail.db").exists(), "a database for nothing");
}

#[test]
fn an_unknown_key_in_db_toml_is_refused() {
    let place = small_tree();
    place.write(
        "db.toml",
        "engine = \"postgres\"\nhostname = \"localhost\"\npasword = \"secret\"\n",
    );
    let run = place.run(&["import", "AWSLogs"]);
    assert!(!run.stderr.contains("secret"), "{}", run.shown());
    assert_shown!("db_toml_unknown_key", run);
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let place = small_tree();
    // Nothing listens on port 1, which is reserved.
    for (name, url) in [
        ("no_server_postgres", "postgres://u:secret@127.0.0.1:1/d"),
        ("no_server_mysql", "mysql://u:secret@127.0.0.1:1/d"),
    ] {
        let run = place.run(&["--database", url, "import", "AWSLogs"]);
        assert!(!run.stderr.contains("secret"), "{}", run.shown());
        assert_shown!(name, run);
    }
}

#[test]
fn a_sqlite_file_that_cannot_be_used_is_named() {
    let place = small_tree();
    assert_shown!(
        "sqlite_no_folder",
        place.run(&["--database", "sqlite://no/such/folder/x.db", "import", "AWSLogs"])
    );
    place.write("no.db", "this is a text file, and no database at all; it is left alone\n");
    set_mode(&place, "no.db", 0o600);
    let before = fs::read(place.path("no.db")).unwrap();
    assert_shown!("sqlite_no_database", place.run(&["--database", "no.db", "import", "AWSLogs"]));
    assert_eq!(fs::read(place.path("no.db")).unwrap(), before);
}

#[test]
fn commands_that_read_the_ledger_report_that_there_is_none() {
    let place = Place::new();
    assert_shown!("status_without_database", place.run(&["status"]));
    assert_shown!("index_without_database", place.run(&["index"]));
    assert!(!place.path("cloudtrail.db").exists(), "a command that only reads made a database");
    place.write("cloudtrail.db", "");
    set_mode(&place, "cloudtrail.db", 0o600);
    assert_shown!("status_without_tables", place.run(&["status"]));
    assert_shown!("index_without_tables", place.run(&["index"]));
}

#[test]
fn a_wrong_password_is_reported_and_not_shown() {
    for (name, engine) in [
        ("wrong_password_postgres", Engine::Postgres),
        ("wrong_password_mysql", Engine::Mysql),
        ("wrong_password_mariadb", Engine::Mariadb),
    ] {
        let account = Account::new(engine);
        let place = small_tree();
        let url = account.url.replace("right-one", "wr0ng-one");
        let run = place.run(&["--database", &url, "import", "AWSLogs"]);
        assert!(!format!("{run:?}").contains("wr0ng-one"), "{}", run.shown());
        assert_shown!(name, run);
    }
}

#[test]
fn a_database_that_may_not_be_created_is_reported_with_the_sql() {
    for (name, engine) in [
        ("may_not_create_postgres", Engine::Postgres),
        ("may_not_create_mysql", Engine::Mysql),
        ("may_not_create_mariadb", Engine::Mariadb),
    ] {
        let account = Account::new(engine);
        let place = small_tree();
        let run = place.run(&["--database", &account.url, "import", "AWSLogs"]);
        assert_shown!(name, run);
    }
}

/// An account that may only connect, and the name of a database that does not exist.
struct Account {
    engine: Engine,
    name: String,
    url: String,
}

impl Account {
    fn new(engine: Engine) -> Self {
        let name = OwnDatabase::new(engine).name.clone();
        let create = match engine {
            Engine::Postgres => format!("CREATE ROLE {name} LOGIN PASSWORD 'right-one'"),
            _ => format!("CREATE USER {name} IDENTIFIED BY 'right-one'"),
        };
        engine.administer(&create);
        let scheme = if engine == Engine::Postgres { "postgres" } else { "mysql" };
        let url = format!("{scheme}://{name}:right-one@{}/{name}", engine.address());
        Self { engine, name, url }
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        let kind = if self.engine == Engine::Postgres { "ROLE" } else { "USER" };
        self.engine.clean_up(&format!("DROP {kind} {}", self.name));
    }
}

#[test]
fn a_logs_table_with_other_columns_is_refused_and_left_alone() {
    for (name, engine) in [
        ("other_columns_sqlite", Engine::Sqlite),
        ("other_columns_postgres", Engine::Postgres),
        ("other_columns_mysql", Engine::Mysql),
        ("other_columns_mariadb", Engine::Mariadb),
    ] {
        let database = OwnDatabase::new(engine);
        if engine == Engine::Sqlite {
            fs::write(database.file(), "").unwrap();
        } else {
            engine.administer(&format!("CREATE DATABASE {}", database.name));
        }
        database.query("CREATE TABLE logs (eventTime varchar(80), message varchar(80))");
        let mut place = small_tree();
        place.set("DATABASE_URL", &database.url);
        let run = place.run(&["--quiet", "import", "AWSLogs"]);
        assert_shown!(name, run);
        assert_eq!(database.number("SELECT COUNT(*) FROM logs"), 0);
    }
}
