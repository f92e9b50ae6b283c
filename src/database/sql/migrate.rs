//! Creates and migrates the tables: each file in `migrations/` runs once, and the table
//! `import_migrations` lists those that have run.
//!
//! ```text
//! take the lock ─▶ read import_migrations ─ exists ────────────────────▶ migrate ─▶ compare `logs`
//!                                          └ missing ─▶ compare `logs` ──▶   ▲
//!                                              └ mismatch: refused, nothing has changed
//! ```
//!
//! `logs` is compared after the migrations, because a table of an older version lacks the columns
//! that they add. Without `import_migrations`, a `logs` table was made by another program; it is
//! compared before anything is changed. Narrow columns are widened if the user asked for it.
//!
//! sqlx only embeds the files. Its own runner is not used: its table has the same name for every
//! program that uses sqlx, and its lock does not work on MariaDB. Its checksums are not used
//! either, so comments in the files may be reworded.

use super::connection::{Cell, CellType, Connection, Value};
use super::error::{SqlErrorClass, cause_of};
use super::schema::{SchemaMismatch, placeholders};
use super::{SqlStore, without_data};
use crate::database::{DatabaseError, UpgradePolicy};

const MIGRATIONS: &str = "import_migrations";

const CREATE_TABLE: &str = "CREATE TABLE IF NOT EXISTS import_migrations \
     (version bigint NOT NULL PRIMARY KEY, name varchar(255) NOT NULL, \
     finished_at varchar(40) NOT NULL)";

const SELECT_APPLIED: &str = "SELECT version FROM import_migrations";

const INSERT: &str = "INSERT INTO import_migrations (version, name, finished_at) VALUES (?, ?, ?)";

/// What the steps do, as errors name it.
const READ: &str = "read the schema of `logs`";
const WIDEN: &str = "widen the `logs` table";
const CREATE: &str = "create the tables";
const MIGRATE: &str = "migrate the tables";

/// An error of one step.
struct StepError {
    doing: &'static str,
    error: sqlx::Error,
}

/// Returns a function that adds to an error which step failed.
fn while_doing(doing: &'static str) -> impl FnOnce(sqlx::Error) -> StepError {
    move |error| StepError { doing, error }
}

impl SqlStore {
    /// Creates or migrates the tables, then checks that `logs` can hold every record.
    ///
    /// Tables that need no change are only read, so an account without the privilege to create
    /// tables can import into them.
    pub(super) async fn prepare_schema(&self, policy: UpgradePolicy) -> Result<(), DatabaseError> {
        let mut pooled = self.connection(READ).await?;
        let session = pooled.connection.session();
        let reading = self.needs_no_change(&mut *pooled.connection);
        let outcome = self.in_time(session, self.statement_limit(), reading).await;
        if self.put_back(pooled, outcome).map_err(|error| without_data(error, READ))? {
            return Ok(());
        }
        let _permit = self.permit().await;
        let StepError { doing, error } = match self.migrate_under_lock(policy).await {
            Ok(refused) => return refused.map_or(Ok(()), Err),
            Err(error) => error,
        };
        Err(match self.classify(&error) {
            SqlErrorClass::Forbidden if doing == CREATE => {
                let hint = format!(
                    "the account needs the right to create tables, or tables that another \
                     account has created: {}",
                    self.driver.privileges_hint()
                );
                DatabaseError::fatal(doing, cause_of(error), Some(hint))
            }
            // Another import creates the same tables.
            SqlErrorClass::Conflict => DatabaseError::contention(doing, cause_of(error)),
            _ => without_data(self.error(doing, error), doing),
        })
    }

    /// Returns whether all migrations have run and `logs` is as it should be.
    async fn needs_no_change(&self, connection: &mut dyn Connection) -> Result<bool, sqlx::Error> {
        let Some(applied) = self.applied_migrations(connection).await? else { return Ok(false) };
        if self.schema.migrations.iter().any(|migration| !applied.contains(&migration.version)) {
            return Ok(false);
        }
        let columns = self.schema.columns_after();
        Ok(self.driver.find_mismatch(connection, &columns).await?.is_none())
    }

    /// Returns the versions of the migrations that have run; `None` if there is no table of them.
    async fn applied_migrations(
        &self,
        connection: &mut dyn Connection,
    ) -> Result<Option<Vec<i64>>, sqlx::Error> {
        if !self.has_table(connection, MIGRATIONS).await? {
            return Ok(None);
        }
        let rows = connection.query(SELECT_APPLIED, &[], &[CellType::Int]).await?;
        Ok(Some(rows.into_iter().flatten().map(Cell::into_int).collect()))
    }

    /// Does everything in one transaction. Returns why `logs` is refused, if it is.
    ///
    /// MySQL commits each DDL statement by itself: after a kill, a migration may have run in part.
    /// It then runs again, so all statements in `migrations/mysql` must be repeatable.
    async fn migrate_under_lock(
        &self,
        policy: UpgradePolicy,
    ) -> Result<Option<DatabaseError>, StepError> {
        let mut connection = self.connect().await.map_err(while_doing(CREATE))?;
        let session = connection.session();
        let mut failed_at = CREATE;
        let migrating = async {
            let migrated = self.migrate_on(&mut *connection, policy).await;
            migrated.map_err(|StepError { doing, error }| {
                failed_at = doing;
                error
            })
        };
        // A migration of a large table may take long.
        let migrated = self.watched(session, migrating).await;
        let refused = migrated.map_err(|error| StepError { doing: failed_at, error })?;
        // If `logs` is refused, nothing was committed, and this rolls back.
        connection.close().await;
        Ok(refused)
    }

    async fn migrate_on(
        &self,
        connection: &mut dyn Connection,
        policy: UpgradePolicy,
    ) -> Result<Option<DatabaseError>, StepError> {
        let wait = self.options.timeouts.statement;
        self.driver.begin_migrations(connection, wait).await.map_err(while_doing(CREATE))?;
        let applied = self.applied_migrations(connection).await.map_err(while_doing(READ))?;
        let doing = if applied.is_some() { MIGRATE } else { CREATE };
        if applied.is_none() {
            let columns = self.schema.columns_before();
            if let Some(mismatch) = self.fit_logs(connection, &columns, policy).await? {
                return Ok(Some(refusal(&mismatch, false)));
            }
            connection.run(CREATE_TABLE).await.map_err(while_doing(doing))?;
        }
        let applied = applied.unwrap_or_default();
        self.run_missing(connection, &applied).await.map_err(while_doing(doing))?;
        let columns = self.schema.columns_after();
        if let Some(mismatch) = self.fit_logs(connection, &columns, policy).await? {
            return Ok(Some(refusal(&mismatch, self.schema.is_older_than(&applied))));
        }
        connection.run("COMMIT").await.map_err(while_doing(doing))?;
        Ok(None)
    }

    /// Runs the migrations that have not run, and lists them in `import_migrations`.
    async fn run_missing(
        &self,
        connection: &mut dyn Connection,
        applied: &[i64],
    ) -> Result<(), sqlx::Error> {
        let insert = placeholders(self.driver.engine(), INSERT);
        let migrations = self.schema.migrations.iter();
        for migration in migrations.filter(|migration| !applied.contains(&migration.version)) {
            tracing::debug!(version = migration.version, "running a migration");
            connection.run(&migration.sql).await?;
            let now = jiff::Timestamp::now().to_string();
            let name = Value::Text(Some(&migration.description));
            let line = [Value::Int(migration.version), name, Value::Text(Some(&now))];
            connection.execute(&insert, &line).await?;
        }
        Ok(())
    }

    /// Compares `logs` with our table and widens it if `policy` allows. Returns the difference that
    /// remains.
    async fn fit_logs(
        &self,
        connection: &mut dyn Connection,
        columns: &[&str],
        policy: UpgradePolicy,
    ) -> Result<Option<SchemaMismatch>, StepError> {
        let mismatch = self.driver.find_mismatch(connection, columns).await;
        let Some(mismatch) = mismatch.map_err(while_doing(READ))? else { return Ok(None) };
        if policy == UpgradePolicy::Refuse || mismatch.statements.is_empty() {
            return Ok(Some(mismatch));
        }
        for statement in &mismatch.statements {
            tracing::info!(statement, "widening the `logs` table");
            connection.run(statement).await.map_err(while_doing(WIDEN))?;
        }
        Ok(None)
    }
}

fn refusal(mismatch: &SchemaMismatch, is_older: bool) -> DatabaseError {
    let hint = if is_older {
        "a later version of cloudtrail2sql has migrated this database: use that version".to_owned()
    } else if mismatch.statements.is_empty() {
        "import into another database, or rename that table".to_owned()
    } else {
        let statements = mismatch.statements.join(";\n      ");
        format!("run the command again with `--upgrade-table`, or run:\n      {statements};")
    };
    DatabaseError::unusable(mismatch.difference.clone(), hint)
}
