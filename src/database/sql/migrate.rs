//! Creating our tables: each file in `migrations/` runs once, and `import_migrations` says which
//! have.
//!
//! sqlx embeds the files and does not run them: its own table has one name for every program that
//! uses it, and its lock does not hold on MariaDB.

use std::time::Duration;

use sqlx::migrate::Migration;

use super::connection::{Cell, CellType, Value};
use super::driver::Meaning;
use super::{SqlStore, unwrapped};
use crate::database::DatabaseError;

/// How often creating the tables is tried when another import is at it.
const ATTEMPTS_MAX: u32 = 20;

/// How long to wait between two tries.
const WAIT: Duration = Duration::from_millis(100);

const CREATE_TABLE: &str = "CREATE TABLE IF NOT EXISTS import_migrations \
     (version bigint NOT NULL PRIMARY KEY, name varchar(255) NOT NULL, \
     finished_at varchar(40) NOT NULL)";

const DONE: &str = "SELECT version FROM import_migrations";

const INSERT: &str = "INSERT INTO import_migrations (version, name, finished_at) VALUES (?, ?, ?)";

impl SqlStore {
    /// Creates the tables. Two imports that start at once may get in each other's way, where the
    /// database has no lock for that; the second try then finds the first one's work.
    ///
    /// An account that may only load does with tables that another account made.
    pub(super) async fn migrate(&self) -> Result<(), DatabaseError> {
        // Without the table there is an error here; whatever is wrong besides will come again.
        let done = self.query("look for migrations", DONE, &[], &[CellType::Int]).await;
        let done: Vec<i64> = done.into_iter().flatten().flatten().map(Cell::into_int).collect();
        let migrations = self.driver.migrations();
        if migrations.iter().all(|migration| done.contains(&migration.version)) {
            return Ok(());
        }
        let _permit = self.permit().await;
        let mut attempt = 1;
        loop {
            let Err(error) = self.run_migrations(migrations.iter()).await else { return Ok(()) };
            let meaning = self.meaning(&error);
            let may_pass = matches!(meaning, Meaning::Transient | Meaning::Conflict);
            if !may_pass || attempt == ATTEMPTS_MAX {
                let hint = match meaning {
                    Meaning::Forbidden(how) => Some(format!(
                        "the account needs the right to create tables, or tables made by one that \
                         has it: {how}"
                    )),
                    Meaning::Fatal(hint) => hint,
                    _ => None,
                };
                let source = unwrapped(error);
                return Err(DatabaseError::fatal("create the tables", source, hint));
            }
            attempt += 1;
            tokio::time::sleep(WAIT).await;
        }
    }

    /// Runs what has not run yet, in one transaction. MySQL commits every statement that defines
    /// something by itself, so that a run that is killed leaves a file half done; all of them can
    /// be repeated.
    async fn run_migrations(
        &self,
        migrations: impl Iterator<Item = &Migration>,
    ) -> Result<(), sqlx::Error> {
        let mut connection = self.connect().await?;
        self.driver.begin_migrations(&mut *connection).await?;
        connection.run(CREATE_TABLE).await?;
        let done = connection.query(DONE, &[], &[CellType::Int]).await?;
        let done: Vec<i64> = done.into_iter().flatten().map(Cell::into_int).collect();
        let insert = self.driver.dialect().placeholders(INSERT);
        for migration in migrations.filter(|migration| !done.contains(&migration.version)) {
            connection.run(&migration.sql).await?;
            let now = jiff::Timestamp::now().to_string();
            let name = Value::Text(Some(&migration.description));
            let line = [Value::Int(migration.version), name, Value::Text(Some(&now))];
            connection.execute(&insert, &line).await?;
        }
        connection.run("COMMIT").await?;
        connection.close().await;
        Ok(())
    }
}
