//! The output of the program: whole runs, compared with `snapshots/`.

mod errors;
mod hostile;
mod names;
mod signals;
mod streams;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::binary::{Place, assert_shown};
use crate::logs::{log_gz, log_json, record, wrapper};

const FOLDER: &str = "AWSLogs/111122223333/CloudTrail/us-east-1/2023/07/10";

/// Returns a place with three logs of seven records, a digest and a note.
///
/// Nothing is compressed: sizes would change with the compressor.
fn small_tree() -> Place {
    let place = Place::new();
    place.write(format!("{FOLDER}/a.json"), log_json(&["a1", "a2", "a3"]));
    place.write(format!("{FOLDER}/b.json"), log_json(&["b1"]));
    let other_day = FOLDER.replace("07/10", "07/11");
    place.write(format!("{other_day}/c.json"), log_json(&["c1", "c2", "c3"]));
    let digests = FOLDER.replace("CloudTrail", "CloudTrail-Digest");
    place.write(format!("{digests}/d.json"), r#"{"digestEndTime":"2023-07-10T12:00:00Z"}"#);
    place.write("AWSLogs/note.txt", "copied on Monday\n");
    place
}

/// Sets the permissions of a file, whatever the umask.
fn set_mode(place: &Place, name: &str, mode: u32) {
    fs::set_permissions(place.path(name), fs::Permissions::from_mode(mode)).unwrap();
}

/// Returns the names in a folder.
fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_first_run_loads_and_a_second_finds_nothing_to_load() {
    let place = small_tree();
    assert_shown!("import_first", place.run(&["import", "AWSLogs"]));
    assert_shown!("import_second", place.run(&["import", "AWSLogs"]));
}

#[test]
fn a_new_object_is_loaded_alone() {
    let place = small_tree();
    place.run(&["import", "AWSLogs"]).expect(0);
    place.write(format!("{FOLDER}/late.json"), log_json(&["late1", "late2"]));
    assert_shown!("import_new_object", place.run(&["import", "AWSLogs"]));
}

#[test]
fn a_failed_object_is_retried() {
    let place = small_tree();
    let name = format!("{FOLDER}/broken.json");
    place.write(&name, &log_json(&["x1", "x2"])[..100]);
    assert_shown!("import_with_a_failure", place.run(&["import", "AWSLogs"]));
    assert_shown!("import_with_the_same_failure", place.run(&["import", "AWSLogs"]));
    place.write(&name, log_json(&["x1", "x2"]));
    assert_shown!("import_after_the_repair", place.run(&["import", "AWSLogs"]));
}

#[test]
fn a_folder_with_nothing_to_load_is_reported() {
    let place = Place::new();
    fs::create_dir(place.path("empty")).unwrap();
    assert_shown!("import_empty_folder", place.run(&["import", "empty"]));
    place.write("notes/note.txt", "no log\n");
    assert_shown!("import_no_logs", place.run(&["import", "notes"]));
}

#[test]
fn several_sources_that_overlap_load_each_object_once() {
    let place = small_tree();
    let file = format!("{FOLDER}/a.json");
    let run = place.run(&["--output", "json", "import", &file, "AWSLogs", &file]).expect(0);
    let summary = run.json();
    assert_eq!(summary["rows"], 7, "{}", run.shown());
    // The digest is in a folder that is not listed.
    assert_eq!(summary["listed"]["objects"], 6);
    assert_eq!(summary["already_loaded"]["objects"], 2);
}

#[test]
fn the_summary_for_programs_is_one_json_object() {
    let place = small_tree();
    assert_shown!("import_json", place.run(&["import", "--output", "json", "AWSLogs"]));
}

#[test]
fn a_dry_run_reports_what_it_cannot_read() {
    let place = small_tree();
    let name = format!("{FOLDER}/broken.json");
    place.write(&name, &log_json(&["x1", "x2"])[..100]);
    let run = place.run(&["import", "--dry-run", "AWSLogs"]).expect(3);
    let line = "broken.json: the JSON is cut off after 100 bytes";
    assert!(run.stdout.contains(line), "{}", run.shown());
    let json = place.run(&["import", "--dry-run", "--output=json", "AWSLogs"]).expect(3).json();
    assert_eq!(json["unread"][0]["reason"], "the JSON is cut off after 100 bytes");
    // Three logs and a note.
    assert_eq!(json["estimate"]["sampled_objects"], 4);
}

#[test]
fn a_dry_run_writes_nothing() {
    let place = small_tree();
    let before = names_in(&place.path(""));
    assert_shown!("dry_run", place.run(&["import", "--dry-run", "AWSLogs"]));
    assert_shown!("dry_run_json", place.run(&["import", "--dry-run", "--output=json", "AWSLogs"]));
    assert_eq!(names_in(&place.path("")), before);

    place.run(&["import", "AWSLogs"]).expect(0);
    place.write(format!("{FOLDER}/late.json"), log_json(&["late"]));
    let loaded = fs::read(place.path("cloudtrail.db")).unwrap();
    assert_shown!("dry_run_of_a_known_tree", place.run(&["import", "--dry-run", "AWSLogs"]));
    assert_eq!(fs::read(place.path("cloudtrail.db")).unwrap(), loaded);
}

#[test]
fn status_reports_what_is_loaded() {
    let place = small_tree();
    place.write("cut.json.gz", &log_gz(&["x"])[..30]);
    place.write("odd.json", wrapper(&[record("o1"), "[1, 2]".into()]));
    // One after another, so that the losses come in this order.
    let args = ["import", "--fetchers=1", "AWSLogs", "cut.json.gz", "odd.json"];
    assert_shown!("import_with_losses", place.run(&args));
    for part in ["", "--failed", "--rejected", "--runs"] {
        let name = format!("status{}", part.replace("--", "_"));
        let args: Vec<&str> = ["status", part].into_iter().filter(|arg| !arg.is_empty()).collect();
        assert_shown!(name.as_str(), place.run(&args));
        let json: Vec<&str> = args.iter().copied().chain(["--output", "json"]).collect();
        assert_shown!(format!("{name}_json"), place.run(&json));
    }
}

#[test]
fn status_reports_that_there_are_no_losses() {
    let place = small_tree();
    place.run(&["import", "AWSLogs"]).expect(0);
    assert_shown!("status_failed_none", place.run(&["status", "--failed"]));
    assert_shown!("status_skipped_none", place.run(&["status", "--skipped"]));
    assert_shown!("status_rejected_none", place.run(&["status", "--rejected"]));
}

#[test]
fn indexes_can_be_left_for_later() {
    let place = small_tree();
    assert_shown!("import_no_index", place.run(&["import", "--no-index", "AWSLogs"]));
    assert_shown!("index", place.run(&["index"]));
    assert_shown!("index_again", place.run(&["index"]));
    assert_shown!("index_json", place.run(&["index", "--output", "json"]));
}

#[test]
fn quiet_leaves_only_the_summary_and_errors() {
    let place = small_tree();
    let run = place.run(&["--quiet", "import", "AWSLogs"]).expect(0);
    assert_eq!(run.stderr, "");
    place.write("AWSLogs/broken.json", "{");
    let run = place.run(&["--quiet", "import", "AWSLogs"]).expect(3);
    assert!(run.stderr.starts_with("error: cannot load "), "{}", run.shown());
}

#[test]
fn a_log_for_programs_is_json_line_by_line() {
    let place = small_tree();
    place.write("AWSLogs/broken.json", "{");
    let run = place.run(&["--log-format", "json", "import", "AWSLogs"]).expect(3);
    let lines: Vec<serde_json::Value> =
        run.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let error = lines.iter().find(|line| line["level"] == "ERROR").unwrap();
    let message = error["fields"]["message"].as_str().unwrap();
    assert!(message.ends_with("AWSLogs/broken.json"), "{}", run.shown());
    assert_eq!(error["fields"]["cause"], "the JSON is cut off after 1 bytes");
}

#[test]
fn the_first_line_names_the_database_and_where_it_comes_from() {
    let mut place = small_tree();
    let first_line = |place: &Place, args: &[&str]| {
        let run = place.run(&[args, &["import", "AWSLogs"]].concat()).expect(0);
        run.stderr.lines().next().unwrap().to_owned()
    };
    assert_eq!(first_line(&place, &[]), "database: sqlite://cloudtrail.db (by default)");
    place.write("db.toml", "url = \"sqlite://from_file.db\"\n");
    assert_eq!(first_line(&place, &[]), "database: sqlite://from_file.db (from db.toml)");
    place.set("DATABASE_URL", "sqlite://from_variable.db");
    let expected = "database: sqlite://from_variable.db (from `DATABASE_URL`)";
    assert_eq!(first_line(&place, &[]), expected);
    let expected = "database: sqlite://from_flag.db (from `--database`)";
    assert_eq!(first_line(&place, &["--database", "sqlite://from_flag.db"]), expected);
    for name in ["cloudtrail.db", "from_file.db", "from_variable.db", "from_flag.db"] {
        assert!(place.path(name).exists(), "{name} was not used");
    }
}

#[test]
fn help_and_completions_are_no_errors() {
    let place = Place::new();
    for args in [&["--help"][..], &["-h"], &["import", "--help"], &["help", "status"]] {
        let run = place.run(args).expect(0);
        assert!(run.stdout.contains("Usage: cloudtrail2sql"), "{}", run.shown());
        assert_eq!(run.stderr, "");
    }
    let help = place.run(&["--help"]).stdout;
    for code in ["  0    ", "  1    ", "  2    ", "  3    ", "  130  "] {
        assert!(help.contains(&format!("\n{code}")), "{help}");
    }
    assert!(place.run(&["--version"]).expect(0).stdout.starts_with("cloudtrail2sql "));
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let run = place.run(&["completions", shell]).expect(0);
        assert!(run.stdout.contains("max-object-size"), "{}", run.shown());
    }
}
