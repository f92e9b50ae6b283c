//! The inner loops alone: decode, parse, encode.
//!
//! `cargo bench --bench inner_loops` reads the committed sample, and says how much of each loop's
//! input a core works through in a second; run it before and after a change.

#![expect(clippy::unwrap_used, reason = "a benchmark")]

use std::hint::black_box;

use cloudtrail2sql::trail::gzip::decode;
use cloudtrail2sql::trail::record::{CellRules, ParseLimits, parse};
use cloudtrail2sql::trail::rows::{Row, Rows};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const OBJECT_BYTES_MAX: u64 = 1 << 30;

/// Returns the stored bytes of every log file of the sample.
fn sample() -> Vec<Vec<u8>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sample");
    let files = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter();
    let files = files.map(Result::unwrap).filter(|entry| entry.file_type().is_file());
    files.map(|entry| std::fs::read(entry.path()).unwrap()).collect()
}

fn inner_loops(criterion: &mut Criterion) {
    let stored = sample();
    let decoded: Vec<Vec<u8>> = stored
        .iter()
        .map(|stored| decode(stored, OBJECT_BYTES_MAX).unwrap().into_owned())
        .collect();
    let logs: Vec<Rows> = decoded
        .iter()
        .filter_map(|json| parse(json, &CellRules::ANY, ParseLimits::UNBOUNDED_BYTES).ok())
        .map(|log| log.rows)
        .collect();
    let unpacked: Vec<Row<'_>> = logs.iter().flatten().collect();
    let bytes = |all: &[Vec<u8>]| Throughput::Bytes(all.iter().map(Vec::len).sum::<usize>() as u64);
    let mut group = criterion.benchmark_group("inner_loops");

    group.throughput(bytes(&decoded));
    group.bench_function("decode", |bencher| {
        bencher.iter(|| {
            for stored in &stored {
                black_box(decode(stored, OBJECT_BYTES_MAX).unwrap());
            }
        });
    });
    group.bench_function("parse", |bencher| {
        bencher.iter(|| {
            for json in &decoded {
                black_box(parse(json, &CellRules::ANY, ParseLimits::UNBOUNDED_BYTES).unwrap());
            }
        });
    });
    let packed: usize = logs.iter().map(|rows| rows.as_copy_bytes().len()).sum();
    group.throughput(Throughput::Bytes(packed as u64));
    group.bench_function("encode", |bencher| {
        bencher.iter(|| {
            let mut rows = Rows::default();
            for row in &unpacked {
                rows.push(row);
            }
            black_box(rows)
        });
    });
}

criterion_group!(benches, inner_loops);
criterion_main!(benches);
