use super::*;
use crate::trail::integrity::signer::Signer;

fn spki(pkcs1: &[u8]) -> Vec<u8> {
    // What precedes a key of 2,048 bits.
    let mut head = vec![0x30, 0x82, 0x01, 0x22, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86];
    head.extend([0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00, 0x03, 0x82, 0x01, 0x0f, 0x00]);
    assert_eq!(head.len(), 24);
    [&head, pkcs1].concat()
}

fn file(value: &[u8], more: &str) -> Vec<u8> {
    let value = STANDARD.encode(value);
    format!("{{\"PublicKeyList\":[{{\"Value\":\"{value}\"{more}}}]}}").into_bytes()
}

fn error(file: &[u8]) -> String {
    let error = KeyRing::parse(file).unwrap_err();
    match std::error::Error::source(&error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

#[test]
fn an_answer_of_list_public_keys_is_read_in_all_its_spellings() {
    let signer = Signer::first();
    let (key, fingerprint) = (signer.public_key(), signer.fingerprint());
    let start = "2026-01-01 00:00:00";
    for (times, expected) in [
        ("", None),
        (r#""ValidityStartTime":1767225600.0,"#, Some(start)),
        (r#""ValidityStartTime":1767225600,"#, Some(start)),
        (r#""ValidityStartTime":"1767225600.000","#, Some(start)),
        (r#""ValidityStartTime":"2026-01-01T01:00:00+01:00","#, Some(start)),
        (r#""validityStartTime":"2026-01-01T00:00:00Z","#, Some(start)),
        (r#""ValidityStartTime":"soon","#, None),
        (r#""ValidityStartTime":1e300,"#, None),
    ] {
        for value in [key.to_vec(), spki(key)] {
            for (list, name, prefix) in
                [("PublicKeyList", "Value", ""), ("publicKeyList", "value", "\u{feff}\n")]
            {
                let value = STANDARD.encode(&value);
                let file = format!(
                    "{prefix}{{\"{list}\":[{{{times}\"{name}\":\"{value}\",\"Fingerprint\":\"{fingerprint}\"}}]}}"
                );
                let ring = KeyRing::parse(file.as_bytes()).unwrap();
                let found = ring.get(fingerprint).unwrap();
                assert_eq!(found.pkcs1_der(), key);
                assert!(!found.is_fingerprint_unusual);
                let from = found.valid_from.map(|time| time.to_string());
                assert_eq!(from.as_deref(), expected, "{times}");
            }
        }
    }
}

#[test]
fn another_fingerprint_is_noted_and_used() {
    let signer = Signer::first();
    let ring = KeyRing::parse(&file(signer.public_key(), ",\"Fingerprint\":\"f00\"")).unwrap();
    assert!(ring.get("f00").unwrap().is_fingerprint_unusual);
    let ring = KeyRing::parse(&file(signer.public_key(), "")).unwrap();
    assert!(!ring.get(signer.fingerprint()).unwrap().is_fingerprint_unusual);
}

#[test]
fn the_keys_of_several_files_are_one_ring() {
    let (one, two) = (Signer::first(), Signer::second());
    let mut ring = KeyRing::parse(&file(one.public_key(), "")).unwrap();
    ring.merge(KeyRing::parse(&file(two.public_key(), "")).unwrap());
    ring.merge(KeyRing::parse(&file(two.public_key(), "")).unwrap());
    ring.add_der(two.public_key(), Some(two.fingerprint())).unwrap();
    assert_eq!(ring.len(), 2);
    assert!(ring.get(one.fingerprint()).is_some() && ring.get(two.fingerprint()).is_some());
}

#[test]
fn what_has_no_keys_is_named() {
    for (text, expected) in [
        ("", "the file is empty"),
        (" \n", "the file is empty"),
        ("{", "the file is not JSON (line 1, column 1)"),
        ("keys", "the file is not JSON (line 1, column 1)"),
        ("[]", "the file has no `PublicKeyList`"),
        ("{\"trailList\":[]}", "the file has no `PublicKeyList`"),
        ("{\"PublicKeyList\":{}}", "the file has no `PublicKeyList`"),
        ("{\"PublicKeyList\":[]}", "`PublicKeyList` is empty"),
        ("{\"PublicKeyList\":[{}]}", "key 1 of `PublicKeyList` cannot be read: it has no `Value`"),
        (
            "{\"PublicKeyList\":[{\"Value\":\"!\"}]}",
            "key 1 of `PublicKeyList` cannot be read: `Value` is not base64",
        ),
        (
            "{\"PublicKeyList\":[{\"Value\":\"AAAA\"}]}",
            "key 1 of `PublicKeyList` cannot be read: `Value` is not the DER of an RSA public key",
        ),
        (
            "{\"PublicKeyList\":[{\"Value\":\"AAAA\",\"Fingerprint\":1}]}",
            "key 1 of `PublicKeyList` cannot be read: `Fingerprint` is not a text",
        ),
        (
            "-----BEGIN CERTIFICATE-----\nMII",
            "the file is a certificate in PEM, not an answer of `ListPublicKeys`",
        ),
        (
            "-----BEGIN RSA PUBLIC KEY-----\nMII",
            "the file is a public key in PEM, not an answer of `ListPublicKeys`",
        ),
        (
            "-----BEGIN PRIVATE KEY-----\nMII",
            "the file is a private key in PEM, not an answer of `ListPublicKeys`",
        ),
        ("ssh-rsa AAAA", "the file is an SSH public key, not an answer of `ListPublicKeys`"),
    ] {
        assert_eq!(error(text.as_bytes()), expected, "{text}");
    }
}

#[test]
fn a_value_that_is_another_kind_of_der_is_named() {
    const PRIVATE: &[u8] = include_bytes!("../../../../tests/fixtures/digest-key-1.pk8");
    let certificate = include_str!("../../../../tests/fixtures/x509-version-1.pem");
    let (_, certificate) = certificate.split_once("-----BEGIN CERTIFICATE-----\n").unwrap();
    let (certificate, _) = certificate.split_once("-----END").unwrap();
    let certificate: String = certificate.lines().collect();
    let certificate = STANDARD.decode(certificate).unwrap();
    let signer = Signer::first();
    let key = signer.public_key();
    let mut elliptic = spki(key);
    elliptic[14] ^= 1;
    let small = [&[0x30, 0x0a, 0x02, 0x05, 0x00, 0xff][..], &[1; 3], &[0x02, 0x01, 3]].concat();
    for (value, expected) in [
        (PRIVATE, "`Value` is a private key, not an RSA public key"),
        (&certificate, "`Value` is a certificate, not an RSA public key"),
        (&elliptic, "`Value` is a public key of another algorithm, not an RSA public key"),
        (&small, "the key has 32 bits; 2,048 to 8,192 are accepted"),
        (&key[..269], "`Value` is not the DER of an RSA public key"),
        (&[key, &[0]].concat(), "`Value` is not the DER of an RSA public key"),
    ] {
        let expected = format!("key 1 of `PublicKeyList` cannot be read: {expected}");
        assert_eq!(error(&file(value, "")), expected);
    }
    assert_eq!(error(PRIVATE), "the file is a private key, not an answer of `ListPublicKeys`");
    assert_eq!(error(key), "the file is a public key in DER, not an answer of `ListPublicKeys`");
    for length in 0..key.len() {
        assert_eq!(der::key_form(&key[..length]), KeyForm::Unknown);
    }
}
