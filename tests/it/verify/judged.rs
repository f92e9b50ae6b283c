//! The program finds in each scenario what has to be found, and nothing else.

use std::sync::Mutex;

use super::program::Site;
use super::scenarios::{self, Scenario};
use crate::databases::{Engine, promises};

promises! { on servers:
    some_scenarios_are_judged_the_same_on_each_database
}

/// One of each kind of state and hole.
const SOME: [&str; 8] = [
    "clean",
    "several regions",
    "backfill without metadata",
    "log changed",
    "log forged",
    "digest changed",
    "two digests in a row deleted",
    "validation off",
];

/// Imports a scenario and verifies it, then verifies it again.
fn assert_judged(scenario: &Scenario, engine: Engine, is_on_s3: bool) {
    let Scenario { name, tree, imported, expected, expected_in_folder, .. } = scenario;
    let (expected, store) =
        if is_on_s3 { (expected, "on S3") } else { (expected_in_folder, "in a folder") };
    let site = Site::of(scenario, engine, is_on_s3);
    let first = site.import();
    match imported {
        None => first.assert_finds(expected, &format!("{name}, {store}, imported")),
        Some(_) => site.put(tree),
    }
    site.verify().assert_finds(expected, &format!("{name}, {store}, verified"));
    site.verify().assert_finds(expected, &format!("{name}, {store}, verified again"));
}

/// Judges scenarios, some at the same time.
fn assert_all_judged(engine: Engine, is_on_s3: bool, is_wanted: impl Fn(&str) -> bool) {
    let mut wanted = scenarios::all();
    wanted.retain(|scenario| is_wanted(scenario.name));
    assert!(!wanted.is_empty());
    let waiting = Mutex::new(wanted.into_iter());
    let failures = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let Some(scenario) = waiting.lock().unwrap().next() else { break };
                    let judged = std::panic::catch_unwind(|| {
                        assert_judged(&scenario, engine, is_on_s3);
                    });
                    if judged.is_err() {
                        failures.lock().unwrap().push(scenario.name);
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "other findings than expected, see above: {failures:#?}");
}

#[test]
fn every_scenario_on_s3_is_judged_as_expected() {
    assert_all_judged(Engine::Sqlite, true, |_| true);
}

#[test]
fn every_scenario_in_a_folder_is_judged_as_expected() {
    assert_all_judged(Engine::Sqlite, false, |_| true);
}

fn some_scenarios_are_judged_the_same_on_each_database(engine: Engine) {
    assert_all_judged(engine, true, |name| SOME.contains(&name));
}
