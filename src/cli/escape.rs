//! Escapes what comes from outside before it is printed: names of objects and folders, messages of
//! servers, values of options. All output passes here: results, errors, the log.

use std::borrow::Cow;

/// Returns text with its hidden characters escaped: what comes from outside, such as an object's
/// name or a server's message, must not be able to add lines, to control the terminal, or to look
/// like another text.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if is_hidden(character) {
            escaped.extend(character.escape_default());
        } else {
            escaped.push(character);
        }
    }
    Cow::Owned(escaped)
}

/// Returns JSON with the hidden characters escaped that JSON itself allows in a string.
pub(crate) fn visible_json(json: &str) -> Cow<'_, str> {
    let is_allowed = |character| is_hidden(character) && character >= '\u{7f}';
    if !json.contains(is_allowed) {
        return Cow::Borrowed(json);
    }
    let mut escaped = String::with_capacity(json.len() + 8);
    for character in json.chars() {
        if is_allowed(character) {
            escaped.push_str(&format!("\\u{:04x}", u32::from(character)));
        } else {
            escaped.push(character);
        }
    }
    Cow::Owned(escaped)
}

/// Returns whether a character is not seen but changes what is: a control character, a line
/// separator, a character without width, or one that changes the direction of the text (Unicode
/// standard, sections 23.1 and 23.2; Unicode Technical Report 36, section 2.4).
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_are_escaped_and_nothing_else() {
        for (text, expected) in [
            ("two words, 日本語 🦀 \\n", "two words, 日本語 🦀 \\n"),
            ("a\u{202e}b\u{2066}\u{200f}\u{61c}", "a\\u{202e}b\\u{2066}\\u{200f}\\u{61c}"),
            ("\u{200b}\u{200d}\u{2060}\u{feff}", "\\u{200b}\\u{200d}\\u{2060}\\u{feff}"),
            ("\u{2028}\u{2029}", "\\u{2028}\\u{2029}"),
            ("two\nlines", "two\\nlines"),
            ("\u{1b}[2J\u{9b}0m\u{7f}", "\\u{1b}[2J\\u{9b}0m\\u{7f}"),
        ] {
            assert_eq!(visible(text), expected);
        }
    }

    #[test]
    fn json_has_no_hidden_characters_either_and_is_the_same_value() {
        let value = "\u{1b}\u{7f}\u{9b}\u{202e}\u{200b}\u{2028} é 🦀\n";
        let json = serde_json::to_string_pretty(&[value]).unwrap();
        let escaped = visible_json(&json);
        assert!(!escaped.contains(|it| is_hidden(it) && it != '\n'), "{escaped:?}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&escaped).unwrap(), [value]);
    }
}
