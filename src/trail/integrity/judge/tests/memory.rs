use super::*;

/// Verifies once, and returns what the database then remembers.
fn remember(world: World) -> Vec<RememberedDigest> {
    let outcome = world.judge();
    outcome.digests().map(DigestVerdict::remember).collect()
}

fn second(hours: i64) -> World {
    World { remembered: remember(World::trail(hours)), ..World::trail(hours) }
}

#[test]
fn a_digest_that_was_proven_with_all_its_files_is_not_fetched_again() {
    let outcome = second(8).judge();
    outcome.assert_all_proven();
    assert_eq!(*outcome.state("22"), DigestState::Proven(ProvenBy::Database));
    // The one that names a file of the next day is, because that day's ledger is not known yet.
    assert_eq!(outcome.skipped.len(), 7);
    let totals = outcome.totals();
    assert_eq!((totals.digests.proven, totals.files.named, totals.files.proven), (8, 10, 10));
    // It can be remembered once more.
    let first = World::trail(8).judge();
    for digest in outcome.digests().filter(|it| !it.uri.contains("T235731Z")) {
        let mut remembered = digest.remember();
        let uri = &digest.uri;
        let mut before = first.digests().find(|it| it.uri == *uri).unwrap().remember();
        remembered.proofs.sort();
        before.proofs.sort();
        assert_eq!(remembered, before);
    }
}

#[test]
fn a_file_that_changed_since_makes_its_digest_be_fetched() {
    let mut world = second(8);
    *world.ledger_of("T0225Z") = LedgerOutcome::Loaded(Some(ContentHash::of(b"other")));
    let outcome = world.judge();
    assert_eq!(outcome.skipped.len(), 6);
    assert!(matches!(outcome.files()[..], [(_, &FileState::Changed { .. })]));

    let mut world = second(8);
    world.load(&log_key("2026-01-16T02:30:00Z", "x"));
    let outcome = world.judge();
    assert_eq!(outcome.skipped.len(), 7);
    assert_eq!(outcome.files(), [("02:30".to_owned(), &FileState::Unexpected)]);
}

#[test]
fn a_digest_skipped_without_need_says_that_files_are_missing() {
    let mut world = second(3);
    world.ledger.retain(|line| !line.uri.contains("T2125Z"));
    world.digest("21").content = FoundContent::Skipped;
    let outcome = world.judge();
    assert_eq!(outcome.digest("21").notes, [DigestNote::FilesMissing { files: 1 }]);
    assert_eq!(outcome.totals().files.not_hashed, 1);
    assert!(!outcome.totals().is_all_proven());
}

#[test]
fn the_newest_digests_deleted_after_a_verification_are_found_by_the_next() {
    let mut world = second(8);
    world.delete("02");
    world.delete("03");
    let outcome = world.judge();
    let deleted: Vec<_> = outcome.days.iter().flat_map(|day| &day.deleted).collect();
    assert!(deleted[0].contains("T025731Z") && deleted[1].contains("T035731Z"));
    assert_eq!((deleted.len(), outcome.totals().digests.deleted), (2, 2));
    assert!(!outcome.totals().is_all_proven());
    // What they proved stays proven.
    assert_eq!(outcome.totals().files.proven, 10);
    assert!(outcome.files().is_empty());
}

#[test]
fn all_digests_deleted_after_a_verification_are_found_by_the_next() {
    let mut world = second(8);
    world.digests.clear();
    let outcome = world.judge();
    assert_eq!(outcome.totals().digests.deleted, 8);
    assert!(!outcome.totals().is_all_proven());
}

#[test]
fn a_hole_is_found_again_although_the_digest_after_it_is_skipped() {
    let without = || {
        let mut world = World::trail(8);
        world.delete("22");
        world
    };
    let outcome = World { remembered: remember(without()), ..without() }.judge();
    assert!(outcome.skipped.iter().any(|uri| uri.contains("T015731Z")));
    assert!(matches!(outcome.hole().kind, HoleKind::Missing(..)));
    assert_eq!(span(outcome.hole()), ("15 21:57:31".to_owned(), "15 22:57:31".to_owned()));
}

#[test]
fn a_signature_outlives_the_metadata_in_the_database() {
    let mut world = second(8);
    world.digests.iter_mut().for_each(|it| it.signature = None);
    // So that they are read.
    world.remembered.iter_mut().for_each(|it| it.is_all_proven = false);
    let outcome = world.judge();
    outcome.assert_all_proven();
    assert!(outcome.skipped.is_empty());
    assert_eq!(*outcome.state("03"), DigestState::Proven(ProvenBy::Database));

    // It only proves the content that it signs.
    let mut world = second(8);
    world.digest("03").signature = None;
    world.change("03", |read| read.sha256.0[0] ^= 1);
    world.remembered.iter_mut().for_each(|it| it.is_all_proven = false);
    assert_eq!(*world.judge().state("03"), DigestState::NoSignature);
}

#[test]
fn a_digest_replaced_since_the_last_verification_is_noted() {
    let mut world = second(8);
    let plans = plans(8);
    let before = chain(&Signer::first(), &plans);
    let mut other = plans[7].clone();
    other.start += jiff::SignedDuration::from_secs(1);
    *world.digest("03") = found(&Signer::first().digest(&other, before.get(6)));
    world.remembered.iter_mut().for_each(|it| it.is_all_proven = false);
    let outcome = world.judge();
    assert_eq!(outcome.digest("03").notes, [DigestNote::ReplacedSince]);
    assert!(!outcome.totals().is_all_proven());
}

#[test]
fn what_another_source_remembers_is_not_what_this_one_lost() {
    let mut world = second(8);
    for digest in &mut world.remembered {
        digest.uri = digest.uri.replace("s3://trail/", "s3://copy/");
    }
    world.judge().assert_all_proven();
}

#[test]
fn a_digest_that_has_the_only_copy_of_a_signature_is_fetched() {
    let without_metadata = || {
        let mut world = World::trail(8);
        world.digests.iter_mut().for_each(|it| it.signature = None);
        world
    };
    let mut first = without_metadata();
    first.digest("22").content = FoundContent::Unreadable("timed out".to_owned());
    let outcome = World { remembered: remember(first), ..without_metadata() }.judge();
    assert_eq!(outcome.not_proven(), ["03"]);
    assert_eq!(*outcome.state("22"), DigestState::Proven(ProvenBy::Successor));
    assert!(outcome.skipped.iter().any(|uri| uri.contains("T015731Z")));
}
