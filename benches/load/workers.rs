//! Several workers that share a bucket, into one PostgreSQL: how many of them one server keeps up with.
//!
//! Each request to S3 takes 50 ms more, as from a machine far from the bucket. One worker then waits for
//! S3, not for a core, so that more workers load more, until the server is the limit.

use std::time::{Duration, Instant};

use crate::cases::Bench;
use crate::data::Data;
use crate::databases::{import_command, server, settle, with_tables};
use crate::measure::{Usage, with_server};
use crate::own_database::{Engine, OwnDatabase};
use crate::s3_server::{ACCESS_KEY, S3Server, SECRET_KEY};

const LATENCY: Duration = Duration::from_millis(50);

/// How many workers load at once.
const WORKERS: [usize; 3] = [1, 2, 4];

/// The servers' cores that the limit is computed for.
const CORES: [u32; 4] = [2, 8, 32, 96];

/// Loads the data by several workers, and returns a section of Markdown.
pub fn workers(bench: &Bench, data: &Data) -> String {
    let s3 = S3Server::start();
    let objects = crate::cases::put_all(&s3, data);
    s3.set_latency(LATENCY);
    let mut text = format!(
        "### Workers into one PostgreSQL: {} records in {objects} objects, {} ms more for each request\n\n\
         | workers | s | rows/s | CPU s of the workers | CPU s of the server | LIST requests |\n\
         |---|---|---|---|---|---|\n",
        data.rows,
        LATENCY.as_millis()
    );
    let (mut one, mut sizes) = (None, (0.0, 0.0));
    for workers in WORKERS {
        let mut runs: Vec<(Usage, usize)> = (0..bench.rounds)
            .map(|_| {
                let (database, usage, lists) = run(&s3, data, workers);
                sizes = (
                    bytes_of(&database, "import_objects") / float(objects as u64),
                    bytes_of(&database, "logs") / float(data.rows),
                );
                (usage, lists)
            })
            .collect();
        runs.sort_by_key(|(usage, _)| usage.wall);
        let (usage, lists) = runs[runs.len() / 2];
        one.get_or_insert(usage);
        text.push_str(&format!(
            "| {workers} | {:.2} | {:.0} | {:.2} | {:.2} | {lists} |\n",
            usage.wall.as_secs_f64(),
            rate(data, usage),
            usage.client_cpu.as_secs_f64(),
            usage.server_cpu.as_secs_f64(),
        ));
    }
    let one = one.unwrap();
    let row_cpu = one.server_cpu.as_secs_f64() / float(data.rows);
    text.push_str(&format!(
        "\nThe server spends {:.1} µs of CPU time on a row, so one of its cores takes {:.0} rows/s. One worker \
         sends {:.0} rows/s. The server's cores are the limit beyond:\n\n| cores of the server | workers |\n\
         |---|---|\n",
        row_cpu * 1e6,
        1.0 / row_cpu,
        rate(data, one)
    ));
    for cores in CORES {
        let limit = f64::from(cores) / row_cpu / rate(data, one);
        text.push_str(&format!("| {cores} | {limit:.1} |\n"));
    }
    let (of_object, of_row) = sizes;
    text.push_str(&format!(
        "\nOn the disk, the ledger has {of_object:.0} bytes for each object, and `logs` {of_row:.0} bytes for each \
         row without indexes.\n"
    ));
    text
}

/// Returns how much of the disk a table has, with its key.
fn bytes_of(database: &OwnDatabase, table: &str) -> f64 {
    float(database.number(&format!("SELECT pg_total_relation_size('{table}')")))
}

/// Loads everything once, and checks that nothing is missing. Returns what it took, and how many LIST
/// requests there were.
fn run(s3: &S3Server, data: &Data, workers: usize) -> (OwnDatabase, Usage, usize) {
    let database = with_tables(Engine::Postgres, &["--no-index"]);
    settle(Engine::Postgres);
    let lists_before = s3.calls(crate::s3_server::Op::ListObjectsV2);
    let usage = with_server(server(Engine::Postgres), || run_workers(s3, &database, workers));
    assert_eq!(database.number("SELECT COUNT(*) FROM logs"), data.rows);
    (database, usage, s3.calls(crate::s3_server::Op::ListObjectsV2) - lists_before)
}

/// Runs the workers at once; returns the time until the last one ended, and the sums of the rest.
fn run_workers(s3: &S3Server, database: &OwnDatabase, workers: usize) -> Usage {
    let started = Instant::now();
    let imports: Vec<_> = (1..=workers)
        .map(|worker| {
            let shard = format!("--shard={worker}/{workers}");
            let mut import = import_command(database, &["--no-index", &shard, "s3://trail/"]);
            import.command().envs([
                ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
                ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
                ("AWS_ENDPOINT_URL", &s3.endpoint_url()),
            ]);
            std::thread::spawn(|| import.run())
        })
        .collect();
    let mut sum = Usage::default();
    for import in imports {
        let usage = import.join().unwrap();
        sum.client_cpu += usage.client_cpu;
        sum.peak_bytes = sum.peak_bytes.max(usage.peak_bytes);
    }
    Usage { wall: started.elapsed(), ..sum }
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
fn float(number: u64) -> f64 {
    number as f64
}

/// Returns rows per second.
fn rate(data: &Data, usage: Usage) -> f64 {
    float(data.rows) / usage.wall.as_secs_f64()
}
