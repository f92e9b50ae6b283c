//! Folders that cannot be read, and a process that may not open more files.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::process::{Command, Output};

use serde_json::Value;

use crate::binary::Place;

const TRAIL: &str = "logs/AWSLogs/111122223333/CloudTrail/eu-west-1/2026/01";

/// The user and group that own nothing.
const NOBODY: u32 = 65_534;

/// A trail of two days, one object each.
fn place() -> Place {
    let place = Place::new();
    for day in [15, 16] {
        place.write(
            format!("{TRAIL}/{day}/a.json"),
            format!(r#"{{"eventVersion":"1","eventID":"of day {day}"}}"#),
        );
    }
    place
}

/// Makes a folder readable for its owner, or for nobody.
fn set_readable(place: &Place, name: &str, is_readable: bool) {
    let mode = if is_readable { 0o755 } else { 0 };
    fs::set_permissions(place.path(name), Permissions::from_mode(mode)).unwrap();
}

/// Runs the program as a user to whom permissions apply. They do not apply to root.
fn run(place: &Place, args: &[&str]) -> Output {
    let mut command = place.command(args);
    if fs::metadata(place.path("")).unwrap().uid() == 0 {
        fs::set_permissions(place.path(""), Permissions::from_mode(0o777)).unwrap();
        command.uid(NOBODY).gid(NOBODY);
    }
    command.output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Issue 11, B3: with `--from`, the folder was counted as filtered out, and the exit code was 0.
#[test]
fn an_unreadable_folder_is_reported_with_its_cause_and_leaves_no_line_behind() {
    let place = place();
    let day = format!("{TRAIL}/16");
    set_readable(&place, &day, false);
    let path = place.path(&day).display().to_string();
    for options in
        [&["--dry-run"][..], &[], &["--from", "2026-01-15"], &["--dry-run", "--to", "2026-01-16"]]
    {
        let output = run(&place, &[&["import", "logs"][..], options].concat());
        let text = stdout(&output);
        assert_eq!(output.status.code(), Some(3), "{options:?}: {output:?}");
        let line = format!("cannot list {path}: Permission denied (os error 13)");
        assert!(text.contains(&line), "{options:?}: {text}");
        assert!(!text.contains("filtered out"), "{options:?}: {text}");
        let output = run(&place, &[&["import", "logs", "--output", "json"][..], options].concat());
        let json: Value = serde_json::from_str(&stdout(&output)).unwrap();
        assert_eq!(
            (&json["unreadable_folders"], &json["unreadable"][0]["uri"]),
            (&1.into(), &path.as_str().into())
        );
    }
    let text = stdout(&run(&place, &["import", "logs"]));
    assert!(text.contains("objects: 1 listed = 0 loaded + 1 already loaded"), "{text}");
    assert!(text.contains("not listed: 1 unreadable folder"), "{text}");

    // The selection applies to the folder.
    let output = run(&place, &["import", "logs", "--to", "2026-01-15"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");

    set_readable(&place, &day, true);
    let output = run(&place, &["import", "logs"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(stdout(&output).contains("objects: 2 listed = 1 loaded + 1 already loaded"));
    let failed = stdout(&run(&place, &["status", "--failed"]));
    assert_eq!(failed, "no failed objects\n");
}

/// Issue 11: with `ulimit -n 16`, each object that could not be opened was recorded as failed.
#[test]
fn too_few_open_files_end_the_run_and_fail_no_object() {
    let place = Place::new();
    let mut folder = "logs".to_owned();
    for n in 0..12 {
        folder.push_str("/deep");
        place.write(format!("{folder}/{n}.json"), r#"{"eventVersion":"1","eventID":"x"}"#);
    }
    let mut ended = 0;
    for open_files in 8..=40 {
        let _ = fs::remove_file(place.path("cloudtrail.db"));
        let program = place.command(&["import", "logs"]);
        let mut shell = Command::new("sh");
        let script = format!("ulimit -n {open_files}; exec \"$@\"");
        shell.args(["-c", &script, "sh"]).arg(program.get_program()).args(program.get_args());
        shell.current_dir(place.path("")).env_clear();
        let output = shell.output().unwrap();
        let errors = String::from_utf8(output.stderr.clone()).unwrap();
        let code = output.status.code();
        assert_ne!(code, Some(3), "{open_files}: {output:?}");
        if code == Some(1) && errors.contains("too many open files to read") {
            assert!(errors.contains("ulimit -n"), "{open_files}: {errors}");
            ended += 1;
        }
    }
    assert!(ended > 0, "no limit was too low for the source");
}
