//! Makes trees of CloudTrail logs as AWS would have delivered them, for tests,
//! benchmarks and the sample that the README imports.
//!
//! ```text
//! cargo run --release --example generate -- OUT_DIR --records 1000000 --seed 1
//! ```
//!
//! The same arguments make the same bytes on every machine (the compressed
//! bytes are those of the zlib-rs release in `Cargo.lock`). Events, callers and
//! errors have the shapes of real ones; accounts, people, addresses and
//! resources are invented.
//!
//! The records do not follow from each other: no session begins and ends, and no
//! resource is created before it is used.
//!
//! The committed sample, `tests/sample`, was made by
//! ```text
//! cargo run --release --example generate -- tests/sample --records 1234 --seed 2182 --regions 2 --hours 2
//! ```
//! and a test here checks that it still would be.
//!
//! Reading order: `random`, `words` and `form` (spelling of values), `world`,
//! `template` and `value` (text with holes, and what fills them), `caller`,
//! `shape`, `bulk`, `event`, `special` (records), `plan` (which files), `file`,
//! `layout`, `signer` (which the tests of the program share), `digest`, `metadata`, `tree` (the files
//! themselves), `summary`.

mod bulk;
mod caller;
mod digest;
mod event;
mod file;
mod form;
mod layout;
mod metadata;
mod plan;
mod random;
mod shape;
#[path = "../../tests/signing/key.rs"]
mod signer;
mod special;
mod summary;
mod template;
#[cfg(test)]
mod tests;
mod tree;
mod value;
mod words;
mod world;

use std::error::Error as _;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use jiff::civil::Date;

use crate::layout::Layout;
use crate::plan::Settings;
use crate::tree::{Maker, Shard};

/// Makes a tree of CloudTrail log files.
#[derive(Debug, Parser)]
#[command(name = "generate")]
struct Arguments {
    /// Folder to write the tree into; files of the same name are replaced
    out_dir: PathBuf,
    /// Records in all log files together
    #[arg(long, default_value_t = 1_000)]
    records: u64,
    /// Decides everything left to chance
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Number of accounts
    #[arg(long, default_value_t = 2, value_parser = count(1_000))]
    accounts: u16,
    /// Number of regions
    #[arg(long, default_value_t = 3, value_parser = count(17))]
    regions: u16,
    /// Number of days
    #[arg(long, default_value_t = 1, value_parser = count(3_660))]
    days: u16,
    /// Hours of each day with files, from midnight
    #[arg(long, default_value_t = 24, value_parser = count(24))]
    hours: u16,
    /// The first day
    #[arg(long, default_value = "2026-01-15")]
    first_day: Date,
    /// Organization, an additional level below `AWSLogs` (`o-…`)
    #[arg(long)]
    organization: Option<String>,
    /// Folder above `AWSLogs`
    #[arg(long)]
    prefix: Option<String>,
    /// Make only part K of N: every N-th file; all parts together are the whole
    #[arg(long, value_name = "K/N", value_parser = parse_shard)]
    shard: Option<Shard>,
    /// Put exactly so many records into every file, instead of as many as in life
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    records_per_file: Option<u64>,
    /// Store log files as `.json`, not compressed
    #[arg(long)]
    plain: bool,
    /// Also write the public keys and the digests' metadata, as `public-keys.json` and
    /// `metadata.json`, into this folder outside the tree
    #[arg(long, value_name = "FOLDER")]
    signatures: Option<PathBuf>,
    /// Threads (the result does not depend on it) [default: one per core]
    #[arg(long)]
    threads: Option<NonZeroUsize>,
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "the program's output")]
fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let settings = Settings {
        seed: arguments.seed,
        records: arguments.records,
        accounts: usize::from(arguments.accounts),
        regions: usize::from(arguments.regions),
        days: usize::from(arguments.days),
        hours: usize::from(arguments.hours),
        first_day: arguments.first_day,
        records_per_file: arguments.records_per_file,
    };
    let layout = Layout {
        prefix: arguments.prefix.map(|prefix| prefix.trim_matches('/').to_owned()),
        organization: arguments.organization,
        plain: arguments.plain,
    };
    let threads = arguments.threads.or_else(|| std::thread::available_parallelism().ok());
    let shard = arguments.shard.unwrap_or(Shard::WHOLE);
    let maker = Maker::new(&settings, &layout, shard, Some(&arguments.out_dir))
        .with_signatures(arguments.signatures.as_deref());
    match maker.make(threads.map_or(1, NonZeroUsize::get)) {
        Ok(summary) => {
            println!("{summary}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            if let Some(cause) = error.source() {
                eprintln!("  caused by: {cause}");
            }
            ExitCode::FAILURE
        }
    }
}

fn count(max: i64) -> clap::builder::RangedI64ValueParser<u16> {
    clap::value_parser!(u16).range(1..=max)
}

fn parse_shard(text: &str) -> Result<Shard, String> {
    let (part, of) = text.split_once('/').ok_or("write it as `2/5`")?;
    let part: u64 = part.parse().map_err(|_| format!("`{part}` is not a number"))?;
    let of: u64 = of.parse().map_err(|_| format!("`{of}` is not a number"))?;
    if part == 0 || part > of {
        return Err(format!("the parts of {of} are 1 to {of}"));
    }
    Ok(Shard { index: part - 1, of })
}
