use super::*;

const HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// A digest with one log file and a digest before, with escaped slashes as in real ones.
fn json() -> String {
    format!(
        r#"{{"awsAccountId":"111122223333","digestStartTime":"2026-01-15T00:57:31Z",
"digestEndTime":"2026-01-15T01:57:31Z","digestS3Bucket":"b","digestS3Object":"AWSLogs\/1\/b.json.gz",
"digestPublicKeyFingerprint":"f00","digestSignatureAlgorithm":"SHA256withRSA",
"newestEventTime":"2026-01-15T01:50:00Z","oldestEventTime":null,
"previousDigestS3Bucket":"b","previousDigestS3Object":"AWSLogs\/1\/a.json.gz",
"previousDigestHashValue":"{HASH}","previousDigestHashAlgorithm":"SHA-256",
"previousDigestSignature":"0aFF","aNewField":[{{}}],
"logFiles":[{{"s3Bucket":"c","s3Object":"AWSLogs\/1\/x.json.gz","hashValue":"{HASH}",
"hashAlgorithm":"SHA-256","newestEventTime":"2026-01-15T01:50:00Z","oldestEventTime":"2026-01-15T01:40:00Z"}}]}}"#
    )
}

fn error(json: &str) -> String {
    ReadDigest::parse(json.as_bytes()).unwrap_err().to_string()
}

#[test]
fn all_fields_are_read_and_escaped_slashes_are_slashes() {
    let text = json();
    let read = ReadDigest::parse(text.as_bytes()).unwrap();
    assert_eq!(read.sha256, ContentHash::of(text.as_bytes()));
    let digest = read.digest;
    assert_eq!(digest.account, "111122223333");
    assert_eq!(digest.start.to_string(), "2026-01-15 00:57:31");
    assert_eq!(digest.end.to_string(), "2026-01-15 01:57:31");
    assert_eq!(digest.end_text, "2026-01-15T01:57:31Z");
    assert_eq!((&*digest.bucket, &*digest.key), ("b", "AWSLogs/1/b.json.gz"));
    assert_eq!(digest.fingerprint, "f00");
    assert_eq!(digest.newest_event.unwrap().to_string(), "2026-01-15 01:50:00");
    assert_eq!(digest.oldest_event, None);
    let previous = digest.previous.unwrap();
    assert_eq!((&*previous.bucket, &*previous.key), ("b", "AWSLogs/1/a.json.gz"));
    assert_eq!((previous.sha256, &*previous.signature), (ContentHash::of(b""), "0aFF"));
    let [file] = &digest.files[..] else { panic!("one file") };
    assert_eq!((&*file.bucket, &*file.key), ("c", "AWSLogs/1/x.json.gz"));
    assert_eq!(file.sha256, ContentHash::of(b""));
    assert_eq!(file.oldest_event.unwrap().to_string(), "2026-01-15 01:40:00");
}

#[test]
fn a_starting_digest_has_no_previous_digest_and_an_empty_hour_no_files() {
    let text = format!(
        r#"{{"awsAccountId":"1","digestStartTime":"2026-01-15T00:57:31Z",
"digestEndTime":"2026-01-15T00:57:31Z","digestS3Bucket":"b","digestS3Object":"k",
"digestPublicKeyFingerprint":"f","digestSignatureAlgorithm":"SHA256withRSA","newestEventTime":null,
"previousDigestS3Bucket":null,"logFiles":[]}}{}"#,
        "\n"
    );
    let digest = ReadDigest::parse(text.as_bytes()).unwrap().digest;
    assert_eq!((digest.previous, digest.files), (None, vec![]));
}

#[test]
fn every_error_names_the_field() {
    for (part, other, expected) in [
        ("\"awsAccountId\"", "\"x\"", "no `awsAccountId`"),
        ("\"111122223333\"", "111122223333", "`awsAccountId` is not a text"),
        ("\"111122223333\"", "\"\\ud800\"", "`awsAccountId` is not a text"),
        ("2026-01-15T00:57:31Z", "yesterday", "`digestStartTime` is not a time"),
        ("2026-01-15T00", "2026-01-15T03", "`digestEndTime` is before `digestStartTime`"),
        (
            "\"SHA256withRSA\"",
            "\"none\"",
            "`digestSignatureAlgorithm` names `none`, which is not `SHA256withRSA`",
        ),
        (
            "\"previousDigestHashAlgorithm\":\"SHA-256\"",
            "\"previousDigestHashAlgorithm\":\"MD5\"",
            "`previousDigestHashAlgorithm` names `MD5`, which is not `SHA-256`",
        ),
        ("\"0aFF\"", "null", "no `previousDigestSignature`"),
        (
            "\"previousDigestHashValue\":\"e",
            "\"previousDigestHashValue\":\"z",
            "`previousDigestHashValue` is not a SHA-256 hash of 64 hexadecimal digits",
        ),
        (
            "\"previousDigestS3Object\":\"AWSLogs\\/1\\/a",
            "\"previousDigestS3Object\":\"AWSLogs/1/b",
            "`previousDigestS3Object` is the digest itself",
        ),
        (
            "\"hashValue\":\"e",
            "\"hashValue\":\"",
            "`logFiles[0].hashValue` is not a SHA-256 hash of 64 hexadecimal digits",
        ),
        ("\"hashAlgorithm\"", "\"h\"", "no `logFiles[0].hashAlgorithm`"),
        ("\"logFiles\"", "\"l\"", "no `logFiles`"),
        ("\"logFiles\":[", "\"logFiles\":[1,", "the content does not have the form of a digest"),
        (
            "{\"awsAccountId\"",
            "{\"logFiles\":[],\"awsAccountId\"",
            "the content does not have the form of a digest",
        ),
        ("{\"awsAccountId\"", "{,\"awsAccountId\"", "the content is not JSON"),
    ] {
        let text = json();
        let damaged = text.replacen(part, other, 1);
        assert_ne!(damaged, text, "{part}");
        assert_eq!(error(&damaged), expected);
    }
    assert_eq!(error("[]"), "the content is not a JSON object");
    assert_eq!(error(""), "the content is not JSON");
    assert!(matches!(ReadDigest::parse(b"{\"a\":\"\xff\"}"), Err(DigestError::NotJson(_))));
}

#[test]
fn a_digest_of_many_files_is_read_in_linear_time() {
    let text = json();
    let (start, file) = text.split_once("\"logFiles\":[").unwrap();
    let file = file.strip_suffix("]}").unwrap();
    let time = |files: usize| {
        let text = format!("{start}\"logFiles\":[{}]}}", vec![file; files].join(","));
        let once = || {
            let start = std::time::Instant::now();
            let read = ReadDigest::parse(text.as_bytes()).unwrap();
            assert_eq!(read.digest.files.len(), files);
            start.elapsed()
        };
        // Other programs on the machine only slow it down.
        once().min(once())
    };
    // Quadratic time would be 100 times as much.
    let (few, many) = (time(10_000), time(100_000));
    assert!(many < few * 40, "{few:?} and {many:?}");
}
