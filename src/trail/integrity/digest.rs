//! The content of a digest.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use thiserror::Error;

use super::hash::ContentHash;
use crate::trail::time::EventTime;

/// The only signature algorithm of digests (AWS CloudTrail user guide, "CloudTrail digest file
/// structure").
const SIGNATURE_ALGORITHM: &str = "SHA256withRSA";

/// The only hash algorithm of digests, by the same source.
const HASH_ALGORITHM: &str = "SHA-256";

/// A digest, and the hash that its signature covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadDigest {
    /// What it says.
    pub digest: Digest,
    /// The hash of its content.
    pub sha256: ContentHash,
}

/// What a digest says. Nothing of it is verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// The account whose log files are listed.
    pub account: String,
    /// The log files were delivered from this time on.
    pub start: EventTime,
    /// The log files were delivered before this time. Never before `start`.
    pub end: EventTime,
    /// `end` as it is written, which is what is signed.
    pub end_text: String,
    /// The bucket to which the digest was delivered.
    pub bucket: String,
    /// The key under which it was delivered.
    pub key: String,
    /// The fingerprint of the public key that verifies its signature.
    pub fingerprint: String,
    /// The time of the newest event in the log files.
    pub newest_event: Option<EventTime>,
    /// The time of the oldest event in the log files.
    pub oldest_event: Option<EventTime>,
    /// The digest before; `None` in the first one of a chain.
    pub previous: Option<PreviousDigest>,
    /// The log files, in no order.
    pub files: Vec<NamedFile>,
}

/// What a digest says of the one before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviousDigest {
    /// The bucket to which it was delivered.
    pub bucket: String,
    /// The key under which it was delivered.
    pub key: String,
    /// The hash of its content.
    pub sha256: ContentHash,
    /// Its signature, in hexadecimal digits as they are written, which is what is signed.
    pub signature: String,
}

/// A log file that a digest names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedFile {
    /// The bucket to which it was delivered.
    pub bucket: String,
    /// The key under which it was delivered.
    pub key: String,
    /// The hash of its content.
    pub sha256: ContentHash,
    /// The time of its newest event.
    pub newest_event: Option<EventTime>,
    /// The time of its oldest event.
    pub oldest_event: Option<EventTime>,
}

/// Why a content cannot be read as a digest.
#[derive(Debug, Error)]
pub enum DigestError {
    /// It is not one JSON document in UTF-8.
    #[error("the content is not JSON")]
    NotJson(#[source] serde_json::Error),
    /// It is another JSON value.
    #[error("the content is not a JSON object")]
    NotAnObject,
    /// It has a key twice, or `logFiles` has something other than objects.
    #[error("the content does not have the form of a digest")]
    OtherForm(#[source] serde_json::Error),
    /// A field is not there.
    #[error("no `{0}`")]
    Missing(Field),
    /// A field has a value of another type.
    #[error("`{0}` is not a text")]
    NotText(Field),
    /// A field is not a time.
    #[error("`{0}` is not a time")]
    NotATime(Field),
    /// A field is not 64 hexadecimal digits.
    #[error("`{0}` is not a SHA-256 hash of 64 hexadecimal digits")]
    NotAHash(Field),
    /// A field names an algorithm that this program does not know.
    #[error("`{field}` names `{found}`, which is not `{expected}`")]
    UnknownAlgorithm {
        /// The field.
        field: Field,
        /// What it names.
        found: String,
        /// The only algorithm that is known.
        expected: &'static str,
    },
    /// `digestEndTime` is before `digestStartTime`.
    #[error("`digestEndTime` is before `digestStartTime`")]
    EndsBeforeStart,
    /// It names itself as the digest before.
    #[error("`previousDigestS3Object` is the digest itself")]
    PreviousIsItself,
}

/// A field of a digest, or of the log file with this place in `logFiles`, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// The name.
    pub name: &'static str,
    /// The place of the log file; `None` for a field of the digest.
    pub file: Option<usize>,
}

impl std::fmt::Display for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.file {
            Some(place) => write!(f, "logFiles[{place}].{}", self.name),
            None => f.write_str(self.name),
        }
    }
}

/// The fields as they are in the text. Fields that are not known are ignored: AWS may add some.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawDigest<'t> {
    #[serde(borrow)]
    aws_account_id: Option<&'t RawValue>,
    digest_start_time: Option<&'t RawValue>,
    digest_end_time: Option<&'t RawValue>,
    digest_s3_bucket: Option<&'t RawValue>,
    digest_s3_object: Option<&'t RawValue>,
    digest_public_key_fingerprint: Option<&'t RawValue>,
    digest_signature_algorithm: Option<&'t RawValue>,
    newest_event_time: Option<&'t RawValue>,
    oldest_event_time: Option<&'t RawValue>,
    previous_digest_s3_bucket: Option<&'t RawValue>,
    previous_digest_s3_object: Option<&'t RawValue>,
    previous_digest_hash_value: Option<&'t RawValue>,
    previous_digest_hash_algorithm: Option<&'t RawValue>,
    previous_digest_signature: Option<&'t RawValue>,
    log_files: Option<Vec<RawFile<'t>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawFile<'t> {
    #[serde(borrow)]
    s3_bucket: Option<&'t RawValue>,
    s3_object: Option<&'t RawValue>,
    hash_value: Option<&'t RawValue>,
    hash_algorithm: Option<&'t RawValue>,
    newest_event_time: Option<&'t RawValue>,
    oldest_event_time: Option<&'t RawValue>,
}

impl ReadDigest {
    /// Reads the decoded bytes of a digest.
    ///
    /// The time is linear in their number, and the memory at most a small multiple of it.
    ///
    /// # Errors
    /// See [`DigestError`].
    pub fn parse(content: &[u8]) -> Result<Self, DigestError> {
        let text: &RawValue = serde_json::from_slice(content).map_err(DigestError::NotJson)?;
        if !text.get().starts_with('{') {
            return Err(DigestError::NotAnObject);
        }
        let raw: RawDigest<'_> =
            serde_json::from_str(text.get()).map_err(DigestError::OtherForm)?;
        Ok(Self { digest: raw.digest()?, sha256: ContentHash::of(content) })
    }
}

impl RawDigest<'_> {
    fn digest(self) -> Result<Digest, DigestError> {
        let reader = Reader { file: None };
        let end_text = reader.text("digestEndTime", self.digest_end_time)?;
        let end = reader.time("digestEndTime", self.digest_end_time)?;
        let start = reader.time("digestStartTime", self.digest_start_time)?;
        if end < start {
            return Err(DigestError::EndsBeforeStart);
        }
        reader.algorithm(
            "digestSignatureAlgorithm",
            self.digest_signature_algorithm,
            SIGNATURE_ALGORITHM,
        )?;
        let files = self.log_files.as_deref().ok_or(reader.missing("logFiles"))?;
        let files = files.iter().enumerate().map(|(place, file)| file.named(place));
        let digest = Digest {
            account: reader.text("awsAccountId", self.aws_account_id)?,
            start,
            end,
            end_text,
            bucket: reader.text("digestS3Bucket", self.digest_s3_bucket)?,
            key: reader.text("digestS3Object", self.digest_s3_object)?,
            fingerprint: reader
                .text("digestPublicKeyFingerprint", self.digest_public_key_fingerprint)?,
            newest_event: reader.optional_time("newestEventTime", self.newest_event_time)?,
            oldest_event: reader.optional_time("oldestEventTime", self.oldest_event_time)?,
            previous: self.previous(reader)?,
            files: files.collect::<Result<_, _>>()?,
        };
        let is_itself = |it: &PreviousDigest| it.key == digest.key && it.bucket == digest.bucket;
        if digest.previous.as_ref().is_some_and(is_itself) {
            return Err(DigestError::PreviousIsItself);
        }
        Ok(digest)
    }

    /// Returns the digest before, if any of its fields has a value; it then needs all.
    fn previous(&self, reader: Reader) -> Result<Option<PreviousDigest>, DigestError> {
        let fields = [
            self.previous_digest_s3_bucket,
            self.previous_digest_s3_object,
            self.previous_digest_hash_value,
            self.previous_digest_hash_algorithm,
            self.previous_digest_signature,
        ];
        if fields.iter().all(Option::is_none) {
            return Ok(None);
        }
        let [bucket, key, hash, algorithm, signature] = fields;
        reader.algorithm("previousDigestHashAlgorithm", algorithm, HASH_ALGORITHM)?;
        Ok(Some(PreviousDigest {
            bucket: reader.text("previousDigestS3Bucket", bucket)?,
            key: reader.text("previousDigestS3Object", key)?,
            sha256: reader.hash("previousDigestHashValue", hash)?,
            signature: reader.text("previousDigestSignature", signature)?,
        }))
    }
}

impl RawFile<'_> {
    fn named(&self, place: usize) -> Result<NamedFile, DigestError> {
        let reader = Reader { file: Some(place) };
        reader.algorithm("hashAlgorithm", self.hash_algorithm, HASH_ALGORITHM)?;
        Ok(NamedFile {
            bucket: reader.text("s3Bucket", self.s3_bucket)?,
            key: reader.text("s3Object", self.s3_object)?,
            sha256: reader.hash("hashValue", self.hash_value)?,
            newest_event: reader.optional_time("newestEventTime", self.newest_event_time)?,
            oldest_event: reader.optional_time("oldestEventTime", self.oldest_event_time)?,
        })
    }
}

/// Reads the fields of the digest or of one log file. A field that is null counts as absent.
#[derive(Clone, Copy)]
struct Reader {
    file: Option<usize>,
}

impl Reader {
    fn field(self, name: &'static str) -> Field {
        Field { name, file: self.file }
    }

    fn missing(self, name: &'static str) -> DigestError {
        DigestError::Missing(self.field(name))
    }

    fn cow<'t>(
        self,
        name: &'static str,
        value: Option<&'t RawValue>,
    ) -> Result<Cow<'t, str>, DigestError> {
        // Real digests write `\/`, so the text of a value is not always a part of the file.
        let raw = value.ok_or(self.missing(name))?.get();
        let inside = raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        match inside {
            Some(inside) if !inside.contains('\\') => Ok(Cow::Borrowed(inside)),
            Some(_) => serde_json::from_str(raw)
                .map(Cow::Owned)
                .map_err(|_| DigestError::NotText(self.field(name))),
            None => Err(DigestError::NotText(self.field(name))),
        }
    }

    fn text(self, name: &'static str, value: Option<&RawValue>) -> Result<String, DigestError> {
        self.cow(name, value).map(Cow::into_owned)
    }

    fn time(self, name: &'static str, value: Option<&RawValue>) -> Result<EventTime, DigestError> {
        let text = self.cow(name, value)?;
        EventTime::parse(&text).ok_or(DigestError::NotATime(self.field(name)))
    }

    fn optional_time(
        self,
        name: &'static str,
        value: Option<&RawValue>,
    ) -> Result<Option<EventTime>, DigestError> {
        value.map(|value| self.time(name, Some(value))).transpose()
    }

    fn hash(
        self,
        name: &'static str,
        value: Option<&RawValue>,
    ) -> Result<ContentHash, DigestError> {
        let text = self.cow(name, value)?;
        ContentHash::parse(&text).ok_or(DigestError::NotAHash(self.field(name)))
    }

    fn algorithm(
        self,
        name: &'static str,
        value: Option<&RawValue>,
        expected: &'static str,
    ) -> Result<(), DigestError> {
        let found = self.text(name, value)?;
        if found == expected {
            return Ok(());
        }
        Err(DigestError::UnknownAlgorithm { field: self.field(name), found, expected })
    }
}

#[cfg(test)]
mod tests;
