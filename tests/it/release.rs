//! What a release is made of: the manual pages, the image, the workflows.
//!
//! `tests/run --image` builds the image and tries it; `release/package` tries each archive.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use regex_lite::Regex;

use crate::binary::Place;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text_of(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Returns the first group of every match.
fn found(pattern: &str, text: &str) -> Vec<String> {
    let pattern = Regex::new(pattern).unwrap();
    pattern.captures_iter(text).map(|found| found[1].to_owned()).collect()
}

/// Returns the workflows for GitHub.
fn workflows() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join(".github/workflows")).unwrap();
    let files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() > 1, "{files:?}");
    files
}

/// Returns the commands of the help.
fn commands(place: &Place) -> Vec<String> {
    let help = place.run(&["-h"]).expect(0).stdout;
    let (_, commands) = help.split_once("\nCommands:\n").unwrap();
    let (commands, _) = commands.split_once("\n\n").unwrap();
    let commands = found(r"(?m)^  ([a-z]+)", commands);
    commands.into_iter().filter(|command| command != "help").collect()
}

#[test]
fn every_command_has_a_manual_page_with_all_its_options() {
    let place = Place::new();
    place.run(&["man", "a/man1"]).expect(0);
    let commands = commands(&place);
    assert!(commands.len() > 10, "{commands:?}");
    let entries = std::fs::read_dir(place.path("a/man1")).unwrap();
    let names: BTreeSet<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let mut expected: BTreeSet<String> =
        commands.iter().map(|command| format!("cloudtrail2sql-{command}.1")).collect();
    expected.insert("cloudtrail2sql.1".into());
    assert_eq!(names, expected);
    for command in commands.iter().map(Some).chain([None]) {
        let args: Vec<&str> = command.map(String::as_str).into_iter().chain(["--help"]).collect();
        let help = place.run(&args).expect(0).stdout;
        let suffix = command.map(|command| format!("-{command}")).unwrap_or_default();
        let page = std::fs::read_to_string(place.path(format!("a/man1/cloudtrail2sql{suffix}.1")));
        let page = page.unwrap().replace(r"\-", "-");
        let options = found(r"(?m)^ {2,6}(?:-\w, )?(--[a-z-]+)", &help);
        assert!(options.len() > 5, "{options:?}");
        for option in options {
            assert!(
                page.contains(&format!(r"\fB{option}\fR")),
                "{option} is not in{suffix}:\n{page}"
            );
        }
        // The sections below the options keep their headings.
        for heading in found(r"(?m)^(Examples|Exit codes|Databases):$", &help) {
            let heading = heading.to_uppercase();
            let is_there =
                page.lines().any(|line| line.replace('"', "") == format!(".SH {heading}"));
            assert!(is_there, "{heading} is not in{suffix}:\n{page}");
        }
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let place = Place::new();
    place.write("file", "");
    let run = place.run(&["man", "file/man1"]).expect(1);
    assert!(run.stderr.starts_with("error: cannot write file/man1\n"), "{}", run.shown());
}

#[test]
#[ignore = "needs mandoc: `tests/run --tools`"]
fn the_manual_pages_are_correct_for_mandoc() {
    let place = Place::new();
    place.run(&["man", "."]).expect(0);
    let mandoc = std::env::var("TOOLS_MANDOC").expect("`tests/run --tools` sets TOOLS_MANDOC");
    for command in commands(&place).iter().map(|it| format!("-{it}")).chain([String::new()]) {
        let page = place.path(format!("cloudtrail2sql{command}.1"));
        let run = Command::new(&mandoc).args(["-T", "lint", "-W", "warning"]).arg(&page).output();
        let run = run.unwrap();
        let findings = String::from_utf8(run.stdout).unwrap();
        assert_eq!(findings.lines().count(), 1, "{findings}");
        // The pages of a version are the same whenever they are made.
        assert!(findings.contains("missing date"), "{findings}");
    }
}

#[test]
#[ignore = "needs check-jsonschema: `tests/run --tools`"]
fn the_workflows_follow_the_schema_of_github() {
    let python = std::env::var("TOOLS_PYTHON").expect("`tests/run --tools` sets TOOLS_PYTHON");
    let schema = ["-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows"];
    let run = Command::new(python).args(schema).args(workflows()).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stdout));
}

#[test]
fn the_actions_of_the_workflows_are_pinned_to_commits() {
    let commit = Regex::new(r"^[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$").unwrap();
    let mut pinned = 0;
    for workflow in workflows() {
        for action in found(r"(?m)^\s+(?:- )?uses: (.*)$", &text_of(workflow)) {
            if !action.starts_with("./") {
                assert!(commit.is_match(&action), "{action}");
                pinned += 1;
            }
        }
    }
    assert!(pinned > 2, "only {pinned} actions were found");
}

#[test]
fn archives_are_made_for_the_systems_whose_dependencies_are_checked() {
    let archives = found(r"(?m)^\s+- target: (\S+)$", &text_of(".github/workflows/release.yml"));
    let checked = found(r#""([\w-]+-(?:apple-darwin|linux-gnu))""#, &text_of("deny.toml"));
    let sorted = |names: Vec<String>| names.into_iter().collect::<BTreeSet<_>>();
    assert_eq!(archives.len(), 4);
    assert_eq!(sorted(archives), sorted(checked));
}

#[test]
fn the_image_is_built_with_the_rust_that_the_package_names() {
    let version = found(r#"(?m)^rust-version = "(.*)"$"#, &text_of("Cargo.toml")).remove(0);
    let images = found(r"(?m)^FROM rust:(\S+)", &text_of("Dockerfile"));
    assert_eq!(images.len(), 1);
    assert!(images[0].starts_with(&format!("{version}.")), "{images:?} and {version}");
}
