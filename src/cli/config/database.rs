//! Which database is meant, and who said so.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::db_toml::database_url;
use super::{ConfigError, Environment};
use crate::database::url::{DatabaseUrl, Engine};

/// The file that is read if it is in the working folder.
const DB_TOML: &str = "db.toml";

/// The SQLite file that is used when nothing else is said.
pub(super) const SQLITE_FILE: &str = "cloudtrail.db";

/// Where the rows go, and who said so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Database {
    /// The address.
    pub url: DatabaseUrl,
    /// Who named it.
    pub origin: Origin,
    /// The file that `--config` names, if `--database` or `DATABASE_URL` came first and it was
    /// not even opened. People should be told.
    pub unread_config: Option<PathBuf>,
}

/// Who named the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The flag `--database`.
    Flag,
    /// The environment variable `DATABASE_URL`.
    Environment,
    /// A `db.toml`.
    File(PathBuf),
    /// Nobody.
    Default,
}

impl Database {
    /// Returns the first database that is named by: `flag` (`--database`), `DATABASE_URL` unless
    /// it is empty, the file `config_file` (`--config`), `db.toml` in the working folder, or the
    /// default `sqlite://cloudtrail.db`.
    ///
    /// Opens no database and changes nothing; reads at most one `db.toml` and the CA file it names.
    pub fn resolve(
        flag: Option<&str>,
        config_file: Option<&Path>,
        environment: &Environment,
    ) -> Result<Self, ConfigError> {
        let unread_config = config_file.map(Path::to_owned);
        let parsed = |text: &str, origin: Origin| match DatabaseUrl::parse(text) {
            Ok(url) => Ok(Self { url, origin, unread_config: unread_config.clone() }),
            Err(source) => Err(ConfigError::DatabaseUrl { origin, source }),
        };
        if let Some(text) = flag {
            return parsed(text, Origin::Flag);
        }
        if let Some(text) = environment.variable("DATABASE_URL") {
            let text = text.to_str().ok_or(ConfigError::NotUtf8("DATABASE_URL"))?;
            return parsed(text, Origin::Environment);
        }
        let path = config_file.map_or_else(|| environment.folder.join(DB_TOML), Path::to_owned);
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                let url = database_url(&text, &path, environment)?;
                Ok(Self { url, origin: Origin::File(path), unread_config: None })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && config_file.is_none() => {
                parsed(SQLITE_FILE, Origin::Default)
            }
            Err(source) => Err(ConfigError::UnreadableFile { path, source }),
        }
    }

    /// Returns the kind of database.
    pub fn engine(&self) -> Engine {
        self.url.engine()
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("from `--database`"),
            Self::Environment => f.write_str("from `DATABASE_URL`"),
            Self::File(path) => write!(f, "from {}", path.display()),
            Self::Default => f.write_str("by default"),
        }
    }
}
