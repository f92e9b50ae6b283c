//! Why one attempt of a request failed, and whether another one may succeed.

use std::error::Error;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ConnectorError, ProvideErrorMetadata, SdkError};

use super::answer::{Answer, innermost};
use crate::source::{Cause, is_out_of_files};

/// Why one attempt of a request failed.
#[derive(Debug)]
pub(in crate::source) enum AttemptError {
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
    pub(in crate::source) fn of<E>(error: &SdkError<E, HttpResponse>) -> Self
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
    pub(in crate::source) fn is_transient(&self) -> bool {
        match self {
            Self::NoAnswer(_) | Self::Damaged(_) => true,
            Self::Refused(answer) => answer.is_transient(),
            Self::NotSent(_) | Self::OpenFiles(_) | Self::Changed => false,
        }
    }

    /// Returns whether the server asks for fewer requests.
    pub(in crate::source) fn is_throttling(&self) -> bool {
        matches!(self, Self::Refused(answer) if answer.is_throttling())
    }

    /// Returns what happened, in one line.
    pub(in crate::source) fn reason(&self) -> String {
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
