//! Tests of whole trees.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use cloudtrail2sql::trail::fields::COLUMNS;
use cloudtrail2sql::trail::gzip::decode;
use cloudtrail2sql::trail::integrity::digest::ReadDigest;
use cloudtrail2sql::trail::integrity::hash::ContentHash;
use cloudtrail2sql::trail::integrity::judge::{Judge, JudgeSettings};
use cloudtrail2sql::trail::integrity::public_keys::KeyRing;
use cloudtrail2sql::trail::integrity::verdict::{
    Day, FoundContent, FoundDigest, LedgerFile, LedgerOutcome, Totals,
};
use cloudtrail2sql::trail::object::Location;
use jiff::civil::Date;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::file::Scribe;
use crate::layout::Layout;
use crate::plan::{Family, Plan, Settings};
use crate::summary::Summary;
use crate::tree::{Maker, Shard};
use crate::world::World;

/// The arguments of the committed sample; the module documentation in `main.rs` has them, too.
fn sample() -> Settings {
    Settings {
        seed: 2182,
        records: 1_234,
        accounts: 2,
        regions: 2,
        days: 1,
        hours: 2,
        first_day: Date::constant(2026, 1, 15),
        records_per_file: None,
    }
}

const LAYOUT: Layout = Layout { prefix: None, organization: None, plain: false };

/// Enough records for the shares to settle: a debug build makes them in seconds.
fn large() -> Settings {
    Settings { seed: 1, records: 41_000, regions: 3, hours: 24, ..sample() }
}

fn make(settings: &Settings, shard: Shard, threads: usize, folder: Option<&Path>) -> Summary {
    Maker::new(settings, &LAYOUT, shard, folder).make(threads).unwrap()
}

fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in walkdir::WalkDir::new(folder) {
        let entry = entry.unwrap();
        if entry.file_type().is_file() {
            let key = entry.path().strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
            files.insert(key, fs::read(entry.path()).unwrap());
        }
    }
    files
}

fn inflate(gzip: &[u8]) -> Vec<u8> {
    let mut json = Vec::new();
    flate2::read::MultiGzDecoder::new(gzip).read_to_end(&mut json).unwrap();
    json
}

/// Returns all records of the large tree's first files of a family.
fn records(family: Family, records_max: usize) -> Vec<Value> {
    let settings = large();
    let scribe = Scribe::new(World::new(settings.seed, settings.accounts));
    let mut records = Vec::new();
    let mut json = String::new();
    for file in Plan::new(&settings).flat_map(|hour| hour.files) {
        if file.family == family && records.len() < records_max {
            scribe.write(&file, &mut json);
            let mut parsed: Value = serde_json::from_str(&json).unwrap();
            let Value::Array(array) = parsed["Records"].take() else { panic!("no array") };
            assert_eq!(array.len() as u64, file.records);
            records.extend(array);
        }
    }
    records
}

#[test]
fn the_same_arguments_make_the_same_bytes_with_any_number_of_threads() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first = make(&sample(), Shard::WHOLE, 1, Some(one.path()));
    let second = make(&sample(), Shard::WHOLE, 3, Some(two.path()));
    assert_eq!(first, second);
    assert!(contents(one.path()) == contents(two.path()));

    let other = make(&Settings { seed: 2, ..sample() }, Shard::WHOLE, 1, None);
    assert_eq!(other.records(), first.records());
    assert_ne!(other.json_bytes, first.json_bytes);
}

#[test]
fn the_parts_of_a_tree_add_up_to_the_whole() {
    let (whole, parts) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let expected = make(&sample(), Shard::WHOLE, 2, Some(whole.path()));
    let mut sum = Summary::default();
    for index in 0..3 {
        sum.add(&make(&sample(), Shard { index, of: 3 }, 2, Some(parts.path())));
    }
    assert_eq!(sum, expected);
    assert!(contents(whole.path()) == contents(parts.path()));
}

#[test]
fn the_committed_sample_is_what_the_generator_makes() {
    let folder = tempfile::tempdir().unwrap();
    let summary = make(&sample(), Shard::WHOLE, 2, Some(folder.path()));
    let committed = contents(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sample"));
    let made = contents(folder.path());
    assert_eq!(committed.keys().collect::<Vec<_>>(), made.keys().collect::<Vec<_>>());
    assert!(committed == made, "same names, other bytes");
    assert_eq!(made.len() as u64, summary.files() + summary.digests);
    assert!(summary.by_family.iter().all(|(files, _)| *files > 0), "a family is missing");
}

#[test]
fn a_large_tree_has_the_sizes_of_real_ones() {
    let summary = make(&large(), Shard::WHOLE, 2, None);
    assert_eq!(summary.records(), large().records);
    let (mean, small) = (summary.mean_bytes(), summary.small_per_mille());
    assert!((1_080..=1_320).contains(&mean), "mean record {mean} bytes");
    assert!((400..=480).contains(&small), "{small} ‰ of the files under 1 KB");
    assert!((1_000..=8_000).contains(&summary.records_max), "{}", summary.records_max);
    let ratio = summary.json_bytes / summary.stored_bytes;
    // A tree of a million records, with more large files, reaches 8.
    assert!((7..=12).contains(&ratio), "compressed {ratio} times");
}

#[test]
fn digests_name_the_files_of_their_hour_and_the_digest_before() {
    let folder = tempfile::tempdir().unwrap();
    let summary = make(&sample(), Shard::WHOLE, 2, Some(folder.path()));
    let files = contents(folder.path());
    let mut listed = 0;
    for (key, gzip) in files.iter().filter(|(key, _)| key.contains("CloudTrail-Digest")) {
        let digest: Value = serde_json::from_slice(&inflate(gzip)).unwrap();
        assert_eq!(digest["digestS3Object"], key.as_str());
        for log in digest["logFiles"].as_array().unwrap() {
            let json = inflate(&files[log["s3Object"].as_str().unwrap()]);
            assert_eq!(log["hashValue"], hex(&Sha256::digest(json)));
            listed += 1;
        }
        if let Some(previous) = digest["previousDigestS3Object"].as_str() {
            assert_eq!(
                digest["previousDigestHashValue"],
                hex(&Sha256::digest(inflate(&files[previous])))
            );
        }
    }
    assert_eq!(listed, summary.files());
    assert_eq!(summary.digests, 8);
}

/// Judges a tree, of which all log files are taken for loaded.
fn judge(folder: &Path, signatures: &Path) -> Totals {
    let keys = fs::read(signatures.join("public-keys.json")).unwrap();
    let keys = Arc::new(KeyRing::parse(&keys).unwrap());
    let metadata = fs::read(signatures.join("metadata.json")).unwrap();
    let metadata: Value = serde_json::from_slice(&metadata).unwrap();
    let mut days: BTreeMap<(String, String), BTreeMap<Date, Day>> = BTreeMap::new();
    for (key, stored) in contents(folder) {
        let place = cloudtrail2sql::trail::layout::Layout::of(&key).unwrap();
        let days = days.entry((place.account, place.region)).or_default();
        let day = days.entry(place.day).or_insert_with(|| Day::empty(place.day));
        let content = decode(&stored, 1 << 30).unwrap();
        if key.contains("CloudTrail-Digest") {
            let read = ReadDigest::parse(&content).unwrap();
            assert_eq!(metadata[&key]["signature-algorithm"], "SHA256withRSA");
            day.digests.push(FoundDigest {
                signature: Some(metadata[&key]["signature"].as_str().unwrap().to_owned()),
                content: FoundContent::Read(Box::new(read)),
                location: Location::S3 { bucket: "example-org-cloudtrail".to_owned(), key },
            });
        } else {
            let outcome = LedgerOutcome::Loaded(Some(ContentHash::of(&content)));
            day.ledger
                .push(LedgerFile { uri: format!("s3://example-org-cloudtrail/{key}"), outcome });
        }
    }
    let mut totals = Totals::default();
    for ((account, region), days) in days {
        let mut judge = Judge::new(&account, &region, Arc::clone(&keys), JudgeSettings::default());
        for day in days.into_values() {
            judge.judge(day);
        }
        totals += judge.conclude().totals;
    }
    assert!(totals.is_balanced());
    totals
}

#[test]
fn the_library_proves_every_file_of_a_tree() {
    let (tree, beside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let settings = Settings { records: 500, days: 2, hours: 24, ..sample() };
    let layout = Layout {
        prefix: Some("a/b".to_owned()),
        organization: Some("o-abc123".to_owned()),
        plain: false,
    };
    let maker = Maker::new(&settings, &layout, Shard::WHOLE, Some(tree.path()));
    let summary = maker.with_signatures(Some(beside.path())).make(2).unwrap();
    let totals = judge(tree.path(), beside.path());
    assert!(totals.is_all_proven(), "{totals:?}");
    assert_eq!((totals.digests.proven, totals.files.proven), (192, summary.files()));

    // One region writes slashes as real digests do, and has another key.
    let files = contents(tree.path());
    let digest = |region: &str| {
        let mut digests = files.iter().filter(|(key, _)| key.contains("CloudTrail-Digest"));
        let (_, gzip) = digests.find(|(key, _)| key.contains(region)).unwrap();
        String::from_utf8(inflate(gzip)).unwrap()
    };
    assert!(
        digest("Digest/us-east-1/").contains("AWSLogs/")
            && digest("Digest/eu-west-1/").contains("AWSLogs\\/")
    );
}

#[test]
fn each_part_of_a_tree_has_the_signatures_of_all_digests() {
    let (whole, part) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let settings = sample();
    for (folder, shard) in [(&whole, Shard::WHOLE), (&part, Shard { index: 1, of: 3 })] {
        let maker = Maker::new(&settings, &LAYOUT, shard, None);
        maker.with_signatures(Some(folder.path())).make(2).unwrap();
    }
    assert!(contents(whole.path()) == contents(part.path()));
    assert_eq!(contents(whole.path()).len(), 2);
}

fn hex(bytes: &[u8]) -> String {
    let mut out = String::new();
    for byte in bytes {
        crate::form::push_hex(u64::from(*byte), 2, &mut out);
    }
    out
}

#[test]
fn records_have_what_real_ones_have() {
    let records = records(Family::Trail, 20_000);
    let mut ids = HashSet::new();
    let (mut outside, mut total, mut failed) = (0, 0, 0);
    let mut kinds = HashSet::new();
    let mut sources = HashSet::new();
    for record in &records {
        for field in ["eventTime", "eventSource", "eventName", "awsRegion", "sourceIPAddress"] {
            assert!(!record[field].as_str().unwrap().is_empty(), "{field}: {record}");
        }
        assert!(ids.insert(record["eventID"].as_str().unwrap()), "an eventID came twice");
        failed += usize::from(record.get("errorCode").is_some());
        kinds.insert(record["userIdentity"]["type"].as_str());
        sources.insert(record["sourceIPAddress"].as_str().unwrap());
        for (name, value) in record.as_object().unwrap() {
            let bytes = name.len() + 4 + value.to_string().len();
            total += bytes;
            outside += if COLUMNS.contains(&name.as_str()) { 0 } else { bytes };
        }
    }
    let share = outside * 100 / total;
    assert!((20..=30).contains(&share), "{share} % outside the 16 columns");
    let failed = failed * 1_000 / records.len();
    assert!((60..=80).contains(&failed), "{failed} ‰ failed");
    for kind in ["AssumedRole", "IAMUser", "AWSService", "Root", "WebIdentityUser", "AWSAccount"] {
        assert!(kinds.contains(&Some(kind)), "no {kind}");
    }
    assert!(kinds.contains(&None), "no identity without a type");
    assert!(sources.contains("dynamodb.application-autoscaling.amazonaws.com"));
    assert!(sources.iter().any(|source| source.starts_with("2001:db8:")));
}

#[test]
fn values_reach_the_limits_of_the_format() {
    let records = records(Family::Trail, 40_000);
    let longest = |field: &str| {
        let of = |record: &Value| match &record[field] {
            Value::String(text) => text.len(),
            other => other.to_string().len(),
        };
        records.iter().map(of).max().unwrap()
    };
    assert!((50_000..=102_400).contains(&longest("requestParameters")));
    assert_eq!(longest("errorMessage"), 1_027);
    assert!((130..=200).contains(&longest("requestID")));
    assert!(longest("sourceIPAddress") >= 46);
    let text: String =
        records.iter().map(|record| record["requestParameters"].to_string()).collect();
    for part in ["本番環境", "🚀", "café", "\\\"keep\\\"", "\\n", "kubernetes.io/cluster"] {
        assert!(text.contains(part), "no {part}");
    }
}

#[test]
fn the_other_families_have_their_shapes() {
    let insights = records(Family::Insight, 200);
    assert!(insights.iter().all(|record| record["eventCategory"] == "Insight"));
    assert!(insights.iter().all(|record| record.get("userIdentity").is_none()));
    let states = |state| insights.iter().filter(move |r| r["insightDetails"]["state"] == state);
    for end in states("End") {
        let mut starts = states("Start").filter(|r| r["sharedEventID"] == end["sharedEventID"]);
        assert!(starts.next().is_some(), "an end without a start");
    }
    let network = records(Family::NetworkActivity, 200);
    assert!(network.iter().any(|record| record["errorCode"] == "VpceAccessDenied"));
    assert!(network.iter().all(|record| record["eventCategory"] == "NetworkActivity"));
    let aggregated = records(Family::Aggregated, 50);
    assert!(!aggregated.is_empty());
    assert!(aggregated.iter().all(|record| record["eventId"].is_string()));
}
