//! Outputs and answers on the pages are those of the program and of SQLite.
//!
//! A page marks an output by a comment before the block:
//!
//! ```text
//! <!-- output: status-failed -->
//! ```
//!
//! Other blocks of the language `text` are the answers of the query before them. A query without
//! one has no rows in the sample. A query for another database stands below the comment
//! `<!-- not SQLite -->`.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use cloudtrail2sql::trail::gzip::decode;
use regex_lite::Regex;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Row, SqliteConnection};

use super::blesses;
use super::pages::{Page, page, pages, root};
use crate::logs::gz;

/// Where the outputs say that the trail with losses is.
const SHOWN_FOLDER: &str = "/data";

/// Runs the program in `folder`; returns what a terminal would show.
pub fn shown(folder: &Path, args: &[&str], exit_code: i32) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cloudtrail2sql"));
    let output =
        command.args(args).current_dir(folder).env_remove("DATABASE_URL").output().unwrap();
    assert_eq!(output.status.code(), Some(exit_code), "{args:?}: {output:?}");
    String::from_utf8([output.stderr, output.stdout].concat()).unwrap()
}

/// Outputs by name, and the database that the sample was imported into.
pub struct Runs {
    pub outputs: BTreeMap<&'static str, String>,
    database: SqliteConnection,
    _folder: tempfile::TempDir,
}

impl Runs {
    /// Runs everything that the pages show.
    pub async fn new() -> Self {
        let folder = folder_like_a_clone();
        let run = |args: &[&str]| shown(folder.path(), args, 0);
        let mut outputs = BTreeMap::from([
            ("dry-run", run(&["import", "--dry-run", "tests/sample"])),
            ("import", run(&["import", "tests/sample"])),
            ("again", run(&["import", "tests/sample"])),
            ("status", run(&["status"])),
            ("status-runs", run(&["status", "--runs"])),
            ("query-timeline", run(&["--quiet", "query", "timeline"])),
            ("query-services", run(&["--quiet", "query", "services", "--limit", "5"])),
            ("search", run(&["search", "--event-source", "iam.amazonaws.com", "--limit", "5"])),
            ("query-gaps", run(&["--quiet", "query", "gaps"])),
        ]);
        outputs.extend(with_losses());
        outputs.insert("status-job", status_of_a_job());
        outputs.insert("verify", verified());
        let file = folder.path().join("cloudtrail.db");
        let database = SqliteConnectOptions::new().filename(file).connect().await.unwrap();
        Self { outputs, database, _folder: folder }
    }

    /// Returns what SQLite's shell would print.
    pub async fn answer(&mut self, sql: &str) -> String {
        let query = sqlx::query(sql);
        let rows = query.fetch_all(&mut self.database).await;
        let rows = rows.unwrap_or_else(|error| panic!("{sql}: {error}"));
        let cell = |row: &sqlx::sqlite::SqliteRow, column| {
            row.try_get_unchecked::<Option<String>, _>(column).unwrap().unwrap_or_default()
        };
        let line = |row| {
            let cells: Vec<String> = (0..Row::len(row)).map(|column| cell(row, column)).collect();
            cells.join("|") + "\n"
        };
        rows.iter().map(line).collect()
    }
}

/// A folder in which `tests/sample` is what it is in a clone.
pub fn folder_like_a_clone() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(root().join("tests"), folder.path().join("tests")).unwrap();
    folder
}

/// Imports the sample, and then two of three shards of it.
fn status_of_a_job() -> String {
    let folder = folder_like_a_clone();
    shown(folder.path(), &["import", "tests/sample"], 0);
    for shard in ["1/3", "3/3"] {
        shown(folder.path(), &["import", "--shard", shard, "tests/sample"], 0);
    }
    shown(folder.path(), &["status"], 0)
}

/// Imports a trail in which one object is cut off and one record is not an object.
fn with_losses() -> [(&'static str, String); 4] {
    let folder = tempfile::tempdir().unwrap();
    // Beside the database, which would be an object otherwise.
    let data = folder.path().canonicalize().unwrap().join("trail");
    let day = data.join("AWSLogs/111122223333/CloudTrail/eu-central-1/2026/01/15");
    std::fs::create_dir_all(&day).unwrap();
    let sample = walkdir::WalkDir::new(root().join("tests/sample")).sort_by_file_name();
    let sample = sample.into_iter().map(Result::unwrap).find(|entry| {
        let path = entry.path().to_str().unwrap();
        entry.file_type().is_file() && path.contains("/CloudTrail/")
    });
    let whole = std::fs::read(sample.unwrap().path()).unwrap();
    std::fs::write(day.join("whole.json.gz"), &whole).unwrap();
    std::fs::write(day.join("truncated.json.gz"), &whole[..whole.len() / 2]).unwrap();
    let records = r#"{"Records":[{"eventID":"1","eventName":"GetObject"},"not a record"]}"#;
    std::fs::write(day.join("one-bad-record.json"), records).unwrap();
    let import = shown(folder.path(), &["import", data.to_str().unwrap()], 3);
    [
        ("import-with-losses", with_sorted_errors(&import)),
        ("status-with-losses", shown(folder.path(), &["status"], 0)),
        ("status-failed", shown(folder.path(), &["status", "--failed"], 0)),
        ("status-rejected", shown(folder.path(), &["status", "--rejected"], 0)),
    ]
    .map(|(name, output)| (name, output.replace(data.to_str().unwrap(), SHOWN_FOLDER)))
}

/// Verifies a copy of the sample: a log file is changed, another one added, and a digest deleted after a
/// first verification. Names are shortened.
fn verified() -> String {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().canonicalize().unwrap().join("trail");
    let sample = root().join("tests/sample");
    let mut files = Vec::new();
    for entry in walkdir::WalkDir::new(&sample).sort_by_file_name() {
        let entry = entry.unwrap();
        let copy = data.join(entry.path().strip_prefix(&sample).unwrap());
        if entry.file_type().is_file() {
            std::fs::create_dir_all(copy.parent().unwrap()).unwrap();
            std::fs::copy(entry.path(), &copy).unwrap();
            files.push(copy);
        }
    }
    let file = |part: &str| files.iter().rfind(|file| file.to_str().unwrap().contains(part));
    let log = file("111122223333_CloudTrail_eu-west-1_20260115T004").unwrap();
    let name = log.to_str().unwrap();
    let added = format!("{}Zk3nPqVw81sTyB0c.json.gz", &name[..=name.rfind('_').unwrap()]);
    std::fs::copy(log, added).unwrap();
    let stored = std::fs::read(log).unwrap();
    let content = decode(&stored, 1 << 20).unwrap();
    let content = String::from_utf8(content.into_owned()).unwrap().replacen(
        "eventName\":\"",
        "eventName\":\"x",
        1,
    );
    std::fs::write(log, gz(content.as_bytes())).unwrap();

    let source = data.to_str().unwrap();
    shown(folder.path(), &["--quiet", "import", "--no-index", source], 0);
    let keys = root().join("tests/fixtures/public-keys.json");
    let args = ["--quiet", "verify", source, "--public-keys", keys.to_str().unwrap()];
    shown(folder.path(), &args, 3);
    std::fs::remove_file(file("444455556666/CloudTrail-Digest/us-east-1/").unwrap()).unwrap();
    let output = shown(folder.path(), &args, 3).replace(source, SHOWN_FOLDER);
    let names = r"(AWSLogs/\d{12}/CloudTrail(?:-Digest)?)/\S*_(\d{8}T)";
    let output = Regex::new(names).unwrap().replace_all(&output, "$1/…_$2");
    let hash = Regex::new("([0-9a-f]{6})[0-9a-f]{58}").unwrap();
    hash.replace_all(&output, "$1…").into_owned()
}

/// Sorts the errors, which come in the order in which the file system lists the objects.
fn with_sorted_errors(output: &str) -> String {
    let is_of_error = |line: &&str| line.starts_with("error: ") || line.starts_with("  caused by");
    let (of_errors, others): (Vec<&str>, Vec<&str>) = output.lines().partition(is_of_error);
    let mut errors: Vec<Vec<&str>> = Vec::new();
    for line in of_errors {
        match errors.last_mut() {
            Some(error) if !line.starts_with("error: ") => error.push(line),
            _ => errors.push(vec![line]),
        }
    }
    errors.sort_unstable();
    // The first line names the database.
    let lines = others[..1].iter().copied().chain(errors.into_iter().flatten());
    lines.chain(others[1..].iter().copied()).flat_map(|line| [line, "\n"]).collect()
}

/// Returns a text without the times, which differ from run to run, and the room they take.
pub fn without_times(text: &str) -> Vec<String> {
    let instant = Regex::new(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ").unwrap();
    let is_number = |word: Option<&&str>| word.is_some_and(|it| it.parse::<f64>().is_ok());
    let is_unit = |word: Option<&&str>| matches!(word, Some(&("s" | "s;")));
    let timeless = |line: &str| {
        let line = instant.replace_all(line, "[instant]");
        let words: Vec<&str> = line.split_whitespace().collect();
        let is_time = |n: usize| is_number(words.get(n)) && is_unit(words.get(n + 1));
        let kept = (0..words.len()).filter(|&n| !(is_time(n) || n > 0 && is_time(n - 1)));
        kept.map(|n| words[n]).collect::<Vec<_>>().join(" ")
    };
    text.lines().map(timeless).collect()
}

/// What the next block of the language `text` answers.
enum Question {
    Sql(String),
    Output(String),
}

/// Returns the page as it would be if all its answers were right.
async fn honest(page: &Page, runs: &mut Runs) -> String {
    let mut honest = String::new();
    let mut lines = page.text.lines().peekable();
    let mut question: Option<Question> = None;
    let mut is_for_sqlite = true;
    while let Some(line) = lines.next() {
        let asks_again = line == "```sql" || line.starts_with(['#', '<']);
        if asks_again && let Some(Question::Sql(sql)) = &question {
            let answer = runs.answer(sql).await;
            assert_eq!(answer, "", "{}: no answer follows {sql}", page.path);
            question = None;
        }
        honest.push_str(line);
        honest.push('\n');
        if !line.starts_with("```") {
            // A comment names who else reads it, such as `<!-- Grafana -->` or `<!-- not SQLite -->`.
            is_for_sqlite = !line.starts_with("<!-- ");
        }
        if line == "```sql" {
            let sql: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            honest.push_str(&format!("{}\n```\n", sql.join("\n")));
            // Others are statements for a server's administrator.
            if sql[0].starts_with("SELECT") && is_for_sqlite {
                question = Some(Question::Sql(sql.join("\n")));
            }
        } else if let Some(rest) = line.strip_prefix("sqlite3 cloudtrail.db \"") {
            question = Some(Question::Sql(rest.strip_suffix('"').unwrap().to_owned()));
        } else if let Some(name) = line.strip_prefix("<!-- output: ") {
            question = Some(Question::Output(name.strip_suffix(" -->").unwrap().to_owned()));
        } else if line == "```text" {
            let found: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            let found: String = found.iter().flat_map(|line| [*line, "\n"]).collect();
            let is_right;
            let answer = match question.take() {
                Some(Question::Sql(sql)) => {
                    let answer = runs.answer(&sql).await;
                    is_right = found == answer;
                    answer
                }
                Some(Question::Output(name)) => {
                    let output = runs.outputs.get(name.as_str());
                    let output = output.unwrap_or_else(|| panic!("unknown output {name}"));
                    is_right = without_times(&found) == without_times(output);
                    output.clone()
                }
                None => panic!("{}: no command prints this:\n{found}", page.path),
            };
            // Times stay as they are while the rest is right.
            honest.push_str(if is_right { &found } else { &answer });
            honest.push_str("```\n");
        }
    }
    if let Some(Question::Sql(sql)) = &question {
        assert_eq!(runs.answer(sql).await, "", "{}: no answer follows {sql}", page.path);
    }
    honest
}

#[tokio::test]
async fn outputs_and_answers_are_what_the_programs_print() {
    let mut runs = Runs::new().await;
    // BENCHMARKS.md has outputs of the benchmarks, which take an hour.
    for page in pages().into_iter().filter(|page| page.path != "BENCHMARKS.md") {
        let honest = honest(&page, &mut runs).await;
        if blesses() {
            std::fs::write(root().join(&page.path), honest).unwrap();
            continue;
        }
        for (n, (found, actual)) in page.text.lines().zip(honest.lines()).enumerate() {
            assert_eq!(found, actual, "line {} of {}", n + 1, page.path);
        }
        assert_eq!(page.text.len(), honest.len(), "{}", page.path);
    }
}

#[test]
fn the_two_commands_are_in_the_readme() {
    let commands = page("README.md").blocks_of("sh");
    assert_eq!(commands[0], "cargo run --release -- import tests/sample\n");
    assert!(commands.contains(&"tests/run\n".to_owned()));
    assert!(root().join("tests/run").is_file() && root().join("tests/sample").is_dir());
}

#[test]
fn the_policy_allows_what_is_needed_and_no_more() {
    let policies: Vec<String> = pages().iter().flat_map(|page| page.blocks_of("json")).collect();
    let actions: Vec<Vec<String>> = policies
        .iter()
        .map(|policy| {
            let policy: serde_json::Value = serde_json::from_str(policy).unwrap();
            let statements = policy["Statement"].as_array().unwrap();
            assert!(statements.iter().all(|it| it["Effect"] == "Allow"));
            statements.iter().map(|it| it["Action"].as_str().unwrap().to_owned()).collect()
        })
        .collect();
    let (import, verify) = (
        ["s3:ListBucket", "s3:GetObject", "kms:Decrypt"],
        ["s3:ListBucket", "s3:GetObject", "cloudtrail:ListPublicKeys"],
    );
    assert_eq!(actions, [import, verify]);
}

#[test]
fn the_db_toml_on_the_pages_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let files: Vec<String> = pages().iter().flat_map(|page| page.blocks_of("toml")).collect();
    let [db_toml] = &files[..] else { panic!("{} files", files.len()) };
    // No server listens there: the error comes after the file was understood.
    let local = db_toml.replace("db.example.com", "127.0.0.1").replace("tls =", "port = 1\ntls =");
    std::fs::write(folder.path().join("db.toml"), local).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_cloudtrail2sql"));
    command.arg("status").current_dir(folder.path()).env_remove("DATABASE_URL");
    let output = command.env("CLOUDTRAIL_PASSWORD", "secret").output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}
