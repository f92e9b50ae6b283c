//! Trails with several faults at once.

use super::*;

/// Puts a fault into a trail of `hours` hours, and returns whether it has to be found.
fn spoil(world: &mut World, hours: usize, random: &mut fastrand::Rng) -> bool {
    // The newest digests may be late, and the newest one has no successor.
    let old = random.usize(..hours - 4);
    let end = DigestPlan::hour(FIRST_END).after(i64::try_from(old).unwrap() * 3_600).end;
    let name = end.to_string().replace(['-', ':'], "");
    let at = world.digests.iter().position(|it| it.location.uri().contains(&name));
    let file = random.usize(..world.ledger.len());
    match (random.u8(..8), at) {
        (0, Some(at)) => {
            world.digests.remove(at);
        }
        (1, Some(at)) => {
            let FoundContent::Read(read) = &mut world.digests[at].content else { return true };
            read.sha256.0[random.usize(..32)] ^= 1;
        }
        (2, Some(at)) => world.digests[at].content = FoundContent::Unreadable("cut".to_owned()),
        (3, Some(at)) => {
            world.digests[at].signature = None;
            // A successor that was deleted or changed cannot prove it; that is found in any case.
            return false;
        }
        (4, _) => world.ledger[file].outcome = LedgerOutcome::Loaded(Some(content_of("forged"))),
        (5, _) => drop(world.ledger.remove(file)),
        (6, _) => world.ledger[file].outcome = LedgerOutcome::Failed("cut off".to_owned()),
        (7, _) => {
            let end_s = end.as_second();
            let time = EventTime::from_unix_s(end_s - 1_800 - end_s % 300).unwrap();
            world.load(&log_key(&iso(time), "forged"));
        }
        _ => return false,
    }
    true
}

#[test]
fn every_fault_is_found_and_a_second_verification_finds_the_same() {
    let mut random = fastrand::Rng::with_seed(16);
    let hours = 53;
    let clean = World::trail(i64::try_from(hours).unwrap());
    let mut clean_worlds = 0;
    for _ in 0..120 {
        let mut world = clean.clone();
        let mut is_harmed = false;
        for _ in 0..random.usize(..5) {
            is_harmed |= spoil(&mut world, hours, &mut random);
        }
        if random.bool() {
            random.shuffle(&mut world.digests);
        }
        let first = world.clone().judge();
        assert_eq!(first.totals().is_all_proven(), !is_harmed, "{:?}", first.totals());
        clean_worlds += usize::from(!is_harmed);

        let remembered: Vec<_> = first.digests().map(DigestVerdict::remember).collect();
        let second = World { remembered: remembered.clone(), ..world.clone() }.judge();
        assert_eq!(second.totals(), first.totals());
        assert_eq!(second.files(), first.files());
        let spans = |outcome: &Outcome| outcome.holes().into_iter().map(span).collect::<Vec<_>>();
        assert_eq!(spans(&second), spans(&first));
        assert!(is_harmed || second.skipped.len() > hours - 5, "{}", second.skipped.len());

        // Whatever is deleted after a verification is found by the next.
        let mut later = World { remembered, ..world };
        if !later.digests.is_empty() {
            later.digests.remove(random.usize(..later.digests.len()));
            let third = later.judge();
            assert_eq!(third.totals().digests.deleted, 1);
            assert!(!third.totals().is_all_proven());
        }
    }
    assert!((12..80).contains(&clean_worlds), "{clean_worlds}");
}
