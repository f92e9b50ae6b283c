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

use jiff::SignedDuration;

use super::added_columns::statements_of_added_columns;
use super::connection::{Cell, CellType, Connection, Value};
use super::error::{SqlErrorClass, cause_of};
use super::migrations::Migration;
use super::pool::PooledConnection;
use super::schema::{
    IDENTITIES, LOGS, OBJECTS, RUNS, Remedy, SchemaMismatch, VIEW, VIEW_COLUMNS, has_columns,
    other_columns, placeholders,
};
use super::{SqlStore, without_data};
use crate::database::{DatabaseError, UpgradePolicy};

const MIGRATIONS: &str = "import_migrations";

pub(super) const CREATE_TABLE: &str = "CREATE TABLE IF NOT EXISTS import_migrations \
     (version bigint NOT NULL PRIMARY KEY, name varchar(255) NOT NULL, \
     finished_at varchar(40) NOT NULL)";

/// How `finished_at` begins while a migration runs, before the time at which it began.
const CLAIM: &str = "since ";

const SELECT_APPLIED: &str =
    "SELECT version FROM import_migrations WHERE finished_at NOT LIKE 'since %'";

/// After this time, an import that began to create the view has been killed.
const CLAIM_MAX: SignedDuration = SignedDuration::from_mins(2);

const INSERT: &str = "INSERT INTO import_migrations (version, name, finished_at) VALUES (?, ?, ?)";

/// What the steps do, as errors name it.
const READ: &str = "read the schema of the tables";
const ALTER: &str = "change the `logs` table";
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
        let outcome = self.in_time(READ, session, self.statement_limit(), reading).await;
        if self.put_back(pooled, outcome).map_err(|error| without_data(error, READ))? {
            return Ok(());
        }
        let pooled = self.connection(CREATE).await?;
        let StepError { doing, error } = match self.migrate_under_lock(pooled, policy).await {
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
        for table in [LOGS.name, OBJECTS.name, RUNS.name] {
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
        mut pooled: PooledConnection<'_>,
        policy: UpgradePolicy,
    ) -> Result<Option<DatabaseError>, StepError> {
        let wait = self.options.timeouts.statement;
        let session = pooled.connection.session();
        let beginning = self.driver.begin_migrations(&mut *pooled.connection, wait);
        // The server ends its wait for the lock first.
        let begun = self.in_time(CREATE, session, 2 * wait, beginning).await;
        begun.map_err(while_doing(CREATE))?;
        let session = pooled.connection.session();
        let mut failed_at = CREATE;
        let migrating = async {
            let migrated = self.migrate_on(&mut *pooled.connection, policy).await;
            migrated.map_err(|StepError { doing, error }| {
                failed_at = doing;
                error
            })
        };
        // A migration of a large table may take long.
        let migrated = self.watched(CREATE, session, migrating).await;
        let refused = migrated.map_err(|error| StepError { doing: failed_at, error })?;
        // If `logs` is refused, nothing was committed, and this rolls back. It also releases MySQL's lock.
        pooled.connection.close().await;
        Ok(refused)
    }

    async fn migrate_on(
        &self,
        connection: &mut dyn Connection,
        policy: UpgradePolicy,
    ) -> Result<Option<DatabaseError>, StepError> {
        let applied = self.applied_migrations(connection).await.map_err(while_doing(READ))?;
        if applied.as_ref().is_some_and(|applied| self.schema.is_older_than(applied)) {
            return Ok(Some(later_version()));
        }
        let doing = if applied.is_some() { MIGRATE } else { CREATE };
        let refused = self.driver.find_ddl_refusal(connection).await.map_err(while_doing(READ))?;
        if let Some(refused) = refused {
            // What only the user can change about the tables is the better reason.
            let mismatch = self.find_mismatch(connection).await.map_err(while_doing(READ))?;
            let lasting = mismatch.filter(|it| !matches!(it.remedy, Remedy::Statements(_)));
            return Ok(Some(lasting.map_or(refused, |it| self.refusal(&it))));
        }
        if applied.is_none() {
            if let Err(mismatch) =
                self.added_columns(connection).await.map_err(while_doing(READ))?
            {
                return Ok(Some(self.refusal(&mismatch)));
            }
            if let Some(mismatch) = self.fit_tables(connection, policy).await? {
                return Ok(Some(self.refusal(&mismatch)));
            }
            connection.run(CREATE_TABLE).await.map_err(while_doing(doing))?;
        }
        let applied = applied.unwrap_or_default();
        for migration in &self.schema.tables {
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
            Err(mismatch) => return Ok(Some(self.refusal(&mismatch))),
        }
        if let Some(mismatch) = self.fit_tables(connection, policy).await? {
            return Ok(Some(self.refusal(&mismatch)));
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
        let now = jiff::Timestamp::now().to_string();
        self.insert_migration(connection, migration, &now).await
    }

    async fn insert_migration(
        &self,
        connection: &mut dyn Connection,
        migration: &Migration,
        finished_at: &str,
    ) -> Result<(), sqlx::Error> {
        let insert = placeholders(self.driver.engine(), INSERT);
        let name = Value::Text(Some(migration.name));
        let line = [Value::Int(migration.version), name, Value::Text(Some(finished_at))];
        connection.execute(&insert, &line).await?;
        Ok(())
    }

    /// Creates the view `events`, unless it is there already or cannot be created.
    pub(super) async fn prepare_view(&self) -> Result<(), DatabaseError> {
        let doing = "create the view `events`";
        let mut pooled = self.connection(doing).await?;
        let (session, wait) = (pooled.connection.session(), self.options.timeouts.statement);
        let creating = self.create_view(&mut *pooled.connection);
        let error = match self.in_time(doing, session, wait, creating).await {
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
            SqlErrorClass::Forbidden | SqlErrorClass::Fatal(None) | SqlErrorClass::Unknown => {
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
    ///
    /// It is claimed in `import_migrations` first. The nodes of a Galera cluster have no lock in common, and
    /// two that create a view at the same time can wait for each other for ever; but only one of them can
    /// insert the line.
    async fn create_view(&self, connection: &mut dyn Connection) -> Result<bool, sqlx::Error> {
        let view = &self.schema.view;
        if self.pending_view(connection).await?.is_none() {
            return Ok(true);
        }
        self.driver.begin_migrations(connection, self.options.timeouts.statement).await?;
        let Some(old_claim) = self.pending_view(connection).await? else { return Ok(false) };
        if let Some(refused) = self.driver.find_ddl_refusal(connection).await? {
            tracing::warn!("the view `{VIEW}` is not created: {refused}");
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
        let delete = "DELETE FROM import_migrations WHERE version = ? AND finished_at = ?";
        let delete = placeholders(self.driver.engine(), delete);
        let version = Value::Int(view.version);
        connection.execute(&delete, &[version, Value::Text(Some(&old_claim))]).await?;
        let claim = format!("{CLAIM}{}", jiff::Timestamp::now());
        match self.insert_migration(connection, view, &claim).await {
            Err(error) if self.classify(&error) == SqlErrorClass::Conflict => return Ok(false),
            claimed => claimed?,
        }
        // If it is there, it was created, and the process was killed before it could record that. To
        // replace a view, MySQL would need the right to drop tables.
        if existing.is_empty() {
            tracing::debug!(version = view.version, "running a migration");
            if let Err(error) = connection.run(view.sql).await {
                // Where the transaction has failed, the claim is gone with it.
                let _ = connection.execute(&delete, &[version, Value::Text(Some(&claim))]).await;
                return Err(error);
            }
        }
        let update = "UPDATE import_migrations SET finished_at = ? WHERE version = ?";
        let update = placeholders(self.driver.engine(), update);
        let now = jiff::Timestamp::now().to_string();
        connection.execute(&update, &[Value::Text(Some(&now)), version]).await?;
        connection.run("COMMIT").await?;
        Ok(false)
    }

    /// Returns the claim of an import that was killed while it created the view, empty if there was none;
    /// `None` if the view is recorded, or claimed by another import.
    async fn pending_view(
        &self,
        connection: &mut dyn Connection,
    ) -> Result<Option<String>, sqlx::Error> {
        let none = Ok(Some(String::new()));
        if !self.has_table(connection, MIGRATIONS).await? {
            return none;
        }
        let query = "SELECT finished_at FROM import_migrations WHERE version = ?";
        let query = placeholders(self.driver.engine(), query);
        let version = [Value::Int(self.schema.view.version)];
        let rows = connection.query(&query, &version, &[CellType::Text]).await?;
        let Some(recorded) = rows.into_iter().flatten().next() else { return none };
        let recorded = recorded.into_text();
        let Some(since) = recorded.strip_prefix(CLAIM) else { return Ok(None) };
        let is_old = since
            .parse::<jiff::Timestamp>()
            .is_ok_and(|since| jiff::Timestamp::now().duration_since(since) > CLAIM_MAX);
        Ok(is_old.then_some(recorded))
    }

    /// Returns the error of tables that cannot be used.
    pub(super) fn refusal(&self, mismatch: &SchemaMismatch) -> DatabaseError {
        let hint = match &mismatch.remedy {
            Remedy::OtherTable => self.driver.other_table_hint().to_owned(),
            Remedy::Advice(advice) => advice.clone(),
            Remedy::Statements(statements) => {
                let statements = statements.join(";\n      ");
                format!(
                    "run the command again with `--upgrade-table`, or run:\n      {statements};"
                )
            }
        };
        DatabaseError::unusable(mismatch.difference.clone(), hint)
    }

    /// Compares existing tables with ours and changes `logs` if `policy` allows. Returns the difference
    /// that remains.
    async fn fit_tables(
        &self,
        connection: &mut dyn Connection,
        policy: UpgradePolicy,
    ) -> Result<Option<SchemaMismatch>, StepError> {
        let mismatch = self.find_mismatch(connection).await;
        let Some(mismatch) = mismatch.map_err(while_doing(READ))? else { return Ok(None) };
        let Remedy::Statements(statements) = &mismatch.remedy else { return Ok(Some(mismatch)) };
        if policy == UpgradePolicy::Refuse {
            return Ok(Some(mismatch));
        }
        for statement in statements {
            tracing::info!(statement, "changing the `logs` table");
            connection.run(statement).await.map_err(while_doing(ALTER))?;
        }
        Ok(None)
    }
}

fn later_version() -> DatabaseError {
    let hint = "use that version";
    let message = "a later version of cloudtrail2sql has migrated this database";
    DatabaseError::unusable(message.to_owned(), hint.to_owned())
}
