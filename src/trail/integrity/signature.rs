//! The signature of a digest.
//!
//! It is in the metadata of the object, in hexadecimal digits, and a copy of it is in the next digest.

use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

use super::digest::ReadDigest;
use super::hash::decode_hex;
use super::public_keys::PublicKey;

/// The metadata of an object that has the signature, without the `x-amz-meta-` of the HTTP header.
pub const SIGNATURE_METADATA: &str = "signature";

/// The metadata of a digest of a backfill that has the time when it was signed, of which its key is.
pub const BACKFILL_TIME_METADATA: &str = "backfill-generation-timestamp";

/// The longest signature in hexadecimal digits: of a key of 8,192 bits.
const DIGITS_MAX: usize = 8_192 / 4;

/// Returns the text that is signed (AWS CloudTrail user guide, "Custom implementations of CloudTrail log
/// file integrity validation"). It has no newline at its end.
pub fn string_to_sign(read: &ReadDigest) -> String {
    let ReadDigest { digest, sha256 } = read;
    let previous = digest.previous.as_ref().map_or("null", |previous| &previous.signature);
    format!("{}\n{}/{}\n{sha256}\n{previous}", digest.end_text, digest.bucket, digest.key)
}

/// Returns whether `signature`, in hexadecimal digits, is that of the digest under `key`:
/// RSASSA-PKCS1-v1_5 with SHA-256, of 2,048 to 8,192 bits.
pub fn is_signature_of(read: &ReadDigest, key: &PublicKey, signature: &str) -> bool {
    let signature = signature.trim_ascii();
    if signature.len() > DIGITS_MAX {
        return false;
    }
    let Some(signature) = decode_hex(signature) else { return false };
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.pkcs1_der());
    key.verify(string_to_sign(read).as_bytes(), &signature).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trail::integrity::public_keys::KeyRing;
    use crate::trail::integrity::signer::{DigestPlan, Signer, public_keys};

    #[test]
    fn a_signature_verifies_and_no_changed_bit_does() {
        let signer = Signer::first();
        let plan = DigestPlan::hour("2026-01-15T01:57:31Z");
        let first = signer.digest(&plan, None);
        let second = signer.digest(&plan.after(3_600), Some(&first));
        let ring = KeyRing::parse(public_keys([&signer]).as_bytes()).unwrap();
        let key = ring.get(signer.fingerprint()).unwrap();
        for signed in [&first, &second] {
            let read = ReadDigest::parse(signed.content.as_bytes()).unwrap();
            assert!(is_signature_of(&read, key, &signed.signature));
            assert!(is_signature_of(&read, key, &signed.signature.to_uppercase()));
            let other = signed.content.replacen("Time", "time", 1);
            let mut changed = read.clone();
            changed.sha256 = super::super::hash::ContentHash::of(other.as_bytes());
            assert!(!is_signature_of(&changed, key, &signed.signature));
            let mut bytes = decode_hex(&signed.signature).unwrap();
            for at in [0, 100, 255] {
                bytes[at] ^= 1;
                let changed = super::super::hash::encode_hex(&bytes);
                assert!(!is_signature_of(&read, key, &changed));
                bytes[at] ^= 1;
            }
            for text in ["", "0", "xx", &signed.signature[2..], &"00".repeat(100_000)] {
                assert!(!is_signature_of(&read, key, text), "{text:.9}");
            }
            let mut other_key = signer.public_key().to_vec();
            other_key[50] ^= 1;
            let mut other = KeyRing::default();
            other.add_der(&other_key, Some("f")).unwrap();
            assert!(!is_signature_of(&read, other.get("f").unwrap(), &signed.signature));
        }
        let mut read = ReadDigest::parse(second.content.as_bytes()).unwrap();
        let previous = read.digest.previous.as_mut().unwrap();
        let digit = if previous.signature.starts_with('0') { "1" } else { "0" };
        previous.signature.replace_range(..1, digit);
        assert!(!is_signature_of(&read, key, &second.signature));
    }

    #[test]
    fn the_text_that_is_signed_has_four_lines_with_slashes_not_escaped() {
        let key = Signer::first();
        let plan = DigestPlan { escapes_slashes: true, ..DigestPlan::hour("2026-01-15T01:57:31Z") };
        let made = key.digest(&plan, None);
        assert!(made.content.contains("AWSLogs\\/"));
        let read = ReadDigest::parse(made.content.as_bytes()).unwrap();
        let text = string_to_sign(&read);
        let [end, place, hash, previous] = text.split('\n').collect::<Vec<_>>()[..] else {
            panic!("{text}")
        };
        assert_eq!((end, previous), ("2026-01-15T01:57:31Z", "null"));
        assert_eq!(place, format!("{}/{}", plan.bucket, plan.key()));
        assert_eq!(hash, read.sha256.to_string());
    }
}
