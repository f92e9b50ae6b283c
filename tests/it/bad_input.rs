//! Bad input: every kind of it in one folder, together with good files, on every database.
//!
//! Bad input costs only itself: its name and the reason are reported and kept in the ledger, the
//! counts add up, and the exit code is 3. Once it is repaired, it loads.

mod bounds;
mod cases;
mod memory;

use std::collections::BTreeMap;

use serde_json::Value;

use self::cases::{Case, Outcome, cases};
use crate::binary::{Place, Run};
use crate::databases::{Engine, OwnDatabase, promises};
use crate::logs::{log_gz, log_json};

/// Good files, before, between and behind the bad ones, so that each batch has both.
const GOOD_FILES: usize = 13;

promises! { on all:
    bad_files_cost_only_themselves
}

fn bad_files_cost_only_themselves(engine: Engine) {
    let database = OwnDatabase::new(engine);
    let place = Place::with_database(&database.url);
    let cases = cases();
    for case in &cases {
        place.write(format!("logs/{}", case.name), &case.bytes);
    }
    for n in 0..GOOD_FILES {
        let letter = char::from(b'a' + u8::try_from(2 * n).unwrap());
        place.write(format!("logs/{letter}-good.json.gz"), log_gz(&[&format!("good {n}")]));
    }

    let run = place.run(&["--output=json", "import", "--batch-rows=20", "logs"]).expect(3);
    assert_sums(&run, &cases);
    assert_ledger(&run, &database, &cases);
    assert_reported(&run, &cases);
    assert_status(&place, &cases);
    let good = database.number("SELECT COUNT(*) FROM logs WHERE eventID LIKE 'good %'");
    assert_eq!(good, GOOD_FILES as u64, "good files were lost: {}", run.shown());
    for case in &cases {
        for (sql, expected) in &case.cells {
            let cells: Vec<_> = database.query(sql).into_iter().flatten().flatten().collect();
            assert_eq!(cells, [expected.as_str()], "{}: {sql}", case.name);
        }
    }

    let failed: Vec<&Case> = cases.iter().filter(|case| case.is_failed()).collect();
    for case in &failed {
        let id = format!("repaired {}", case.name);
        place.write(format!("logs/{}", case.name), log_json(&[&id]));
    }
    let run = place.run(&["--output=json", "import", "logs"]).expect(0);
    assert_eq!(run.json()["loaded"]["objects"], failed.len(), "{}", run.shown());
    let repaired = database.number("SELECT COUNT(*) FROM logs WHERE eventID LIKE 'repaired %'");
    assert_eq!(repaired, failed.len() as u64);
    assert!(place.run(&["status", "--failed"]).stdout.contains("no failed objects"));
}

/// Checks the sums against the cases, and the equations between them.
fn assert_sums(run: &Run, cases: &[Case]) {
    let (mut records, mut rows, mut rejected, mut altered) = (0, 0, 0, 0);
    let (mut loaded, mut failed, mut skipped) = (0, 0, 0);
    for case in cases {
        match &case.outcome {
            Outcome::Loaded { rows: ours, rejected: theirs, altered: changed } => {
                loaded += 1;
                records += ours + theirs.len() as u64;
                rows += ours;
                rejected += theirs.len() as u64;
                altered += changed;
            }
            Outcome::Skipped(_) => skipped += 1,
            Outcome::Failed(_) => failed += 1,
        }
    }
    let good = GOOD_FILES as u64;
    let summary = run.json();
    let objects = |fate: &str| summary[fate]["objects"].as_u64().unwrap();
    let kinds = summary["skipped"].as_array().unwrap();
    let skipped_printed: u64 = kinds.iter().map(|kind| kind["objects"].as_u64().unwrap()).sum();
    let printed = [objects("loaded"), objects("failed"), skipped_printed, objects("listed")];
    let all = good + loaded + failed + skipped;
    assert_eq!(printed, [good + loaded, failed, skipped, all], "{}", run.shown());
    let printed =
        ["records", "rows", "rejected", "replaced_chars"].map(|sum| summary[sum].as_u64().unwrap());
    assert_eq!(printed, [good + records, good + rows, rejected, altered], "{}", run.shown());
    assert_eq!(summary["balanced"], true);
    assert_eq!(summary["outcome"], "partial");
}

/// Checks each line of the ledger, and each reject.
fn assert_ledger(run: &Run, database: &OwnDatabase, cases: &[Case]) {
    let lines = database.query(
        "SELECT uri, outcome, kind, record_count, row_count, reject_count, altered_count, reason \
         FROM import_objects",
    );
    let rejects = database.query(
        "SELECT o.uri, r.reason FROM import_rejects r \
         JOIN import_objects o ON o.id = r.object_id ORDER BY o.uri, r.record_index",
    );
    let named = |uri: &Option<String>, case: &Case| {
        uri.as_deref().unwrap().ends_with(&format!("/{}", case.name))
    };
    for case in cases {
        let mut ours = lines.iter().filter(|line| named(&line[0], case));
        let line = ours.next().unwrap_or_else(|| panic!("no line of {}", case.name));
        assert!(ours.next().is_none(), "two lines of {}", case.name);
        let text: Vec<&str> = line[1..].iter().map(|cell| cell.as_deref().unwrap_or("-")).collect();
        match &case.outcome {
            Outcome::Loaded { rows, rejected, altered } => {
                let records = (rows + rejected.len() as u64).to_string();
                let (rows, altered) = (rows.to_string(), altered.to_string());
                let count = rejected.len().to_string();
                let expected = ["loaded", "-", &records, &rows, &count, &altered, "-"];
                assert_eq!(text, expected, "{}: {}", case.name, run.shown());
                let reasons = rejects.iter().filter(|line| named(&line[0], case));
                let reasons: Vec<&str> = reasons.map(|line| line[1].as_deref().unwrap()).collect();
                assert_eq!(&reasons, rejected, "{}", case.name);
            }
            Outcome::Skipped(kind) => {
                assert_eq!(text, ["skipped", kind, "0", "0", "0", "0", "-"], "{}", case.name);
            }
            Outcome::Failed(reason) => {
                assert_eq!(text[..6], ["failed", "-", "0", "0", "0", "0"], "{}", case.name);
                assert!(text[6].contains(reason), "{}: {}", case.name, text[6]);
            }
        }
    }
}

/// Checks that standard error names each object that lost something, with the reason.
fn assert_reported(run: &Run, cases: &[Case]) {
    let lines: Vec<&str> = run.stderr.lines().collect();
    for case in cases {
        let path = format!("/logs/{}", case.name);
        let printed: BTreeMap<&str, &str> = lines
            .windows(2)
            .filter(|pair| pair[0].ends_with(&path))
            .map(|pair| (pair[0], pair[1].strip_prefix("  caused by: ").unwrap()))
            .collect();
        let is_reported = |what: &str, cause: &str| {
            printed.iter().any(|(line, why)| line.contains(what) && why.contains(cause))
        };
        let (losses, is_all_reported) = match &case.outcome {
            Outcome::Failed(reason) => (1, is_reported("error: cannot load ", reason)),
            Outcome::Skipped(_) => (0, true),
            Outcome::Loaded { rejected, altered, .. } => {
                let is_reject_reported =
                    rejected.first().is_none_or(|reason| is_reported("error: rejected ", reason));
                let is_alteration_reported =
                    *altered == 0 || is_reported("error: replaced ", "U+0000");
                let losses = usize::from(!rejected.is_empty()) + usize::from(*altered > 0);
                (losses, is_reject_reported && is_alteration_reported)
            }
        };
        assert!(
            is_all_reported && printed.len() == losses,
            "{}: {printed:?}\n{}",
            case.name,
            run.stderr
        );
    }
}

/// Checks that `status` reports the same afterwards.
fn assert_status(place: &Place, cases: &[Case]) {
    let status = |part: &str| {
        let run = place.run(&["--output=json", "status", "--limit=1000", part]).expect(0);
        run.json().as_array().unwrap().clone()
    };
    let (failed, rejected) = (status("--failed"), status("--rejected"));
    let is_of = |line: &&Value, case: &Case| {
        line["uri"].as_str().unwrap().ends_with(&format!("/{}", case.name))
    };
    for case in cases {
        let failures: Vec<&Value> = failed.iter().filter(|line| is_of(line, case)).collect();
        let rejects = rejected.iter().filter(|line| is_of(line, case)).count();
        match &case.outcome {
            Outcome::Failed(reason) => {
                assert_eq!((failures.len(), rejects), (1, 0), "{}", case.name);
                assert!(failures[0]["reason"].as_str().unwrap().contains(reason), "{failures:?}");
            }
            Outcome::Skipped(_) => assert_eq!((failures.len(), rejects), (0, 0), "{}", case.name),
            Outcome::Loaded { rejected, .. } => {
                assert_eq!((failures.len(), rejects), (0, rejected.len()), "{}", case.name);
            }
        }
    }
}
