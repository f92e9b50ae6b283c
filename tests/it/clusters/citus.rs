//! Imports into a cluster of PostgreSQL with Citus, by `tests/run --citus`: a coordinator and two workers.

use super::faults::{Fault, SlowImport};
use super::{Cluster, Expected, SAMPLE};
use crate::answers::search::assert_same_searches;
use crate::answers::{different_answers, imported};
use crate::binary::{Place, Run};
use crate::databases::{Engine, OwnDatabase, address_of};
use crate::docs::pages::{Page, page};
use crate::logs::{record, wrapper};
use crate::report::assert_same_pages;
use crate::sinks::partitions::schema_by;

/// The option of the URL that loses commits, and the one that does not.
const UNSAFE_COMMITS: &str = "?options=-c%20synchronous_commit%3Doff";
const SAFE_COMMITS: &str = "?options=-c%20synchronous_commit%3Don";

/// How many tables of the program a node has.
const TABLES: &str = "SELECT COUNT(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace \
     AND relkind = 'r' AND (relname LIKE 'import%' OR relname = 'identities')";

/// One database on all nodes.
struct Citus {
    cluster: Cluster,
    /// The coordinator's.
    database: OwnDatabase,
    /// Those of the workers, which are dropped with it.
    workers: [OwnDatabase; 2],
}

impl Citus {
    /// Makes the database, empty, and the cluster in it.
    fn new() -> Self {
        let cluster = Cluster::of("citus", Engine::Postgres, "Citus", "TEST_CITUS_URLS");
        let database = cluster.database();
        let on_worker = |node: usize| {
            let url = &cluster.nodes[node].url;
            let mut worker = OwnDatabase::on(Engine::Postgres, url);
            worker.name.clone_from(&database.name);
            worker.move_to(url);
            worker
        };
        let workers = [on_worker(1), on_worker(2)];
        for (node, database) in cluster.nodes.iter().zip([&database, &workers[0], &workers[1]]) {
            let create = format!("CREATE DATABASE {}", database.name);
            database.engine.try_administer_on(&node.url, &create).unwrap();
            database.query("CREATE EXTENSION citus");
        }
        for (n, node) in cluster.nodes.iter().enumerate() {
            let (host, port) = address_of(&node.url).split_once(':').unwrap();
            let call = if n == 0 { "citus_set_coordinator_host" } else { "citus_add_node" };
            database.query(&format!("SELECT {call}('{host}', {port})"));
        }
        Self { cluster, database, workers }
    }

    /// Makes the database, and the tables in it as docs/clusters.md says.
    fn with_tables() -> Self {
        let citus = Self::new();
        citus.make_tables();
        for statement in statements() {
            citus.database.query(&statement);
        }
        citus
    }

    /// Makes the tables at the coordinator, by the command of the page.
    fn make_tables(&self) {
        let command = section().blocks_of("sh").remove(0);
        let url = "postgres://loader@coordinator.example.com/cloudtrail";
        let sql = schema_by(&command.replace(url, &self.database.url), &Place::new());
        self.database.query(&sql);
    }

    /// Returns how many rows, objects and rejects there are.
    fn contents(&self) -> [u64; 3] {
        ["logs", "import_objects", "import_rejects"]
            .map(|table| self.on_worker(&format!("SELECT COUNT(*) FROM {table}")))
    }

    fn on_worker(&self, sql: &str) -> u64 {
        self.workers[0].number(sql)
    }
}

/// Returns the part of docs/clusters.md about Citus.
fn section() -> Page {
    let mut page = page("docs/clusters.md");
    let (_, section) = page.text.split_once("\n## Citus\n").unwrap();
    page.text = section.to_owned();
    page
}

/// Returns the statements of the page that make the tables parts of the cluster.
fn statements() -> Vec<String> {
    let block = section().blocks_of("sql").remove(0);
    block.lines().map(|line| line.trim_end_matches(';').to_owned()).collect()
}

#[track_caller]
fn assert_refused(run: Run, texts: &[&str]) {
    let run = run.expect(1);
    for text in texts {
        assert!(run.stderr.contains(text), "{text}\n{}", run.shown());
    }
    assert_eq!(run.stderr.matches("error: ").count(), 1, "{}", run.shown());
}

#[test]
#[ignore = "for `tests/run --citus`"]
fn the_coordinator_takes_an_import() {
    let (citus, expected) = (Citus::with_tables(), Expected::sample());
    expected.assert_imported_twice(&citus.database);
    citus.cluster.assert_exact(&expected, &citus.database);
    // Both workers have rows, and the indexes.
    let nodes = "SELECT COUNT(DISTINCT nodeport) FROM citus_shards \
         WHERE table_name = 'logs'::regclass AND shard_size > 16384";
    assert_eq!(citus.database.number(nodes), 2);
}

#[test]
#[ignore = "for `tests/run --citus`"]
fn the_coordinator_takes_an_import_by_insert_and_forgets_it() {
    let (citus, expected) = (Citus::with_tables(), Expected::sample());
    let url = &citus.database.url;
    let args = ["--database", url, "import", "--load-method=insert", SAMPLE];
    expected.place.run(&args).expect(0);
    citus.cluster.assert_exact(&expected, &citus.database);
    expected.place.run(&["--database", url, "forget", SAMPLE]).expect(0);
    assert_eq!(citus.contents(), [0, 0, 0]);
    expected.assert_imported_twice(&citus.database);
}

#[test]
#[ignore = "for `tests/run --citus`"]
fn an_object_is_replaced_and_forgotten_at_each_node() {
    let citus = Citus::with_tables();
    for database in [&citus.database, &citus.workers[0]] {
        let place = Place::with_database(&database.url);
        // A record without an `eventID`, and one that is no record.
        let others = ["{\"eventName\":\"NoId\"}".to_owned(), "1".to_owned()];
        place.write("logs/a.json", wrapper(&[&others[..], &[record("a")]].concat()));
        let import = ["--quiet", "import", "--no-index", "--replace-changed", "logs"];
        place.run(&import).expect(3);
        assert_eq!(citus.contents(), [2, 1, 1]);
        place.write("logs/a.json", wrapper(&["a", "b", "c"].map(record)));
        place.run(&import).expect(0);
        assert_eq!(citus.contents(), [3, 1, 0]);
        place.write("logs/a.json", wrapper(&[""; 0]));
        place.run(&import).expect(0);
        assert_eq!(citus.contents(), [0, 1, 0]);
        place.run(&["--quiet", "forget", "logs"]).expect(0);
        assert_eq!(citus.contents(), [0, 0, 0]);
    }
}

#[test]
#[ignore = "for `tests/run --citus`"]
fn a_worker_takes_an_import() {
    let (citus, expected) = (Citus::with_tables(), Expected::sample());
    // The indexes are built at the coordinator.
    expected.place.run(&["--database", &citus.database.url, "index"]).expect(0);
    expected.assert_imported_twice(&citus.workers[0]);
    citus.cluster.assert_exact(&expected, &citus.database);
}

#[test]
#[ignore = "for `tests/run --citus`"]
fn the_same_import_on_all_nodes_at_once_loads_each_object_once() {
    let (citus, expected) = (Citus::with_tables(), Expected::sample());
    expected.place.run(&["--database", &citus.database.url, "index"]).expect(0);
    let start = |database: &OwnDatabase| {
        let args = ["--output=json", "--database", &database.url, "import", "--batch-rows=7"];
        expected.place.start(&[&args[..], &[SAMPLE]].concat())
    };
    let running = [&citus.database, &citus.workers[0], &citus.workers[1]].map(start);
    let loaded = running.map(|run| run.end().expect(0).json()["rows"].as_u64().unwrap());
    assert_eq!(loaded.iter().sum::<u64>(), expected.contents.rows.len() as u64, "{loaded:?}");
    citus.cluster.assert_exact(&expected, &citus.database);
}

#[test]
#[ignore = "for `tests/run --citus`"]
fn a_worker_makes_no_ledger_and_no_table() {
    let (citus, expected) = (Citus::new(), Expected::sample());
    let refused = || expected.import(&citus.workers[0].url);
    assert_refused(refused(), &["is a worker of a Citus cluster", "the coordinator"]);
    citus.make_tables();
    citus.database.query("SELECT create_distributed_table('logs', 'objectid')");
    assert_refused(refused(), &["the ledger is not", "the coordinator"]);
    assert_eq!(citus.on_worker(TABLES), 0);
    assert_eq!(citus.on_worker("SELECT COUNT(*) FROM logs"), 0);
    // Tables that an earlier version made there.
    let schema = expected.place.run(&["--database", &citus.workers[0].url, "schema"]).expect(0);
    let (tables, _) = schema.stdout.split_once("-- Indexes").unwrap();
    citus.workers[0].query(&format!("SET citus.enable_ddl_propagation = off; {tables}"));
    assert_refused(refused(), &["the ledger is not", "the coordinator"]);
    assert_eq!(citus.on_worker("SELECT COUNT(*) FROM import_objects"), 0);
    assert_eq!(citus.on_worker("SELECT COUNT(*) FROM import_runs"), 0);
}

#[test]
#[ignore = "for `tests/run --citus`"]
fn a_ledger_that_is_no_part_of_the_cluster_is_refused_and_made_one_on_request() {
    let (citus, expected) = (Citus::new(), Expected::sample());
    citus.make_tables();
    citus.database.query(&statements()[0]);
    let run = expected.import(&citus.database.url);
    let wanted: Vec<&str> = ["the ledger is not"].to_vec();
    let rest = statements();
    let wanted = [wanted, rest[1..].iter().map(String::as_str).collect()].concat();
    assert_refused(run, &wanted);
    assert_eq!(citus.database.number("SELECT COUNT(*) FROM import_runs"), 0);
    let args = ["--database", &citus.database.url, "import", "--upgrade-table", "--quiet", SAMPLE];
    expected.place.run(&args).expect(0);
    citus.cluster.assert_exact(&expected, &citus.database);
    expected.assert_nothing_left(&citus.workers[1].url);
}

#[test]
#[ignore = "for `tests/run --citus`"]
fn a_node_that_loses_commits_is_refused() {
    let (citus, expected) = (Citus::with_tables(), Expected::sample());
    for database in [&citus.database, &citus.workers[0]] {
        let run = expected.import(&format!("{}{UNSAFE_COMMITS}", database.url));
        assert_refused(run, &["`synchronous_commit` is off", "ALTER ROLE", SAFE_COMMITS]);
    }
    assert_eq!(citus.database.number("SELECT COUNT(*) FROM import_runs"), 0);
    expected.import(&citus.database.url).expect(0);
    let url = format!("{}{UNSAFE_COMMITS}", citus.database.url);
    let run = expected.place.run(&["--database", &url, "forget", SAMPLE]);
    assert_refused(run, &["`synchronous_commit` is off", SAFE_COMMITS]);
    let name = &citus.database.name;
    citus.database.query(&format!("ALTER DATABASE {name} SET synchronous_commit = off"));
    assert_refused(expected.import(&citus.database.url), &["`synchronous_commit` is off"]);
    expected.import(&format!("{}{SAFE_COMMITS}", citus.database.url)).expect(0);
    citus.database.query(&format!("ALTER DATABASE {name} RESET synchronous_commit"));
    citus.cluster.assert_exact(&expected, &citus.database);
}

/// Imports while nodes are killed, and checks that all is there once.
fn an_import_survives(faults: &[(usize, Fault)]) {
    let Citus { cluster, database, workers } = Citus::with_tables();
    let mut import = SlowImport::into(&cluster, database);
    for (node, fault) in faults {
        import.suffer(&cluster, *node, *fault);
    }
    import.end(&cluster);
    drop(workers);
}

#[test]
#[ignore = "for `tests/run --citus`"]
fn an_import_survives_faults_of_a_worker() {
    an_import_survives(&[(1, Fault::Kill(5)), (2, Fault::Pause(2)), (2, Fault::Kill(1))]);
}

#[test]
#[ignore = "for `tests/run --citus`"]
fn an_import_survives_faults_of_the_coordinator() {
    an_import_survives(&[(0, Fault::Kill(5)), (0, Fault::Pause(2)), (0, Fault::Kill(1))]);
}

#[test]
#[ignore = "for `tests/run --citus`"]
fn each_node_answers_as_sqlite_does() {
    let (citus, reference) = (Citus::with_tables(), OwnDatabase::new(Engine::Sqlite));
    let (place, reference) = (imported(&citus.database), imported(&reference));
    // Without its file, whose folder is another.
    let record_at = |node: &Place| {
        let shown = node.run(&["--quiet", "record", "e1"]).expect(0).stdout;
        shown.split_once(", record ").unwrap().1.to_owned()
    };
    for node in [&place, &Place::with_database(&citus.workers[0].url)] {
        let different = different_answers(node, &reference);
        assert!(different.is_empty(), "{}", different.join("\n"));
        assert_same_searches(node, &reference);
        assert_eq!(record_at(node), record_at(&reference));
        assert_same_pages(node, &reference);
    }
}
