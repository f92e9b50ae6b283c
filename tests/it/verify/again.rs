//! What a verification stores, and what later ones make of it.

use std::collections::BTreeSet;

use super::cloudtrail::cloudtrail;
use super::label::label;
use super::program::Site;
use super::scenarios::Findings;
use super::signing::{DigestPlan, Signer, public_keys};
use super::tree::{HOURS, REGION, Tree, first_hour, hours_of};
use crate::databases::{Engine, promises};
use crate::s3_server::Op;

promises! { on all:
    the_newest_digests_deleted_after_a_verification_are_found
    all_digests_deleted_after_a_verification_are_found
    only_new_digests_are_fetched
    contents_that_were_not_hashed_are_read_once
}

fn findings(texts: &[&str]) -> Findings {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// A site on S3 with the key file of the first key.
fn site(tree: &Tree, engine: Engine) -> Site {
    let mut site = Site::of_tree(tree, engine);
    site.add_keys(0, &public_keys([&Signer::first()]));
    site
}

/// Returns the labels of the objects that were fetched since `calls` calls, each once.
fn fetched_since(site: &Site, calls: usize) -> BTreeSet<String> {
    let all = site.server().all_calls();
    let gets = all[calls..].iter().filter(|call| call.op == Op::GetObject);
    let mut labels = BTreeSet::new();
    for call in gets {
        assert!(labels.insert(label(&call.key)), "{} was fetched twice", call.key);
    }
    labels
}

fn calls(site: &Site) -> usize {
    site.server().all_calls().len()
}

fn the_newest_digests_deleted_after_a_verification_are_found(engine: Engine) {
    let mut tree = Tree::trail();
    let site = site(&tree, engine);
    site.import().assert_finds(&Findings::new(), "clean");
    // One is missing: by a look at the bucket alone, it could be late.
    tree.delete("digest 03:57");
    site.put(&tree);
    let one = findings(&["deleted digest 03:57"]);
    site.verify().assert_finds(&one, "the newest deleted");
    tree.delete("digest 02:57");
    site.put(&tree);
    let two = findings(&["deleted digest 03:57", "deleted digest 02:57"]);
    for _ in 0..2 {
        let found = site.verify();
        found.assert_finds(&two, "the newest two deleted");
        // Their files were proven, and still have the contents that were.
        assert_eq!((found.number("files.named"), found.number("files.proven")), (10, 10));
        assert_eq!(found.number("digests.deleted"), 2);
    }
}

fn all_digests_deleted_after_a_verification_are_found(engine: Engine) {
    let mut tree = Tree::trail();
    let site = site(&tree, engine);
    site.import().assert_finds(&Findings::new(), "clean");
    tree.objects.retain(|(_, key), _| !key.contains("CloudTrail-Digest"));
    site.put(&tree);
    let found = site.verify();
    let hours = ["20", "21", "22", "23", "00", "01", "02", "03"];
    for hour in hours {
        let deleted = format!("deleted digest {hour}:57");
        assert!(found.findings().contains(&deleted), "{deleted}: {:#}", found.json);
    }
    assert_eq!(found.number("digests.deleted"), 8);
    assert_eq!(found.code, 3);
}

/// Checks what was fetched since `calls` calls.
#[track_caller]
fn assert_fetched_since(site: &Site, calls: usize, expected: &[&str]) {
    let fetched = fetched_since(site, calls);
    assert_eq!(fetched, expected.iter().map(|it| (*it).to_owned()).collect());
}

/// Also if the digests are in the day folder of the ones before.
fn only_new_digests_are_fetched(engine: Engine) {
    let tree = Tree::trail();
    let mut before = tree.clone();
    let newest = ["digest 02:57", "log 02:25 a", "digest 03:57", "log 03:25 a"];
    for file in newest {
        before.delete(file);
    }
    let site = site(&before, engine);
    let first = site.import();
    first.assert_finds(&Findings::new(), "six hours");
    assert_eq!(first.number("fetched_digests"), 6);
    // Each digest and each log file was fetched once by import and verification.
    assert_eq!(fetched_since(&site, 0).len(), before.objects.len());

    let start = calls(&site);
    let second = site.verify();
    second.assert_finds(&Findings::new(), "six hours again");
    assert_eq!(second.number("digests.proven"), 6);
    assert_fetched_since(&site, start, &[]);

    site.put(&tree);
    let start = calls(&site);
    let third = site.import();
    third.assert_finds(&Findings::new(), "eight hours");
    assert_fetched_since(&site, start, &newest);
    assert!([2, 3].contains(&third.number("fetched_digests")), "{:#}", third.json);
    assert_eq!(third.number("digests.proven"), 8);
    assert_eq!((third.number("files.named"), third.number("files.proven")), (10, 10));
}

fn contents_that_were_not_hashed_are_read_once(engine: Engine) {
    let mut tree = Tree::trail();
    let site = site(&tree, engine);
    site.run(&["import", "--no-index"]).expect(0);
    let start = calls(&site);
    let run = site.run(&["verify", "--no-reread"]).expect(3);
    assert_eq!(run.json()["files"]["not_hashed"], 10, "{}", run.shown());
    assert_eq!(fetched_since(&site, start).len(), 8, "digests only");

    // What changed since the import is not what was loaded: its content stays unknown.
    *tree.get("log 22:25 a") = tree.get("log 20:25 a").clone();
    site.put(&tree);
    let found = site.verify();
    found.assert_finds(&findings(&["log 22:25 a not_hashed"]), "one changed since");
    assert_eq!(found.number("files.proven"), 9);

    site.put(&Tree::trail());
    let start = calls(&site);
    site.verify().assert_finds(&Findings::new(), "put back");
    assert!(fetched_since(&site, start).contains("log 22:25 a"));
    let start = calls(&site);
    site.verify().assert_finds(&Findings::new(), "all hashed");
    assert_fetched_since(&site, start, &[]);
}

#[test]
fn a_signature_outlives_the_metadata_in_the_database() {
    let mut tree = Tree::trail();
    let site = site(&tree, Engine::Sqlite);
    site.import().assert_finds(&Findings::new(), "clean");
    tree.strip();
    site.put(&tree);
    // All digests are read again, because a log file is another one since.
    site.database.query("UPDATE import_objects SET content_sha256 = NULL");
    site.verify().assert_finds(&Findings::new(), "without metadata");

    // The newest digest has no successor with a copy: without what was stored, nothing proves it.
    site.database.query("UPDATE import_digests SET signature = NULL, state = 'no_signature'");
    let expected = findings(&["digest 03:57 no_signature", "log 03:25 a pending"]);
    site.verify().assert_finds(&expected, "without metadata and without the stored signature");
}

/// Without key files, the keys come from CloudTrail's API: once for each region, in the region of
/// the digests.
#[test]
fn public_keys_come_from_the_region_of_the_digests() {
    let mut tree = Tree::trail();
    let first = DigestPlan { region: "us-west-2".to_owned(), ..first_hour() };
    tree.deliver(&Signer::second(), &hours_of(&first, HOURS));
    let keys = [
        (REGION, public_keys([&Signer::first()])),
        ("us-west-2", public_keys([&Signer::second()])),
    ];
    let cloudtrail = cloudtrail(&keys.clone().into());
    let mut site = Site::of_tree(&tree, Engine::Sqlite);
    site.place.set("AWS_ENDPOINT_URL_CLOUDTRAIL", &cloudtrail.endpoint_url());
    let found = site.import();
    found.assert_finds(&Findings::new(), "two regions");
    assert_eq!(found.number("digests.proven"), 16);
    let mut asked: Vec<String> = cloudtrail.calls().into_iter().map(|call| call.region).collect();
    asked.sort();
    assert_eq!(asked, [REGION, "us-west-2"]);

    // With files, it is not asked.
    let asked = cloudtrail.calls().len();
    for (number, (_, keys)) in keys.iter().enumerate() {
        site.add_keys(number, keys);
    }
    site.verify().assert_finds(&Findings::new(), "with files");
    assert_eq!(cloudtrail.calls().len(), asked);
}
