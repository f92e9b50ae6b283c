//! How a connection to a server is encrypted.
//!
//! sqlx uses TLS by default if the server offers it, so whoever stands between gets an unencrypted
//! connection by denying it. Here, a server on another machine must offer TLS unless the user names
//! another mode, and a file of CA certificates is used or refused, never ignored.

use std::net::IpAddr;

use url::Url;

/// How a connection is encrypted and the server verified; the drivers have the same five modes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TlsMode {
    Disable,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

/// What one kind of server calls its settings.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names {
    /// The parameters of a URL that name the mode. The last one in the URL counts.
    pub(super) mode: [&'static str; 2],
    /// The parameter that names the file of CA certificates.
    pub(super) ca: &'static str,
    /// The environment variables of the mode and of the file, if there are any.
    pub(super) variables: Option<[&'static str; 2]>,
    /// The modes, in the order of [`TlsMode`].
    pub(super) modes: [&'static str; 5],
}

/// What the user set, each with the name of the setting.
#[derive(Debug, Default)]
pub(super) struct TlsSettings {
    mode: Option<(&'static str, String)>,
    ca: Option<(&'static str, String)>,
    /// Whether the file of CA certificates is from an environment variable.
    is_ca_ambient: bool,
}

impl TlsSettings {
    /// Reads the settings from a URL, and those that it lacks from the environment.
    pub(super) fn read(
        url: &str,
        names: &Names,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, sqlx::Error> {
        let url = Url::parse(url).map_err(|error| sqlx::Error::Configuration(error.into()))?;
        let parameter = |known: &[&'static str]| {
            let is_known = |(name, value): (_, std::borrow::Cow<'_, str>)| {
                let name = *known.iter().find(|known| **known == name)?;
                Some((name, value.into_owned()))
            };
            url.query_pairs().filter_map(is_known).last()
        };
        let ambient = |which: usize| {
            let name = names.variables?[which];
            variable(name).filter(|value| !value.is_empty()).map(|value| (name, value))
        };
        let ca = parameter(&[names.ca]);
        Ok(Self {
            mode: parameter(&names.mode).or_else(|| ambient(0)),
            is_ca_ambient: ca.is_none(),
            ca: ca.or_else(|| ambient(1)),
        })
    }

    /// Returns the mode of connections to a server. `is_local` is for a server that no network is
    /// needed for.
    ///
    /// # Errors
    /// The mode is unknown, it does not verify certificates although a CA is named, or the file of
    /// the CA cannot be read.
    pub(super) fn mode(&self, names: &Names, is_local: bool) -> Result<TlsMode, sqlx::Error> {
        let chosen = self.mode.as_ref().map(|(name, value)| mode_named(name, value, names));
        let chosen = chosen.transpose()?;
        let mode = match (chosen, &self.ca) {
            (None, Some(_)) if !self.is_ca_ambient => TlsMode::VerifyCa,
            (None, _) if is_local => TlsMode::Prefer,
            // As in libpq and in MySQL's client.
            (None | Some(TlsMode::Require), Some(_)) => TlsMode::VerifyCa,
            (None, None) => TlsMode::Require,
            (Some(TlsMode::Disable | TlsMode::Prefer), Some((ca, _))) if !self.is_ca_ambient => {
                return Err(refused(format!(
                    "`{ca}` has no effect with this `{}`: set `{}`, or remove `{ca}`",
                    names.mode[0], names.modes[4]
                )));
            }
            (Some(mode), _) => mode,
        };
        if let Some((name, path)) = &self.ca
            && matches!(mode, TlsMode::VerifyCa | TlsMode::VerifyFull)
        {
            check_ca(name, path)?;
        }
        Ok(mode)
    }
}

impl TlsMode {
    /// Returns whether a connection may be unencrypted that another machine can listen to.
    pub(super) fn may_expose(self, is_local: bool) -> bool {
        !is_local && matches!(self, Self::Disable | Self::Prefer)
    }

    /// Returns what the user should know about connections to another machine.
    pub(super) fn warning(self, host: &str, is_local: bool, names: &Names) -> Option<String> {
        let risk = match self {
            _ if is_local => return None,
            Self::VerifyCa | Self::VerifyFull => return None,
            Self::Disable => "the connection is not encrypted",
            Self::Prefer => {
                "the connection may not be encrypted, and the certificate is not verified"
            }
            Self::Require => "the certificate is not verified, so another server could answer",
        };
        let (mode, full, ca) = (names.mode[0], names.modes[4], names.ca);
        Some(format!(
            "database server {}: {risk}; set `{mode}={full}`, and `{ca}` for a private CA",
            host.escape_debug()
        ))
    }
}

/// Returns whether connections to `host` stay on this machine. `host` may be the path of a socket.
pub(super) fn is_local(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host.starts_with('/')
        || host.eq_ignore_ascii_case("localhost")
        || address.is_ok_and(|address| address.to_canonical().is_loopback())
}

fn mode_named(name: &str, value: &str, names: &Names) -> Result<TlsMode, sqlx::Error> {
    use TlsMode::{Disable, Prefer, Require, VerifyCa, VerifyFull};
    let modes = [Disable, Prefer, Require, VerifyCa, VerifyFull];
    let known = names.modes.iter().zip(modes).find(|(known, _)| known.eq_ignore_ascii_case(value));
    known.map(|(_, mode)| mode).ok_or_else(|| {
        let value = value.escape_debug();
        refused(format!("`{name}` cannot be `{value}`: use one of {}", names.modes.join(", ")))
    })
}

/// Reads the file of CA certificates. sqlx also accepts the certificates themselves.
fn check_ca(name: &str, path: &str) -> Result<(), sqlx::Error> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    if path.trim_start().starts_with("-----BEGIN") {
        return Ok(());
    }
    let shown = path.escape_debug();
    let content = std::fs::read(path)
        .map_err(|error| refused(format!("cannot read the file `{shown}` of `{name}`: {error}")))?;
    if memchr::memmem::find(&content, BEGIN.as_bytes()).is_none() {
        return Err(refused(format!("the file `{shown}` of `{name}` has no line `{BEGIN}`")));
    }
    Ok(())
}

fn refused(text: String) -> sqlx::Error {
    sqlx::Error::Configuration(text.into())
}

#[cfg(test)]
mod tests;
