//! The files of deploy/: checked by the schemas of the engines, and run where the engine can be had.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use super::{ROOT, python};
use crate::binary::Place;
use crate::databases::{Engine, OwnDatabase};
use crate::shards::{assert_all_loaded, set_all, tree, variables};

/// Returns the files of deploy/, and the engine that each is for.
fn files() -> BTreeSet<String> {
    let deploy = Path::new(ROOT).join("deploy");
    let files = walkdir::WalkDir::new(&deploy).into_iter().map(Result::unwrap);
    let files = files.filter(|file| file.file_type().is_file());
    let relative = |file: walkdir::DirEntry| {
        file.path().strip_prefix(&deploy).unwrap().to_str().unwrap().to_owned()
    };
    files.map(relative).collect()
}

/// The command lines of the files are valid, and the processes that they start import everything.
#[test]
#[ignore = "needs Python with the schemas: `tests/run --tools`"]
fn the_files_follow_the_schemas_and_their_processes_import_everything() {
    let found = python("tests/tools/check_deploy.py", &[], Path::new(ROOT));
    let mut unchecked = files();
    // They are run below; the other file is the input of a request that names import.json's definition.
    for run in ["slurm.sh", "parallel.sh", "aws-batch/import.json"] {
        assert!(unchecked.remove(run), "{run}");
    }
    for line in found.lines() {
        let command: Value = serde_json::from_str(line).unwrap();
        let file = command["file"].as_str().unwrap();
        unchecked.remove(file);
        let args: Vec<&str> =
            command["args"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
        let engine = match file.split(['/', '.']).next().unwrap() {
            "kubernetes" => "Kubernetes",
            "aws-batch" => "AWS Batch",
            "cloud-run" => "Cloud Run",
            "gitlab-ci" => "GitLab",
            "nomad" => "Nomad",
            other => panic!("{other}"),
        };
        if args == ["index"] {
            continue;
        }
        let database = OwnDatabase::new(Engine::Sqlite);
        let mut place = tree(&database);
        let args = args.iter().map(|arg| arg.replace("s3://acme-trail/", "AWSLogs"));
        let args: Vec<String> = args.collect();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let count = usize::try_from(command["count"].as_u64().unwrap()).unwrap();
        for n in 0..count {
            set_all(&mut place, &variables(engine, n, count));
            place.run(&args).expect(0);
        }
        assert_all_loaded(&database, file);
        let status = place.run(&["status"]).expect(0);
        let done = format!("last job: all {count} shards are done");
        assert!(status.stdout.contains(&done), "{file}: {}", status.shown());
    }
    assert!(unchecked.is_empty(), "nothing checks {unchecked:?}");
}

/// Returns the folder of the program.
fn program_folder() -> &'static str {
    env!("CARGO_BIN_EXE_cloudtrail2sql").rsplit_once('/').unwrap().0
}

/// Runs a command in the place, with the variables of an engine, each in a line of `variables`.
fn run(place: &Place, database: &OwnDatabase, variables: &str, command: &[&str]) -> Output {
    let mut run = Command::new(command[0]);
    run.args(&command[1..]).current_dir(place.path("")).env_clear();
    run.env("HOME", place.path("")).env("DATABASE_URL", &database.url);
    for line in variables.lines() {
        let (name, value) = line.split_once('=').unwrap();
        let folder = if name == "PATH" { format!("{}:", program_folder()) } else { String::new() };
        run.env(name, format!("{folder}{value}"));
    }
    run.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}

fn assert_indexed(place: &Place) {
    let index = place.run(&["index"]).expect(0);
    assert!(index.stdout.contains("every index exists"), "{}", index.shown());
}

#[test]
#[ignore = "needs Slurm: `tests/run --tools`"]
fn slurm_runs_its_script() {
    let variables = std::env::var("TEST_SLURM").expect("`tests/run --tools` sets TEST_SLURM");
    let script = format!("{ROOT}/deploy/slurm.sh");
    for (array, count) in [("", 8), ("--array=0-6:2", 4)] {
        let database = OwnDatabase::new(Engine::Postgres);
        let place = tree(&database);
        let submit = |more: &[&str]| {
            let wait = [&["sbatch", "--wait", "--parsable"][..], more].concat();
            run(&place, &database, &variables, &wait)
        };
        let array: Vec<&str> = Some(array).into_iter().filter(|it| !it.is_empty()).collect();
        let submitted = submit(&[&array[..], &[&*script, "AWSLogs"]].concat());
        let job = text(&submitted.stdout);
        assert!(submitted.status.success(), "{}", text(&submitted.stderr));
        assert_all_loaded(&database, "Slurm");
        let shards = "SELECT COUNT(*), COUNT(DISTINCT shard), MAX(shard), MIN(job), MAX(job) \
                      FROM import_runs WHERE outcome = 'complete'";
        let (shards, count) = (database.query(shards), count.to_string());
        let last = format!("{count}/{count}");
        assert_eq!(shards, [[&count, &count, &last, &job, &job].map(|it| Some(it.clone()))]);

        let after = format!("--dependency=afterok:{job}");
        let index = submit(&[&after, "--wrap", "cloudtrail2sql index"]);
        assert!(index.status.success(), "{}", text(&index.stderr));
        assert_indexed(&place);
    }
    // An array with gaps: every task refuses it.
    let database = OwnDatabase::new(Engine::Postgres);
    let place = tree(&database);
    let command = ["sbatch", "--wait", "--array=1,2,7", "--output=log", &script, "AWSLogs"];
    let submitted = run(&place, &database, &variables, &command);
    assert_eq!(submitted.status.code(), Some(2), "{}", text(&submitted.stderr));
    let log = std::fs::read_to_string(place.path("log")).unwrap();
    assert!(log.contains("the indexes of the Slurm array are not evenly spaced"), "{log}");
}

#[test]
#[ignore = "needs GNU parallel: `tests/run --tools`"]
fn gnu_parallel_runs_its_script() {
    let folder = std::env::var("TEST_PARALLEL").expect("`tests/run --tools` sets TEST_PARALLEL");
    let variables = format!("PATH={folder}:{}", std::env::var("PATH").unwrap());
    let script = format!("{ROOT}/deploy/parallel.sh");
    let database = OwnDatabase::new(Engine::Postgres);
    let place = tree(&database);
    // A name that a shell would split.
    std::fs::rename(place.path("AWSLogs"), place.path("all 'my' logs")).unwrap();
    let done = run(&place, &database, &variables, &[&script, "4", "all 'my' logs"]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    assert_all_loaded(&database, "GNU parallel");
    let shards = "SELECT COUNT(DISTINCT shard), COUNT(DISTINCT job) FROM import_runs";
    assert_eq!(database.query(shards), [["4", "1"].map(|it| Some(it.to_owned()))]);
    assert_indexed(&place);

    // A shard that fails is tried again, and the indexes are not built: there is no database for them.
    let database = OwnDatabase::new(Engine::Postgres);
    let place = tree(&database);
    let failed = run(&place, &database, &variables, &[&script, "2", "missing"]);
    assert!(!failed.status.success());
    let tried = text(&failed.stderr).matches("error: cannot open `missing`").count();
    assert!(tried >= 4, "{}", text(&failed.stderr));
    assert!(
        !text(&failed.stderr).contains("nothing has been imported"),
        "{}",
        text(&failed.stderr)
    );
}
