//! The tables that the tutorial creates: recognised, refused or widened, and never half used.

use std::sync::Arc;

use cloudtrail2sql::database::{Store, UpgradePolicy};
use cloudtrail2sql::trail::fields::COLUMNS;

use super::objects::{RUN, batch, cells, log_of};
use super::scratch::{Scratch, row};
use crate::databases::{Engine, promises};

promises! { async on servers:
    a_narrow_table_is_refused_and_left_alone
    the_statements_of_the_hint_widen_it
    an_upgrade_keeps_the_rows_and_then_everything_fits
}
promises! { async on [mysql mariadb]:
    a_narrow_table_of_all_characters_is_refused_too
    a_table_without_transactions_is_refused_or_upgraded
}

/// The column types of the tutorial's table, in order.
const TYPES: [&str; 16] = [
    "varchar(10)",
    "text",
    "varchar(24)",
    "varchar(80)",
    "varchar(80)",
    "varchar(20)",
    "varchar(40)",
    "text",
    "varchar(80)",
    "text",
    "text",
    "longtext",
    "varchar(80)",
    "varchar(80)",
    "varchar(24)",
    "varchar(12)",
];

const INDEXED: [&str; 5] = ["eventSource", "eventName", "errorCode", "requestID", "eventType"];

/// Makes the tutorial's table, with its indexes and three rows.
async fn tutorial_table(engine: Engine, options: &str) -> Scratch {
    let scratch = Scratch::created(engine);
    let columns: Vec<String> = COLUMNS
        .iter()
        .zip(TYPES)
        .map(|(name, column_type)| match engine {
            Engine::Postgres => format!("{name} {}", column_type.replace("longtext", "text")),
            _ => format!("{name} {column_type}"),
        })
        .collect();
    scratch.run(&format!("CREATE TABLE logs ({}) {options}", columns.join(", "))).await;
    for column in INDEXED {
        let add = match engine {
            Engine::Postgres => format!("CREATE INDEX {column}_idx ON logs ({column})"),
            _ => format!("ALTER TABLE logs ADD INDEX {column}_idx ({column})"),
        };
        scratch.run(&add).await;
    }
    scratch
        .run(
            "INSERT INTO logs (eventID, eventName, userAgent, errorCode) VALUES \
             ('1', 'GetObject', 'café ÿ', NULL), ('2', 'PutObject', '', 'é'), \
             ('3', NULL, NULL, 'AccessDenied')",
        )
        .await;
    scratch
}

fn latin1(engine: Engine) -> &'static str {
    match engine {
        Engine::Postgres => "",
        _ => "ENGINE = InnoDB DEFAULT CHARSET = latin1 ROW_FORMAT = COMPACT",
    }
}

async fn assert_old_rows(scratch: &Scratch) {
    let query = "SELECT eventID, eventName, userAgent, errorCode FROM logs \
                 WHERE eventID IN ('1', '2', '3') ORDER BY eventID";
    let mut expected = [
        row(&["1", "GetObject", "café ÿ", ""]),
        row(&["2", "PutObject", "", "é"]),
        row(&["3", "", "", "AccessDenied"]),
    ];
    (expected[0][3], expected[2][1], expected[2][2]) = (None, None, None);
    assert_eq!(scratch.query(query).await, expected);
}

async fn assert_everything_fits(scratch: &Scratch, sink: &dyn Store) {
    let request_id = format!("SecretDeleteMessage:{}", "x".repeat(123));
    assert_eq!(request_id.len(), 143);
    let json = format!("{{\"日本\":\"{}\"}}", "😀".repeat(30_000));
    let mut row = cells(&COLUMNS.map(|name| (name, "日本語 😀")));
    row[1] = Some(&json);
    row[10] = Some(&json);
    row[12] = Some(&request_id);
    sink.write(RUN, &batch(1, [log_of("a", [row])])).await.unwrap();
    let query = format!("SELECT {} FROM logs WHERE eventName = '日本語 😀'", COLUMNS.join(", "));
    let expected: Vec<Option<String>> = row.iter().map(|cell| cell.map(str::to_owned)).collect();
    assert!(scratch.query(&query).await == [expected], "the new row came back otherwise");
    assert_old_rows(scratch).await;
}

async fn a_narrow_table_is_refused_and_left_alone(engine: Engine) {
    let scratch = tutorial_table(engine, latin1(engine)).await;
    let sink = scratch.sink();
    for _ in 0..2 {
        let error = sink.prepare(UpgradePolicy::Refuse).await.unwrap_err();
        let (what, hint) = (&error.message, error.hint.as_deref().unwrap());
        let (columns, first) = match engine {
            Engine::Postgres => ("11 columns of", "character varying(10)"),
            _ => ("16 columns of", "varchar(10) with the character set latin1"),
        };
        assert!(what.starts_with(columns) && what.contains(first), "{what}");
        assert!(what.to_lowercase().contains("`eventversion`"), "{what}");
        assert!(hint.contains("`--upgrade-table`") && hint.contains("ALTER TABLE logs"), "{hint}");
    }
    assert!(!sink.has_ledger().await.unwrap(), "the refused database was written to");
    assert_old_rows(&scratch).await;
}

async fn a_narrow_table_of_all_characters_is_refused_too(engine: Engine) {
    let scratch = tutorial_table(engine, "DEFAULT CHARSET = utf8mb4").await;
    let sink = scratch.sink();
    let error = sink.prepare(UpgradePolicy::Refuse).await.unwrap_err();
    let what = &error.message;
    assert!(what.starts_with("15 columns of") && what.contains("varchar(10)"), "{what}");
    sink.prepare(UpgradePolicy::Upgrade).await.unwrap();
    assert_everything_fits(&scratch, &*sink).await;
}

async fn the_statements_of_the_hint_widen_it(engine: Engine) {
    let scratch = tutorial_table(engine, latin1(engine)).await;
    let sink = scratch.sink();
    let error = sink.prepare(UpgradePolicy::Refuse).await.unwrap_err();
    let (_, statements) = error.hint.as_deref().unwrap().split_once("or run:\n").unwrap();
    scratch.run(statements).await;
    sink.prepare(UpgradePolicy::Refuse).await.unwrap();
    assert_everything_fits(&scratch, &*sink).await;
}

async fn an_upgrade_keeps_the_rows_and_then_everything_fits(engine: Engine) {
    let scratch = tutorial_table(engine, latin1(engine)).await;
    let sink = scratch.sink();
    assert!(!sink.prepare(UpgradePolicy::Upgrade).await.unwrap());
    assert_everything_fits(&scratch, &*sink).await;
    assert!(!sink.prepare(UpgradePolicy::Refuse).await.unwrap());
    // The indexes that the upgrade dropped are built again; those that it kept count.
    let built = Arc::clone(&sink).build_missing_indexes().await.unwrap();
    let built = built.iter().flat_map(|built| &built.indexes).map(|index| index.name);
    let built: std::collections::BTreeSet<&str> = built.collect();
    for (name, is_built) in [
        ("logs_eventname", false),
        ("logs_eventtype", false),
        ("logs_errorcode_identityid", true),
        ("logs_requestid", engine != Engine::Postgres),
        ("logs_eventtime", true),
        ("logs_eventsource_eventname", true),
    ] {
        assert_eq!(built.contains(name), is_built, "{name}");
    }
    assert_old_rows(&scratch).await;
}

async fn a_table_without_transactions_is_refused_or_upgraded(engine: Engine) {
    let ours = Scratch::prepared(engine).await.0;
    let create = ours.query("SHOW CREATE TABLE logs").await;
    let create = create[0][1].as_deref().unwrap().replace("ENGINE=InnoDB", "ENGINE=MyISAM");
    // MyISAM has no DYNAMIC format of this kind, but accepts the word.
    let scratch = Scratch::created(engine);
    scratch.run(&create).await;
    let sink = scratch.sink();
    let error = sink.prepare(UpgradePolicy::Refuse).await.unwrap_err();
    let (what, hint) = (&error.message, error.hint.as_deref().unwrap());
    assert!(what.contains("MyISAM"), "{what}");
    assert!(hint.contains("ENGINE = InnoDB"), "{hint}");
    sink.prepare(UpgradePolicy::Upgrade).await.unwrap();
    let engine = "SELECT CAST(engine AS CHAR) FROM information_schema.tables \
                  WHERE table_schema = DATABASE() AND table_name = 'logs'";
    assert_eq!(scratch.query(engine).await, [row(&["InnoDB"])]);
    sink.prepare(UpgradePolicy::Refuse).await.unwrap();
}

#[tokio::test]
async fn a_postgres_database_that_cannot_hold_every_character_is_refused() {
    let scratch = Scratch::new(Engine::Postgres);
    let create =
        format!("CREATE DATABASE {} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0", scratch.name);
    Engine::Postgres.administer(&create);
    let error = scratch.sink().prepare(UpgradePolicy::Upgrade).await.unwrap_err();
    let what = &error.message;
    assert!(what.contains("LATIN1") && what.contains(&scratch.name), "{what}");
}
