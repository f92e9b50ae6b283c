//! PostgreSQL behind `PgBouncer`, and with a synchronous standby that is away.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::{Expected, SAMPLE};
use crate::databases::{Engine, OwnDatabase, query_now, server_url};
use crate::wait;

/// A pooler of its own, in front of the PostgreSQL server. It is killed when dropped.
#[derive(Debug)]
struct Pooler {
    process: Child,
    port: u16,
    folder: TempDir,
}

impl Pooler {
    /// Starts a pooler with these settings besides those that it needs.
    fn start(settings: &[&str]) -> Self {
        let program = server_url("PgBouncer", "TEST_PGBOUNCER");
        let folder = tempfile::tempdir().unwrap();
        // Another user reads it.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let url = url::Url::parse(&Engine::Postgres.admin_url()).unwrap();
        let (server, password) = (url.port().unwrap(), url.password().unwrap());
        let config = format!(
            "[databases]\n* = host=127.0.0.1 port={server} user=postgres password={password}\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
             auth_type = any\n{}\n",
            settings.join("\n")
        );
        let file = folder.path().join("pgbouncer.ini");
        fs::write(&file, config).unwrap();
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let mut command = Command::new(program);
        let process = command.arg(&file).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let pooler = Self { process, port, folder };
        wait::until("the pooler listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        pooler
    }

    fn url(&self, database: &OwnDatabase) -> String {
        format!("postgres://someone@127.0.0.1:{}/{}", self.port, database.name)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Makes a database: a pooler connects to none that does not exist.
fn new_database() -> OwnDatabase {
    let database = OwnDatabase::new(Engine::Postgres);
    let create = "ENCODING 'UTF8' TEMPLATE template0";
    Engine::Postgres.administer(&format!("CREATE DATABASE {} {create}", database.name));
    database
}

/// Imports the sample through a pooler, twice.
fn an_import_through_a_pooler_is_exact(settings: &[&str]) {
    let (expected, database) = (Expected::sample(), new_database());
    let pooler = Pooler::start(settings);
    let run = expected.import(&pooler.url(&database)).expect(expected.exit_code);
    assert_eq!(run.json()["indexes_missing"].as_array().unwrap().len(), 0, "{}", pooler.log());
    expected.assert_same(Engine::Postgres, &database.url);
    expected.assert_nothing_left(&pooler.url(&database));
    expected.assert_same(Engine::Postgres, &database.url);
    let answer = ["--database", &pooler.url(&database), "query", "services"];
    expected.place.run(&answer).expect(0);
}

#[test]
#[ignore = "for `tests/run --clusters`"]
fn a_pooler_in_session_mode_with_its_default_settings_takes_an_import() {
    an_import_through_a_pooler_is_exact(&[]);
}

#[test]
#[ignore = "for `tests/run --clusters`"]
fn a_pooler_in_transaction_mode_that_keeps_prepared_statements_takes_an_import() {
    let settings = ["pool_mode = transaction", "max_prepared_statements = 200"];
    an_import_through_a_pooler_is_exact(&settings);
}

#[test]
#[ignore = "for `tests/run --clusters`"]
fn a_pooler_in_transaction_mode_without_prepared_statements_is_named() {
    let (expected, database) = (Expected::sample(), new_database());
    let pooler = Pooler::start(&["pool_mode = transaction", "max_prepared_statements = 0"]);
    let run = expected.import(&pooler.url(&database)).expect(1);
    assert!(run.stderr.contains("hint: a connection pooler"), "{}", run.shown());
    assert!(run.stderr.contains("max_prepared_statements"), "{}", run.shown());
    // The server itself has taken no harm.
    expected.assert_imported_twice(&database);
}

#[test]
#[ignore = "for `tests/run --clusters`"]
fn a_pool_of_one_session_takes_an_import_and_reports_it() {
    let (expected, database) = (Expected::sample(), new_database());
    let pooler = Pooler::start(&["default_pool_size = 1"]);
    let run = expected.import(&pooler.url(&database)).expect(expected.exit_code);
    assert!(run.stderr.contains("the server gives no more connections"), "{}", run.shown());
    expected.assert_same(Engine::Postgres, &database.url);
}

/// Settings that a session keeps would reach the next client of a pooler.
#[test]
#[ignore = "for `tests/run --clusters`"]
fn an_import_leaves_no_setting_in_the_sessions_of_a_pooler() {
    let (expected, database) = (Expected::sample(), new_database());
    // The last one is for the connection of this test.
    let pooler = Pooler::start(&[
        "pool_mode = transaction",
        "max_prepared_statements = 200",
        "default_pool_size = 2",
        "ignore_startup_parameters = extra_float_digits",
    ]);
    expected.import(&pooler.url(&database)).expect(expected.exit_code);
    // Only settings of a session have this source; poolers set the first four.
    let left = "SELECT name FROM pg_settings WHERE source = 'session' AND name NOT IN \
        ('application_name', 'client_encoding', 'DateStyle', 'TimeZone', 'IntervalStyle', \
        'standard_conforming_strings')";
    let left = query_now(Engine::Postgres, &pooler.url(&database), left).unwrap();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
#[ignore = "for `tests/run --clusters`"]
fn a_synchronous_standby_that_is_away_is_reported_and_waited_for() {
    let (expected, database) = (Expected::sample(), new_database());
    let administer = |sql: &str| {
        Engine::Postgres.administer(sql);
        Engine::Postgres.administer("SELECT CAST(pg_reload_conf() AS text)");
    };
    administer("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
    let mut running = expected.place.start(&["--database", &database.url, "import", SAMPLE]);
    let is_reported = running.reaches("the server waits for its synchronous standby");
    administer("ALTER SYSTEM RESET synchronous_standby_names");
    let run = running.end().expect(expected.exit_code);
    assert!(is_reported, "{}", run.shown());
    expected.assert_same(Engine::Postgres, &database.url);
}
