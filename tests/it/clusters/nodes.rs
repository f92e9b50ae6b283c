//! Undisturbed imports into clusters.

use super::{Cluster, Expected, create_logs_without_key, tables_without_key};
use crate::binary::{Run, Running};
use crate::databases::query_now;
use crate::wait;

fn a_cluster_takes_an_import(cluster: &Cluster) {
    let expected = Expected::sample();
    let database = cluster.database();
    expected.assert_imported_twice(&database);
    cluster.assert_exact(&expected, &database);
    assert!(tables_without_key(&database).is_empty());
}

#[test]
#[ignore = "for `tests/run --clusters`"]
fn galera_takes_an_import() {
    a_cluster_takes_an_import(&Cluster::galera());
}

#[test]
#[ignore = "for `tests/run --clusters`"]
fn galera_in_its_strict_modes_takes_an_import() {
    let cluster = Cluster::galera();
    for (variable, value) in [
        ("wsrep_mode", "REQUIRED_PRIMARY_KEY"),
        ("wsrep_mode", "STRICT_REPLICATION"),
        ("wsrep_certify_nonPK", "OFF"),
    ] {
        let _setting = cluster.with_setting(variable, value);
        a_cluster_takes_an_import(&cluster);
    }
}

#[test]
#[ignore = "for `tests/run --clusters`"]
fn group_replication_takes_an_import() {
    a_cluster_takes_an_import(&Cluster::group());
}

#[test]
#[ignore = "for `tests/run --clusters`"]
fn group_replication_refuses_a_table_without_a_key_and_names_the_remedy() {
    let (cluster, expected) = (Cluster::group(), Expected::sample());
    let database = cluster.database();
    create_logs_without_key(&database);
    expected.assert_refused_then_imported(&database);
    cluster.assert_exact(&expected, &database);
}

#[test]
#[ignore = "for `tests/run --clusters`"]
fn galera_that_requires_keys_takes_a_table_without_one_that_was_there_before() {
    let (cluster, expected) = (Cluster::galera(), Expected::sample());
    let database = cluster.database();
    create_logs_without_key(&database);
    let _setting = cluster.with_setting("wsrep_mode", "REQUIRED_PRIMARY_KEY");
    expected.assert_imported_twice(&database);
    cluster.assert_exact(&expected, &database);
}

#[test]
#[ignore = "for `tests/run --clusters`"]
fn galera_that_certifies_only_keys_refuses_a_table_without_one_and_names_the_remedy() {
    let (cluster, expected) = (Cluster::galera(), Expected::sample());
    let database = cluster.database();
    create_logs_without_key(&database);
    let _setting = cluster.with_setting("wsrep_certify_nonPK", "OFF");
    expected.assert_refused_then_imported(&database);
    cluster.assert_exact(&expected, &database);
}

#[test]
#[ignore = "for `tests/run --clusters`"]
fn a_secondary_of_group_replication_refuses_an_import_and_names_the_remedy() {
    let (cluster, expected) = (Cluster::group(), Expected::sample());
    let database = cluster.database();
    expected.import(&database.url).expect(expected.exit_code);
    cluster.assert_exact(&expected, &database);
    let run = expected.import(&cluster.url_on(1, &database)).expect(1);
    assert!(run.stderr.contains("hint: the server is read-only"), "{}", run.shown());
    cluster.assert_exact(&expected, &database);
}

#[test]
#[ignore = "for `tests/run --clusters`"]
fn the_same_import_on_all_nodes_of_galera_at_once_loads_each_object_once() {
    let (cluster, expected) = (Cluster::galera(), Expected::sample());
    let database = cluster.database();
    let place = &expected.place;
    let import = |node: usize| {
        let url = cluster.url_on(node, &database);
        let args = ["-v", "--output=json", "--database", &url, "import", "--batch-rows=7"];
        let source: Vec<&str> = expected.source.iter().map(String::as_str).collect();
        place.start(&[&args[..], &source].concat())
    };
    let running: Vec<_> = (0..3).map(import).collect();
    let mut conflicts = 0;
    let loaded = running.into_iter().map(|running| {
        let run = running.end().expect(expected.exit_code);
        conflicts += run.stderr.matches("; retrying").count();
        run.json()["rows"].as_u64().unwrap()
    });
    assert_eq!(loaded.sum::<u64>(), expected.contents.rows.len() as u64, "rows counted twice");
    assert!(conflicts > 0, "no transaction lost to another node's");
    cluster.assert_exact(&expected, &database);
}

/// Lets every node of a group accept writes, until it is dropped.
struct SeveralPrimaries<'c>(&'c Cluster);

impl<'c> SeveralPrimaries<'c> {
    fn of(cluster: &'c Cluster) -> Self {
        let switch = "SELECT group_replication_switch_to_multi_primary_mode()";
        cluster.engine.try_administer_on(&cluster.nodes[0].url, switch).unwrap();
        Self(cluster)
    }
}

impl Drop for SeveralPrimaries<'_> {
    fn drop(&mut self) {
        let Cluster { engine, nodes, .. } = self.0;
        let switch =
            "SELECT CAST(group_replication_switch_to_single_primary_mode(@@server_uuid) AS CHAR)";
        let switched = engine.try_administer_on(&nodes[0].url, switch);
        assert!(switched.is_ok() || std::thread::panicking(), "{switched:?}");
    }
}

#[test]
#[ignore = "for `tests/run --clusters`"]
fn a_group_with_several_primaries_takes_rows_but_no_changes_of_tables() {
    let (cluster, expected) = (Cluster::group(), Expected::sample());
    let database = cluster.database();
    let primaries = SeveralPrimaries::of(&cluster);
    let is_refused = |run: &Run| {
        assert!(run.stderr.contains("a group with several primaries"), "{}", run.shown());
        assert!(run.stderr.contains("`--no-index`"), "{}", run.shown());
    };
    is_refused(&expected.import(&database.url).expect(1));
    // An administrator creates the tables, on one node.
    let schema = expected.place.run(&["--database", &database.url, "schema"]).expect(0).stdout;
    let (tables, _indexes) = schema.split_once("-- Indexes").unwrap();
    database.query(tables);
    for node in 0..cluster.nodes.len() {
        // Nodes apply what the first one has committed some time later.
        let url = cluster.url_on(node, &database);
        wait::until("the tables are on all nodes", || {
            let count = "SELECT COUNT(*) FROM import_migrations WHERE name = 'events'";
            query_now(cluster.engine, &url, count)
                .is_ok_and(|rows| rows[0][0].as_deref() == Some("1"))
        });
    }
    let import = |node: usize| -> Running {
        let url = cluster.url_on(node, &database);
        let shard = format!("--shard={}/3", node + 1);
        let args = ["--output=json", "--database", &url, "import", "--no-index", &shard];
        let source: Vec<&str> = expected.source.iter().map(String::as_str).collect();
        expected.place.start(&[&args[..], &source].concat())
    };
    let running: Vec<Running> = (0..3).map(import).collect();
    for running in running {
        running.end().expect(expected.exit_code);
    }
    cluster.assert_exact(&expected, &database);
    is_refused(&expected.place.run(&["--database", &database.url, "index"]).expect(1));
    drop(primaries);
    expected.place.run(&["--database", &database.url, "index"]).expect(0);
    cluster.assert_exact(&expected, &database);
}
