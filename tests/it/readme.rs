//! Keeps README.md honest: its options, commands, links, policy, queries and outputs.
//!
//! After a change of the sample or of the summary, `README_BLESS=1 cargo test readme` writes the
//! answers anew.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Row, SqliteConnection};

/// Options in the README that belong to other programs.
const FOREIGN: [&str; 8] =
    ["--bench", "--detach", "--locked", "--open", "--path", "--release", "--rm", "--servers"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn readme() -> String {
    std::fs::read_to_string(root().join("README.md")).unwrap()
}

/// Runs the program in `folder`; returns what a terminal would show.
fn shown(folder: &Path, args: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cloudtrail2sql"));
    let output =
        command.args(args).current_dir(folder).env_remove("DATABASE_URL").output().unwrap();
    assert!(output.status.success(), "{args:?}: {output:?}");
    String::from_utf8([output.stderr, output.stdout].concat()).unwrap()
}

/// A folder in which `tests/sample` is what it is in a clone.
fn clone_of_tests() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(root().join("tests"), folder.path().join("tests")).unwrap();
    folder
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

/// Returns the code blocks of a language.
fn blocks<'t>(text: &'t str, language: &str) -> Vec<&'t str> {
    let fence = format!("\n```{language}\n");
    text.split(&*fence).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

#[test]
fn options_in_the_readme_and_in_the_help_are_the_same() {
    let commands = [&[][..], &["import"], &["index"], &["status"], &["completions"]];
    let help: String =
        commands.iter().map(|args| shown(root(), &[args, &["--help"][..]].concat())).collect();
    let readme = readme();
    let mut in_readme = long_options(&readme);
    for foreign in FOREIGN {
        assert!(in_readme.remove(foreign), "{foreign} is not in the README");
    }
    in_readme.remove("--wait");
    assert_eq!(in_readme, long_options(&help));
}

#[test]
fn the_two_commands_are_there() {
    let readme = readme();
    let commands = blocks(&readme, "sh");
    assert_eq!(commands[0], "cargo run --release -- import tests/sample\n");
    assert!(commands.contains(&"tests/run\n"));
    assert!(root().join("tests/run").is_file() && root().join("tests/sample").is_dir());
}

#[test]
fn the_policy_allows_what_is_needed_and_no_more() {
    let readme = readme();
    let [policy] = blocks(&readme, "json")[..] else { panic!("more than one policy") };
    let policy: serde_json::Value = serde_json::from_str(policy).unwrap();
    let statements = policy["Statement"].as_array().unwrap();
    let actions: Vec<&str> = statements.iter().map(|it| it["Action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["s3:ListBucket", "s3:GetObject", "kms:Decrypt"]);
    assert!(statements.iter().all(|it| it["Effect"] == "Allow"));
}

#[test]
fn every_link_leads_somewhere() {
    let readme = readme();
    let anchors: Vec<String> = readme
        .lines()
        .filter_map(|line| line.strip_prefix('#'))
        .map(|heading| heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-"))
        .collect();
    for link in readme.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
        let is_there = match link.strip_prefix('#') {
            Some(anchor) => anchors.iter().any(|it| it == anchor),
            None => link.starts_with("https://") || root().join(link).exists(),
        };
        assert!(is_there, "{link}");
    }
}

#[test]
fn db_toml_in_the_readme_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let readme = readme();
    let [db_toml] = blocks(&readme, "toml")[..] else { panic!("more than one db.toml") };
    // Nobody listens there, and nobody need: the error comes after the file was understood.
    let local = db_toml.replace("db.example.com", "127.0.0.1").replace("tls =", "port = 1\ntls =");
    std::fs::write(folder.path().join("db.toml"), local).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_cloudtrail2sql"));
    command.arg("status").current_dir(folder.path()).env_remove("DATABASE_URL");
    let output = command.env("CLOUDTRAIL_PASSWORD", "secret").output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

#[tokio::test]
async fn outputs_and_answers_are_what_the_program_says() {
    let clone = clone_of_tests();
    let dry_run = shown(clone.path(), &["import", "--dry-run", "tests/sample"]);
    let import = shown(clone.path(), &["import", "tests/sample"]);
    let again = shown(clone.path(), &["import", "tests/sample"]);
    let file = clone.path().join("cloudtrail.db");
    let mut database = SqliteConnectOptions::new().filename(file).connect().await.unwrap();

    let (readme, mut honest) = (readme(), String::new());
    let mut lines = readme.lines();
    let mut question: Option<Question> = None;
    while let Some(line) = lines.next() {
        honest.push_str(line);
        honest.push('\n');
        if line == "```sql" {
            let sql: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            honest.push_str(&format!("{}\n```\n", sql.join("\n")));
            question = Some(Question::Sql(sql.join(" ")));
        } else if let Some(rest) = line.strip_prefix("sqlite3 cloudtrail.db \"") {
            question = Some(Question::Sql(rest.strip_suffix('"').unwrap().to_owned()));
        } else if let Some(name) = line.strip_prefix("<!-- output: ") {
            question = Some(Question::Output(name.strip_suffix(" -->").unwrap().to_owned()));
        } else if line.starts_with('#') {
            question = None;
        } else if line == "```text" {
            let said: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            let said: String = said.iter().flat_map(|line| [*line, "\n"]).collect();
            let answer = match question.take() {
                Some(Question::Sql(sql)) => answer(&mut database, sql).await,
                Some(Question::Output(name)) => match &*name {
                    "dry-run" => dry_run.clone(),
                    "import" => import.clone(),
                    "again" => again.clone(),
                    _ => panic!("unknown output {name}"),
                },
                None => said.clone(),
            };
            honest.push_str(if without_times(&said) == without_times(&answer) {
                &said
            } else {
                &answer
            });
            honest.push_str("```\n");
        }
    }
    if std::env::var_os("README_BLESS").is_some() {
        std::fs::write(root().join("README.md"), honest).unwrap();
    } else {
        for (n, (said, actual)) in readme.lines().zip(honest.lines()).enumerate() {
            assert_eq!(said, actual, "line {} of README.md", n + 1);
        }
        assert_eq!(readme.len(), honest.len());
    }
}

enum Question {
    Sql(String),
    /// Of a run of the program, by name.
    Output(String),
}

/// Returns what SQLite's shell would print.
async fn answer(database: &mut SqliteConnection, sql: String) -> String {
    let rows = sqlx::query(&sql).fetch_all(database).await.unwrap();
    let cell = |row: &sqlx::sqlite::SqliteRow, column| {
        row.try_get_unchecked::<Option<String>, _>(column).unwrap().unwrap_or_default()
    };
    let line = |row| {
        let cells: Vec<String> = (0..Row::len(row)).map(|column| cell(row, column)).collect();
        cells.join("|") + "\n"
    };
    rows.iter().map(line).collect()
}

/// Returns a text without the times, which differ from run to run, and the room they take.
fn without_times(text: &str) -> Vec<String> {
    let is_number = |word: Option<&&str>| word.is_some_and(|it| it.parse::<f64>().is_ok());
    let is_unit = |word: Option<&&str>| matches!(word, Some(&("s" | "s;")));
    let timeless = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let is_time = |n: usize| is_number(words.get(n)) && is_unit(words.get(n + 1));
        let kept = (0..words.len()).filter(|&n| !(is_time(n) || n > 0 && is_time(n - 1)));
        kept.map(|n| words[n]).collect::<Vec<_>>().join(" ")
    };
    text.lines().map(timeless).collect()
}

#[test]
fn options_are_found_where_they_stand() {
    let text = "`--a-b`, --c=x <!-- no --> |---| a--b [--d]";
    assert_eq!(long_options(text), BTreeSet::from(["--a-b", "--c", "--d"]));
}
