//! The code of docs/spark.md, run with Spark, and what the page says of it.
//!
//! The blocks below a comment `<!-- Spark -->` are for all databases, those below
//! `<!-- Spark: MySQL, MariaDB -->` for the named ones. Only addresses and accounts are replaced.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use super::{ROOT, SAMPLE, python};
use crate::binary::Place;
use crate::databases::{Engine, OwnDatabase, Table, promises};
use crate::logs::{record_with, wrapper};

promises! { ignored, on servers:
    every_row_is_read_in_parts
    queries_have_the_databases_answers
    daylight_saving_would_move_times
}

/// A time that does not exist where the tests of Spark run.
const SKIPPED_TIME: &str = "2026-03-29T02:30:00Z";
const TIME_ZONE: &str = "Europe/Berlin";

/// Parts by the time, as options of Spark.
const BOUNDS: &str = "'lowerBound': '2026-01-15 00:10:00', 'upperBound': '2026-01-15 00:20:00', \
                      'numPartitions': 4";

/// An expression of Python, and what it is to give.
struct Check {
    python: String,
    expected: Expected,
}

enum Expected {
    /// These rows, in any order.
    Rows(Table),
    /// These rows, in this order.
    Ordered(Table),
    /// An error whose message has this text.
    Error(&'static str),
}

/// A database with the sample, which has records without a time, and with a record whose time is
/// none, and one whose time is skipped.
struct Imported {
    engine: Engine,
    database: OwnDatabase,
    place: Place,
}

impl Imported {
    fn new(engine: Engine) -> Self {
        let database = OwnDatabase::new(engine);
        let place = Place::with_database(&database.url);
        let with_time = |id: &str, time: &str| record_with(id, &format!("\"eventTime\":{time}"));
        let records = [
            with_time("odd-1", "\"\""),
            with_time("odd-2", "\"yesterday\""),
            with_time("odd-3", &format!("\"{SKIPPED_TIME}\"")),
        ];
        place.write("logs/odd.json", wrapper(&records));
        place.run(&["--quiet", "import", SAMPLE, "logs"]).expect(0);
        Self { engine, database, place }
    }

    /// Expects the rows that the database itself returns.
    fn same(&self, python: &str, sql: &str) -> Check {
        check(python, Expected::Rows(self.database.query(sql)))
    }

    /// Returns the Python code of the page for this database.
    fn script(&self) -> String {
        let (account, address) = self.database.url.rsplit_once('@').unwrap();
        let (_, account) = account.split_once("://").unwrap();
        let (user, _) = account.split_once(':').unwrap();
        let jars = std::env::var("SPARK_JARS").expect("`tests/run --tools` sets SPARK_JARS");
        let files = std::fs::read_dir(&jars).unwrap().map(|file| file.unwrap().file_name());
        let connector_j = files.map(|name| name.into_string().unwrap());
        let connector_j = connector_j.into_iter().find(|name| name.contains("mysql-connector-j"));
        let last = "mariadb-java-client.jar";
        let script = blocks("python", self.engine).concat();
        for placeholder in ["/usr/share/java/", "db.example.com/cloudtrail", "\"reader\"", last] {
            assert!(script.contains(placeholder), "{placeholder} is not on the page");
        }
        script
            .replace(last, &format!("{last},/usr/share/java/{}", connector_j.unwrap()))
            .replace("/usr/share/java/", &format!("{jars}/"))
            .replace("db.example.com/cloudtrail", address)
            .replace("\"reader\"", &format!("\"{user}\""))
    }

    /// Runs the page's code, then the checks.
    fn run(&self, script: &str, checks: &[Check]) {
        let variable = |name: &str| {
            std::env::var(name).unwrap_or_else(|_| panic!("`tests/run --tools` sets {name}"))
        };
        let expressions: Vec<&str> = checks.iter().map(|check| check.python.as_str()).collect();
        self.place.write("page.py", script);
        self.place.write("checks.json", serde_json::to_vec(&expressions).unwrap());
        let (account, _) = self.database.url.rsplit_once('@').unwrap();
        let run = Command::new(variable("SPARK_PYTHON"))
            .arg(Path::new(ROOT).join("tests/tools/run_in_spark.py"))
            .args(["page.py", "checks.json"])
            .current_dir(self.place.path("."))
            .env("JAVA_HOME", variable("SPARK_JAVA_HOME"))
            .env("TZ", TIME_ZONE)
            .env("CLOUDTRAIL_PASSWORD", account.rsplit_once(':').unwrap().1)
            .env("SPARK_LOCAL_IP", "127.0.0.1")
            .env("SPARK_LOCAL_DIRS", self.place.path("spark"))
            .env(
                "PYSPARK_SUBMIT_ARGS",
                "--master local[2] --conf spark.ui.enabled=false pyspark-shell",
            )
            .output()
            .unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        let answers = String::from_utf8(run.stdout).unwrap();
        let mut wrong = String::new();
        for (check, answer) in checks.iter().zip(answers.lines()) {
            if !check.is_met_by(answer) {
                writeln!(wrong, "{}\ngave {answer:.1000}", check.python).unwrap();
            }
        }
        assert_eq!(answers.lines().count(), checks.len(), "{answers}");
        assert_eq!(wrong, "");
    }
}

impl Check {
    fn is_met_by(&self, answer: &str) -> bool {
        let rows = serde_json::from_str::<Table>(answer);
        match (&self.expected, rows) {
            (Expected::Rows(expected), Ok(mut rows)) => {
                let mut expected = expected.clone();
                expected.sort();
                rows.sort();
                !rows.is_empty() && rows == expected
            }
            (Expected::Ordered(expected), Ok(rows)) => !rows.is_empty() && rows == *expected,
            (Expected::Error(text), Err(_)) => answer.contains(text),
            _ => false,
        }
    }
}

fn check(python: impl Into<String>, expected: Expected) -> Check {
    Check { python: python.into(), expected }
}

fn one(value: &str) -> Expected {
    Expected::Rows(vec![vec![Some(value.to_owned())]])
}

/// Returns the blocks of the page in a language that are for this database.
fn blocks(language: &str, engine: Engine) -> Vec<String> {
    let page = std::fs::read_to_string(Path::new(ROOT).join("docs/spark.md")).unwrap();
    let name = match engine {
        Engine::Postgres => "PostgreSQL",
        Engine::Mysql => "MySQL",
        Engine::Mariadb => "MariaDB",
        Engine::Sqlite => unreachable!("no driver of SQLite is tested"),
    };
    let is_for = |mark: &str| {
        mark.is_empty() || mark.strip_prefix(": ").unwrap().split(", ").any(|it| it == name)
    };
    let opening = format!("```{language}\n");
    let blocks = page.split("<!-- Spark").skip(1).filter_map(|part| {
        let (mark, rest) = part.split_once(" -->\n").unwrap();
        let body = rest.strip_prefix(&opening).filter(|_| is_for(mark))?;
        Some(body.split("```").next().unwrap().to_owned())
    });
    let blocks: Vec<String> = blocks.collect();
    // Each of them is run, or the page promises too much.
    let all = page.matches("```python").count() + page.matches("```sql").count();
    assert_eq!(page.matches("<!-- Spark").count(), all);
    assert!(blocks.len() > 2, "{blocks:?}");
    blocks
}

/// Returns Python code that reads with other options than the page.
fn reading(options: &str) -> String {
    format!("spark.read.format('jdbc').options(**{{**database, {options}}}).load()")
}

fn every_row_is_read_in_parts(engine: Engine) {
    let imported = Imported::new(engine);
    let columns = "eventID, eventName, eventSource, eventTime, userIdentity, requestParameters, \
                   otherFields";
    let rows = format!("SELECT {columns} FROM logs");
    let all = "SELECT COUNT(*) FROM logs";
    // Most rows are outside of these bounds.
    let by_time =
        reading(&format!("'dbtable': 'events', 'partitionColumn': 'event_time', {BOUNDS}"));
    let mut checks = vec![
        check("events.rdd.getNumPartitions()", one("8")),
        check("logs.rdd.getNumPartitions()", one("8")),
        imported.same("events.count()", all),
        imported.same(&format!("logs.selectExpr(*'{columns}'.split(', '))"), &rows),
        imported.same(
            "events.selectExpr('event_id', 'string(event_time)', 'object_id')",
            "SELECT event_id, CAST(event_time AS char(19)), object_id FROM events",
        ),
        imported.same(
            "one_day.count()",
            "SELECT COUNT(*) FROM events WHERE event_time >= '2026-01-15' \
             AND event_time < '2026-01-16'",
        ),
        imported.same(&format!("{by_time}.count()"), all),
        imported.same(&own_parts(" OR eventAt IS NULL"), all),
    ];
    if engine.is_mysql() {
        checks.push(imported.same(&format!("by_key.selectExpr(*'{columns}'.split(', '))"), &rows));
        checks.push(check("by_key.rdd.getNumPartitions()", one("8")));
    }
    checks.extend(warnings(&imported));
    imported.run(&imported.script(), &checks);
}

/// Returns Python code that counts the rows of parts with conditions of one's own.
fn own_parts(or: &str) -> String {
    format!(
        "spark.read.jdbc(database['url'], table, predicates=[\"eventAt < '2026-01-15'\", \
         \"eventAt >= '2026-01-15'{or}\"], \
         properties={{name: str(value) for name, value in database.items()}}).count()"
    )
}

/// Returns what the page warns of.
fn warnings(imported: &Imported) -> Vec<Check> {
    let count = |of: &str| imported.database.query(&format!("SELECT COUNT({of}) FROM logs"));
    assert_ne!(count("eventAt"), count("*"), "no row is without a time");
    let by_text = reading(&format!("'dbtable': table, 'partitionColumn': 'eventTime', {BOUNDS}"));
    let mut checks = vec![
        check(own_parts(""), Expected::Rows(count("eventAt"))),
        check(by_text, Expected::Error("type should be numeric, date, or timestamp")),
    ];
    if imported.engine == Engine::Postgres {
        let without = reading("'dbtable': 'logs', 'driver': None");
        checks.push(check(without, Expected::Error("[FAILED_JDBC.CONNECTION]")));
    }
    if imported.engine == Engine::Mariadb {
        let scheme = "'url': database['url'].replace('jdbc:mysql:', 'jdbc:mariadb:')";
        let names = imported.database.query("SELECT COUNT(*), 'eventName', 'eventName' FROM logs");
        checks.push(check(
            reading(&format!("{scheme}, 'dbtable': 'logs'"))
                + ".selectExpr('count(*)', 'min(eventName)', 'max(eventName)')",
            Expected::Rows(names),
        ));
        let quotes = r#""?sessionVariables=sql_mode='ANSI_QUOTES'""#;
        checks.push(check(
            reading(&format!("{scheme} + {quotes}, 'dbtable': 'events'"))
                + ".where(\"event_id LIKE 'odd-%'\").count()",
            Expected::Error("You have an error in your SQL syntax"),
        ));
    }
    checks
}

fn queries_have_the_databases_answers(engine: Engine) {
    let imported = Imported::new(engine);
    let page = std::fs::read_to_string(Path::new(ROOT).join("docs/queries.md")).unwrap();
    let (_, common) = page.split_once("## Common questions").unwrap();
    let (common, _) = common.split_once("\n## ").unwrap();
    let mut checks = Vec::new();
    for block in common.split("```sql\n").skip(1) {
        let sql = block.split(";\n```").next().unwrap();
        let python = format!("spark.sql({})", serde_json::to_string(sql).unwrap());
        checks.push(check(python, Expected::Ordered(imported.database.query(sql))));
        let (all, _) =
            sql.split_once("\nORDER BY").or_else(|| sql.split_once(" ORDER BY")).unwrap();
        let python = format!("spark.sql({})", serde_json::to_string(all).unwrap());
        checks.push(imported.same(&python, all));
    }
    assert!(checks.len() >= 10, "the tutorial has five queries");
    let in_the_database = [
        "SELECT user_type AS type, COUNT(*) AS n FROM events GROUP BY user_type \
         ORDER BY n DESC, type LIMIT 5",
        "SELECT event_name, COUNT(*) AS n FROM events WHERE NOT read_only \
         AND error_code IS NOT NULL GROUP BY event_name ORDER BY n DESC, event_name LIMIT 5",
        "SELECT CAST(CAST(event_time AS date) AS char(10)), COUNT(*) FROM events GROUP BY 1",
    ];
    let on_the_page = blocks("sql", engine);
    assert_eq!(on_the_page.len(), in_the_database.len());
    for (sql, expected) in on_the_page.iter().zip(in_the_database) {
        let sql = serde_json::to_string(sql.trim_end().trim_end_matches(';')).unwrap();
        checks.push(imported.same(&format!("spark.sql({sql})"), expected));
    }
    checks.push(check(
        format!(
            "spark.read.json('{SAMPLE}', multiLine=True, recursiveFileLookup=True)\
             .selectExpr('inline(Records)')"
        ),
        Expected::Error("[COLUMN_ALREADY_EXISTS]"),
    ));
    imported.run(&imported.script(), &checks);
    let count = "SELECT COUNT(*), COUNT(day) FROM read_parquet('events-by-day/*/*.parquet');";
    imported.place.write("count.sql", count);
    let found = python("tests/tools/run_in_duckdb.py", &["count.sql"], &imported.place.path("."));
    let expected = imported.database.query("SELECT COUNT(*), COUNT(event_time) FROM events");
    let [rows, with_time] = [0, 1].map(|n| expected[0][n].clone().unwrap());
    assert_eq!(found.trim(), format!("[[{rows}, {with_time}]]"));
}

fn daylight_saving_would_move_times(engine: Engine) {
    let imported = Imported::new(engine);
    let script = imported.script();
    // What follows reads the time already.
    let (script, _) = script.split_once("table = ").unwrap();
    assert_eq!(script.matches("UTC").count(), 3);
    let expected = match engine {
        Engine::Mysql => Expected::Error("HOUR_OF_DAY: 2 -> 3"),
        _ => one("2026-03-29 03:30:00"),
    };
    let time = "events.where(\"event_id = 'odd-3'\").selectExpr('string(event_time)')";
    imported.run(&script.replace("UTC", TIME_ZONE), &[check(time, expected)]);
}
