//! The tutorial's five queries, word for word the same on every database, with one answer.

use std::sync::Arc;

use super::objects::{RUN, batch, parsed};
use super::scratch::{Scratch, row};
use crate::databases::{Engine, Table, promises};

promises! { async on all:
    the_queries_have_the_same_answers_everywhere
}

const QUERIES: [&str; 5] = [
    "SELECT eventSource, COUNT(*) AS c FROM logs GROUP BY eventSource ORDER BY c DESC, eventSource",
    "SELECT eventName, COUNT(*) AS c FROM logs WHERE eventSource = 's3.amazonaws.com' \
     GROUP BY eventName ORDER BY c DESC, eventName",
    "SELECT substring(eventTime, 1, 13) AS t, COUNT(*) AS c FROM logs \
     GROUP BY substring(eventTime, 1, 13) ORDER BY t",
    "SELECT substring(eventTime, 1, 16) AS t, COUNT(*) AS c FROM logs GROUP BY t ORDER BY t",
    "SELECT substring(eventTime,1,19) as T, count(*) as C from logs group by T order by C desc, T",
];

fn answers() -> [Table; 5] {
    let table =
        |rows: &[(&str, &str)]| -> Table { rows.iter().map(|(a, b)| row(&[a, b])).collect() };
    [
        table(&[
            ("s3.amazonaws.com", "4"),
            ("ec2.amazonaws.com", "2"),
            ("S3.amazonaws.com", "1"),
            ("sts.amazonaws.com", "1"),
        ]),
        // Upper case before lower, on every database.
        table(&[("GetObject", "2"), ("ListBuckets", "1"), ("getObject", "1")]),
        table(&[("2026-01-15T09", "5"), ("2026-01-15T10", "2"), ("2026-01-16T00", "1")]),
        table(&[
            ("2026-01-15T09:00", "3"),
            ("2026-01-15T09:59", "2"),
            ("2026-01-15T10:00", "2"),
            ("2026-01-16T00:00", "1"),
        ]),
        table(&[
            ("2026-01-15T09:00:01", "2"),
            ("2026-01-15T09:59:59", "2"),
            ("2026-01-15T10:00:00", "2"),
            ("2026-01-15T09:00:02", "1"),
            ("2026-01-16T00:00:00", "1"),
        ]),
    ]
}

async fn the_queries_have_the_same_answers_everywhere(engine: Engine) {
    let (scratch, sink) = Scratch::prepared(engine).await;
    let records: Vec<String> = [
        ("s3", "GetObject", "15T09:00:01"),
        ("s3", "GetObject", "15T09:00:01"),
        ("s3", "getObject", "15T09:00:02"),
        ("s3", "ListBuckets", "15T09:59:59"),
        ("ec2", "RunInstances", "15T09:59:59"),
        ("ec2", "StopInstances", "15T10:00:00"),
        ("S3", "GetObject", "15T10:00:00"),
        ("sts", "AssumeRole", "16T00:00:00"),
    ]
    .iter()
    .map(|(source, name, time)| {
        format!(
            r#"{{"eventSource":"{source}.amazonaws.com","eventName":"{name}",
                "eventTime":"2026-01-{time}Z","eventVersion":"1.08"}}"#
        )
    })
    .collect();
    for (n, records) in (1..).zip(records.chunks(3)) {
        let json = format!(r#"{{"Records":[{}]}}"#, records.join(","));
        let object = parsed(&n.to_string(), &json, sink.rules());
        sink.write(RUN, &batch(n, [object])).await.unwrap();
    }
    for has_indexes in [false, true] {
        for (query, expected) in QUERIES.iter().zip(answers()) {
            assert_eq!(scratch.query(query).await, expected, "{has_indexes} {query}");
        }
        let sink = scratch.sink();
        Arc::clone(&sink).build_missing_indexes().await.unwrap();
    }
}
