//! Checks of single values: counts, sizes, prices, addresses.

use std::ffi::OsStr;
use std::ops::RangeInclusive;
use std::time::Duration;

use jiff::SignedDuration;
use url::Url;

use super::error::ConfigError;
use super::size::{parse_bytes, spell_bytes};
use super::source_spec::{self, SourceSpec};

/// Returns the meaning of one SOURCE.
pub(crate) fn source(typed: &OsStr) -> Result<SourceSpec, ConfigError> {
    SourceSpec::parse(typed)
        .map_err(|source| ConfigError::Source { shown: source_spec::shown(typed), source })
}

/// Returns `count` if it is in the range of `flag`.
pub(crate) fn count_in(
    flag: &'static str,
    count: usize,
    range: &RangeInclusive<usize>,
) -> Result<usize, ConfigError> {
    if range.contains(&count) {
        return Ok(count);
    }
    let accepted = format!("a number from {} to {}", range.start(), range.end());
    Err(ConfigError::OutOfRange { flag, value: count.to_string(), accepted })
}

/// Returns the size in bytes that `typed` names if it is in the range of `flag`.
pub(crate) fn bytes_in(
    flag: &'static str,
    typed: &str,
    range: &RangeInclusive<u64>,
) -> Result<u64, ConfigError> {
    let value = || typed.to_owned();
    let bytes =
        parse_bytes(typed).map_err(|source| ConfigError::Size { flag, value: value(), source })?;
    if range.contains(&bytes) {
        return Ok(bytes);
    }
    let (from, to) = (spell_bytes(*range.start()), spell_bytes(*range.end()));
    let accepted = format!("a size from {from} to {to}");
    Err(ConfigError::OutOfRange { flag, value: value(), accepted })
}

/// Returns the time that `typed` names, such as `5m` or `90s`, if it is in the range of `flag`.
pub(crate) fn duration_in(
    flag: &'static str,
    typed: &str,
    range: &RangeInclusive<Duration>,
) -> Result<Duration, ConfigError> {
    let value = || typed.to_owned();
    let parsed = typed.trim().parse::<SignedDuration>();
    let parsed = parsed.map_err(|_| ConfigError::Duration { flag, value: value() })?;
    let duration = Duration::try_from(parsed).unwrap_or_default();
    if range.contains(&duration) {
        return Ok(duration);
    }
    let (from, to) = (spell_duration(*range.start()), spell_duration(*range.end()));
    let accepted = format!("a time from {from} to {to}");
    Err(ConfigError::OutOfRange { flag, value: value(), accepted })
}

/// Returns a text that [`duration_in`] reads back as `duration`, in whole seconds.
pub(crate) fn spell_duration(duration: Duration) -> String {
    match duration.as_secs() {
        seconds if seconds % 3600 == 0 => format!("{}h", seconds / 3600),
        seconds if seconds % 60 == 0 => format!("{}m", seconds / 60),
        seconds => format!("{seconds}s"),
    }
}

/// Returns `value` if it is a valid price.
pub(crate) fn price(flag: &'static str, value: f64) -> Result<f64, ConfigError> {
    let is_price = value.is_finite() && value >= 0.0;
    if is_price { Ok(value) } else { Err(ConfigError::Price { flag, value }) }
}

/// Returns `typed` as the URL of an S3 server.
///
/// A URL with a user name is refused: S3 does not use it, and messages show the URL.
pub(crate) fn endpoint_url(typed: &str) -> Result<Url, ConfigError> {
    match Url::parse(typed) {
        Ok(url)
            if ["http", "https"].contains(&url.scheme())
                && url.username().is_empty()
                && url.password().is_none() =>
        {
            Ok(url)
        }
        _ => Err(ConfigError::EndpointUrl),
    }
}

/// Returns the value of an option, which must not be empty if the option is given.
pub(crate) fn filled(
    flag: &'static str,
    typed: Option<&String>,
) -> Result<Option<String>, ConfigError> {
    match typed.map(|typed| typed.trim()) {
        Some("") => Err(ConfigError::EmptyFlag(flag)),
        typed => Ok(typed.map(str::to_owned)),
    }
}
