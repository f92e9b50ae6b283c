//! Databases of older versions of the program are migrated, and keep their data.
//!
//! `tests/fixtures/schema-1.*.sql` are databases as version 0.1.0 left them. While its schema is
//! still the newest one, a later version is imitated by one more migration, which adds a column.

use std::sync::Arc;
use std::time::Duration;

use cloudtrail2sql::database::ledger::ObjectOutcome;
use cloudtrail2sql::database::{
    LoadMethod, OpenOptions, SchemaChange, Store, Timeouts, UpgradePolicy,
};
use cloudtrail2sql::import::load::load;
use cloudtrail2sql::retry::RetryPolicy;
use cloudtrail2sql::trail::fields::COLUMNS;
use sqlx::{Connection, MySqlConnection, PgConnection, SqliteConnection};

use super::commits::RETRY;
use super::objects::{RUN, batch, id, numbered};
use super::scratch::{Scratch, open_as_later_version, open_with, options};
use crate::databases::promises;
use crate::databases::{Engine, Table};

promises! { async on all:
    a_database_of_the_first_schema_becomes_one_of_the_newest
    a_later_version_adds_its_column_and_keeps_the_data
    imports_that_migrate_at_once_all_succeed
    a_table_of_the_users_gets_the_later_column_too
    a_refused_table_of_the_users_is_not_migrated
    an_older_version_refuses_the_columns_of_a_later_one
    without_a_migration_to_run_no_lock_is_needed
}
promises! { async on servers:
    a_lock_that_is_never_released_ends_the_migrations
}
promises! { async on [mysql mariadb]:
    a_later_migration_that_was_cut_off_is_repeated
}

/// The column that the later version adds to `logs`.
const COLUMN: &str = "objectId";

fn change(engine: Engine) -> SchemaChange {
    let sql = match engine {
        Engine::Sqlite => "ALTER TABLE logs ADD COLUMN objectId INTEGER;",
        Engine::Postgres => "ALTER TABLE logs ADD COLUMN objectId bigint;",
        // MySQL has no ADD COLUMN IF NOT EXISTS, and DDL cannot be rolled back: a migration that
        // was cut off must be repeatable.
        Engine::Mysql | Engine::Mariadb => {
            "SET @is_there = (SELECT COUNT(*) FROM information_schema.columns \
                 WHERE table_schema = DATABASE() AND table_name = 'logs' \
                 AND column_name = 'objectId');
             SET @add = IF(@is_there, 'DO 0', 'ALTER TABLE logs ADD COLUMN objectId bigint');
             PREPARE statement FROM @add;
             EXECUTE statement;
             DEALLOCATE PREPARE statement;"
        }
    };
    // Above the numbers of all files in `migrations/`.
    SchemaChange { version: 1_000, sql, added_columns: &[COLUMN] }
}

/// Makes a database as version 0.1.0 left it.
async fn first_schema(engine: Engine) -> Scratch {
    let scratch = Scratch::created(engine);
    let fixture = match engine {
        Engine::Sqlite => include_str!("../../fixtures/schema-1.sqlite.sql"),
        Engine::Postgres => include_str!("../../fixtures/schema-1.postgres.sql"),
        Engine::Mysql | Engine::Mariadb => include_str!("../../fixtures/schema-1.mysql.sql"),
    };
    scratch.run(fixture).await;
    assert_eq!(scratch.counts().await, [1, 1, 1]);
    scratch
}

fn later_version(scratch: &Scratch) -> Arc<dyn Store> {
    open_as_later_version(&scratch.url, change(scratch.engine))
}

/// Returns each column of each table, with everything that a migration may change.
async fn columns(scratch: &Scratch) -> Table {
    let query = match scratch.engine {
        Engine::Sqlite => {
            "SELECT m.name, c.name, c.type, c.\"notnull\", c.pk \
             FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table' ORDER BY 1, 2"
        }
        Engine::Postgres => {
            "SELECT table_name::text, column_name::text, data_type::text, is_nullable::text, \
             collation_name::text, character_maximum_length::text \
             FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2"
        }
        Engine::Mysql | Engine::Mariadb => {
            "SELECT CAST(table_name AS CHAR), CAST(column_name AS CHAR), \
             CAST(column_type AS CHAR), CAST(is_nullable AS CHAR), CAST(column_key AS CHAR), \
             CAST(collation_name AS CHAR) \
             FROM information_schema.columns WHERE table_schema = DATABASE() ORDER BY 1, 2"
        }
    };
    scratch.query(query).await
}

async fn versions(scratch: &Scratch) -> Vec<String> {
    let rows = scratch.query("SELECT version FROM import_migrations ORDER BY version").await;
    rows.into_iter().flatten().flatten().collect()
}

async fn has_later_column(scratch: &Scratch) -> bool {
    let columns = columns(scratch).await;
    columns.iter().flatten().flatten().any(|text| text.eq_ignore_ascii_case(COLUMN))
}

/// Checks that the object of the fixture is still loaded, and that others can be.
async fn assert_an_import_works(scratch: &Scratch, sink: &dyn Store) {
    let before = scratch.counts().await;
    let seen = sink.seen(&[id("old"), id("new")]).await.unwrap();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[&id("old")].outcome, ObjectOutcome::Loaded);
    assert_eq!(sink.runs(10).await.unwrap().last().unwrap().sources, r#"["s3://trail/"]"#);

    let run = sink.begin_run("[]").await.unwrap();
    let mut settled = Vec::new();
    let objects = [numbered("old", 1), numbered("new", 41)];
    load(sink, run, batch(1, objects), RETRY, &mut settled).await.unwrap();
    let outcome = |name: &str| {
        let (_, outcome) = settled.iter().find(|(object, _)| object.id == id(name)).unwrap();
        outcome.clone()
    };
    assert_eq!(outcome("old"), ObjectOutcome::AlreadyLoaded);
    assert_eq!(outcome("new"), ObjectOutcome::Loaded);
    assert_eq!(scratch.counts().await, [before[0] + 41, before[1] + 1, before[2]]);
}

async fn a_database_of_the_first_schema_becomes_one_of_the_newest(engine: Engine) {
    let (fresh, _) = Scratch::prepared(engine).await;
    let scratch = first_schema(engine).await;
    let before = scratch.contents();
    let sink = scratch.sink();
    for _ in 0..2 {
        assert!(!sink.prepare(UpgradePolicy::Refuse).await.unwrap());
        assert_eq!(columns(&scratch).await, columns(&fresh).await);
        assert_eq!(versions(&scratch).await, versions(&fresh).await);
        assert_eq!(scratch.contents(), before);
    }
    assert_an_import_works(&scratch, &*sink).await;
}

async fn a_later_version_adds_its_column_and_keeps_the_data(engine: Engine) {
    let scratch = first_schema(engine).await;
    let before = scratch.contents();
    assert!(!has_later_column(&scratch).await);
    for _ in 0..2 {
        assert!(!later_version(&scratch).prepare(UpgradePolicy::Refuse).await.unwrap());
        assert!(has_later_column(&scratch).await);
        assert_eq!(versions(&scratch).await.last().map(String::as_str), Some("1000"));
        assert_eq!(scratch.contents(), before);
    }
    assert_an_import_works(&scratch, &*later_version(&scratch)).await;
    // A new database of the later version has the same tables.
    let fresh = Scratch::new(engine);
    assert!(later_version(&fresh).prepare(UpgradePolicy::Refuse).await.unwrap());
    assert_eq!(columns(&scratch).await, columns(&fresh).await);
    assert_eq!(versions(&scratch).await, versions(&fresh).await);
}

async fn imports_that_migrate_at_once_all_succeed(engine: Engine) {
    for _ in 0..3 {
        let scratch = first_schema(engine).await;
        let sinks = [later_version(&scratch), later_version(&scratch), later_version(&scratch)];
        let [one, two, three] = &sinks;
        let policy = UpgradePolicy::Refuse;
        let (one, two, three) =
            tokio::join!(one.prepare(policy), two.prepare(policy), three.prepare(policy));
        for prepared in [one, two, three] {
            prepared.unwrap();
        }
        let applied = versions(&scratch).await;
        assert_eq!(applied.iter().filter(|version| *version == "1000").count(), 1, "{applied:?}");
        for (n, sink) in sinks.iter().enumerate() {
            sink.write(RUN, &batch(1, [numbered(&n.to_string(), 3)])).await.unwrap();
        }
        assert_eq!(scratch.counts().await, [1 + 9, 1 + 3, 1]);
    }
}

/// Makes a `logs` table as a user might, with one row.
async fn table_of_the_users(engine: Engine, last_type: &str) -> Scratch {
    let scratch = Scratch::created(engine);
    let (text, options) = match engine {
        Engine::Mysql | Engine::Mariadb => ("longtext", "DEFAULT CHARACTER SET utf8mb4"),
        Engine::Sqlite | Engine::Postgres => ("text", ""),
    };
    let columns = COLUMNS.map(|name| match name {
        "recipientAccountId" if !last_type.is_empty() => format!("{name} {last_type}"),
        name => format!("{name} {text}"),
    });
    scratch.run(&format!("CREATE TABLE logs ({}) {options}", columns.join(", "))).await;
    scratch.run("INSERT INTO logs (eventID) VALUES ('mine')").await;
    scratch
}

async fn a_table_of_the_users_gets_the_later_column_too(engine: Engine) {
    let scratch = table_of_the_users(engine, "").await;
    let sink = later_version(&scratch);
    assert!(!sink.prepare(UpgradePolicy::Refuse).await.unwrap());
    assert!(has_later_column(&scratch).await);
    sink.write(RUN, &batch(1, [numbered("a", 3)])).await.unwrap();
    assert_eq!(scratch.counts().await, [4, 1, 0]);
}

async fn a_refused_table_of_the_users_is_not_migrated(engine: Engine) {
    let last_type = if engine == Engine::Sqlite { "integer" } else { "varchar(12)" };
    let scratch = table_of_the_users(engine, last_type).await;
    let before = columns(&scratch).await;
    for _ in 0..2 {
        later_version(&scratch).prepare(UpgradePolicy::Refuse).await.unwrap_err();
        assert_eq!(columns(&scratch).await, before, "the refused database was changed");
    }
    if engine == Engine::Sqlite {
        return;
    }
    // Widened, migrated, and nothing left to do for the next import.
    later_version(&scratch).prepare(UpgradePolicy::Upgrade).await.unwrap();
    assert!(has_later_column(&scratch).await);
    later_version(&scratch).prepare(UpgradePolicy::Refuse).await.unwrap();
    assert_eq!(scratch.counts().await, [1, 0, 0]);
}

async fn an_older_version_refuses_the_columns_of_a_later_one(engine: Engine) {
    let scratch = first_schema(engine).await;
    later_version(&scratch).prepare(UpgradePolicy::Refuse).await.unwrap();
    let before = (columns(&scratch).await, scratch.contents());
    for policy in [UpgradePolicy::Refuse, UpgradePolicy::Upgrade] {
        let error = scratch.sink().prepare(policy).await.unwrap_err();
        assert!(error.message.to_lowercase().contains("also has `objectid`"), "{error:?}");
        let hint = error.hint.unwrap();
        assert!(hint.starts_with("a later version of cloudtrail2sql"), "{hint}");
    }
    assert_eq!((columns(&scratch).await, scratch.contents()), before);
}

/// Waits for a future while another connection holds the lock of the migrations.
async fn under_lock<T>(scratch: &Scratch, future: impl Future<Output = T>) -> T {
    macro_rules! hold {
        ($connection:ty, $lock:expr) => {{
            let mut holder = <$connection>::connect(&scratch.url).await.unwrap();
            sqlx::raw_sql($lock).execute(&mut holder).await.unwrap();
            let output = future.await;
            holder.close().await.unwrap();
            output
        }};
    }
    match scratch.engine {
        Engine::Sqlite => hold!(SqliteConnection, "BEGIN IMMEDIATE"),
        Engine::Postgres => {
            hold!(PgConnection, "BEGIN; SELECT pg_advisory_xact_lock(7164223657226826337)")
        }
        Engine::Mysql | Engine::Mariadb => hold!(
            MySqlConnection,
            "SELECT GET_LOCK(CONCAT('cloudtrail2sql.', LEFT(SHA2(DATABASE(), 256), 32)), 0)"
        ),
    }
}

async fn without_a_migration_to_run_no_lock_is_needed(engine: Engine) {
    let (scratch, sink) = Scratch::prepared(engine).await;
    let prepare =
        tokio::time::timeout(Duration::from_secs(20), sink.prepare(UpgradePolicy::Refuse));
    let prepared = under_lock(&scratch, prepare).await;
    assert!(!prepared.expect("it waited for the lock").unwrap());
}

async fn a_lock_that_is_never_released_ends_the_migrations(engine: Engine) {
    let scratch = Scratch::created(engine);
    let retry = RetryPolicy { deadline: Duration::from_secs(3), ..RETRY };
    let timeouts = Timeouts { statement: Duration::from_secs(1), ..Timeouts::default() };
    let options = OpenOptions { retry, timeouts, ..options(LoadMethod::Insert) };
    let sink = open_with(&scratch.url, options);
    let prepare =
        tokio::time::timeout(Duration::from_secs(30), sink.prepare(UpgradePolicy::Refuse));
    let error = under_lock(&scratch, prepare).await.expect("it waits forever").unwrap_err();
    let cause = error.source.unwrap().to_string();
    assert_eq!(cause, "another import did not finish its migrations within 1 s");
    sink.prepare(UpgradePolicy::Refuse).await.unwrap();
}

async fn a_later_migration_that_was_cut_off_is_repeated(engine: Engine) {
    let scratch = first_schema(engine).await;
    later_version(&scratch).prepare(UpgradePolicy::Refuse).await.unwrap();
    let before = columns(&scratch).await;
    // The state after a process was killed between the statement and its line.
    scratch.run("DELETE FROM import_migrations WHERE version = 1000").await;
    later_version(&scratch).prepare(UpgradePolicy::Refuse).await.unwrap();
    assert_eq!(columns(&scratch).await, before);
    assert_eq!(versions(&scratch).await.last().map(String::as_str), Some("1000"));
    assert_an_import_works(&scratch, &*later_version(&scratch)).await;
}
