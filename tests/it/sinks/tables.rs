//! Creating the database and its tables.

use cloudtrail2sql::database::{ErrorClass, UpgradePolicy};
use cloudtrail2sql::trail::fields::COLUMNS;

use super::objects::{RUN, batch, cells, log_of};
use super::scratch::Scratch;
use crate::databases::{Engine, Table, promises, query};

promises! { async on all:
    what_is_missing_is_created_and_then_nothing
    prepares_at_once_on_a_fresh_database_all_succeed
    an_empty_database_is_used
    a_logs_table_with_other_columns_is_refused_by_their_names
    a_view_is_created_once_by_the_import_that_claimed_it
    columns_in_another_order_are_filled_by_name
}

promises! { async on servers:
    another_program_can_insert_the_16_columns_by_position
}

promises! { async on [mysql mariadb]:
    a_migration_that_was_cut_off_is_done_again
}

/// Returns what the tables are made of.
async fn schema(scratch: &Scratch) -> Table {
    let query = match scratch.engine {
        Engine::Sqlite => "SELECT name, sql FROM sqlite_master ORDER BY name",
        Engine::Postgres => {
            "SELECT table_name::text, column_name::text, data_type::text \
             FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2"
        }
        Engine::Mysql | Engine::Mariadb => {
            "SELECT CAST(table_name AS CHAR), CAST(column_name AS CHAR), \
             CAST(column_type AS CHAR), CAST(collation_name AS CHAR) \
             FROM information_schema.columns WHERE table_schema = DATABASE() ORDER BY 1, 2"
        }
    };
    scratch.query(query).await
}

async fn what_is_missing_is_created_and_then_nothing(engine: Engine) {
    let scratch = Scratch::new(engine);
    let sink = scratch.sink();
    assert!(!sink.has_ledger().await.unwrap());
    assert!(sink.prepare(UpgradePolicy::Refuse).await.unwrap());
    assert!(sink.has_ledger().await.unwrap());
    assert_eq!(scratch.counts().await, [0; 3]);
    assert_eq!(scratch.count("import_runs").await, 0);
    let before = schema(&scratch).await;
    assert!(before.iter().flatten().flatten().any(|text| text.contains("import_migrations")));

    sink.write(RUN, &batch(1, [log_of("a", [cells(&[("eventID", "1")])])])).await.unwrap();
    for sink in [sink, scratch.sink()] {
        assert!(!sink.prepare(UpgradePolicy::Upgrade).await.unwrap());
    }
    assert_eq!(schema(&scratch).await, before);
    assert_eq!(scratch.counts().await, [1, 1, 0]);
    assert_eq!(scratch.count("import_migrations").await, 4);
}

async fn prepares_at_once_on_a_fresh_database_all_succeed(engine: Engine) {
    for _ in 0..3 {
        let scratch = Scratch::new(engine);
        let sinks = [scratch.sink(), scratch.sink(), scratch.sink()];
        let [one, two, three] = &sinks;
        let policy = UpgradePolicy::Refuse;
        let (one, two, three) =
            tokio::join!(one.prepare(policy), two.prepare(policy), three.prepare(policy));
        for prepared in [one, two, three] {
            prepared.unwrap();
        }
        assert_eq!(scratch.count("import_migrations").await, 4);
        for (n, sink) in sinks.iter().enumerate() {
            let name = n.to_string();
            sink.write(RUN, &batch(1, [log_of(&name, [cells(&[])])])).await.unwrap();
        }
        assert_eq!(scratch.counts().await, [3, 3, 0]);
    }
}

/// Imports into several nodes of a Galera cluster have no other lock in common.
async fn a_view_is_created_once_by_the_import_that_claimed_it(engine: Engine) {
    let (scratch, sink) = Scratch::prepared(engine).await;
    let views = async || {
        scratch
            .count(
                "import_migrations WHERE name = 'events' \
        AND finished_at NOT LIKE 'since%'",
            )
            .await
    };
    let exists = async || query(engine, &scratch.url, "SELECT COUNT(*) FROM events").await.is_ok();
    assert!(views().await == 1 && exists().await);
    scratch.run("DROP VIEW events").await;
    for (since, is_created) in
        [(jiff::Timestamp::now().to_string(), false), ("2026-01-15T00:00:00Z".into(), true)]
    {
        scratch
            .run(&format!(
                "UPDATE import_migrations SET finished_at = 'since {since}' WHERE name = 'events'"
            ))
            .await;
        sink.prepare(UpgradePolicy::Refuse).await.unwrap();
        assert_eq!((views().await == 1, exists().await), (is_created, is_created), "{since}");
    }
}

async fn an_empty_database_is_used(engine: Engine) {
    let scratch = Scratch::created(engine);
    let sink = scratch.sink();
    assert!(!sink.has_ledger().await.unwrap());
    assert!(!sink.prepare(UpgradePolicy::Refuse).await.unwrap());
    assert_eq!(scratch.counts().await, [0; 3]);
}

async fn a_logs_table_with_other_columns_is_refused_by_their_names(engine: Engine) {
    let scratch = Scratch::created(engine);
    let columns = COLUMNS.map(|name| match name {
        "eventName" => "event_name text".to_owned(),
        "userAgent" => "level int NOT NULL".to_owned(),
        name => format!("{name} text"),
    });
    scratch.run(&format!("CREATE TABLE logs ({})", columns.join(", "))).await;
    let sink = scratch.sink();
    for policy in [UpgradePolicy::Refuse, UpgradePolicy::Upgrade] {
        let error = sink.prepare(policy).await.unwrap_err();
        assert!(error.class == ErrorClass::Fatal, "{error:?}");
        let text = error.to_string();
        for name in ["eventname", "useragent", "level"] {
            assert!(text.to_lowercase().contains(&format!("`{name}`")), "{name}: {text}");
        }
        assert!(error.hint.as_deref().unwrap().contains("another database"), "{error:?}");
    }
    assert_eq!(scratch.count("logs").await, 0);
    assert!(!sink.has_ledger().await.unwrap(), "the refused database was written to");
}

async fn columns_in_another_order_are_filled_by_name(engine: Engine) {
    let scratch = Scratch::created(engine);
    let (text, options) = match engine {
        Engine::Mysql | Engine::Mariadb => ("longtext", "DEFAULT CHARACTER SET utf8mb4"),
        Engine::Sqlite | Engine::Postgres => ("text", ""),
    };
    let columns: Vec<String> =
        COLUMNS.iter().rev().map(|name| format!("{} {text}", name.to_uppercase())).collect();
    scratch.run(&format!("CREATE TABLE logs ({}) {options}", columns.join(", "))).await;
    let sink = scratch.sink();
    sink.prepare(UpgradePolicy::Refuse).await.unwrap();
    let row = cells(&COLUMNS.map(|name| (name, name)));
    sink.write(RUN, &batch(1, [log_of("a", [row])])).await.unwrap();
    let query = format!("SELECT {} FROM logs", COLUMNS.join(", "));
    assert_eq!(scratch.query(&query).await, [super::scratch::row(&COLUMNS)]);
}

async fn a_migration_that_was_cut_off_is_done_again(engine: Engine) {
    let (scratch, sink) = Scratch::prepared(engine).await;
    let before = schema(&scratch).await;
    // The state after a process was killed between two statements.
    scratch.run("DELETE FROM import_migrations").await;
    scratch.run("DROP TABLE import_rejects, import_runs").await;
    sink.prepare(UpgradePolicy::Refuse).await.unwrap();
    assert_eq!(schema(&scratch).await, before);
    assert_eq!(scratch.count("import_migrations").await, 4);
}

/// The tutorial's Java tool names no columns.
async fn another_program_can_insert_the_16_columns_by_position(engine: Engine) {
    let (scratch, sink) = Scratch::prepared(engine).await;
    sink.write(RUN, &batch(1, [log_of("a", [cells(&[("eventID", "ours")])])])).await.unwrap();
    let values = COLUMNS.map(|name| format!("'{name}'")).join(", ");
    scratch.run(&format!("INSERT INTO logs VALUES ({values})")).await;
    let query = format!("SELECT {} FROM logs WHERE eventID <> 'ours'", COLUMNS.join(", "));
    assert_eq!(scratch.query(&query).await, [super::scratch::row(&COLUMNS)]);
    if engine.is_mysql() {
        assert_eq!(scratch.query("SELECT * FROM logs").await[0].len(), COLUMNS.len());
    }
}

#[tokio::test]
async fn a_sqlite_column_that_would_turn_text_into_numbers_is_refused() {
    for column_type in ["INTEGER", "REAL", "NUMERIC", "DATETIME"] {
        let scratch = Scratch::created(Engine::Sqlite);
        let columns = COLUMNS.map(|name| match name {
            "recipientAccountId" => format!("{name} {column_type}"),
            "eventTime" => format!("{name} BLOB"),
            "eventName" => format!("{name} VARCHAR(80)"),
            "eventID" => name.to_owned(),
            name => format!("{name} TEXT"),
        });
        scratch.run(&format!("CREATE TABLE logs ({})", columns.join(", "))).await;
        let error = scratch.sink().prepare(UpgradePolicy::Refuse).await.unwrap_err();
        let what = &error.message;
        assert!(what.contains("`recipientAccountId`") && what.contains(column_type), "{what}");
        assert!(!what.contains("eventTime") && !what.contains("eventID"), "{what}");
    }
}
