//! Imports while nodes are killed, stopped and restarted.
//!
//! A proxy delays each answer for as long as faults last, so that one import goes through all of them,
//! whatever the speed of the machine.

use std::path::PathBuf;
use std::time::Duration;

use super::{Cluster, Expected};
use crate::binary::{Place, Running};
use crate::databases::{Engine, OwnDatabase};
use crate::logs::{gz, record, wrapper};
use crate::proxy::Proxy;
use crate::wait;

/// Objects, of one to four rows.
const OBJECTS: usize = 1_501;

/// Batches close after so many rows, which makes some 600 batches.
const BATCH_ROWS: &str = "--batch-rows=7";

/// The wait before each answer while a fault lasts. A batch has some ten answers.
const DELAY: Duration = Duration::from_millis(20);

/// Batches between two faults.
const BATCHES: u64 = 5;

/// A fault of one node, and for how many seconds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fault {
    /// The process is killed, and started again later: when the others have noticed, as they take it
    /// for the one that was killed otherwise.
    Kill(u32),
    /// The process is stopped, and goes on later.
    Pause(u32),
}

impl Fault {
    /// Requests it of `tests/run`. Returns the file that is there until the fault is over.
    fn request(self, cluster: &Cluster, node: usize) -> PathBuf {
        let folder = PathBuf::from(std::env::var("TEST_CLUSTER_FAULTS").expect("`tests/run`"));
        let name = format!("{}-{}", cluster.name, cluster.nodes[node].number);
        let (name, seconds) = match self {
            Self::Kill(seconds) => (name, seconds),
            Self::Pause(seconds) => (format!("{name}.pause"), seconds),
        };
        // A hidden file is not taken for a request before it is complete.
        let (hidden, request) = (folder.join(".new"), folder.join(name));
        std::fs::write(&hidden, seconds.to_string()).unwrap();
        std::fs::rename(&hidden, &request).unwrap();
        request
    }
}

/// An import that a proxy slows down.
pub(super) struct SlowImport {
    expected: Expected,
    database: OwnDatabase,
    proxy: Proxy,
    running: Running,
}

impl SlowImport {
    fn start(cluster: &Cluster) -> Self {
        Self::into(cluster, cluster.database())
    }

    /// Starts it into this database of the cluster's first node.
    pub(super) fn into(cluster: &Cluster, database: OwnDatabase) -> Self {
        let place = Place::new();
        for object in 0..OBJECTS {
            let id = |n| record(&format!("{object}/{n}"));
            let records: Vec<String> = (0..=object % 4).map(id).collect();
            place.write(format!("logs/{object:04}.json.gz"), gz(&wrapper(&records)));
        }
        let expected = Expected::of(place, &["logs"], &OwnDatabase::new(Engine::Sqlite));
        let proxy = Proxy::to(&cluster.nodes[0].url);
        proxy.set_delay(DELAY);
        let url = proxy.url(&database);
        let args = ["--output=json", "--database", &url, "import", "--writers=1", BATCH_ROWS];
        let running = expected.place.start(&[&args[..], &["logs"]].concat());
        Self { expected, database, proxy, running }
    }

    /// Waits for some more batches, then for the fault to pass.
    pub(super) fn suffer(&mut self, cluster: &Cluster, node: usize, fault: Fault) {
        let before = self.proxy.commits();
        wait::until("batches are committed", || self.proxy.commits() > before + BATCHES);
        let before = self.proxy.commits();
        let request = fault.request(cluster, node);
        wait::until("the fault is over", || !request.exists());
        let batches = self.proxy.commits() - before;
        say(&format!("{} node {}, {fault:?}: {batches} batches", cluster.name, node + 1));
    }

    /// Checks that it ends without an error, and that each node has everything.
    #[track_caller]
    pub(super) fn end(mut self, cluster: &Cluster) {
        assert!(!self.running.has_ended(), "the import ended before the faults");
        self.proxy.heal();
        let Self { expected, database, running, .. } = self;
        let run = running.end().expect(0);
        let warnings = run.stderr.lines().filter(|line| line.contains("retrying"));
        warnings.for_each(|warning| say(&format!("    {warning}")));
        assert_eq!(run.json()["rows"].as_u64(), Some(expected.contents.rows.len() as u64));
        cluster.assert_exact(&expected, &database);
        expected.assert_nothing_left(&database.url);
    }
}

/// Imports while the faults happen one after the other.
fn an_import_survives(cluster: &Cluster, faults: &[(usize, Fault)]) {
    let mut import = SlowImport::start(cluster);
    for (node, fault) in faults {
        import.suffer(cluster, *node, *fault);
    }
    import.end(cluster);
}

#[test]
#[ignore = "for `tests/run --clusters`"]
fn an_import_survives_faults_of_the_other_nodes_of_galera() {
    let faults = [(2, Fault::Kill(5)), (1, Fault::Pause(2)), (2, Fault::Pause(8))];
    an_import_survives(&Cluster::galera(), &faults);
}

#[test]
#[ignore = "for `tests/run --clusters`"]
fn an_import_survives_faults_of_the_node_of_galera_that_it_writes_to() {
    let faults = [(0, Fault::Kill(5)), (0, Fault::Pause(2)), (0, Fault::Pause(8))];
    an_import_survives(&Cluster::galera(), &faults);
}

#[test]
#[ignore = "for `tests/run --clusters`"]
fn an_import_survives_faults_of_the_secondaries_of_group_replication() {
    let faults = [(2, Fault::Kill(5)), (1, Fault::Pause(2)), (2, Fault::Pause(8))];
    an_import_survives(&Cluster::group(), &faults);
}

#[test]
#[ignore = "for `tests/run --clusters`"]
fn an_import_is_resumed_at_the_next_primary_of_group_replication() {
    let cluster = Cluster::group();
    let mut import = SlowImport::start(&cluster);
    import.suffer(&cluster, 0, Fault::Kill(5));
    let SlowImport { expected, mut database, running, .. } = import;
    let run = running.end().expect(1);
    assert!(run.stderr.contains("hint: the server is read-only"), "{}", run.shown());
    // The nodes in another order.
    let cluster = Cluster::group();
    database.move_to(&cluster.nodes[0].url);
    expected.import(&database.url).expect(0);
    cluster.assert_exact(&expected, &database);
    expected.assert_nothing_left(&database.url);
}

#[expect(clippy::print_stdout, reason = "the report of `tests/run --clusters`")]
fn say(line: &str) {
    println!("{line}");
}
