//! Log files that were changed, deleted or added.

use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write as _;

use super::super::tree::{BUCKET, Tree, unpacked};
use super::Scenario;
use crate::logs::{gz, log_json};

/// The log file that is changed.
const LOG: &str = "log 22:25 a";

pub fn all() -> Vec<Scenario> {
    let mut scenarios = vec![
        with_bytes("log changed", |_| gz(&log_json(&["forged"]))).finds(&["log 22:25 a changed"]),
        with_bytes("log compressed again", |content| {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
            encoder.write_all(content).unwrap();
            encoder.finish().unwrap()
        }),
        with_bytes("log padded with zero bytes", |content| [gz(content), vec![0; 512]].concat()),
        with_bytes("log unpacked", <[u8]>::to_vec),
        with_bytes("log with spaces in an appended member", |content| {
            [gz(content), gz(b"  ")].concat()
        })
        .finds(&["log 22:25 a changed"]),
        with_bytes("log with records in an appended member", |content| {
            [gz(content), gz(&log_json(&["forged"]))].concat()
        })
        .finds(&["log 22:25 a changed"]),
        with_bytes("log cut off", |content| {
            let gzip = gz(content);
            gzip[..gzip.len() / 2].to_vec()
        })
        .finds(&["log 22:25 a not_loaded"]),
        unpacked_and_renamed(),
    ];

    let mut tree = Tree::trail();
    tree.delete(LOG);
    scenarios.push(Scenario::new("log deleted", tree.clone()).finds(&["log 22:25 a gone"]));
    scenarios.push(Scenario::new("log deleted after the import", tree).imported_as(Tree::trail()));

    let mut tree = Tree::trail();
    tree.get(LOG).bytes = gz(&log_json(&["forged"]));
    scenarios.push(
        Scenario::new("log changed after the import", tree.clone()).imported_as(Tree::trail()),
    );
    // The right file was put back, but the database has the records of the other one.
    scenarios.push(
        Scenario::new("log changed before the import only", Tree::trail())
            .imported_as(tree)
            .finds(&["log 22:25 a changed"]),
    );

    let mut tree = Tree::trail();
    tree.put_log("2026-01-15T22:30:00Z", "forged");
    scenarios.push(Scenario::new("log forged", tree).finds(&["log 22:30 forged unexpected"]));
    scenarios
}

/// A trail, one of whose log files has other bytes.
fn with_bytes(name: &'static str, bytes: impl Fn(&[u8]) -> Vec<u8>) -> Scenario {
    let mut tree = Tree::trail();
    let object = tree.get(LOG);
    object.bytes = bytes(&unpacked(&object.bytes));
    Scenario::new(name, tree)
}

fn unpacked_and_renamed() -> Scenario {
    let mut tree = Tree::trail();
    let (_, key) = tree.place_of(LOG);
    let object = tree.delete(LOG);
    tree.put(BUCKET, key.strip_suffix(".gz").unwrap(), unpacked(&object.bytes));
    Scenario::new("log unpacked and renamed", tree)
}
