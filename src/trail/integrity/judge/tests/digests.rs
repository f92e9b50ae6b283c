use super::*;
use crate::trail::integrity::key::DigestName;

#[test]
fn without_metadata_each_digest_but_the_newest_is_proven_by_its_successor() {
    let mut world = World::trail(8);
    world.digests.iter_mut().for_each(|it| it.signature = None);
    let outcome = world.judge();
    assert_eq!(*outcome.state("03"), DigestState::NoSignature);
    assert_eq!(outcome.not_proven(), ["03"]);
    // Its successor is in the folder of the next day.
    assert_eq!(*outcome.state("23"), DigestState::Proven(ProvenBy::Successor));
    assert_eq!(outcome.totals().digests.unproven, 1);
    // Its file could be named by a digest to come.
    assert_eq!(outcome.totals().unnamed.pending, 1);
    assert_eq!(outcome.totals().files.named, 9);
    assert!(outcome.holes().is_empty() && outcome.files().is_empty());
}

#[test]
fn the_successor_may_lie_days_later() {
    let first = plans(1).remove(0);
    let mut world = World::empty();
    let second = DigestPlan { start: first.end, ..first.after(3 * 86_400) };
    world.add_chain(&Signer::first(), &[first, second]);
    world.digests[0].signature = None;
    let outcome = world.judge();
    outcome.assert_all_proven();
}

#[test]
fn a_changed_digest_is_wrong_and_its_hour_unproven() {
    let mut world = World::trail(8);
    world.change("22", |read| read.sha256.0[0] ^= 1);
    let outcome = world.judge();
    assert_eq!(*outcome.state("22"), DigestState::WrongSignature);
    assert_eq!(outcome.not_proven(), ["22"]);
    assert_eq!(outcome.files(), [("22:25".to_owned(), &FileState::Unproven)]);
    assert!(!outcome.totals().is_all_proven());
}

#[test]
fn one_changed_bit_of_the_signature_or_the_previous_signature_is_wrong() {
    let flip = |hex: &mut String| {
        let digit = if hex.ends_with('0') { "1" } else { "0" };
        hex.replace_range(hex.len() - 1.., digit);
    };
    let mut world = World::trail(8);
    flip(world.digest("03").signature.as_mut().unwrap());
    assert_eq!(*world.judge().state("03"), DigestState::WrongSignature);

    let mut world = World::trail(8);
    world.change("01", |read| flip(&mut read.digest.previous.as_mut().unwrap().signature));
    let outcome = world.judge();
    assert_eq!(*outcome.state("01"), DigestState::WrongSignature);
    // The one before has its own signature, and a forged successor says nothing.
    assert_eq!(*outcome.state("00"), DigestState::Proven(ProvenBy::Metadata));
    assert!(outcome.digest("00").notes.is_empty());
}

#[test]
fn one_changed_bit_of_the_key_makes_everything_wrong() {
    let signer = Signer::first();
    let mut der = signer.public_key().to_vec();
    der[100] ^= 1;
    let mut world = World::trail(3);
    world.keys = KeyRing::default();
    world.keys.add_der(&der, Some(signer.fingerprint())).unwrap();
    assert_eq!(world.judge().totals().digests.wrong, 3);
}

#[test]
fn a_damaged_signature_does_not_matter_if_the_successor_has_it() {
    let mut world = World::trail(8);
    world.digest("22").signature = Some("zz".to_owned());
    let outcome = world.judge();
    outcome.assert_all_proven();
    assert_eq!(*outcome.state("22"), DigestState::Proven(ProvenBy::Successor));
}

#[test]
fn a_changed_digest_without_metadata_is_wrong_by_its_proven_successor() {
    let mut world = World::trail(8);
    world.change("22", |read| read.sha256.0[31] ^= 1);
    world.digest("22").signature = None;
    let outcome = world.judge();
    let DigestState::WrongCopy(successor) = outcome.state("22") else {
        panic!("{:?}", outcome.state("22"))
    };
    assert!(successor.contains("T235731Z"));

    // If the successor is not proven either, there is nothing to verify with.
    let mut world = World::trail(8);
    for hour in ["22", "23"] {
        world.change(hour, |read| read.sha256.0[31] ^= 1);
        world.digest(hour).signature = None;
    }
    let outcome = world.judge();
    assert_eq!(*outcome.state("22"), DigestState::NoSignature);
    assert!(matches!(outcome.state("23"), DigestState::WrongCopy(_)));
}

#[test]
fn a_digest_of_another_time_in_its_place_is_a_replay() {
    let mut world = World::trail(8);
    let older = world.digest("21").clone();
    let location = world.digest("22").location.clone();
    *world.digest("22") = FoundDigest { location, ..older };
    let outcome = world.judge();
    let DigestState::Replayed(key) = outcome.state("22") else { panic!("not replayed") };
    assert!(key.contains("T215731Z"));
    assert_eq!(outcome.totals().digests.wrong, 1);
    assert_eq!(outcome.files(), [("22:25".to_owned(), &FileState::Unproven)]);
}

#[test]
fn a_digest_of_a_key_that_is_not_listed_is_unproven() {
    let mut world = World::trail(8);
    world.keys = ring(&Signer::second());
    let outcome = world.judge();
    let fingerprint = Signer::first().fingerprint().to_owned();
    assert_eq!(*outcome.state("20"), DigestState::UnknownKey(fingerprint));
    assert_eq!(outcome.totals().digests.unproven, 8);
    assert_eq!(outcome.totals().unnamed.unproven, 10);
    // There are digests, and they say so themselves.
    assert!(outcome.holes().is_empty());
}

#[test]
fn a_chain_continues_over_a_change_of_keys() {
    let (one, two) = (Signer::first(), Signer::second());
    let plans = plans(4);
    let mut signed = chain(&one, &plans[..2]);
    for plan in &plans[2..] {
        signed.push(two.digest(plan, signed.last()));
    }
    let mut world = World::empty();
    plans.iter().flat_map(|it| &it.files).for_each(|(key, _)| world.load(key));
    world.digests.extend(signed.iter().map(found));
    world.digests.iter_mut().take(3).for_each(|it| it.signature = None);
    world.keys.merge(ring(&two));
    world.judge().assert_all_proven();
}

#[test]
fn keys_that_arrive_later_verify_all_that_is_not_judged_yet() {
    let world = World::trail(8);
    let keys = Arc::new(KeyRing::default());
    let mut judge = Judge::new("111122223333", "eu-central-1", keys, world.settings);
    let days = [Date::constant(2026, 1, 15), Date::constant(2026, 1, 16)];
    for day in days {
        let is_of_day = |it: &&FoundDigest| DigestName::of(&it.location.uri()).unwrap().day == day;
        let digests = world.digests.iter().filter(is_of_day).cloned().collect();
        if let Some(judged) = judge.judge(Day { digests, ..Day::empty(day) }) {
            let is_proven_by_itself =
                |it: &DigestVerdict| it.state == DigestState::Proven(ProvenBy::Metadata);
            assert!(judged.digests.iter().all(is_proven_by_itself));
        }
        judge.set_keys(Arc::new(world.keys.clone()));
    }
    let totals = judge.conclude().totals;
    assert_eq!((totals.digests.proven, totals.digests.found), (8, 8));
}

#[test]
fn an_unreadable_digest_and_a_file_that_is_none_are_counted() {
    let mut world = World::trail(8);
    world.digest("22").content = FoundContent::Unreadable("not gzip".to_owned());
    let mut other = world.digest("21").clone();
    let Location::S3 { key, .. } = &mut other.location else { panic!("not on S3") };
    *key = key.replace("T215731Z", "copy");
    world.digests.push(other);
    let outcome = world.judge();
    assert_eq!(*outcome.state("22"), DigestState::Unreadable("not gzip".to_owned()));
    assert_eq!(outcome.totals().digests.unreadable, 2);
    assert_eq!(outcome.totals().digests.found, 9);
    // It is there, so it is no hole, but its hour is unproven.
    assert!(outcome.holes().is_empty());
    assert_eq!(outcome.files(), [("22:25".to_owned(), &FileState::Unproven)]);
}

#[test]
fn a_moved_tree_is_proven_and_says_from_where() {
    let mut world = World::trail(8);
    let moved = |location: &mut Location| {
        let Location::S3 { bucket, key } = location else { panic!("not on S3") };
        (*bucket, *key) = ("archive".to_owned(), format!("old/2026/{key}"));
    };
    world.digests.iter_mut().for_each(|it| moved(&mut it.location));
    for line in &mut world.ledger {
        line.uri = line.uri.replace("s3://trail/", "s3://archive/old/2026/");
    }
    let outcome = world.judge();
    outcome.assert_all_proven();
    for digest in outcome.digests() {
        let [DigestNote::Moved { from }] = &digest.notes[..] else { panic!("{digest:?}") };
        assert!(from.starts_with("s3://trail/AWSLogs/"), "{from}");
    }
}

#[test]
fn a_local_copy_unpacked_is_proven_and_not_called_moved() {
    let mut world = World::trail(8);
    for digest in &mut world.digests {
        let key = digest.location.key().unwrap().trim_end_matches(".gz").to_owned();
        digest.location = Location::File(format!("/data/{key}").into());
    }
    for line in &mut world.ledger {
        line.uri = line.uri.replace("s3://trail/", "/data/").replace(".json.gz", ".json");
    }
    world.source.clear();
    let outcome = world.judge();
    outcome.assert_all_proven();
    assert!(outcome.digests().all(|it| it.notes.is_empty()));
}

#[test]
fn a_digest_exchanged_for_another_signed_one_is_noted() {
    let mut world = World::trail(8);
    let mut plan = plans(3).remove(2);
    plan.files.clear();
    // Signed with the right key, but not the one that the next digest names.
    *world.digest("22") = found(&Signer::first().digest(&plan, None));
    let outcome = world.judge();
    assert_eq!(*outcome.state("22"), DigestState::Proven(ProvenBy::Metadata));
    let [DigestNote::Replaced { successor }] = &outcome.digest("22").notes[..] else {
        panic!("{:?}", outcome.digest("22"))
    };
    assert!(successor.contains("T235731Z"));
    assert!(!outcome.totals().is_all_proven());
    assert_eq!(outcome.totals().noted, 1);
    assert_eq!(outcome.files(), [("22:25".to_owned(), &FileState::Unexpected)]);
}

#[test]
fn a_backfill_is_a_chain_of_its_own_that_fills_holes() {
    // The trail's own chain goes on after the backfill, or a new one starts.
    for is_linked in [true, false] {
        let mut plans = plans(8);
        let late_plans =
            [2, 3, 5].map(|at| DigestPlan { suffix: "_backfill".to_owned(), ..plans[at].clone() });
        for at in [5, 3, 2] {
            plans.remove(at);
        }
        let mut world = World::empty();
        if is_linked {
            world.add_chain(&Signer::first(), &plans);
        } else {
            world.add_chain(&Signer::first(), &plans[..2]);
            world.add_chain(&Signer::first(), &plans[2..3]);
            world.add_chain(&Signer::first(), &plans[3..]);
        }
        world.add_chain(&Signer::second(), &late_plans);
        world.keys.merge(ring(&Signer::second()));
        let outcome = world.clone().judge();
        outcome.assert_all_proven();
        assert_eq!(outcome.totals().files.proven, 10);
        assert!(outcome.digest("23").uri.contains("backfill"));

        // Without metadata, the newest of either chain is unproven, and its hour a hole.
        world.digests.iter_mut().for_each(|it| it.signature = None);
        if is_linked {
            let outcome = world.judge();
            assert_eq!(outcome.not_proven(), ["01", "03"]);
            assert_eq!(outcome.hole().kind, HoleKind::Off);
        }
    }
}

#[test]
fn a_deleted_digest_of_a_backfill_is_a_hole() {
    let mut world = World::trail(2);
    let mut late_plans = plans(6).split_off(2);
    for plan in &mut late_plans {
        plan.suffix = "_backfill".to_owned();
    }
    world.add_chain(&Signer::first(), &late_plans);
    world.delete("23");
    let outcome = world.judge();
    assert!(matches!(outcome.hole().kind, HoleKind::Missing(..)));
    assert!(outcome.hole().chain.as_ref().unwrap().is_backfill);
}
