//! The data set: made by the project's generator, read by the library.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cloudtrail2sql::trail::gzip::decode;
use cloudtrail2sql::trail::record::{CellRules, Log, ParseLimits, parse};

/// No object of ours is larger.
const OBJECT_BYTES_MAX: u64 = 1 << 30;

/// A tree of log files.
#[derive(Debug, Clone)]
pub struct Data {
    pub folder: PathBuf,
    pub rows: u64,
    /// Decoded.
    pub json_bytes: u64,
}

impl Data {
    /// Makes a tree below `parent`, unless an earlier run made the same one.
    pub fn make(parent: &Path, args: &[&str]) -> Self {
        let folder = parent.join(args.join("").trim_start_matches('-').replace("--", "-"));
        let is_made = folder.with_extension("made");
        if !is_made.exists() {
            generate(&folder, args);
            std::fs::write(is_made, "").unwrap();
        }
        let (mut rows, mut json_bytes) = (0, 0);
        read(&folder, |log, bytes| {
            rows += log.rows.len() as u64;
            json_bytes += bytes;
        });
        Self { folder, rows, json_bytes }
    }
}

/// Makes the public keys that verify the digests of every tree; returns the file.
pub fn public_keys(parent: &Path) -> PathBuf {
    let (tree, keys) = (parent.join("keys-tree"), parent.join("keys"));
    generate(&tree, &["--records", "10", "--signatures", keys.to_str().unwrap()]);
    keys.join("public-keys.json")
}

fn generate(folder: &Path, args: &[&str]) {
    eprintln!("making {}", folder.display());
    let mut generate = Command::new(env!("CARGO"));
    generate.args(["run", "--quiet", "--release", "--locked", "--example", "generate", "--"]);
    generate.arg(folder).args(args).stdout(Stdio::null());
    assert!(generate.status().unwrap().success(), "{generate:?}");
}

/// Reads, decodes and parses every log file of a tree, one after another.
pub fn read(folder: &Path, mut take: impl FnMut(Log, u64)) {
    for entry in walkdir::WalkDir::new(folder).sort_by_file_name() {
        let entry = entry.unwrap();
        if !entry.file_type().is_file() {
            continue;
        }
        let stored = std::fs::read(entry.path()).unwrap();
        let json = decode(&stored, OBJECT_BYTES_MAX).unwrap();
        if let Ok(log) = parse(&json, &CellRules::ANY, ParseLimits::UNBOUNDED_BYTES) {
            take(log, json.len() as u64);
        }
    }
}
