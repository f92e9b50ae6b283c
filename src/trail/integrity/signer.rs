//! Makes digests that are really signed, for tests.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use ring::rand::SystemRandom;
use ring::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};

use super::digest::ReadDigest;
use super::hash::{ContentHash, encode_hex};
use super::public_keys::KeyRing;
use super::signature::string_to_sign;
use crate::trail::time::EventTime;

/// A private key that signs.
pub(super) struct Signer {
    key: RsaKeyPair,
    fingerprint: String,
}

/// What a digest is to say.
#[derive(Debug, Clone)]
pub(super) struct DigestPlan {
    pub(super) bucket: String,
    pub(super) prefix: String,
    pub(super) account: String,
    pub(super) region: String,
    pub(super) trail: String,
    pub(super) suffix: String,
    pub(super) start: EventTime,
    pub(super) end: EventTime,
    /// Keys and contents' hashes.
    pub(super) files: Vec<(String, ContentHash)>,
    pub(super) escapes_slashes: bool,
}

/// A digest and its signature.
#[derive(Debug, Clone)]
pub(super) struct SignedDigest {
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) content: String,
    pub(super) signature: String,
}

impl DigestPlan {
    /// An empty digest of the hour that ends at this time.
    pub(super) fn hour(end: &str) -> Self {
        let end = EventTime::parse(end).unwrap();
        Self {
            bucket: "trail".to_owned(),
            prefix: String::new(),
            account: "111122223333".to_owned(),
            region: "eu-central-1".to_owned(),
            trail: "main".to_owned(),
            suffix: String::new(),
            start: EventTime::from_unix_s(end.unix_s() - 3_600).unwrap(),
            end,
            files: Vec::new(),
            escapes_slashes: false,
        }
    }

    /// The same digest, later and without files.
    pub(super) fn after(&self, seconds: i64) -> Self {
        let later = |time: EventTime| EventTime::from_unix_s(time.unix_s() + seconds).unwrap();
        Self { start: later(self.start), end: later(self.end), files: vec![], ..self.clone() }
    }

    pub(super) fn key(&self) -> String {
        let Self { prefix, account, region, trail, suffix, .. } = self;
        let end = iso(self.end);
        let day = end[..10].replace('-', "/");
        let time = end.replace(['-', ':'], "");
        format!(
            "{prefix}AWSLogs/{account}/CloudTrail-Digest/{region}/{day}/\
             {account}_CloudTrail-Digest_{region}_{trail}_us-east-1_{time}{suffix}.json.gz"
        )
    }
}

pub(super) fn iso(time: EventTime) -> String {
    time.to_string().replace(' ', "T") + "Z"
}

impl Signer {
    pub(super) fn first() -> Self {
        Self::of(include_bytes!("../../../tests/fixtures/digest-key-1.pk8"))
    }

    pub(super) fn second() -> Self {
        Self::of(include_bytes!("../../../tests/fixtures/digest-key-2.pk8"))
    }

    fn of(pkcs8: &[u8]) -> Self {
        let key = RsaKeyPair::from_pkcs8(pkcs8).unwrap();
        let fingerprint = encode_hex(&Md5::digest(key.public_key().as_ref()));
        Self { key, fingerprint }
    }

    pub(super) fn public_key(&self) -> &[u8] {
        self.key.public_key().as_ref()
    }

    pub(super) fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The key file with the one key.
    pub(super) fn ring(&self) -> KeyRing {
        let value = STANDARD.encode(self.public_key());
        let fingerprint = self.fingerprint();
        let file = format!(
            "{{\"PublicKeyList\":[{{\"Value\":\"{value}\",\"Fingerprint\":\"{fingerprint}\"}}]}}"
        );
        KeyRing::parse(file.as_bytes()).unwrap()
    }

    /// Makes the digest that follows `previous`.
    pub(super) fn sign(&self, plan: &DigestPlan, previous: Option<&SignedDigest>) -> SignedDigest {
        let quoted = |text: &str| format!("\"{text}\"");
        let previous_value = |value: fn(&SignedDigest) -> String| {
            previous.map_or("null".to_owned(), |it| quoted(&value(it)))
        };
        let mut files = String::new();
        for (key, hash) in &plan.files {
            let comma = if files.is_empty() { "" } else { "," };
            write!(
                files,
                "{comma}{{\"s3Bucket\":\"{}\",\"s3Object\":\"{key}\",\"hashValue\":\"{hash}\",\
                 \"hashAlgorithm\":\"SHA-256\",\"newestEventTime\":\"{end}\",\
                 \"oldestEventTime\":\"{end}\"}}",
                plan.bucket,
                end = iso(plan.end)
            )
            .unwrap();
        }
        let mut content = format!(
            "{{\"awsAccountId\":\"{}\",\"digestStartTime\":\"{}\",\"digestEndTime\":\"{}\",\
             \"digestS3Bucket\":\"{}\",\"digestS3Object\":\"{}\",\
             \"digestPublicKeyFingerprint\":\"{}\",\"digestSignatureAlgorithm\":\"SHA256withRSA\",\
             \"newestEventTime\":null,\"oldestEventTime\":null,\
             \"previousDigestS3Bucket\":{},\"previousDigestS3Object\":{},\
             \"previousDigestHashValue\":{},\"previousDigestHashAlgorithm\":{},\
             \"previousDigestSignature\":{},\"logFiles\":[{files}]}}",
            plan.account,
            iso(plan.start),
            iso(plan.end),
            plan.bucket,
            plan.key(),
            self.fingerprint,
            previous_value(|it| it.bucket.clone()),
            previous_value(|it| it.key.clone()),
            previous_value(|it| ContentHash::of(it.content.as_bytes()).to_string()),
            previous_value(|_| "SHA-256".to_owned()),
            previous_value(|it| it.signature.clone()),
        );
        if plan.escapes_slashes {
            content = content.replace('/', "\\/");
        }
        let read = ReadDigest::parse(content.as_bytes()).unwrap();
        let mut signature = vec![0; self.key.public().modulus_len()];
        let text = string_to_sign(&read);
        let random = SystemRandom::new();
        self.key.sign(&RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature).unwrap();
        let signature = encode_hex(&signature);
        SignedDigest { bucket: plan.bucket.clone(), key: plan.key(), content, signature }
    }
}
