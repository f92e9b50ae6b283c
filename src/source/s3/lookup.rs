//! What an address names: the region of its bucket, an object, or keys with a prefix.

use super::answer::{Answer, innermost};
use super::attempt::AttemptError;
use super::bucket::Bucket;
use super::page::{ListRequest, version};
use crate::source::SourceError;
use crate::trail::object::ObjectRef;

impl Bucket {
    /// Returns the region that S3 names for the bucket.
    ///
    /// Refusals name it, too. They are not classified here: an answer to HEAD has no body and
    /// hence no code. The request that follows gets a refusal with a code.
    pub(super) async fn home_region(&self) -> Result<Option<String>, SourceError> {
        match self.probe().await {
            Ok(answer) => Ok(answer.bucket_region().map(str::to_owned)),
            Err(error) => match Answer::of(&error) {
                None => Err(self.no_answer(innermost(&error)).await),
                Some(answer) if answer.status == 404 => Err(self.no_bucket(answer)),
                Some(answer) => Ok(answer.bucket_region),
            },
        }
    }

    /// Returns the object with this key, or `None` if it does not exist or HEAD is denied.
    pub(super) async fn head(&self, key: &str) -> Result<Option<ObjectRef>, SourceError> {
        let mut retry = self.start_retries();
        loop {
            self.rate_limiter.acquire().await;
            let answer = self
                .client
                .head_object()
                .bucket(&self.name)
                .key(key)
                .set_request_payer(self.payer())
                .send()
                .await;
            let error = match answer {
                Ok(answer) => {
                    return Ok(Some(ObjectRef {
                        location: self.location(key.to_owned()),
                        size_bytes: answer.content_length().map_or(0, i64::unsigned_abs),
                        version: version(answer.e_tag()),
                        is_named: true,
                    }));
                }
                Err(error) => AttemptError::of(&error),
            };
            if self.wait_to_retry(&mut retry, &self.uri(key), &error).await.is_ok() {
                continue;
            }
            return match error {
                AttemptError::NotSent(cause) | AttemptError::NoAnswer(cause) => {
                    Err(self.no_answer(cause).await)
                }
                AttemptError::OpenFiles(cause) => {
                    Err(SourceError::OpenFiles { place: self.uri(key), cause })
                }
                // The listing that follows gets a refusal with a code.
                _ => Ok(None),
            };
        }
    }

    /// Returns the first object whose key begins with `prefix`.
    pub(super) async fn first_below(&self, prefix: &str) -> Result<Option<ObjectRef>, SourceError> {
        let request = ListRequest { prefix, keys_max: Some(1), ..ListRequest::default() };
        let mut rest = None;
        loop {
            let page = self.list(&request, rest.as_ref()).await?;
            if let Some(object) = page.objects.into_iter().next() {
                return Ok(Some(object));
            }
            rest = Some(match page.next {
                Some(next) => next,
                None => return Ok(None),
            });
        }
    }
}
