//! Several imports of one bucket into one database at the same time.
//!
//! They meet for certain: the server holds back every object until each import has found all of
//! them new. Then each gets one object of its own, and only when each has loaded that one, all get
//! the rest, most of which another import loads first.

use super::{Files, OBJECTS, Tree, import, log_name};
use crate::binary::{Place, Run, Running};
use crate::databases::{Engine, OwnDatabase, promises};
use crate::s3_server::{ACCESS_KEY, Op, S3Server, SECRET_KEY};
use crate::wait;

promises! { on all:
    two_imports_at_once_load_each_object_once
}

fn two_imports_at_once_load_each_object_once(engine: Engine) {
    imports_at_once(engine, 2);
}

#[test]
fn three_imports_at_once_load_each_object_once() {
    imports_at_once(Engine::Sqlite, 3);
}

fn imports_at_once(engine: Engine, imports: usize) {
    let (server, mut tree) = tree_in_bucket(engine);
    // Into a database that none of them finds: they create it, and its tables, at once.
    let database = OwnDatabase::new(engine);
    let endpoint_url = server.endpoint_url();
    let args: Vec<Vec<&str>> = (0..imports)
        .map(|n| {
            // Each begins elsewhere, so that they take their locks in different orders.
            let mut folders = ["s3://trail/logs/0/", "s3://trail/logs/1/", "s3://trail/logs/2/"];
            folders.rotate_left(n);
            let mut args = import(&database.url);
            assert_eq!(args.pop(), Some("logs"));
            [&args[..], &["--endpoint-url", &endpoint_url], &folders].concat()
        })
        .collect();
    let own: Vec<String> = (0..).take(imports).map(log_name).collect();
    let objects = tree.expected.ledger.len();
    let runs = meet(&server, &mut tree.place, &args, &own, objects);
    let runs: Vec<Run> = runs.into_iter().map(|run| run.expect(3)).collect();
    tree.assert_imported(&database);
    assert_met(&runs, tree.logs);
    let rows: u64 = runs.iter().map(|run| run.json()["rows"].as_u64().unwrap()).sum();
    assert_eq!(rows, tree.rows, "a row was counted twice");
}

/// Makes a tree in a bucket, and imports it once.
fn tree_in_bucket(engine: Engine) -> (S3Server, Tree) {
    let (server, files) = (S3Server::start(), Files::new(OBJECTS));
    for (name, bytes) in &files.by_name {
        server.put("trail", name, bytes.clone());
    }
    let mut place = Place::new();
    place.set("AWS_ACCESS_KEY_ID", ACCESS_KEY);
    place.set("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
    let source = ["--endpoint-url", &server.endpoint_url(), "s3://trail/logs/"];
    let tree = Tree::imported(engine, place, &files, &source);
    (server, tree)
}

/// Runs an import with each of `args`, all at the same time and each of the same `objects`.
///
/// Import n is the first one to load the object of the key `own[n]`.
pub fn meet(
    server: &S3Server,
    place: &mut Place,
    args: &[Vec<&str>],
    own: &[String],
    objects: usize,
) -> Vec<Run> {
    let name = |n: usize| format!("import-{n}");
    let hold = server.hold(|call| call.op == Op::GetObject);
    let fetchers = format!("--fetchers={objects}");
    let start = |(n, args): (usize, &Vec<&str>)| {
        place.set("AWS_SDK_UA_APP_ID", &name(n));
        place.start(&[args, &[&*fetchers][..]].concat())
    };
    let mut running: Vec<Running> = args.iter().enumerate().map(start).collect();
    // An import fetches an object after the ledger said that no import has loaded it.
    wait::until("each import asks for every object", || hold.calls().len() == args.len() * objects);
    for (n, key) in own.iter().enumerate() {
        assert_eq!(hold.release(|call| call.is_of(&name(n)) && call.key == *key), 1);
    }
    for running in &mut running {
        assert!(running.reaches("debug: loaded "), "an import loaded nothing of its own");
    }
    drop(hold);
    running.into_iter().map(Running::end).collect()
}

/// Checks that each import loaded something, lost something to each of the others, and that
/// every log was loaded once.
pub(super) fn assert_met(runs: &[Run], logs: u64) {
    let counts = |fate: &str| -> Vec<u64> {
        runs.iter().map(|run| run.json()[fate]["objects"].as_u64().unwrap()).collect()
    };
    let (loaded, already_loaded) = (counts("loaded"), counts("already_loaded"));
    assert_eq!(loaded.iter().sum::<u64>(), logs, "an object was counted twice: {loaded:?}");
    let others = runs.len() as u64 - 1;
    let not_loaded: u64 = already_loaded.iter().sum();
    assert_eq!(not_loaded, others * logs, "an object was not counted: {already_loaded:?}");
    assert!(loaded.iter().all(|count| *count >= 1), "one of them did not load: {loaded:?}");
    // Each had found everything new, so it learned this from a conflict.
    let is_met = already_loaded.iter().all(|count| *count >= others);
    assert!(is_met, "one of them met no other import: {already_loaded:?}");
}
