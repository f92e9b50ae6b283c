//! The bad files, and what each of them must come to.

use crate::logs::{gz, log_gz, log_json, record, record_with, wrapper};

/// A bad file.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) bytes: Vec<u8>,
    pub(super) outcome: Outcome,
    /// Queries that answer one cell each, and the cell.
    pub(super) cells: Vec<(String, String)>,
}

/// What must become of it.
pub(super) enum Outcome {
    /// It is in; why some of its records are not; how many characters are others.
    Loaded { rows: u64, rejected: Vec<&'static str>, altered: u64 },
    /// It is no log, but this.
    Skipped(&'static str),
    /// None of it is in, for this reason.
    Failed(&'static str),
}

impl Case {
    pub(super) fn is_failed(&self) -> bool {
        matches!(self.outcome, Outcome::Failed(_))
    }

    /// Expects a cell of the record `id`.
    fn cell(mut self, id: &str, column: &str, expected: impl Into<String>) -> Self {
        let sql = format!("SELECT {column} FROM logs WHERE eventID = '{id}'");
        self.cells.push((sql, expected.into()));
        self
    }
}

fn case(name: &'static str, bytes: impl Into<Vec<u8>>, outcome: Outcome) -> Case {
    Case { name, bytes: bytes.into(), outcome, cells: Vec::new() }
}

fn failed(name: &'static str, bytes: impl Into<Vec<u8>>, reason: &'static str) -> Case {
    case(name, bytes, Outcome::Failed(reason))
}

fn skipped(name: &'static str, bytes: impl Into<Vec<u8>>, kind: &'static str) -> Case {
    case(name, bytes, Outcome::Skipped(kind))
}

fn loaded(name: &'static str, bytes: impl Into<Vec<u8>>, rows: u64) -> Case {
    case(name, bytes, Outcome::Loaded { rows, rejected: Vec::new(), altered: 0 })
}

fn altered(name: &'static str, bytes: impl Into<Vec<u8>>, altered: u64) -> Case {
    case(name, bytes, Outcome::Loaded { rows: 1, rejected: Vec::new(), altered })
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = broken_files();
    cases.extend(wrong_types());
    cases.extend(odd_records());
    cases.extend(foreign_files());
    cases
}

/// Files of which nothing can be had.
fn broken_files() -> Vec<Case> {
    let whole = log_gz(&["never 1", "never 2"]);
    let json = log_json(&["never 3", "never 4"]);
    let second_is_cut = [log_gz(&["never 5"]), whole[..whole.len() - 9].to_vec()].concat();
    let mut flipped = whole.clone();
    let checksum = flipped.len() - 5;
    flipped[checksum] ^= 0xff;
    vec![
        failed("b-truncated.json.gz", &whole[..whole.len() / 2], "the gzip data is cut off after"),
        failed("b-trailer-cut.json.gz", &whole[..whole.len() - 3], "the gzip data is cut off"),
        failed("b-second-member-cut.json.gz", second_is_cut, "the gzip data is cut off after"),
        failed("c-checksum.json.gz", flipped, "the gzip data is damaged"),
        failed(
            "c-garbage-behind.json.gz",
            [&whole[..], b"garbage"].concat(),
            "7 bytes that are not gzip follow the gzip data",
        ),
        failed("d-neither.json.gz", *b"\x00\x01\x02 no gzip", "neither gzip nor JSON: starts with"),
        failed("d-text.json", "this is text", "neither gzip nor JSON: starts with `this is text`"),
        failed("d-html.json", "<html><body>403 Forbidden", "neither gzip nor JSON"),
        failed("e-cut.json", &json[..json.len() - 100], "the JSON is cut off after"),
        failed("e-cut-inside-gzip.json.gz", gz(&json[..40]), "the JSON is cut off after 40 bytes"),
        failed(
            "f-comma.json",
            r#"{"Records":[{"eventVersion":"1","eventID":"never"},]}"#,
            "not valid JSON",
        ),
        failed(
            "f-control-character.json",
            wrapper(&[record("x").replace("alice", "al\0ice")]),
            "not valid JSON",
        ),
        failed("g-empty.json.gz", "", "the file is empty"),
        failed("g-empty-inside-gzip.json.gz", gz(b""), "the file is empty"),
        failed(
            "h-records-object.json",
            r#"{"Records":{"eventVersion":"1","eventID":"never"}}"#,
            "`Records` is an object, not an array",
        ),
        failed("h-records-string.json", r#"{"Records":"never"}"#, "`Records` is a string"),
        failed("h-records-number.json", r#"{"Records":5}"#, "`Records` is a number"),
        failed("h-records-boolean.json", r#"{"Records":true}"#, "`Records` is a boolean"),
        failed("h-records-null.json", r#"{"Records":null}"#, "`Records` is null"),
        failed("i-scalar.json", "5", "JSON, but a number instead of an object or an array"),
        failed("k-twice.json.gz", gz(&whole), "gzip data inside gzip data (unpack it once)"),
        failed("k-zip.json.gz", b"PK\x03\x04\x14\0", "not JSON, but a zip archive"),
        failed("k-utf16.json", b"\xff\xfe{\0\"\0", "not JSON, but text in UTF-16"),
    ]
}

/// Elements that are not records, and fields of unexpected types.
fn wrong_types() -> Vec<Case> {
    let no_objects = [
        record("first"),
        "5".into(),
        "\"text\"".into(),
        "[{\"eventVersion\":\"1\",\"eventID\":\"inner\"}]".into(),
        "true".into(),
        "null".into(),
        "{}".into(),
        record("last"),
    ];
    let rejected = vec![
        "not an object, but a number",
        "not an object, but a string",
        "not an object, but an array",
        "not an object, but a boolean",
        "not an object, but null",
        "not a CloudTrail record",
    ];
    let no_objects = case(
        "j-records-that-are-none.json.gz",
        gz(&wrapper(&no_objects)),
        Outcome::Loaded { rows: 2, rejected, altered: 0 },
    );
    let fields = |id: &str| {
        let odd = r#"{"userIdentity":"root","eventName":["Get","Object"],"awsRegion":{"a":1},
            "requestParameters":true,"responseElements":"","errorCode":404,"eventTime":false,
            "eventSource":null,"eventID":"OURS"}"#;
        odd.replace("OURS", id)
    };
    vec![
        no_objects,
        loaded("k-types.json", wrapper(&[fields("types")]), 1)
            .cell("types", "userIdentity", "\"root\"")
            .cell("types", "eventName", r#"["Get","Object"]"#)
            .cell("types", "awsRegion", r#"{"a":1}"#)
            .cell("types", "requestParameters", "true")
            .cell("types", "responseElements", "\"\"")
            .cell("types", "errorCode", "404")
            .cell("types", "eventTime", "false")
            .cell("types", "COALESCE(eventSource, 'no source')", "no source"),
        loaded("k-types.ndjson", format!("{}\n{}\n", fields("line 1"), fields("line 2")), 2),
    ]
}

/// Records with values that are valid, or nearly so, and hard to keep.
fn odd_records() -> Vec<Case> {
    let with = |id: &str, field: &str| wrapper(&[record_with(id, field)]);
    let deep = |levels: usize| format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels));
    let deep_array = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let with_parameters = |id: &str, value: &str| {
        let key = format!("{{\"key\":\"of {id}\"}}");
        wrapper(&[record(id).replace(&key, value)])
    };
    let mut invalid_utf8 = wrapper(&[record("utf8").replace("alice", "al?ce")]);
    let at = invalid_utf8.iter().position(|byte| *byte == b'?').unwrap();
    invalid_utf8[at] = 0xff;
    let doubled = |id: &str| {
        let again = r#""eventName":"Second","requestParameters":{"n":2},"eventName":"Third""#;
        with(id, again)
    };
    vec![
        altered("l-invalid-utf8.json", invalid_utf8, 1).cell(
            "utf8",
            "userIdentity",
            "{\"type\":\"IAMUser\",\"userName\":\"al\u{fffd}ce\"}",
        ),
        altered(
            "m-lone-surrogates.json.gz",
            gz(&with("surrogates", r#""errorMessage":"a\ud800b\udc00c\ud83d\ude00""#)),
            2,
        )
        .cell("surrogates", "errorMessage", "a\u{fffd}b\u{fffd}c😀"),
        // In a JSON column the text would be valid JSON that some database cannot query.
        altered(
            "m-escapes-in-json.json",
            with_parameters("escapes", r#"{"s":"\ud800 \u0000"}"#),
            2,
        )
        .cell("escapes", "requestParameters", r#"{"s":"\ufffd \ufffd"}"#),
        altered("n-nul.json.gz", gz(&with("nul", r#""errorMessage":"a\u0000b""#)), 1).cell(
            "nul",
            "errorMessage",
            "a\u{fffd}b",
        ),
        altered(
            "o-integers.json",
            with("integers", r#""errorCode":123456789012345678901234567890,"x":-1e999"#),
            1,
        )
        .cell("integers", "errorCode", "123456789012345678901234567890"),
        loaded("p-deep-30.json.gz", gz(&with_parameters("deep 30", &deep(30))), 1).cell(
            "deep 30",
            "requestParameters",
            deep(30),
        ),
        altered("p-deep-10000.json.gz", gz(&with_parameters("deep 10000", &deep(10_000))), 1).cell(
            "deep 10000",
            "requestParameters",
            serde_json::to_string(&deep(10_000)).unwrap(),
        ),
        altered(
            "p-deep-elsewhere.json.gz",
            gz(&with("elsewhere", &format!("\"x\":{}", deep_array(10_000)))),
            1,
        ),
        altered(
            "p-deep-error-code.json.gz",
            gz(&with("error code", &format!("\"errorMessage\":{}", deep_array(10_000)))),
            1,
        )
        .cell(
            "error code",
            "errorMessage",
            serde_json::to_string(&deep_array(10_000)).unwrap(),
        ),
        loaded("q-duplicate-keys.json", doubled("doubled"), 1)
            .cell("doubled", "eventName", "Third")
            .cell("doubled", "requestParameters", r#"{"n":2}"#),
        loaded("r-no-records.json.gz", gz(br#"{"Records":[]}"#), 0),
        skipped("r-nothing-in-array.json", "[]", "other-json"),
    ]
}

/// JSON and files that are no logs.
fn foreign_files() -> Vec<Case> {
    let s3 = r#"{"Records":[{"eventVersion":"2.1","eventSource":"aws:s3","eventName":"Put"}]}"#;
    vec![
        skipped("s-digest.json.gz", gz(br#"{"digestEndTime":"2023-07-10T12:00:00Z"}"#), "digest"),
        skipped("s-notification.json", s3, "s3-notification"),
        skipped("s-other.json", r#"{"hello":"world"}"#, "other-json"),
        skipped(
            "s-deep.json",
            format!("{}{}", "[".repeat(10_000), "]".repeat(10_000)),
            "other-json",
        ),
        skipped("s-folder-marker", "", "empty"),
        skipped("s-image.png", *b"\x89PNG\r\n\x1a\n", "other-file"),
        failed("t-bomb.json.gz", super::memory::bomb(), "decodes to more than 268435456 bytes"),
    ]
}
