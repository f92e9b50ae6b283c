//! Signs digests, as only AWS can sign real ones.
//!
//! The keys are those of the tests, so that the same arguments make the same signatures. They are
//! published with the program: a signature by them proves nothing.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use ring::rand::SystemRandom;
use ring::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};

use crate::form::push_hex;

/// The private keys, in DER. Each region has one, as each region of AWS has its own.
const KEYS: [&[u8]; 2] = [
    include_bytes!("../../tests/fixtures/digest-key-1.pk8"),
    include_bytes!("../../tests/fixtures/digest-key-2.pk8"),
];

/// The private key of a region.
#[derive(Debug)]
pub(crate) struct Signer {
    key: RsaKeyPair,
    fingerprint: String,
}

impl Signer {
    /// Returns the signers of all regions; that of a region is at its number, modulo their number.
    pub(crate) fn all() -> Vec<Self> {
        let signer = |pkcs8: &&[u8]| {
            let key = RsaKeyPair::from_pkcs8(pkcs8).expect("the keys of the tests are valid");
            let fingerprint = hex(&Md5::digest(key.public_key().as_ref()));
            Self { key, fingerprint }
        };
        KEYS.iter().map(signer).collect()
    }

    /// Returns the name of the public key.
    pub(crate) fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Signs a text, and returns the signature in hexadecimal digits: always the same for the same text.
    pub(crate) fn sign(&self, text: &str) -> String {
        let mut signature = vec![0; self.key.public().modulus_len()];
        // Signatures of this kind have no random part; the numbers only hide how long it takes.
        let random = SystemRandom::new();
        self.key
            .sign(&RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature)
            .expect("the room for the signature is exact");
        hex(&signature)
    }
}

/// Writes the public keys as `aws cloudtrail list-public-keys` prints them.
pub(crate) fn write_public_keys(signers: &[Signer], out: &mut impl io::Write) -> io::Result<()> {
    writeln!(out, "{{\n    \"PublicKeyList\": [")?;
    for (number, signer) in signers.iter().enumerate() {
        let value = STANDARD.encode(signer.key.public_key().as_ref());
        let comma = if number + 1 < signers.len() { "," } else { "" };
        writeln!(
            out,
            "        {{\n            \"Value\": \"{value}\",\n            \
             \"ValidityStartTime\": \"2026-01-01T00:00:00+00:00\",\n            \
             \"ValidityEndTime\": \"2036-01-01T00:00:00+00:00\",\n            \
             \"Fingerprint\": \"{}\"\n        }}{comma}",
            signer.fingerprint
        )?;
    }
    writeln!(out, "    ]\n}}")
}

/// Writes the metadata of the digests, a JSON object by key, one digest a line.
#[derive(Debug)]
pub(crate) struct MetadataFile<W: io::Write> {
    out: W,
    is_first: bool,
}

impl<W: io::Write> MetadataFile<W> {
    /// Begins the file.
    pub(crate) fn new(mut out: W) -> io::Result<Self> {
        out.write_all(b"{")?;
        Ok(Self { out, is_first: true })
    }

    /// Adds the metadata of the digest with this key.
    pub(crate) fn add(&mut self, key: &str, signature: &str) -> io::Result<()> {
        let comma = if std::mem::take(&mut self.is_first) { "" } else { "," };
        write!(
            self.out,
            "{comma}\n\"{key}\": {{\"signature\": \"{signature}\", \
             \"signature-algorithm\": \"SHA256withRSA\"}}"
        )
    }

    /// Ends the file.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.out.write_all(b"\n}\n")?;
        self.out.flush()
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        push_hex(u64::from(*byte), 2, &mut text);
    }
    text
}
