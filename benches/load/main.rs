//! How fast an import is, beside the databases' own ways to load a ready-made file.
//!
//! ```text
//! tests/run --bench load                         # every case but those below and `settings`
//! tests/run --bench load --case sqlite parse     # two of them
//! tests/run --bench load --case index-builds     # each index alone
//! tests/run --bench load --case day              # 14,181,841 records; takes half an hour
//! tests/run --bench load --case questions        # the same, indexed and asked
//! ```
//!
//! Both sides of a case run in turns, several rounds, and the ratio is taken within each round.
//! Prints Markdown, the medians with the least and the greatest; asserts nothing about time.
//! `BENCHMARKS.md` keeps what it printed.
//!
//! The servers' times are read from `/proc`, and files are handed to them by their path, so they
//! must run on this machine (not in containers). `sqlite3` and `gzip` must be installed.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::clone_on_ref_ptr,
    unreachable_pub,
    reason = "a benchmark"
)]

mod cases;
mod ceiling;
mod data;
mod databases;
mod day;
mod index_builds;
mod measure;
mod questions;
mod single_inserts;
mod table;
mod workers;

#[path = "../../tests/it/databases.rs"]
#[expect(dead_code, unused_macros, unused_imports, reason = "the tests use the rest")]
mod own_database;
#[path = "../../tests/it/s3_server.rs"]
#[expect(dead_code, reason = "the tests use the rest")]
mod s3_server;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};

use cases::Bench;
use databases::ENGINES;
use own_database::Engine;
use table::Comparison;

/// The first argument that turns this program into one that only decodes and parses a folder.
pub const PARSE: &str = "--parse-only";

/// What can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Case {
    Postgres,
    Mysql,
    Mariadb,
    Sqlite,
    Parse,
    S3,
    Filters,
    Verify,
    Workers,
    SingleInserts,
    Indexes,
    IndexBuilds,
    Memory,
    Settings,
    Day,
    Questions,
}

/// The databases that can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Asked {
    Postgres,
    Mysql,
    Mariadb,
    Sqlite,
}

/// Compares imports with the databases' own ways to load.
#[derive(Debug, Parser)]
struct Arguments {
    /// Which cases [default: all but `settings`, `index-builds`, `day` and `questions`]
    #[arg(long, value_enum, num_args = 1..)]
    case: Vec<Case>,
    /// Records to load [default: 1,000,000; `questions`: 14,181,841]
    #[arg(long)]
    records: Option<u64>,
    /// Which databases `questions` asks
    #[arg(long, value_enum, num_args = 1.., default_values = ["postgres", "mysql"])]
    database: Vec<Asked>,
    /// How often each side runs
    #[arg(long, default_value = "5")]
    rounds: NonZeroUsize,
    /// Where data sets are made and kept
    #[arg(long, default_value = env!("CARGO_TARGET_TMPDIR"))]
    data: PathBuf,
    /// Cargo says so to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.split_first() {
        Some((first, rest)) if first == measure::WRAPPER => return measure::wrapper(rest),
        Some((first, rest)) if first == PARSE => {
            data::read(rest[0].as_ref(), |log, _| drop(std::hint::black_box(log)));
            return ExitCode::SUCCESS;
        }
        Some((first, [url, files @ ..])) if first == ceiling::SEND => {
            ceiling::send(url, files);
            return ExitCode::SUCCESS;
        }
        _ => {}
    }
    let arguments = Arguments::parse();
    let bench = Bench {
        folder: arguments.data,
        records: arguments.records.unwrap_or(1_000_000),
        rounds: arguments.rounds.get(),
    };
    let cases = if arguments.case.is_empty() {
        let is_long = [Case::Settings, Case::IndexBuilds, Case::Day, Case::Questions];
        let is_quick = |case: &Case| !is_long.contains(case);
        Case::value_variants().iter().copied().filter(is_quick).collect()
    } else {
        arguments.case
    };
    println!("{}\n", command_line(&args));
    println!("{}\n", machine());
    println!("{}", table::HEADER);
    for &case in &cases {
        for comparison in comparisons(&bench, case) {
            println!("{}", comparison.line());
        }
    }
    if cases.contains(&Case::Memory) {
        println!("\n| tree, database | peak MiB |\n|---|---|");
        for (name, usage) in bench.memory() {
            println!("| {name} | {} |", usage.peak_bytes >> 20);
        }
    }
    if cases.contains(&Case::Workers) {
        println!("\n{}", workers::workers(&bench, &bench.data()));
    }
    if cases.contains(&Case::IndexBuilds) {
        println!("\n{}", index_builds::index_builds(&bench.data()));
    }
    if cases.contains(&Case::Day) {
        let data = bench.day();
        for engine in [Engine::Postgres, Engine::Mysql] {
            println!("\n{}", day::day(engine, &data));
        }
    }
    if cases.contains(&Case::Questions) {
        let data = bench.questioned(arguments.records.is_some());
        for asked in arguments.database {
            let engine = match asked {
                Asked::Postgres => Engine::Postgres,
                Asked::Mysql => Engine::Mysql,
                Asked::Mariadb => Engine::Mariadb,
                Asked::Sqlite => Engine::Sqlite,
            };
            println!("\n{}", questions::questions(engine, &data));
        }
    }
    ExitCode::SUCCESS
}

/// Runs a case that compares two sides.
fn comparisons(bench: &Bench, case: Case) -> Vec<Comparison> {
    match case {
        Case::Postgres => vec![bench.ready_file(Engine::Postgres), bench.ceiling()],
        Case::Mysql => vec![bench.ready_file(Engine::Mysql)],
        Case::Mariadb => vec![bench.ready_file(Engine::Mariadb)],
        Case::Sqlite => vec![bench.ready_file(Engine::Sqlite)],
        Case::Parse => vec![bench.parse()],
        Case::S3 => bench.s3().into(),
        Case::SingleInserts => ENGINES.map(|engine| bench.single_inserts(engine)).into(),
        Case::Filters => ENGINES.map(|engine| bench.filters(engine)).into(),
        Case::Verify => vec![bench.verify(Engine::Postgres), bench.verify(Engine::Sqlite)],
        Case::Indexes => ENGINES.map(|engine| bench.indexes(engine)).into(),
        Case::Settings => bench.settings(),
        Case::Workers | Case::IndexBuilds | Case::Memory | Case::Day | Case::Questions => {
            Vec::new()
        }
    }
}

fn command_line(args: &[String]) -> String {
    let args: Vec<&str> = args.iter().map(String::as_str).filter(|arg| *arg != "--bench").collect();
    format!("`tests/run --bench load {}`, {}", args.join(" "), jiff::Zoned::now().date())
}

/// Returns the machine and the versions in one line.
fn machine() -> String {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory_kib: u64 =
        memory.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or(0);
    let versions =
        ENGINES.map(|engine| format!("{} {}", databases::name(engine), databases::version(engine)));
    format!(
        "{} cores ({}), {} GiB; {}",
        std::thread::available_parallelism().map_or(0, usize::from),
        model.map_or("?", |(_, model)| model),
        memory_kib >> 20,
        versions.join(", ")
    )
}
