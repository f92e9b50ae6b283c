//! What analysts ask, on a large table with its indexes: the tutorial's queries, ten more, and every
//! question of the command `query`.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use cloudtrail2sql::answers::{self, Flag};
use serde_json::Value;

use crate::data::Data;
use crate::databases::{import, name, settle};
use crate::day::{QUERIES, gib, size_bytes};
use crate::own_database::{Engine, OwnDatabase};

/// After this, a question of the program is ended.
const ASKED_MAX: Duration = Duration::from_mins(1);

/// From when on something is new, in the data.
const NEW_SINCE: &str = "2026-01-15T20:00:00Z";

/// What is shown of an event.
const SHOWN: &str = "event_time, event_id, event_source, event_name, region, error_code, source_ip";

/// Loads and indexes the data, asks every question, and reports in Markdown.
pub fn questions(engine: Engine, data: &Data) -> String {
    let database = OwnDatabase::new(engine);
    settle(engine);
    let loaded = import(&database, &data.folder, &["--no-index"]);
    let mut report = String::new();
    // It takes long: each line is shown as soon as it is known, too.
    let mut add = |line: String| {
        eprintln!("{line}");
        writeln!(report, "{line}").unwrap();
    };
    add(format!("### {}, {} records\n", name(engine), data.rows));
    add(format!("load {:.1} s", loaded.wall.as_secs_f64()));
    let plain_bytes = size_bytes(&database);
    let started = Instant::now();
    let built = build_indexes(&database);
    add(format!(
        "indexes and statistics {:.1} s: {}",
        started.elapsed().as_secs_f64(),
        built.split_whitespace().collect::<Vec<_>>().join(" ")
    ));
    add(format!(
        "size {:.2} GiB, {:.2} GiB of it indexes\n",
        gib(size_bytes(&database)),
        gib(size_bytes(&database) - plain_bytes)
    ));
    add("| question | s | rows |\n|---|---|---|".to_owned());
    let about = About::find(&database);
    let ours = analysts_questions(&database, &about);
    let tutorials = QUERIES.map(|(question, sql)| (question, sql.to_owned()));
    for (question, sql) in tutorials.into_iter().chain(ours) {
        let started = Instant::now();
        let rows = database.query(&sql).len();
        add(format!("| {question} | {:.2} | {rows} |", started.elapsed().as_secs_f64()));
    }
    add("\n| `query …` | s | rows |\n|---|---|---|".to_owned());
    for question in answers::questions() {
        add(ask(&database, question.name, &about.option(question.needs)));
    }
    let started = Instant::now();
    write_report(&database, &data.folder.with_extension("html"));
    add(format!("\n`cloudtrail2sql report`: {:.2} s", started.elapsed().as_secs_f64()));
    report
}

/// Writes the page of `report`.
fn write_report(database: &OwnDatabase, file: &Path) {
    let program = Path::new(env!("CARGO_BIN_EXE_cloudtrail2sql"));
    let mut report = Command::new(program);
    report.args(["report", "--out"]).arg(file).env_clear().env("DATABASE_URL", &database.url);
    let output = report.output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// Asks one question of the program. Returns its line in the table.
fn ask(database: &OwnDatabase, name: &str, options: &[String]) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_cloudtrail2sql"));
    let answer = tempfile::NamedTempFile::new().unwrap();
    let mut query = Command::new(program);
    query.args(["query", name, "--quiet", "--output", "jsonl"]).args(options);
    query.env_clear().env("DATABASE_URL", &database.url);
    let started = Instant::now();
    let mut asked =
        query.stdout(answer.reopen().unwrap()).stderr(Stdio::inherit()).spawn().unwrap();
    let status = loop {
        if let Some(status) = asked.try_wait().unwrap() {
            break status;
        }
        if started.elapsed() > ASKED_MAX {
            asked.kill().unwrap();
            asked.wait().unwrap();
            return format!("| `{name}` | more than {} | |", ASKED_MAX.as_secs());
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let elapsed_s = started.elapsed().as_secs_f64();
    if !status.success() {
        return format!("| `{name}` | failed | |");
    }
    let rows = std::fs::read_to_string(answer.path()).unwrap().lines().count();
    format!(
        "| `{}` | {elapsed_s:.2} | {rows} |",
        [&[name.to_owned()][..], options].concat().join(" ")
    )
}

/// What the questions are about: something that is in the data.
struct About {
    user: String,
    key: String,
    address: String,
    resource: String,
}

impl About {
    fn find(database: &OwnDatabase) -> Self {
        let text = |sql: &str| database.query(sql)[0][0].clone().unwrap();
        let of_user = |column: &str| {
            text(&format!(
                "SELECT {column} FROM logs l JOIN identities i ON i.id = l.identityId \
                 WHERE i.user_type = 'IAMUser' AND {column} IS NOT NULL LIMIT 1"
            ))
        };
        let request = text(
            "SELECT requestParameters FROM logs \
             WHERE eventName = 'PutObject' AND requestParameters LIKE '%\"bucketName\"%' LIMIT 1",
        );
        let request: Value = serde_json::from_str(&request).unwrap();
        Self {
            user: of_user("i.user_name"),
            key: of_user("i.access_key_id"),
            address: of_user("l.sourceIPAddress"),
            resource: request["bucketName"].as_str().unwrap().to_owned(),
        }
    }

    /// Returns the option that a question needs, with a value.
    fn option(&self, needed: Option<Flag>) -> Vec<String> {
        let Some(flag) = needed else {
            return Vec::new();
        };
        let value = match flag {
            Flag::Username => &self.user,
            Flag::AccessKeyId => &self.key,
            Flag::SourceIp => &self.address,
            Flag::ResourceName => &self.resource,
            Flag::Since => NEW_SINCE,
            Flag::Limit | Flag::By => unreachable!("no question needs it"),
        };
        vec![flag.as_str().to_owned(), value.to_owned()]
    }
}

/// Builds the indexes; returns what the program prints.
fn build_indexes(database: &OwnDatabase) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_cloudtrail2sql"));
    let mut index = Command::new(program);
    index.arg("index").env_clear().env("DATABASE_URL", &database.url);
    let output = index.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Returns the analysts' questions, each about something that is in the data.
fn analysts_questions(database: &OwnDatabase, about: &About) -> Vec<(&'static str, String)> {
    let text = |sql: &str| database.query(sql)[0][0].clone().unwrap();
    let About { user, key, address, .. } = about;
    let event = text("SELECT eventID FROM logs WHERE eventID IS NOT NULL LIMIT 1");
    let last = text("SELECT MAX(eventTime) FROM logs WHERE eventTime LIKE '2026-01-15%'");
    assert!(last.starts_with("2026-01-15T"), "{last}");
    let listed = |condition: String| {
        format!(
            "SELECT {SHOWN} FROM events WHERE {condition} ORDER BY event_time DESC, event_id LIMIT 1000"
        )
    };
    let hour = match database.engine {
        Engine::Postgres => "date_trunc('hour', event_time)",
        Engine::Sqlite => "substr(event_time, 1, 13)",
        Engine::Mysql | Engine::Mariadb => "DATE_FORMAT(event_time, '%Y-%m-%d %H')",
    };
    vec![
        ("everything by one user", listed(format!("user_name = '{user}'"))),
        ("everything by one access key", listed(format!("access_key_id = '{key}'"))),
        ("everything from one address", listed(format!("source_ip = '{address}'"))),
        (
            "the last 200 errors",
            // With `event_id` in the order, MySQL and MariaDB read and sort all errors.
            format!(
                "SELECT {SHOWN}, user_name FROM events WHERE error_code IS NOT NULL \
                 ORDER BY event_time DESC LIMIT 200"
            ),
        ),
        (
            "denied, by principal",
            "SELECT principal_arn, COUNT(*) AS n FROM events WHERE error_code IN \
             ('AccessDenied', 'AccessDeniedException', 'UnauthorizedOperation', \
             'Client.UnauthorizedOperation', 'VpceAccessDenied') \
             GROUP BY principal_arn ORDER BY n DESC, principal_arn LIMIT 50"
                .to_owned(),
        ),
        ("what root did", listed("user_type = 'Root'".to_owned())),
        (
            "timeline by hour",
            format!("SELECT {hour} AS t, COUNT(*) AS n FROM events GROUP BY {hour} ORDER BY t"),
        ),
        (
            "new principals in the last hours",
            "SELECT i.user_arn, f.first_seen FROM (SELECT identityId, MIN(eventAt) AS first_seen \
             FROM logs GROUP BY identityId) f JOIN identities i ON i.id = f.identityId \
             WHERE f.first_seen >= '2026-01-15 20:00:00' ORDER BY f.first_seen, i.id LIMIT 1000"
                .to_owned(),
        ),
        ("one event", format!("SELECT * FROM events WHERE event_id = '{event}'")),
        (
            "one hour, by call",
            "SELECT event_source, event_name, COUNT(*) AS n FROM events \
             WHERE event_time >= '2026-01-15 10:00:00' AND event_time < '2026-01-15 11:00:00' \
             GROUP BY event_source, event_name ORDER BY n DESC, event_source, event_name"
                .to_owned(),
        ),
    ]
}
