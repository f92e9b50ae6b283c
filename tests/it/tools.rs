//! What docs/tools.md says about other tools, and the files of deploy/, tried with the tools, by
//! `tests/run --tools`.
//!
//! `spark` does the same for docs/spark.md.
//!
//! A variable names the Python that has the tools. Grafana and Metabase replace their macros before
//! the database sees them, and Superset writes a query around a dataset; here the tests do, as their
//! documentation and source say.

mod spark;

mod deploy;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::binary::Place;
use crate::databases::{Engine, OwnDatabase, Table, promises};
use crate::logs::{record_with, wrapper};

promises! { ignored, on all:
    sigma_rules_find_what_they_describe
}

promises! { on all:
    statements_for_dashboards_run
    superset_selects_by_the_time
}

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sample");

/// Runs a Python script of the project.
fn python(script: &str, args: &[&str], folder: &Path) -> String {
    let python = std::env::var("TOOLS_PYTHON").expect("`tests/run --tools` sets TOOLS_PYTHON");
    let script = Path::new(ROOT).join(script);
    let run = Command::new(python).arg(script).args(args).current_dir(folder).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    String::from_utf8(run.stdout).unwrap()
}

fn imported(database: &OwnDatabase, records: &[String]) -> Place {
    let place = Place::with_database(&database.url);
    place.write("logs/a.json", wrapper(records));
    place.run(&["--quiet", "import", "logs"]).expect(0);
    place
}

fn sigma_rules_find_what_they_describe(engine: Engine) {
    let database = OwnDatabase::new(engine);
    let denied = |id: &str, fields: &str| {
        record_with(id, &format!("\"errorCode\":\"AccessDenied\",{fields}"))
    };
    let bucket =
        |id: &str, fields: &str| record_with(id, &format!("\"eventName\":\"HeadObject\",{fields}"));
    imported(
        &database,
        &[
            record_with("1a", r#""userIdentity":{"type":"Root"}"#),
            denied("1b", r#""userAgent":"x aws-cli/2""#),
            denied("-", r#""userAgent":"x aws-cli/2","sourceIPAddress":"ec2.amazonaws.com""#),
            denied("-", r#""userAgent":"boto""#),
            bucket("2a", r#""requestParameters":{"bucketName":"a-logs"},"readOnly":true"#),
            bucket("-", r#""requestParameters":{"bucketName":"a-logs"},"readOnly":false"#),
            bucket("-", r#""requestParameters":{"bucketName":"a-log"},"readOnly":true"#),
            record_with("3a", r#""userAgent":"A_b%""#),
            record_with("-", r#""userAgent":"aXb%""#),
            record_with(
                "3b",
                r#""userIdentity":{"sessionContext":{"sessionIssuer":{"userName":"O'B\\"}}}"#,
            ),
        ],
    );
    let name = match engine {
        Engine::Sqlite => "sqlite",
        Engine::Postgres => "postgres",
        Engine::Mysql | Engine::Mariadb => "mysql",
    };
    let rules = format!("{ROOT}/tests/tools/rules.yml");
    let sql = python("examples/sigma/sigma2sql.py", &[name, &rules], Path::new(ROOT));
    let statements: Vec<&str> = sql.lines().filter(|line| !line.starts_with("--")).collect();
    let found = statements.iter().map(|sql| {
        let sql = sql.replacen("SELECT *", "SELECT event_id", 1);
        let sql = format!("{} ORDER BY event_id", sql.trim_end_matches(';'));
        database.query(&sql).into_iter().map(|row| row[0].clone().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(
        found.collect::<Vec<_>>(),
        [vec!["1a", "1b"], vec!["2a"], vec!["3a", "3b"]],
        "{sql}"
    );
}

/// Returns the statements of docs/tools.md that are for a tool.
fn statements_for(tool: &str) -> Vec<String> {
    let page = std::fs::read_to_string(Path::new(ROOT).join("docs/tools.md")).unwrap();
    let opening = format!("<!-- {tool} -->\n```sql\n");
    let blocks = page.split(&opening).skip(1);
    let statements: Vec<String> =
        blocks.map(|block| block.split("```").next().unwrap().to_owned()).collect();
    assert!(!statements.is_empty(), "{tool}");
    statements
}

#[test]
#[ignore = "needs Python with DuckDB: `tests/run --tools`"]
fn duckdb_reads_what_is_exported() {
    let database = OwnDatabase::new(Engine::Sqlite);
    let place = Place::with_database(&database.url);
    place.run(&["--quiet", "import", SAMPLE]).expect(0);
    for (form, file) in [("csv", "events.csv.gz"), ("jsonl", "records.jsonl.gz")] {
        let export = ["--limit", "2000000000", "--output", form, "--gzip", "--out", file];
        place.run(&[&["--quiet", "search"], &export[..]].concat()).expect(0);
    }
    place.write("statements.sql", statements_for("DuckDB").concat());
    let folder: PathBuf = place.path(".");
    let answers = python("tests/tools/run_in_duckdb.py", &["statements.sql"], &folder);
    let answers: Vec<Value> =
        answers.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let services = database.query(
        "SELECT event_source, COUNT(*) AS n FROM events GROUP BY 1 ORDER BY n DESC, 1 LIMIT 3",
    );
    for (found, expected) in answers[0].as_array().unwrap().iter().zip(&services) {
        assert_eq!(found[0].as_str(), expected[0].as_deref());
        assert_eq!(found[1].to_string(), *expected[1].as_ref().unwrap());
    }
    let events = &database.query("SELECT COUNT(*) FROM events")[0][0];
    let of_types = answers[1].as_array().unwrap();
    let sum: u64 = of_types.iter().map(|row| row[1].as_u64().unwrap()).sum();
    assert_eq!(Some(sum.to_string()), *events);
    assert!(of_types.iter().any(|row| row[0] == "AssumedRole"), "{of_types:?}");
    assert_eq!(Some(answers[3][0][0].to_string()), *events);
    let of_days = database.query("SELECT COUNT(*), COUNT(event_time) FROM events");
    assert_eq!(table(&answers[5]), of_days);
    // The sample has records without a time.
    assert_ne!(of_days[0][0], of_days[0][1]);
}

/// Returns rows of JSON as the database shows rows.
fn table(rows: &Value) -> Table {
    let cell = |cell: &Value| Some(cell.as_str().map_or_else(|| cell.to_string(), str::to_owned));
    let rows = rows.as_array().unwrap().iter();
    rows.map(|row| row.as_array().unwrap().iter().map(cell).collect()).collect()
}

/// The expressions are those of Superset 6.1. On PostgreSQL, its `TO_TIMESTAMP` gives a time of the
/// session's time zone, and so is `event_time` read then.
fn superset_selects_by_the_time(engine: Engine) {
    let database = OwnDatabase::new(engine);
    let with_time = |id: &str, time: &str| record_with(id, &format!("\"eventTime\":\"{time}\""));
    imported(
        &database,
        &[
            with_time("a", "2026-01-14T23:59:59Z"),
            with_time("b", "2026-01-15T00:00:00Z"),
            with_time("c", "2026-01-15T00:59:59Z"),
            with_time("d", "2026-01-15T23:59:59Z"),
            with_time("e", "2026-01-16T00:00:00Z"),
            with_time("f", "now"),
        ],
    );
    let (hour, time): (_, fn(&str) -> String) = match engine {
        Engine::Sqlite => ("DATETIME(STRFTIME('%Y-%m-%dT%H:00:00', event_time))", |day| {
            format!("'{day} 00:00:00'")
        }),
        Engine::Postgres => ("DATE_TRUNC('hour', event_time)", |day| {
            format!("TO_TIMESTAMP('{day} 00:00:00.000000', 'YYYY-MM-DD HH24:MI:SS.US')")
        }),
        Engine::Mysql | Engine::Mariadb => {
            ("DATE_ADD(DATE(event_time), INTERVAL HOUR(event_time) HOUR)", |day| {
                format!("STR_TO_DATE('{day} 00:00:00.000000', '%Y-%m-%d %H:%i:%s.%f')")
            })
        }
    };
    let dataset = &statements_for("Superset")[0];
    let dataset = dataset.trim_end().trim_end_matches(';');
    let chart = format!(
        "SELECT {hour} AS event_time, COUNT(*) AS count \
         FROM ({dataset}) AS virtual_table WHERE event_time >= {} AND event_time < {} \
         GROUP BY {hour} ORDER BY count DESC LIMIT 10000",
        time("2026-01-15"),
        time("2026-01-16")
    );
    let expected = [["2026-01-15 00:00:00", "2"], ["2026-01-15 23:00:00", "1"]]
        .map(|row| row.map(|cell| Some(cell.to_owned())).to_vec());
    assert_eq!(database.query(&chart), expected);
    if engine == Engine::Postgres {
        let elsewhere = database.query(&format!("SET timezone = 'America/New_York'; {chart}"));
        assert_eq!(elsewhere, expected);
    }
}

fn statements_for_dashboards_run(engine: Engine) {
    let database = OwnDatabase::new(engine);
    imported(
        &database,
        &[
            record_with("a", r#""eventTime":"2026-01-15T08:59:59Z""#),
            record_with("b", r#""eventTime":"2026-01-15T09:30:00Z","errorCode":"X""#),
            record_with(
                "c",
                r#""eventTime":"2026-01-15T09:40:00Z","userIdentity":{"type":"Root"}"#,
            ),
            record_with("d", r#""eventTime":"2026-01-16T00:00:00Z""#),
        ],
    );
    let rows = |sql: &str| {
        let rows = database.query(sql.trim_end().trim_end_matches(';'));
        rows.into_iter().map(|row| row.into_iter().map(Option::unwrap).collect()).collect()
    };
    let hour = match engine {
        Engine::Sqlite => "strftime('%s', event_time) / 3600 * 3600",
        Engine::Postgres => "CAST(floor(extract(epoch from event_time)/3600)*3600 AS bigint)",
        Engine::Mysql | Engine::Mariadb => {
            "CAST(TIMESTAMPDIFF(SECOND, '1970-01-01', event_time) DIV 3600 * 3600 AS SIGNED)"
        }
    };
    let grafana: Vec<Vec<Vec<String>>> = statements_for("Grafana")
        .iter()
        .map(|sql| {
            let range = "event_time BETWEEN '2026-01-15 00:00:00' AND '2026-01-15 23:59:59'";
            let sql = sql.replace("$__timeFilter(event_time)", range);
            rows(&sql.replace("$__timeGroup(event_time, '1h')", hour))
        })
        .collect();
    assert_eq!(grafana[0], [["1768464000", "1", "0"], ["1768467600", "2", "1"]]);
    assert_eq!(grafana[1], [["X", "s3.amazonaws.com", "GetObject", "1"]]);
    assert_eq!(grafana[2], [["1"]]);
    let metabase = &statements_for("Metabase")[0];
    let since = metabase.replace("{{since}}", "'2026-01-15'").replace("{{user}}", "'root'");
    let all: String =
        since.split(" [[").next().unwrap().to_owned() + since.split("]]").nth(1).unwrap();
    let expected: [[&str; 2]; 1] = [["GetObject", "4"]];
    assert_eq!(rows(&all), expected);
    let of_user: Vec<Vec<String>> = rows(&since.replace("[[", "").replace("]]", ""));
    assert_eq!(of_user, [["GetObject", "1"]]);
}
