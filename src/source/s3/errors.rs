//! What a failed request means: the run cannot continue, or only one object is left out.

use super::answer::Answer;
use super::attempt::AttemptError;
use super::bucket::Bucket;
use crate::source::{Cause, SourceError};
use crate::trail::object::ObjectRef;

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
