//! Listing at the scale of an organization: requests, rates, the first row, and re-runs.
//!
//! `cargo bench --bench listing` runs the program against an in-process S3 server that holds a
//! trail of 20 accounts, 4 regions and 30 days, 100,800 objects of one record each, and takes
//! 20 ms more for every request. Re-runs are timed for SQLite, and for each server whose
//! `TEST_POSTGRES_URL`, `TEST_MYSQL_URL` or `TEST_MARIADB_URL` is set (an administrator's URL that
//! ends in `/`). Prints a table; asserts nothing about time.

#![expect(
    clippy::unwrap_used,
    clippy::clone_on_ref_ptr,
    clippy::print_stdout,
    unreachable_pub,
    reason = "a benchmark"
)]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use flate2::{Compression, write::GzEncoder};
use serde_json::Value;
use sqlx::{Connection, SqliteConnection};

#[path = "../tests/it/s3_server.rs"]
#[expect(dead_code, reason = "the tests use the rest")]
mod s3_server;

use s3_server::{ACCESS_KEY, S3Server, SECRET_KEY};

const BUCKET: &str = "trail";
const LATENCY: Duration = Duration::from_millis(20);
const ACCOUNTS: u64 = 20;
const REGIONS: [&str; 4] = ["eu-central-1", "eu-west-1", "us-east-1", "us-west-2"];
const DAYS: u64 = 30;
const OBJECTS_A_DAY: u64 = 42;

fn main() {
    let server = trail();
    let objects = ACCOUNTS * REGIONS.len() as u64 * DAYS * OBJECTS_A_DAY;
    println!("{objects} objects, {} ms more for each request\n", LATENCY.as_millis());
    let folder = tempfile::tempdir().unwrap();

    println!("listing           listers  requests   seconds      keys/s");
    for (name, args) in
        [("everything", &[][..]), ("one day", &["--from", "2026-01-15", "--to", "2026-01-15"])]
    {
        for listers in ["1", "4", "16"] {
            let run = run(
                &server,
                folder.path(),
                None,
                &[&["--dry-run", "--listers", listers], args].concat(),
            );
            let keys = run["total"]["new"]["objects"].as_f64().unwrap();
            let seconds = run["listing_seconds"].as_f64().unwrap();
            let requests = &run["requests"]["list"];
            println!(
                "{name:<16} {listers:>8} {requests:>9} {seconds:>9.2} {:>11.0}",
                keys / seconds
            );
        }
    }

    println!("\nfirst row in the database after {:.2} s", first_row(&server).as_secs_f64());

    println!("\nre-run            first run s   re-run s   listing alone s   ratio");
    let mut databases = vec![("SQLite", None)];
    for (name, variable) in [
        ("PostgreSQL", "TEST_POSTGRES_URL"),
        ("MySQL", "TEST_MYSQL_URL"),
        ("MariaDB", "TEST_MARIADB_URL"),
    ] {
        if let Ok(url) = std::env::var(variable) {
            databases.push((name, Some(format!("{url}listing_{}", std::process::id()))));
        }
    }
    for (name, url) in databases {
        let seconds = |run: &Value| run["load_seconds"].as_f64().unwrap();
        let first =
            run(&server, folder.path(), url.as_deref(), &["--no-index", "--fetchers", "128"]);
        let (again, alone) = (0..3)
            .map(|_| {
                let again = run(&server, folder.path(), url.as_deref(), &["--no-index"]);
                assert_eq!(again["already_loaded"]["objects"], objects);
                let nowhere = tempfile::tempdir().unwrap();
                let alone = run(&server, nowhere.path(), None, &["--dry-run"]);
                (seconds(&again), alone["listing_seconds"].as_f64().unwrap())
            })
            .min_by(|a, b| a.0.total_cmp(&b.0))
            .unwrap();
        println!(
            "{name:<16} {:>12.2} {again:>10.2} {alone:>17.2} {:>7.2}",
            seconds(&first),
            again / alone
        );
    }
}

/// Fills a server with the trail.
fn trail() -> S3Server {
    let server = S3Server::start();
    for account in 0..ACCOUNTS {
        for region in REGIONS {
            for day in 1..=DAYS {
                for n in 0..OBJECTS_A_DAY {
                    let account = 100_000_000_000 + account;
                    let key = format!(
                        "AWSLogs/o-abc/{account}/CloudTrail/{region}/2026/01/{day:02}/\
                         {account}_CloudTrail_{region}_202601{day:02}T{:02}{:02}Z_abcdefghijklmnop.json.gz",
                        n / 2,
                        n % 2 * 30
                    );
                    server.put(BUCKET, &key, log(&key));
                }
            }
        }
    }
    server.set_latency(LATENCY);
    server
}

/// Returns a log file of one record.
fn log(event_id: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let record = format!(
        r#"{{"Records":[{{"eventVersion":"1.08","eventTime":"2026-01-15T00:00:00Z","eventSource":"s3.amazonaws.com","eventName":"GetObject","eventID":"{event_id}"}}]}}"#
    );
    encoder.write_all(record.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn command(server: &S3Server, folder: &Path, url: Option<&str>, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cloudtrail2sql"));
    command.args(["import", "--output", "json", "s3://trail/"]).args(args);
    command.current_dir(folder).env_clear().stdin(Stdio::null()).stderr(Stdio::null());
    command.envs([
        ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
        ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
        ("AWS_ENDPOINT_URL", &server.endpoint_url()),
    ]);
    command.envs(url.map(|url| ("DATABASE_URL", url)));
    command
}

/// Runs the program to its end; returns its summary.
fn run(server: &S3Server, folder: &Path, url: Option<&str>, args: &[&str]) -> Value {
    let output = command(server, folder, url, args).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Returns the time from the start of an import into SQLite until its first row can be read.
fn first_row(server: &S3Server) -> Duration {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("cloudtrail.db").display());
    let started = Instant::now();
    let mut importing =
        command(server, folder.path(), None, &[]).stdout(Stdio::null()).spawn().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let has_row = async || {
        let mut connection = SqliteConnection::connect(&url).await.ok()?;
        let row = sqlx::query("SELECT 1 FROM logs LIMIT 1").fetch_optional(&mut connection).await;
        row.ok().flatten()
    };
    while runtime.block_on(has_row()).is_none() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let took = started.elapsed();
    importing.kill().unwrap();
    importing.wait().unwrap();
    took
}
