//! A database of one test's own, and a way to look into it that is not the program's.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use cloudtrail2sql::config::{Database as DatabaseSettings, Environment, LoadMethod};
use cloudtrail2sql::sink::{Database, OpenOptions, SinkError, UpgradePolicy};
use sqlx::{Connection, MySqlConnection, PgConnection, Row, SqliteConnection};
use tempfile::TempDir;

/// What a query returned, every value as text.
pub type Table = Vec<Vec<Option<String>>>;

/// Where a test runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    Sqlite,
    Postgres,
    Mysql,
    Mariadb,
}

/// A database that ends with the test, whether it passes or not.
pub struct Scratch {
    pub server: Server,
    pub name: String,
    /// With the administrator's password.
    pub url: String,
    folder: TempDir,
}

impl Server {
    /// Returns the administrator's URL, to which a database name is added.
    pub fn admin_url(self) -> String {
        let variable = match self {
            Self::Sqlite => unreachable!("SQLite has no server"),
            Self::Postgres => "TEST_POSTGRES_URL",
            Self::Mysql => "TEST_MYSQL_URL",
            Self::Mariadb => "TEST_MARIADB_URL",
        };
        std::env::var(variable).unwrap_or_else(|_| {
            panic!("`{variable}` is not set: run the tests with `tests/run`, which starts servers")
        })
    }

    /// Returns whether it speaks MySQL's protocol.
    pub fn is_mysql(self) -> bool {
        matches!(self, Self::Mysql | Self::Mariadb)
    }

    /// Runs SQL as the administrator, outside any scratch database.
    pub async fn administer(self, sql: &str) {
        let database = if self == Self::Postgres { "postgres" } else { "information_schema" };
        query(self, &format!("{}{database}", self.admin_url()), sql).await.unwrap();
    }
}

impl Scratch {
    /// Names a database; it does not exist yet.
    pub fn new(server: Server) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("t{}_{}_{count}", std::process::id(), now.subsec_nanos());
        let folder = tempfile::tempdir().unwrap();
        let url = match server {
            Server::Sqlite => format!("sqlite://{}", folder.path().join("scratch.db").display()),
            _ => format!("{}{name}", server.admin_url()),
        };
        Self { server, name, url, folder }
    }

    /// Makes an empty database.
    pub async fn created(server: Server) -> Self {
        let scratch = Self::new(server);
        match server {
            Server::Sqlite => drop(std::fs::File::create(scratch.file()).unwrap()),
            _ => server.administer(&format!("CREATE DATABASE {}", scratch.name)).await,
        }
        scratch
    }

    /// Makes a database with our tables, and a sink for it.
    pub async fn prepared(server: Server) -> (Self, Database) {
        let scratch = Self::new(server);
        let sink = scratch.sink();
        sink.prepare(UpgradePolicy::Refuse).await.unwrap();
        (scratch, sink)
    }

    /// Returns the SQLite file.
    pub fn file(&self) -> std::path::PathBuf {
        self.folder.path().join("scratch.db")
    }

    /// Returns a sink that loads in the fastest way.
    pub fn sink(&self) -> Database {
        open(&self.url)
    }

    /// Returns a sink that loads in the given way.
    pub fn sink_by(&self, load_method: LoadMethod) -> Database {
        open_by(&self.url, Some(load_method)).unwrap()
    }

    /// Runs SQL and returns the rows of its last statement.
    pub async fn query(&self, sql: &str) -> Table {
        query(self.server, &self.url, sql).await.unwrap()
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
        let list = if self.server.is_mysql() {
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

impl Drop for Scratch {
    fn drop(&mut self) {
        let (server, name) = (self.server, std::mem::take(&mut self.name));
        if server == Server::Sqlite {
            return;
        }
        let force = if server == Server::Postgres { " WITH (FORCE)" } else { "" };
        // The test's own runtime cannot be waited for in here.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let drop_database = format!("DROP DATABASE IF EXISTS {name}{force}");
            runtime.unwrap().block_on(server.administer(&drop_database));
        });
        let is_dropped = dropping.join().is_ok();
        assert!(is_dropped || std::thread::panicking(), "cannot drop the test's database");
    }
}

/// Returns a sink for a URL, as the command line would make it.
pub fn open(url: &str) -> Database {
    open_by(url, None).unwrap()
}

fn open_by(url: &str, load_method: Option<LoadMethod>) -> Result<Database, SinkError> {
    let environment = Environment::new([], "");
    let settings = DatabaseSettings::resolve(Some(url), None, &environment).unwrap();
    let load_method = load_method.unwrap_or(LoadMethod::fastest(settings.engine()));
    Database::new(&settings, OpenOptions { load_method })
}

/// Runs SQL on a connection of its own.
pub async fn query(server: Server, url: &str, sql: &str) -> Result<Table, sqlx::Error> {
    macro_rules! query_over {
        ($connection:ty) => {{
            let mut connection = <$connection>::connect(url).await?;
            let rows = sqlx::raw_sql(sql).fetch_all(&mut connection).await?;
            connection.close().await?;
            let read = |row: &<<$connection as Connection>::Database as sqlx::Database>::Row| {
                let value = |column| match row.try_get::<Option<i64>, _>(column) {
                    Ok(int) => int.map(|int| int.to_string()),
                    Err(_) => row.get_unchecked::<Option<String>, _>(column),
                };
                (0..row.len()).map(value).collect()
            };
            Ok(rows.iter().map(read).collect())
        }};
    }
    match server {
        Server::Sqlite => query_over!(SqliteConnection),
        Server::Postgres => query_over!(PgConnection),
        Server::Mysql | Server::Mariadb => query_over!(MySqlConnection),
    }
}

/// Returns one row of a [`Table`].
pub fn row(values: &[&str]) -> Vec<Option<String>> {
    values.iter().map(|value| Some((*value).to_owned())).collect()
}
