//! The public keys that verify digests, as CloudTrail lists them.
//!
//! The keys are of a region, and the same for all accounts. They are not in the bucket: CloudTrail is
//! asked, with the same credentials as S3. Its endpoint is its own: that of `--endpoint-url` is S3's.

use std::fmt;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_cloudtrail::Client;
use aws_sdk_cloudtrail::config::retry::RetryConfig;
use aws_sdk_cloudtrail::config::timeout::TimeoutConfig;
use aws_sdk_cloudtrail::config::{Builder, Region};
use aws_sdk_cloudtrail::operation::list_public_keys::ListPublicKeysOutput;
use aws_sdk_cloudtrail::primitives::DateTime;
use aws_sdk_cloudtrail::types::PublicKey;
use jiff::Timestamp;
use tracing::debug;

use super::Cause;
use super::s3::attempt::AttemptError;
use super::s3::options::shown;
use super::s3::{S3Options, Timeouts, sdk};
use crate::retry::RetryPolicy;
use crate::trail::integrity::public_keys::{KeyError, KeyRing};
use crate::trail::time::EventTime;

/// Attempts of one request, the first included. With the default waits, they span about six seconds:
/// there are few requests, and CloudTrail allows some per second.
const ATTEMPTS_MAX: u32 = 8;

/// The time after which no further attempt starts.
const DEADLINE: Duration = Duration::from_secs(30);

/// The longest wait between two attempts.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// The most pages of one listing. A key is valid for 30 days, so that even ten keys a page make more than
/// 80 years.
const PAGES_MAX: usize = 100;

/// Lists public keys, in any region.
pub struct KeyService {
    sdk: SdkConfig,
    profile: Option<String>,
    timeouts: Timeouts,
}

impl fmt::Debug for KeyService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the SDK's part, which holds the credentials.
        f.debug_struct("KeyService")
            .field("profile", &self.profile)
            .field("timeouts", &self.timeouts)
            .finish_non_exhaustive()
    }
}

impl KeyService {
    /// Loads credentials as [`S3Connector::new`](super::s3::S3Connector::new) does.
    ///
    /// `endpoint_url` and `no_sign_request` of the options have no effect here: they are about the
    /// bucket, and CloudTrail accepts no request without credentials.
    ///
    /// # Errors
    /// [`KeyServiceError::Credentials`] if there are none.
    pub async fn new(options: S3Options) -> Result<Self, KeyServiceError> {
        let options = S3Options { no_sign_request: false, ..options };
        let sdk = sdk::load(&options, None).await;
        let service = Self { sdk, profile: options.profile, timeouts: options.timeouts };
        service.check_credentials().await?;
        Ok(service)
    }

    /// Lists the keys of a region that were valid at some time from `from` to `to`; possibly none.
    ///
    /// Transient faults are retried inside, within a bound. Cancel safe.
    ///
    /// # Errors
    /// See [`KeyServiceError`]. One bad key is an error, so that no digest seems unproven for it.
    pub async fn public_keys(
        &self,
        region: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<KeyRing, KeyServiceError> {
        let client = self.client(region);
        let mut ring = KeyRing::default();
        let mut token = None;
        for _ in 0..PAGES_MAX {
            let request = Request { client: &client, region, from, to, token: token.as_deref() };
            let page = self.page(&request).await?;
            for key in page.public_key_list() {
                let bad_key =
                    |source| KeyServiceError::BadKey { region: region.to_owned(), source };
                add(&mut ring, key).map_err(bad_key)?;
            }
            match page.next_token() {
                None => return Ok(ring),
                Some(next) => token = Some(next.to_owned()),
            }
        }
        let cause = format!("it announced more than {PAGES_MAX} pages").into();
        Err(KeyServiceError::List { region: region.to_owned(), cause })
    }

    fn client(&self, region: &str) -> Client {
        let timeouts = self.timeouts;
        let config = Builder::from(&self.sdk)
            .region(Region::new(region.to_owned()))
            // `page` retries, as for S3.
            .retry_config(RetryConfig::disabled())
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(timeouts.connect)
                    .read_timeout(timeouts.first_byte)
                    .operation_attempt_timeout(timeouts.connect + timeouts.first_byte)
                    .build(),
            );
        Client::from_conf(config.build())
    }

    /// Lists one page.
    async fn page(&self, request: &Request<'_>) -> Result<ListPublicKeysOutput, KeyServiceError> {
        let policy = RetryPolicy {
            attempts_max: ATTEMPTS_MAX,
            deadline: DEADLINE,
            first_wait_max: self.timeouts.retry_base,
            wait_max: WAIT_MAX,
        };
        let mut retry = policy.start();
        loop {
            let error = match request.send().await {
                Ok(page) => return Ok(page),
                Err(error) => error,
            };
            let Some(wait) = retry.next_wait().filter(|_| error.is_transient()) else {
                return Err(self.error(request.region, error).await);
            };
            let (attempts, reason) = (retry.failed_attempts(), error.reason());
            debug!(region = request.region, attempts, error = reason, "asking again for keys");
            tokio::time::sleep(wait).await;
        }
    }

    /// Returns why a listing failed.
    async fn error(&self, region: &str, error: AttemptError) -> KeyServiceError {
        let region = region.to_owned();
        let answer = match error {
            AttemptError::NotSent(cause) | AttemptError::NoAnswer(cause) => {
                // No error type of the SDK says that credentials were missing.
                return match self.check_credentials().await {
                    Err(no_credentials) => no_credentials,
                    Ok(()) => KeyServiceError::Unreachable { place: self.place(&region), cause },
                };
            }
            AttemptError::OpenFiles(cause) | AttemptError::Damaged(cause) => {
                return KeyServiceError::List { region, cause };
            }
            AttemptError::Changed => unreachable!("a listing is not of one version"),
            AttemptError::Refused(answer) => answer,
        };
        if answer.is_expired() {
            KeyServiceError::Expired { cause: answer.into() }
        } else if answer.is_refused() {
            KeyServiceError::Refused { region, cause: answer.into() }
        } else if answer.is_denied() {
            KeyServiceError::Denied { region, cause: answer.into() }
        } else {
            KeyServiceError::List { region, cause: answer.into() }
        }
    }

    async fn check_credentials(&self) -> Result<(), KeyServiceError> {
        let checked = sdk::check_credentials(&self.sdk, self.profile.as_deref()).await;
        checked
            .map_err(|cause| KeyServiceError::Credentials { profile: self.profile.clone(), cause })
    }

    /// Returns the endpoint, or else the region, for messages.
    fn place(&self, region: &str) -> String {
        match sdk::configured_endpoint(&self.sdk, "CloudTrail") {
            Some(endpoint_url) => format!("`{}`", shown(&endpoint_url)),
            None => format!("region `{region}`"),
        }
    }
}

/// A request for one page.
#[derive(Debug, Clone, Copy)]
struct Request<'r> {
    client: &'r Client,
    region: &'r str,
    from: Timestamp,
    to: Timestamp,
    token: Option<&'r str>,
}

impl Request<'_> {
    async fn send(&self) -> Result<ListPublicKeysOutput, AttemptError> {
        let answer = self
            .client
            .list_public_keys()
            .start_time(DateTime::from_secs(self.from.as_second()))
            .end_time(DateTime::from_secs(self.to.as_second()))
            .set_next_token(self.token.map(str::to_owned))
            .send()
            .await;
        answer.map_err(|error| AttemptError::of(&error))
    }
}

fn add(ring: &mut KeyRing, key: &PublicKey) -> Result<(), KeyError> {
    let der = key.value().ok_or(KeyError::NoValue)?;
    let time = |time: Option<&DateTime>| time.and_then(|time| EventTime::from_unix_s(time.secs()));
    let validity = [time(key.validity_start_time()), time(key.validity_end_time())];
    ring.add_der_with_validity(der.as_ref(), key.fingerprint(), validity)
}

/// Why the keys of a region could not be listed. Without them, none of its digests can be proven.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyServiceError {
    /// No AWS credentials were found.
    #[error("cannot get AWS credentials to list CloudTrail's public keys")]
    Credentials {
        /// The profile of `--profile`.
        profile: Option<String>,
        /// The error of the credential providers.
        #[source]
        cause: Cause,
    },
    /// The AWS credentials have expired.
    #[error("the AWS credentials have expired")]
    Expired {
        /// The answer of CloudTrail.
        #[source]
        cause: Cause,
    },
    /// CloudTrail does not accept the credentials in this region.
    #[error("CloudTrail refused the AWS credentials in region `{region}`")]
    Refused {
        /// The region whose keys were requested.
        region: String,
        /// The answer of CloudTrail.
        #[source]
        cause: Cause,
    },
    /// The credentials do not allow the listing.
    #[error("cannot list CloudTrail's public keys of region `{region}`")]
    Denied {
        /// The region whose keys were requested.
        region: String,
        /// The answer of CloudTrail.
        #[source]
        cause: Cause,
    },
    /// No answer, after all retries.
    #[error("cannot reach CloudTrail at {place}")]
    Unreachable {
        /// The endpoint or region.
        place: String,
        /// The last error.
        #[source]
        cause: Cause,
    },
    /// The listing failed for another reason, after all retries.
    #[error("cannot list all of CloudTrail's public keys of region `{region}`")]
    List {
        /// The region whose keys were requested.
        region: String,
        /// The last error.
        #[source]
        cause: Cause,
    },
    /// A key of the answer cannot be read.
    #[error("cannot read a public key that CloudTrail listed for region `{region}`")]
    BadKey {
        /// The region whose keys were requested.
        region: String,
        /// What is wrong with the key.
        #[source]
        source: KeyError,
    },
}

impl KeyServiceError {
    /// Returns what the user can do about the error.
    pub fn hint(&self) -> String {
        let first = match self {
            Self::Credentials { profile: Some(profile), .. } => {
                format!(
                    "sign in with `aws sso login --profile {profile}`, or set another `--profile`"
                )
            }
            Self::Credentials { profile: None, .. } => {
                "sign in with `aws sso login` or `aws configure`, or set `--profile`".into()
            }
            Self::Expired { .. } => "sign in again and run the same command".into(),
            Self::Refused { region, .. } => format!(
                "check the keys or `--profile`, the clock, and whether region `{region}` is enabled \
                 in the account"
            ),
            Self::Denied { .. } => "the role needs `cloudtrail:ListPublicKeys` on `*`".into(),
            Self::Unreachable { .. } => {
                "check the network and `AWS_ENDPOINT_URL_CLOUDTRAIL`".into()
            }
            Self::List { .. } | Self::BadKey { .. } => "run the same command again".into(),
        };
        format!(
            "{first}; or save the answer of `aws cloudtrail list-public-keys` where that is allowed, and \
             set `--public-keys FILE`"
        )
    }
}
