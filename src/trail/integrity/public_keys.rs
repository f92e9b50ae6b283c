//! The public keys that verify digests, as `ListPublicKeys` returns them.
//!
//! A key file is the answer of `aws cloudtrail list-public-keys`, of any region and time. A digest names
//! its key by fingerprint, so that keys of all regions and times can be together.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use md5::{Digest as _, Md5};
use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;

use self::der::KeyForm;
use super::hash::encode_hex;
use crate::trail::time::EventTime;

mod der;

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// The name by which digests refer to it.
    pub fingerprint: String,
    /// Whether the fingerprint is not the MD5 of the key, as it is in all keys of AWS seen so far. That
    /// is not documented, so the key is used all the same.
    pub is_fingerprint_unusual: bool,
    /// From when on AWS signs with it.
    pub valid_from: Option<EventTime>,
    /// Until when AWS signs with it.
    pub valid_until: Option<EventTime>,
    /// An RSA public key of 2,048 to 8,192 bits: the DER of PKCS#1's `RSAPublicKey`.
    der: Vec<u8>,
}

impl PublicKey {
    /// Returns the DER of PKCS#1's `RSAPublicKey`.
    pub fn pkcs1_der(&self) -> &[u8] {
        &self.der
    }
}

/// Public keys by fingerprint.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyRing {
    keys: BTreeMap<String, PublicKey>,
}

/// Why a file has no public keys.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum KeyFileError {
    /// It has no bytes but white space.
    #[error("the file is empty")]
    Empty,
    /// It is a key, but not an answer of `ListPublicKeys`.
    #[error("the file is {0}, not an answer of `ListPublicKeys`")]
    OtherKind(&'static str),
    /// It is not JSON.
    #[error("the file is not JSON (line {line}, column {column})")]
    NotJson {
        /// The line of the error, from 1.
        line: usize,
        /// The column of the error, from 1.
        column: usize,
    },
    /// It is JSON, but not an object with a list of keys.
    #[error("the file has no `PublicKeyList`")]
    NoList,
    /// The list is empty: there is no key for the region and time that were asked for.
    #[error("`PublicKeyList` is empty")]
    NoKeys,
    /// A key of the list cannot be read.
    #[error("key {place} of `PublicKeyList` cannot be read")]
    BadKey {
        /// Its place, from 1.
        place: usize,
        /// What is wrong with it.
        #[source]
        source: KeyError,
    },
}

/// Why a key of the list cannot be read.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum KeyError {
    /// It has no field `Value` with a text.
    #[error("it has no `Value`")]
    NoValue,
    /// The fingerprint is not a text.
    #[error("`Fingerprint` is not a text")]
    BadFingerprint,
    /// The value is not base64.
    #[error("`Value` is not base64")]
    NotBase64,
    /// The value is the DER of something else.
    #[error("`Value` is {0}, not an RSA public key")]
    OtherKind(&'static str),
    /// The value is not DER.
    #[error("`Value` is not the DER of an RSA public key")]
    NotDer,
    /// The key is shorter or longer than those that are accepted.
    #[error("the key has {0} bits; 2,048 to 8,192 are accepted")]
    BadSize(usize),
}

#[derive(Deserialize)]
struct RawList {
    #[serde(alias = "publicKeyList", rename = "PublicKeyList")]
    list: Option<Vec<RawKey>>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "PascalCase")]
struct RawKey {
    #[serde(alias = "value")]
    value: Value,
    #[serde(alias = "fingerprint")]
    fingerprint: Value,
    #[serde(alias = "validityStartTime")]
    validity_start_time: Value,
    #[serde(alias = "validityEndTime")]
    validity_end_time: Value,
}

impl KeyRing {
    /// Reads a file of keys.
    ///
    /// # Errors
    /// See [`KeyFileError`]: one bad key refuses the file, so that no digest seems unproven for it.
    pub fn parse(file: &[u8]) -> Result<Self, KeyFileError> {
        // Windows' editors put it there.
        let file = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file).trim_ascii();
        if file.is_empty() {
            return Err(KeyFileError::Empty);
        }
        if let Some(kind) = other_kind(file) {
            return Err(KeyFileError::OtherKind(kind));
        }
        let value: Value = serde_json::from_slice(file).map_err(|error| KeyFileError::NotJson {
            line: error.line(),
            column: error.column(),
        })?;
        let list = serde_json::from_value::<RawList>(value).ok().and_then(|raw| raw.list);
        let list = list.ok_or(KeyFileError::NoList)?;
        let mut ring = Self::default();
        for (place, raw) in (1..).zip(list) {
            let key = raw.key().map_err(|source| KeyFileError::BadKey { place, source })?;
            ring.add(key);
        }
        if ring.is_empty() { Err(KeyFileError::NoKeys) } else { Ok(ring) }
    }

    /// Reads a key as `ListPublicKeys` returns it from its API: DER, not base64.
    ///
    /// # Errors
    /// If the bytes are not an RSA public key of 2,048 to 8,192 bits.
    pub fn add_der(&mut self, der: &[u8], fingerprint: Option<&str>) -> Result<(), KeyError> {
        self.add(public_key(der, fingerprint, [None, None])?);
        Ok(())
    }

    /// Reads a key as [`KeyRing::add_der`] does, with the first and the last time of its validity.
    ///
    /// # Errors
    /// As for [`KeyRing::add_der`].
    pub fn add_der_with_validity(
        &mut self,
        der: &[u8],
        fingerprint: Option<&str>,
        validity: [Option<EventTime>; 2],
    ) -> Result<(), KeyError> {
        self.add(public_key(der, fingerprint, validity)?);
        Ok(())
    }

    /// Adds the keys of another file or region. A fingerprint that is in both has one key in all files
    /// of AWS; if not, that of `other` counts.
    pub fn merge(&mut self, other: Self) {
        self.keys.extend(other.keys);
    }

    /// Returns the key with this fingerprint.
    pub fn get(&self, fingerprint: &str) -> Option<&PublicKey> {
        self.keys.get(fingerprint)
    }

    /// Returns the keys in the order of their fingerprints.
    pub fn keys(&self) -> impl Iterator<Item = &PublicKey> {
        self.keys.values()
    }

    /// Returns the number of keys.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Returns whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    fn add(&mut self, key: PublicKey) {
        self.keys.insert(key.fingerprint.clone(), key);
    }
}

impl RawKey {
    fn key(&self) -> Result<PublicKey, KeyError> {
        let value = self.value.as_str().ok_or(KeyError::NoValue)?;
        let fingerprint = match &self.fingerprint {
            Value::Null => None,
            Value::String(text) => Some(&**text),
            _ => return Err(KeyError::BadFingerprint),
        };
        if let Some(kind) = other_kind(value.trim_ascii().as_bytes()) {
            return Err(KeyError::OtherKind(kind));
        }
        let value: String = value.split_ascii_whitespace().collect();
        let der = STANDARD.decode(value).map_err(|_| KeyError::NotBase64)?;
        // The fingerprint decides, so a time that cannot be read does not matter.
        let times = [&self.validity_start_time, &self.validity_end_time].map(time);
        public_key(&der, fingerprint, times)
    }
}

fn public_key(
    der: &[u8],
    fingerprint: Option<&str>,
    [valid_from, valid_until]: [Option<EventTime>; 2],
) -> Result<PublicKey, KeyError> {
    let pkcs1 = match der::key_form(der) {
        KeyForm::RsaPublicKey { bits: 2_048..=8_192 } => der,
        KeyForm::RsaPublicKey { bits } => return Err(KeyError::BadSize(bits)),
        KeyForm::SubjectPublicKeyInfo { key } => match der::key_form(key) {
            KeyForm::RsaPublicKey { bits: 2_048..=8_192 } => key,
            KeyForm::RsaPublicKey { bits } => return Err(KeyError::BadSize(bits)),
            _ => return Err(KeyError::OtherKind("a public key of another algorithm")),
        },
        KeyForm::Other(kind) => return Err(KeyError::OtherKind(kind)),
        KeyForm::Unknown => return Err(KeyError::NotDer),
    };
    let hashes = [pkcs1, der].map(|der| encode_hex(&Md5::digest(der)));
    Ok(PublicKey {
        fingerprint: fingerprint.unwrap_or(&hashes[0]).to_owned(),
        is_fingerprint_unusual: fingerprint
            .is_some_and(|it| !hashes.iter().any(|hash| hash.eq_ignore_ascii_case(it))),
        valid_from,
        valid_until,
        der: pkcs1.to_vec(),
    })
}

/// Returns the name of what a file or value is, if it is a key or certificate in another form.
fn other_kind(bytes: &[u8]) -> Option<&'static str> {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(64)]);
    if let Some(label) = head.strip_prefix("-----BEGIN ") {
        return Some(match label {
            _ if label.contains("PRIVATE KEY") => "a private key in PEM",
            _ if label.starts_with("CERTIFICATE") => "a certificate in PEM",
            _ if label.contains("PUBLIC KEY") => "a public key in PEM",
            _ => "a PEM file",
        });
    }
    if ["ssh-", "ecdsa-"].iter().any(|start| head.starts_with(start)) {
        return Some("an SSH public key");
    }
    match der::key_form(bytes) {
        KeyForm::RsaPublicKey { .. } | KeyForm::SubjectPublicKeyInfo { .. } => {
            Some("a public key in DER")
        }
        KeyForm::Other(kind) => Some(kind),
        KeyForm::Unknown => None,
    }
}

/// Reads a time: seconds since 1970 as a number or a text, or a time in ISO 8601.
fn time(value: &Value) -> Option<EventTime> {
    match value {
        Value::Number(number) => seconds(number.as_f64()?),
        Value::String(text) => match text.trim().parse() {
            Ok(number) => seconds(number),
            Err(_) => EventTime::parse(text),
        },
        _ => None,
    }
}

fn seconds(number: f64) -> Option<EventTime> {
    let duration = jiff::SignedDuration::try_from_secs_f64(number).ok()?;
    EventTime::from_unix_s(Timestamp::from_duration(duration).ok()?.as_second())
}

#[cfg(test)]
mod tests;
