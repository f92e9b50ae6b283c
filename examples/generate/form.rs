//! How one value is spelled: identifiers, addresses, names, phrases.
//!
//! A form turns 64 bits into text, always the same text for the same bits.
//! What it writes goes between the quotes of a JSON string or stands as a
//! number, and is escaped already.

use crate::random::{mix, scale};
use crate::words;

/// A spelling of 64 bits.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Form {
    /// A prefix and 17 hexadecimal digits, as in `i-0123456789abcdef0`.
    Ec2(&'static str),
    /// So many lower-case hexadecimal digits.
    Hex(usize),
    /// A prefix and so many capitals and digits, as in `AROA…`.
    Capitals(&'static str, usize),
    /// So many characters of the base-64 alphabet.
    Base64(usize),
    /// The same with `-` and `_`, which need no escaping in addresses.
    Base64Url(usize),
    /// A version 4 UUID.
    Uuid,
    /// A whole number from the first to the second.
    Number(usize, usize),
    /// One of a list.
    Choice(&'static [&'static str]),
    /// A name like `billing-worker-prod` or `edge-api-7`, with one of these words in the middle.
    Name(&'static [&'static str]),
    /// The key of an S3 object.
    ObjectKey,
    /// An address in a private network.
    PrivateIp,
    /// The DNS name of such an address.
    PrivateDns,
    /// A public IPv4 address (documentation and benchmark ranges).
    PublicIp,
    /// An IPv6 address of the documentation range.
    Ip6,
}

const HEX: &[u8; 16] = b"0123456789abcdef";
const CAPITALS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const BASE64_URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl Form {
    /// Appends the spelling of `bits` to `out`.
    pub(crate) fn write(self, bits: u64, out: &mut String) {
        match self {
            Self::Ec2(prefix) => {
                out.push_str(prefix);
                out.push('0');
                push_hex(bits, 16, out);
            }
            Self::Hex(digits) => push_long(bits, digits, HEX, out),
            Self::Capitals(prefix, length) => {
                out.push_str(prefix);
                push_long(bits, length, CAPITALS, out);
            }
            Self::Base64(length) => push_long(bits, length, BASE64, out),
            Self::Base64Url(length) => push_long(bits, length, BASE64_URL, out),
            Self::Uuid => push_uuid(bits, out),
            Self::Number(low, high) => push_number(low + scale(bits, high - low + 1), out),
            Self::Choice(list) => out.push_str(list[scale(bits, list.len())]),
            Self::Name(nouns) => push_name(bits, nouns, out),
            Self::ObjectKey => push_object_key(bits, out),
            Self::PrivateIp => push_ip4("10", bits, '.', out),
            Self::PrivateDns => {
                push_ip4("ip-10", bits, '-', out);
                out.push_str(".ec2.internal");
            }
            Self::PublicIp => push_public_ip(bits, out),
            Self::Ip6 => {
                let [a, b, c, d, ..] = bits.to_be_bytes();
                out.push_str("2001:db8:");
                push_hex(u64::from(a) << 8 | u64::from(b) | 0x1000, 4, out);
                out.push_str("::");
                push_hex(u64::from(c) << 8 | u64::from(d) | 0x1000, 4, out);
            }
        }
    }
}

/// Appends `number` in decimal digits.
pub(crate) fn push_number(number: usize, out: &mut String) {
    if number >= 10 {
        push_number(number / 10, out);
    }
    let digit = u8::try_from(number % 10).expect("a remainder of ten is one digit");
    out.push(char::from(b'0' + digit));
}

/// Appends the lowest `digits` (at most 16) hexadecimal digits of `bits`.
pub(crate) fn push_hex(bits: u64, digits: usize, out: &mut String) {
    let bytes = bits.to_be_bytes();
    for at in 16 - digits..16 {
        let byte = bytes[at / 2];
        let nibble = if at % 2 == 0 { byte >> 4 } else { byte & 15 };
        out.push(char::from(HEX[usize::from(nibble)]));
    }
}

/// Appends `length` characters of an alphabet whose size is a power of two.
fn push_long<const SIZE: usize>(bits: u64, length: usize, alphabet: &[u8; SIZE], out: &mut String) {
    let mut left = length;
    let mut block = bits;
    while left > 0 {
        block = mix(block, bits);
        for byte in block.to_be_bytes().into_iter().take(left) {
            out.push(char::from(alphabet[usize::from(byte) % SIZE]));
        }
        left = left.saturating_sub(8);
    }
}

fn push_uuid(bits: u64, out: &mut String) {
    let low = mix(bits, 1);
    push_hex(bits >> 32, 8, out);
    out.push('-');
    push_hex(bits >> 16, 4, out);
    out.push_str("-4");
    push_hex(bits, 3, out);
    out.push('-');
    push_hex(low >> 48 & 0x3fff | 0x8000, 4, out);
    out.push('-');
    push_hex(low, 12, out);
}

fn push_ip4(first: &str, bits: u64, dot: char, out: &mut String) {
    out.push_str(first);
    let [a, b, c, ..] = bits.to_be_bytes();
    for part in [a % 32, b, c] {
        out.push(dot);
        push_number(usize::from(part), out);
    }
}

fn push_public_ip(bits: u64, out: &mut String) {
    // RFC 5737 (documentation) and RFC 2544 (benchmarks): reserved addresses.
    let [a, b, c, ..] = bits.to_be_bytes();
    match a % 5 {
        0 => out.push_str("203.0.113."),
        1 => out.push_str("198.51.100."),
        2 => out.push_str("192.0.2."),
        _ => {
            out.push_str(if a % 2 == 0 { "198.18." } else { "198.19." });
            push_number(usize::from(b), out);
            out.push('.');
        }
    }
    push_number(usize::from(c), out);
}

fn push_name(bits: u64, nouns: &[&str], out: &mut String) {
    out.push_str(words::TEAMS[scale(bits, words::TEAMS.len())]);
    out.push('-');
    out.push_str(nouns[scale(mix(bits, 1), nouns.len())]);
    out.push('-');
    if mix(bits, 3).is_multiple_of(2) {
        push_number(scale(mix(bits, 4), 90) + 1, out);
    } else {
        out.push_str(words::STAGES[scale(mix(bits, 2), words::STAGES.len())]);
    }
}

fn push_object_key(bits: u64, out: &mut String) {
    out.push_str(words::FOLDERS[scale(bits, words::FOLDERS.len())]);
    out.push_str("/dt=2026-01-");
    push_number(scale(mix(bits, 1), 19) + 10, out);
    out.push_str("/part-");
    push_number(scale(mix(bits, 2), 9_000_000) + 1_000_000, out);
    out.push_str(words::ENDINGS[scale(mix(bits, 4), words::ENDINGS.len())]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelled(form: Form, bits: u64) -> String {
        let mut out = String::new();
        form.write(bits, &mut out);
        out
    }

    #[test]
    fn identifiers_have_their_service_s_length() {
        assert_eq!(spelled(Form::Ec2("i-"), 7).len(), 19);
        assert_eq!(spelled(Form::Uuid, 7).len(), 36);
        assert_eq!(spelled(Form::Uuid, 7).as_bytes()[14], b'4');
        assert_eq!(spelled(Form::Capitals("AROA", 17), 7).len(), 21);
        assert_eq!(spelled(Form::Base64(61), 7).len(), 61);
        assert_eq!(spelled(Form::Number(100, 999), u64::MAX), "999");
    }

    #[test]
    fn the_same_bits_are_always_the_same_name() {
        let nouns = &["queue", "topic"];
        assert_eq!(spelled(Form::Name(nouns), 99), spelled(Form::Name(nouns), 99));
        assert_ne!(spelled(Form::Name(nouns), 99), spelled(Form::Name(nouns), u64::MAX));
    }
}
