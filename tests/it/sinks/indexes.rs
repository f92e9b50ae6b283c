//! The post-load step: missing indexes are built, once.

use std::sync::Arc;

use cloudtrail2sql::database::indexes::{INDEXES, Index};
use cloudtrail2sql::database::{BuiltIndexes, Store};

use super::objects::{RUN, batch, numbered};
use super::scratch::{Scratch, row};
use crate::databases::{Engine, promises};

promises! { async on all:
    what_is_missing_is_built_and_then_nothing
    an_index_of_the_users_own_on_the_same_column_counts
    two_builds_at_once_both_succeed
}

async fn missing(sink: &dyn Store) -> Vec<&'static str> {
    names(&sink.missing_indexes().await.unwrap())
}

fn built(built: &[BuiltIndexes]) -> Vec<&'static str> {
    let built: Vec<Index> = built.iter().flat_map(|built| &built.indexes).copied().collect();
    names(&built)
}

/// Returns the names of indexes, sorted.
fn names(indexes: &[Index]) -> Vec<&'static str> {
    let mut names: Vec<&str> = indexes.iter().map(|index| index.name).collect();
    names.sort_unstable();
    names
}

/// Returns how many indexes the two tables have, without the primary keys.
async fn indexes(scratch: &Scratch) -> usize {
    let mut count = 0;
    for table in ["logs", "identities"] {
        count += scratch
            .count(&match scratch.engine {
                Engine::Sqlite => format!("pragma_index_list('{table}')"),
                Engine::Postgres => {
                    format!("pg_indexes WHERE tablename = '{table}' AND indexname NOT LIKE '%pkey'")
                }
                Engine::Mysql | Engine::Mariadb => format!(
                    "information_schema.statistics WHERE table_schema = DATABASE() \
                     AND table_name = '{table}' AND index_name <> 'PRIMARY' AND seq_in_index = 1"
                ),
            })
            .await;
    }
    count
}

async fn prepared(engine: Engine) -> (Scratch, Arc<dyn Store>) {
    let (scratch, sink) = Scratch::prepared(engine).await;
    sink.write(RUN, &batch(1, [numbered("a", 129)])).await.unwrap();
    (scratch, sink)
}

async fn what_is_missing_is_built_and_then_nothing(engine: Engine) {
    let (scratch, sink) = prepared(engine).await;
    assert_eq!(missing(&*sink).await, names(&INDEXES));
    assert_eq!(indexes(&scratch).await, 0);
    assert_eq!(built(&Arc::clone(&sink).build_missing_indexes().await.unwrap()), names(&INDEXES));
    assert!(missing(&*sink).await.is_empty());
    assert_eq!(indexes(&scratch).await, INDEXES.len());
    for sink in [sink, scratch.sink()] {
        assert!(Arc::clone(&sink).build_missing_indexes().await.unwrap().is_empty());
    }
    assert_eq!(indexes(&scratch).await, INDEXES.len());
    let drop_one = if engine.is_mysql() { " ON logs" } else { "" };
    scratch.run(&format!("DROP INDEX logs_eventname{drop_one}")).await;
    let sink = scratch.sink();
    let rebuilt = Arc::clone(&sink).build_missing_indexes().await.unwrap();
    assert_eq!(built(&rebuilt), ["logs_eventname"]);
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
    let mut expected = names(&INDEXES);
    expected.retain(|name| *name != "logs_eventname");
    assert_eq!(missing(&*sink).await, expected);
    assert_eq!(built(&Arc::clone(&sink).build_missing_indexes().await.unwrap()), expected);
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
        assert!((1..=2 * INDEXES.len()).contains(&built), "{built}");
        assert!(missing(&*one).await.is_empty());
        assert_eq!(indexes(&scratch).await, INDEXES.len());
        // The connections of the build that lost still work.
        one.write(RUN, &batch(2, [numbered("b", 1)])).await.unwrap();
        two.write(RUN, &batch(3, [numbered("c", 1)])).await.unwrap();
    }
}
