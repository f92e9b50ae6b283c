//! What a failed request means: the run is over, or one object is out, or ask again.
//!
//! Decided by status and error code, never by wording.

use std::error::Error;
use std::fmt;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use super::client::Bucket;
use crate::source::{Cause, SourceError};
use crate::trail::object::ObjectRef;

/// Where S3 says which region a bucket is in, with answers and with refusals.
pub(super) const REGION_HEADER: &str = "x-amz-bucket-region";

// Codes: "Error responses", Amazon S3 API reference; the second of a pair is that of STS.
const EXPIRED: [&str; 4] =
    ["ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired"];
const REFUSED: [&str; 11] = [
    "AccountProblem",
    "AllAccessDisabled",
    "AuthorizationHeaderMalformed",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSecurity",
    "InvalidToken",
    "NotSignedUp",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];
const NO_BUCKET: [&str; 2] = ["NoSuchBucket", "NoSuchAccessPoint"];
const ELSEWHERE: [&str; 2] = ["PermanentRedirect", "TemporaryRedirect"];

/// What S3 answered to a request it did not do.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    code: Option<String>,
    message: Option<String>,
    request_id: Option<String>,
}

impl Answer {
    /// Takes the answer out of `error`, if there was one.
    pub(super) fn of<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Option<Self> {
        let raw = error.raw_response()?;
        let meta = error.as_service_error().map(ProvideErrorMetadata::meta);
        Some(Self {
            status: raw.status().as_u16(),
            code: meta.and_then(|meta| meta.code()).map(str::to_owned),
            message: meta.and_then(|meta| meta.message()).map(str::to_owned),
            request_id: raw.headers().get("x-amz-request-id").map(str::to_owned),
        })
    }

    fn is_one_of(&self, codes: &[&str]) -> bool {
        self.code.as_deref().is_some_and(|code| codes.contains(&code))
    }

    fn is_elsewhere(&self) -> bool {
        self.status == 301 || self.status == 307 || self.is_one_of(&ELSEWHERE)
    }

    fn is_kms(&self) -> bool {
        self.code.as_deref().is_some_and(|code| code.starts_with("KMS."))
    }

    /// Whether S3 was held up by its key service. Comes as a 400, which the SDK does not retry.
    pub(super) fn is_kms_throttling(&self) -> bool {
        self.is_one_of(&["KMS.ThrottlingException"])
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.code {
            Some(code) => write!(f, "`{code}` (status {}", self.status)?,
            None => write!(f, "S3 answered without a code (status {}", self.status)?,
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

impl Bucket {
    /// Returns the error of an answer that there is no such bucket.
    pub(super) fn no_bucket<E: ProvideErrorMetadata>(
        &self,
        error: &SdkError<E, HttpResponse>,
    ) -> SourceError {
        let answer = Answer::of(error).expect("the caller saw the status of an answer");
        SourceError::NoBucket { bucket: self.name.clone(), cause: answer.into() }
    }

    /// Returns why a listing of `prefix` failed.
    pub(super) async fn list_error<E>(
        &self,
        prefix: &str,
        error: SdkError<E, HttpResponse>,
    ) -> SourceError
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let Some(answer) = Answer::of(&error) else { return self.unanswered(error).await };
        let uri = self.uri(prefix);
        match self.run_error(&uri, answer) {
            Ok(fatal) => fatal,
            Err(answer) if answer.status == 404 => {
                SourceError::NoBucket { bucket: self.name.clone(), cause: answer.into() }
            }
            Err(answer) if answer.status == 403 => {
                SourceError::ListDenied { uri, grant: self.grant(), cause: answer.into() }
            }
            Err(answer) => SourceError::List { uri, cause: answer.into() },
        }
    }

    /// Returns why `object` was not sent.
    pub(super) async fn fetch_error<E>(
        &self,
        object: &ObjectRef,
        error: SdkError<E, HttpResponse>,
    ) -> SourceError
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let uri = object.location.uri();
        let Some(answer) = Answer::of(&error) else {
            // One object that S3 cannot send does not end the run; a silent S3 does.
            return if self.is_reachable().await {
                SourceError::Fetch { uri, cause: innermost(&error) }
            } else {
                self.unanswered(error).await
            };
        };
        match self.run_error(&uri, answer) {
            Ok(fatal) => fatal,
            Err(answer) if answer.status == 412 => SourceError::Changed { uri },
            Err(answer) if answer.status == 404 => {
                SourceError::Missing { uri, cause: answer.into() }
            }
            Err(answer) if answer.is_one_of(&["InvalidObjectState"]) => {
                SourceError::Archived { uri, cause: answer.into() }
            }
            Err(answer) if answer.status == 403 || answer.is_kms() => {
                SourceError::Denied { uri, grant: self.grant(), cause: answer.into() }
            }
            Err(answer) => SourceError::Fetch { uri, cause: answer.into() },
        }
    }

    /// Returns the error if `answer` means that nothing more can be had; else gives it back.
    fn run_error(&self, uri: &str, answer: Answer) -> Result<SourceError, Answer> {
        let bucket = self.name.clone();
        if answer.is_one_of(&EXPIRED) {
            Ok(SourceError::Expired { cause: answer.into() })
        } else if answer.is_one_of(&REFUSED) || answer.status == 401 {
            Ok(SourceError::Refused { uri: uri.to_owned(), cause: answer.into() })
        } else if answer.is_one_of(&NO_BUCKET) {
            Ok(SourceError::NoBucket { bucket, cause: answer.into() })
        } else if answer.is_elsewhere() {
            let region = self.region.clone();
            Ok(SourceError::WrongRegion { bucket, region, cause: answer.into() })
        } else {
            Err(answer)
        }
    }

    /// Returns why there was no answer at all.
    pub(super) async fn unanswered<E>(&self, error: SdkError<E, HttpResponse>) -> SourceError
    where
        E: Error + Send + Sync + 'static,
    {
        // The SDK does not tell by type that it had nothing to sign with; the provider does.
        match self.connector.check_credentials().await {
            Err(no_credentials) => no_credentials,
            Ok(()) => {
                SourceError::Unreachable { place: self.place.clone(), cause: innermost(&error) }
            }
        }
    }
}

/// Returns the last cause of `error`, which says what happened; those above it name layers.
pub(super) fn innermost(error: &(dyn Error + 'static)) -> Cause {
    let mut last = error;
    while let Some(cause) = last.source() {
        last = cause;
    }
    last.to_string().into()
}
