//! A test's own database, for tests that wait for futures, and sinks for it.

use std::sync::Arc;

use std::ops::Deref;

use cloudtrail2sql::cli::config::{DatabaseSettings, Environment};
use cloudtrail2sql::database::{
    self, DatabaseError, LoadMethod, OpenOptions, Store, Timeouts, UpgradePolicy,
};

use super::commits::RETRY;
use crate::databases::{Engine, OwnDatabase, Table, query};

/// An [`OwnDatabase`] that is inspected without blocking.
pub struct Scratch(OwnDatabase);

impl Deref for Scratch {
    type Target = OwnDatabase;

    fn deref(&self) -> &OwnDatabase {
        &self.0
    }
}

impl Scratch {
    /// Names a database; it does not exist yet.
    pub fn new(engine: Engine) -> Self {
        Self(OwnDatabase::new(engine))
    }

    /// Makes an empty database.
    pub fn created(engine: Engine) -> Self {
        let scratch = Self::new(engine);
        match engine {
            Engine::Sqlite => drop(std::fs::File::create(scratch.file()).unwrap()),
            _ => drop(engine.administer(&format!("CREATE DATABASE {}", scratch.name))),
        }
        scratch
    }

    /// Makes a database with our tables, and a sink for it.
    pub async fn prepared(engine: Engine) -> (Self, Arc<dyn Store>) {
        let scratch = Self::new(engine);
        let sink = scratch.sink();
        sink.prepare(UpgradePolicy::Refuse).await.unwrap();
        (scratch, sink)
    }

    /// Returns a sink that loads in the fastest way.
    pub fn sink(&self) -> Arc<dyn Store> {
        open(&self.url)
    }

    /// Returns a sink that loads in the given way.
    pub fn sink_by(&self, load_method: LoadMethod) -> Arc<dyn Store> {
        open_by(&self.url, Some(load_method)).unwrap()
    }

    /// Runs SQL and returns the rows of its last statement.
    pub async fn query(&self, sql: &str) -> Table {
        query(self.engine, &self.url, sql).await.unwrap()
    }

    /// Runs SQL.
    pub async fn run(&self, sql: &str) {
        self.query(sql).await;
    }

    /// Returns how many rows a table has.
    pub async fn count(&self, table: &str) -> usize {
        let rows = self.query(&format!("SELECT COUNT(*) FROM {table}")).await;
        rows[0][0].as_deref().unwrap().parse().unwrap()
    }

    /// Returns the server's numbers of the other connections to this database.
    pub async fn connections(&self) -> Vec<String> {
        let list = if self.engine.is_mysql() {
            "SELECT CAST(id AS SIGNED) FROM information_schema.processlist \
             WHERE db = DATABASE() AND id <> CONNECTION_ID()"
        } else {
            "SELECT pid::text FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()"
        };
        self.query(list).await.into_iter().flatten().flatten().collect()
    }

    /// Returns how many rows `logs`, the ledger, and the table of rejects have.
    pub async fn counts(&self) -> [usize; 3] {
        [
            self.count("logs").await,
            self.count("import_objects").await,
            self.count("import_rejects").await,
        ]
    }
}

/// Returns a sink for a URL, as the command line would make it.
pub fn open(url: &str) -> Arc<dyn Store> {
    open_by(url, None).unwrap()
}

fn open_by(url: &str, load_method: Option<LoadMethod>) -> Result<Arc<dyn Store>, DatabaseError> {
    let settings = settings(url);
    let load_method = load_method.unwrap_or(LoadMethod::fastest(settings.engine()));
    database::open(&settings.url, options(load_method))
}

/// Returns a sink for a URL, opened in this way.
pub fn open_with(url: &str, options: OpenOptions) -> Arc<dyn Store> {
    database::open(&settings(url).url, options).unwrap()
}

/// Returns the options with short waits.
pub fn options(load_method: LoadMethod) -> OpenOptions {
    let timeouts = Timeouts::default();
    OpenOptions { load_method, retry: RETRY, timeouts, keeps_other_fields: true }
}

fn settings(url: &str) -> DatabaseSettings {
    DatabaseSettings::resolve(Some(url), None, &Environment::new([], "")).unwrap()
}

/// Returns one row of a [`Table`].
pub fn row(values: &[&str]) -> Vec<Option<String>> {
    values.iter().map(|value| Some((*value).to_owned())).collect()
}
