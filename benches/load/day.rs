//! The tutorial's day: 14,181,841 records, loaded, indexed and queried.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::data::Data;
use crate::databases::{import, import_command, name, server, settle, with_tables};
use crate::measure::with_server;
use crate::own_database::{Engine, OwnDatabase};

/// The records of the tutorial's day (the repository `AWS_Tutorials`, "301. CloudTrail Log Analysis").
pub const RECORDS: u64 = 14_181_841;

/// The tutorial's questions, and their SQL.
pub const QUERIES: [(&str, &str); 5] = [
    (
        "events by source",
        "SELECT eventSource, COUNT(*) AS c FROM logs GROUP BY eventSource ORDER BY c DESC",
    ),
    (
        "events of S3 by name",
        "SELECT eventName, COUNT(*) AS c FROM logs WHERE eventSource = 's3.amazonaws.com' \
         GROUP BY eventName ORDER BY c DESC",
    ),
    (
        "events by hour",
        "SELECT substring(eventTime, 1, 13) AS t, COUNT(*) AS c FROM logs GROUP BY t ORDER BY t",
    ),
    (
        "events by minute",
        "SELECT substring(eventTime, 1, 16) AS t, COUNT(*) AS c FROM logs GROUP BY t ORDER BY t",
    ),
    (
        "events by second",
        "SELECT substring(eventTime, 1, 19) AS t, COUNT(*) AS c FROM logs GROUP BY t \
         ORDER BY c DESC, t",
    ),
];

/// Imports the day and reports on it in Markdown.
pub fn day(engine: Engine, data: &Data) -> String {
    let database = OwnDatabase::new(engine);
    settle(engine);
    let mut load = import_command(&database, &["--no-index"]);
    let command = load.command();
    // The progress lines say how many rows are in.
    command.arg(&data.folder).stderr(Stdio::piped());
    let started = Instant::now();
    let mut marks: Vec<(Duration, u64)> = vec![(Duration::ZERO, 0)];
    let loaded = with_server(server(engine), || {
        load.run_watched(|child| {
            let lines = BufReader::new(child.stderr.take().unwrap()).lines();
            marks.extend(lines.filter_map(|line| {
                let rows = rows_in(&line.unwrap())?;
                Some((started.elapsed(), rows))
            }));
        })
    });
    marks.push((loaded.wall, data.rows));
    assert_eq!(database.number("SELECT COUNT(*) FROM logs"), data.rows);
    let nothing = tempfile::tempdir().unwrap();
    let indexed = import(&database, nothing.path(), &[]);

    let mut report = String::new();
    let mut add = |line: String| writeln!(report, "{line}").unwrap();
    add(format!("### {}\n", name(engine)));
    add(format!(
        "load {:.1} s ({:.0} rows/s; client {:.1} CPU s, server {:.1} CPU s, peak {} MiB), \
         indexes and statistics {:.1} s, size {:.2} GiB\n",
        loaded.wall.as_secs_f64(),
        per_second(data.rows, loaded.wall),
        loaded.client_cpu.as_secs_f64(),
        loaded.server_cpu.as_secs_f64(),
        loaded.peak_bytes >> 20,
        indexed.wall.as_secs_f64(),
        gib(size_bytes(&database)),
    ));
    let rates: Vec<String> = (0..data.rows / 1_000_000)
        .map(|million| {
            let took = when(&marks, (million + 1) * 1_000_000)
                .saturating_sub(when(&marks, million * 1_000_000));
            format!("{:.0}", per_second(1_000, took))
        })
        .collect();
    add(format!("thousand rows/s, million by million: {}\n", rates.join(" ")));
    for (question, sql) in QUERIES {
        let started = Instant::now();
        let rows = database.query(sql).len();
        add(format!("- {question}: {:.2} s, {rows} rows", started.elapsed().as_secs_f64()));
    }
    drop(database);
    let in_place = import(&with_tables(engine, &[]), &data.folder, &[]).wall;
    let built_last = loaded.wall + indexed.wall;
    add(format!(
        "\nloaded with the indexes in place: {:.1} s; building them last takes {:.2} of that",
        in_place.as_secs_f64(),
        built_last.as_secs_f64() / in_place.as_secs_f64(),
    ));
    report
}

/// Reads a progress line.
fn rows_in(line: &str) -> Option<u64> {
    let (before, _) = line.split_once(" rows · ")?;
    let (_, rows) = before.rsplit_once(' ')?;
    rows.replace(',', "").parse().ok()
}

/// Returns when so many rows were in, between two marks by proportion.
#[expect(clippy::cast_precision_loss, reason = "a proportion")]
fn when(marks: &[(Duration, u64)], rows: u64) -> Duration {
    let after = marks.iter().position(|(_, seen)| *seen >= rows).unwrap();
    let Some(before) = after.checked_sub(1) else { return marks[0].0 };
    let ((earlier, some), (later, more)) = (marks[before], marks[after]);
    earlier + later.saturating_sub(earlier).mul_f64((rows - some) as f64 / (more - some) as f64)
}

#[expect(clippy::cast_precision_loss, reason = "a rate")]
fn per_second(count: u64, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "a size for people")]
pub fn gib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 30)
}

pub fn size_bytes(database: &OwnDatabase) -> u64 {
    match database.engine {
        Engine::Sqlite => std::fs::metadata(database.file()).unwrap().len(),
        Engine::Postgres => database.number("SELECT pg_database_size(current_database())"),
        engine @ (Engine::Mysql | Engine::Mariadb) => {
            let tablespaces = match engine {
                Engine::Mysql => "innodb_tablespaces",
                _ => "innodb_sys_tablespaces",
            };
            database.number(&format!(
                "SELECT CAST(SUM(file_size) AS SIGNED) FROM information_schema.{tablespaces} \
                 WHERE name LIKE CONCAT(DATABASE(), '/%')"
            ))
        }
    }
}
