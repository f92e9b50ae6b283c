//! Reads `db.toml`; every error has its line.
//!
//! The table is read without serde: serde's errors quote the value, and toml's quote the whole
//! line. Either may contain the password.

use std::fmt;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::defaults::{HOSTNAME, SQLITE_FILE};
use super::environment::Environment;
use crate::database::spelling::{one_of, suggestion};
use crate::database::url::{DatabaseUrl, ENGINES, Engine, SERVER_DATABASE, ServerParts, UrlError};

/// Every key, in the order of `db.example.toml`.
const KEYS: [&str; 10] = [
    "url",
    "engine",
    "hostname",
    "port",
    "username",
    "password",
    "password_env",
    "database",
    "tls",
    "ca_file",
];

/// The keys that do not apply to SQLite.
const SERVER_KEYS: [&str; 7] =
    ["hostname", "port", "username", "password", "password_env", "tls", "ca_file"];

/// TLS modes: our name, PostgreSQL's `sslmode`, MySQL's `ssl-mode`.
const TLS_MODES: [(&str, &str, &str); 5] = [
    ("disable", "disable", "DISABLED"),
    ("prefer", "prefer", "PREFERRED"),
    ("require", "require", "REQUIRED"),
    ("verify-ca", "verify-ca", "VERIFY_CA"),
    ("verify-full", "verify-full", "VERIFY_IDENTITY"),
];

/// A `db.toml` that cannot be used.
///
/// Display is one line, such as "unknown key `pasword` in db.toml, line 7".
#[derive(Debug)]
pub struct DbTomlError {
    /// What is wrong.
    pub fault: DbTomlFault,
    /// The file.
    pub path: PathBuf,
    /// The line with the error, counted from 1, if there is one.
    pub line: Option<usize>,
}

/// What is wrong with a `db.toml`.
#[derive(Debug, thiserror::Error)]
pub enum DbTomlFault {
    /// It is not TOML.
    #[error("syntax error")]
    Syntax(#[source] SyntaxError),
    /// Not a known key.
    #[error("unknown key `{0}`")]
    UnknownKey(String),
    /// A table, although all keys are at the top level.
    #[error("unexpected section `[{0}]`")]
    Section(String),
    /// A value that is not a string.
    #[error("`{0}` is not a string")]
    NotText(&'static str),
    /// Not a valid port.
    #[error("`port` is not a number from 1 to 65535")]
    NotPort,
    /// An empty value.
    #[error("`{0}` is empty")]
    Empty(&'static str),
    /// Two keys that exclude each other.
    #[error("`{0}` and `{1}` exclude each other")]
    Both(&'static str, &'static str),
    /// Neither a URL nor the parts of one.
    #[error("neither `url` nor `engine`")]
    NoEngine,
    /// Not a known engine.
    #[error("unknown engine `{0}`")]
    UnknownEngine(String),
    /// Not a known TLS mode.
    #[error("unknown TLS mode `{0}`")]
    UnknownTls(String),
    /// A key for servers, although the engine is SQLite.
    #[error("`{0}` does not apply to SQLite")]
    ServerKey(&'static str),
    /// A CA file with a TLS mode that does not verify certificates.
    #[error("`ca_file` has no effect with this `tls` mode")]
    CaUnused,
    /// A CA file that cannot be read.
    #[error("cannot read the `ca_file`")]
    CaUnreadable(#[source] std::io::Error),
    /// The environment variable that `password_env` names has no value.
    #[error("no value in the environment variable `{0}`, named by `password_env`")]
    NoPassword(String),
    /// A variable of the AWS SDK in `password_env`, whose value would be sent to the database.
    #[error("`password_env` cannot be `{0}`, which holds AWS credentials")]
    AwsVariable(String),
    /// A value that does not result in a usable URL.
    #[error("cannot use `{0}`")]
    Url(&'static str, #[source] UrlError),
}

/// The message of the TOML parser, without the line that it quotes.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SyntaxError(String);

/// Returns the database that a `db.toml` names, and whether the file holds the password; `text` is
/// the content of the file at `path`.
pub(super) fn database_url(
    text: &str,
    path: &Path,
    environment: &Environment,
) -> Result<(DatabaseUrl, bool), DbTomlError> {
    let file = DbToml::parse(text, path)?;
    let url = file.url(environment)?;
    file.check_ca_file()?;
    let holds_password = url.has_password() && file.entry("password_env").is_none();
    Ok((url, holds_password))
}

/// Returns the database that the text of a `db.toml` names, without looking at its `ca_file`.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn url_of_text(
    text: &str,
    environment: &Environment,
) -> Result<DatabaseUrl, DbTomlError> {
    DbToml::parse(text, Path::new("db.toml"))?.url(environment)
}

/// The entries of a `db.toml`: known keys with values of the right type.
struct DbToml {
    path: PathBuf,
    entries: Vec<Entry>,
}

/// One line of a `db.toml`. It has no Debug, because its value may be the password.
struct Entry {
    key: &'static str,
    value: String,
    line: usize,
}

impl DbToml {
    fn parse(text: &str, path: &Path) -> Result<Self, DbTomlError> {
        let line_at = |offset: usize| 1 + text[..offset].matches('\n').count();
        let error = |fault, offset: Option<usize>| DbTomlError {
            fault,
            path: path.to_owned(),
            line: offset.map(line_at),
        };
        let table = DeTable::parse(text).map_err(|syntax| {
            let message = SyntaxError(syntax.message().to_owned());
            error(DbTomlFault::Syntax(message), syntax.span().map(|span| span.start))
        })?;
        // The table is sorted by key, but the first error reported should be the first in the file.
        let mut in_order: Vec<_> = table.get_ref().iter().collect();
        in_order.sort_by_key(|(key, _)| key.span().start);
        let mut entries = Vec::with_capacity(in_order.len());
        for (key, value) in in_order {
            let start = key.span().start;
            let entry = parse_entry(key.get_ref(), value.get_ref());
            let (key, value) = entry.map_err(|fault| error(fault, Some(start)))?;
            entries.push(Entry { key, value, line: line_at(start) });
        }
        Ok(Self { path: path.to_owned(), entries })
    }

    fn url(&self, environment: &Environment) -> Result<DatabaseUrl, DbTomlError> {
        if let Some(url) = self.entry("url") {
            return match self.entries.iter().find(|entry| entry.key != "url") {
                Some(other) => Err(self.error(DbTomlFault::Both("url", other.key), other)),
                None => DatabaseUrl::parse(&url.value)
                    .map_err(|error| self.error(DbTomlFault::Url("url", error), url)),
            };
        }
        let Some(entry) = self.entry("engine") else {
            let path = self.path.clone();
            return Err(DbTomlError { fault: DbTomlFault::NoEngine, path, line: None });
        };
        let engine = ENGINES.iter().find(|(name, _)| *name == entry.value.to_ascii_lowercase());
        match engine {
            Some((_, Engine::Sqlite)) => self.sqlite_url(),
            Some((_, engine)) => self.server_url(*engine, environment),
            None => Err(self.error(DbTomlFault::UnknownEngine(entry.value.clone()), entry)),
        }
    }

    fn sqlite_url(&self) -> Result<DatabaseUrl, DbTomlError> {
        if let Some(entry) = self.entries.iter().find(|entry| SERVER_KEYS.contains(&entry.key)) {
            return Err(self.error(DbTomlFault::ServerKey(entry.key), entry));
        }
        let path = self.value("database").unwrap_or(SQLITE_FILE);
        DatabaseUrl::sqlite_file(path).map_err(|error| self.url_error("database", error))
    }

    fn server_url(
        &self,
        engine: Engine,
        environment: &Environment,
    ) -> Result<DatabaseUrl, DbTomlError> {
        let port =
            self.value("port").map(|port| port.parse().expect("`parse_entry` checked the port"));
        let parts = ServerParts {
            hostname: self.value("hostname").unwrap_or(HOSTNAME).to_owned(),
            port,
            username: self.value("username").map(str::to_owned),
            password: self.password(environment)?,
            database: self.value("database").unwrap_or(SERVER_DATABASE).to_owned(),
            parameters: self.tls_parameters(engine)?,
        };
        DatabaseUrl::from_parts(engine, &parts).map_err(|error| {
            let is_database = error == UrlError::DotDatabase;
            self.url_error(if is_database { "database" } else { "hostname" }, error)
        })
    }

    fn password(&self, environment: &Environment) -> Result<Option<String>, DbTomlError> {
        let Some(variable) = self.entry("password_env") else {
            return Ok(self.value("password").map(str::to_owned));
        };
        if self.entry("password").is_some() {
            return Err(self.error(DbTomlFault::Both("password", "password_env"), variable));
        }
        if variable.value.to_ascii_uppercase().starts_with("AWS_") {
            return Err(self.error(DbTomlFault::AwsVariable(variable.value.clone()), variable));
        }
        match environment.variable(&variable.value).and_then(|value| value.to_str()) {
            Some(password) => Ok(Some(password.to_owned())),
            None => Err(self.error(DbTomlFault::NoPassword(variable.value.clone()), variable)),
        }
    }

    fn tls_parameters(&self, engine: Engine) -> Result<Vec<(&'static str, String)>, DbTomlError> {
        let (mode_name, ca_name) = match engine {
            Engine::Postgres => ("sslmode", "sslrootcert"),
            _ => ("ssl-mode", "ssl-ca"),
        };
        let mut parameters = Vec::new();
        let mut is_verified = false;
        if let Some(tls) = self.entry("tls") {
            let known = TLS_MODES.iter().find(|(name, ..)| *name == tls.value);
            let Some((name, postgres, mysql)) = known else {
                return Err(self.error(DbTomlFault::UnknownTls(tls.value.clone()), tls));
            };
            let mode = if engine == Engine::Postgres { postgres } else { mysql };
            is_verified = name.starts_with("verify-");
            parameters.push((mode_name, (*mode).to_owned()));
        }
        match self.entry("ca_file") {
            // sqlx accepts any certificate in the other modes, with or without a CA file.
            Some(ca) if !is_verified => Err(self.error(DbTomlFault::CaUnused, ca)),
            Some(ca) => {
                parameters.push((ca_name, ca.value.clone()));
                Ok(parameters)
            }
            None => Ok(parameters),
        }
    }

    fn check_ca_file(&self) -> Result<(), DbTomlError> {
        let Some(entry) = self.entry("ca_file") else { return Ok(()) };
        match std::fs::read(&entry.value) {
            Ok(_) => Ok(()),
            Err(error) => Err(self.error(DbTomlFault::CaUnreadable(error), entry)),
        }
    }

    fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    fn value(&self, key: &str) -> Option<&str> {
        self.entry(key).map(|entry| entry.value.as_str())
    }

    fn error(&self, fault: DbTomlFault, entry: &Entry) -> DbTomlError {
        DbTomlError { fault, path: self.path.clone(), line: Some(entry.line) }
    }

    fn url_error(&self, key: &'static str, error: UrlError) -> DbTomlError {
        let line = self.entry(key).map(|entry| entry.line);
        DbTomlError { fault: DbTomlFault::Url(key, error), path: self.path.clone(), line }
    }
}

/// Returns the known key and the value as text.
fn parse_entry(key: &str, value: &DeValue<'_>) -> Result<(&'static str, String), DbTomlFault> {
    if matches!(value, DeValue::Table(_)) {
        return Err(DbTomlFault::Section(key.to_owned()));
    }
    let known = KEYS.into_iter().find(|known| *known == key);
    let known = known.ok_or_else(|| DbTomlFault::UnknownKey(key.to_owned()))?;
    let value = match value {
        DeValue::Integer(number) if known == "port" => {
            match u16::from_str_radix(number.as_str(), number.radix()) {
                Ok(port) if port > 0 => port.to_string(),
                _ => return Err(DbTomlFault::NotPort),
            }
        }
        _ if known == "port" => return Err(DbTomlFault::NotPort),
        DeValue::String(text) => text.clone().into_owned(),
        _ => return Err(DbTomlFault::NotText(known)),
    };
    // A password may be empty; any other empty value was left to be filled in.
    if value.is_empty() && known != "password" {
        return Err(DbTomlFault::Empty(known));
    }
    Ok((known, value))
}

impl fmt::Display for DbTomlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}", self.fault, self.path.display())?;
        self.line.map_or(Ok(()), |line| write!(f, ", line {line}"))
    }
}

impl std::error::Error for DbTomlError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // The fault itself is part of the first line.
        self.fault.source()
    }
}

impl DbTomlError {
    /// Returns what to do instead.
    pub fn hint(&self) -> Option<String> {
        Some(match &self.fault {
            DbTomlFault::Syntax(_) => {
                "write each line as `key = \"value\"`; see db.example.toml".into()
            }
            DbTomlFault::UnknownKey(key) => suggestion(key, &KEYS),
            DbTomlFault::Section(_) => "all keys are at the top level: remove the header".into(),
            DbTomlFault::NotText(key) => format!("put the value in quotes: `{key} = \"…\"`"),
            DbTomlFault::NotPort => {
                "write it without quotes, or remove the line to use the default port".into()
            }
            DbTomlFault::Empty(_) => "fill it in, or remove the line".into(),
            DbTomlFault::Both("url", _) => "use either the whole URL or its parts".into(),
            DbTomlFault::Both(one, other) => format!("remove `{one}` or `{other}`"),
            DbTomlFault::NoEngine => {
                "name the database: `url = \"sqlite://cloudtrail.db\"`; see db.example.toml".into()
            }
            DbTomlFault::UnknownEngine(typed) => suggestion(typed, &ENGINES.map(|(name, _)| name)),
            // No suggestion: the most similar mode may be a weaker one.
            DbTomlFault::UnknownTls(_) => one_of(&TLS_MODES.map(|(name, ..)| name)),
            DbTomlFault::ServerKey(_) => {
                "remove the line; SQLite needs only `database`, the path of the file".into()
            }
            DbTomlFault::CaUnused => "set `tls = \"verify-full\"`, or remove `ca_file`".into(),
            DbTomlFault::CaUnreadable(_) => "a relative path starts at the current folder".into(),
            DbTomlFault::AwsVariable(_) => {
                "use a variable of its own for the password of the database".into()
            }
            DbTomlFault::NoPassword(variable) => {
                format!("set `{variable}` to the password")
            }
            DbTomlFault::Url("url", error) => error.hint(),
            DbTomlFault::Url(..) => return self.part_hint(),
        })
    }

    /// Returns what to do about a part that cannot be used in a URL. Hints about percent-encoding
    /// are left out: the program encodes the parts.
    fn part_hint(&self) -> Option<String> {
        match &self.fault {
            DbTomlFault::Url(
                _,
                error @ (UrlError::BadHost(_)
                | UrlError::DotDatabase
                | UrlError::UriInPath
                | UrlError::InMemory),
            ) => Some(error.hint()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
