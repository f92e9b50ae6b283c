//! Values come back byte for byte, up to the limit of each column.

use cloudtrail2sql::database::{DatabaseError, ErrorClass, Store};
use cloudtrail2sql::trail::fields::{COLUMN_COUNT, COLUMNS};
use cloudtrail2sql::trail::record::CellLimit;
use cloudtrail2sql::trail::rows::Cells;
use std::sync::Arc;

use super::objects::{RUN, batch, cells, log_of, parsed};
use super::scratch::Scratch;
use crate::databases::{Engine, Table, promises};

promises! { async on all:
    values_survive_byte_for_byte
    large_json_survives_byte_for_byte
    nul_is_replaced_and_counted
    every_column_holds_its_limit_and_can_be_indexed
    what_is_over_the_limit_is_rejected_with_its_text
}
promises! { async on [mysql mariadb]:
    what_is_too_long_is_refused_and_never_cut
}

/// Texts that some database, driver or protocol may change.
const TEXTS: [&str; 27] = [
    "",
    " ",
    "trailing  ",
    "NULL",
    "null",
    "\\N",
    "\\.",
    "it's \"quoted\" `here`",
    "back\\slash \\' \\\" \\n \\u0000 \\x41",
    "line\nfeed\r\nreturn\ttab",
    "\u{1}\u{8}\u{1a}\u{1f}\u{7f}",
    "é",
    "e\u{301}",
    "日本語",
    "😀👩\u{200d}👩\u{200d}👧",
    "\u{feff}bom",
    "\u{fffd}\u{ffff}\u{10ffff}",
    "'); DROP TABLE logs; --",
    "% _ ? $1 :name @x #",
    "{\"a\": [1, 2.50, \"\\ud800\"]}",
    "0123",
    "111122223333",
    "1.10",
    "1e400",
    "-0",
    "A",
    "a",
];

async fn all_rows(scratch: &Scratch) -> Table {
    scratch.query(&format!("SELECT {} FROM logs", COLUMNS.join(", "))).await
}

fn owned(cells: &Cells<'_>) -> Vec<Option<String>> {
    cells.iter().map(|cell| cell.map(str::to_owned)).collect()
}

async fn values_survive_byte_for_byte(engine: Engine) {
    let (scratch, sink) = Scratch::prepared(engine).await;
    let mut rows: Vec<Cells<'_>> = TEXTS.iter().map(|text| [Some(*text); COLUMN_COUNT]).collect();
    rows.push([None; COLUMN_COUNT]);
    rows.push(std::array::from_fn(|column| (column % 2 == 0).then_some("")));
    rows.push(std::array::from_fn(|column| (column % 2 == 1).then_some(COLUMNS[column])));
    sink.write(RUN, &batch(1, [log_of("a", rows.iter().copied())])).await.unwrap();
    let (mut found, mut expected) =
        (all_rows(&scratch).await, rows.iter().map(owned).collect::<Table>());
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}

async fn large_json_survives_byte_for_byte(engine: Engine) {
    let (scratch, sink) = Scratch::prepared(engine).await;
    for (name, bytes_min) in [("a", 100_000), ("b", 5_000_000)] {
        let piece = r#"{"key é😀":"value\n\u0000",'"#;
        let json = piece.repeat(bytes_min / piece.len() + 1);
        let row = cells(&[
            ("eventID", name),
            ("userIdentity", &json),
            ("requestParameters", &json),
            ("responseElements", &json),
        ]);
        sink.write(RUN, &batch(1, [log_of(name, [row])])).await.unwrap();
        let query = format!(
            "SELECT userIdentity, requestParameters, responseElements FROM logs \
             WHERE eventID = '{name}'"
        );
        let found = scratch.query(&query).await;
        assert!(found == [vec![Some(json); 3]], "{bytes_min} bytes came back otherwise");
    }
}

async fn nul_is_replaced_and_counted(engine: Engine) {
    let (scratch, sink) = Scratch::prepared(engine).await;
    let json = r#"[{"eventVersion":"1","eventID":"a\u0000b","eventName":"x","requestParameters":{"k":"\u0000"}}]"#;
    let object = parsed("a", json, sink.rules());
    assert_eq!(object.log().replaced_chars, 2);
    sink.write(RUN, &batch(1, [object])).await.unwrap();
    let found = scratch.query("SELECT eventID, requestParameters FROM logs").await;
    assert_eq!(found, [super::scratch::row(&["a\u{fffd}b", r#"{"k":"\ufffd"}"#])]);
    let replaced = scratch.query("SELECT altered_count FROM import_objects").await;
    assert_eq!(replaced[0][0].as_deref(), Some("2"));
}

/// Returns text that fills a column to the last byte, and does not compress below an index's
/// limit; if the column has no limit below that, as much as fits into one packet of any server.
fn filling(limit: CellLimit, seed: u64) -> String {
    let mut random = fastrand::Rng::with_seed(seed);
    match limit {
        CellLimit::Chars(chars) => {
            (0..chars).map(|_| random.char('\u{1f300}'..='\u{1f5ff}')).collect()
        }
        CellLimit::Bytes(bytes) => (0..bytes.min(300_000)).map(|_| random.alphanumeric()).collect(),
        CellLimit::Any => (0..300_000).map(|_| random.alphanumeric()).collect(),
    }
}

async fn every_column_holds_its_limit_and_can_be_indexed(engine: Engine) {
    let (scratch, sink) = Scratch::prepared(engine).await;
    let limits = sink.rules().limits;
    let texts: [String; COLUMN_COUNT] =
        std::array::from_fn(|column| filling(limits[column], 41 + column as u64));
    let row: Cells<'_> = texts.each_ref().map(|text| Some(&**text));
    // Short rows, too, so that the long row is not alone on its page.
    let short = cells(&[("eventName", "short"), ("eventID", "1")]);
    sink.write(RUN, &batch(1, [log_of("a", [short, row, short])])).await.unwrap();
    Arc::clone(&sink).build_missing_indexes().await.unwrap();
    assert!(sink.missing_indexes().await.unwrap().is_empty());
    let found = all_rows(&scratch).await;
    let longest = found.iter().max_by_key(|row| row.iter().flatten().count()).unwrap();
    for (column, name) in COLUMNS.iter().enumerate() {
        assert!(longest[column].as_deref() == row[column], "{name} came back otherwise");
    }
    // With the indexes in place it must fit as well.
    sink.write(RUN, &batch(2, [log_of("b", [row])])).await.unwrap();
    assert_eq!(scratch.counts().await, [4, 2, 0]);
}

async fn what_is_over_the_limit_is_rejected_with_its_text(engine: Engine) {
    let (scratch, sink) = Scratch::prepared(engine).await;
    let limits = sink.rules().limits;
    let mut rejected = 0;
    for (column, name) in COLUMNS.iter().enumerate() {
        let over = match limits[column] {
            CellLimit::Chars(chars) => "é".repeat(chars + 1),
            CellLimit::Bytes(bytes) if bytes < 100_000 => "x".repeat(bytes + 1),
            CellLimit::Bytes(_) | CellLimit::Any => continue,
        };
        let marks =
            ["eventVersion", "eventTime", "eventID"].into_iter().filter(|mark| mark != name);
        let marks: String = marks.take(2).flat_map(|mark| ["\"", mark, "\":\"1\","]).collect();
        let record = format!(r#"{{{marks}"{name}":"{over}"}}"#);
        let json = format!(r#"{{"Records":[{record},{{"eventVersion":"1","eventID":"good"}}]}}"#);
        let object = parsed(name, &json, sink.rules());
        let log = object.log();
        assert_eq!((log.rows.len(), log.rejects.len()), (1, 1), "{name}");
        sink.write(RUN, &batch(1, [object])).await.unwrap();
        rejected += 1;
        let uri = format!("s3://trail/{name}");
        let found = sink.rejected_records(100).await.unwrap();
        let found = found.iter().find(|found| found.uri == uri).unwrap();
        assert!(found.record == record && found.reason.contains(name), "{}", found.reason);
    }
    let expected = match engine {
        Engine::Sqlite => 0,
        Engine::Postgres => 8,
        Engine::Mysql | Engine::Mariadb => 11,
    };
    assert_eq!(rejected, expected);
    assert_eq!(scratch.counts().await, [expected; 3]);
}

async fn what_is_too_long_is_refused_and_never_cut(engine: Engine) {
    async fn write(
        sink: &dyn Store,
        name: &str,
        column: &str,
        text: &str,
    ) -> Result<(), DatabaseError> {
        sink.write(RUN, &batch(1, [log_of(name, [cells(&[(column, text)])])])).await
    }
    let (scratch, sink) = Scratch::prepared(engine).await;
    sink.close().await;
    // The server now truncates too long values, unless a connection forbids it.
    let sql_mode = scratch.query("SELECT CAST(@@GLOBAL.sql_mode AS CHAR)").await;
    let sql_mode = sql_mode[0][0].as_deref().unwrap();
    scratch.run("SET GLOBAL sql_mode = ''").await;
    let mut written = Vec::new();
    for (n, column) in COLUMNS.iter().enumerate() {
        // The limits are not checked here, as if the parser had a defect.
        let CellLimit::Chars(chars) = sink.rules().limits[n] else { continue };
        written.push((column, write(&*sink, column, column, &"é".repeat(chars + 1)).await));
    }
    scratch.run(&format!("SET GLOBAL sql_mode = '{sql_mode}'")).await;
    assert_eq!(written.len(), 11);
    for (column, written) in written {
        assert!(
            written.as_ref().is_err_and(|error| error.class == ErrorClass::DataRefused),
            "{column}: {written:?}"
        );
    }
    assert_eq!(scratch.counts().await, [0; 3]);
    write(&*sink, "a", "eventID", "fits").await.unwrap();
    assert_eq!(scratch.counts().await, [1, 1, 0]);
}
