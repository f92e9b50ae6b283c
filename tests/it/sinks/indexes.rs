//! The post-load step: missing indexes are built, once.

use std::sync::Arc;

use cloudtrail2sql::database::{BuiltIndexes, Store};

use super::objects::{RUN, batch, numbered};
use super::scratch::{Scratch, row};
use crate::databases::{Engine, promises};

promises! { async on all:
    what_is_missing_is_built_and_then_nothing
    an_index_of_the_users_own_on_the_same_column_counts
    two_builds_at_once_both_succeed
}

const COLUMNS: [&str; 6] =
    ["errorCode", "eventName", "eventSource", "eventTime", "eventType", "requestID"];

async fn missing(sink: &dyn Store) -> Vec<&'static str> {
    let missing = sink.missing_indexes().await.unwrap();
    let mut columns: Vec<&str> = missing.iter().map(|index| index.column).collect();
    columns.sort_unstable();
    columns
}

fn columns(built: &[BuiltIndexes]) -> Vec<&'static str> {
    let mut columns: Vec<&str> =
        built.iter().flat_map(|built| &built.indexes).map(|index| index.column).collect();
    columns.sort_unstable();
    columns
}

/// Returns how many indexes the table has.
async fn indexes(scratch: &Scratch) -> usize {
    let table = match scratch.engine {
        Engine::Sqlite => "pragma_index_list('logs')",
        Engine::Postgres => "pg_indexes WHERE tablename = 'logs'",
        Engine::Mysql | Engine::Mariadb => {
            "information_schema.statistics WHERE table_schema = DATABASE() AND table_name = 'logs'"
        }
    };
    scratch.count(table).await
}

async fn prepared(engine: Engine) -> (Scratch, Arc<dyn Store>) {
    let (scratch, sink) = Scratch::prepared(engine).await;
    sink.write(RUN, &batch(1, [numbered("a", 129)])).await.unwrap();
    (scratch, sink)
}

async fn what_is_missing_is_built_and_then_nothing(engine: Engine) {
    let (scratch, sink) = prepared(engine).await;
    assert_eq!(missing(&*sink).await, COLUMNS);
    assert_eq!(indexes(&scratch).await, 0);
    assert_eq!(columns(&Arc::clone(&sink).build_missing_indexes().await.unwrap()), COLUMNS);
    assert!(missing(&*sink).await.is_empty());
    assert_eq!(indexes(&scratch).await, 6);
    for sink in [sink, scratch.sink()] {
        assert!(Arc::clone(&sink).build_missing_indexes().await.unwrap().is_empty());
    }
    assert_eq!(indexes(&scratch).await, 6);
    let drop_one = if engine.is_mysql() { " ON logs" } else { "" };
    scratch.run(&format!("DROP INDEX logs_eventname{drop_one}")).await;
    let sink = scratch.sink();
    assert_eq!(columns(&Arc::clone(&sink).build_missing_indexes().await.unwrap()), ["eventName"]);
    if engine.is_mysql() {
        // The two that are wider than a key may be have prefix indexes.
        let prefixes = "SELECT CAST(column_name AS CHAR), CAST(sub_part AS SIGNED) \
             FROM information_schema.statistics WHERE table_schema = DATABASE() \
             AND table_name = 'logs' AND sub_part IS NOT NULL ORDER BY column_name";
        let expected = [row(&["errorCode", "255"]), row(&["requestID", "255"])];
        assert_eq!(scratch.query(prefixes).await, expected);
    }
}

async fn an_index_of_the_users_own_on_the_same_column_counts(engine: Engine) {
    let (scratch, sink) = prepared(engine).await;
    // The last two cannot be used to search one of our columns.
    let indexes = match engine {
        Engine::Sqlite | Engine::Postgres => [
            "INDEX mine ON logs (eventName, eventID)",
            "INDEX not_first ON logs (awsRegion, eventSource)",
            "INDEX partly ON logs (eventType) WHERE eventID IS NULL",
        ],
        Engine::Mysql | Engine::Mariadb => [
            "INDEX mine ON logs (eventName(100), eventID(100))",
            "INDEX not_first ON logs (awsRegion(100), eventSource(100))",
            "FULLTEXT INDEX words ON logs (eventType)",
        ],
    };
    for index in indexes {
        scratch.run(&format!("CREATE {index}")).await;
    }
    let expected = ["errorCode", "eventSource", "eventTime", "eventType", "requestID"];
    assert_eq!(missing(&*sink).await, expected);
    assert_eq!(columns(&Arc::clone(&sink).build_missing_indexes().await.unwrap()), expected);
    assert!(missing(&*sink).await.is_empty());
}

async fn two_builds_at_once_both_succeed(engine: Engine) {
    for _ in 0..3 {
        let (scratch, one) = prepared(engine).await;
        let two = scratch.sink();
        let (one_built, two_built) = tokio::join!(
            Arc::clone(&one).build_missing_indexes(),
            Arc::clone(&two).build_missing_indexes()
        );
        let built = one_built.unwrap().len() + two_built.unwrap().len();
        assert!((1..=12).contains(&built), "{built}");
        assert!(missing(&*one).await.is_empty());
        assert_eq!(indexes(&scratch).await, 6);
        // The connections of the build that lost still work.
        one.write(RUN, &batch(2, [numbered("b", 1)])).await.unwrap();
        two.write(RUN, &batch(3, [numbered("c", 1)])).await.unwrap();
    }
}
