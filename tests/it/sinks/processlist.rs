//! What an import does to those who watch the server: MySQL shows the text of each running statement
//! with its values to every session that lists the processes.

use sqlx::{Connection, MySqlConnection};

use super::objects::{RUN, batch, cells, failed, id, log_of, numbered_log, object, reject};
use super::scratch::Scratch;
use crate::databases::{Engine, promises};
use crate::wait::until_async;

promises! { async on [mysql mariadb]: others_can_list_the_processes_while_a_batch_is_written }

/// Text with what is escaped. Not with a character of four bytes: for those MySQL 9.7 fails with any
/// client.
const TEXT: &str = "a\u{fc}\u{20ac}\u{0}'\\\"";

/// Each statement waits for a lock, so that the list surely contains it. MySQL 9.7 fails with error
/// 3854 if the values of a statement are not text.
async fn others_can_list_the_processes_while_a_batch_is_written(engine: Engine) {
    for (table, statement) in [
        ("import_objects", "SELECT id"),
        ("import_objects", "INSERT INTO import_objects"),
        ("import_rejects", "DELETE FROM import_rejects"),
        ("logs", "INSERT INTO logs"),
    ] {
        let (scratch, sink) = Scratch::prepared(engine).await;
        let mut holder = MySqlConnection::connect(&scratch.url).await.unwrap();
        let lock = format!("LOCK TABLES {table} WRITE");
        sqlx::raw_sql(&lock).execute(&mut holder).await.unwrap();
        let held = tokio::spawn(async move {
            if statement == "SELECT id" {
                let ids: Vec<_> = (0..50).map(|n| id(&n.to_string())).collect();
                assert!(sink.seen(&ids).await.unwrap().is_empty());
                return;
            }
            let mut log = numbered_log("a", 3);
            log.rows.push(&cells(&[("eventID", TEXT), ("userIdentity", TEXT)]).into());
            log.rejects.push(reject(4, TEXT));
            let objects = [object("a", Ok(log)), log_of(TEXT, []), failed("c", TEXT)];
            sink.write(RUN, &batch(1, objects)).await.unwrap();
        });
        let info = format!(
            "SELECT CAST(COUNT(*) AS SIGNED) FROM information_schema.processlist \
             WHERE db = DATABASE() AND info LIKE '{statement}%'"
        );
        until_async("the statement runs", async || {
            scratch.query(&info).await == [[Some("1".into())]]
        })
        .await;
        holder.close().await.unwrap();
        held.await.unwrap();
    }
}
