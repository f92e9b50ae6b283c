//! Sizes that do not divide, and statements that must stay below a number of bytes.

use cloudtrail2sql::database::ErrorClass;
use cloudtrail2sql::database::LoadMethod;
use cloudtrail2sql::trail::record::Log;

use super::objects::{RUN, batch, cells, log_of, numbered, object, reject};
use super::scratch::Scratch;
use crate::databases::{Engine, promises, query};
use crate::wait;

promises! { async on all:
    no_row_is_lost_whatever_the_number
    no_object_is_lost_whatever_the_number
    no_reject_is_lost_whatever_the_number
    many_large_rows_go_in_several_statements
}
promises! { async on [mysql mariadb]:
    a_row_that_no_packet_holds_is_refused_and_the_connection_kept
    a_row_just_below_the_packet_passes
}

/// Around the statements' 128 and 1,024 rows.
const ROWS: [usize; 9] = [1, 2, 127, 128, 129, 1_023, 1_024, 1_025, 2_049];

fn ways(engine: Engine) -> &'static [LoadMethod] {
    match engine {
        Engine::Postgres => &[LoadMethod::Copy, LoadMethod::Insert],
        _ => &[LoadMethod::Insert],
    }
}

async fn no_row_is_lost_whatever_the_number(engine: Engine) {
    for &way in ways(engine) {
        let (scratch, _) = Scratch::prepared(engine).await;
        let sink = scratch.sink_by(way);
        let mut expected = 0;
        for (n, rows) in (1..).zip(ROWS) {
            let name = format!("{rows}");
            sink.write(RUN, &batch(n, [numbered(&name, rows)])).await.unwrap();
            expected += rows;
            let counts = scratch.counts().await;
            assert_eq!(counts[0], expected, "{way:?}: after {rows} more rows");
        }
        assert_eq!(scratch.count("(SELECT DISTINCT eventID FROM logs) AS ids").await, expected);
    }
}

async fn no_object_is_lost_whatever_the_number(engine: Engine) {
    for &way in ways(engine) {
        let (scratch, _) = Scratch::prepared(engine).await;
        let sink = scratch.sink_by(way);
        let mut expected = [0; 3];
        for (n, objects) in (1..).zip([1, 41, 127, 129, 1_025]) {
            // Every tenth object has no rows, as real logs do.
            let rows = |name: usize| if name % 10 == 9 { 0 } else { 3 };
            expected[0] += (0..objects).map(rows).sum::<usize>();
            expected[1] += objects;
            let named = |name| numbered(&format!("{objects}/{name}"), rows(name));
            sink.write(RUN, &batch(n, (0..objects).map(named).collect::<Vec<_>>())).await.unwrap();
            assert_eq!(scratch.counts().await, expected, "{way:?}: after {objects} more objects");
        }
        let ids = scratch.count("(SELECT DISTINCT eventID FROM logs) AS ids").await;
        assert_eq!(ids, expected[0]);
    }
}

async fn no_reject_is_lost_whatever_the_number(engine: Engine) {
    let (scratch, sink) = Scratch::prepared(engine).await;
    for (n, rejects) in (1..).zip([129, 1_025]) {
        let rejects: Vec<_> = (0..rejects).map(|index| reject(index, "[]")).collect();
        let log = Log { rejects, ..Log::default() };
        let object = object(&n.to_string(), Ok(log));
        sink.write(RUN, &batch(n, [object])).await.unwrap();
    }
    assert_eq!(scratch.counts().await, [0, 2, 129 + 1_025]);
}

async fn many_large_rows_go_in_several_statements(engine: Engine) {
    let text = "0123456789".repeat(30_000);
    for &way in ways(engine) {
        let (scratch, _) = Scratch::prepared(engine).await;
        let sink = scratch.sink_by(way);
        // 64 of them, 19 MB, exceed the size of a statement on each database, and the default packet
        // of MariaDB.
        let row = cells(&[("requestParameters", &text)]);
        sink.write(RUN, &batch(1, [log_of("a", vec![row; 65])])).await.unwrap();
        let whole = "(SELECT 1 AS one FROM logs WHERE length(requestParameters) = 300000) AS whole";
        assert_eq!(scratch.count(whole).await, 65, "{way:?}");
    }
}

async fn packet_bytes_max(scratch: &Scratch) -> usize {
    let rows = query(scratch.engine, &scratch.url, "SELECT CAST(@@max_allowed_packet AS SIGNED)");
    rows.await.unwrap()[0][0].as_deref().unwrap().parse().unwrap()
}

async fn a_row_that_no_packet_holds_is_refused_and_the_connection_kept(engine: Engine) {
    let (scratch, sink) = Scratch::prepared(engine).await;
    let text = "x".repeat(packet_bytes_max(&scratch).await + 1);
    let objects = [log_of("large", [cells(&[("requestParameters", &text)])]), numbered("a", 3)];
    let error = sink.write(RUN, &batch(1, objects)).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::DataRefused);
    let source = error.source.as_ref().unwrap();
    // It is refused before it is sent: some servers would close the connection instead.
    assert!(source.to_string().contains("`max_allowed_packet`"), "{source}");
    assert_eq!(scratch.counts().await, [0; 3]);
    for n in 2..5 {
        sink.write(RUN, &batch(n, [numbered(&n.to_string(), 3)])).await.unwrap();
    }
    assert_eq!(scratch.counts().await, [9, 3, 0]);
    // The server may need a moment to notice that a connection was closed.
    let is_alone = async || scratch.connections().await.len() <= 1;
    wait::until_async("no connection is left behind", is_alone).await;
}

async fn a_row_just_below_the_packet_passes(engine: Engine) {
    let (scratch, sink) = Scratch::prepared(engine).await;
    // 64 KiB are kept for what a packet holds beyond its values.
    let bytes = packet_bytes_max(&scratch).await - (65 << 10);
    let text = "x".repeat(bytes);
    let row = cells(&[("responseElements", &text)]);
    sink.write(RUN, &batch(1, [log_of("a", [row])])).await.unwrap();
    let found = scratch.query("SELECT CAST(length(responseElements) AS SIGNED) FROM logs").await;
    assert_eq!(found, [super::scratch::row(&[&bytes.to_string()])]);
}
