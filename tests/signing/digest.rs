//! Makes digests that are really signed, for the unit tests of `trail::integrity` and for the tests of
//! the program.
//!
//! It uses nothing of the program, so that the same mistake is not on both sides.

mod key;

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

pub(crate) use self::key::{Signer, hex, public_keys};

/// What a digest is to say.
#[derive(Debug, Clone)]
pub(crate) struct DigestPlan {
    pub(crate) bucket: String,
    /// What precedes `AWSLogs/`.
    pub(crate) prefix: String,
    /// What follows `AWSLogs/`: the folder of an organization, with its slash.
    pub(crate) organization: String,
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) trail: String,
    /// `_backfill`, or nothing.
    pub(crate) suffix: String,
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
    /// Keys and the hashes of contents, in hexadecimal digits.
    pub(crate) files: Vec<(String, String)>,
    pub(crate) escapes_slashes: bool,
}

/// A digest and its signature.
#[derive(Debug, Clone)]
pub(crate) struct SignedDigest {
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) content: String,
    pub(crate) signature: String,
}

impl DigestPlan {
    /// An empty digest of the hour that ends at this time.
    pub(crate) fn hour(end: &str) -> Self {
        let end: Timestamp = end.parse().unwrap();
        Self {
            bucket: "trail".to_owned(),
            prefix: String::new(),
            organization: String::new(),
            account: "111122223333".to_owned(),
            region: "eu-central-1".to_owned(),
            trail: "main".to_owned(),
            suffix: String::new(),
            start: end - SignedDuration::from_hours(1),
            end,
            files: Vec::new(),
            escapes_slashes: false,
        }
    }

    /// The same digest, later and without files.
    pub(crate) fn after(&self, seconds: i64) -> Self {
        let later = SignedDuration::from_secs(seconds);
        Self { start: self.start + later, end: self.end + later, files: vec![], ..self.clone() }
    }

    /// Returns the key that it is delivered under.
    pub(crate) fn key(&self) -> String {
        let Self { prefix, organization, account, region, trail, suffix, .. } = self;
        let end = self.end.to_string();
        let day = end[..10].replace('-', "/");
        let time = end.replace(['-', ':'], "");
        format!(
            "{prefix}AWSLogs/{organization}{account}/CloudTrail-Digest/{region}/{day}/\
             {account}_CloudTrail-Digest_{region}_{trail}_us-east-1_{time}{suffix}.json.gz"
        )
    }
}

impl Signer {
    /// Makes the digest that follows `previous`.
    pub(crate) fn digest(
        &self,
        plan: &DigestPlan,
        previous: Option<&SignedDigest>,
    ) -> SignedDigest {
        let DigestPlan { account, bucket, start, end, .. } = plan;
        let (key, fingerprint) = (plan.key(), self.fingerprint());
        let or_null = |value: fn(&SignedDigest) -> String| {
            previous.map_or("null".to_owned(), |it| format!("\"{}\"", value(it)))
        };
        let files = plan.files.iter().map(|(key, hash)| {
            format!(
                "{{\"s3Bucket\":\"{bucket}\",\"s3Object\":\"{key}\",\"hashValue\":\"{hash}\",\
                 \"hashAlgorithm\":\"SHA-256\",\"newestEventTime\":\"{end}\",\
                 \"oldestEventTime\":\"{end}\"}}"
            )
        });
        let mut content = format!(
            "{{\"awsAccountId\":\"{account}\",\"digestStartTime\":\"{start}\",\
             \"digestEndTime\":\"{end}\",\"digestS3Bucket\":\"{bucket}\",\
             \"digestS3Object\":\"{key}\",\"digestPublicKeyFingerprint\":\"{fingerprint}\",\
             \"digestSignatureAlgorithm\":\"SHA256withRSA\",\
             \"newestEventTime\":null,\"oldestEventTime\":null,\
             \"previousDigestS3Bucket\":{},\"previousDigestS3Object\":{},\
             \"previousDigestHashValue\":{},\"previousDigestHashAlgorithm\":{},\
             \"previousDigestSignature\":{},\"logFiles\":[{}]}}",
            or_null(|it| it.bucket.clone()),
            or_null(|it| it.key.clone()),
            or_null(|it| sha256(it.content.as_bytes())),
            or_null(|_| "SHA-256".to_owned()),
            or_null(|it| it.signature.clone()),
            files.collect::<Vec<_>>().join(",")
        );
        if plan.escapes_slashes {
            content = content.replace('/', "\\/");
        }
        // AWS CloudTrail user guide, "Custom implementations of CloudTrail log file integrity validation".
        let previous = previous.map_or("null", |it| &it.signature);
        let hash = sha256(content.as_bytes());
        let signature = self.sign(&format!("{end}\n{bucket}/{key}\n{hash}\n{previous}"));
        SignedDigest { bucket: bucket.clone(), key, content, signature }
    }
}

/// Returns the hash of a content, as digests have it.
pub(crate) fn sha256(content: &[u8]) -> String {
    hex(&Sha256::digest(content))
}
