//! Killed, interrupted, cut off, and with other runs at the same time.

use std::time::Duration;

use super::{assert_balanced, counts, dedupe, removed_by};
use crate::binary::{Place, Running};
use crate::databases::{Contents, Engine, OwnDatabase, promises};
use crate::logs::{gz, record, wrapper};
use crate::proxy::{CommitFault, Proxy};

promises! { on all:
    killed_at_many_points_it_ends_like_an_undisturbed_run
    a_signal_ends_it_between_two_transactions
    two_at_once_remove_each_row_once
    it_works_while_an_import_runs
}

promises! { on servers:
    a_lost_answer_to_a_commit_counts_no_row_twice
}

/// Objects in each of the two folders: a number that no page divides.
const OBJECTS: usize = 41;

/// Events in each object. A transaction removes the duplicates of 2,000 events, on SQLite of 5,000.
const EVENTS: usize = 501;

const DUPLICATES: u64 = (OBJECTS * EVENTS) as u64;

/// How often it is killed.
const KILLS: u32 = 7;

const DELETE: [&str; 4] = ["-v", "--output=json", "dedupe", "--delete"];

/// Returns a place with two copies of a folder, `a` and `b`.
fn copies() -> Place {
    let place = Place::new();
    for n in 0..OBJECTS {
        let events =
            (0..EVENTS).map(|m| record(&format!("event {}", (n * EVENTS + m) * 7_919 % 100_003)));
        let log = gz(&wrapper(&events.collect::<Vec<_>>()));
        for folder in ["a", "b"] {
            place.write(format!("logs/{folder}/{n:02}.json.gz"), &log);
        }
    }
    place
}

/// Imports both folders into a database.
fn import(place: &mut Place, database: &OwnDatabase) {
    place.set("DATABASE_URL", &database.url);
    place.run(&["--quiet", "import", "logs"]).expect(0);
    assert_eq!(database.number("SELECT COUNT(*) FROM logs"), 2 * DUPLICATES);
}

/// Returns what an undisturbed run leaves.
fn undisturbed(place: &mut Place, engine: Engine) -> Contents {
    let database = OwnDatabase::new(engine);
    import(place, &database);
    assert_eq!(counts(&dedupe(place, &database, &["--delete"], 0)), (DUPLICATES, DUPLICATES));
    database.contents()
}

/// Starts a run that removes, and waits until it has removed something `transactions` times.
fn started(place: &Place, transactions: u32) -> Option<Running> {
    let mut running = place.start(&DELETE);
    let is_early = (0..transactions).all(|_| running.reaches("debug: removed "));
    if is_early {
        return Some(running);
    }
    running.end().expect(0);
    None
}

fn killed_at_many_points_it_ends_like_an_undisturbed_run(engine: Engine) {
    let mut place = copies();
    let expected = undisturbed(&mut place, engine);
    let mut random = fastrand::Rng::with_seed(41);
    let (mut kills, mut kills_in_the_middle) = (0, 0);
    while kills < KILLS {
        let database = OwnDatabase::new(engine);
        import(&mut place, &database);
        while let Some(running) = started(&place, random.u32(0..3)) {
            std::thread::sleep(Duration::from_micros(random.u64(0..20_000)));
            if kills == KILLS || !running.kill() {
                break;
            }
            kills += 1;
            let in_one_statement = "SELECT (SELECT COUNT(*) FROM logs), row_count, record_count, \
                 COALESCE(duplicate_count, 0) FROM import_objects";
            let lines = database.query(in_one_statement);
            let number = |cell: &Option<String>| cell.as_deref().unwrap().parse::<u64>().unwrap();
            let rows: u64 = lines.iter().map(|line| number(&line[1])).sum();
            assert_eq!(number(&lines[0][0]), rows, "half a transaction is committed");
            assert!(lines.iter().all(|it| number(&it[2]) == number(&it[1]) + number(&it[3])));
            kills_in_the_middle += u32::from(rows > DUPLICATES && rows < 2 * DUPLICATES);
        }
        dedupe(&place, &database, &["--delete"], 0);
        let contents = database.contents();
        assert_eq!(contents.rows, expected.rows);
        assert_eq!(contents.ledger, expected.ledger);
    }
    assert!(kills_in_the_middle > 1, "only {kills_in_the_middle} of {kills} were in the middle");
}

fn a_signal_ends_it_between_two_transactions(engine: Engine) {
    let mut place = copies();
    let expected = undisturbed(&mut place, engine);
    let database = OwnDatabase::new(engine);
    import(&mut place, &database);
    let mut removed = 0;
    for signal in ["INT", "TERM"] {
        let running = started(&place, 1).unwrap();
        running.signal(signal);
        let run = running.end().expect(130);
        assert!(run.stderr.contains("warning: stopping: "), "{}", run.shown());
        assert_balanced(&database);
        removed += removed_by(&run);
        // Exactly what it counted is removed.
        assert_eq!(database.number("SELECT COUNT(*) FROM logs"), 2 * DUPLICATES - removed);
    }
    assert!(removed < DUPLICATES);
    assert_eq!(dedupe(&place, &database, &["--delete"], 0)["rows"], DUPLICATES - removed);
    assert_eq!(database.contents().ledger, expected.ledger);
}

fn two_at_once_remove_each_row_once(engine: Engine) {
    let mut place = copies();
    let expected = undisturbed(&mut place, engine);
    let database = OwnDatabase::new(engine);
    import(&mut place, &database);
    let running = [place.start(&DELETE), place.start(&DELETE)];
    let removed: Vec<u64> = running.map(|it| removed_by(&it.end().expect(0))).into();
    assert_eq!(removed.iter().sum::<u64>(), DUPLICATES, "{removed:?}");
    assert_balanced(&database);
    let contents = database.contents();
    assert_eq!((contents.rows, contents.ledger), (expected.rows, expected.ledger));
}

fn it_works_while_an_import_runs(engine: Engine) {
    let mut place = copies();
    let database = OwnDatabase::new(engine);
    import(&mut place, &database);
    let expected = database.contents().rows;
    for n in 0..OBJECTS {
        let log = std::fs::read(place.path(format!("logs/a/{n:02}.json.gz"))).unwrap();
        place.write(format!("more/{n:02}.json.gz"), log);
    }
    let importing = place.start(&["--quiet", "import", "--batch-rows=300", "more"]);
    let removing = place.start(&DELETE);
    importing.end().expect(0);
    removing.end().expect(0);
    assert_balanced(&database);
    dedupe(&place, &database, &["--delete"], 0);
    let mut rows = expected;
    rows.dedup();
    assert_eq!(database.contents().rows, rows);
}

fn a_lost_answer_to_a_commit_counts_no_row_twice(engine: Engine) {
    use CommitFault::{AnswerLost, CutAtOnce, NeverSent};
    let mut place = copies();
    let expected = undisturbed(&mut place, engine);
    let database = OwnDatabase::new(engine);
    import(&mut place, &database);
    let proxy = Proxy::start(engine);
    proxy.spoil_commits(2, &[AnswerLost, NeverSent, CutAtOnce]);
    place.set("DATABASE_URL", &proxy.url(&database));
    let run = place.run(&DELETE).expect(0);
    assert!(proxy.faults_done() > 2, "{proxy:?}");
    assert!(run.stderr.contains("warning: cannot remove duplicates; retrying"), "{}", run.shown());
    assert_eq!(removed_by(&run), DUPLICATES, "{}", run.shown());
    assert_balanced(&database);
    let contents = database.contents();
    assert_eq!((contents.rows, contents.ledger), (expected.rows, expected.ledger));
}
