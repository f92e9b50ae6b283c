//! The answer of S3, or of CloudTrail, to a request that it refused.
//!
//! It is classified by status and error code, never by wording.

use std::error::Error;
use std::fmt;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use crate::source::Cause;

/// The header in which S3 names a bucket's region, in successful answers and in refusals.
const REGION_HEADER: &str = "x-amz-bucket-region";

// Codes: "Error responses", Amazon S3 API reference; the second of a pair is that of STS.
// Those that end with `Exception` are of CloudTrail: "Common errors", AWS CloudTrail API reference.
const EXPIRED: [&str; 4] =
    ["ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired"];
const REFUSED: [&str; 13] = [
    "AccountProblem",
    "AllAccessDisabled",
    "AuthorizationHeaderMalformed",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSecurity",
    "InvalidSignatureException",
    "InvalidToken",
    "MissingAuthenticationTokenException",
    "NotSignedUp",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];
const NO_BUCKET: [&str; 2] = ["NoSuchBucket", "NoSuchAccessPoint"];
const OTHER_REGION: [&str; 2] = ["PermanentRedirect", "TemporaryRedirect"];
const ARCHIVED: [&str; 1] = ["InvalidObjectState"];
const KMS_THROTTLING: [&str; 1] = ["KMS.ThrottlingException"];
const DENIED: [&str; 2] = ["AccessDenied", "AccessDeniedException"];
const THROTTLED: [&str; 2] = ["ThrottlingException", "TooManyRequestsException"];
// The status is 400.
const TIMED_OUT: [&str; 1] = ["RequestTimeout"];

/// What the server answered to a request that it refused.
#[derive(Debug)]
pub(in crate::source) struct Answer {
    pub(super) status: u16,
    /// The region that the bucket is in, if S3 named it.
    pub(super) bucket_region: Option<String>,
    code: Option<String>,
    message: Option<String>,
    request_id: Option<String>,
}

impl Answer {
    /// Returns the answer that `error` is about, or `None` if there was no answer.
    pub(super) fn of<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Option<Self> {
        let raw = error.raw_response()?;
        let header = |name| raw.headers().get(name).map(str::to_owned);
        let meta = error.as_service_error().map(ProvideErrorMetadata::meta);
        Some(Self {
            status: raw.status().as_u16(),
            bucket_region: header(REGION_HEADER),
            code: meta.and_then(|meta| meta.code()).map(str::to_owned),
            message: meta.and_then(|meta| meta.message()).map(str::to_owned),
            request_id: header("x-amz-request-id").or_else(|| header("x-amzn-requestid")),
        })
    }

    /// Whether the credentials were valid once.
    pub(in crate::source) fn is_expired(&self) -> bool {
        self.has_code(&EXPIRED)
    }

    /// Whether S3 rejects the credentials or the signature.
    pub(in crate::source) fn is_refused(&self) -> bool {
        self.status == 401 || self.has_code(&REFUSED)
    }

    /// Whether the credentials do not allow the request.
    pub(in crate::source) fn is_denied(&self) -> bool {
        self.status == 403 || self.has_code(&DENIED)
    }

    /// Whether the bucket does not exist. Answers without a code do not say so.
    pub(super) fn is_no_bucket(&self) -> bool {
        self.has_code(&NO_BUCKET)
    }

    /// Whether the bucket is in another region.
    pub(super) fn is_other_region(&self) -> bool {
        self.status == 301 || self.status == 307 || self.has_code(&OTHER_REGION)
    }

    /// Whether the object is in an archive class and not restored.
    pub(super) fn is_archived(&self) -> bool {
        self.has_code(&ARCHIVED)
    }

    /// Whether the key service refused to decrypt the object.
    pub(super) fn is_kms(&self) -> bool {
        self.code.as_deref().is_some_and(|code| code.starts_with("KMS."))
    }

    /// Whether the request succeeded.
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether the server asks for fewer requests.
    ///
    /// S3: `SlowDown` and `ServiceUnavailable` have status 503. Other servers also answer 429. If
    /// KMS throttles S3, the status is 400, as it is if CloudTrail throttles.
    pub(super) fn is_throttling(&self) -> bool {
        matches!(self.status, 429 | 503)
            || self.has_code(&KMS_THROTTLING)
            || self.has_code(&THROTTLED)
    }

    /// Whether the same request may succeed later.
    pub(super) fn is_transient(&self) -> bool {
        self.is_throttling()
            || matches!(self.status, 408 | 500 | 502 | 504)
            || self.has_code(&TIMED_OUT)
    }

    fn has_code(&self, codes: &[&str]) -> bool {
        self.code.as_deref().is_some_and(|code| codes.contains(&code))
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.code {
            Some(code) => write!(f, "`{code}` (status {}", self.status)?,
            None => write!(f, "the server answered without a code (status {}", self.status)?,
        }
        if let Some(request_id) = &self.request_id {
            write!(f, ", request {request_id}")?;
        }
        f.write_str(")")?;
        match &self.message {
            Some(message) => write!(f, ": {}", message.trim_end_matches('.')),
            None => Ok(()),
        }
    }
}

impl Error for Answer {}

/// Returns the innermost cause of `error`. It says what happened; the others only name layers.
pub(super) fn innermost(error: &(dyn Error + 'static)) -> Cause {
    let mut last = error;
    while let Some(cause) = last.source() {
        last = cause;
    }
    last.to_string().into()
}
