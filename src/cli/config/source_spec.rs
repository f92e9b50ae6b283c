//! Parses one SOURCE of the command line: a location in S3, a file, a folder, or standard input.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};

use url::Url;

use crate::database::forget::UriScope;
use crate::database::redact::redacted;

/// Amazon S3 user guide, "General purpose bucket naming rules": 63 characters today, but up to 255
/// in us-east-1 before March 2018, with capitals and underscores.
const BUCKET_BYTES_MAX: usize = 255;

/// Amazon S3 user guide, "Naming Amazon S3 objects": 1,024 bytes of UTF-8.
const KEY_BYTES_MAX: usize = 1_024;

/// One SOURCE: a location in S3, a file or folder, or standard input.
///
/// Whether anything exists there is checked when the source is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceSpec {
    /// An object, or all objects whose keys begin with this prefix.
    S3 {
        /// Bucket name, or the alias or ARN of an access point.
        bucket: String,
        /// Key or prefix, literally as typed, never percent-decoded; empty for the whole bucket.
        key: String,
    },
    /// A file, or a folder with everything below it.
    Path(PathBuf),
    /// Standard input.
    Stdin,
}

/// Why a text is not a source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceSpecError {
    /// It is empty.
    #[error("it is empty")]
    Empty,
    /// An S3 URI without a bucket.
    #[error("no bucket after `s3://`")]
    NoBucket,
    /// An S3 URI without a valid bucket name.
    #[error("`{0}` is not a bucket name")]
    BadBucket(String),
    /// A directory bucket (S3 Express One Zone).
    #[error("`{0}` is a directory bucket")]
    DirectoryBucket(String),
    /// An S3 URI with a colon where a bucket name is expected: most likely access keys. They are
    /// not shown.
    #[error("a bucket name has no colon")]
    Credentials,
    /// An S3 URI with an ARN of something other than an access point.
    #[error("the ARN is not the ARN of an access point")]
    BadArn,
    /// An S3 URI with a key that is longer than S3 allows.
    #[error("the key is longer than {KEY_BYTES_MAX} bytes")]
    KeyTooLong,
    /// An S3 URI that is not UTF-8, although all keys are.
    #[error("the key is not UTF-8")]
    KeyNotUtf8,
    /// `s3:` without two slashes, or the ARN of a bucket.
    #[error("locations in S3 begin with `s3://`")]
    NotS3Uri {
        /// The URI that was probably meant.
        meant: String,
    },
    /// A `file:` URL that does not name a local file.
    #[error("the `file:` URL does not name a local file")]
    BadFileUrl,
    /// An HTTP URL.
    #[error("sources are read from S3 or from disk, not over HTTP")]
    Web,
    /// Another scheme.
    #[error("unknown scheme `{0}`")]
    UnknownScheme(String),
}

impl SourceSpec {
    /// Returns the meaning of `typed`.
    ///
    /// `s3://…` is always S3, and `-` is always standard input. Anything else that looks like a URI is a
    /// path if a file or folder of exactly this name exists.
    pub fn parse(typed: &OsStr) -> Result<Self, SourceSpecError> {
        Self::meaning_of(typed, Path::exists)
    }

    fn meaning_of(typed: &OsStr, exists: fn(&Path) -> bool) -> Result<Self, SourceSpecError> {
        let Some(text) = typed.to_str() else {
            // Only a path may be something other than UTF-8. An S3 URI is recognised by its start.
            let is_s3 = split_s3(&typed.to_string_lossy()).is_some();
            let path = || Self::Path(PathBuf::from(typed));
            return if is_s3 { Err(SourceSpecError::KeyNotUtf8) } else { Ok(path()) };
        };
        if let Some(rest) = split_s3(text) {
            return parse_s3(rest);
        }
        match parse_other(text) {
            Err(_) if exists(Path::new(typed)) => Ok(Self::Path(PathBuf::from(typed))),
            meaning => meaning,
        }
    }
}

/// Returns which objects of the ledger a SOURCE of `forget` names: what begins with `s3://`, `http://`,
/// `https://` or `stdin:` as it is typed, and anything else as an absolute path without links.
pub(crate) fn uri_scope(typed: &OsStr) -> UriScope {
    let text = typed.to_string_lossy();
    if ["s3://", "http://", "https://", "stdin:"].iter().any(|scheme| text.starts_with(scheme)) {
        return UriScope::new(&text);
    }
    let path = Path::new(typed);
    // What is forgotten may be deleted.
    let absolute = std::fs::canonicalize(path).or_else(|_| std::path::absolute(path));
    UriScope::new(&absolute.unwrap_or_else(|_| path.to_owned()).to_string_lossy())
}

impl fmt::Display for SourceSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::S3 { bucket, key } => write!(f, "s3://{bucket}/{key}"),
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::Stdin => f.write_str("-"),
        }
    }
}

impl SourceSpecError {
    /// Returns what to do instead.
    pub fn hint(&self) -> String {
        match self {
            Self::Empty => {
                "name a file, a folder or `s3://BUCKET/PREFIX/`; `.` is the current folder"
                    .into()
            }
            Self::NoBucket => "name the bucket: `s3://BUCKET/PREFIX/`".into(),
            Self::BadBucket(_) => "a bucket name has up to 255 letters, digits, `.`, `-` or `_`: \
                     `s3://BUCKET/PREFIX/`"
                .into(),
            Self::DirectoryBucket(_) => "directory buckets list their keys in no order, by which \
                     days are selected; copy the logs to a folder or to another bucket"
                .into(),
            Self::Credentials => "write `s3://BUCKET/PREFIX/`; keys belong in a profile or in \
                     `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`"
                .into(),
            Self::BadArn => {
                "write `s3://BUCKET/PREFIX/`, with the access point's alias as BUCKET".into()
            }
            Self::KeyTooLong => "use a shorter prefix".into(),
            Self::KeyNotUtf8 => "use a shorter prefix that is UTF-8".into(),
            Self::NotS3Uri { meant } => format!("did you mean `{}`?", redacted(meant)),
            Self::BadFileUrl => {
                "write it as `file:///absolute/path`, or as a plain path".into()
            }
            Self::Web => {
                "write a location in S3 as `s3://BUCKET/KEY`, and name an S3-compatible server with \
                 `--endpoint-url`; download any other file first"
                    .into()
            }
            Self::UnknownScheme(_) => {
                "sources are files, folders and `s3://BUCKET/PREFIX/`; write a file with such a \
                 name as `./NAME`"
                    .into()
            }
        }
    }
}

/// Returns the part of a refused source that an error may show.
///
/// A presigned or other URL may contain a password or a signature, so only its scheme is shown. An
/// S3 address may contain keys that belong in the environment.
pub(super) fn shown(typed: &OsStr) -> String {
    let text = typed.to_string_lossy();
    match text.split_once("://") {
        Some((scheme, _)) if split_s3(&text).is_none() => format!("{scheme}://…"),
        _ => redacted(&text).into_owned(),
    }
}

/// Returns what follows `s3://`.
fn split_s3(text: &str) -> Option<&str> {
    let scheme = text.get(.."s3://".len())?;
    scheme.eq_ignore_ascii_case("s3://").then(|| &text[scheme.len()..])
}

fn parse_s3(rest: &str) -> Result<SourceSpec, SourceSpecError> {
    let is_arn = rest.starts_with("arn:");
    let bucket_bytes = if is_arn {
        access_point_bytes(rest).ok_or(SourceSpecError::BadArn)?
    } else {
        rest.find('/').unwrap_or(rest.len())
    };
    let (bucket, key) = rest.split_at(bucket_bytes);
    let key = key.strip_prefix('/').unwrap_or(key);
    if bucket.is_empty() {
        return Err(SourceSpecError::NoBucket);
    }
    let is_name = bucket.len() <= BUCKET_BYTES_MAX
        && bucket.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
    if bucket.contains(':') && !is_arn {
        return Err(SourceSpecError::Credentials);
    }
    if !is_name && !is_arn {
        return Err(SourceSpecError::BadBucket(bucket.to_owned()));
    }
    // "Directory bucket naming rules", Amazon S3 User Guide.
    if bucket.ends_with("--x-s3") {
        return Err(SourceSpecError::DirectoryBucket(bucket.to_owned()));
    }
    if key.len() > KEY_BYTES_MAX {
        return Err(SourceSpecError::KeyTooLong);
    }
    Ok(SourceSpec::S3 { bucket: bucket.to_owned(), key: key.to_owned() })
}

/// Returns the number of bytes at the start of `rest` that are the ARN of an access point.
///
/// The ARN ends with `accesspoint/NAME`, where `:` may stand for `/`.
fn access_point_bytes(rest: &str) -> Option<usize> {
    const KIND: &str = ":accesspoint";
    let kind_end = rest.find(KIND).or_else(|| rest.find("/accesspoint"))? + KIND.len();
    let name = rest[kind_end..].strip_prefix(['/', ':'])?;
    let name_bytes = name.find('/').unwrap_or(name.len());
    (name_bytes > 0).then_some(kind_end + 1 + name_bytes)
}

/// Returns the meaning of a text that does not begin with `s3://`.
fn parse_other(text: &str) -> Result<SourceSpec, SourceSpecError> {
    match text {
        "" => return Err(SourceSpecError::Empty),
        "-" => return Ok(SourceSpec::Stdin),
        _ => {}
    }
    let lower = text.to_ascii_lowercase();
    for mistaken in [
        "s3:",
        "s3//",
        "s3a://",
        "s3n://",
        "arn:aws:s3:::",
        "arn:aws-cn:s3:::",
        "arn:aws-us-gov:s3:::",
    ] {
        if lower.starts_with(mistaken) {
            let rest = text[mistaken.len()..].trim_start_matches('/');
            return Err(SourceSpecError::NotS3Uri { meant: format!("s3://{rest}") });
        }
    }
    if lower.starts_with("file:") {
        return if lower.starts_with("file://") {
            let path = Url::parse(text).ok().and_then(|url| url.to_file_path().ok());
            path.map(SourceSpec::Path).ok_or(SourceSpecError::BadFileUrl)
        } else {
            Err(SourceSpecError::BadFileUrl)
        };
    }
    match text.split_once("://") {
        Some(_) if lower.starts_with("http://") || lower.starts_with("https://") => {
            Err(SourceSpecError::Web)
        }
        Some((scheme, _)) if scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            Err(SourceSpecError::UnknownScheme(scheme.to_owned()))
        }
        _ => Ok(SourceSpec::Path(PathBuf::from(text))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<SourceSpec, SourceSpecError> {
        SourceSpec::parse(OsStr::new(text))
    }

    fn s3(bucket: &str, key: &str) -> SourceSpec {
        SourceSpec::S3 { bucket: bucket.into(), key: key.into() }
    }

    #[test]
    fn an_s3_uri_is_a_bucket_and_a_literal_key() {
        for (text, expected) in [
            ("s3://acme-trail", s3("acme-trail", "")),
            ("s3://acme-trail/", s3("acme-trail", "")),
            ("S3://acme-trail/AWSLogs/", s3("acme-trail", "AWSLogs/")),
            ("s3://Old_Bucket.1/a b%20c?d#e/ü.gz", s3("Old_Bucket.1", "a b%20c?d#e/ü.gz")),
            ("s3://acme-trail//x", s3("acme-trail", "/x")),
        ] {
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn the_arn_of_an_access_point_stands_for_a_bucket() {
        for arn in [
            "arn:aws:s3:us-west-2:111122223333:accesspoint/logs",
            "arn:aws:s3:us-west-2:111122223333:accesspoint:logs",
            "arn:aws:s3-outposts:us-west-2:111122223333:outpost/op-1/accesspoint/logs",
        ] {
            assert_eq!(parse(&format!("s3://{arn}")), Ok(s3(arn, "")));
            assert_eq!(parse(&format!("s3://{arn}/AWSLogs/")), Ok(s3(arn, "AWSLogs/")));
        }
    }

    #[test]
    fn a_key_longer_than_s3_allows_is_refused() {
        let uri = |bytes| format!("s3://acme/{}", "k".repeat(bytes));
        assert!(parse(&uri(1_024)).is_ok());
        assert_eq!(parse(&uri(1_025)), Err(SourceSpecError::KeyTooLong));
    }

    #[test]
    fn a_source_is_shown_as_it_may_be_typed() {
        for text in ["s3://acme-trail/AWSLogs/", "logs/2023", "-"] {
            assert_eq!(parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn an_s3_uri_without_a_usable_bucket_is_refused() {
        for text in ["s3://", "s3:///key"] {
            assert_eq!(parse(text), Err(SourceSpecError::NoBucket), "{text}");
        }
        for bucket in ["acme trail", "acme*", "ü-ü", &"b".repeat(256)] {
            let error = parse(&format!("s3://{bucket}/x")).unwrap_err();
            assert_eq!(error, SourceSpecError::BadBucket(bucket.into()));
        }
        let express = parse("s3://acme--use1-az4--x-s3/x").unwrap_err();
        assert_eq!(express, SourceSpecError::DirectoryBucket("acme--use1-az4--x-s3".into()));
        for text in ["s3://arn:aws:s3:::acme", "s3://arn:aws:s3:eu-west-1:1:accesspoint/"] {
            assert_eq!(parse(text), Err(SourceSpecError::BadArn), "{text}");
        }
    }

    #[test]
    fn a_mistyped_s3_uri_is_refused_with_the_right_one() {
        for text in ["s3:acme/x", "s3:/acme/x", "S3//acme/x", "s3a://acme/x", "arn:aws:s3:::acme/x"]
        {
            let error = parse(text).unwrap_err();
            assert_eq!(error.hint(), "did you mean `s3://acme/x`?", "{text}");
        }
    }

    #[test]
    fn anything_else_is_a_path() {
        for text in ["logs", "./a:b", "/logs/x.json.gz", "C:\\logs", "a b", "AWSLogs/1:2", "./-"] {
            assert_eq!(parse(text), Ok(SourceSpec::Path(text.into())), "{text}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_path_need_not_be_utf8_but_an_s3_key_must() {
        use std::os::unix::ffi::OsStrExt;
        let path = OsStr::from_bytes(b"logs/\xff");
        assert_eq!(SourceSpec::parse(path), Ok(SourceSpec::Path(path.into())));
        let key = OsStr::from_bytes(b"s3://acme/\xff");
        assert_eq!(SourceSpec::parse(key), Err(SourceSpecError::KeyNotUtf8));
    }

    #[cfg(unix)]
    #[test]
    fn a_file_url_is_a_decoded_path() {
        for text in ["file:///logs/a%20b", "FILE:///logs/a%20b", "file://localhost/logs/a%20b"] {
            assert_eq!(parse(text), Ok(SourceSpec::Path("/logs/a b".into())), "{text}");
        }
        for text in ["file://server/logs", "file:logs"] {
            assert_eq!(parse(text), Err(SourceSpecError::BadFileUrl), "{text}");
        }
    }

    #[test]
    fn a_text_that_cannot_be_a_source_is_refused_with_the_reason() {
        for (text, expected) in [
            ("", SourceSpecError::Empty),
            ("https://acme.s3.amazonaws.com/x", SourceSpecError::Web),
            ("HTTP://x/y", SourceSpecError::Web),
            ("gs://acme/x", SourceSpecError::UnknownScheme("gs".into())),
        ] {
            assert_eq!(parse(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn a_text_that_looks_like_a_uri_is_a_path_if_it_exists() {
        for text in ["gs://acme", "s3:/acme", "http://x", "file:x"] {
            let typed = OsStr::new(text);
            let path = SourceSpec::Path(text.into());
            assert_eq!(SourceSpec::meaning_of(typed, |_| true), Ok(path), "{text}");
            assert!(SourceSpec::meaning_of(typed, |_| false).is_err(), "{text}");
        }
        let spec = SourceSpec::meaning_of(OsStr::new("s3://acme"), |_| true);
        assert_eq!(spec, Ok(s3("acme", "")), "`s3://` is always S3");
        let spec = SourceSpec::meaning_of(OsStr::new("-"), |_| true);
        assert_eq!(spec, Ok(SourceSpec::Stdin), "`-` is always standard input");
    }

    #[test]
    fn a_refused_url_is_shown_without_its_secrets() {
        for text in ["https://u:hunter2@x/y?X-Amz-Signature=hunter2", "ftp://u:hunter2@x"] {
            let shown = shown(OsStr::new(text));
            assert!(shown.ends_with("://…"), "{shown}");
        }
        assert_eq!(shown(OsStr::new("s3:acme/x")), "s3:acme/x");
    }
}
