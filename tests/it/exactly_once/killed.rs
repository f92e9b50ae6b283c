//! Killed in the middle, and run again.

use std::time::Duration;

use super::{Tree, import};
use crate::databases::{Engine, OwnDatabase, promises};

/// How often a load is killed.
const KILLS: u32 = 15;

/// Enough that a load into SQLite takes a while, too.
const OBJECTS: u64 = 141;

promises! { on all:
    a_load_killed_at_many_points_ends_like_an_undisturbed_one
}

fn a_load_killed_at_many_points_ends_like_an_undisturbed_one(engine: Engine) {
    let tree = Tree::of(engine, OBJECTS);
    let mut random = fastrand::Rng::with_seed(41);
    let (mut kills, mut kills_with_rows) = (0, 0);
    while kills < KILLS {
        let database = OwnDatabase::new(engine);
        loop {
            let mut running = tree.place.start(&import(&database.url));
            // Up to the first batch, or a few batches on, and then some way into the next one.
            let batches = random.u32(0..5);
            if kills == KILLS {
                running.end().expect(3);
                break;
            }
            let is_early = (0..batches).all(|_| running.reaches("debug: writing "));
            std::thread::sleep(Duration::from_micros(random.u64(0..4_000)));
            if !is_early {
                running.end().expect(3);
                break;
            }
            if !running.kill() {
                continue;
            }
            kills += 1;
            if batches > 0 && database.number("SELECT COUNT(*) FROM logs") > 0 {
                kills_with_rows += 1;
                assert_whole_objects(&database);
            }
        }
        tree.assert_imported(&database);
    }
    assert!(kills_with_rows > 3, "only {kills_with_rows} of {kills} were in the middle");
}

/// Checks that at any moment the rows are those of the objects in the ledger.
fn assert_whole_objects(database: &OwnDatabase) {
    // In one statement, so that both are seen at one moment.
    let halves = database.query(
        "SELECT (SELECT COUNT(*) FROM logs), row_count FROM import_objects WHERE row_count > 0",
    );
    let number = |cell: &Option<String>| cell.as_deref().unwrap().parse::<u64>().unwrap();
    let printed: u64 = halves.iter().map(|line| number(&line[1])).sum();
    assert_eq!(number(&halves[0][0]), printed, "half an object is committed");
}
