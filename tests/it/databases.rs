//! A database of one test's own, and a look into it that is not the program's.
//!
//! What is not `async` blocks: most tests wait for processes, not for futures.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};

use sqlx::{Connection, MySqlConnection, PgConnection, Row, SqliteConnection};
use tempfile::TempDir;

/// The name of a test's own SQLite file.
const SQLITE_FILE: &str = "own.db";

/// What a query returned, every value as text.
pub type Table = Vec<Vec<Option<String>>>;

/// Which database a test runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
    Mysql,
    Mariadb,
}

/// A database that goes with the test, whether it passes or not; it is not made here.
#[derive(Debug)]
pub struct OwnDatabase {
    pub engine: Engine,
    pub name: String,
    /// With the password of an administrator.
    pub url: String,
    /// The administrator's URL of the server, to which a database name is added; SQLite has none.
    admin_url: Option<String>,
    folder: TempDir,
}

/// All that an import leaves, without what differs from run to run.
#[derive(Debug, PartialEq, Eq)]
pub struct Contents {
    pub rows: Table,
    pub ledger: Table,
    pub rejects: Table,
}

impl Engine {
    /// Returns the administrator's URL of a server, to which a database name is added.
    ///
    /// # Panics
    /// There is no such server; the message names it and its variable.
    #[track_caller]
    pub fn admin_url(self) -> String {
        match self {
            Self::Sqlite => unreachable!("SQLite has no server"),
            Self::Postgres => server_url("PostgreSQL", "TEST_POSTGRES_URL"),
            Self::Mysql => server_url("MySQL", "TEST_MYSQL_URL"),
            Self::Mariadb => server_url("MariaDB", "TEST_MARIADB_URL"),
        }
    }

    /// Returns whether it speaks MySQL's protocol.
    pub fn is_mysql(self) -> bool {
        matches!(self, Self::Mysql | Self::Mariadb)
    }

    /// Returns `HOST:PORT` of the server.
    pub fn address(self) -> String {
        address_of(&self.admin_url()).to_owned()
    }

    /// Runs SQL as the administrator, outside any database of a test.
    pub fn administer(self, sql: &str) -> Table {
        self.try_administer(sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// Runs SQL as the administrator, to clean up after a test.
    ///
    /// A failure fails the test, but not while another panic unwinds: a second one would abort
    /// the process, and the results of all other tests would be lost.
    pub fn clean_up(self, sql: &str) {
        self.clean_up_on(&self.admin_url(), sql);
    }

    fn clean_up_on(self, admin_url: &str, sql: &str) {
        let cleaned = self.try_administer_on(admin_url, sql);
        assert!(cleaned.is_ok() || std::thread::panicking(), "{sql}: {cleaned:?}");
    }

    /// Runs SQL as the administrator of a server that may be away.
    pub fn try_administer(self, sql: &str) -> Result<Table, sqlx::Error> {
        self.try_administer_on(&self.admin_url(), sql)
    }

    /// Runs SQL as the administrator of this server.
    pub fn try_administer_on(self, admin_url: &str, sql: &str) -> Result<Table, sqlx::Error> {
        let database = if self == Self::Postgres { "postgres" } else { "information_schema" };
        query_now(self, &format!("{admin_url}{database}"), sql)
    }
}

impl OwnDatabase {
    /// Names a database of a server that exists.
    ///
    /// # Panics
    /// The server is missing. This is found out before the value exists, so that its `Drop` can
    /// rely on the server's URL.
    #[track_caller]
    pub fn new(engine: Engine) -> Self {
        Self::named(engine, (engine != Engine::Sqlite).then(|| engine.admin_url()))
    }

    /// Names a database of this server.
    pub fn on(engine: Engine, admin_url: &str) -> Self {
        Self::named(engine, Some(admin_url.to_owned()))
    }

    /// Uses the database of this name on another server from now on.
    pub fn move_to(&mut self, admin_url: &str) {
        self.url = format!("{admin_url}{}", self.name);
        self.admin_url = Some(admin_url.to_owned());
    }

    fn named(engine: Engine, admin_url: Option<String>) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        // An earlier test process of the same number may have been killed.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let name = format!("t{}_{}_{count}", std::process::id(), now.subsec_nanos());
        let folder = tempfile::tempdir().unwrap();
        let url = match &admin_url {
            None => format!("sqlite://{}", folder.path().join(SQLITE_FILE).display()),
            Some(admin_url) => format!("{admin_url}{name}"),
        };
        Self { engine, name, url, admin_url, folder }
    }

    /// Returns the SQLite file.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join(SQLITE_FILE)
    }

    /// Runs SQL and returns its rows.
    pub fn query(&self, sql: &str) -> Table {
        self.try_query(sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// Runs SQL on tables that may not be there.
    pub fn try_query(&self, sql: &str) -> Result<Table, sqlx::Error> {
        query_now(self.engine, &self.url, sql)
    }

    /// Returns the one number that a query answers.
    pub fn number(&self, sql: &str) -> u64 {
        self.query(sql)[0][0].as_deref().unwrap().parse().unwrap()
    }

    /// Ends all other sessions in this database, and returns how many there were.
    ///
    /// The database, or its server, may be away: then there are none.
    pub fn end_sessions(&self) -> u64 {
        let engine = self.engine;
        if engine == Engine::Postgres {
            let ended = engine.try_administer(&format!(
                "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity \
                 WHERE datname = '{}'",
                self.name
            ));
            return ended.map_or(0, |rows| rows[0][0].as_deref().unwrap().parse().unwrap());
        }
        let sessions = engine.try_administer(&format!(
            "SELECT CAST(id AS SIGNED) FROM information_schema.processlist WHERE db = '{}'",
            self.name
        ));
        let sessions = sessions.unwrap_or_default();
        let sessions = sessions.iter().filter_map(|row| row[0].as_deref());
        // One that has ended meanwhile is an error, and counts for nothing.
        let ended = sessions.filter(|id| engine.try_administer(&format!("KILL {id}")).is_ok());
        ended.count() as u64
    }

    /// Returns how many sessions build indexes in this database.
    pub fn index_builds(&self) -> u64 {
        self.running(match self.engine {
            Engine::Postgres => "CREATE INDEX",
            _ => "ALTER TABLE logs ADD INDEX",
        })
    }

    /// Returns how many statements of the program run that begin so.
    pub fn running(&self, beginning: &str) -> u64 {
        self.number(&match self.engine {
            Engine::Sqlite => unreachable!("SQLite has no sessions"),
            Engine::Postgres => format!(
                "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() \
                 AND state = 'active' AND query LIKE '{beginning}%'"
            ),
            _ => format!(
                "SELECT CAST(COUNT(*) AS SIGNED) FROM information_schema.processlist \
                 WHERE db = DATABASE() AND info LIKE '{beginning}%'"
            ),
        })
    }

    /// Reads everything that an import leaves.
    pub fn contents(&self) -> Contents {
        Contents::read(|sql| self.query(sql))
    }
}

impl Contents {
    /// Reads it with a function that runs a query.
    pub fn read(query: impl Fn(&str) -> Table) -> Self {
        let sorted = |sql: &str| {
            let mut table = query(sql);
            table.sort();
            table
        };
        Self {
            rows: sorted(
                "SELECT eventID, eventName, eventSource, eventTime, userIdentity, \
                 requestParameters, requestID, recipientAccountId FROM logs",
            ),
            ledger: sorted(
                "SELECT uri, version, size_bytes, digest, outcome, kind, record_count, row_count, \
                 reject_count, altered_count, reason FROM import_objects",
            ),
            rejects: sorted(
                "SELECT o.uri, r.record_index, r.offset_bytes, r.reason, r.record \
                 FROM import_rejects r LEFT JOIN import_objects o ON o.id = r.object_id",
            ),
        }
    }
}

impl Drop for OwnDatabase {
    fn drop(&mut self) {
        let Some(admin_url) = &self.admin_url else { return };
        let name = &self.name;
        let sql = match self.engine {
            Engine::Postgres => format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
            // Bounded, in case a failed test has left a transaction open.
            _ => format!("SET lock_wait_timeout = 30; DROP DATABASE IF EXISTS {name}"),
        };
        self.engine.clean_up_on(admin_url, &sql);
    }
}

/// A transaction that keeps index builds on `logs` waiting, until it is dropped.
#[derive(Debug)]
pub struct HeldTable {
    release: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl HeldTable {
    /// Opens a transaction that index builds wait for.
    pub fn of(database: &OwnDatabase) -> Self {
        Self::by(database, |engine| match engine {
            Engine::Postgres => "BEGIN; LOCK TABLE logs IN ROW EXCLUSIVE MODE",
            _ => "BEGIN; SELECT COUNT(*) FROM logs",
        })
    }

    /// Takes a lock that even readers wait for.
    pub fn for_itself(database: &OwnDatabase) -> Self {
        Self::by(database, |engine| match engine {
            Engine::Postgres => "BEGIN; LOCK TABLE logs IN ACCESS EXCLUSIVE MODE",
            _ => "LOCK TABLES logs WRITE",
        })
    }

    fn by(database: &OwnDatabase, sql: fn(Engine) -> &'static str) -> Self {
        macro_rules! hold {
            ($connection:ty, $url:expr, $sql:expr, $held:expr, $released:expr) => {{
                let mut connection = <$connection>::connect($url).await.unwrap();
                sqlx::raw_sql($sql).execute(&mut connection).await.unwrap();
                $held.send(()).unwrap();
                // Released by a message, or by the end of the test.
                let _ = $released.recv();
                connection.close().await.unwrap();
            }};
        }
        let (engine, url) = (database.engine, database.url.clone());
        let (release, released) = mpsc::channel();
        let (held, is_held) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                if engine == Engine::Postgres {
                    hold!(PgConnection, &url, sql(engine), held, released);
                } else {
                    hold!(MySqlConnection, &url, sql(engine), held, released);
                }
            });
        });
        is_held.recv().unwrap();
        Self { release: Some(release), thread: Some(thread) }
    }
}

impl Drop for HeldTable {
    fn drop(&mut self) {
        drop(self.release.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Returns `HOST:PORT` of an administrator's URL.
pub fn address_of(admin_url: &str) -> &str {
    let (_, address) = admin_url.rsplit_once('@').unwrap();
    address.trim_end_matches('/')
}

/// Returns the URL of a server that the tests need.
///
/// # Panics
/// The variable is not set, so the server is missing: a failure, never a skipped test.
#[track_caller]
pub fn server_url(server: &str, variable: &str) -> String {
    match std::env::var(variable) {
        Ok(url) if !url.is_empty() => url,
        _ => panic!("no {server} server: set {variable}, or run `tests/run`, which starts one"),
    }
}

/// Runs SQL on a connection of its own, on a thread of its own: the caller's may belong to a
/// runtime.
pub fn query_now(engine: Engine, url: &str, sql: &str) -> Result<Table, sqlx::Error> {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(query(engine, url, sql))
    };
    std::thread::scope(|scope| scope.spawn(run).join().unwrap())
}

/// Runs SQL on a connection of its own; returns the rows of its last statement.
pub async fn query(engine: Engine, url: &str, sql: &str) -> Result<Table, sqlx::Error> {
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
    match engine {
        Engine::Sqlite => query_over!(SqliteConnection),
        Engine::Postgres => query_over!(PgConnection),
        Engine::Mysql | Engine::Mariadb => query_over!(MySqlConnection),
    }
}

/// Makes tests of the contract, named `PROMISE::DATABASE`. Each promise is a function of an
/// [`Engine`]; `async` stands before promises that are `async fn`.
///
/// ```text
/// promises! { on all: every_object_is_loaded … }
/// promises! { async on everywhere: a_run_is_recorded … }
/// promises! { on servers: a_slow_server_is_waited_for … }
/// promises! { async on [mysql mariadb]: a_row_just_below_the_packet_passes … }
/// ```
macro_rules! promises {
    (on $databases:tt: $($promise:ident)+) => {
        $($crate::databases::promises! { @promise [] $promise $databases })+
    };
    (ignored, on $databases:tt: $($promise:ident)+) => {
        $($crate::databases::promises! { @promise [ignored] $promise $databases })+
    };
    (async on $databases:tt: $($promise:ident)+) => {
        $($crate::databases::promises! { @promise [async] $promise $databases })+
    };
    (@promise $kind:tt $promise:ident all) => {
        $crate::databases::promises! { @promise $kind $promise [sqlite postgres mysql mariadb] }
    };
    // The databases and the store in memory, for promises that need no SQL.
    (@promise $kind:tt $promise:ident everywhere) => {
        $crate::databases::promises! {
            @promise $kind $promise [memory sqlite postgres mysql mariadb]
        }
    };
    (@promise $kind:tt $promise:ident servers) => {
        $crate::databases::promises! { @promise $kind $promise [postgres mysql mariadb] }
    };
    (@promise $kind:tt $promise:ident [$($database:ident)+]) => {
        mod $promise {
            $($crate::databases::promises! { @test $kind $promise $database })+
        }
    };
    (@test [] $promise:ident $database:ident) => {
        #[test]
        fn $database() {
            super::$promise($crate::databases::promises! { @engine $database });
        }
    };
    (@test [ignored] $promise:ident $database:ident) => {
        #[test]
        #[ignore = "needs tools that an ordinary run does not get"]
        fn $database() {
            super::$promise($crate::databases::promises! { @engine $database });
        }
    };
    (@test [async] $promise:ident $database:ident) => {
        #[tokio::test]
        async fn $database() {
            super::$promise($crate::databases::promises! { @engine $database }).await;
        }
    };
    (@engine memory) => {
        $crate::sinks::backend::Memory
    };
    (@engine sqlite) => {
        $crate::databases::Engine::Sqlite
    };
    (@engine postgres) => {
        $crate::databases::Engine::Postgres
    };
    (@engine mysql) => {
        $crate::databases::Engine::Mysql
    };
    (@engine mariadb) => {
        $crate::databases::Engine::Mariadb
    };
}
pub(crate) use promises;
