//! Percent-encoding, as the drivers undo it.

use std::fmt::Write;

/// Returns `plain` with every byte encoded but the unreserved ones (RFC 3986, section 2.3).
pub(super) fn encode(plain: &str) -> String {
    plain.bytes().fold(String::with_capacity(plain.len()), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("writing to a String cannot fail");
        }
        encoded
    })
}

/// Returns `encoded` decoded, or nothing if the result is not UTF-8.
///
/// A `%` without two hexadecimal digits stands for itself, as it does in sqlx.
pub(super) fn decode(encoded: &str) -> Option<String> {
    let mut plain = Vec::with_capacity(encoded.len());
    let mut rest = encoded.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let pair = if first == b'%' { after.get(..2) } else { None };
        let pair = pair.and_then(|pair| std::str::from_utf8(pair).ok());
        // `from_str_radix` takes a sign, which is no digit.
        let pair = pair.filter(|pair| !pair.starts_with('+'));
        if let Some(byte) = pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            plain.push(byte);
            rest = &after[2..];
        } else {
            plain.push(first);
            rest = after;
        }
    }
    String::from_utf8(plain).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_survives_the_round_trip() {
        let ascii: String = (0..128).map(char::from).collect();
        for plain in ["", "a b", "100%", "%41", "p@ss:w/o?r#d", "grüße", "🔑", &ascii] {
            assert_eq!(decode(&encode(plain)).as_deref(), Some(plain));
        }
    }

    #[test]
    fn a_lone_percent_stands_for_itself() {
        for (encoded, plain) in
            [("100%", "100%"), ("%zz", "%zz"), ("%4", "%4"), ("%+1", "%+1"), ("%4a%4B", "JK")]
        {
            assert_eq!(decode(encoded).as_deref(), Some(plain));
        }
    }

    #[test]
    fn bytes_that_are_not_utf8_decode_to_nothing() {
        assert_eq!(decode("%FF"), None);
    }
}
