//! A deadlock on a real server: the batch loses, and is written again.

use std::fmt::Write as _;

use cloudtrail2sql::import::load::load;
use sqlx::{Connection, MySqlConnection, PgConnection};

use super::commits::RETRY;
use super::objects::{RUN, batch, id, numbered_log, object, reject};
use super::scratch::Scratch;
use crate::databases::{Engine, promises};
use crate::wait::until_async;

promises! { async on servers: a_batch_that_loses_a_deadlock_is_written_again }
promises! { async on [mysql mariadb]: batches_are_written_without_locks_on_gaps }

/// Issue 11, B17: REPEATABLE READ, the default, also locks the gaps between keys, for nothing.
async fn batches_are_written_without_locks_on_gaps(engine: Engine) {
    let (scratch, sink) = Scratch::prepared(engine).await;
    // MariaDB has MySQL's name of the variable since 11.1.
    let variable =
        if engine == Engine::Mariadb { "@@tx_isolation" } else { "@@transaction_isolation" };
    scratch.run("CREATE TABLE seen (level varchar(40))").await;
    let seen = format!("FOR EACH ROW INSERT INTO seen VALUES ({variable})");
    scratch.run(&format!("CREATE TRIGGER look AFTER INSERT ON import_objects {seen}")).await;
    sink.write(RUN, &batch(1, [object("a", Ok(numbered_log("a", 3)))])).await.unwrap();
    assert_eq!(scratch.query("SELECT level FROM seen").await, [[Some("READ-COMMITTED".into())]]);
    assert_eq!(scratch.counts().await, [3, 1, 0]);
}

/// Holds the batch in its insert of the ledger line until the other transaction waits for that
/// line. The batch then waits for the other transaction, and closes the circle.
fn held_insert(engine: Engine) -> &'static str {
    match engine {
        Engine::Postgres => {
            "CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             PERFORM pg_sleep(2); RETURN NEW; END $$; \
             CREATE TRIGGER hold AFTER INSERT ON import_objects \
             FOR EACH ROW WHEN (NEW.run_id = 7) EXECUTE FUNCTION hold()"
        }
        _ => {
            "CREATE TRIGGER hold AFTER INSERT ON import_objects \
             FOR EACH ROW SET @held = IF(NEW.run_id = 7, SLEEP(2), 0)"
        }
    }
}

async fn a_batch_that_loses_a_deadlock_is_written_again(engine: Engine) {
    macro_rules! other {
        ($connection:ty, $url:expr, $first:expr, $second:expr, $inserting:expr) => {{
            let mut other = <$connection>::connect($url).await.unwrap();
            sqlx::raw_sql(&$first).execute(&mut other).await.unwrap();
            let writing = $inserting;
            // The server chose the batch as the victim, so this one gets its lock.
            sqlx::raw_sql(&$second).execute(&mut other).await.unwrap();
            sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
            other.close().await.unwrap();
            writing
        }};
    }
    let (scratch, sink) = Scratch::prepared(engine).await;
    scratch.run(held_insert(engine)).await;
    let key = id("a").0.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    });
    let key = match engine {
        Engine::Postgres => format!("'\\x{key}'::bytea"),
        _ => format!("UNHEX('{key}')"),
    };
    // MySQL rolls back the transaction that has changed fewer rows, PostgreSQL the one that looks
    // for deadlocks first.
    let begin = match engine {
        Engine::Postgres => "BEGIN; SET LOCAL deadlock_timeout = '60s'",
        _ => "BEGIN",
    };
    let rejects: Vec<String> = (0..50).map(|n| format!("({key}, {n}, 0, 'r', 'r')")).collect();
    let first = format!("{begin}; INSERT INTO import_rejects VALUES {}", rejects.join(", "));
    let second = format!(
        "INSERT INTO import_objects (id, uri, version, size_bytes, digest, outcome, record_count, \
         row_count, reject_count, altered_count, run_id, batch_id, finished_at) \
         VALUES ({key}, 'u', 'v', 0, 'd', 'loaded', 0, 0, 0, 0, 8, 1, 'f')"
    );
    let inserting = match engine {
        Engine::Postgres => {
            "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() \
             AND wait_event = 'PgSleep'"
        }
        _ => {
            "SELECT CAST(COUNT(*) AS SIGNED) FROM information_schema.processlist \
             WHERE db = DATABASE() AND state = 'User sleep'"
        }
    };
    let write = || {
        let sink = std::sync::Arc::clone(&sink);
        tokio::spawn(async move {
            let mut log = numbered_log("a", 3);
            log.rejects.push(reject(3, "x"));
            let (batch, mut settled) = (batch(1, [object("a", Ok(log))]), Vec::new());
            load(&*sink, RUN, batch, RETRY, &mut settled).await.unwrap();
            settled.len()
        })
    };
    let held = async || scratch.query(inserting).await == [[Some("1".into())]];
    let writing = if engine == Engine::Postgres {
        other!(PgConnection, &scratch.url, first, second, {
            let writing = write();
            until_async("the batch is held", held).await;
            writing
        })
    } else {
        other!(MySqlConnection, &scratch.url, first, second, {
            let writing = write();
            until_async("the batch is held", held).await;
            writing
        })
    };
    assert_eq!(writing.await.unwrap(), 1);
    assert_eq!(scratch.counts().await, [3, 1, 1]);
}
