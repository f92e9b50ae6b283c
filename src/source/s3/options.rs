//! How to reach S3: account, region, server, payer and timeouts.

use std::fmt;
use std::time::Duration;

use url::Url;

/// How to reach S3. What is not set is left to the default chain of AWS.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct S3Options {
    /// The profile of the AWS configuration files, instead of `AWS_PROFILE`.
    pub profile: Option<String>,
    /// The region, instead of the environment's or the profile's.
    pub region: Option<String>,
    /// The `http://` or `https://` URL of another S3 server. Its buckets are addressed by path, not
    /// by host name.
    pub endpoint_url: Option<Url>,
    /// Whether requests are sent without credentials, as public buckets allow.
    pub no_sign_request: bool,
    /// Whether we pay for our requests to a requester-pays bucket.
    pub request_payer: bool,
    /// How long to wait for S3.
    pub timeouts: Timeouts,
}

impl fmt::Debug for S3Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Options")
            .field("profile", &self.profile)
            .field("region", &self.region)
            .field("endpoint_url", &self.endpoint_url.as_ref().map(shown))
            .field("no_sign_request", &self.no_sign_request)
            .field("request_payer", &self.request_payer)
            .field("timeouts", &self.timeouts)
            .finish()
    }
}

/// How long to wait for S3. The defaults suit an import; tests wait less.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// The longest wait before the second attempt of a request. It doubles from attempt to attempt,
    /// up to 10 s.
    pub retry_base: Duration,
    /// The wait for a connection.
    pub connect: Duration,
    /// The wait for the first byte of an answer.
    pub first_byte: Duration,
    /// The wait for the next bytes of a body.
    pub stall: Duration,
    /// The wait for the next 64 KiB of a body, or for its end.
    pub progress: Duration,
}

/// How much of a body has to arrive within [`Timeouts::progress`]: with the defaults, 1.1 kB a second.
/// 128 fetchers that share a link of 140 kB/s still reach it.
pub(super) const BODY_PROGRESS_BYTES: usize = 64 << 10;

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            retry_base: Duration::from_millis(50),
            connect: Duration::from_secs(5),
            first_byte: Duration::from_secs(30),
            stall: Duration::from_secs(20),
            progress: Duration::from_mins(1),
        }
    }
}

/// Returns the URL without user and password.
pub(in crate::source) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // Both fail only for URLs that cannot have a user.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.as_str().trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_password() {
        let endpoint_url = Some(Url::parse("http://user:hunter2@localhost:9000").unwrap());
        let options = S3Options { endpoint_url, ..S3Options::default() };
        let debug = format!("{options:?}");
        assert!(debug.contains("http://localhost:9000") && !debug.contains("hunter2"), "{debug}");
    }
}
