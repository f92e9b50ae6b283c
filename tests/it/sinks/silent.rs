//! A connection that falls silent: no answer and no reset, as after a failover or behind a firewall
//! that forgot it. Every request succeeds on another connection, in bounded time, and the session
//! of the silent one holds no lock.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cloudtrail2sql::database::indexes::INDEXES;
use cloudtrail2sql::database::status::{RunStart, RunTotals};
use cloudtrail2sql::database::{LoadMethod, OpenOptions, Store, Timeouts, UpgradePolicy};
use cloudtrail2sql::import::load::load;
use cloudtrail2sql::trail::object::ObjectId;

use super::commits::RETRY;
use super::objects::{RUN, batch, id, numbered};
use super::scratch::{Scratch, open_with, options};
use crate::databases::{Engine, promises};
use crate::proxy::Proxy;

promises! { async on servers:
    a_connection_that_falls_silent_in_migrations_is_replaced
    a_connection_that_falls_silent_around_the_load_is_replaced
    a_connection_that_falls_silent_in_a_batch_is_replaced
    a_server_that_stays_silent_ends_the_request
}

/// No request of these tests takes half as long on a loaded machine.
const TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_secs(4),
    statement: Duration::from_secs(2),
    write: Duration::from_secs(2),
    heartbeat: Duration::from_secs(1),
};

/// The longest that one silence may take: a timeout, the end of the session, another attempt.
const BOUND: Duration = Duration::from_secs(25);

fn silenceable(scratch: &Scratch) -> (Proxy, Arc<dyn Store>) {
    let proxy = Proxy::start(scratch.engine);
    let is_postgres = scratch.engine == Engine::Postgres;
    let load_method = if is_postgres { LoadMethod::Copy } else { LoadMethod::Insert };
    let options = OpenOptions { timeouts: TIMEOUTS, ..options(load_method) };
    let sink = open_with(&proxy.url(scratch), options);
    (proxy, sink)
}

/// Checks that a connection fell silent, and the request ended in time.
#[track_caller]
fn assert_survived(proxy: &Proxy, silences: u64, since: Instant, word: &str) {
    assert_eq!(proxy.faults_done(), silences, "{word} was not sent");
    assert!(since.elapsed() < BOUND, "{word}: {:?}", since.elapsed());
}

async fn a_connection_that_falls_silent_in_migrations_is_replaced(engine: Engine) {
    for word in ["import_migrations", "CREATE TABLE IF NOT EXISTS import_migrations", "COMMIT"] {
        let scratch = Scratch::created(engine);
        let (proxy, sink) = silenceable(&scratch);
        proxy.silence_from(word);
        let started = Instant::now();
        // MySQL binds the table's name.
        sink.prepare(UpgradePolicy::Refuse).await.unwrap();
        assert_survived(&proxy, 1, started, word);
        assert_eq!(scratch.counts().await, [0; 3]);
        sink.close().await;
    }
}

async fn a_connection_that_falls_silent_around_the_load_is_replaced(engine: Engine) {
    let (scratch, _) = Scratch::prepared(engine).await;
    let (proxy, sink) = silenceable(&scratch);
    let mut silences = 0;
    let mut silence = |word| {
        proxy.silence_from(word);
        silences += 1;
        (silences, Instant::now(), word)
    };
    let now = silence("INSERT INTO import_runs");
    let run = sink.begin_run(&RunStart::default()).await.unwrap();
    assert_survived(&proxy, now.0, now.1, now.2);

    let now = silence(if engine == Engine::Postgres { "pg_index" } else { ".statistics" });
    assert_eq!(sink.missing_indexes().await.unwrap(), INDEXES);
    assert_survived(&proxy, now.0, now.1, now.2);

    let now = silence("ADD INDEX").2;
    proxy.silence_from(if engine == Engine::Postgres { "CREATE INDEX" } else { now });
    let started = Instant::now();
    Arc::clone(&sink).build_missing_indexes().await.unwrap();
    assert_survived(&proxy, 3, started, "INDEX");
    assert!(sink.missing_indexes().await.unwrap().is_empty());

    let now = silence("UPDATE import_runs");
    sink.finish_run(run, "complete", &RunTotals::default()).await.unwrap();
    assert_survived(&proxy, now.0, now.1, now.2);
    let runs = sink.runs(10).await.unwrap();
    assert_eq!((runs.len(), &*runs[0].outcome), (1, "complete"));
    sink.close().await;
}

async fn a_connection_that_falls_silent_in_a_batch_is_replaced(engine: Engine) {
    let (scratch, _) = Scratch::prepared(engine).await;
    let rows = if engine == Engine::Postgres { "COPY logs" } else { "INSERT INTO logs" };
    for (n, word) in (1_u8..).zip(["INSERT INTO import_objects", rows, "COMMIT"]) {
        // Another store each time: a prepared statement is not sent again as text.
        let (proxy, sink) = silenceable(&scratch);
        proxy.silence_from(word);
        let (started, mut settled) = (Instant::now(), Vec::new());
        let objects = [numbered(&format!("a{n}"), 3), numbered(&format!("b{n}"), 2)];
        load(&*sink, RUN, batch(n.into(), objects), RETRY, &mut settled).await.unwrap();
        assert_survived(&proxy, 1, started, word);
        assert_eq!(
            (settled.len(), scratch.counts().await),
            (2, [5, 2, 0].map(|it| it * usize::from(n)))
        );
        // The ledger's query is sent as text only now.
        proxy.silence_from("FROM import_objects");
        let started = Instant::now();
        let ids: Vec<ObjectId> = (0..700).map(|n| id(&n.to_string())).collect();
        assert!(sink.seen(&ids).await.is_err());
        assert!(sink.seen(&ids).await.unwrap().is_empty());
        assert_survived(&proxy, 2, started, "FROM import_objects");
        sink.close().await;
    }
}

async fn a_server_that_stays_silent_ends_the_request(engine: Engine) {
    let (scratch, _) = Scratch::prepared(engine).await;
    let (proxy, sink) = silenceable(&scratch);
    let started = Instant::now();
    proxy.set_delay(Duration::from_hours(1));
    // The attempts of RETRY are not used up: its deadline is.
    let ended =
        tokio::time::timeout(Duration::from_mins(3), sink.begin_run(&RunStart::default())).await;
    let error = ended.expect("it hangs").unwrap_err();
    assert_eq!(error.message, "cannot record the run");
    assert!(started.elapsed() > TIMEOUTS.connect);
}
