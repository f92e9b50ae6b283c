use super::*;

fn states(outcome: &Outcome) -> Vec<String> {
    outcome.files().into_iter().map(|(time, state)| format!("{time} {state:?}")).collect()
}

#[test]
fn a_deleted_digest_is_a_hole_of_its_hour() {
    let mut world = World::trail(8);
    let deleted = world.delete("22").location.key().unwrap().to_owned();
    let outcome = world.judge();
    let hole = outcome.hole();
    assert_eq!(hole.kind, HoleKind::Missing("trail".to_owned(), deleted));
    assert_eq!(span(hole), ("15 21:57:31".to_owned(), "15 22:57:31".to_owned()));
    assert_eq!(hole.files, 1);
    assert!(hole.digest.as_ref().unwrap().contains("T235731Z"));
    assert_eq!(hole.chain.as_ref().unwrap().trail, "main");
    assert_eq!(states(&outcome), ["22:25 Unproven"]);
    assert_eq!(outcome.days[0].coverage.proven_seconds, 14_549 - 3_600);
}

#[test]
fn two_digests_deleted_in_a_row_are_one_hole_of_two_hours_over_midnight() {
    let mut world = World::trail(8);
    world.delete("23");
    world.delete("00");
    let outcome = world.judge();
    assert_eq!(span(outcome.hole()), ("15 22:57:31".to_owned(), "16 00:57:31".to_owned()));
    assert!(matches!(outcome.hole().kind, HoleKind::Missing(..)));
    assert_eq!(outcome.hole().files, 4);
    assert_eq!(
        states(&outcome),
        ["00:00 Unproven", "00:25 Unproven", "23:25 Unproven", "23:55 Unproven"]
    );
}

#[test]
fn a_hole_of_days_has_its_hours() {
    let mut plans = plans(80);
    let mut world = World::empty();
    world.add_chain(&Signer::first(), &plans);
    plans.truncate(70);
    let signed = world.digests.split_off(70);
    world.digests.truncate(10);
    world.digests.extend(signed);
    let outcome = world.judge();
    let hole = outcome.hole();
    assert_eq!(span(hole), ("16 05:57:31".to_owned(), "18 17:57:31".to_owned()));
    // One in each hour.
    assert_eq!((hole.files, outcome.totals().unnamed.unproven), (60, 60));
    assert_eq!(outcome.days.len(), 5);
    assert_eq!(outcome.days[2].coverage.proven_seconds, 0);
    assert_eq!(outcome.days[2].coverage.seconds, 86_400);
}

#[test]
fn validation_that_was_off_is_a_hole_between_two_chains() {
    for trail in ["main", "another"] {
        let plans = plans(8);
        let mut world = World::empty();
        world.add_chain(&Signer::first(), &plans[..2]);
        let mut later = plans[5..].to_vec();
        for plan in &mut later {
            plan.trail = trail.to_owned();
        }
        world.add_chain(&Signer::first(), &later);
        for plan in &plans[2..5] {
            world.load(&plan.files[0].0);
        }
        let outcome = world.judge();
        let hole = outcome.hole();
        assert_eq!(hole.kind, HoleKind::Off);
        assert_eq!(span(hole), ("15 21:57:31".to_owned(), "16 00:57:31".to_owned()));
        assert_eq!((hole.files, outcome.totals().unnamed.unproven), (3, 3), "{trail}");
    }
}

#[test]
fn logging_that_was_stopped_is_a_hole_without_files() {
    let plans = plans(8);
    let mut world = World::empty();
    world.add_chain(&Signer::first(), &plans[..2]);
    world.add_chain(&Signer::first(), &plans[5..]);
    let outcome = world.judge();
    assert_eq!((&outcome.hole().kind, outcome.hole().files), (&HoleKind::Off, 0));

    // Also if the digest after it names the one before it.
    let mut world = World::empty();
    world.add_chain(&Signer::first(), &[&plans[..2], &plans[5..]].concat());
    let outcome = world.judge();
    assert_eq!((&outcome.hole().kind, outcome.hole().files), (&HoleKind::Off, 0));
    assert_eq!(span(outcome.hole()), ("15 21:57:31".to_owned(), "16 00:57:31".to_owned()));
}

#[test]
fn another_trail_that_starts_or_ends_in_proven_hours_is_no_hole() {
    let mut world = World::trail(12);
    let mut other = plans(8);
    for plan in &mut other {
        (plan.trail, plan.files) = ("other".to_owned(), vec![]);
    }
    world.add_chain(&Signer::first(), &other[4..8]);
    world.judge().assert_all_proven();
}

#[test]
fn log_files_before_the_first_digest_are_before_the_begin() {
    let mut world = World::trail(8);
    world.load(&log_key("2026-01-13T10:00:00Z", "x"));
    world.load(&log_key("2026-01-15T11:00:00Z", "x"));
    let outcome = world.judge();
    let hole = outcome.hole();
    assert_eq!(hole.kind, HoleKind::Begin(None));
    assert_eq!(span(hole), ("13 10:00:00".to_owned(), "15 19:57:31".to_owned()));
    assert_eq!(hole.files, 2);
    assert_eq!(states(&outcome), ["10:00 Unproven", "11:00 Unproven"]);

    let mut world = World::trail(8);
    world.load(&log_key("2026-01-15T11:00:00Z", "x"));
    assert_eq!(world.judge().hole().files, 1);
}

#[test]
fn the_oldest_digests_deleted_are_a_begin() {
    let mut world = World::trail(8);
    world.delete("20");
    let deleted = world.delete("21").location.key().unwrap().to_owned();
    let outcome = world.judge();
    let hole = outcome.hole();
    assert_eq!(hole.kind, HoleKind::Begin(Some(("trail".to_owned(), deleted))));
    assert_eq!(span(hole), ("15 20:25:00".to_owned(), "15 21:57:31".to_owned()));
    assert_eq!(hole.files, 2);

    // Deleted with their log files, before these were loaded.
    let mut world = World::trail(8);
    world.delete("20");
    world.ledger.remove(0);
    world.source.remove(0);
    let outcome = world.judge();
    assert_eq!(span(outcome.hole()), ("?".to_owned(), "15 20:57:31".to_owned()));
}

#[test]
fn the_newest_digests_deleted_are_an_end_if_log_files_lie_behind() {
    let mut world = World::trail(8);
    for hour in ["01", "02", "03"] {
        world.delete(hour);
    }
    // The newest log file is 2 h 28 min behind the last digest: they may be late.
    let outcome = world.judge();
    outcome.assert_all_proven();
    assert_eq!(outcome.totals().unnamed.pending, 3);

    let mut world = World::trail(8);
    for hour in ["00", "01", "02", "03"] {
        world.delete(hour);
    }
    let outcome = world.judge();
    let hole = outcome.hole();
    assert_eq!(hole.kind, HoleKind::End);
    assert_eq!(span(hole), ("15 23:57:31".to_owned(), "16 03:25:00".to_owned()));
    assert_eq!((hole.files, outcome.totals().unnamed.unproven), (5, 5));
    assert_eq!(outcome.totals().unnamed.pending, 0);
}

#[test]
fn an_end_is_expected_until_the_time_in_the_settings() {
    let mut world = World::trail(8);
    world.settings.until = Some(at("2026-01-16T12:00:00Z"));
    let outcome = world.judge();
    assert_eq!(outcome.hole().kind, HoleKind::End);
    assert_eq!(span(outcome.hole()), ("16 03:57:31".to_owned(), "16 12:00:00".to_owned()));
    assert_eq!(outcome.hole().files, 0);

    let mut world = World::trail(8);
    world.settings.until = Some(at("2026-01-16T06:20:00Z"));
    world.judge().assert_all_proven();
}

/// Two trails, of which the second has `hours` digests that are left.
fn two_trails(hours_left: usize, start: usize) -> World {
    let mut world = World::empty();
    world.add_chain(&Signer::first(), &plans(16)[start..]);
    let mut other = plans(16).split_off(start);
    for plan in &mut other {
        plan.trail = "other".to_owned();
        plan.files.truncate(1);
        plan.files[0].0 = plan.files[0].0.replace("_a", "_b");
        plan.files[0].1 = hash_of(&plan.files[0].0);
    }
    world.add_chain(&Signer::first(), &other);
    world.digests.truncate(world.digests.len() - other.len() + hours_left);
    world
}

#[test]
fn the_newest_digests_of_one_of_two_trails_deleted_are_an_end() {
    // Over midnight, and in one day.
    for (hours_left, start) in [(12, 0), (8, 4)] {
        let outcome = two_trails(hours_left, start).judge();
        let hole = outcome.hole();
        assert_eq!(hole.kind, HoleKind::End);
        assert_eq!(hole.chain.as_ref().unwrap().trail, "other");
        assert_eq!(span(hole), ("16 07:57:31".to_owned(), "16 11:25:00".to_owned()));
        assert_eq!(hole.files, 4);
        assert_eq!(outcome.totals().unnamed.unexpected, 4);
    }
}

#[test]
fn a_trail_that_was_removed_is_no_hole_whatever_was_forged_before() {
    let mut world = two_trails(12, 0);
    world.ledger.retain(|line| {
        let is_later = ["T08", "T09", "T10", "T11"].iter().any(|it| line.uri.contains(it));
        !(is_later && line.uri.contains("_b"))
    });
    for time in ["2026-01-15T21:30:00Z", "2026-01-16T02:30:00Z"] {
        world.load(&log_key(time, "x"));
    }
    let outcome = world.judge();
    assert!(outcome.holes().is_empty(), "{:?}", outcome.holes());
    assert_eq!(outcome.totals().unnamed.unexpected, 2);
}

#[test]
fn a_hole_of_one_trail_is_a_hole_although_the_other_covers_its_time() {
    // The digest of the second trail of 22 h is deleted, or changed: its file may be lost or forged.
    for is_deleted in [true, false] {
        let mut world = two_trails(16, 0);
        let at = 16 + 2;
        assert!(world.digests[at].location.uri().contains("other_us-east-1_20260115T225731Z"));
        if is_deleted {
            world.digests.remove(at);
        } else {
            world.digests[at].content = FoundContent::Unreadable("cut off".to_owned());
        }
        let outcome = world.judge();
        assert_eq!(outcome.holes().len(), usize::from(is_deleted));
        assert_eq!(states(&outcome), ["22:25 Unproven"]);
    }
}

#[test]
fn a_trail_that_paused_and_was_removed_later_has_no_end() {
    let mut world = World::trail(100);
    let mut other = plans(100);
    for plan in &mut other {
        (plan.trail, plan.files) = ("other".to_owned(), vec![]);
    }
    world.add_chain(&Signer::first(), &[&other[..2], &other[70..75]].concat());
    world.load(&log_key("2026-01-16T12:40:00Z", "x"));
    let outcome = world.judge();
    assert_eq!(outcome.totals().unnamed.unexpected, 1);
    assert_eq!(outcome.hole().kind, HoleKind::Off);
}

#[test]
fn a_trail_that_paused_for_days_while_another_went_on_is_off() {
    let mut world = World::trail(80);
    let mut other = plans(80);
    for plan in &mut other {
        (plan.trail, plan.files) = ("other".to_owned(), vec![]);
    }
    world.add_chain(&Signer::first(), &[&other[..2], &other[70..]].concat());
    let outcome = world.judge();
    assert_eq!(outcome.hole().kind, HoleKind::Off);
    assert_eq!(span(outcome.hole()), ("15 21:57:31".to_owned(), "18 17:57:31".to_owned()));
}

#[test]
fn all_digests_deleted_are_found_by_the_log_files() {
    let mut world = World::trail(8);
    world.digests.clear();
    let outcome = world.judge();
    let hole = outcome.hole();
    assert_eq!((&hole.kind, &hole.chain), (&HoleKind::NoDigest, &None));
    assert_eq!(span(hole), ("15 20:25:00".to_owned(), "16 03:25:00".to_owned()));
    assert_eq!((hole.files, outcome.totals().unnamed.unproven), (10, 10));
    assert!(!outcome.totals().is_all_proven());
}

#[test]
fn a_chain_that_comes_from_another_bucket_is_elsewhere() {
    let mut plans = plans(8);
    plans[..4].iter_mut().for_each(|plan| plan.bucket = "before".to_owned());
    let mut world = World::empty();
    world.add_chain(&Signer::first(), &plans);
    world.digests.drain(..4);
    let key = plans[3].key();
    let outcome = world.judge();
    assert_eq!(outcome.hole().kind, HoleKind::Elsewhere("before".to_owned(), key));
    assert_eq!(outcome.hole().files, 5);
    assert_eq!(span(outcome.hole()), ("15 20:25:00".to_owned(), "15 23:57:31".to_owned()));
}

#[test]
fn a_hole_outside_the_days_is_not_reported_and_one_across_is_cut() {
    for (from, to, expected) in [
        ("2026-01-15", "2026-01-15", Some(("15 22:57:31", "16 00:00:00"))),
        ("2026-01-16", "2026-01-16", Some(("16 00:00:00", "16 00:57:31"))),
        ("2026-01-14", "2026-01-14", None),
        ("2026-01-17", "2026-01-18", None),
    ] {
        let mut world = World::trail(8);
        world.delete("23");
        world.delete("00");
        world.settings.from = Some(from.parse().unwrap());
        world.settings.to = Some(to.parse().unwrap());
        let outcome = world.judge();
        let found: Vec<_> = outcome.holes().into_iter().map(span).collect();
        let expected = expected.map(|(from, to)| (from.to_owned(), to.to_owned()));
        assert_eq!(found, Vec::from_iter(expected), "{from}");
    }
}

#[test]
fn nothing_at_all_is_nothing_to_report() {
    World::empty().judge().assert_all_proven();
}
