//! Creates and migrates the tables: each file in `migrations/` runs once, and the table
//! `import_migrations` lists those that have run.
//!
//! ```text
//! take the lock ─▶ read import_migrations ─ exists ───────────────────────▶ migrate ─▶ add columns
//!                                          └ missing ─▶ compare the tables ──▶   ▲       ─▶ compare
//!                                              └ mismatch: refused, nothing has changed
//! ```
//!
//! Without `import_migrations`, the tables were made by another program; they are compared before
//! anything is changed. Columns of ours that a table lacks are added ([`super::added_columns::ADDED_COLUMNS`]),
//! and narrow columns are widened if the user asked for it. The view comes last: the program works
//! without it, so that it is left out where the account may not create one, or the user has a view or
//! table of its name.
//!
//! sqlx has a runner, too. It is not used: its table has the same name for every program that uses
//! sqlx, and its lock does not work on MariaDB. It also compares checksums of the files, so that
//! no comment in them could be reworded.

use super::added_columns::statements_of_added_columns;
use super::connection::{Cell, CellType, Connection, Value};
use super::error::{SqlErrorClass, cause_of};
use super::migrations::Migration;
use super::schema::{
    IDENTITIES, LOGS, OBJECTS, SchemaMismatch, VIEW, VIEW_COLUMNS, has_columns, other_columns,
    placeholders,
};
use super::{SqlStore, without_data};
use crate::database::{DatabaseError, UpgradePolicy};

const MIGRATIONS: &str = "import_migrations";

pub(super) const CREATE_TABLE: &str = "CREATE TABLE IF NOT EXISTS import_migrations \
     (version bigint NOT NULL PRIMARY KEY, name varchar(255) NOT NULL, \
     finished_at varchar(40) NOT NULL)";

const SELECT_APPLIED: &str = "SELECT version FROM import_migrations";

const INSERT: &str = "INSERT INTO import_migrations (version, name, finished_at) VALUES (?, ?, ?)";

/// What the steps do, as errors name it.
const READ: &str = "read the schema of the tables";
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

    /// Returns whether all migrations have run and the tables are as they should be.
    async fn needs_no_change(&self, connection: &mut dyn Connection) -> Result<bool, sqlx::Error> {
        let Some(applied) = self.applied_migrations(connection).await? else { return Ok(false) };
        let missing = self.schema.tables.iter().any(|it| !applied.contains(&it.version));
        if missing || self.schema.is_older_than(&applied) {
            return Ok(false);
        }
        let added = self.added_columns(connection).await?;
        if added.map_or(true, |statements| !statements.is_empty()) {
            return Ok(false);
        }
        Ok(self.find_mismatch(connection).await?.is_none())
    }

    /// Returns the statements that add columns of ours to existing tables.
    async fn added_columns(
        &self,
        connection: &mut dyn Connection,
    ) -> Result<Result<Vec<String>, SchemaMismatch>, sqlx::Error> {
        let mut statements = Vec::new();
        for table in [LOGS.name, OBJECTS.name] {
            let columns = self.columns_of(connection, table).await?;
            match statements_of_added_columns(self.driver.engine(), table, &columns) {
                Ok(of_table) => statements.extend(of_table),
                Err(mismatch) => return Ok(Err(mismatch)),
            }
        }
        Ok(Ok(statements))
    }

    /// Returns how existing tables differ from ours; `None` if they do not exist, or hold every record.
    async fn find_mismatch(
        &self,
        connection: &mut dyn Connection,
    ) -> Result<Option<SchemaMismatch>, sqlx::Error> {
        let identities = self.columns_of(connection, IDENTITIES.name).await?;
        if !identities.is_empty() && !has_columns(&identities, IDENTITIES.columns) {
            let difference = "there is an `identities` table with other columns";
            return Ok(Some(SchemaMismatch::beyond_repair(difference.to_owned())));
        }
        let logs = self.columns_of(connection, LOGS.name).await?;
        if logs.is_empty() {
            return Ok(None);
        }
        if let Some(mismatch) = other_columns(&logs) {
            return Ok(Some(mismatch));
        }
        self.driver.find_mismatch(connection, &logs).await
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
        if applied.as_ref().is_some_and(|applied| self.schema.is_older_than(applied)) {
            return Ok(Some(later_version()));
        }
        let doing = if applied.is_some() { MIGRATE } else { CREATE };
        if applied.is_none() {
            if let Err(mismatch) =
                self.added_columns(connection).await.map_err(while_doing(READ))?
            {
                return Ok(Some(refusal(&mismatch)));
            }
            if let Some(mismatch) = self.fit_tables(connection, policy).await? {
                return Ok(Some(refusal(&mismatch)));
            }
            connection.run(CREATE_TABLE).await.map_err(while_doing(doing))?;
        }
        let applied = applied.unwrap_or_default();
        for migration in self.schema.tables {
            if !applied.contains(&migration.version) {
                self.run_migration(connection, migration).await.map_err(while_doing(doing))?;
            }
        }
        let added = self.added_columns(connection).await.map_err(while_doing(READ))?;
        match added {
            Ok(statements) => {
                for statement in &statements {
                    tracing::debug!(statement, "adding columns");
                    connection.run(statement).await.map_err(while_doing(MIGRATE))?;
                }
            }
            Err(mismatch) => return Ok(Some(refusal(&mismatch))),
        }
        if let Some(mismatch) = self.fit_tables(connection, policy).await? {
            return Ok(Some(refusal(&mismatch)));
        }
        connection.run("COMMIT").await.map_err(while_doing(doing))?;
        Ok(None)
    }

    /// Runs a migration, and lists it in `import_migrations`.
    async fn run_migration(
        &self,
        connection: &mut dyn Connection,
        migration: &Migration,
    ) -> Result<(), sqlx::Error> {
        tracing::debug!(version = migration.version, "running a migration");
        connection.run(migration.sql).await?;
        self.record_migration(connection, migration).await
    }

    async fn record_migration(
        &self,
        connection: &mut dyn Connection,
        migration: &Migration,
    ) -> Result<(), sqlx::Error> {
        let insert = placeholders(self.driver.engine(), INSERT);
        let now = jiff::Timestamp::now().to_string();
        let name = Value::Text(Some(migration.name));
        let line = [Value::Int(migration.version), name, Value::Text(Some(&now))];
        connection.execute(&insert, &line).await?;
        Ok(())
    }

    /// Creates or replaces the view `events`, unless it is there already or cannot be created.
    pub(super) async fn prepare_view(&self) -> Result<(), DatabaseError> {
        let doing = "create the view `events`";
        let mut pooled = self.connection(doing).await?;
        let (session, wait) = (pooled.connection.session(), self.options.timeouts.statement);
        let creating = self.create_view(&mut *pooled.connection);
        let error = match self.in_time(session, wait, creating).await {
            Ok(is_clean) => {
                // Otherwise the connection is dropped, which ends its transaction and its lock.
                if is_clean {
                    self.give_back(pooled.connection);
                }
                return Ok(());
            }
            Err(error) => error,
        };
        match self.classify(&error) {
            SqlErrorClass::Forbidden | SqlErrorClass::Fatal(_) | SqlErrorClass::Unknown => {
                tracing::warn!(
                    "cannot {doing}: {} (`cloudtrail2sql schema` prints it for an administrator)",
                    cause_of(error)
                );
                Ok(())
            }
            _ => Err(without_data(self.error(doing, error), doing)),
        }
    }

    /// Creates the view if it is missing. Returns whether the connection may be used again.
    async fn create_view(&self, connection: &mut dyn Connection) -> Result<bool, sqlx::Error> {
        let view = &self.schema.view;
        let is_applied =
            |applied: Option<Vec<i64>>| applied.unwrap_or_default().contains(&view.version);
        if is_applied(self.applied_migrations(connection).await?) {
            return Ok(true);
        }
        self.driver.begin_migrations(connection, self.options.timeouts.statement).await?;
        if is_applied(self.applied_migrations(connection).await?) {
            return Ok(false);
        }
        let existing = self.columns_of(connection, VIEW).await?;
        if !existing.is_empty() && !has_columns(&existing, &VIEW_COLUMNS) {
            tracing::warn!(
                "the view `{VIEW}` is not created: the database has another table or view of that name \
                 (rename it, or use the definition that `cloudtrail2sql schema` prints)"
            );
            return Ok(false);
        }
        if existing.is_empty() {
            self.run_migration(connection, view).await?;
        } else {
            // It was created, and the process was killed before it could record that. To replace a
            // view, MySQL would need the right to drop tables.
            self.record_migration(connection, view).await?;
        }
        connection.run("COMMIT").await?;
        Ok(false)
    }

    /// Compares existing tables with ours and widens `logs` if `policy` allows. Returns the difference
    /// that remains.
    async fn fit_tables(
        &self,
        connection: &mut dyn Connection,
        policy: UpgradePolicy,
    ) -> Result<Option<SchemaMismatch>, StepError> {
        let mismatch = self.find_mismatch(connection).await;
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

fn later_version() -> DatabaseError {
    let hint = "use that version";
    let message = "a later version of cloudtrail2sql has migrated this database";
    DatabaseError::unusable(message.to_owned(), hint.to_owned())
}

fn refusal(mismatch: &SchemaMismatch) -> DatabaseError {
    let hint = if mismatch.statements.is_empty() {
        "import into another database, or rename that table".to_owned()
    } else {
        let statements = mismatch.statements.join(";\n      ");
        format!("run the command again with `--upgrade-table`, or run:\n      {statements};")
    };
    DatabaseError::unusable(mismatch.difference.clone(), hint)
}
