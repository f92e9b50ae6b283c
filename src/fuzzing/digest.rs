//! Digests, files of public keys, and the names of digests and log files: what is read is what is
//! written, and nothing panics.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Choices;
use crate::trail::integrity::digest::ReadDigest;
use crate::trail::integrity::hash::ContentHash;
use crate::trail::integrity::key::{Chain, DigestName, LogName, path_in_trail};
use crate::trail::integrity::public_keys::KeyRing;
use crate::trail::integrity::signature::{is_signature_of, string_to_sign};
use crate::trail::layout::Layout;

/// Reads the bytes, or an input that is generated from them, as a digest, as a file of keys and as a
/// name.
///
/// # Panics
/// If a generated input that was not damaged is refused, or if what is read is not what is written.
pub fn digest(data: &[u8]) {
    let Some((&mode, rest)) = data.split_first() else { return };
    let mut choices = Choices::new(rest);
    match mode & 3 {
        0 => {
            read_digest(rest, false);
            read_keys(rest, false);
            read_names(&String::from_utf8_lossy(rest));
        }
        1 => {
            let (content, is_whole) = digest_json(&mut choices);
            read_digest(&content, is_whole);
        }
        2 => {
            let (file, is_whole) = key_file(&mut choices);
            read_keys(&file, is_whole);
        }
        _ => read_names(&name(&mut choices)),
    }
}

fn read_digest(content: &[u8], is_whole: bool) {
    let read = match ReadDigest::parse(content) {
        Ok(read) => read,
        Err(error) => return assert!(!is_whole, "{error}: {}", String::from_utf8_lossy(content)),
    };
    assert_eq!(read.sha256, ContentHash::of(content));
    let digest = &read.digest;
    assert!(digest.start <= digest.end);
    let text = string_to_sign(&read);
    assert!(text.starts_with(&format!("{}\n{}/", digest.end_text, digest.bucket)));
    assert!(text.contains(&format!("\n{}\n", read.sha256)));
    if let Some(previous) = &digest.previous {
        assert!((&previous.bucket, &previous.key) != (&digest.bucket, &digest.key));
        let ring = KeyRing::parse(&key_file_of(&public_key(&[1; 256]))).expect("a key");
        let key = ring.keys().next().expect("one key");
        assert!(!is_signature_of(&read, key, &previous.signature), "a signature by nobody");
    }
}

fn read_keys(file: &[u8], is_whole: bool) {
    let mut ring = match KeyRing::parse(file) {
        Ok(ring) => ring,
        Err(error) => return assert!(!is_whole, "{error:?}: {}", String::from_utf8_lossy(file)),
    };
    assert!(!ring.is_empty());
    for key in ring.keys() {
        assert_eq!(ring.get(&key.fingerprint), Some(key));
        let mut other = KeyRing::default();
        other.add_der(key.pkcs1_der(), Some(&key.fingerprint)).expect("it was accepted before");
    }
    let before = ring.clone();
    ring.merge(before.clone());
    assert_eq!(ring, before);
}

fn read_names(uri: &str) {
    if let Some(path) = path_in_trail(uri) {
        assert!(uri.ends_with(path) && path.starts_with("AWSLogs/"));
        assert_eq!(path_in_trail(path), Some(path));
    }
    let file = uri.rsplit('/').next().unwrap_or_default();
    let (digest, log) = (DigestName::of(uri), LogName::of(uri));
    assert!(digest.is_none() || log.is_none(), "{uri:?} is both");
    if let Some(DigestName { chain, end, day }) = digest {
        let time = end.to_string().replace([':', '-'], "").replace(' ', "T");
        let Chain { account, region, trail, home_region, is_backfill } = chain;
        let backfill = if is_backfill { "_backfill" } else { "" };
        let expected = format!(
            "{account}_CloudTrail-Digest_{region}_{trail}_{home_region}_{time}Z{backfill}.json"
        );
        assert_eq!(file.strip_suffix(".gz").unwrap_or(file), expected);
        assert!(end.to_string().starts_with(&day.to_string()));
    }
    if let Some(log) = log {
        assert_eq!(Layout::of(uri).map(|layout| layout.day), Some(log.day));
        if let Some(time) = log.delivered {
            let time = time.to_string().replace([':', '-'], "").replace(' ', "T");
            assert!(file.contains(&format!("_{}Z", &time[..13])), "{uri:?}");
        }
    }
}

/// Returns a digest, and whether it is one that has to be read.
fn digest_json(choices: &mut Choices<'_>) -> (Vec<u8>, bool) {
    const HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let mut is_whole = true;
    let mut value = |choices: &mut Choices<'_>, usual: &str| {
        if choices.once_in(24) {
            is_whole = false;
            let text = choices.text(12);
            let quoted = format!("{text:?}");
            return choices.one_of(&["null", "1", "{}", "[]", "\"\"", &quoted]).to_owned();
        }
        format!("\"{usual}\"")
    };
    let slash = choices.one_of(&["/", "\\/", "\\u002f"]);
    let place = |name: &str| format!("AWSLogs{slash}{name}").replace('"', "");
    let start = choices.one_of(&["2026-01-15T00:57:31Z", "2026-01-15T01:57:31Z"]);
    let mut json = String::from("{");
    let mut fields = vec![
        ("awsAccountId", value(choices, "111122223333")),
        ("digestStartTime", value(choices, start)),
        ("digestEndTime", value(choices, "2026-01-15T01:57:31Z")),
        ("digestS3Bucket", value(choices, "b")),
        ("digestS3Object", value(choices, &place("b"))),
        ("digestPublicKeyFingerprint", value(choices, "f")),
        ("digestSignatureAlgorithm", value(choices, "SHA256withRSA")),
    ];
    if choices.once_in(2) {
        fields.extend([
            ("previousDigestS3Bucket", value(choices, "b")),
            ("previousDigestS3Object", value(choices, &place("a"))),
            ("previousDigestHashValue", value(choices, HASH)),
            ("previousDigestHashAlgorithm", value(choices, "SHA-256")),
            ("previousDigestSignature", value(choices, "00ff")),
        ]);
    }
    let files = (0..choices.up_to(3)).map(|_| {
        format!(
            r#"{{"s3Bucket":{},"s3Object":{},"hashValue":{},"hashAlgorithm":{},"newestEventTime":null}}"#,
            value(choices, "b"),
            value(choices, &place("c")),
            value(choices, HASH),
            value(choices, "SHA-256"),
        )
    });
    let files: Vec<String> = files.collect();
    fields.push(("logFiles", format!("[{}]", files.join(","))));
    for (place, (name, value)) in fields.iter().enumerate() {
        json += &format!("{}\"{name}\":{value}", if place == 0 { "" } else { "," });
    }
    let mut content = (json + "}").into_bytes();
    if choices.once_in(4) {
        is_whole = false;
        choices.damage(&mut content);
    }
    (content, is_whole)
}

/// Returns a file of keys, and whether it is one that has to be read.
fn key_file(choices: &mut Choices<'_>) -> (Vec<u8>, bool) {
    let mut modulus = [0x41; 256];
    for (byte, chosen) in modulus[1..].iter_mut().zip(choices.bytes(32)) {
        *byte = chosen;
    }
    let mut key = public_key(&modulus);
    let mut is_whole = true;
    if choices.once_in(2) {
        is_whole = false;
        choices.damage(&mut key);
    }
    let mut file = key_file_of(&key);
    if choices.once_in(4) {
        is_whole = false;
        choices.damage(&mut file);
    }
    // The first byte is set, so the modulus has nearly all of its bits.
    (file, is_whole)
}

fn key_file_of(key: &[u8]) -> Vec<u8> {
    format!("{{\"PublicKeyList\":[{{\"Value\":\"{}\"}}]}}", STANDARD.encode(key)).into_bytes()
}

/// Returns the DER of a key of 2,048 bits: with a zero in front, the modulus is positive.
fn public_key(modulus: &[u8; 256]) -> Vec<u8> {
    let mut modulus = *modulus;
    modulus[0] |= 0x80;
    let head = [0x30, 0x82, 0x01, 0x0a, 0x02, 0x82, 0x01, 0x01, 0x00];
    [&head[..], &modulus, &[0x02, 0x03, 0x01, 0x00, 0x01]].concat()
}

/// Returns a key, in most cases one that nearly is that of a digest or a log file.
fn name(choices: &mut Choices<'_>) -> String {
    const PARTS: [&[&str]; 11] = [
        &["", "p/", "s3://b/", "AWSLogs/", "MyAWSLogs/"],
        &["AWSLogs/", "AWSLogs/o-abc/", "AWSLogs//"],
        &["111122223333/", "444455556666/", "1/"],
        &["CloudTrail-Digest/", "CloudTrail/", "CloudTrail-Insight/", "CloudTrail-X/"],
        &["us-east-1/", "eu_west/", "/"],
        &["2026/01/15/", "2026/01/16/", "2026/02/30/"],
        &["111122223333_CloudTrail-Digest_us-east-1_", "111122223333_CloudTrail_us-east-1_", "_"],
        &["main_", "a_b.c_", "_", "", "20260115T0050Z_"],
        &["us-east-1_", "", "_"],
        &["20260115T005731Z", "20260115T0050Z", "20260115T005760Z", "2026T", "Z"],
        &[".json.gz", "_backfill.json.gz", "_x.json.gz", ".json", ""],
    ];
    let mut name = String::new();
    for part in PARTS {
        match choices.up_to(31) {
            0 => {}
            1 => name += &choices.text(12),
            2..6 => name += choices.one_of(part),
            _ => name += part[0],
        }
    }
    name
}
