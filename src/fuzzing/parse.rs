//! JSON to rows: the fast pass against the exact one, and both against `serde_json::Value`.

use serde_json::Value;

use super::Choices;
use crate::trail::fields::{COLUMNS, FIELDS, Form, column};
use crate::trail::record::{
    CellLimit, CellRules, Log, ParseError, ParseLimits, RejectReason, assert_passes_agree,
    parse as parse_log, rebuild, records_of_export,
};

/// Parses the bytes, or a JSON text that is generated from them.
///
/// # Panics
/// If the two passes differ, if a row differs from what `serde_json` reads, if a limit is exceeded,
/// or if the place of a reject is wrong.
pub fn parse(data: &[u8]) {
    let Some((&mode, rest)) = data.split_first() else { return };
    let json = match mode & 1 {
        0 => rest.to_vec(),
        _ => generate(&mut Choices::new(rest)),
    };
    let mut rules = CellRules { keeps_other_fields: mode & 2 == 0, ..CellRules::ANY };
    if mode & 4 != 0 {
        rules.limits[column("eventID")] = CellLimit::Bytes(3);
        rules.limits[column("eventName")] = CellLimit::Chars(3);
    }
    let limits = match mode & 8 {
        0 => ParseLimits { bytes_max: 1 << 20, rejects_max: 1_000 },
        _ => ParseLimits { bytes_max: 16 * usize::from(mode), rejects_max: 2 },
    };

    let text = String::from_utf8_lossy(&json);
    assert_passes_agree(text.trim_start_matches('\u{feff}'), &rules, limits);
    match parse_log(&json, &rules, limits) {
        Ok(log) => {
            assert!(log.rows.as_copy_bytes().len() <= limits.bytes_max);
            assert!(log.rejects.len() <= limits.rejects_max);
            let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
            let export = records_of_export(text);
            assert_rejects_are_in_place(&json, &log, export.is_some());
            assert_rows_are_right(export.as_deref().unwrap_or(text), &rules, &log);
        }
        Err(ParseError::OutOfRoom { .. } | ParseError::TooManyRejects { .. }) => {
            assert!(json.len() > 4, "{json:?}");
        }
        Err(error) => drop(error.to_string()),
    }
}

/// In an export, the text of a rejected object is not the text at its place: it loses the escapes of the
/// string it is in.
fn assert_rejects_are_in_place(json: &[u8], log: &Log, is_export: bool) {
    let mut index_min = 0;
    for reject in &log.rejects {
        assert!((index_min..log.records()).contains(&reject.index), "{reject:?}");
        index_min = reject.index + 1;
        let start = usize::try_from(reject.offset_bytes).expect("an offset in memory");
        let found = String::from_utf8_lossy(&json[start..]);
        let is_at = found.starts_with(&reject.text);
        let is_object = !matches!(reject.reason, RejectReason::NotAnObject(_));
        assert!(is_at || (is_export && is_object), "{reject:?} is not at {found:?}");
    }
}

/// Compares the rows with what `serde_json` reads, as far as it can: it refuses lone surrogates and
/// deep nesting, and of two members of the same name it knows only the last.
fn assert_rows_are_right(text: &str, rules: &CellRules, log: &Log) {
    let documents = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    let Ok(documents) = documents.collect::<Result<Vec<_>, _>>() else { return };
    let mut elements = Vec::new();
    for document in &documents {
        match (document, document.get("Records")) {
            (_, Some(Value::Array(records))) | (Value::Array(records), _) => {
                elements.extend(records);
            }
            _ => elements.push(document),
        }
    }
    assert!(elements.len() as u64 <= log.records(), "records are missing: {text:?}");
    // The first of two `Records` in one object is loaded, too.
    if (elements.len() as u64) < log.records() {
        return;
    }
    let mut rejects = log.rejects.iter().map(|reject| reject.index).peekable();
    let mut rows = log.rows.iter();
    for (index, element) in (0..).zip(elements) {
        if rejects.next_if_eq(&index).is_some() {
            continue;
        }
        let row = rows.next().expect("a row for each record that is not rejected");
        if rules.keeps_other_fields && log.replaced_chars == 0 {
            let rebuilt = rebuild(&row.cells, row.other_fields);
            let rebuilt = serde_json::from_str::<Value>(&rebuilt).ok();
            assert_eq!(rebuilt.as_ref(), Some(element), "in {text:?}");
        }
        for (cell, field) in row.cells.into_iter().zip(FIELDS) {
            let expected = match (element.get(field.name), field.form) {
                (None | Some(Value::Null), _) if field.fallback.is_some() => continue,
                (None | Some(Value::Null), _) => None,
                (Some(Value::String(text)), Form::Text) => Some(text.replace('\0', "\u{fffd}")),
                (Some(value), _) if log.replaced_chars == 0 => {
                    let cell = cell.map(serde_json::from_str::<Value>);
                    let cell = cell.and_then(Result::ok);
                    assert_eq!(cell.as_ref(), Some(value), "{} in {text:?}", field.name);
                    continue;
                }
                (Some(_), _) => continue,
            };
            assert_eq!(cell, expected.as_deref(), "{} in {text:?}", field.name);
        }
    }
    assert!(rows.next().is_none(), "more rows than records: {text:?}");
}

/// Returns a text that is JSON, except if it is damaged in the end.
fn generate(choices: &mut Choices<'_>) -> Vec<u8> {
    let mut json = Vec::new();
    if choices.once_in(8) {
        json.extend(b"\xef\xbb\xbf");
    }
    for _ in 0..=choices.up_to(2) {
        let array = choices.up_to(3);
        if array == 0 {
            element(&mut json, choices);
            blank(&mut json, choices);
            continue;
        }
        let is_wrapped = array > 1;
        if is_wrapped {
            json.push(b'{');
            if choices.once_in(4) {
                member(&mut json, choices, 3);
                json.push(b',');
            }
            key(&mut json, b"Records", choices);
        }
        json.push(b'[');
        for n in 0..choices.up_to(4) {
            if n > 0 {
                json.push(b',');
            }
            blank(&mut json, choices);
            element(&mut json, choices);
        }
        json.push(b']');
        if is_wrapped {
            for _ in 0..choices.up_to(9).saturating_sub(7) {
                json.push(b',');
                member(&mut json, choices, 3);
            }
            json.push(b'}');
        }
        blank(&mut json, choices);
    }
    if choices.once_in(4) {
        choices.damage(&mut json);
    }
    json
}

/// Adds a record, or seldom something else.
fn element(json: &mut Vec<u8>, choices: &mut Choices<'_>) {
    if choices.once_in(8) { value(json, choices, 2) } else { object(json, choices, 3) }
}

fn object(json: &mut Vec<u8>, choices: &mut Choices<'_>, depth: usize) {
    json.push(b'{');
    for n in 0..choices.up_to(5) {
        if n > 0 {
            json.push(b',');
        }
        member(json, choices, depth);
        blank(json, choices);
    }
    json.push(b'}');
}

fn member(json: &mut Vec<u8>, choices: &mut Choices<'_>, depth: usize) {
    const OTHERS: [&str; 12] = [
        "Records",
        "insightDetails",
        "eventCategory",
        "EventSource",
        "eventId",
        "accountId",
        "digestEndTime",
        "configurationItems",
        "x",
        "",
        "eventid",
        "\u{e9}",
    ];
    let name = match choices.up_to(COLUMNS.len() + OTHERS.len() - 1) {
        n if n < COLUMNS.len() => COLUMNS[n],
        n => OTHERS[n - COLUMNS.len()],
    };
    blank(json, choices);
    key(json, name.as_bytes(), choices);
    blank(json, choices);
    if name == "insightDetails" && !choices.once_in(4) {
        object(json, choices, depth.saturating_sub(1));
    } else {
        value(json, choices, depth.saturating_sub(1));
    }
}

/// Adds a key and its colon. Half of the keys have an escape for one of their characters.
fn key(json: &mut Vec<u8>, name: &[u8], choices: &mut Choices<'_>) {
    let escaped = choices.byte();
    json.push(b'"');
    for (at, byte) in name.iter().enumerate() {
        let is_escaped = escaped & 1 == 1 && at == usize::from(escaped >> 2) % name.len();
        match escaped & 2 {
            _ if !is_escaped || !byte.is_ascii() => json.push(*byte),
            0 => json.extend(format!("\\u{byte:04x}").bytes()),
            _ => json.extend(format!("\\u{byte:04X}").bytes()),
        }
    }
    json.extend(b"\":");
}

fn value(json: &mut Vec<u8>, choices: &mut Choices<'_>, depth: usize) {
    const SCALARS: [&str; 8] = [
        "null",
        "true",
        "false",
        "0",
        "-1.50e+3",
        "18446744073709551616",
        "\"Aggregated\"",
        "\"\"",
    ];
    match choices.up_to(9) {
        0..5 => string(json, choices),
        5 | 6 => json.extend(choices.one_of(&SCALARS).bytes()),
        7 => {
            let services = ["\"aws:s3\"", "\"aws:sns\"", "\"AwsAggregatedEvent\"", "\"a\""];
            json.extend(choices.one_of(&services).bytes());
        }
        8 if depth > 0 => object(json, choices, depth - 1),
        9 if depth > 0 => {
            json.push(b'[');
            for n in 0..choices.up_to(3) {
                if n > 0 {
                    json.push(b',');
                }
                value(json, choices, depth - 1);
            }
            json.push(b']');
        }
        // Around the depth at which the fast pass gives up.
        _ => {
            let depth = choices.one_of(&[0, 1, 125, 126, 127, 128, 129, 300]);
            json.extend("[".repeat(depth).bytes().chain("]".repeat(depth.max(1)).bytes()));
            if depth == 0 {
                json.pop();
                json.push(b'7');
            }
        }
    }
}

fn string(json: &mut Vec<u8>, choices: &mut Choices<'_>) {
    const PIECES: [&[u8]; 20] = [
        b"a",
        b"eventID",
        b"aws:",
        b"\\u0000",
        b"\\ud800",
        b"\\uDC00",
        b"\\ud83d\\ude00",
        b"\\u00e9",
        b"\\n",
        b"\\\"",
        b"\\\\",
        b"\\/",
        b"\xc3\xa9",
        b"\xf0\x9f\x98\x80",
        b"\xff",
        b"\xe2\x82",
        b"\xef\xbb\xbf",
        b"\x7f",
        b"{[,:]}",
        b"thirty-one bytes and no escapes",
    ];
    json.push(b'"');
    for _ in 0..choices.up_to(3) {
        json.extend(choices.one_of(&PIECES));
    }
    json.push(b'"');
}

fn blank(json: &mut Vec<u8>, choices: &mut Choices<'_>) {
    if choices.once_in(8) {
        json.extend(choices.one_of(&[" ", "\n", "\r\n\t", "    "]).bytes());
    }
}
