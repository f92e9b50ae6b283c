//! Digests that are not there.

use super::super::signing::{DigestPlan, Signer};
use super::super::tree::{HOURS, Tree, first_hour, hours, hours_of};
use super::{CliChain, Scenario, findings};

/// In a folder, nothing verifies the last digest of the chain that ends after two hours.
const LAST_OF_THE_FIRST_CHAIN: [&str; 2] = ["digest 21:57 no_signature", "log 21:25 a unproven"];

pub fn all() -> Vec<Scenario> {
    vec![
        deleted(),
        two_in_a_row_deleted(),
        newest_deleted(),
        newest_four_deleted(),
        oldest_two_deleted(),
        all_deleted(),
        newest_of_one_of_two_trails_deleted(),
        of_one_of_two_trails_deleted(),
        logging_stopped(),
        validation_off(),
        bucket_changed(),
    ]
}

fn without(name: &'static str, digests: &[&str]) -> Scenario {
    let mut tree = Tree::trail();
    for digest in digests {
        tree.delete(digest);
    }
    Scenario::new(name, tree)
}

fn deleted() -> Scenario {
    without("digest deleted", &["digest 22:57"])
        .finds(&["hole missing 21:57..22:57 with 1", "log 22:25 a unproven"])
        .finds_in_folder(&[
            // Its signature was in the one that was deleted.
            "digest 21:57 no_signature",
            "log 21:25 a unproven",
            "hole missing 21:57..22:57 with 1",
            "log 22:25 a unproven",
            "digest 03:57 no_signature",
            "log 03:25 a pending",
        ])
}

fn two_in_a_row_deleted() -> Scenario {
    without("two digests in a row deleted", &["digest 23:57", "digest 00:57"])
        .finds(&[
            "hole missing 22:57..00:57 with 4",
            "log 23:25 a unproven",
            "log 00:00 up-a unproven",
            "log 23:55 down-a unproven",
            "log 00:25 a unproven",
        ])
        .also_finds_in_folder(&["digest 22:57 no_signature", "log 22:25 a unproven"])
}

/// As if it had not been delivered yet.
fn newest_deleted() -> Scenario {
    let mut scenario = without("newest digest deleted", &["digest 03:57"]);
    scenario.expected = findings(&["log 03:25 a pending"]);
    scenario.finds_in_folder(&[
        "digest 02:57 no_signature",
        "log 02:25 a pending",
        "log 03:25 a pending",
    ])
}

fn newest_four_deleted() -> Scenario {
    without(
        "newest four digests deleted",
        &["digest 00:57", "digest 01:57", "digest 02:57", "digest 03:57"],
    )
    .finds(&[
        "hole end 23:57..03:25 with 5",
        "log 23:55 down-a unproven",
        "log 00:25 a unproven",
        "log 01:25 a unproven",
        "log 02:25 a unproven",
        "log 03:25 a unproven",
    ])
    .finds_in_folder(&[
        "digest 23:57 no_signature",
        "hole end 22:57..03:25 with 7",
        "log 23:25 a unproven",
        "log 00:00 up-a unproven",
        "log 23:55 down-a unproven",
        "log 00:25 a unproven",
        "log 01:25 a unproven",
        "log 02:25 a unproven",
        "log 03:25 a unproven",
    ])
}

fn oldest_two_deleted() -> Scenario {
    without("oldest two digests deleted", &["digest 20:57", "digest 21:57"]).finds(&[
        "hole begin 20:25..21:57 with 2",
        "log 20:25 a unproven",
        "log 21:25 a unproven",
    ])
}

fn all_deleted() -> Scenario {
    let mut tree = Tree::trail();
    tree.objects.retain(|(_, key), _| !key.contains("CloudTrail-Digest"));
    let expected = [
        "hole no_digest 20:25..03:25 with 10",
        "log 20:25 a unproven",
        "log 21:25 a unproven",
        "log 22:25 a unproven",
        "log 23:25 a unproven",
        "log 00:00 up-a unproven",
        "log 23:55 down-a unproven",
        "log 00:25 a unproven",
        "log 01:25 a unproven",
        "log 02:25 a unproven",
        "log 03:25 a unproven",
    ];
    Scenario::new("all digests deleted", tree).finds(&expected).finds_in_folder(&expected)
}

/// A trail, and another one whose digests are deleted as `delete` says.
fn of_two_trails(name: &'static str, delete: &[&str]) -> Scenario {
    let mut tree = Tree::trail();
    let first = DigestPlan { trail: "other".to_owned(), ..first_hour() };
    tree.deliver(&Signer::first(), &hours_of(&first, HOURS));
    for digest in delete {
        tree.delete(digest);
    }
    let mut scenario = Scenario::new(name, tree);
    scenario.chains.push(CliChain { trail: "other", ..CliChain::usual() });
    scenario
}

fn newest_of_one_of_two_trails_deleted() -> Scenario {
    of_two_trails(
        "newest four digests of one of two trails deleted",
        &["digest 00:57 other", "digest 01:57 other", "digest 02:57 other", "digest 03:57 other"],
    )
    .finds(&[
        // The name of the fifth, `down-b`, is rounded to before the end of the last digest.
        "hole end 23:57..03:25 other with 4",
        "log 23:55 down-b unexpected",
        "log 00:25 b unexpected",
        "log 01:25 b unexpected",
        "log 02:25 b unexpected",
        "log 03:25 b unexpected",
    ])
    .finds_in_folder(&[
        "digest 23:57 other no_signature",
        "hole end 22:57..03:25 other with 3",
        "log 23:25 b unproven",
        "log 00:00 up-b unproven",
        "log 23:55 down-b unproven",
        "log 00:25 b unexpected",
        "log 01:25 b unexpected",
        "log 02:25 b unexpected",
        // The newest digest of the first trail is not proven either, so its file may be named yet.
        "log 03:25 b pending",
        "digest 03:57 no_signature",
        "log 03:25 a pending",
    ])
}

fn of_one_of_two_trails_deleted() -> Scenario {
    of_two_trails("digest of one of two trails deleted", &["digest 22:57 other"])
        .finds(&["hole missing 21:57..22:57 other with 1", "log 22:25 b unproven"])
        .also_finds_in_folder(&[
            "digest 21:57 other no_signature",
            "log 21:25 b unproven",
            "digest 03:57 other no_signature",
            "log 03:25 b pending",
        ])
}

/// For three hours, nothing was delivered.
fn logging_stopped() -> Scenario {
    let plans = hours(HOURS);
    let mut tree = Tree::default();
    tree.deliver(&Signer::first(), &plans[..2]);
    tree.deliver(&Signer::first(), &plans[5..]);
    Scenario::new("logging stopped", tree)
        .finds(&["hole off 21:57..00:57 with 0"])
        .also_finds_in_folder(&LAST_OF_THE_FIRST_CHAIN)
}

/// For three hours, log files were delivered that no digest names.
fn validation_off() -> Scenario {
    let plans = hours(HOURS);
    let mut tree = Tree::trail();
    for plan in &plans[2..5] {
        tree.objects.remove(&(plan.bucket.clone(), plan.key())).unwrap();
    }
    // Signed anew, without a digest before.
    tree.deliver(&Signer::first(), &plans[5..]);
    Scenario::new("validation off", tree)
        .finds(&[
            "hole off 21:57..00:57 with 5",
            "log 22:25 a unproven",
            "log 23:25 a unproven",
            "log 00:00 up-a unproven",
            "log 23:55 down-a unproven",
            "log 00:25 a unproven",
        ])
        .also_finds_in_folder(&LAST_OF_THE_FIRST_CHAIN)
}

/// The trail was moved to another bucket after four hours, and only that one is imported.
fn bucket_changed() -> Scenario {
    let mut plans = hours(HOURS);
    plans[..4].iter_mut().for_each(|plan| plan.bucket = String::from("before"));
    let mut tree = Tree::default();
    tree.deliver(&Signer::first(), &plans);
    Scenario::new("chain from another bucket", tree).finds(&["hole elsewhere ?..23:57 with 0"])
}
