//! What an object holds decides its fate, and only its own.

use super::memory_source::{log_json, name};
use super::*;
use crate::trail::gzip::decoded_bytes_hint;
use crate::trail::record::Kind;

async fn load_with_good(stored: Vec<u8>, file: &str) -> (Tally, Arc<MemoryStore>) {
    let (source, sink) = (Arc::new(MemorySource::new()), new_sink());
    source.put(&name(0), log_gz(&["good 0"]));
    source.put(file, stored);
    source.put(&name(1), log_gz(&["good 1"]));
    let tally = complete(&source, &sink).await;
    assert_eq!(tally.listed.objects, 3);
    (tally, sink)
}

#[tokio::test(start_paused = true)]
async fn what_is_no_log_is_skipped_and_counted_by_its_kind() {
    let digest = gz(br#"{"digestS3Object":"x","logFiles":[]}"#);
    let notification = br#"{"Records":[{"eventSource":"aws:s3","eventName":"x"}]}"#;
    for (file, stored, kind) in [
        ("a.json.gz", digest, Kind::Digest),
        ("folder/", Vec::new(), Kind::Empty),
        ("b.json", notification.to_vec(), Kind::S3Notification),
        ("c.json", br#"{"configurationItems":[]}"#.to_vec(), Kind::ConfigItems),
        ("d.json", b"{}".to_vec(), Kind::OtherJson),
        ("photo.jpg", b"\xff\xd8\xff\xe0 JFIF".to_vec(), Kind::OtherFile),
        ("notes.txt", b"to do: sleep".to_vec(), Kind::OtherFile),
    ] {
        let size_bytes = stored.len() as u64;
        let (tally, sink) = load_with_good(stored, file).await;
        let count = tally.skipped[&kind];
        assert_eq!((count.objects, count.bytes, tally.skipped.len()), (1, size_bytes, 1), "{file}");
        assert_eq!((tally.loaded.objects, sink.rows()), (2, 2), "{file}");
        let skipped = ObjectOutcome::Skipped(kind);
        assert!(sink.state().lines.values().any(|line| line.outcome == skipped), "{file}");
        assert!(!tally.has_losses(), "{file}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_skipped_is_not_fetched_again_until_it_changes() {
    let (source, sink) = (Arc::new(MemorySource::new()), new_sink());
    source.put("a.json", b"{}".to_vec());
    for _ in 0..2 {
        let tally = complete(&source, &sink).await;
        assert_eq!(tally.skipped[&Kind::OtherJson].objects, 1);
        assert_eq!(source.fetches(), 1);
    }
    source.put("a.json", log_json(&["a", "b"]).into_bytes());
    let tally = complete(&source, &sink).await;
    assert_eq!((tally.loaded.objects, sink.rows(), source.fetches()), (1, 2, 2));
}

#[tokio::test(start_paused = true)]
async fn a_log_that_cannot_be_read_fails_alone() {
    let good = log_gz(&["x"]);
    let garbage = [&*good, b"garbage"].concat();
    let depth = 10_000;
    let deep = format!(r#"{{"Records":[{{"eventVersion":"1","eventID":{}}}"#, "[".repeat(depth));
    for (what, stored) in [
        ("cut gzip", good[..good.len() - 9].to_vec()),
        ("garbage after gzip", garbage),
        ("neither gzip nor JSON", b"hello".to_vec()),
        ("cut JSON", gz(br#"{"Records":[{"eventVersion":"1","eventID":"a"},{"eve"#)),
        ("cut and deep", gz(deep.as_bytes())),
        ("Records is no array", gz(br#"{"Records":17}"#)),
        ("empty", Vec::new()),
    ] {
        let (tally, sink) = load_with_good(stored, "x.json.gz").await;
        assert_eq!((tally.loaded.objects, tally.failed.objects), (2, 1), "{what}");
        assert_eq!((sink.rows(), sink.lines("failed")), (2, 1), "{what}");
        assert!(tally.has_losses(), "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_rejected_record_is_counted_and_the_others_load() {
    let json = br#"{"Records":[{"eventVersion":"1","eventID":"a"},17,{"eventVersion":"1","eventID":"b"},null]}"#;
    let (tally, sink) = load_with_good(gz(json), "x.json.gz").await;
    assert_eq!((tally.records, tally.rows, tally.rejects), (6, 4, 2));
    assert_eq!((tally.loaded.objects, sink.rows()), (3, 4));
}

#[tokio::test(start_paused = true)]
async fn every_member_is_read_though_the_last_trailer_promises_less() {
    let ids: Vec<String> = (0..3_000).map(|n| format!("id {n}")).collect();
    let json = log_json(&ids);
    let (first, last) = json.split_at(json.len() - 10);
    let stored = [gz(first.as_bytes()), gz(last.as_bytes())].concat();
    assert!((decoded_bytes_hint(&stored)) < 100);
    let (tally, sink) = load_with_good(stored, "x.json.gz").await;
    assert_eq!((tally.loaded.objects, tally.rows, sink.rows()), (3, 3_002, 3_002));
}

#[tokio::test(start_paused = true)]
async fn an_object_above_the_cap_fails_alone() {
    let object_bytes_max = plan().object_bytes_max;
    let spaces = |bytes: u64| vec![b' '; usize::try_from(bytes).unwrap()];
    let log = log_json(&["x"]).into_bytes();
    let fits = object_bytes_max - log.len() as u64;
    for (padding, is_loaded) in [(fits, true), (fits + 1, false), (5 << 20, false)] {
        let json = [log.clone(), spaces(padding)].concat();
        let (tally, _) = load_with_good(gz(&json), "x.json.gz").await;
        let expected = if is_loaded { (3, 0) } else { (2, 1) };
        assert_eq!((tally.loaded.objects, tally.failed.objects), expected, "{padding}");
        // Several members, none of which is too large.
        let members = [gz(&log), gz(&spaces(padding / 2)), gz(&spaces(padding - padding / 2))];
        let (tally, _) = load_with_good(members.concat(), "x.json.gz").await;
        assert_eq!((tally.loaded.objects, tally.failed.objects), expected, "{padding} in members");
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_version_of_the_same_bytes_is_fetched_once() {
    let (source, sink) = (logs(), new_sink());
    complete(&source, &sink).await;
    source.touch(&name(3));
    for _ in 0..3 {
        let tally = complete(&source, &sink).await;
        assert_eq!((tally.already_loaded.objects, tally.failed.objects), (41, 0));
        assert_eq!((sink.rows(), source.fetches()), (123, 42));
    }
}

#[tokio::test(start_paused = true)]
async fn the_new_version_is_recorded_although_answers_are_lost() {
    for fault in [Fault::Lose, Fault::Break, Fault::Late, Fault::Conflict, Fault::Refuse] {
        let (source, sink) = (logs(), new_sink());
        complete(&source, &sink).await;
        source.touch(&name(3));
        sink.state().write_faults.push_back(fault);
        let tally = complete(&source, &sink).await;
        assert_eq!(tally.already_loaded.objects, 41, "{fault:?}");
        complete(&source, &sink).await;
        // A refused update is tried again by the next run.
        let fetches = if fault == Fault::Refuse { 43 } else { 42 };
        assert_eq!((sink.rows(), source.fetches()), (123, fetches), "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_loaded_object_with_other_content_is_recorded_as_changed_and_its_rows_stay() {
    let (source, sink) = (logs(), new_sink());
    complete(&source, &sink).await;
    source.put(&name(3), log_gz(&["3/0", "3/1", "3/2", "3/3"]));
    for _ in 0..2 {
        let tally = complete(&source, &sink).await;
        assert_eq!((tally.already_loaded.objects, tally.failed.objects), (40, 1));
        assert!(tally.has_losses());
        assert_eq!((sink.rows(), sink.lines("loaded"), sink.lines("changed")), (123, 40, 1));
        // The second of these runs does not fetch it.
        assert_eq!(source.fetches(), 42);
    }
    // Another change is compared again; the loaded content comes back.
    source.put(&name(3), log_gz(&["3/0"]));
    assert_eq!(complete(&source, &sink).await.failed.objects, 1);
    source.put(&name(3), log_gz(&["3/0", "3/1", "3/2"]));
    for _ in 0..2 {
        let tally = complete(&source, &sink).await;
        assert_eq!((tally.already_loaded.objects, tally.failed.objects), (41, 0));
        assert_eq!((sink.rows(), sink.lines("loaded"), source.fetches()), (123, 41, 44));
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_object_that_is_mended_loads() {
    let (source, sink) = (logs(), new_sink());
    source.put(&name(3), gz(b"{\"Records\":["));
    let tally = complete(&source, &sink).await;
    assert_eq!((tally.loaded.objects, tally.failed.objects), (40, 1));
    source.put(&name(3), log_gz(&["3/0", "3/1", "3/2"]));
    assert_next_run_completes(&source, &sink).await;
}
