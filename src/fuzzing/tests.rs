use std::fs;
use std::path::Path;

use super::*;

/// A target's name and function.
type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 6] = [
    ("gzip", gzip),
    ("parse", parse),
    ("layout", layout),
    ("digest", digest),
    ("database_url", database_url),
    ("db_toml", db_toml),
];

#[test]
fn every_promise_holds_for_the_inputs_that_fuzzing_found() {
    let corpus = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus"));
    for (name, target) in TARGETS {
        let mut inputs = 0;
        for file in fs::read_dir(corpus.join(name)).unwrap() {
            let path = file.unwrap().path();
            let input = fs::read(&path).unwrap();
            let outcome = std::panic::catch_unwind(|| target(&input));
            assert!(outcome.is_ok(), "{}", path.display());
            inputs += 1;
        }
        assert!(inputs > 10, "only {inputs} inputs of {name}");
    }
}

#[test]
fn every_promise_holds_for_random_inputs() {
    let mut random = fastrand::Rng::with_seed(11);
    for (_, target) in TARGETS {
        for _ in 0..5_000 {
            let mut input = vec![0; random.usize(..200)];
            random.fill(&mut input);
            target(&input);
        }
    }
}

#[test]
fn every_target_is_fuzzed() {
    let manifest = include_str!("../../fuzz/Cargo.toml");
    for (name, _) in TARGETS {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name}");
    }
}
