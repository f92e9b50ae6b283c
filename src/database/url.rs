//! Database URLs: checked, completed, and never shown with a password.
//!
//! A parameter that the driver would ignore or guess is refused here: ignoring a misspelt
//! `sslmode` would open a connection without TLS. An error never quotes the URL, because in a URL
//! that cannot be parsed, the end of the password is unknown.

use std::borrow::Cow;
use std::fmt;
use std::net::Ipv6Addr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use url::Url;

use super::redact::redacted;
use super::spelling::{one_of, suggestion};

/// The name of the database on a server if neither the URL nor `db.toml` gives one.
pub(crate) const SERVER_DATABASE: &str = "cloudtrail";

/// The names of the database engines: the schemes of URLs, and the values of `engine` in
/// `db.toml`.
pub(crate) const ENGINES: [(&str, Engine); 5] = [
    ("sqlite", Engine::Sqlite),
    ("postgres", Engine::Postgres),
    ("postgresql", Engine::Postgres),
    ("mysql", Engine::Mysql),
    ("mariadb", Engine::Mysql),
];

/// The file name extensions with which a path needs no `sqlite://`.
const SQLITE_ENDINGS: [&str; 3] = [".db", ".sqlite", ".sqlite3"];

/// A parameter that a URL may have, and its values; an empty list stands for any value.
type Parameter = (&'static str, &'static [&'static str]);

/// The parameters of sqlx-sqlite 0.8.6 (`options/parse.rs`), except those of no use here:
/// `mode=memory` and `cache` are for databases in memory, and `immutable` is for files that are
/// never written.
const SQLITE_PARAMETERS: &[Parameter] = &[("mode", &["ro", "rw", "rwc"]), ("vfs", &[])];

/// The parameters of sqlx-postgres 0.8.6 (`options/parse.rs` and `ssl_mode.rs`), without
/// `options[NAME]`, the second names of the certificate files, and `sslmode=allow`, which sqlx takes
/// for `disable`. sqlx ignores an unknown parameter
/// with a warning in the log.
const POSTGRES_PARAMETERS: &[Parameter] = &[
    ("application_name", &[]),
    ("dbname", &[]),
    ("host", &[]),
    ("hostaddr", &[]),
    ("options", &[]),
    ("password", &[]),
    ("port", &[]),
    ("sslcert", &[]),
    ("sslkey", &[]),
    ("sslmode", POSTGRES_TLS),
    ("ssl-mode", POSTGRES_TLS),
    ("sslrootcert", &[]),
    ("statement-cache-capacity", &[]),
    ("user", &[]),
];
const POSTGRES_TLS: &[&str] = &["disable", "prefer", "require", "verify-ca", "verify-full"];

/// The parameters of sqlx-mysql 0.8.6 (`options/parse.rs` and `ssl_mode.rs`), without `collation`,
/// `timezone` and the second names of the certificate files. sqlx ignores an unknown parameter
/// silently. With any `charset` but `utf8mb4`, the server would replace characters.
const MYSQL_PARAMETERS: &[Parameter] = &[
    ("charset", &["utf8mb4"]),
    ("socket", &[]),
    ("ssl-ca", &[]),
    ("ssl-cert", &[]),
    ("ssl-key", &[]),
    ("ssl-mode", MYSQL_TLS),
    ("sslmode", MYSQL_TLS),
    ("statement-cache-capacity", &[]),
];
const MYSQL_TLS: &[&str] = &["DISABLED", "PREFERRED", "REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY"];

/// A database engine, by its protocol and its SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// A SQLite file.
    Sqlite,
    /// A PostgreSQL server.
    Postgres,
    /// A MySQL or MariaDB server. They share a protocol; only a connection can distinguish them.
    Mysql,
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
            Self::Mysql => "MySQL or MariaDB",
        })
    }
}

/// The address of a database, with its password if it has one.
///
/// Debug and Display leave out the password and every parameter. The URL of a server always names
/// a database; a SQLite URL always names a file.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl {
    engine: Engine,
    exposed: String,
    shown: String,
}

/// Why a text is not the URL of a database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// It has no scheme, and it does not end like the name of a SQLite file.
    #[error("it has no scheme such as `postgres://`")]
    NoScheme,
    /// Its scheme is not that of a supported database.
    #[error("unknown scheme `{0}`")]
    UnknownScheme(String),
    /// The scheme of a server is not followed by `//`.
    #[error("`{0}:` is not followed by `//`")]
    NoSlashes(String),
    /// It violates the syntax of URLs.
    #[error(transparent)]
    Grammar(#[from] url::ParseError),
    /// It has `@` or `#` after the host: most likely a part of a password that was not encoded.
    #[error("it has `@` or `#` after the host")]
    NotEncoded,
    /// The user name, password, database name or path is not UTF-8 after percent-decoding.
    #[error("its {0} is not UTF-8 after percent-decoding")]
    NotUtf8(&'static str),
    /// The driver has no such parameter.
    #[error("unknown parameter `{name}` for {engine}")]
    UnknownParameter {
        /// The parameter.
        name: String,
        /// The engine of the URL.
        engine: Engine,
    },
    /// A parameter has an unknown value.
    #[error("`{name}` cannot be `{value}`")]
    BadValue {
        /// The parameter.
        name: String,
        /// The value as typed.
        value: String,
        /// The possible values.
        allowed: &'static [&'static str],
    },
    /// A database in memory, which is lost when the program ends.
    #[error("a database in memory would be lost at the end of the run")]
    InMemory,
    /// A SQLite URL without a path.
    #[error("it names no file")]
    NoFile,
    /// A SQLite path that begins with `file:` or `sqlite:`, which SQLite or sqlx would interpret.
    #[error("its path begins with another scheme")]
    UriInPath,
    /// A database named `.` or `..`.
    #[error("a database cannot be named `.` or `..`")]
    DotDatabase,
    /// A host name with characters that a host name cannot have, without what may be a password.
    #[error("`{0}` is not a host name")]
    BadHost(String),
}

/// The parts of a server's address. None of them is percent-encoded.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct ServerParts {
    /// The host name, the address, or the absolute path of a Unix socket (PostgreSQL: of the
    /// socket's folder).
    pub(crate) hostname: String,
    pub(crate) port: Option<u16>,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) database: String,
    /// Parameters of the URL.
    pub(crate) parameters: Vec<(&'static str, String)>,
}

impl DatabaseUrl {
    /// Checks and completes a URL, or the path of a SQLite file with a known extension.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let text = text.trim();
        let Some((scheme, rest)) = split_scheme(text) else {
            let lower = text.to_ascii_lowercase();
            let is_file = SQLITE_ENDINGS.iter().any(|ending| lower.ends_with(ending));
            return if is_file { Ok(Self::sqlite_file(text)?) } else { Err(UrlError::NoScheme) };
        };
        let engine = ENGINES.iter().find(|(name, _)| *name == scheme).map(|(_, engine)| *engine);
        match engine {
            Some(Engine::Sqlite) => Self::sqlite_url(rest),
            Some(engine) if rest.starts_with("//") => {
                check_after_host(&rest["//".len()..])?;
                Self::server(engine, Url::parse(text)?)
            }
            Some(_) => Err(UrlError::NoSlashes(scheme)),
            // Without `//`, the part before the colon may be a user name instead of a scheme.
            None if rest.starts_with("//") => Err(UrlError::UnknownScheme(scheme)),
            None => Err(UrlError::NoScheme),
        }
    }

    /// Returns the URL of the SQLite file at `path`, which is taken literally.
    pub(crate) fn sqlite_file(path: &str) -> Result<Self, UrlError> {
        let encoded = path.replace('%', "%25").replace('?', "%3F").replace('#', "%23");
        Self::sqlite_url(&format!("//{encoded}"))
    }

    /// Returns the URL of a database on a server.
    pub(crate) fn from_parts(engine: Engine, parts: &ServerParts) -> Result<Self, UrlError> {
        check_database(&parts.database)?;
        let mut parameters = parts.parameters.clone();
        let host = match (engine, parts.hostname.strip_prefix('/')) {
            (_, None) => host_in_url(&parts.hostname)?,
            (Engine::Mysql, Some(_)) => {
                parameters.push(("socket", parts.hostname.clone()));
                "localhost".to_owned()
            }
            (_, Some(_)) => encode(&parts.hostname),
        };
        let user = parts.username.as_deref().map(encode).unwrap_or_default();
        let password = parts.password.as_deref().map(|word| format!(":{}", encode(word)));
        let at = if user.is_empty() && password.is_none() { "" } else { "@" };
        let password = password.unwrap_or_default();
        let port = parts.port.map(|port| format!(":{port}")).unwrap_or_default();
        let scheme = if engine == Engine::Postgres { "postgres" } else { "mysql" };
        let database = encode(&parts.database);
        let mut url =
            Url::parse(&format!("{scheme}://{user}{password}{at}{host}{port}/{database}"))?;
        for (name, value) in &parameters {
            url.query_pairs_mut().append_pair(name, value);
        }
        Self::server(engine, url)
    }

    /// Returns the engine of the database.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// Returns the URL with the password, for the driver alone.
    pub fn expose(&self) -> &str {
        &self.exposed
    }

    /// Returns whether the URL has a password.
    pub(crate) fn has_password(&self) -> bool {
        let Ok(url) = Url::parse(&self.exposed) else { return false };
        url.password().is_some() || url.query_pairs().any(|(name, _)| name == "password")
    }

    /// Returns the path of a SQLite file, as the driver opens it.
    pub(crate) fn sqlite_path(&self) -> Option<std::path::PathBuf> {
        let path = self.exposed.strip_prefix("sqlite://")?.split('?').next()?;
        decode(path).map(Into::into)
    }

    /// Checks the part of a SQLite URL after `sqlite:`.
    fn sqlite_url(rest: &str) -> Result<Self, UrlError> {
        let rest = rest.strip_prefix("//").unwrap_or(rest);
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let plain = decode(path).ok_or(UrlError::NotUtf8("path"))?;
        let parameters = || url::form_urlencoded::parse(query.as_bytes());
        let is_memory = |(name, value): (_, _)| name == "mode" && value == "memory";
        if plain == ":memory:" || parameters().any(is_memory) {
            return Err(UrlError::InMemory);
        }
        if plain.starts_with("file:") || plain.starts_with("sqlite:") {
            return Err(UrlError::UriInPath);
        }
        if plain.is_empty() {
            return Err(UrlError::NoFile);
        }
        check_parameters(Engine::Sqlite, parameters())?;
        let exposed = format!("sqlite://{rest}");
        Ok(Self { engine: Engine::Sqlite, exposed, shown: format!("sqlite://{path}") })
    }

    /// Checks and completes the URL of a server.
    fn server(engine: Engine, mut url: Url) -> Result<Self, UrlError> {
        for (part, encoded) in [
            ("user name", url.username()),
            ("password", url.password().unwrap_or_default()),
            ("database name", url.path()),
        ] {
            decode(encoded).ok_or(UrlError::NotUtf8(part))?;
        }
        check_parameters(engine, url.query_pairs())?;
        let is_named = engine == Engine::Postgres && url.query_pairs().any(|(k, _)| k == "dbname");
        if url.path().trim_start_matches('/').is_empty() && !is_named {
            url.set_path(SERVER_DATABASE);
        }
        let mut shown = url.clone();
        shown.set_query(None);
        // It fails only for a URL without a host, which has no password.
        let _ = shown.set_password(None);
        Ok(Self { engine, exposed: url.into(), shown: shown.into() })
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

impl UrlError {
    /// Returns what the user can do.
    pub fn hint(&self) -> String {
        const FORMS: &str = "a database is `sqlite://PATH`, `postgres://USER@HOST/DATABASE` or \
             `mysql://USER@HOST/DATABASE`";
        const ENCODE: &str = "in a user name or password write `@` as %40, `:` as %3A, `/` as \
             %2F, `?` as %3F, `#` as %23 and `%` as %25; `username` and `password` in db.toml need \
             no encoding";
        match self {
            Self::UnknownScheme(scheme) => suggestion(scheme, &ENGINES.map(|(name, _)| name)),
            Self::NoScheme => format!(
                "{FORMS}; a file that ends in .db, .sqlite or .sqlite3 needs no `sqlite://`"
            ),
            Self::NoSlashes(scheme) => format!("write `{scheme}://HOST/DATABASE`"),
            Self::Grammar(url::ParseError::EmptyHost) => "name the host; for a Unix socket, write \
                     `postgres:///DATABASE?host=/run/postgresql` or \
                     `mysql://USER@localhost/DATABASE?socket=/run/mysqld/mysqld.sock`"
                .into(),
            Self::Grammar(_) | Self::NotEncoded | Self::NotUtf8(_) => ENCODE.into(),
            Self::UnknownParameter { name, engine } => {
                let known: Vec<_> = parameters_of(*engine).iter().map(|(name, _)| *name).collect();
                suggestion(name, &known)
            }
            // No suggestion: the TLS mode with the most similar name may be a weaker one.
            Self::BadValue { allowed, .. } => one_of(allowed),
            Self::InMemory | Self::NoFile => "name a file, such as `sqlite://cloudtrail.db`".into(),
            Self::DotDatabase => "name a database, such as `cloudtrail`".into(),
            Self::UriInPath => {
                "write `sqlite://PATH`; for a file with such a name, write `./NAME`".into()
            }
            Self::BadHost(_) => {
                "`hostname` holds only the host's name or address; the port belongs in `port`, \
                 the user name in `username`"
                    .into()
            }
        }
    }
}

/// Every byte except the unreserved ones (RFC 3986, section 2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

fn encode(plain: &str) -> String {
    utf8_percent_encode(plain, RESERVED).to_string()
}

/// Percent-decodes `encoded`. Returns `None` if the result is not UTF-8. A `%` without two
/// hexadecimal digits stands for itself, as in sqlx.
fn decode(encoded: &str) -> Option<String> {
    percent_decode_str(encoded).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

/// Returns the scheme in lower case and what follows its colon.
///
/// A single letter is a drive and not a scheme, as in `C:\logs.db`.
fn split_scheme(text: &str) -> Option<(String, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let is_scheme = scheme.len() > 1
        && scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    is_scheme.then(|| (scheme.to_ascii_lowercase(), rest))
}

/// Returns `hostname` as it is written in a URL.
fn host_in_url(hostname: &str) -> Result<String, UrlError> {
    if hostname.parse::<Ipv6Addr>().is_ok() {
        return Ok(format!("[{hostname}]"));
    }
    let is_name = !hostname.is_empty()
        && hostname.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    if is_name {
        Ok(hostname.to_owned())
    } else {
        Err(UrlError::BadHost(redacted(hostname).into_owned()))
    }
}

/// Refuses what follows the host of a URL if it has `@` or `#`, or a database named `.` or `..`.
///
/// `rest` is the URL as typed, after `//`: `Url` resolves `..`, and with it an `@` may be gone.
fn check_after_host(rest: &str) -> Result<(), UrlError> {
    let after_host = &rest[rest.find(['/', '?', '#']).unwrap_or(rest.len())..];
    if after_host.contains(['@', '#']) {
        return Err(UrlError::NotEncoded);
    }
    let path = after_host.split('?').next().unwrap_or_default();
    path.split('/').try_for_each(|name| check_database(&decode(name).unwrap_or_default()))
}

/// Refuses the names that are no names in a URL: another database would be used.
fn check_database(name: &str) -> Result<(), UrlError> {
    if [".", ".."].contains(&name) { Err(UrlError::DotDatabase) } else { Ok(()) }
}

fn parameters_of(engine: Engine) -> &'static [Parameter] {
    match engine {
        Engine::Sqlite => SQLITE_PARAMETERS,
        Engine::Postgres => POSTGRES_PARAMETERS,
        Engine::Mysql => MYSQL_PARAMETERS,
    }
}

fn check_parameters<'u>(
    engine: Engine,
    given: impl Iterator<Item = (Cow<'u, str>, Cow<'u, str>)>,
) -> Result<(), UrlError> {
    for (name, value) in given {
        let Some((_, allowed)) = parameters_of(engine).iter().find(|(known, _)| *known == name)
        else {
            return Err(UrlError::UnknownParameter { name: name.into_owned(), engine });
        };
        if !allowed.is_empty() && !allowed.iter().any(|one| one.eq_ignore_ascii_case(&value)) {
            let (name, value) = (name.into_owned(), value.into_owned());
            return Err(UrlError::BadValue { name, value, allowed });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
