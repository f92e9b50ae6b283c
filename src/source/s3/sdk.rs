//! What the AWS SDK finds by itself: region, credentials, endpoints.
//!
//! The AWS SDK reads the process's environment (`AWS_*`) and the AWS configuration files here, as
//! the AWS CLI does, and [`http`] reads the proxy variables. Neither passes through the settings of
//! the command line.

use std::error::Error;

use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_config::provider_config::ProviderConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_s3::config::{Credentials, ProvideCredentials, Region};
use aws_types::service_config::ServiceConfigKey;
use url::Url;

use super::answer::innermost;
use super::http;
use super::options::S3Options;
use crate::source::Cause;

/// Where to ask when no region is set anywhere: every region knows where a bucket is.
pub(super) const REGION_DEFAULT: &str = "us-east-1";

/// Loads region and credentials, and what else the AWS SDK reads.
pub(in crate::source) async fn load(options: &S3Options, keys: Option<Credentials>) -> SdkConfig {
    // Not the SDK's region chain: outside of EC2 it waits for an instance that never answers.
    let mut profile_region = ProfileFileRegionProvider::builder();
    let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http::client());
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
        // An explicit `--profile` overrides credentials from the environment, as in the AWS
        // CLI. The SDK's chain would prefer those of the environment.
        let settings = ProviderConfig::without_region()
            .with_region(region.clone())
            .with_http_client(http::client());
        let named = ProfileFileCredentialsProvider::builder();
        let named = named.configure(&settings).profile_name(profile);
        loader = loader.credentials_provider(named.build());
    }
    loader.region(region).load().await
}

/// Gets credentials, so that missing ones are reported before the first request.
///
/// # Errors
/// Why there are none.
pub(in crate::source) async fn check_credentials(
    sdk: &SdkConfig,
    profile: Option<&str>,
) -> Result<(), Cause> {
    let Some(provider) = sdk.credentials_provider() else { return Ok(()) };
    let Err(error) = provider.provide_credentials().await else { return Ok(()) };
    // Without a cause, the SDK only says that something was not enabled.
    Err(match error.source() {
        None if profile.is_some() => {
            "the AWS configuration files have no such profile, or no keys in it".into()
        }
        _ => innermost(&error),
    })
}

/// Returns the endpoint of the environment or the profile, where one for the service, such as
/// `S3`, overrides one for all
/// services.
pub(in crate::source) fn configured_endpoint(sdk: &SdkConfig, service: &str) -> Option<Url> {
    let key = ServiceConfigKey::builder().service_id(service);
    let key = key.env("AWS_ENDPOINT_URL").profile("endpoint_url").build();
    let of_service =
        sdk.service_config().zip(key.ok()).and_then(|(config, key)| config.load_config(key));
    let url = of_service.or_else(|| sdk.endpoint_url().map(str::to_owned))?;
    // The SDK reports a text that is not a URL.
    Url::parse(&url).ok()
}
