//! `s3://bucket/key`, taken apart.

use std::fmt;
use std::str::FromStr;

use crate::source::SourceError;

// S3: names are 3 to 63 bytes today, but up to 255 for old buckets in us-east-1; access point
// aliases and other servers' names fit in, too. An access point's ARN may be longer.
const BUCKET_BYTES_MAX: usize = 255;

// S3: a key is at most 1,024 bytes of UTF-8.
const KEY_BYTES_MAX: usize = 1_024;

/// The address of a bucket, of a prefix in it, or of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Uri {
    bucket: String,
    key: String,
}

impl S3Uri {
    /// Returns the bucket's name, or the ARN of an access point.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// Returns the key or prefix, as typed: nothing in it is an escape.
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl fmt::Display for S3Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

impl FromStr for S3Uri {
    type Err = SourceError;

    fn from_str(typed: &str) -> Result<Self, SourceError> {
        let (bucket, key) = split(typed)
            .map_err(|reason| SourceError::Address { typed: typed.to_owned(), reason })?;
        Ok(Self { bucket: bucket.to_owned(), key: key.to_owned() })
    }
}

fn split(typed: &str) -> Result<(&str, &str), &'static str> {
    let rest = typed.strip_prefix("s3://").ok_or("it does not begin with `s3://`")?;
    let bucket_bytes = if rest.starts_with("arn:") {
        access_point_bytes(rest).ok_or("its ARN is not that of an access point")?
    } else {
        rest.find('/').unwrap_or(rest.len())
    };
    let (bucket, key) = rest.split_at(bucket_bytes);
    let key = key.strip_prefix('/').unwrap_or(key);
    if bucket.is_empty() {
        return Err("the bucket is missing");
    }
    if !bucket.starts_with("arn:") {
        if bucket.len() > BUCKET_BYTES_MAX {
            return Err("its bucket name is too long");
        }
        if !bucket.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)) {
            return Err("a bucket name has only letters, digits, `-`, `.` and `_`");
        }
    }
    if key.len() > KEY_BYTES_MAX {
        return Err("its key is longer than 1,024 bytes");
    }
    Ok((bucket, key))
}

/// Returns how many bytes at the start of `rest` are the ARN, up to the access point's name.
///
/// `arn:aws:s3:REGION:ACCOUNT:accesspoint/NAME`, or
/// `arn:aws:s3-outposts:REGION:ACCOUNT:outpost/ID/accesspoint/NAME`; `:` may stand for `/`.
fn access_point_bytes(rest: &str) -> Option<usize> {
    const KIND: &str = "accesspoint";
    let kind_end = rest.find(KIND)? + KIND.len();
    let name = rest[kind_end..].strip_prefix(['/', ':'])?;
    let name_bytes = name.find('/').unwrap_or(name.len());
    (name_bytes > 0).then_some(kind_end + 1 + name_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(typed: &str) -> (String, String) {
        let uri: S3Uri = typed.parse().unwrap();
        (uri.bucket, uri.key)
    }

    #[test]
    fn an_address_has_a_bucket_and_a_key() {
        assert_eq!(parts("s3://trail"), ("trail".into(), String::new()));
        assert_eq!(parts("s3://trail/"), ("trail".into(), String::new()));
        assert_eq!(parts("s3://trail/a/b/"), ("trail".into(), "a/b/".into()));
        assert_eq!(parts("s3://trail//a?b=c#d%20"), ("trail".into(), "/a?b=c#d%20".into()));
    }

    #[test]
    fn an_access_point_arn_stands_for_a_bucket() {
        let arn = "arn:aws:s3:us-west-2:111122223333:accesspoint/logs";
        assert_eq!(parts(&format!("s3://{arn}")), (arn.into(), String::new()));
        assert_eq!(parts(&format!("s3://{arn}/AWSLogs/")), (arn.into(), "AWSLogs/".into()));
        let arn = "arn:aws:s3-outposts:us-west-2:111122223333:outpost/op-1/accesspoint/logs";
        assert_eq!(parts(&format!("s3://{arn}/k")), (arn.into(), "k".into()));
    }

    #[test]
    fn what_names_no_bucket_is_refused() {
        let long = format!("s3://b/{}", "k".repeat(1_025));
        for typed in [
            "",
            "trail",
            "https://trail",
            "s3://",
            "s3:///key",
            "s3://a b/",
            "s3://arn:aws:x/",
            &long,
        ] {
            let error = typed.parse::<S3Uri>().unwrap_err();
            assert!(matches!(error, SourceError::Address { .. }), "{typed}: {error}");
            assert!(error.is_fatal());
        }
    }
}
