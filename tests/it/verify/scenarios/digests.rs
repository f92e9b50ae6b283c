//! Digests that were changed or exchanged, and keys.

use super::super::signing::{Signer, public_keys};
use super::super::tree::{Tree, hours, unpacked};
use super::clean::backfilled;
use super::{REGION, Scenario};

/// The digest that is changed.
const DIGEST: &str = "digest 22:57";

/// All log files are unproven.
const ALL_LOGS_UNPROVEN: [&str; 10] = [
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

pub fn all() -> Vec<Scenario> {
    vec![
        changed(),
        bit_of_the_signature_changed(),
        bit_of_the_newest_signature_changed(),
        previous_signature_changed(),
        bit_of_the_key_changed(),
        unknown_key(),
        replayed(),
        exchanged(),
        relinked(),
        without_metadata(),
        one_without_metadata(),
        backfill_without_metadata(),
        unpacked_digest(),
        not_gzip(),
    ]
}

fn flip_last_digit(hex: &mut String) {
    let digit = if hex.ends_with('0') { "1" } else { "0" };
    hex.replace_range(hex.len() - 1.., digit);
}

fn changed() -> Scenario {
    let mut tree = Tree::trail();
    tree.edit_digest(DIGEST, |content| {
        let at = content.rfind("\"hashValue\":\"").unwrap() + 13;
        let digit = if &content[at..=at] == "0" { "1" } else { "0" };
        content.replace_range(at..=at, digit);
    });
    let unproven = "log 22:25 a unproven";
    Scenario::new("digest changed", tree)
        .finds(&["digest 22:57 wrong_signature", unproven])
        .finds_in_folder(&[
            "digest 22:57 wrong_copy",
            unproven,
            "digest 03:57 no_signature",
            "log 03:25 a pending",
        ])
}

/// The copy in the next digest is right.
fn bit_of_the_signature_changed() -> Scenario {
    let mut tree = Tree::trail();
    flip_last_digit(&mut tree.get(DIGEST).metadata[0].1);
    Scenario::new("signature of a digest changed", tree)
}

fn bit_of_the_newest_signature_changed() -> Scenario {
    let mut tree = Tree::trail();
    flip_last_digit(&mut tree.get("digest 03:57").metadata[0].1);
    let mut scenario = Scenario::new("signature of the newest digest changed", tree);
    scenario.expected = super::findings(&["digest 03:57 wrong_signature", "log 03:25 a pending"]);
    scenario
}

fn previous_signature_changed() -> Scenario {
    let mut tree = Tree::trail();
    tree.edit_digest(DIGEST, |content| {
        let at = content.find("\"previousDigestSignature\":\"").unwrap() + 27;
        let digit = if &content[at..=at] == "0" { "1" } else { "0" };
        content.replace_range(at..=at, digit);
    });
    Scenario::new("previous signature in a digest changed", tree)
        .finds(&["digest 22:57 wrong_signature", "log 22:25 a unproven"])
        .finds_in_folder(&[
            // Nothing else had a copy of its signature.
            "digest 21:57 no_signature",
            "log 21:25 a unproven",
            "digest 22:57 wrong_copy",
            "log 22:25 a unproven",
            "digest 03:57 no_signature",
            "log 03:25 a pending",
        ])
}

/// Each digest with this word, and nothing proven.
fn all_digests(word: &str, newest: &str) -> Vec<String> {
    let hours = ["20", "21", "22", "23", "00", "01", "02"];
    let digests = hours.map(|hour| format!("digest {hour}:57 {word}")).into_iter();
    let newest = format!("digest 03:57 {newest}");
    digests.chain([newest]).chain(ALL_LOGS_UNPROVEN.map(str::to_owned)).collect()
}

fn bit_of_the_key_changed() -> Scenario {
    let (mut scenario, key) = (Scenario::new("public key changed", Tree::trail()), Signer::first());
    let keys = public_keys([&key]);
    let at = keys.find("\"Value\": \"").unwrap() + 10 + 100;
    let letter = if &keys[at..=at] == "A" { "B" } else { "A" };
    let keys = format!("{}{letter}{}", &keys[..at], &keys[at + 1..]);
    scenario.keys = [(REGION, keys)].into();
    scenario.expected = all_digests("wrong_signature", "wrong_signature").into_iter().collect();
    // Without a proven digest, no copy is trusted.
    scenario.expected_in_folder = all_digests("no_signature", "no_signature").into_iter().collect();
    scenario
}

fn unknown_key() -> Scenario {
    let mut scenario = Scenario::new("unknown key", Tree::trail());
    scenario.keys = [(REGION, public_keys([&Signer::second()]))].into();
    scenario.expected = all_digests("unknown_key", "unknown_key").into_iter().collect();
    scenario.expected_in_folder = scenario.expected.clone();
    scenario
}

/// An older digest, which was really signed, lies in the place of a newer one.
fn replayed() -> Scenario {
    let mut tree = Tree::trail();
    *tree.get(DIGEST) = tree.get("digest 20:57").clone();
    Scenario::new("digest replayed", tree)
        .finds(&["digest 22:57 replayed", "log 22:25 a unproven"])
        .also_finds_in_folder(&["digest 21:57 no_signature", "log 21:25 a unproven"])
}

/// A digest was exchanged for another one that was really signed and names no files.
fn exchanged() -> Scenario {
    let mut tree = Tree::trail();
    let mut plan = hours(3).remove(2);
    plan.files.clear();
    let digest = Signer::first().digest(&plan, None);
    tree.put_digest(&plan, &digest);
    Scenario::new("digest exchanged for another signed one", tree)
        .finds(&["digest 22:57 proven", "log 22:25 a unexpected"])
        .finds_in_folder(&[
            "digest 21:57 no_signature",
            "log 21:25 a unproven",
            "digest 22:57 wrong_copy",
            "log 22:25 a unproven",
            "digest 03:57 no_signature",
            "log 03:25 a pending",
        ])
}

/// A digest was deleted, and the next one changed to name the one before it.
fn relinked() -> Scenario {
    let mut tree = Tree::trail();
    let content =
        |tree: &mut Tree, of: &str| String::from_utf8(unpacked(&tree.get(of).bytes)).unwrap();
    let previous_of = |content: &str| {
        let from = content.find("\"previousDigestS3Bucket\"").unwrap();
        content[from..content.find("\"logFiles\"").unwrap()].to_owned()
    };
    let before = previous_of(&content(&mut tree, DIGEST));
    tree.delete(DIGEST);
    tree.edit_digest("digest 23:57", |content| {
        *content = content.replace(&previous_of(content), &before);
    });
    Scenario::new("digest deleted and its neighbours linked", tree)
        .finds(&[
            "digest 23:57 wrong_signature",
            "log 22:25 a unproven",
            "log 23:25 a unproven",
            "log 00:00 up-a unproven",
        ])
        .finds_in_folder(&[
            "digest 23:57 wrong_copy",
            "log 22:25 a unproven",
            "log 23:25 a unproven",
            "log 00:00 up-a unproven",
            "digest 03:57 no_signature",
            "log 03:25 a pending",
        ])
}

fn without_metadata() -> Scenario {
    let mut tree = Tree::trail();
    tree.strip();
    Scenario::new("copied without metadata", tree)
        .finds(&["digest 03:57 no_signature", "log 03:25 a pending"])
}

fn one_without_metadata() -> Scenario {
    let mut tree = Tree::trail();
    tree.get(DIGEST).metadata.clear();
    Scenario::new("digest without metadata", tree)
}

fn backfill_without_metadata() -> Scenario {
    let mut tree = backfilled();
    tree.strip();
    Scenario::new("backfill without metadata", tree).finds(&[
        "digest 03:57 no_signature",
        "log 03:25 a pending",
        "digest 01:57 backfill no_signature",
        "hole off 00:57..01:57 with 1",
        "log 01:25 a unproven",
    ])
}

fn unpacked_digest() -> Scenario {
    let mut tree = Tree::trail();
    let object = tree.get(DIGEST);
    object.bytes = unpacked(&object.bytes);
    Scenario::new("digest unpacked", tree)
}

fn not_gzip() -> Scenario {
    let mut tree = Tree::trail();
    tree.get(DIGEST).bytes = b"<html>not found</html>".to_vec();
    Scenario::new("digest that is not gzip", tree)
        .finds(&["digest 22:57 unreadable", "log 22:25 a unproven"])
        .also_finds_in_folder(&["digest 21:57 no_signature", "log 21:25 a unproven"])
}
