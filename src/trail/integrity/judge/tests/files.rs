use super::*;

#[test]
fn each_state_of_a_named_file_is_told_apart() {
    let mut world = World::trail(8);
    let other = ContentHash::of(b"forged");
    *world.ledger_of("T2025Z") = LedgerOutcome::Loaded(Some(other));
    *world.ledger_of("T2125Z") = LedgerOutcome::Failed("cut off".to_owned());
    *world.ledger_of("T2225Z") = LedgerOutcome::Skipped("a digest".to_owned());
    *world.ledger_of("_down") = LedgerOutcome::Loaded(None);
    world.ledger.retain(|line| !line.uri.contains("T0025Z") && !line.uri.contains("_up"));
    world.source.retain(|uri| !uri.contains("_up"));
    let outcome = world.judge();
    let named = content_of(&log_key("2026-01-15T20:25:00Z", "a"));
    assert_eq!(
        outcome.files(),
        [
            ("00:00".to_owned(), &FileState::Gone),
            ("00:25".to_owned(), &FileState::NotImported),
            ("20:25".to_owned(), &FileState::Changed { loaded: other, named }),
            ("21:25".to_owned(), &FileState::NotLoaded("cut off".to_owned())),
            ("22:25".to_owned(), &FileState::NotLoaded("a digest".to_owned())),
            ("23:55".to_owned(), &FileState::NotHashed),
        ]
    );
    let files = outcome.totals().files;
    assert_eq!((files.named, files.proven, files.changed), (10, 4, 1));
    assert_eq!((files.not_loaded, files.not_imported, files.gone, files.not_hashed), (2, 1, 1, 1));
    // Each finding names the digest that says so.
    let finding = |part: &str| {
        let files = outcome.days.iter().flat_map(|day| &day.files);
        files.into_iter().find(|it| it.uri.contains(part)).unwrap().digest.clone().unwrap()
    };
    assert!(finding("_down").contains("T005731Z"));
    assert!(finding("_up").contains("T235731Z"));
    // A digest of which not all files are proven is read again next time.
    assert!(!outcome.digest("20").remember().is_all_proven);
    assert!(outcome.digest("01").remember().is_all_proven);
}

#[test]
fn of_several_copies_of_a_file_the_worst_counts() {
    let mut world = World::trail(4);
    let key = log_key("2026-01-15T21:25:00Z", "a");
    let other = ContentHash::of(b"forged");
    let copy = |outcome| LedgerFile { uri: format!("s3://copy/{key}"), outcome };
    world.ledger.push(copy(LedgerOutcome::Loaded(Some(other))));
    let outcome = world.judge();
    assert!(matches!(outcome.files()[..], [(_, &FileState::Changed { .. })]));

    let mut world = World::trail(4);
    world.ledger.push(copy(LedgerOutcome::Failed("cut off".to_owned())));
    world.judge().assert_all_proven();
}

#[test]
fn a_forged_file_in_a_proven_hour_is_unexpected() {
    for (time, unique) in [("2026-01-15T21:30:00Z", "x"), ("2026-01-16T00:00:00Z", "x")] {
        let mut world = World::trail(8);
        world.load(&log_key(time, unique));
        let outcome = world.judge();
        let time = time[11..16].to_owned();
        assert_eq!(outcome.files(), [(time, &FileState::Unexpected)]);
        assert_eq!(outcome.totals().unnamed.unexpected, 1);
        assert!(!outcome.totals().is_all_proven());
    }
    let mut world = World::trail(8);
    let key = log_key("2026-01-15T21:30:00Z", "x").replace("20260115T2130Z_x", "x");
    world.load(&key);
    assert_eq!(world.judge().files(), [(String::new(), &FileState::Unexpected)]);
}

#[test]
fn a_file_behind_the_last_digest_is_pending() {
    for time in ["2026-01-16T03:50:00Z", "2026-01-16T04:55:00Z", "2026-01-16T06:25:00Z"] {
        let mut world = World::trail(8);
        world.load(&log_key(time, "x"));
        let outcome = world.judge();
        outcome.assert_all_proven();
        assert_eq!(outcome.totals().unnamed.pending, 1, "{time}");
    }
    // Ten minutes of slack, not more.
    let mut world = World::trail(8);
    world.load(&log_key("2026-01-16T03:45:00Z", "x"));
    assert_eq!(world.judge().totals().unnamed.unexpected, 1);
}

#[test]
fn other_families_are_no_finding_unless_a_digest_names_them() {
    let mut world = World::trail(8);
    for family in ["CloudTrail-Insight", "CloudTrail-NetworkActivity", "CloudTrail-Aggregated"] {
        world.load(&log_key_of(family, "2026-01-15T21:30:00Z", "x"));
    }
    let outcome = world.judge();
    outcome.assert_all_proven();
    assert_eq!(outcome.totals().unnamed.other_families, 3);

    let mut plans = plans(2);
    let key = log_key_of("CloudTrail-Insight", "2026-01-15T21:30:00Z", "x");
    plans[1].files.push((key.clone(), ContentHash::of(b"other").to_string()));
    let mut world = World::empty();
    world.add_chain(&Signer::first(), &plans);
    assert!(matches!(world.judge().files()[..], [(_, &FileState::Changed { .. })]));
}

#[test]
fn two_trails_in_one_bucket_name_their_files_apart() {
    let mut world = World::trail(8);
    let mut other = plans(8);
    for plan in &mut other {
        plan.trail = "other_trail".to_owned();
        plan.files.iter_mut().for_each(|(key, hash)| {
            *key = key.replace(".json.gz", "2.json.gz");
            *hash = hash_of(key);
        });
    }
    world.add_chain(&Signer::first(), &other);
    let outcome = world.judge();
    outcome.assert_all_proven();
    assert_eq!(outcome.totals().files.proven, 20);
}

#[test]
fn a_file_of_the_trail_whose_next_digest_is_late_is_pending() {
    let mut world = World::trail(8);
    let mut other = plans(8);
    for plan in &mut other {
        plan.trail = "other_trail".to_owned();
        plan.files.clear();
        // The digests of this trail end half an hour before those of the other.
        for time in [&mut plan.start, &mut plan.end] {
            *time -= jiff::SignedDuration::from_mins(30);
        }
    }
    world.add_chain(&Signer::first(), &other);
    world.load(&log_key("2026-01-16T03:30:00Z", "x"));
    let outcome = world.judge();
    outcome.assert_all_proven();
    assert_eq!(outcome.totals().unnamed.pending, 1);
}

#[test]
fn a_file_that_a_digest_names_days_late_is_not_compared() {
    let mut plans = plans(8);
    let mut world = World::empty();
    let key = log_key("2026-01-13T10:00:00Z", "x");
    plans[7].files.push((key.clone(), hash_of(&key)));
    world.add_chain(&Signer::first(), &plans);
    let outcome = world.judge();
    let late: Vec<_> = outcome.files().into_iter().map(|(_, state)| state.clone()).collect();
    assert_eq!(late, [FileState::Unproven, FileState::NamedLate]);
    assert_eq!(outcome.totals().files.not_hashed, 1);
}

#[test]
fn only_the_days_in_the_settings_are_judged() {
    let mut world = World::trail(8);
    let day = Some(Date::constant(2026, 1, 15));
    world.settings = JudgeSettings { from: day, to: day, until: None };
    let outcome = world.judge();
    outcome.assert_all_proven();
    assert_eq!(outcome.days.len(), 1);
    assert_eq!((outcome.totals().digests.found, outcome.totals().files.named), (4, 5));

    let mut world = World::trail(8);
    let day = Some(Date::constant(2026, 1, 16));
    world.settings = JudgeSettings { from: day, to: day, until: None };
    let outcome = world.judge();
    outcome.assert_all_proven();
    assert_eq!((outcome.totals().digests.found, outcome.totals().files.named), (4, 5));
}
