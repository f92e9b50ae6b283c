//! Several imports of one folder into one database at the same time.

use super::{Tree, import};
use crate::binary::Run;
use crate::databases::{Engine, OwnDatabase};
use crate::promises::promises;

/// Enough that one import is still at it when the others begin.
const OBJECTS: u64 = 141;

/// How often they are started before they must have met.
const ROUNDS_MAX: u32 = 4;

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
    let tree = Tree::of(engine, OBJECTS);
    for _ in 0..ROUNDS_MAX {
        // Into a database that none of them finds: they create it, and its tables, at once.
        let database = OwnDatabase::new(engine);
        let running: Vec<_> = (0..imports)
            .map(|n| {
                // Each begins elsewhere, so that not one of them is always a step ahead.
                let mut folders = ["logs/0", "logs/1", "logs/2"];
                folders.rotate_left(n);
                let mut args = import(&database.url);
                assert_eq!(args.pop(), Some("logs"));
                tree.place.start(&[&args[..], &["--fetchers=1"], &folders].concat())
            })
            .collect();
        let runs: Vec<Run> = running.into_iter().map(|running| running.end().expect(3)).collect();
        tree.assert_imported(&database);
        let sum = |count: fn(&serde_json::Value) -> u64| -> u64 {
            runs.iter().map(|run| count(&run.json())).sum()
        };
        let loaded = sum(|summary| summary["loaded"]["objects"].as_u64().unwrap());
        let already = sum(|summary| summary["already_loaded"]["objects"].as_u64().unwrap());
        let rows = sum(|summary| summary["rows"].as_u64().unwrap());
        assert_eq!((loaded, rows), (tree.logs, tree.rows), "an object was counted twice");
        assert_eq!(loaded + already, tree.logs * imports as u64, "an object was not counted");
        let loaders = runs.iter().filter(|run| run.json()["loaded"]["objects"] != 0).count();
        // On SQLite the first one holds the lock most of the time, and the others may find all
        // done when their turn comes; `s3` has them meet.
        if loaders > 1 || engine == Engine::Sqlite {
            return;
        }
    }
    panic!("never did two of them load at the same time");
}
