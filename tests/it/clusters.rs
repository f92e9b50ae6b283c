//! Imports into clusters, and into servers with unusual settings, by `tests/run --clusters` and
//! `tests/run --citus`.
//!
//! In the end, each node must hold what an import into SQLite leaves: the same rows in all columns, the
//! same ledger, rejects and identities.
//!
//! The tests change settings of whole servers, so they run one after the other, and not with the others.

mod citus;
mod faults;
mod nodes;
mod poolers;
mod settings;

use crate::binary::{Place, Run};
use crate::databases::{Contents, Engine, OwnDatabase, Table, query_now, server_url};
use crate::wait;

/// The rows with all that belongs to them. The object is named by its address, as its number in the
/// ledger is a detail of the import.
const ROWS: &str = "SELECT l.eventVersion, l.userIdentity, l.eventTime, l.eventSource, l.eventName, \
    l.awsRegion, l.sourceIPAddress, l.userAgent, l.errorCode, l.errorMessage, l.requestParameters, \
    l.responseElements, l.requestID, l.eventID, l.eventType, l.recipientAccountId, l.otherFields, \
    CAST(l.eventAt AS CHAR), i.user_identity, o.uri \
    FROM logs l LEFT JOIN identities i ON i.id = l.identityId \
    LEFT JOIN import_objects o ON o.number = l.objectId";

/// Each of these counts must be 0.
const EQUATIONS: [&str; 5] = [
    "SELECT COUNT(*) FROM import_objects WHERE record_count <> row_count + reject_count + COALESCE(duplicate_count, 0)",
    "SELECT (SELECT COUNT(*) FROM logs) - (SELECT COALESCE(SUM(row_count), 0) FROM import_objects)",
    "SELECT (SELECT COUNT(*) FROM import_rejects) - \
     (SELECT COALESCE(SUM(reject_count), 0) FROM import_objects)",
    "SELECT (SELECT COUNT(*) FROM logs) - (SELECT COUNT(*) FROM events)",
    "SELECT COUNT(*) FROM import_runs WHERE finished_at IS NULL AND outcome <> 'running'",
];

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sample");

const MYSQL_1: &str = include_str!("../fixtures/schema-1.mysql.sql");

/// What the hint says for a table without a primary key.
const KEY_REMEDY: &str =
    "ALTER TABLE logs ADD COLUMN id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY INVISIBLE";

/// The nodes of a cluster. The first one accepts writes.
#[derive(Debug)]
struct Cluster {
    name: &'static str,
    engine: Engine,
    nodes: Vec<Node>,
}

#[derive(Debug)]
struct Node {
    /// Counted from 1, as `tests/run` names it.
    number: usize,
    /// An administrator's URL, to which a database name is added.
    url: String,
}

/// Everything that an import leaves.
#[derive(Debug, PartialEq, Eq)]
struct Everything {
    rows: Table,
    rest: Contents,
    identities: Table,
}

/// What an import of a source into SQLite leaves.
#[derive(Debug)]
struct Expected {
    place: Place,
    source: Vec<String>,
    exit_code: i32,
    contents: Everything,
}

/// A global variable of servers, which gets its value back.
#[derive(Debug)]
struct Setting {
    engine: Engine,
    resets: Vec<(String, String)>,
}

impl Cluster {
    fn galera() -> Self {
        Self::of("galera", Engine::Mariadb, "Galera", "TEST_GALERA_URLS")
    }

    /// Returns the group, its primary first.
    fn group() -> Self {
        let mut group = Self::of("group", Engine::Mysql, "Group Replication", "TEST_GROUP_URLS");
        let is_writable = |node: &Node| {
            let query = "SELECT CAST(@@GLOBAL.super_read_only AS CHAR)";
            let answer = group.engine.try_administer_on(&node.url, query);
            answer.is_ok_and(|rows| rows[0][0].as_deref() == Some("0"))
        };
        let mut primary = None;
        wait::until("the group has a primary", || {
            primary = group.nodes.iter().position(is_writable);
            primary.is_some()
        });
        group.nodes.rotate_left(primary.unwrap());
        group
    }

    #[track_caller]
    fn of(name: &'static str, engine: Engine, shown: &str, variable: &str) -> Self {
        let urls = server_url(shown, variable);
        let node = |(n, url): (usize, &str)| Node { number: n + 1, url: url.to_owned() };
        let nodes: Vec<Node> = urls.split_whitespace().enumerate().map(node).collect();
        assert!(nodes.len() >= 3, "{variable} has {} nodes", nodes.len());
        Self { name, engine, nodes }
    }

    /// Sets a global variable of all nodes.
    fn with_setting(&self, name: &str, value: &str) -> Setting {
        let urls: Vec<&str> = self.nodes.iter().map(|node| &*node.url).collect();
        Setting::of(self.engine, &urls, name, value)
    }

    /// Names a database on the first node.
    fn database(&self) -> OwnDatabase {
        OwnDatabase::on(self.engine, &self.nodes[0].url)
    }

    /// Returns the URL of the same database on another node.
    fn url_on(&self, node: usize, database: &OwnDatabase) -> String {
        format!("{}{}", self.nodes[node].url, database.name)
    }

    /// Waits until each node holds what was expected, and checks it.
    #[track_caller]
    fn assert_exact(&self, expected: &Expected, database: &OwnDatabase) {
        for node in 0..self.nodes.len() {
            let url = self.url_on(node, database);
            let rows = expected.contents.rows.len().to_string();
            // Nodes apply what the first one has committed some time later.
            wait::until(&format!("node {} has {rows} rows", node + 1), || {
                let counted = query_now(self.engine, &url, "SELECT COUNT(*) FROM logs");
                counted.is_ok_and(|counted| counted[0][0].as_ref() == Some(&rows))
            });
            expected.assert_same(self.engine, &url);
        }
    }
}

impl Everything {
    fn of(engine: Engine, url: &str) -> Self {
        let query = |sql: &str| {
            // PostgreSQL's CHAR is one character.
            let sql = &if engine == Engine::Postgres {
                sql.replace("AS CHAR)", "AS text)")
            } else {
                sql.to_owned()
            };
            query_now(engine, url, sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
        };
        let sorted = |sql: &str| {
            let mut table = query(sql);
            table.sort();
            table
        };
        for equation in EQUATIONS {
            let difference = query(&format!("SELECT CAST(({equation}) AS CHAR)"));
            assert_eq!(difference[0][0].as_deref(), Some("0"), "{equation}");
        }
        Self {
            rows: sorted(ROWS),
            rest: Contents::read(query),
            identities: sorted(
                "SELECT user_type, user_name, user_arn, role_arn, user_identity FROM identities",
            ),
        }
    }
}

impl Expected {
    /// Imports the sample into SQLite.
    fn sample() -> Self {
        Self::of(Place::new(), &[SAMPLE], &OwnDatabase::new(Engine::Sqlite))
    }

    /// Imports folders into a database of SQLite.
    fn of(place: Place, source: &[&str], database: &OwnDatabase) -> Self {
        let source: Vec<String> = source.iter().map(|&folder| folder.to_owned()).collect();
        let mut expected = Self { place, source, exit_code: 0, contents: Everything::nothing() };
        expected.exit_code = expected.import(&database.url).code();
        expected.contents = Everything::of(Engine::Sqlite, &database.url);
        assert!(expected.contents.rows.len() > 100, "the source is too small");
        expected
    }

    fn import(&self, url: &str) -> Run {
        let mut args = vec!["--output=json", "--database", url, "import"];
        args.extend(self.source.iter().map(String::as_str));
        self.place.run(&args)
    }

    /// Imports it, imports it again, and checks both. The second import must find nothing to do.
    #[track_caller]
    fn assert_imported_twice(&self, database: &OwnDatabase) {
        let first = self.import(&database.url).expect(self.exit_code);
        self.assert_same(database.engine, &database.url);
        assert_eq!(first.json()["indexes_missing"].as_array().unwrap().len(), 0);
        self.assert_nothing_left(&database.url);
        self.assert_same(database.engine, &database.url);
    }

    /// Checks that an import is refused because `logs` has no key, and exact with the hint's statement.
    #[track_caller]
    fn assert_refused_then_imported(&self, database: &OwnDatabase) {
        let refused = self.import(&database.url).expect(1);
        assert!(refused.stderr.contains(KEY_REMEDY), "{}", refused.shown());
        // Not an error for each object.
        assert_eq!(refused.stderr.matches("error: ").count(), 1, "{}", refused.shown());
        database.query(KEY_REMEDY);
        self.assert_imported_twice(database);
    }

    /// Checks that another import finds nothing to do.
    #[track_caller]
    fn assert_nothing_left(&self, url: &str) {
        let again = self.import(url);
        let summary = again.json();
        assert_eq!(summary["rows"].as_u64(), Some(0), "{}", again.shown());
        assert_eq!(summary["loaded"]["objects"].as_u64(), Some(0), "{}", again.shown());
    }

    #[track_caller]
    fn assert_same(&self, engine: Engine, url: &str) {
        let found = Everything::of(engine, url);
        assert_eq!(found.rows.len(), self.contents.rows.len(), "rows are lost, or doubled");
        assert!(found.rows == self.contents.rows, "rows are others");
        assert_eq!(found.rest.ledger, self.contents.rest.ledger, "the ledger is another");
        assert_eq!(found.rest.rejects, self.contents.rest.rejects, "the rejects are others");
        assert_eq!(found.identities, self.contents.identities, "identities are others");
    }
}

impl Everything {
    fn nothing() -> Self {
        let rest = Contents { rows: vec![], ledger: vec![], rejects: vec![] };
        Self { rows: vec![], rest, identities: vec![] }
    }
}

impl Setting {
    /// Sets a variable on each of the servers.
    fn of(engine: Engine, admin_urls: &[&str], name: &str, value: &str) -> Self {
        let run = |url: &str, sql: &str| {
            let ran = engine.try_administer_on(url, sql);
            ran.unwrap_or_else(|error| panic!("{sql}: {error}"))
        };
        let mut setting = Self { engine, resets: Vec::new() };
        for url in admin_urls {
            let found = run(url, &format!("SHOW GLOBAL VARIABLES LIKE '{name}'"));
            let before = found[0][1].as_deref().unwrap();
            let reset = format!("SET GLOBAL {name} = {}", literal(before));
            setting.resets.push(((*url).to_owned(), reset));
            run(url, &format!("SET GLOBAL {name} = {}", literal(value)));
        }
        setting
    }

    /// Sets a variable on the server of an engine.
    fn on_server(engine: Engine, name: &str, value: &str) -> Self {
        Self::of(engine, &[&engine.admin_url()], name, value)
    }
}

impl Drop for Setting {
    fn drop(&mut self) {
        for (url, reset) in &self.resets {
            let set = self.engine.try_administer_on(url, reset);
            assert!(set.is_ok() || std::thread::panicking(), "{reset}: {set:?}");
        }
    }
}

/// Makes a database with a `logs` table that has no key, as the tutorial does, and nothing else.
fn create_logs_without_key(database: &OwnDatabase) {
    let (admin_url, _) = database.url.split_at(database.url.len() - database.name.len());
    let create = format!("CREATE DATABASE {} CHARACTER SET utf8mb4", database.name);
    database.engine.try_administer_on(admin_url, &create).unwrap();
    let (_, statement) = MYSQL_1.split_once("CREATE TABLE logs").unwrap();
    let (columns, _) = statement.split_once(';').unwrap();
    database.query(&format!("CREATE TABLE logs{columns}"));
}

/// Returns a value in SQL.
fn literal(value: &str) -> String {
    let is_number = value.parse::<f64>().is_ok();
    if is_number { value.to_owned() } else { format!("'{value}'") }
}

/// Returns the tables of a database that have no primary key.
fn tables_without_key(database: &OwnDatabase) -> Table {
    database.query(
        "SELECT CAST(t.table_name AS CHAR) FROM information_schema.tables t \
         WHERE t.table_schema = DATABASE() AND t.table_type = 'BASE TABLE' AND NOT EXISTS \
         (SELECT 1 FROM information_schema.statistics s WHERE s.table_schema = t.table_schema \
         AND s.table_name = t.table_name AND s.index_name = 'PRIMARY')",
    )
}
