//! What a failed request means: another attempt, the end of the run, or one object left out.

use std::error::Error;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ConnectorError, ProvideErrorMetadata, SdkError};

use super::answer::{Answer, innermost};
use super::bucket::Bucket;
use crate::source::{Cause, SourceError, is_out_of_files};
use crate::trail::object::ObjectRef;

/// Why one attempt of a request failed.
#[derive(Debug)]
pub(super) enum AttemptError {
    /// The request was not sent, as without credentials.
    NotSent(Cause),
    /// The request was not sent, because the process has too many open files.
    OpenFiles(Cause),
    /// There was no answer.
    NoAnswer(Cause),
    /// The server refused the request.
    Refused(Answer),
    /// The answer is cut short or damaged.
    Damaged(Cause),
    /// The object is not the one that was listed.
    Changed,
}

impl AttemptError {
    /// Returns why a request of the SDK failed.
    pub(super) fn of<E>(error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        if let Some(answer) = Answer::of(error) {
            // The SDK could not read the body of a successful answer.
            return if answer.is_success() {
                Self::Damaged(innermost(error))
            } else {
                Self::Refused(answer)
            };
        }
        if causes(error).any(|cause| cause.downcast_ref().is_some_and(is_out_of_files)) {
            return Self::OpenFiles(innermost(error));
        }
        let is_sent = match error {
            SdkError::ConstructionFailure(_) => false,
            SdkError::DispatchFailure(failure) => {
                failure.as_connector_error().is_some_and(is_of_network)
            }
            _ => true,
        };
        if is_sent { Self::NoAnswer(innermost(error)) } else { Self::NotSent(innermost(error)) }
    }

    /// Returns whether another attempt may succeed.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            Self::NoAnswer(_) | Self::Damaged(_) => true,
            Self::Refused(answer) => answer.is_transient(),
            Self::NotSent(_) | Self::OpenFiles(_) | Self::Changed => false,
        }
    }

    /// Returns whether the server asks for fewer requests.
    pub(super) fn is_throttling(&self) -> bool {
        matches!(self, Self::Refused(answer) if answer.is_throttling())
    }

    /// Returns what happened, in one line.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::NotSent(cause)
            | Self::OpenFiles(cause)
            | Self::NoAnswer(cause)
            | Self::Damaged(cause) => cause.to_string(),
            Self::Refused(answer) => answer.to_string(),
            Self::Changed => "it changed".into(),
        }
    }
}

/// Returns `error` and all its causes.
fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}

/// Whether the network failed, not the steps before it, such as getting credentials.
fn is_of_network(error: &ConnectorError) -> bool {
    error.is_io() || error.is_timeout() || error.as_other().is_some()
}

impl Bucket {
    /// Returns why a listing of `prefix` failed.
    pub(super) async fn list_error(&self, prefix: &str, error: AttemptError) -> SourceError {
        let uri = self.uri(prefix);
        let answer = match error {
            AttemptError::NotSent(cause) | AttemptError::NoAnswer(cause) => {
                return self.no_answer(cause).await;
            }
            AttemptError::OpenFiles(cause) => return SourceError::OpenFiles { place: uri, cause },
            AttemptError::Damaged(cause) => return SourceError::List { uri, cause },
            AttemptError::Changed => unreachable!("a listing is not of one version"),
            AttemptError::Refused(answer) => answer,
        };
        match self.fatal_error(&uri, answer) {
            Ok(fatal) => fatal,
            Err(answer) if answer.status == 404 => self.no_bucket(answer),
            Err(answer) if answer.status == 403 => {
                SourceError::ListDenied { uri, grant: self.grant(), cause: answer.into() }
            }
            Err(answer) => SourceError::List { uri, cause: answer.into() },
        }
    }

    /// Returns why `object` could not be fetched in so many attempts.
    pub(super) async fn fetch_error(
        &self,
        object: &ObjectRef,
        error: AttemptError,
        attempts: u32,
    ) -> SourceError {
        let uri = object.location.uri();
        let answer = match error {
            // The run ends only if S3 answers nothing else either.
            AttemptError::NoAnswer(cause) if self.is_reachable().await => {
                return SourceError::Fetch { uri, cause };
            }
            AttemptError::NotSent(cause) | AttemptError::NoAnswer(cause) => {
                return self.no_answer(cause).await;
            }
            AttemptError::OpenFiles(cause) => return SourceError::OpenFiles { place: uri, cause },
            AttemptError::Damaged(cause) => return SourceError::Broken { uri, attempts, cause },
            AttemptError::Changed => return SourceError::Changed { uri },
            AttemptError::Refused(answer) => answer,
        };
        match self.fatal_error(&uri, answer) {
            Ok(fatal) => fatal,
            Err(answer) if answer.status == 412 => SourceError::Changed { uri },
            Err(answer) if answer.status == 404 => {
                SourceError::Missing { uri, cause: answer.into() }
            }
            Err(answer) if answer.is_archived() => {
                SourceError::Archived { uri, cause: answer.into() }
            }
            // Throttling is not a missing permission, although KMS is what refuses.
            Err(answer) if answer.status == 403 || (answer.is_kms() && !answer.is_throttling()) => {
                SourceError::Denied { uri, grant: self.grant(), cause: answer.into() }
            }
            Err(answer) => SourceError::Fetch { uri, cause: answer.into() },
        }
    }

    /// Returns the error of an answer after which nothing more can be read, else the answer.
    fn fatal_error(&self, uri: &str, answer: Answer) -> Result<SourceError, Answer> {
        if answer.is_expired() {
            Ok(SourceError::Expired { cause: answer.into() })
        } else if answer.is_refused() {
            Ok(SourceError::Refused { uri: uri.to_owned(), cause: answer.into() })
        } else if answer.is_no_bucket() {
            Ok(self.no_bucket(answer))
        } else if answer.is_other_region() {
            let (bucket, region) = (self.name.clone(), self.region.clone());
            Ok(SourceError::WrongRegion { bucket, region, cause: answer.into() })
        } else {
            Err(answer)
        }
    }

    /// Returns the error of an answer that means that the bucket does not exist.
    pub(super) fn no_bucket(&self, answer: Answer) -> SourceError {
        SourceError::NoBucket { bucket: self.name.clone(), cause: answer.into() }
    }

    /// Returns why there was no answer at all.
    pub(super) async fn no_answer(&self, cause: Cause) -> SourceError {
        // No error type of the SDK says that credentials were missing, so the provider is asked.
        match self.connector.check_credentials().await {
            Err(no_credentials) => no_credentials,
            Ok(()) => SourceError::Unreachable { place: self.place.clone(), cause },
        }
    }
}
