//! The options, the commands and the exit codes are those of `--help`.

use std::collections::{BTreeMap, BTreeSet};

use regex_lite::Regex;

use super::examples::shown;
use super::pages::{page, pages, root};

/// Options on the pages that belong to other programs, among them `cargo`, `docker`, our benchmarks and
/// the commands of job engines.
const FOREIGN: [&str; 45] = [
    "--algorithm",
    "--array",
    "--bench",
    "--case",
    "--check",
    "--checksums",
    "--citus",
    "--cli-input-json",
    "--clusters",
    "--data",
    "--dependency",
    "--depends-on",
    "--detach",
    "--end-time",
    "--env",
    "--for",
    "--from-literal",
    "--git",
    "--ignore-missing",
    "--image",
    "--install",
    "--lib",
    "--locked",
    "--open",
    "--parsable",
    "--path",
    "--query",
    "--records",
    "--release",
    "--rm",
    "--rounds",
    "--servers",
    "--soak",
    "--start-time",
    "--tag",
    "--test",
    "--time",
    "--timeout",
    "--timings",
    "--tools",
    "--tty",
    "--user",
    "--volume",
    "--wait",
    "--wrap",
];

const COMMANDS: [&str; 13] = [
    "import",
    "index",
    "status",
    "record",
    "query",
    "search",
    "report",
    "forget",
    "dedupe",
    "verify",
    "schema",
    "completions",
    "man",
];

fn help(command: Option<&str>) -> String {
    let args: Vec<&str> = command.into_iter().chain(["--help"]).collect();
    shown(root(), &args, 0)
}

/// Returns the long options that a text names.
fn long_options(text: &str) -> BTreeSet<&str> {
    let is_part = |c: char| c.is_ascii_lowercase() || c == '-';
    text.match_indices("--")
        .filter(|(at, _)| !text[..*at].ends_with(|c: char| is_part(c) || c == '!'))
        .map(|(at, _)| &text[at..])
        .map(|rest| &rest[..rest.find(|c| !is_part(c)).unwrap_or(rest.len())])
        .filter(|option| option.len() > 2 && !option.starts_with("---"))
        .collect()
}

/// Returns the options that a help text defines, each with its description.
fn defined_options(help: &str) -> BTreeMap<&str, &str> {
    let definition = Regex::new(r"(?m)^ {2,6}(?:-\w, )?(--[a-z-]+)").unwrap();
    let found: Vec<_> = definition.captures_iter(help).map(|it| it.get(1).unwrap()).collect();
    let ends = found.iter().skip(1).map(regex_lite::Match::start).chain([help.len()]);
    found.iter().zip(ends).map(|(it, end)| (it.as_str(), &help[it.end()..end])).collect()
}

/// Returns the rows of the table of options: option, commands, default.
fn documented_options() -> BTreeMap<String, (String, String)> {
    let mut documented = BTreeMap::new();
    for row in page("docs/options.md").table(&["option", "command", "meaning", "default"]) {
        for option in long_options(&row[0]) {
            documented.insert(option.to_owned(), (row[1].clone(), row[3].clone()));
        }
    }
    documented
}

#[test]
fn options_on_the_pages_and_in_the_help_are_the_same() {
    let commands = COMMANDS.into_iter().map(Some).chain([None]);
    let help: String = commands.map(help).collect();
    let text: String = pages().into_iter().map(|page| page.text).collect();
    let mut on_pages = long_options(&text);
    for foreign in FOREIGN {
        assert!(on_pages.remove(foreign), "{foreign} is on no page");
    }
    assert_eq!(on_pages, long_options(&help));
}

#[test]
fn every_option_is_in_the_table_of_its_command_with_its_default() {
    let helps = COMMANDS.map(|command| (command, help(Some(command))));
    let general = help(None);
    let mut expected: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let default = Regex::new(r"\[default: (\S+)\]").unwrap();
    let documented = documented_options();
    for (command, help) in &helps {
        for (option, description) in defined_options(help) {
            expected.entry(option).or_default().insert(command);
            let Some((_, documented)) = documented.get(option) else { panic!("{option}") };
            if let Some(default) = default.captures(description) {
                assert!(documented.contains(&default[1]), "{option}: {default:?}, {documented}");
            }
        }
    }
    for option in defined_options(&general).into_keys() {
        expected.entry(option).or_default();
    }
    let documented: BTreeMap<&str, BTreeSet<&str>> = documented
        .iter()
        .map(|(option, (commands, _))| {
            let commands = match commands.as_str() {
                "all" => COMMANDS.into(),
                "none" => BTreeSet::new(),
                some => some.split(", ").map(|it| it.trim_matches('`')).collect(),
            };
            (option.as_str(), commands)
        })
        .collect();
    assert_eq!(documented, expected);
}

#[test]
fn every_command_is_in_the_table() {
    let rows = page("docs/options.md").table(&["command", "purpose"]);
    let documented: Vec<&str> =
        rows.iter().map(|row| row[0].trim_matches('`').split(' ').next().unwrap()).collect();
    assert_eq!(documented, COMMANDS);
}

#[test]
fn the_exit_codes_are_those_of_the_help() {
    let (_, codes) = help(None).split_once("Exit codes:\n").map(own).unwrap();
    let codes: Vec<&str> =
        codes.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let rows = page("docs/options.md").table(&["exit code", "meaning"]);
    let documented: Vec<&str> = rows.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(documented, codes);
}

fn own((before, after): (&str, &str)) -> (String, String) {
    (before.to_owned(), after.to_owned())
}

/// Commands are not run: `--help` after their arguments makes the program check these only.
#[test]
fn the_program_knows_every_command_line_on_the_pages() {
    let mut checked = 0;
    for page in pages() {
        for block in page.blocks_of("sh") {
            for line in block.replace("\\\n", " ").lines() {
                let Some(args) = line.trim_start().strip_prefix("cloudtrail2sql ") else {
                    continue;
                };
                let args = args.split(['#', '|', '<', '>']).next().unwrap();
                let args: Vec<&str> = args.split_whitespace().chain(["--help"]).collect();
                shown(root(), &args, 0);
                checked += 1;
            }
        }
    }
    assert!(checked > 15, "only {checked} command lines were found");
}

#[test]
fn options_are_found_where_they_stand() {
    let text = "`--a-b`, --c=x <!-- no --> |---| a--b [--d]";
    assert_eq!(long_options(text), BTreeSet::from(["--a-b", "--c", "--d"]));
}
