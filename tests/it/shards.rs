//! Several processes that share one import, as job engines start them.

use std::fs;

use crate::binary::{Place, Run, assert_shown};
use crate::databases::{Engine, OwnDatabase, promises};
use crate::logs::{log_gz, log_json};

promises! { on all:
    the_processes_of_each_engine_load_everything_once
    a_shard_that_did_not_run_is_named_until_it_has
}

const FOLDER: &str = "AWSLogs/111122223333/CloudTrail/us-east-1/2023/07/10";

/// How many objects the tree has, and how many rows in each.
const OBJECTS: usize = 41;
const ROWS: usize = 3;

/// Returns a place with [`OBJECTS`] logs. Which shard has which of them is another in every run, as the name
/// of the folder is.
pub fn tree(database: &OwnDatabase) -> Place {
    let place = Place::with_database(&database.url);
    for n in 0..OBJECTS {
        let ids: Vec<String> = (0..ROWS).map(|row| format!("{n}-{row}")).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        place.write(format!("{FOLDER}/{n}.json.gz"), log_gz(&ids));
    }
    place
}

/// Sets the variables that `NAME=VALUE NAME=VALUE` shows.
pub fn set_all(place: &mut Place, variables: &str) {
    for (name, value) in variables.split_whitespace().map(|it| it.split_once('=').unwrap()) {
        place.set(name, value);
    }
}

/// Checks that each row of the tree is loaded, and no row twice.
#[track_caller]
pub fn assert_all_loaded(database: &OwnDatabase, name: &str) {
    let counted = "SELECT COUNT(*), COUNT(DISTINCT eventID) FROM logs";
    let rows = Some((OBJECTS * ROWS).to_string());
    assert_eq!(database.query(counted), [[rows.clone(), rows]], "{name}");
}

/// Returns the variables of the process with this number, counted from 0, of `count` that an engine starts.
pub fn variables(engine: &str, n: usize, count: usize) -> String {
    match engine {
        "AWS Batch" => format!(
            "AWS_BATCH_JOB_ARRAY_INDEX={n} AWS_BATCH_JOB_ARRAY_SIZE={count} AWS_BATCH_JOB_ID=5c1e:{n}"
        ),
        "Cloud Run" => {
            format!(
                "CLOUD_RUN_TASK_INDEX={n} CLOUD_RUN_TASK_COUNT={count} CLOUD_RUN_EXECUTION=load-x"
            )
        }
        "Slurm" => format!(
            "SLURM_ARRAY_TASK_ID={} SLURM_ARRAY_TASK_COUNT={count} SLURM_ARRAY_TASK_MIN=1 \
             SLURM_ARRAY_TASK_MAX={count} SLURM_ARRAY_TASK_STEP=1 SLURM_ARRAY_JOB_ID=77",
            n + 1
        ),
        "GitLab" => format!("CI_NODE_INDEX={} CI_NODE_TOTAL={count} CI_PIPELINE_ID=9001", n + 1),
        "Kubernetes" => format!("JOB_COMPLETION_INDEX={n} HOSTNAME=load-{n}"),
        "Nomad" => format!("NOMAD_ALLOC_INDEX={n} NOMAD_JOB_ID=load"),
        other => panic!("{other}"),
    }
}

fn the_processes_of_each_engine_load_everything_once(engine: Engine) {
    for (name, shard) in [
        ("AWS Batch", "auto"),
        ("Cloud Run", "auto"),
        ("Slurm", "auto"),
        ("GitLab", "auto"),
        ("Kubernetes", "auto/4"),
        ("Nomad", "auto/4"),
    ] {
        let database = OwnDatabase::new(engine);
        let mut place = tree(&database);
        let started: Vec<_> = (0..4)
            .map(|n| {
                set_all(&mut place, &variables(name, n, 4));
                place.start(&["--output", "json", "import", "--shard", shard, "AWSLogs"])
            })
            .collect();
        let runs: Vec<Run> = started.into_iter().map(|run| run.end().expect(0)).collect();
        let sum = |key: &str| -> u64 {
            runs.iter().map(|run| run.json()[key]["objects"].as_u64().unwrap()).sum()
        };
        assert_eq!(sum("loaded"), OBJECTS as u64, "{name}");
        assert_eq!(sum("other_shards"), 3 * OBJECTS as u64, "{name}");
        assert_eq!(sum("already_loaded"), 0, "{name}: two processes had the same shard");
        assert_all_loaded(&database, name);
        let shards = "SELECT shard FROM import_runs WHERE outcome = 'complete' AND job IS NOT NULL \
                      ORDER BY shard";
        let expected = ["1/4", "2/4", "3/4", "4/4"].map(|it| vec![Some(it.to_owned())]);
        assert_eq!(database.query(shards), expected, "{name}");

        let status = place.run(&["status"]).expect(0);
        assert!(
            status.stdout.contains("\nlast job: all 4 shards are done\n"),
            "{}",
            status.shown()
        );
        // None of them built an index.
        let built = place.run(&["--output", "json", "index"]).expect(0).json();
        let built: usize = built
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["indexes"].as_array().unwrap().len())
            .sum();
        assert_eq!(built, cloudtrail2sql::database::indexes::INDEXES.len(), "{name}");
    }
}

fn a_shard_that_did_not_run_is_named_until_it_has(engine: Engine) {
    let database = OwnDatabase::new(engine);
    let place = tree(&database);
    let import = |shard: &str| {
        place.run(&["import", "--from", "2023-07-10", "--shard", shard, "AWSLogs"]).expect(0)
    };
    import("1/3");
    import("3/3");
    let status = place.run(&["status"]).expect(0);
    let expected = "last job: 2 of 3 shards are done\n  AWSLogs {\"from\":\"2023-07-10\"}, begun ";
    assert!(status.stdout.contains(expected), "{}", status.shown());
    assert!(
        status.stdout.contains("\n  did not run: 2\n  run each of these with `--shard K/3`\n"),
        "{}",
        status.shown()
    );
    let json = place.run(&["status", "--output", "json"]).expect(0).json();
    assert_eq!(json["jobs"][0]["missing"].to_string(), "[2]");
    assert_eq!(json["jobs"][0]["done"].to_string(), "[1,3]");
    assert_eq!(json["last_run"]["shard"], "3/3");
    let report = || {
        place.run(&["report", "--out", "report.html"]).expect(0);
        let page = fs::read_to_string(place.path("report.html")).unwrap();
        page.contains("2 of 3 shards of an import are done.")
    };
    assert!(report());

    import("2/3");
    let status = place.run(&["status"]).expect(0);
    assert!(status.stdout.contains("\nlast job: all 3 shards are done\n"), "{}", status.shown());
    assert_all_loaded(&database, "three shards");
    assert!(!report());

    // The next night, the third one does not run.
    import("2/3");
    import("1/3");
    let status = place.run(&["status"]).expect(0);
    assert!(status.stdout.contains("\n  did not run: 3\n"), "{}", status.shown());
    // With a name, the third one of the night after that is not taken for it.
    let named = ["import", "--from", "2023-07-10", "--shard", "3/3", "--job", "a day", "AWSLogs"];
    place.run(&named).expect(0);
    let status = place.run(&["status"]).expect(0);
    assert!(status.stdout.contains(", job a day\n  did not run: 1-2\n"), "{}", status.shown());
}

#[test]
fn a_shard_that_was_killed_is_not_done() {
    let database = OwnDatabase::new(Engine::Sqlite);
    let place = tree(&database);
    place.run(&["import", "--shard", "1/2", "AWSLogs"]).expect(0);
    place.run(&["import", "--shard", "2/2", "AWSLogs"]).expect(0);
    // What a killed process leaves.
    database.query(
        "UPDATE import_runs SET finished_at = NULL, outcome = 'running' WHERE shard = '2/2'",
    );
    let status = place.run(&["status"]).expect(0);
    let expected = "last job: 1 of 2 shards are done\n";
    assert!(status.stdout.contains(expected), "{}", status.shown());
    assert!(status.stdout.contains("\n  running or killed: 2\n"), "{}", status.shown());
}

#[test]
fn a_shard_is_printed_with_the_variable_that_named_it() {
    let mut place = Place::new();
    set_all(&mut place, &variables("AWS Batch", 3, 4));
    // What a shard of the tree has differs from run to run.
    fs::create_dir(place.path("empty")).unwrap();
    assert_shown!("shard_of_aws_batch", place.run(&["import", "--shard", "auto", "empty"]));
    let json = place.run(&["import", "--output", "json", "--shard", "auto", "empty"]).expect(0);
    assert_eq!(json.json()["shard"], "4/4");
    assert_eq!(json.json()["shard_variable"], "AWS_BATCH_JOB_ARRAY_INDEX");
    assert_eq!(json.json()["job"], "5c1e");
    assert_shown!("shard_typed", place.run(&["import", "--dry-run", "--shard", "1/4", "empty"]));
    assert_shown!("status_of_a_job", place.run(&["status"]));
    assert_shown!("status_of_a_job_runs", place.run(&["status", "--runs"]));
    assert_shown!("status_of_a_job_json", place.run(&["status", "--output", "json"]));
}

#[test]
fn a_shard_that_cannot_be_found_out_is_reported() {
    for (name, shard, variables) in [
        ("shard_no_variable", "auto", ""),
        ("shard_no_count", "auto", "JOB_COMPLETION_INDEX=2"),
        ("shard_two_engines", "auto", "CI_NODE_INDEX=1 CI_NODE_TOTAL=4 NOMAD_ALLOC_INDEX=0"),
        ("shard_other_count", "auto/8", "CLOUD_RUN_TASK_INDEX=1 CLOUD_RUN_TASK_COUNT=4"),
        ("shard_beyond", "auto/2", "JOB_COMPLETION_INDEX=2"),
        ("shard_incomplete", "auto", "AWS_BATCH_JOB_ARRAY_INDEX=1"),
        ("shard_not_a_number", "auto", "AWS_BATCH_JOB_ARRAY_INDEX=x AWS_BATCH_JOB_ARRAY_SIZE=4"),
        (
            "shard_uneven",
            "auto",
            "SLURM_ARRAY_TASK_ID=2 SLURM_ARRAY_TASK_COUNT=3 SLURM_ARRAY_TASK_MIN=1 \
             SLURM_ARRAY_TASK_MAX=7 SLURM_ARRAY_TASK_STEP=1",
        ),
        ("shard_not_one", "0/3", ""),
    ] {
        let mut place = Place::new();
        set_all(&mut place, variables);
        place.write("a.json", log_json(&["a1"]));
        assert_shown!(name, place.run(&["import", "--shard", shard, "a.json"]));
        assert!(!place.path("cloudtrail.db").exists(), "a database for nothing");
    }
}

#[test]
fn losses_end_with_exit_code_0_if_that_is_asked_for() {
    let place = Place::new();
    place.write("good.json", log_json(&["a1", "a2"]));
    place.write("cut.json", &log_json(&["x1", "x2"])[..100]);
    let import = ["import", "--fetchers=1", "good.json", "cut.json"];
    place.run(&import).expect(3);
    let accepting = [&import[..], &["--exit-zero-on-losses"]].concat();
    assert_shown!("losses_accepted", place.run(&accepting));
    let json = place.run(&[&accepting[..], &["--output", "json"]].concat()).expect(0).json();
    assert_eq!((&json["outcome"], &json["exit_code"]), (&"partial".into(), &0.into()));
    place.run(&[&accepting[..], &["--dry-run"]].concat()).expect(0);
    place.run(&[&import[..], &["--dry-run"]].concat()).expect(3);
    // They stay in the ledger.
    let failed = place.run(&["status", "--failed"]).expect(0);
    assert!(failed.stdout.contains("cut.json"), "{}", failed.shown());
    let runs = place.run(&["status", "--runs"]).expect(0);
    assert_eq!(runs.stdout.matches("partial").count(), 3, "{}", runs.shown());
    // Nothing else becomes a success.
    place.run(&[&accepting[..], &["missing.json"]].concat()).expect(1);
    place.run(&[&accepting[..], &["--shard", "4/3"]].concat()).expect(2);
}

#[test]
fn a_shard_without_objects_is_told_from_a_source_without_objects() {
    let place = Place::new();
    place.write("a.json", log_json(&["a1"]));
    let runs = ["1/2", "2/2"].map(|it| place.run(&["import", "--shard", it, "a.json"]).expect(0));
    let said = "nothing to do: all objects are in other shards\n";
    let empty = runs.iter().filter(|run| run.stdout.contains(said)).count();
    assert_eq!(empty, 1, "{}{}", runs[0].shown(), runs[1].shown());
}
