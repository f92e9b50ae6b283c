//! Finds out which database the user named.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::config_file;
use super::db_toml::database_url;
use super::defaults::{DB_TOML, RETRY_FOR, SQLITE_FILE};
use super::environment::Environment;
use super::error::ConfigError;
use super::origin::Origin;
use crate::database::url::{DatabaseUrl, Engine};

/// The database, and what named it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseSettings {
    /// The address.
    pub url: DatabaseUrl,
    /// What named it.
    pub origin: Origin,
    /// The file of `--config`, if it was not read because `--database` or `DATABASE_URL` comes
    /// first. The user is warned of it.
    pub unread_config: Option<PathBuf>,
    /// The `db.toml`, if it holds a password that other users can read. The user is warned of it.
    pub exposed_config: Option<PathBuf>,
    /// How long requests are repeated while the server is away, in [`RETRY_FOR_RANGE`](super::defaults::RETRY_FOR_RANGE).
    pub retry_for: Duration,
}

impl DatabaseSettings {
    /// Returns the first database that is named by `flag` (`--database`), by `DATABASE_URL` unless
    /// it is empty, by the file `config_file` (`--config`), by `db.toml` in the current folder, or
    /// by the default `sqlite://cloudtrail.db`. Requests are repeated for the default time.
    ///
    /// Opens no database and changes nothing; reads at most one `db.toml` and the CA file it names.
    pub fn resolve(
        flag: Option<&str>,
        config_file: Option<&Path>,
        environment: &Environment,
    ) -> Result<Self, ConfigError> {
        let unread_config = config_file.map(Path::to_owned);
        let parsed = |text: &str, origin: Origin| match DatabaseUrl::parse(text) {
            Ok(url) => {
                let (unread_config, retry_for) = (unread_config.clone(), RETRY_FOR);
                Ok(Self { url, origin, unread_config, exposed_config: None, retry_for })
            }
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
        match config_file::read(&path, config_file.is_some()) {
            Ok(file) => {
                let (url, holds_password) = database_url(&file.text, &path, environment)?;
                let is_exposed = holds_password && file.is_readable;
                let exposed_config = is_exposed.then(|| path.clone());
                let (origin, unread_config) = (Origin::File(path), None);
                Ok(Self { url, origin, unread_config, exposed_config, retry_for: RETRY_FOR })
            }
            Err(ConfigError::UnreadableFile { source, .. })
                if source.kind() == io::ErrorKind::NotFound && config_file.is_none() =>
            {
                parsed(SQLITE_FILE, Origin::Default)
            }
            Err(error) => Err(error),
        }
    }

    /// Returns the files that the program itself uses: the SQLite file, the files that SQLite keeps
    /// beside it, and the `db.toml`. Absolute and without links; they need not exist.
    pub(crate) fn own_files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        if let Some(database) = self.url.sqlite_path() {
            let database = resolved(&database);
            for suffix in ["", "-journal", "-wal", "-shm"] {
                let mut file = database.clone().into_os_string();
                file.push(suffix);
                files.push(file.into());
            }
        }
        if let Origin::File(path) = &self.origin {
            files.push(resolved(path));
        }
        files
    }

    /// Returns the kind of database.
    pub fn engine(&self) -> Engine {
        self.url.engine()
    }
}

/// Returns a path that is absolute and without links, also if only its folder exists.
fn resolved(path: &Path) -> PathBuf {
    let in_folder = || {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = std::fs::canonicalize(folder.unwrap_or(Path::new("."))).ok()?;
        Some(folder.join(path.file_name()?))
    };
    std::fs::canonicalize(path).ok().or_else(in_folder).unwrap_or_else(|| path.to_owned())
}
