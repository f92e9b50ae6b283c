//! Digests: every hour, the hashes of the log files delivered in each account and region.
//!
//! Hashes and the chain from one digest to the one before are right. The
//! signatures have the right form but sign nothing: only AWS has the key.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use crate::form::Form;
use crate::layout::TRAIL;
use crate::random::mix;
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

    /// Returns the JSON of the digest at `key`, and makes it the latest of the chain.
    ///
    /// `bits` stands for the signature.
    pub(crate) fn add(
        &mut self,
        account: &str,
        key: String,
        closed_secs: i64,
        files: &[Listed],
        bits: u64,
    ) -> String {
        let mut json = String::with_capacity(1_500 + files.len() * 500);
        write!(json, "{{\"awsAccountId\":\"{account}\",\"digestStartTime\":\"")
            .expect("a String takes all");
        push_time(closed_secs - 3600, &mut json);
        json.push_str("\",\"digestEndTime\":\"");
        push_time(closed_secs, &mut json);
        write!(json, "\",\"digestS3Bucket\":\"{BUCKET}\",\"digestS3Object\":\"{key}\",\"digestPublicKeyFingerprint\":\"")
            .expect("a String takes all");
        Form::Hex(32).write(crate::random::hash(TRAIL), &mut json);
        json.push_str("\",\"digestSignatureAlgorithm\":\"SHA256withRSA\"");
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
        let mut signature = String::new();
        Form::Hex(512).write(mix(bits, 0x516e), &mut signature);
        self.0 = Some(Link { key, hash: Sha256::digest(json.as_bytes()).into(), signature });
        json
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
