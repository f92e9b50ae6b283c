//! The HTTP client that S3 and the credential providers share.
//!
//! It reads the proxy variables of the process's environment, as the AWS CLI and curl do.

use std::env;

use aws_sdk_s3::config::{RuntimeComponents, SharedHttpClient};
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Builder, Connector};
use tracing::warn;

/// Returns a client that trusts the system's certificates and uses the proxy in `HTTPS_PROXY`.
///
/// Plain HTTP never uses a proxy. Only the metadata service of an instance and test servers speak
/// it, and a proxy could not reach them.
pub(super) fn client() -> SharedHttpClient {
    let proxy = proxy();
    Builder::new().build_with_connector_fn(move |settings, components| {
        let mut connector = Connector::builder().proxy_config(proxy.clone());
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        connector.tls_provider(Provider::Rustls(CryptoMode::Ring)).build()
    })
}

fn proxy() -> ProxyConfig {
    let Some(url) = first_set(&["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]) else {
        return ProxyConfig::disabled();
    };
    // curl also accepts `host:port`.
    let url = if url.contains("://") { url } else { format!("http://{url}") };
    if let Ok(proxy) = ProxyConfig::https(url) {
        proxy.no_proxy(first_set(&["NO_PROXY", "no_proxy"]).unwrap_or_default())
    } else {
        // The message has neither the URL nor the error, because they may contain a password.
        warn!(
            "the proxy in the environment is not an `http://` or `https://` URL; connecting without it"
        );
        ProxyConfig::disabled()
    }
}

fn first_set(names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| env::var(name).ok().filter(|value| !value.is_empty()))
}
