//! Trails in which nothing is wrong.

use super::super::signing::{DigestPlan, Signer, public_keys};
use super::super::tree::{BUCKET, HOURS, REGION, Tree, first_hour, hours, hours_of};
use super::{CliChain, Scenario};

pub fn all() -> Vec<Scenario> {
    vec![
        Scenario::new("clean", Tree::trail()),
        under_a_prefix(),
        key_rotated(),
        several_regions(),
        organization(),
        odd_trail_name(),
        slashes_escaped(),
        two_trails(),
        backfill(),
        moved_to_another_bucket(),
        moved_below_another_prefix(),
    ]
}

fn under_a_prefix() -> Scenario {
    let mut tree = Tree::default();
    let first = DigestPlan { prefix: "logs/2026-org/".to_owned(), ..first_hour() };
    tree.deliver(&Signer::first(), &hours_of(&first, HOURS));
    Scenario {
        source: (BUCKET, "logs/2026-org/"),
        chains: vec![CliChain { prefix: "logs/2026-org", ..CliChain::usual() }],
        ..Scenario::new("under a prefix", tree)
    }
}

fn key_rotated() -> Scenario {
    let (one, two) = (Signer::first(), Signer::second());
    let mut tree = Tree::default();
    let mut previous = None;
    for (number, plan) in hours(HOURS).iter().enumerate() {
        let signer = if number < 3 { &one } else { &two };
        previous = Some(tree.deliver_after(signer, plan, previous.as_ref()));
    }
    Scenario::new("key rotated within the chain", tree)
}

fn several_regions() -> Scenario {
    let mut tree = Tree::trail();
    let first = DigestPlan { region: "us-west-2".to_owned(), ..first_hour() };
    tree.deliver(&Signer::second(), &hours_of(&first, HOURS));
    Scenario {
        // Each region has its own key, and the region of the digests decides, not that of the trail.
        keys: [
            (REGION, public_keys([&Signer::first()])),
            ("us-west-2", public_keys([&Signer::second()])),
        ]
        .into(),
        chains: vec![CliChain::usual(), CliChain { region: "us-west-2", ..CliChain::usual() }],
        ..Scenario::new("several regions", tree)
    }
    .also_finds_in_folder(&["digest 03:57 us-west-2 no_signature", "log 03:25 a us-west-2 pending"])
}

fn organization() -> Scenario {
    let mut tree = Tree::default();
    for account in ["111122223333", "444455556666"] {
        let first = DigestPlan {
            organization: "o-example123/".to_owned(),
            account: account.to_owned(),
            ..first_hour()
        };
        tree.deliver(&Signer::first(), &hours_of(&first, HOURS));
    }
    let chain = CliChain { is_of_organization: true, ..CliChain::usual() };
    Scenario {
        chains: vec![chain.clone(), CliChain { account: "444455556666", ..chain }],
        ..Scenario::new("organization", tree)
    }
    .also_finds_in_folder(&[
        "digest 03:57 444455556666 no_signature",
        "log 03:25 a 444455556666 pending",
    ])
}

fn odd_trail_name() -> Scenario {
    let mut tree = Tree::default();
    let first = DigestPlan { trail: "a_us-east-1_b.c-d".to_owned(), ..first_hour() };
    tree.deliver(&Signer::first(), &hours_of(&first, HOURS));
    Scenario {
        chains: vec![CliChain { trail: "a_us-east-1_b.c-d", ..CliChain::usual() }],
        ..Scenario::new("trail with an odd name", tree)
    }
    .finds_in_folder(&["digest 03:57 a_us-east-1_b.c-d no_signature", "log 03:25 b pending"])
}

fn slashes_escaped() -> Scenario {
    let mut tree = Tree::default();
    let first = DigestPlan { escapes_slashes: true, ..first_hour() };
    tree.deliver(&Signer::first(), &hours_of(&first, HOURS));
    Scenario::new("slashes escaped", tree)
}

/// Two trails in one bucket share the folders of log files.
fn two_trails() -> Scenario {
    let mut tree = Tree::trail();
    let first = DigestPlan { trail: "other".to_owned(), ..first_hour() };
    tree.deliver(&Signer::first(), &hours_of(&first, HOURS));
    Scenario {
        chains: vec![CliChain::usual(), CliChain { trail: "other", ..CliChain::usual() }],
        ..Scenario::new("two trails", tree)
    }
    .also_finds_in_folder(&["digest 03:57 other no_signature", "log 03:25 b pending"])
}

/// Three hours were delivered late, in a chain of their own, signed with the key of that time.
fn backfill() -> Scenario {
    Scenario::new("backfill", backfilled()).also_finds_in_folder(&[
        "digest 01:57 backfill no_signature",
        "hole off 00:57..01:57 with 1",
        "log 01:25 a unproven",
    ])
}

/// Returns a trail whose digests of 22, 23 and 01 hours were made later.
pub fn backfilled() -> Tree {
    let mut plans = hours(HOURS);
    let late = [2, 3, 5]
        .map(|at: usize| DigestPlan { suffix: "_backfill".to_owned(), ..plans[at].clone() });
    for at in [5, 3, 2] {
        plans.remove(at);
    }
    let mut tree = Tree::default();
    tree.deliver(&Signer::first(), &plans);
    tree.deliver(&Signer::second(), &late);
    tree
}

fn moved_to_another_bucket() -> Scenario {
    let mut tree = Tree::trail();
    tree.move_to("archive", "");
    Scenario {
        source: ("archive", ""),
        chains: vec![CliChain { bucket: "archive", ..CliChain::usual() }],
        ..Scenario::new("moved to another bucket", tree)
    }
}

fn moved_below_another_prefix() -> Scenario {
    let mut tree = Tree::trail();
    tree.move_to(BUCKET, "old/");
    Scenario {
        source: (BUCKET, "old/"),
        chains: vec![CliChain { prefix: "old", ..CliChain::usual() }],
        ..Scenario::new("moved below another prefix", tree)
    }
}
