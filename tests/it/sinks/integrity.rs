//! What a verification reads and stores.

use cloudtrail2sql::database::batch::NoRows;
use cloudtrail2sql::database::integrity::{NAMES_MAX, Named, NewContentHash, StoredDay};
use cloudtrail2sql::trail::integrity::hash::ContentHash;
use cloudtrail2sql::trail::integrity::key::DigestName;
use cloudtrail2sql::trail::integrity::verdict::{
    Coverage, DigestCounts, DigestState, DigestVerdict, FileCounts, FileProof, JudgedDay,
    LedgerOutcome, ProvenBy, RememberedDigest, UnnamedCounts,
};
use cloudtrail2sql::trail::record::Kind;
use cloudtrail2sql::trail::time::EventTime;

use super::objects::{RUN, batch, failed, numbered, object};
use super::scratch::{Scratch, row};
use crate::databases::{Engine, promises};

promises! { async on all:
    names_below_a_folder_are_listed_page_by_page
    the_log_files_of_a_folder_have_their_hashes
    a_digest_is_remembered_as_it_was_judged
    a_digest_that_was_proven_once_keeps_its_line
}

const ACCOUNT: &str = "s3://trail/AWSLogs/111122223333/";
const FOLDER: &str = "AWSLogs/111122223333/CloudTrail-Digest/eu-west-1/2026/01/15";

async fn names_below_a_folder_are_listed_page_by_page(engine: Engine) {
    let (_scratch, sink) = Scratch::prepared(engine).await;
    let inside: Vec<String> = (0..NAMES_MAX + 3).map(|n| format!("é_%/{n}")).collect();
    let objects: Vec<_> = inside.iter().map(|name| numbered(name, 0)).collect();
    for (n, part) in (1..).zip(objects_in_batches(objects)) {
        sink.write(RUN, &batch(n, part)).await.unwrap();
    }
    let outside = ["é_%", "e_%/1", "é__/1", "É_%/1"].map(|name| numbered(name, 0));
    sink.write(RUN, &batch(99, outside)).await.unwrap();
    let (mut found, mut after, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = sink.names(Named::Objects, "s3://trail/é_%/", after).await.unwrap();
        let Some((last, _)) = page.last() else { break };
        (after, pages) = (Some(*last), pages + 1);
        found.extend(page.into_iter().map(|(_, uri)| uri));
    }
    let mut expected: Vec<String> = inside.iter().map(|it| format!("s3://trail/{it}")).collect();
    expected.sort();
    found.sort();
    assert_eq!((found, pages), (expected, 2));
    assert!(sink.names(Named::Digests, "s3://trail/", None).await.unwrap().is_empty());
}

fn objects_in_batches<T>(objects: Vec<T>) -> Vec<Vec<T>> {
    let mut parts: Vec<Vec<T>> = Vec::new();
    for object in objects {
        match parts.last_mut() {
            Some(part) if part.len() < 2_000 => part.push(object),
            _ => parts.push(vec![object]),
        }
    }
    parts
}

async fn the_log_files_of_a_folder_have_their_hashes(engine: Engine) {
    let (_scratch, sink) = Scratch::prepared(engine).await;
    let hash = ContentHash::of(b"one");
    let objects = vec![
        numbered("day/hashed", 1).with_content(Some(hash)),
        numbered("day/plain", 1),
        failed("day/failed", "cut off"),
        object("day/skipped", Err(NoRows::Skipped(Kind::Empty))),
        numbered("day/deeper/x", 1),
        numbered("days", 1),
    ];
    sink.write(RUN, &batch(1, objects)).await.unwrap();
    let mut found = sink.ledger_objects("s3://trail/day").await.unwrap();
    found.sort_by(|one, other| one.file.uri.cmp(&other.file.uri));
    let outcomes: Vec<_> = found.iter().map(|it| it.file.outcome.clone()).collect();
    let failed = LedgerOutcome::Failed("cut off".into());
    let skipped = LedgerOutcome::Skipped("empty".into());
    let (hashed, plain) = (LedgerOutcome::Loaded(Some(hash)), LedgerOutcome::Loaded(None));
    assert_eq!(outcomes, [failed, hashed, plain, skipped]);

    let plain = &found[2];
    let content = ContentHash::of(b"two");
    let new = |stored_sha256: &str| {
        let stored_sha256 = stored_sha256.to_owned();
        NewContentHash { id: plain.id, stored_sha256, content }
    };
    // Other bytes than those that were loaded say nothing of what was loaded.
    sink.store_content_hashes(&[new("other")]).await.unwrap();
    let read = async || {
        let found = sink.ledger_objects("s3://trail/day").await.unwrap();
        found.into_iter().find(|it| it.id == plain.id).unwrap().file.outcome
    };
    assert_eq!(read().await, LedgerOutcome::Loaded(None));
    for _ in 0..2 {
        sink.store_content_hashes(&[new(&plain.stored_sha256)]).await.unwrap();
        assert_eq!(read().await, LedgerOutcome::Loaded(Some(content)));
    }
}

fn time(text: &str) -> EventTime {
    EventTime::parse(text).unwrap()
}

fn verdict(trail: &str, state: DigestState, content: &[u8]) -> DigestVerdict {
    let file = format!(
        "111122223333_CloudTrail-Digest_eu-west-1_{trail}_us-east-1_20260115T005731Z.json.gz"
    );
    let uri = format!("s3://trail/{FOLDER}/{file}");
    let is_proven = matches!(state, DigestState::Proven(_));
    let proofs = vec![FileProof([7; 16]), FileProof([0xab; 16])];
    DigestVerdict {
        name: DigestName::of(&uri),
        uri,
        state,
        notes: vec![],
        start: Some(time("2026-01-14T23:57:31Z")),
        sha256: Some(ContentHash::of(content)),
        signature: is_proven.then(|| "0a".repeat(256)),
        previous: Some(("trail-é".into(), "AWSLogs/😀".into())),
        files: FileCounts { named: 2, proven: 2, ..FileCounts::default() },
        proofs: if is_proven { proofs } else { vec![] },
    }
}

fn judged(digests: Vec<DigestVerdict>, deleted: Vec<String>) -> JudgedDay {
    let digest_counts = DigestCounts { found: 2, proven: 1, wrong: 1, ..DigestCounts::default() };
    let coverage = Coverage {
        account: "111122223333".into(),
        region: "eu-west-1".into(),
        day: "2026-01-15".parse().unwrap(),
        seconds: 86_400,
        proven_seconds: 3_600,
        digests: digest_counts,
        files: FileCounts { named: 5, proven: 3, changed: 2, ..FileCounts::default() },
        unnamed: UnnamedCounts { pending: 1, unexpected: 4, ..UnnamedCounts::default() },
    };
    JudgedDay { coverage, digests, deleted, holes: vec![], files: vec![] }
}

async fn a_digest_is_remembered_as_it_was_judged(engine: Engine) {
    let (scratch, sink) = Scratch::prepared(engine).await;
    let verdicts = vec![
        verdict("a", DigestState::Proven(ProvenBy::Successor), b"a"),
        verdict("b", DigestState::Unreadable("not gzip".into()), b"b"),
        verdict("c", DigestState::UnknownKey("f".into()), b"c"),
    ];
    let expected: Vec<RememberedDigest> = verdicts
        .iter()
        .map(|verdict| {
            let is_all_proven = matches!(verdict.state, DigestState::Proven(_));
            RememberedDigest { is_all_proven, ..verdict.remember() }
        })
        .collect();
    let judged = judged(verdicts, vec![expected[0].uri.clone()]);
    // A second time, after a lost answer.
    for _ in 0..2 {
        sink.store_day(&StoredDay::of(ACCOUNT, &judged, &[])).await.unwrap();
        let mut found = sink.remembered_digests(&format!("s3://trail/{FOLDER}")).await.unwrap();
        found.sort_by(|one, other| one.uri.cmp(&other.uri));
        assert_eq!(found, expected);
    }
    let names = sink.names(Named::Digests, ACCOUNT, None).await.unwrap();
    assert_eq!(names.len(), 3);
    let lines = "SELECT trail, state, COALESCE(verified_by, 'NULL'), COALESCE(reason, 'NULL'), end_time, is_backfill, \
         CASE WHEN missing_since IS NULL THEN 'there' ELSE 'missing' END \
         FROM import_digests ORDER BY trail";
    assert_eq!(
        scratch.query(lines).await[..2],
        [
            row(&["a", "proven", "successor", "NULL", "2026-01-15T00:57:31Z", "0", "missing"]),
            row(&["b", "unreadable", "NULL", "not gzip", "2026-01-15T00:57:31Z", "0", "there"]),
        ]
    );
    let days = "SELECT folder, account_id, region, day, seconds, proven_seconds, digest_count, \
         wrong_digest_count, named_count, changed_count, pending_count, unexpected_count \
         FROM import_coverage";
    let day = [
        ACCOUNT,
        "111122223333",
        "eu-west-1",
        "2026-01-15",
        "86400",
        "3600",
        "2",
        "1",
        "5",
        "2",
        "1",
        "4",
    ];
    assert_eq!(scratch.query(days).await, [row(&day)]);
}

async fn a_digest_that_was_proven_once_keeps_its_line(engine: Engine) {
    let (_scratch, sink) = Scratch::prepared(engine).await;
    let proven = verdict("a", DigestState::Proven(ProvenBy::Metadata), b"a");
    let first = judged(vec![proven.clone()], vec![]);
    sink.store_day(&StoredDay::of(ACCOUNT, &first, &[])).await.unwrap();
    let read = async || sink.remembered_digests(&format!("s3://trail/{FOLDER}")).await.unwrap();
    let before = read().await;
    for other in [
        verdict("a", DigestState::WrongSignature, b"a"),
        verdict("a", DigestState::Unreadable("gone".into()), b"a"),
        verdict("a", DigestState::Proven(ProvenBy::Metadata), b"other content"),
    ] {
        let later = judged(vec![other], vec![]);
        sink.store_day(&StoredDay::of(ACCOUNT, &later, &before)).await.unwrap();
        assert_eq!(read().await, before);
    }
    // What is proven again is stored again.
    let again = DigestVerdict { proofs: vec![], files: FileCounts::default(), ..proven };
    let later = judged(vec![again], vec![]);
    sink.store_day(&StoredDay::of(ACCOUNT, &later, &before)).await.unwrap();
    assert_eq!(read().await[0].proofs, []);
}
