//! What the S3 sources of one run share: configuration, credentials and open connections.

use std::fmt;

use aws_config::SdkConfig;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{Builder, Credentials, Region, StalledStreamProtectionConfig};
use tracing::warn;
use url::{Host, Url};

use super::options::{S3Options, shown};
use super::sdk::{self, REGION_DEFAULT};
use crate::source::SourceError;

/// The domains of AWS: an endpoint in one of them, such as a VPC endpoint, has the buckets of AWS.
///
/// The `dnsSuffix` and `dualStackDnsSuffix` of the partitions in the AWS SDKs' endpoint rules.
const AWS_DOMAINS: [&str; 12] = [
    "amazonaws.com",
    "api.aws",
    "amazonaws.com.cn",
    "api.amazonwebservices.com.cn",
    "c2s.ic.gov",
    "api.aws.ic.gov",
    "sc2s.sgov.gov",
    "api.aws.scloud",
    "cloud.adc-e.uk",
    "csp.hci.ic.gov",
    "amazonaws.eu",
    "api.amazonwebservices.eu",
];

/// What the S3 sources of one run share: configuration, credentials and open connections.
///
/// Credentials are refreshed when they expire, if their provider can do that.
#[derive(Clone)]
pub struct S3Connector {
    pub(super) options: S3Options,
    sdk: SdkConfig,
    /// The endpoint of the options, the environment or the profile.
    endpoint_url: Option<Url>,
}

impl fmt::Debug for S3Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the SDK's part, which holds the credentials.
        f.debug_struct("S3Connector").field("options", &self.options).finish_non_exhaustive()
    }
}

impl S3Connector {
    /// Loads configuration and credentials by the default chain: environment, profile, web
    /// identity, container, instance.
    ///
    /// # Errors
    /// [`SourceError::Credentials`] if requests are to be signed and the chain finds none.
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
        let sdk = sdk::load(&options, keys).await;
        let endpoint_url =
            options.endpoint_url.clone().or_else(|| sdk::configured_endpoint(&sdk, "S3"));
        let connector = Self { options, sdk, endpoint_url };
        if let Some(url) = connector.endpoint_url.as_ref().filter(|url| is_exposed(url)) {
            warn!(
                endpoint_url = shown(url),
                "the connection to the S3 server is not encrypted: others on the network can read \
                 the logs"
            );
        }
        connector.check_credentials().await?;
        Ok(connector)
    }

    /// Returns the region that was configured.
    pub(super) fn region(&self) -> &str {
        self.sdk.region().map_or(REGION_DEFAULT, Region::as_ref)
    }

    /// Returns the configuration of a client for one region.
    pub(super) fn client_config(&self, region: &str) -> Builder {
        let timeouts = self.options.timeouts;
        let mut builder = Builder::from(&self.sdk)
            .region(Region::new(region.to_owned()))
            // `Bucket` retries: the SDK has no limit on the rate of its retries, does not retry
            // an answer that is cut short, and does not take 429 for throttling.
            .retry_config(RetryConfig::disabled())
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(timeouts.connect)
                    .read_timeout(timeouts.first_byte)
                    .operation_attempt_timeout(timeouts.connect + timeouts.first_byte)
                    .build(),
            )
            .stalled_stream_protection(
                StalledStreamProtectionConfig::enabled().grace_period(timeouts.stall).build(),
            );
        if let Some(endpoint_url) = &self.endpoint_url {
            builder = builder
                .endpoint_url(endpoint_url.as_str().trim_end_matches('/'))
                .force_path_style(true);
        }
        builder
    }

    /// Returns the endpoint, or else the region, for messages.
    pub(super) fn place(&self, region: &str) -> String {
        match &self.endpoint_url {
            Some(endpoint_url) => format!("`{}`", shown(endpoint_url)),
            None => format!("region `{region}`"),
        }
    }

    /// Returns the URL of the server if it is not AWS.
    pub(super) fn other_server(&self) -> Option<String> {
        self.endpoint_url.as_ref().filter(|url| !is_aws(url)).map(shown)
    }

    /// Gets credentials, so that missing ones are reported before the first request.
    pub(super) async fn check_credentials(&self) -> Result<(), SourceError> {
        let profile = self.options.profile.clone();
        sdk::check_credentials(&self.sdk, profile.as_deref())
            .await
            .map_err(|cause| SourceError::Credentials { profile, cause })
    }
}

/// Whether an endpoint has the buckets of AWS.
fn is_aws(endpoint_url: &Url) -> bool {
    let host = endpoint_url.host_str().unwrap_or_default();
    AWS_DOMAINS.iter().any(|domain| {
        host.strip_suffix(domain).is_some_and(|start| start.is_empty() || start.ends_with('.'))
    })
}

/// Whether requests to an endpoint leave this machine without encryption.
fn is_exposed(endpoint_url: &Url) -> bool {
    let is_local = match endpoint_url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    endpoint_url.scheme() == "http" && !is_local
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_to_another_machine_is_exposed() {
        let is_exposed = |url: &str| is_exposed(&Url::parse(url).unwrap());
        for url in ["http://s3.example.com", "http://10.0.0.1:9000", "http://[2001:db8::1]/"] {
            assert!(is_exposed(url), "{url}");
        }
        for url in [
            "https://s3.example.com",
            "http://localhost:9000",
            "http://127.0.0.1:9000",
            "http://[::1]:9000",
        ] {
            assert!(!is_exposed(url), "{url}");
        }
    }

    #[test]
    fn the_endpoints_of_aws_are_known() {
        let is_aws = |url: &str| is_aws(&Url::parse(url).unwrap());
        for url in [
            "https://s3.eu-west-1.amazonaws.com",
            "https://bucket.vpce-1a2b-3c4d.s3.us-east-1.vpce.amazonaws.com",
            "https://s3.cn-north-1.amazonaws.com.cn/",
        ] {
            assert!(is_aws(url), "{url}");
        }
        for url in [
            "http://127.0.0.1:9000",
            "http://localhost:9000",
            "https://s3.amazonaws.com.example.com",
            "https://notamazonaws.com",
        ] {
            assert!(!is_aws(url), "{url}");
        }
    }
}
