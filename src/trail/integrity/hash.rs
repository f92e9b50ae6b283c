//! The hash of a file's content, and hexadecimal text.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// The SHA-256 of a file's content: of the uncompressed bytes, not of those stored.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentHash(pub [u8; 32]);

impl ContentHash {
    /// Hashes a content.
    pub fn of(content: &[u8]) -> Self {
        Self(Sha256::digest(content).into())
    }

    /// Reads 64 hexadecimal digits, of either case; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == 64).then(|| decode_hex(text))??.try_into().ok().map(Self)
    }
}

/// 64 hexadecimal digits, in lower case.
impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&encode_hex(&self.0))
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ContentHash({self})")
    }
}

/// Returns the bytes in hexadecimal digits, in lower case.
pub(super) fn encode_hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Returns the bytes that hexadecimal digits of either case stand for; `None` if one is none or the
/// last byte has only one.
pub(super) fn decode_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|it| u8::try_from(it).ok());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?));
    if rest.is_empty() { bytes.collect() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_64_hexadecimal_digits() {
        // FIPS 180-4, of no bytes.
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(ContentHash::of(b"").to_string(), empty);
        assert_eq!(ContentHash::parse(empty), Some(ContentHash::of(b"")));
        assert_eq!(ContentHash::parse(&empty.to_uppercase()), Some(ContentHash::of(b"")));
        for text in ["", &empty[1..], &empty[2..], &format!("{empty}00"), &"g".repeat(64)] {
            assert_eq!(ContentHash::parse(text), None, "{text}");
        }
        assert_eq!(ContentHash::parse(&"\u{e9}".repeat(32)), None);
    }

    #[test]
    fn hexadecimal_text_has_two_digits_a_byte() {
        assert_eq!(decode_hex("00fFa9"), Some(vec![0, 255, 169]));
        assert_eq!(encode_hex(&[0, 255, 169]), "00ffa9");
        assert_eq!(decode_hex("00f"), None);
        assert_eq!(decode_hex("+1"), None);
    }
}
