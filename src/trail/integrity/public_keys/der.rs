//! What a DER value is, as far as it matters for public keys.
//!
//! It only looks at the outermost levels, to name what was given instead of a public key. Whether the
//! numbers of a key are good is for the library that verifies.

/// The tags that are looked for (ITU-T X.690, section 8).
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
/// The version of a certificate.
const CONTEXT_0: u8 = 0xa0;

/// `rsaEncryption` (RFC 8017, appendix A.1).
const RSA_ENCRYPTION: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];

/// What a DER value is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum KeyForm<'d> {
    /// PKCS#1's `RSAPublicKey`: modulus and exponent (RFC 8017, appendix A.1.1).
    RsaPublicKey {
        /// The length of the modulus.
        bits: usize,
    },
    /// An RSA key with its algorithm in front (RFC 5280, section 4.1).
    SubjectPublicKeyInfo {
        /// The key: a DER value of its own.
        key: &'d [u8],
    },
    /// Something else that people mistake for it.
    Other(&'static str),
    /// Not DER, or another type.
    Unknown,
}

/// Returns what `der` is. All of it must be one value.
pub(super) fn key_form(der: &[u8]) -> KeyForm<'_> {
    form(der).unwrap_or(KeyForm::Unknown)
}

fn form(der: &[u8]) -> Option<KeyForm<'_>> {
    let (SEQUENCE, mut rest, []) = value(der)? else { return None };
    let (first_tag, first, after) = value(rest)?;
    let (second_tag, second, after) = value(after)?;
    rest = after;
    Some(match (first_tag, second_tag) {
        (INTEGER, INTEGER) if rest.is_empty() => KeyForm::RsaPublicKey { bits: bits(first) },
        // PKCS#1 with more numbers, PKCS#8 (RFC 5208), and the key of an elliptic curve (RFC 5915).
        (INTEGER, INTEGER | SEQUENCE | OCTET_STRING) => KeyForm::Other("a private key"),
        (SEQUENCE, BIT_STRING) => {
            let (OBJECT_IDENTIFIER, algorithm, _) = value(first)? else { return None };
            if algorithm != RSA_ENCRYPTION {
                return Some(KeyForm::Other("a public key of another algorithm"));
            }
            // The first byte of a bit string counts the bits that are left over.
            let (0, key) = second.split_first()? else { return None };
            KeyForm::SubjectPublicKeyInfo { key }
        }
        (SEQUENCE, SEQUENCE) if value(first)?.0 == CONTEXT_0 || value(rest)?.0 == BIT_STRING => {
            KeyForm::Other("a certificate")
        }
        _ => return None,
    })
}

/// Returns the number of bits of a positive integer.
fn bits(integer: &[u8]) -> usize {
    let zeros: usize = integer.iter().take_while(|byte| **byte == 0).count();
    let leading = integer.get(zeros).map_or(0, |byte| byte.leading_zeros() as usize);
    (integer.len() - zeros) * 8 - leading
}

/// Returns the tag and the content of the first value, and what follows it.
fn value(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        // Four bytes of length are enough for any key; none would be a length without end.
        let bytes = usize::from(first & 0x7f);
        let (length, rest) = (1..=4).contains(&bytes).then(|| rest.split_at_checked(bytes))??;
        (length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}
