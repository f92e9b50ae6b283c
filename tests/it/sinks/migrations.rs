//! Databases of older versions of the program are migrated, and keep their data.
//!
//! `tests/fixtures/schema-1.*.sql` are databases as version 0.1.0 left them.

use std::time::Duration;

use cloudtrail2sql::database::ledger::ObjectOutcome;
use cloudtrail2sql::database::status::RunStart;
use cloudtrail2sql::database::{LoadMethod, OpenOptions, Store, Timeouts, UpgradePolicy};
use cloudtrail2sql::import::load::load;
use cloudtrail2sql::retry::RetryPolicy;
use cloudtrail2sql::trail::fields::COLUMNS;
use sqlx::{Connection, MySqlConnection, PgConnection, SqliteConnection};

use super::commits::RETRY;
use super::objects::{RUN, batch, id, numbered};
use super::scratch::{Scratch, open_with, options, row};
use crate::databases::promises;
use crate::databases::{Engine, Table};

promises! { async on all:
    a_database_of_the_first_schema_becomes_one_of_the_newest
    imports_that_migrate_at_once_all_succeed
    a_table_of_the_users_gets_our_columns
    a_table_that_fills_its_other_columns_is_accepted
    a_refused_table_of_the_users_is_not_migrated
    a_table_of_the_users_with_one_of_our_names_is_refused
    a_view_of_the_users_is_left_alone
    a_database_of_a_later_version_is_refused
    without_a_migration_to_run_no_lock_is_needed
}
promises! { async on servers:
    a_lock_that_is_never_released_ends_the_migrations
}
promises! { async on [mysql mariadb]:
    a_migration_that_was_cut_off_is_repeated
}

/// Returns the SQL of a database as version 0.1.0 left it.
pub fn first_schema_sql(engine: Engine) -> &'static str {
    match engine {
        Engine::Sqlite => include_str!("../../fixtures/schema-1.sqlite.sql"),
        Engine::Postgres => include_str!("../../fixtures/schema-1.postgres.sql"),
        Engine::Mysql | Engine::Mariadb => include_str!("../../fixtures/schema-1.mysql.sql"),
    }
}

/// Makes a database as version 0.1.0 left it.
async fn first_schema(engine: Engine) -> Scratch {
    let scratch = Scratch::created(engine);
    let fixture = first_schema_sql(engine);
    scratch.run(fixture).await;
    assert_eq!(scratch.counts().await, [1, 1, 1]);
    scratch
}

/// Returns each column of each table, with everything that a migration may change.
async fn columns(scratch: &Scratch) -> Table {
    let query = match scratch.engine {
        Engine::Sqlite => {
            "SELECT m.name, c.name, c.type, c.\"notnull\", c.pk \
             FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type IN ('table', 'view') ORDER BY 1, 2"
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

/// Checks that the object of the fixture is still loaded, and that others can be.
async fn assert_an_import_works(scratch: &Scratch, sink: &dyn Store) {
    let before = scratch.counts().await;
    let seen = sink.seen(&[id("old"), id("new")]).await.unwrap();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[&id("old")].outcome, ObjectOutcome::Loaded);
    assert_eq!(sink.runs(10).await.unwrap().last().unwrap().sources, r#"["s3://trail/"]"#);

    let run = sink.begin_run(&RunStart::default()).await.unwrap();
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
        let without_widths_and_key = |mut columns: Table| {
            // Wider columns of the first schema stay, and a key would rebuild the table.
            columns.retain(|column| {
                column[0].as_deref() != Some("logs") || column[1].as_deref() != Some("id")
            });
            for column in &mut columns {
                if column[2].as_deref().is_some_and(|it| it.starts_with("varchar")) {
                    column[2] = Some("varchar".to_owned());
                }
            }
            columns
        };
        let migrated = without_widths_and_key(columns(&scratch).await);
        assert_eq!(migrated, without_widths_and_key(columns(&fresh).await));
        assert_eq!(versions(&scratch).await, versions(&fresh).await);
        assert_eq!(scratch.contents(), before);
    }
    assert_eq!(sink.rows_of_first_schema().await.unwrap(), 1);
    assert_an_import_works(&scratch, &*sink).await;
    assert_eq!(sink.rows_of_first_schema().await.unwrap(), 1);
}

async fn imports_that_migrate_at_once_all_succeed(engine: Engine) {
    for _ in 0..3 {
        let scratch = first_schema(engine).await;
        let sinks = [scratch.sink(), scratch.sink(), scratch.sink()];
        let [one, two, three] = &sinks;
        let policy = UpgradePolicy::Refuse;
        let (one, two, three) =
            tokio::join!(one.prepare(policy), two.prepare(policy), three.prepare(policy));
        for prepared in [one, two, three] {
            prepared.unwrap();
        }
        assert_eq!(versions(&scratch).await, ["1", "2", "3", "4"]);
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

/// Returns how many of our columns `logs` has.
async fn own_columns(scratch: &Scratch) -> usize {
    let own = ["otherfields", "eventat", "identityid", "objectid"];
    let columns = columns(scratch).await;
    let of_logs = columns.iter().filter(|column| column[0].as_deref() == Some("logs"));
    let names = of_logs.filter_map(|column| Some(column[1].as_deref()?.to_lowercase()));
    names.filter(|name| own.contains(&&**name)).count()
}

async fn a_table_of_the_users_gets_our_columns(engine: Engine) {
    let scratch = table_of_the_users(engine, "").await;
    let sink = scratch.sink();
    assert!(!sink.prepare(UpgradePolicy::Refuse).await.unwrap());
    assert_eq!(own_columns(&scratch).await, 4);
    sink.write(RUN, &batch(1, [numbered("a", 3)])).await.unwrap();
    assert_eq!(scratch.counts().await, [4, 1, 0]);
    let from = format!("logs WHERE objectId = {}", id("a").number(0));
    assert_eq!(scratch.count(&from).await, 3);
}

async fn a_table_that_fills_its_other_columns_is_accepted(engine: Engine) {
    let scratch = table_of_the_users(engine, "").await;
    let numbered_column = match engine {
        // SQLite cannot add a key to a table.
        Engine::Sqlite => "seq integer",
        Engine::Postgres => "seq bigint GENERATED ALWAYS AS IDENTITY",
        Engine::Mysql | Engine::Mariadb => "seq bigint NOT NULL AUTO_INCREMENT PRIMARY KEY",
    };
    let generated = match engine {
        Engine::Sqlite => "upper_id text GENERATED ALWAYS AS (upper(eventID)) VIRTUAL",
        Engine::Postgres => "upper_id text GENERATED ALWAYS AS (upper(eventID)) STORED",
        Engine::Mysql | Engine::Mariadb => {
            "upper_id varchar(80) GENERATED ALWAYS AS (UPPER(LEFT(eventID, 80))) STORED"
        }
    };
    for column in
        ["note varchar(9)", "tenant varchar(9) NOT NULL DEFAULT 'us'", numbered_column, generated]
    {
        scratch.run(&format!("ALTER TABLE logs ADD COLUMN {column}")).await;
    }
    let sink = scratch.sink();
    for n in 0..2 {
        assert!(!sink.prepare(UpgradePolicy::Refuse).await.unwrap());
        sink.write(RUN, &batch(n, [numbered(&format!("a{n}"), 1)])).await.unwrap();
    }
    let found = scratch.query("SELECT tenant, upper_id FROM logs WHERE eventID = 'a1/0'").await;
    assert_eq!(found, [row(&["us", "A1/0"])]);

    scratch.run("CREATE TABLE kept AS SELECT * FROM logs").await;
    scratch.run("DROP VIEW events").await;
    scratch.run("DROP TABLE logs").await;
    let columns = COLUMNS.map(|name| format!("{name} varchar(9)")).join(", ");
    scratch.run(&format!("CREATE TABLE logs ({columns}, tenant varchar(9) NOT NULL)")).await;
    let error = scratch.sink().prepare(UpgradePolicy::Upgrade).await.unwrap_err();
    assert!(error.message.ends_with("it needs a value for `tenant`"), "{}", error.message);
}

async fn a_refused_table_of_the_users_is_not_migrated(engine: Engine) {
    let last_type = if engine == Engine::Sqlite { "integer" } else { "varchar(12)" };
    let scratch = table_of_the_users(engine, last_type).await;
    let before = columns(&scratch).await;
    for _ in 0..2 {
        scratch.sink().prepare(UpgradePolicy::Refuse).await.unwrap_err();
        assert_eq!(columns(&scratch).await, before, "the refused database was changed");
    }
    if engine == Engine::Sqlite {
        return;
    }
    // Widened, migrated, and nothing left to do for the next import.
    scratch.sink().prepare(UpgradePolicy::Upgrade).await.unwrap();
    assert_eq!(own_columns(&scratch).await, 4);
    scratch.sink().prepare(UpgradePolicy::Refuse).await.unwrap();
    assert_eq!(scratch.counts().await, [1, 0, 0]);
}

async fn a_table_of_the_users_with_one_of_our_names_is_refused(engine: Engine) {
    for (create, expected) in [
        (
            "CREATE TABLE identities (id integer, name varchar(9))",
            "there is an `identities` table with other columns",
        ),
        (
            "ALTER TABLE logs ADD COLUMN objectId varchar(9)",
            "column `objectId` of the `logs` table",
        ),
    ] {
        let scratch = table_of_the_users(engine, "").await;
        scratch.run(create).await;
        let before = columns(&scratch).await;
        let error = scratch.sink().prepare(UpgradePolicy::Upgrade).await.unwrap_err();
        assert!(error.message.starts_with(expected), "{}", error.message);
        assert_eq!(columns(&scratch).await, before, "the refused database was changed");
    }
}

async fn a_view_of_the_users_is_left_alone(engine: Engine) {
    let scratch = Scratch::created(engine);
    scratch.run("CREATE VIEW events AS SELECT 41 AS mine").await;
    let sink = scratch.sink();
    for n in 0..2 {
        sink.prepare(UpgradePolicy::Refuse).await.unwrap();
        sink.write(RUN, &batch(n, [numbered(&n.to_string(), 3)])).await.unwrap();
        assert_eq!(scratch.query("SELECT CAST(mine AS CHAR(2)) FROM events").await, [row(&["41"])]);
        assert_eq!(versions(&scratch).await, ["1", "2", "4"]);
    }
    scratch.run("DROP VIEW events").await;
    scratch.sink().prepare(UpgradePolicy::Refuse).await.unwrap();
    assert_eq!(scratch.count("events").await, 6);
}

async fn a_database_of_a_later_version_is_refused(engine: Engine) {
    let (scratch, _) = Scratch::prepared(engine).await;
    scratch.run("INSERT INTO import_migrations VALUES (1000, 'later', 'now')").await;
    let before = (columns(&scratch).await, scratch.contents());
    for policy in [UpgradePolicy::Refuse, UpgradePolicy::Upgrade] {
        let error = scratch.sink().prepare(policy).await.unwrap_err();
        let expected = "a later version of cloudtrail2sql has migrated this database";
        assert_eq!(error.message, expected);
        assert_eq!(error.hint.as_deref(), Some("use that version"));
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

async fn a_migration_that_was_cut_off_is_repeated(engine: Engine) {
    let scratch = first_schema(engine).await;
    scratch.sink().prepare(UpgradePolicy::Refuse).await.unwrap();
    let before = columns(&scratch).await;
    // States after a process was killed between a statement and what records it.
    for undo in [
        "DELETE FROM import_migrations WHERE version = 3",
        "DELETE FROM import_migrations WHERE version >= 2",
        "DELETE FROM import_migrations WHERE version >= 2; DROP VIEW events; DROP TABLE identities",
        "ALTER TABLE import_objects DROP COLUMN number",
        "ALTER TABLE logs DROP COLUMN objectId, DROP COLUMN identityId",
    ] {
        scratch.run(undo).await;
        scratch.sink().prepare(UpgradePolicy::Refuse).await.unwrap();
        assert_eq!(columns(&scratch).await, before, "{undo}");
        assert_eq!(versions(&scratch).await, ["1", "2", "3", "4"]);
    }
    assert_an_import_works(&scratch, &*scratch.sink()).await;
}
