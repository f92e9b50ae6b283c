//! The text of JSON values: what a cell holds, and what has to be replaced.

use std::borrow::Cow;

use super::ParseError;
use crate::trail::fields::COLUMN_COUNT;
use crate::trail::rows::Cells;

/// What the `logs` table of one database can hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CellRules {
    /// Whether text may hold U+0000. PostgreSQL's may not: U+FFFD replaces it and is counted.
    pub stores_nul: bool,
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
    /// The rules of a table that holds everything as it is.
    pub const ANY: Self = Self { stores_nul: true, limits: [CellLimit::Any; COLUMN_COUNT] };

    /// Returns the first column that is too narrow for its cell as an error.
    pub(super) fn check(&self, cells: &Cells<'_>) -> Result<(), usize> {
        let fits = |(limit, cell): (&CellLimit, Option<&str>)| match (limit, cell) {
            (CellLimit::Any, _) | (_, None) => true,
            (CellLimit::Bytes(max), Some(text)) => text.len() <= *max,
            // No text has more characters than bytes, so they seldom need to be counted.
            (CellLimit::Chars(max), Some(text)) => {
                text.len() <= *max || text.chars().count() <= *max
            }
        };
        let narrow = self.limits.iter().zip(cells.iter().copied()).position(|pair| !fits(pair));
        narrow.map_or(Ok(()), Err)
    }

    /// Returns what a cell holds for a value's JSON text: the characters of a string, or the text
    /// itself of anything else. Adds the number of characters it replaced to `replaced_chars`.
    ///
    /// `may_have_escapes` is false if the caller knows that there is no backslash in it.
    pub(super) fn cell<'t>(
        &self,
        raw: &'t str,
        may_have_escapes: bool,
        replaced_chars: &mut u64,
    ) -> Cow<'t, str> {
        let Some(inside) = raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
            return Cow::Borrowed(raw);
        };
        // Most strings have no escape: their characters are those between the quotes.
        if !(may_have_escapes && inside.as_bytes().contains(&b'\\')) {
            return Cow::Borrowed(inside);
        }
        let mut characters: String = serde_json::from_str(raw).unwrap_or_else(|_| {
            let (paired, count) = replace_lone_surrogates(raw);
            *replaced_chars += count;
            serde_json::from_str(&paired).expect("valid JSON once its surrogates are paired")
        });
        if !self.stores_nul && characters.contains('\0') {
            *replaced_chars += characters.matches('\0').count() as u64;
            characters = characters.replace('\0', "\u{fffd}");
        }
        Cow::Owned(characters)
    }
}

/// Returns the bytes as text, and how many ill-formed sequences U+FFFD replaces in it.
///
/// # Errors
/// [`ParseError::OutOfRoom`] and [`ParseError::TextTooLong`], if the text must be a copy of the
/// bytes and is too long.
pub(super) fn to_utf8(bytes: &[u8], bytes_max: usize) -> Result<(Cow<'_, str>, u64), ParseError> {
    if let Ok(text) = std::str::from_utf8(bytes) {
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

/// Returns the JSON string with `\ufffd` in place of every lone surrogate, and their number.
fn replace_lone_surrogates(raw: &str) -> (String, u64) {
    let mut paired = String::with_capacity(raw.len());
    let mut count = 0;
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        paired.push_str(before);
        let length = match (surrogate(escape), escape.get(6..).and_then(surrogate)) {
            (Some(Half::High), Some(Half::Low)) => 12,
            (Some(_), _) => {
                paired.push_str("\\ufffd");
                count += 1;
                rest = &escape[6..];
                continue;
            }
            (None, _) => 2,
        };
        paired.push_str(&escape[..length]);
        rest = &escape[length..];
    }
    paired.push_str(rest);
    (paired, count)
}

enum Half {
    High,
    Low,
}

/// Returns which half of a surrogate pair the text starts with: `\uD800` to `\uDFFF`.
fn surrogate(text: &str) -> Option<Half> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    match u16::from_str_radix(digits, 16).ok()? {
        0xd800..=0xdbff => Some(Half::High),
        0xdc00..=0xdfff => Some(Half::Low),
        _ => None,
    }
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

    fn cell_of(raw: &str, rules: &CellRules) -> (String, u64) {
        let mut replaced_chars = 0;
        let text = rules.cell(raw, true, &mut replaced_chars).into_owned();
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
            assert_eq!(cell_of(raw, &CellRules::ANY), (expected.to_owned(), 0), "{raw}");
        }
    }

    #[test]
    fn lone_surrogates_are_replaced_and_counted() {
        for (raw, expected, count) in [
            (r#""a\ud800b""#, "a\u{fffd}b", 1),
            (r#""\udc00\ud800""#, "\u{fffd}\u{fffd}", 2),
            (r#""\ud800\ud83d\ude00""#, "\u{fffd}😀", 1),
            (r#""\\ud800 \ud800""#, "\\ud800 \u{fffd}", 1),
            (r#""\ud800\u00e9é""#, "\u{fffd}éé", 1),
        ] {
            assert_eq!(cell_of(raw, &CellRules::ANY), (expected.to_owned(), count), "{raw}");
        }
    }

    #[test]
    fn nul_is_replaced_only_where_it_cannot_be_stored() {
        let raw = r#""a\u0000b\u0000""#;
        assert_eq!(cell_of(raw, &CellRules::ANY), ("a\0b\0".to_owned(), 0));
        assert_eq!(
            cell_of(raw, &CellRules { stores_nul: false, ..CellRules::ANY }),
            ("a\u{fffd}b\u{fffd}".to_owned(), 2)
        );
    }

    #[test]
    fn every_ill_formed_sequence_is_counted() {
        assert_eq!(to_utf8(b"ok", 0).unwrap(), (Cow::Borrowed("ok"), 0));
        let (text, replaced_chars) = to_utf8(b"a\xffb\xc3\xc3\xa9", 10).unwrap();
        assert_eq!((&*text, replaced_chars), ("a\u{fffd}b\u{fffd}é", 2));
        assert!(matches!(to_utf8(b"a\xff", 3), Err(ParseError::OutOfRoom { bytes_max: 3 })));
    }
}
