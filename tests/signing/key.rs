//! Signs as only AWS can sign real digests.
//!
//! The keys are published with the program: a signature by them proves nothing. Signatures of this kind
//! have no random part, so the same text always has the same signature.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use ring::rand::SystemRandom;
use ring::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};

/// A private key of the tests.
#[derive(Debug)]
pub(crate) struct Signer {
    key: RsaKeyPair,
    fingerprint: String,
}

impl Signer {
    /// Returns the signer of the first key.
    pub(crate) fn first() -> Self {
        Self::of(include_bytes!("../fixtures/digest-key-1.pk8"))
    }

    /// Returns the signer of the second key.
    pub(crate) fn second() -> Self {
        Self::of(include_bytes!("../fixtures/digest-key-2.pk8"))
    }

    fn of(pkcs8: &[u8]) -> Self {
        let key = RsaKeyPair::from_pkcs8(pkcs8).expect("the keys of the tests are valid");
        let fingerprint = hex(&Md5::digest(key.public_key().as_ref()));
        Self { key, fingerprint }
    }

    /// Returns the name of the public key, as digests have it.
    pub(crate) fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Signs a text, and returns the signature in hexadecimal digits.
    pub(crate) fn sign(&self, text: &str) -> String {
        let mut signature = vec![0; self.key.public().modulus_len()];
        // The random numbers only hide how long it takes.
        let random = SystemRandom::new();
        self.key
            .sign(&RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature)
            .expect("the room for the signature is exact");
        hex(&signature)
    }

    /// Returns the public key: the DER of PKCS#1's `RSAPublicKey`.
    pub(crate) fn public_key(&self) -> &[u8] {
        self.key.public_key().as_ref()
    }
}

/// Returns the public keys as `aws cloudtrail list-public-keys` prints them.
pub(crate) fn public_keys<'s>(signers: impl IntoIterator<Item = &'s Signer>) -> String {
    let keys = signers.into_iter().map(|signer| {
        format!(
            "        {{\n            \"Value\": \"{}\",\n            \
             \"ValidityStartTime\": \"2026-01-01T00:00:00+00:00\",\n            \
             \"ValidityEndTime\": \"2036-01-01T00:00:00+00:00\",\n            \
             \"Fingerprint\": \"{}\"\n        }}",
            STANDARD.encode(signer.public_key()),
            signer.fingerprint
        )
    });
    let keys: Vec<String> = keys.collect();
    format!("{{\n    \"PublicKeyList\": [\n{}\n    ]\n}}\n", keys.join(",\n"))
}

/// Writes bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
