//! Connections that break, between the program and a server.

use std::time::Duration;

use super::{Tree, import};
use crate::databases::{Engine, HeldTable, promises};
use crate::proxy::{CommitFault, Proxy};
use crate::wait;

/// Batches that are in before a server goes away. The load is in the middle then, because the
/// proxy holds all later ones.
const COMMITS_BEFORE_DOWN: u64 = 3;

promises! { on servers:
    a_lost_answer_to_a_commit_neither_loses_nor_doubles_rows
    connections_cut_anywhere_neither_lose_nor_double_rows
    a_server_that_comes_back_is_waited_for
    a_slow_server_is_waited_for
    a_server_that_restarts_outside_the_batches_is_waited_for
}

fn a_lost_answer_to_a_commit_neither_loses_nor_doubles_rows(engine: Engine) {
    use CommitFault::{AnswerLost, CutAtOnce, NeverSent};
    let tree = Tree::new(engine);
    // Alone, and in turn: every fault meets first and later batches, and several writers.
    for (every_commits, faults, writers) in [
        (2, &[AnswerLost][..], "--writers=1"),
        (2, &[CutAtOnce], "--writers=1"),
        (3, &[AnswerLost, NeverSent, CutAtOnce], "--writers=3"),
    ] {
        let (database, proxy) = (tree.empty_database(), Proxy::start(engine));
        proxy.spoil_commits(every_commits, faults);
        let url = proxy.url(&database);
        let args = [&import(&url)[..], &[writers]].concat();
        let run = tree.place.run(&args).expect(3);
        assert!(proxy.commits() > 10 && proxy.faults_done() > 4, "{proxy:?}");
        tree.assert_imported(&database);
        // The run knows that the rows are its own.
        let summary = run.json();
        assert_eq!(summary["loaded"]["objects"], tree.logs, "{}", run.shown());
        assert_eq!(summary["already_loaded"]["objects"], 0, "{}", run.shown());
        assert_eq!(summary["rows"], tree.rows);
        assert!(run.stderr.contains("warning: cannot write a batch; retrying"), "{}", run.shown());
    }
}

fn connections_cut_anywhere_neither_lose_nor_double_rows(engine: Engine) {
    let tree = Tree::new(engine);
    let (database, proxy) = (tree.empty_database(), Proxy::start(engine));
    // From the middle of a login to the middle of a later batch.
    proxy.cut_after(|connection| 150 + 631 * (connection % 23));
    let url = proxy.url(&database);
    let (mut failed, mut survived, mut ended_by_cut) = (0, 0, 0);
    loop {
        let run = tree.place.run(&import(&url));
        survived += run.stderr.matches("; retrying").count();
        if run.code() == 3 {
            break;
        }
        // Where nothing can be retried, it ends as an error that says what to do.
        let run = run.expect(1);
        assert!(run.stderr.contains("error: cannot "), "{}", run.shown());
        let in_load = ["error: cannot write a batch", "error: cannot read the ledger"];
        ended_by_cut += usize::from(in_load.iter().any(|error| run.stderr.contains(error)));
        failed += 1;
        assert!(failed < 41, "it gets nowhere: {}", run.shown());
    }
    assert!(proxy.faults_done() > 4, "{proxy:?}");
    // A cut before or after the load may end a run. In the load, ten cuts of one batch in a row
    // may, so at most a tenth of them does.
    let cuts = format!("{survived} cuts survived in the load, {ended_by_cut} not");
    assert!(survived > 4 && survived >= 9 * ended_by_cut, "{cuts}");
    tree.assert_imported(&database);
}

fn a_server_that_comes_back_is_waited_for(engine: Engine) {
    let tree = Tree::new(engine);
    let (database, proxy) = (tree.empty_database(), Proxy::start(engine));
    proxy.hold_commits_after(COMMITS_BEFORE_DOWN);
    let url = proxy.url(&database);
    let mut running = tree.place.start(&import(&url));
    assert!(running.reaches("debug: loaded "), "{}", running.end().shown());
    proxy.set_down(true);
    assert!(running.reaches("; retrying"), "it was not noticed: {}", running.end().shown());
    proxy.heal();
    running.end().expect(3);
    tree.assert_imported(&database);
}

/// The sessions are ended and nobody is let in for a while: while the indexes are built, and then
/// before the end of the run is recorded.
fn a_server_that_restarts_outside_the_batches_is_waited_for(engine: Engine) {
    let tree = Tree::new(engine);
    let (database, proxy) = (tree.empty_database(), Proxy::start(engine));
    let held = HeldTable::of(&database);
    let url = proxy.url(&database);
    let args = ["--output=json", "--database", &url, "import", "logs"];
    let mut running = tree.place.start(&args);
    assert!(running.reaches("building 14 indexes"), "{}", running.end().shown());
    wait::until("the build waits", || database.index_builds() > 0);
    proxy.set_down(true);
    assert!(running.reaches("; retrying"), "{}", running.end().shown());
    std::thread::sleep(Duration::from_secs(2));
    drop(held);
    proxy.set_down(false);
    let run = running.end().expect(3);
    tree.assert_imported(&database);
    assert_eq!(run.json()["indexes_missing"].as_array().unwrap().len(), 0, "{}", run.shown());
    let status =
        tree.place.run(&["--database", &database.url, "status", "--runs", "--output=json"]);
    assert_eq!(status.expect(0).json()[0]["outcome"], "partial");
}

fn a_slow_server_is_waited_for(engine: Engine) {
    let tree = Tree::new(engine);
    let (database, proxy) = (tree.empty_database(), Proxy::start(engine));
    proxy.set_delay(Duration::from_millis(20));
    tree.place.run(&import(&proxy.url(&database))).expect(3);
    tree.assert_imported(&database);
}

#[test]
fn a_server_that_stays_away_ends_the_run_and_the_same_command_goes_on() {
    let engines = [Engine::Postgres, Engine::Mysql, Engine::Mariadb];
    // A missing server fails this test once, and not in each of its threads.
    for engine in engines {
        engine.admin_url();
    }
    // Side by side, because each waits for its server.
    std::thread::scope(|scope| {
        for engine in engines {
            scope.spawn(move || a_server_stays_away(engine));
        }
    });
}

fn a_server_stays_away(engine: Engine) {
    let tree = Tree::new(engine);
    let (database, proxy) = (tree.empty_database(), Proxy::start(engine));
    proxy.hold_commits_after(COMMITS_BEFORE_DOWN);
    let url = proxy.url(&database);
    let mut running = tree.place.start(&[&import(&url)[..], &["--retry-for=8s"]].concat());
    assert!(running.reaches("debug: loaded "), "{}", running.end().shown());
    proxy.set_down(true);
    let run = running.end().expect(1);
    assert!(run.stderr.contains("\nerror: cannot "), "{}", run.shown());
    let summary = run.json();
    assert_eq!(summary["outcome"], "failed");
    let fates = ["loaded", "already_loaded", "failed", "pending"];
    let objects = |fate: &str| summary[fate]["objects"].as_u64().unwrap();
    let sum: u64 = fates.iter().map(|fate| objects(fate)).sum();
    let skipped = summary["skipped"].as_array().unwrap().len() as u64;
    assert_eq!(objects("listed"), sum + skipped, "{}", run.shown());
    // What it counted is in; a batch whose answer was lost may be, too.
    let rows = database.number("SELECT COUNT(*) FROM logs");
    assert!(summary["rows"].as_u64().unwrap() <= rows, "{}", run.shown());
    proxy.heal();
    tree.place.run(&import(&url)).expect(3);
    tree.assert_imported(&database);
}
