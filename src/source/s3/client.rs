//! The way to S3: credentials, connections, retries, and a bucket's own region.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_config::provider_config::ProviderConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::{RetryConfig, RetryPartition, TokenBucket};
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    Builder, Credentials, ProvideCredentials, Region, StalledStreamProtectionConfig,
};
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::head_bucket::{HeadBucketError, HeadBucketOutput};
use aws_sdk_s3::types::RequestPayer;
use tracing::{debug, info};
use url::Url;

use super::fault::{self, REGION_HEADER};
use super::options::{Patience, S3Options, shown};
use super::pace::{Pace, Watch};
use super::{S3Source, http};
use crate::source::{Grant, SourceError};
use crate::trail::object::{Location, ObjectRef};

/// Tries of one request, the first included. With [`Patience::default`] that is about a minute.
const REQUEST_ATTEMPTS_MAX: u32 = 8;

/// Tries of a request whose only purpose is to learn whether and where S3 answers. An endpoint
/// mistyped should not take a minute to be told.
const PROBE_ATTEMPTS_MAX: u32 = 3;

/// Longest wait between two tries.
pub(super) const BACKOFF_MAX: Duration = Duration::from_secs(20);

/// Where to ask when no region is set anywhere: any region tells where a bucket is.
const REGION_DEFAULT: &str = "us-east-1";

/// What the S3 sources of one run share: configuration, credentials and open connections.
///
/// Its credentials are refreshed as they expire, as far as their provider can.
#[derive(Clone)]
pub struct S3Connector {
    options: S3Options,
    sdk: SdkConfig,
    is_own_endpoint: bool,
}

impl fmt::Debug for S3Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the SDK's part, which knows the credentials.
        f.debug_struct("S3Connector").field("options", &self.options).finish_non_exhaustive()
    }
}

impl S3Connector {
    /// Loads configuration and credentials, by the default chain: environment, profile, web
    /// identity, container, instance.
    ///
    /// # Errors
    /// [`SourceError::Credentials`] if the chain finds none and requests are to be signed.
    pub async fn new(options: S3Options) -> Result<Self, SourceError> {
        Self::connect(options, None).await
    }

    /// Uses these keys instead of the default chain.
    ///
    /// # Errors
    /// None at present; the keys are not tried.
    pub async fn with_keys(
        options: S3Options,
        access_key_id: &str,
        secret_access_key: &str,
    ) -> Result<Self, SourceError> {
        let keys = Credentials::new(access_key_id, secret_access_key, None, None, "with_keys");
        Self::connect(options, Some(keys)).await
    }

    async fn connect(options: S3Options, keys: Option<Credentials>) -> Result<Self, SourceError> {
        // Not the SDK's region chain: outside of EC2 it waits for the instance's answer.
        let mut profile_region = ProfileFileRegionProvider::builder();
        let mut loader =
            aws_config::defaults(BehaviorVersion::latest()).http_client(http::client());
        if let Some(profile) = &options.profile {
            profile_region = profile_region.profile_name(profile);
            loader = loader.profile_name(profile);
        }
        let region = RegionProviderChain::first_try(options.region.clone().map(Region::new))
            .or_else(EnvironmentVariableRegionProvider::new())
            .or_else(profile_region.build())
            .or_else(REGION_DEFAULT);
        let region = region.region().await;
        if options.no_sign_request {
            loader = loader.no_credentials();
        } else if let Some(keys) = keys {
            loader = loader.credentials_provider(keys);
        } else if let Some(profile) = &options.profile {
            // Who names a profile means it, whatever keys the environment has: so does the AWS
            // CLI, but the SDK's chain takes those of the environment first.
            let settings = ProviderConfig::without_region()
                .with_region(region.clone())
                .with_http_client(http::client());
            let named = ProfileFileCredentialsProvider::builder();
            let named = named.configure(&settings).profile_name(profile);
            loader = loader.credentials_provider(named.build());
        }
        loader = loader.region(region);
        let sdk = loader.load().await;
        let is_own_endpoint = options.endpoint_url.is_some()
            || sdk.endpoint_url().is_some()
            || std::env::var_os("AWS_ENDPOINT_URL_S3").is_some();
        let connector = Self { options, sdk, is_own_endpoint };
        connector.check_credentials().await?;
        Ok(connector)
    }

    /// Opens a bucket, a prefix or an object. The [table](super) says which.
    ///
    /// `bucket` is a name or the ARN of an access point; `key` is empty for the whole bucket, and
    /// nothing in it is an escape.
    ///
    /// # Errors
    /// Only fatal ones, among them [`SourceError::NotFound`].
    pub async fn open(&self, bucket: &str, key: &str) -> Result<S3Source, SourceError> {
        let configured = self.sdk.region().map_or(REGION_DEFAULT, Region::as_ref).to_owned();
        let name = bucket;
        let mut bucket = self.bucket(name, configured);
        if let Some(region) = bucket.home_region().await?
            && region != bucket.region
        {
            info!("the bucket {name} is in {region}");
            bucket = self.bucket(name, region);
        }
        debug!(bucket = name, region = bucket.region, "opened");
        S3Source::resolve(bucket, key.to_owned()).await
    }

    fn bucket(&self, name: &str, region: String) -> Bucket {
        let patience = self.options.patience;
        let turns = Arc::new(Pace::new(name));
        let mut builder = Builder::from(&self.sdk)
            .region(Region::new(region.clone()))
            .interceptor(Watch(Arc::clone(&turns)))
            .retry_config(
                RetryConfig::standard()
                    .with_max_attempts(REQUEST_ATTEMPTS_MAX)
                    .with_initial_backoff(patience.retry_base)
                    .with_max_backoff(BACKOFF_MAX),
            )
            // The SDK's shared budget of 500 tokens is used up by some 14 fetches that retry at
            // once; then a short storm of `SlowDown` would fail objects after their first try. Nor
            // its adaptive mode, in which 30 refusals cost more than a minute: see `Pace`.
            .retry_partition(
                RetryPartition::custom("cloudtrail2sql")
                    .token_bucket(TokenBucket::unlimited())
                    .build(),
            )
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(patience.connect)
                    .read_timeout(patience.first_byte)
                    .operation_attempt_timeout(patience.connect + patience.first_byte)
                    .build(),
            )
            .stalled_stream_protection(
                StalledStreamProtectionConfig::enabled().grace_period(patience.stall).build(),
            );
        if let Some(endpoint_url) = &self.options.endpoint_url {
            builder = builder.endpoint_url(endpoint_url.as_str().trim_end_matches('/'));
        }
        if self.is_own_endpoint {
            builder = builder.force_path_style(true);
        }
        let named = self.options.endpoint_url.clone();
        let endpoint_url =
            named.or_else(|| self.sdk.endpoint_url().and_then(|url| Url::parse(url).ok()));
        let place = match endpoint_url {
            Some(endpoint_url) => format!("`{}`", shown(&endpoint_url)),
            None => format!("region `{region}`"),
        };
        Bucket {
            client: Client::from_conf(builder.build()),
            pace: turns,
            connector: self.clone(),
            name: name.to_owned(),
            region,
            place,
            allowed_prefix: String::new(),
        }
    }

    /// Asks for credentials, so that a lack of them is told before the first request.
    pub(super) async fn check_credentials(&self) -> Result<(), SourceError> {
        let Some(provider) = self.sdk.credentials_provider() else { return Ok(()) };
        match provider.provide_credentials().await {
            Ok(_) => Ok(()),
            Err(error) => {
                let profile = self.options.profile.clone();
                // Without a cause, all that the SDK says is that something was not enabled.
                let cause = match error.source() {
                    None if profile.is_some() => {
                        "the AWS configuration files have no such profile, or no keys in it".into()
                    }
                    _ => fault::innermost(&error),
                };
                Err(SourceError::Credentials { profile, cause })
            }
        }
    }
}

/// One bucket, in its region.
pub(super) struct Bucket {
    pub(super) client: Client,
    /// Fetches and listings take a turn of it before they are sent.
    pub(super) pace: Arc<Pace>,
    pub(super) connector: S3Connector,
    pub(super) name: String,
    pub(super) region: String,
    /// The endpoint or region, for messages.
    pub(super) place: String,
    allowed_prefix: String,
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket")
            .field("name", &self.name)
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

impl Bucket {
    pub(super) fn region(&self) -> &str {
        &self.region
    }

    pub(super) fn patience(&self) -> Patience {
        self.connector.options.patience
    }

    pub(super) fn payer(&self) -> Option<RequestPayer> {
        self.connector.options.request_payer.then_some(RequestPayer::Requester)
    }

    pub(super) fn location(&self, key: String) -> Location {
        Location::S3 { bucket: self.name.clone(), key }
    }

    pub(super) fn uri(&self, key: &str) -> String {
        self.location(key.to_owned()).uri()
    }

    pub(super) fn is_at(&self, object: &ObjectRef, key: &str) -> bool {
        object.location == self.location(key.to_owned())
    }

    /// Remembers below which prefix we read, for the hint that names the permission.
    pub(super) fn allow(&mut self, prefix: &str) {
        prefix.clone_into(&mut self.allowed_prefix);
    }

    /// Returns what reading this bucket takes.
    pub(super) fn grant(&self) -> Grant {
        let is_arn = self.name.starts_with("arn:");
        let bucket_arn = if is_arn {
            self.name.clone()
        } else {
            format!("arn:{}:s3:::{}", partition(&self.region), self.name)
        };
        let below = if is_arn { "/object/" } else { "/" };
        let objects_arn = format!("{bucket_arn}{below}{}*", self.allowed_prefix);
        let is_anonymous = self.connector.options.no_sign_request;
        Grant { bucket_arn, objects_arn, is_anonymous }
    }

    /// Returns the region S3 says the bucket is in.
    ///
    /// The header comes with answers that are errors, too. Such an answer is not judged here: it
    /// has no body and so no code; the request that follows will get a better one.
    async fn home_region(&self) -> Result<Option<String>, SourceError> {
        match self.probe().await {
            Ok(answer) => Ok(answer.bucket_region().map(str::to_owned)),
            Err(error) => match error.raw_response() {
                Some(raw) if raw.status().as_u16() == 404 => Err(self.no_bucket(&error)),
                Some(raw) => Ok(raw.headers().get(REGION_HEADER).map(str::to_owned)),
                None => Err(self.unanswered(error).await),
            },
        }
    }

    /// Returns whether S3 answers anything at all.
    pub(super) async fn is_reachable(&self) -> bool {
        match self.probe().await {
            Ok(_) => true,
            Err(error) => error.raw_response().is_some(),
        }
    }

    async fn probe(&self) -> Result<HeadBucketOutput, SdkError<HeadBucketError>> {
        let retries = RetryConfig::standard()
            .with_max_attempts(PROBE_ATTEMPTS_MAX)
            .with_initial_backoff(self.patience().retry_base)
            .with_max_backoff(BACKOFF_MAX);
        self.client
            .head_bucket()
            .bucket(&self.name)
            .customize()
            .config_override(Builder::default().retry_config(retries))
            .send()
            .await
    }
}

/// Returns the part of AWS that a region belongs to, as ARNs name it.
fn partition(region: &str) -> &'static str {
    const PARTITIONS: [(&str, &str); 6] = [
        ("cn-", "aws-cn"),
        ("us-gov-", "aws-us-gov"),
        ("us-iso-", "aws-iso"),
        ("us-isob-", "aws-iso-b"),
        ("us-isof-", "aws-iso-f"),
        ("eusc-", "aws-eusc"),
    ];
    PARTITIONS.iter().find(|(start, _)| region.starts_with(start)).map_or("aws", |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_names_the_partition_of_the_region() {
        assert_eq!(partition("eu-west-1"), "aws");
        assert_eq!(partition("us-gov-west-1"), "aws-us-gov");
        assert_eq!(partition("cn-north-1"), "aws-cn");
    }
}
