//! The text of JSON values: what a cell holds, and what has to be replaced.

use std::borrow::Cow;

use super::ParseError;
use crate::trail::fields::COLUMN_COUNT;

/// Containers around a value, with its own: a value that nests deeper is stored as a JSON string of
/// its text. MariaDB 10.11 reads documents of up to 31 levels, of which `otherFields` is one; MySQL
/// fails a query that reads one of more than 100 (error 3157). The records of real logs have up to 12.
pub(super) const DEPTH_MAX: u32 = 30;

/// What the rows of one table hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CellRules {
    /// Whether rows have `otherFields`: the fields that are not among the 16 columns.
    pub keeps_other_fields: bool,
    /// The room in each column, in the table's order.
    pub limits: [CellLimit; COLUMN_COUNT],
}

/// How much one column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CellLimit {
    /// More than an object can have.
    Any,
    /// This many characters.
    Chars(usize),
    /// This many bytes.
    Bytes(usize),
}

impl CellRules {
    /// The rules of a table that holds everything.
    pub const ANY: Self = Self { keeps_other_fields: true, limits: [CellLimit::Any; COLUMN_COUNT] };
}

impl CellLimit {
    /// Returns whether the column has room for a text.
    #[inline]
    pub(super) fn holds(self, text: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Bytes(max) => text.len() <= max,
            // No text has more characters than bytes, so they seldom need to be counted.
            Self::Chars(max) => text.len() <= max || text.chars().count() <= max,
        }
    }
}

/// Returns what a text column holds for a value: the characters of a string, or the JSON text of
/// anything else. Adds the number of characters it replaced to `replaced_chars`.
///
/// Not every database can store U+0000 or query text that has it, so U+FFFD replaces it.
pub(super) fn characters<'t>(
    raw: &'t str,
    content: Content,
    replaced_chars: &mut u64,
) -> Cow<'t, str> {
    let Some(inside) = raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return json(raw, content, replaced_chars);
    };
    // Most strings have no escape: their characters are those between the quotes.
    if content == Content::Plain || !inside.as_bytes().contains(&b'\\') {
        return Cow::Borrowed(inside);
    }
    let text = json(raw, content, replaced_chars);
    Cow::Owned(serde_json::from_str(&text).expect("valid JSON once its surrogates are paired"))
}

/// What the values of a record may contain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Content {
    /// No escape, and nothing that [`json`] replaces.
    Plain,
    /// Escapes, but nothing that [`json`] replaces.
    Escaped,
    /// Anything.
    Unchecked,
}

/// Returns a value's JSON text as every database can query it. Adds the number of characters and
/// values it replaced to `replaced_chars`.
///
/// Some database fails a whole query, or finds nothing, for one document that has what is replaced here:
/// an escaped U+0000 and a lone surrogate become `\ufffd`; a number beyond the range of a double, and a
/// value that nests too deep, become a JSON string of their text.
#[inline]
pub(super) fn json<'t>(raw: &'t str, content: Content, replaced_chars: &mut u64) -> Cow<'t, str> {
    match content {
        Content::Plain | Content::Escaped => Cow::Borrowed(raw),
        Content::Unchecked => checked_json(raw, replaced_chars),
    }
}

fn checked_json<'t>(raw: &'t str, replaced_chars: &mut u64) -> Cow<'t, str> {
    if is_too_deep(raw) {
        *replaced_chars += 1;
        return Cow::Owned(serde_json::to_string(raw).expect("text can be written as JSON"));
    }
    let (text, count) = replace(raw);
    *replaced_chars += count;
    text
}

/// Returns whether a JSON text nests deeper than [`DEPTH_MAX`].
fn is_too_deep(raw: &str) -> bool {
    let (mut depth, mut is_string, mut is_escaped) = (0, false, false);
    for byte in raw.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = is_string,
            b'"' => is_string = !is_string,
            b'{' | b'[' if !is_string => depth += 1,
            b'}' | b']' if !is_string => depth -= 1,
            _ => {}
        }
        if depth > DEPTH_MAX {
            return true;
        }
    }
    false
}

/// Returns the bytes as text, and how many ill-formed sequences U+FFFD replaces in it.
///
/// # Errors
/// [`ParseError::OutOfRoom`] and [`ParseError::TextTooLong`], if the text must be a copy of the
/// bytes and is too long.
pub(super) fn to_utf8(bytes: &[u8], bytes_max: usize) -> Result<(Cow<'_, str>, u64), ParseError> {
    if let Ok(text) = simdutf8::basic::from_utf8(bytes) {
        return Ok((Cow::Borrowed(text), 0));
    }
    // U+FFFD has three bytes, an ill-formed sequence may have one.
    let (mut text_bytes, mut replaced_chars) = (0, 0);
    for chunk in bytes.utf8_chunks() {
        text_bytes += chunk.valid().len();
        if !chunk.invalid().is_empty() {
            text_bytes += '\u{fffd}'.len_utf8();
            replaced_chars += 1;
        }
    }
    if i32::try_from(text_bytes).is_err() {
        return Err(ParseError::TextTooLong);
    }
    if text_bytes > bytes_max {
        return Err(ParseError::OutOfRoom { bytes_max });
    }
    Ok((String::from_utf8_lossy(bytes), replaced_chars))
}

/// Turns offsets in the text of [`to_utf8`], in ascending order, into offsets in the bytes it was
/// made of.
pub(super) fn restore_offsets<'o>(bytes: &[u8], offsets: impl Iterator<Item = &'o mut u64>) {
    const REPLACEMENT_BYTES: u64 = '\u{fffd}'.len_utf8() as u64;
    let (mut in_text, mut in_bytes) = (0, 0);
    let mut chunks = bytes.utf8_chunks();
    let mut chunk = chunks.next();
    for offset in offsets {
        // An offset is never inside a replacement: a record begins with a character of its own.
        while let Some(current) = &chunk
            && in_text + (current.valid().len() as u64) < *offset
        {
            let is_replaced = !current.invalid().is_empty();
            in_text += current.valid().len() as u64 + u64::from(is_replaced) * REPLACEMENT_BYTES;
            in_bytes += (current.valid().len() + current.invalid().len()) as u64;
            chunk = chunks.next();
        }
        *offset = in_bytes + (*offset - in_text);
    }
}

/// Returns the JSON text with `\ufffd` in place of every lone surrogate and every escaped U+0000, and
/// quotes around every number that is no double, and how many of them there are.
fn replace(raw: &str) -> (Cow<'_, str>, u64) {
    let mut replaced = String::new();
    let (mut count, mut copied, mut at) = (0, 0, 0);
    let mut is_string = false;
    while let Some(&byte) = raw.as_bytes().get(at) {
        let rest = &raw[at..];
        let (length, replacement) = match byte {
            b'"' => {
                is_string = !is_string;
                (1, None)
            }
            b'\\' => escape(rest),
            b'-' | b'0'..=b'9' if !is_string => number(rest),
            _ => (1, None),
        };
        if let Some(replacement) = replacement {
            replaced.push_str(&raw[copied..at]);
            replaced.push_str(&replacement);
            count += 1;
            copied = at + length;
        }
        at += length;
        // A character of several bytes is passed over as a whole.
        while !raw.is_char_boundary(at) {
            at += 1;
        }
    }
    if count == 0 {
        return (Cow::Borrowed(raw), 0);
    }
    replaced.push_str(&raw[copied..]);
    (Cow::Owned(replaced), count)
}

/// Returns the length of the escape that the text starts with, and what replaces it.
fn escape(text: &str) -> (usize, Option<Cow<'_, str>>) {
    match (code_unit(text), text.get(6..).and_then(code_unit)) {
        (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => (12, None),
        (Some(0 | 0xd800..=0xdfff), _) => (6, Some(Cow::Borrowed("\\ufffd"))),
        _ => (2, None),
    }
}

/// Returns the length of the number that the text starts with, and what replaces it.
fn number(text: &str) -> (usize, Option<Cow<'_, str>>) {
    let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
    let length = text.bytes().position(|byte| !is_part(&byte)).unwrap_or(text.len());
    let number = &text[..length];
    let is_double = number.parse::<f64>().is_ok_and(f64::is_finite);
    (length, (!is_double).then(|| Cow::Owned(format!("\"{number}\""))))
}

/// Returns the UTF-16 code unit of the escape that the text starts with, such as `\ud800`.
fn code_unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    u16::from_str_radix(digits, 16).ok()
}

/// Returns the name of a JSON value's type, with its article.
pub(super) fn json_type(raw: &str) -> &'static str {
    match raw.as_bytes().first() {
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b'"') => "a string",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn characters_of(raw: &str) -> (String, u64) {
        let mut replaced_chars = 0;
        let text = characters(raw, Content::Unchecked, &mut replaced_chars).into_owned();
        (text, replaced_chars)
    }

    fn json_of(raw: &str) -> (String, u64) {
        let mut replaced_chars = 0;
        let text = json(raw, Content::Unchecked, &mut replaced_chars).into_owned();
        (text, replaced_chars)
    }

    #[test]
    fn a_cell_is_the_characters_of_a_string_and_the_text_of_all_else() {
        for (raw, expected) in [
            (r#""plain""#, "plain"),
            (r#""""#, ""),
            (r#""a\"b\\c\/d\n\u00e9\ud83d\ude00""#, "a\"b\\c/d\né😀"),
            ("true", "true"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
            (r#"{"a":1}"#, r#"{"a":1}"#),
            ("[1, 2]", "[1, 2]"),
        ] {
            assert_eq!(characters_of(raw), (expected.to_owned(), 0), "{raw}");
        }
    }

    #[test]
    fn what_a_database_cannot_query_is_replaced_and_counted() {
        for (raw, expected, count) in [
            (r#""a\ud800b""#, "a\u{fffd}b", 1),
            (r#""\udc00\ud800""#, "\u{fffd}\u{fffd}", 2),
            (r#""\ud800\ud83d\ude00""#, "\u{fffd}😀", 1),
            (r#""\\ud800 \ud800""#, "\\ud800 \u{fffd}", 1),
            (r#""\ud800\u00e9é""#, "\u{fffd}éé", 1),
            (r#""a\u0000b\u0000""#, "a\u{fffd}b\u{fffd}", 2),
            (r#""\\u0000""#, "\\u0000", 0),
        ] {
            assert_eq!(characters_of(raw), (expected.to_owned(), count), "{raw}");
        }
        for (raw, expected, count) in [
            ("[1e308,-1E+400000,0.5e-400000]", r#"[1e308,"-1E+400000",0.5e-400000]"#, 1),
            (r#"{"a":"1e999","b":1e999}"#, r#"{"a":"1e999","b":"1e999"}"#, 1),
        ] {
            assert_eq!(json_of(raw), (expected.to_owned(), count), "{raw}");
        }
        let object = r#"{"\u0000k":["\uD83D\uDE00","\uDC00é"],"k":"\\u0000"}"#;
        let expected = r#"{"\ufffdk":["\uD83D\uDE00","\ufffdé"],"k":"\\u0000"}"#;
        assert_eq!(json_of(object), (expected.to_owned(), 2));
    }

    #[test]
    fn a_value_that_nests_too_deep_becomes_a_string() {
        let nested = |depth: usize| format!("{}\"]\"{}", "[".repeat(depth), "]".repeat(depth));
        let depth_max = DEPTH_MAX as usize;
        assert_eq!(json_of(&nested(depth_max)), (nested(depth_max), 0));
        let (text, count) = json_of(&nested(depth_max + 1));
        assert_eq!(count, 1);
        assert_eq!(serde_json::from_str::<String>(&text).unwrap(), nested(depth_max + 1));
        let shallow = format!("[{}0]", r#"{"[":"\"["},"#.repeat(depth_max));
        assert_eq!(json_of(&shallow), (shallow.clone(), 0));
    }

    #[test]
    fn every_ill_formed_sequence_is_counted() {
        assert_eq!(to_utf8(b"ok", 0).unwrap(), (Cow::Borrowed("ok"), 0));
        let (text, replaced_chars) = to_utf8(b"a\xffb\xc3\xc3\xa9", 10).unwrap();
        assert_eq!((&*text, replaced_chars), ("a\u{fffd}b\u{fffd}é", 2));
        assert!(matches!(to_utf8(b"a\xff", 3), Err(ParseError::OutOfRoom { bytes_max: 3 })));
    }
}
