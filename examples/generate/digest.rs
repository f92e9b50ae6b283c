//! Digests: every hour, the hashes of the log files delivered in each account and region.
//!
//! Hashes, the chain from one digest to the one before, and signatures are right. The keys are those of
//! the tests: only AWS has its own.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use crate::signer::Signer;
use crate::value::push_time;

/// Name of the bucket the tree pretends to be in.
const BUCKET: &str = "example-org-cloudtrail";
/// Digests are closed this many seconds into the hour, so that all files named
/// by one hour are in the digest named by that hour.
const CLOSED_SECS: i64 = 57 * 60 + 31;

/// A log file, as a digest lists it.
#[derive(Debug, Clone)]
pub(crate) struct Listed {
    /// Key in the bucket.
    pub(crate) key: String,
    /// SHA-256 of the uncompressed bytes.
    pub(crate) hash: [u8; 32],
    /// Time of the oldest event in it, in seconds since 1970.
    pub(crate) oldest_secs: i64,
    /// Time of the newest.
    pub(crate) newest_secs: i64,
}

/// What a digest is to say.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DigestPlan<'a> {
    /// The account, 12 digits.
    pub(crate) account: &'a str,
    /// Key in the bucket.
    pub(crate) key: &'a str,
    /// When it is closed, in seconds since 1970.
    pub(crate) closed_secs: i64,
    /// The log files of its hour.
    pub(crate) files: &'a [Listed],
    /// Whether slashes are written `\/`, as in real digests.
    pub(crate) escapes_slashes: bool,
}

/// The latest digest of one account and region.
#[derive(Debug, Clone)]
struct Link {
    key: String,
    hash: [u8; 32],
    signature: String,
}

/// The digests of one account and region, each naming the one before.
#[derive(Debug, Clone, Default)]
pub(crate) struct Chain(Option<Link>);

impl Chain {
    /// Returns the time at which the digest of the hour from `start_secs` is closed.
    pub(crate) fn closed_secs(start_secs: i64) -> i64 {
        start_secs + CLOSED_SECS
    }

    /// Returns the JSON of a digest, and makes it the latest of the chain.
    pub(crate) fn add(&mut self, plan: &DigestPlan<'_>, signer: &Signer) -> String {
        let DigestPlan { account, key, closed_secs, files, escapes_slashes } = *plan;
        let mut json = String::with_capacity(1_500 + files.len() * 500);
        write!(json, "{{\"awsAccountId\":\"{account}\",\"digestStartTime\":\"")
            .expect("a String takes all");
        push_time(closed_secs - 3600, &mut json);
        let mut end = String::new();
        push_time(closed_secs, &mut end);
        write!(
            json,
            "\",\"digestEndTime\":\"{end}\",\"digestS3Bucket\":\"{BUCKET}\",\
             \"digestS3Object\":\"{key}\",\"digestPublicKeyFingerprint\":\"{}\",\
             \"digestSignatureAlgorithm\":\"SHA256withRSA\"",
            signer.fingerprint()
        )
        .expect("a String takes all");
        push_span(files, &mut json);
        self.push_previous(&mut json);
        json.push_str(",\"logFiles\":[");
        for (number, file) in files.iter().enumerate() {
            if number > 0 {
                json.push(',');
            }
            write!(
                json,
                "{{\"s3Bucket\":\"{BUCKET}\",\"s3Object\":\"{}\",\"hashValue\":\"",
                file.key
            )
            .expect("a String takes all");
            push_hash(&file.hash, &mut json);
            json.push_str("\",\"hashAlgorithm\":\"SHA-256\"");
            push_span(std::slice::from_ref(file), &mut json);
            json.push('}');
        }
        json.push_str("]}");
        if escapes_slashes {
            json = json.replace('/', "\\/");
        }
        let hash = Sha256::digest(json.as_bytes()).into();
        let mut text = format!("{end}\n{BUCKET}/{key}\n");
        push_hash(&hash, &mut text);
        let previous = self.0.as_ref().map_or("null", |link| &link.signature);
        write!(text, "\n{previous}").expect("a String takes all");
        self.0 = Some(Link { key: key.to_owned(), hash, signature: signer.sign(&text) });
        json
    }

    /// Returns the signature of the latest digest, in hexadecimal digits.
    pub(crate) fn signature(&self) -> &str {
        self.0.as_ref().map_or("", |link| &link.signature)
    }

    fn push_previous(&self, json: &mut String) {
        let Some(link) = &self.0 else {
            json.push_str(
                ",\"previousDigestS3Bucket\":null,\"previousDigestS3Object\":null,\
                 \"previousDigestHashValue\":null,\"previousDigestHashAlgorithm\":null,\
                 \"previousDigestSignature\":null",
            );
            return;
        };
        write!(
            json,
            ",\"previousDigestS3Bucket\":\"{BUCKET}\",\"previousDigestS3Object\":\"{}\",\"previousDigestHashValue\":\"",
            link.key
        )
        .expect("a String takes all");
        push_hash(&link.hash, json);
        write!(
            json,
            "\",\"previousDigestHashAlgorithm\":\"SHA-256\",\"previousDigestSignature\":\"{}\"",
            link.signature
        )
        .expect("a String takes all");
    }
}

/// Writes the times of the newest and oldest event of `files`: null if there are none.
fn push_span(files: &[Listed], json: &mut String) {
    let newest = files.iter().map(|file| file.newest_secs).max();
    let oldest = files.iter().map(|file| file.oldest_secs).min();
    for (name, secs) in [("newest", newest), ("oldest", oldest)] {
        write!(json, ",\"{name}EventTime\":").expect("a String takes all");
        if let Some(secs) = secs {
            json.push('"');
            push_time(secs, json);
            json.push('"');
        } else {
            json.push_str("null");
        }
    }
}

fn push_hash(hash: &[u8; 32], json: &mut String) {
    for byte in hash {
        crate::form::push_hex(u64::from(*byte), 2, json);
    }
}
