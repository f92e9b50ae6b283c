//! Stored bytes to JSON bytes: decodes every gzip member, up to a limit.
//!
//! Gzip is recognised by its magic bytes, never by a name; anything else passes through untouched.
//! The decoded size never exceeds the caller's limit, whatever the input claims.
//!
//! A log file is nearly always one gzip member: libdeflate decodes it in one call. Anything else,
//! and anything inconsistent, is read member by member with flate2, which reports what is wrong.

use std::borrow::Cow;
use std::io::{self, Read};

#[expect(clippy::disallowed_types, reason = "the loop below reads every member")]
use flate2::bufread::GzDecoder;
use libdeflater::Decompressor;
use thiserror::Error;

/// The first two bytes of every gzip member (RFC 1952, section 2.3.1).
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// A header without name, comment or other extras (RFC 1952, section 2.3): magic bytes, deflate,
/// no flags; then time, level and system.
const PLAIN_HEADER: [u8; 4] = [0x1f, 0x8b, 8, 0];

/// The end of a member: its decoded size modulo 2^32 (RFC 1952, section 2.3.1).
const SIZE_BYTES: usize = 4;

/// Deflate cannot exceed a ratio of 1,032 to 1 (zlib's technical notes), so a larger size in the
/// trailer is wrong and reserves nothing.
const DEFLATE_RATIO_MAX: usize = 1032;

/// Why stored bytes cannot be decoded. Nothing of the object is used.
#[derive(Debug, Error)]
pub enum DecodeError {
    /// The stored bytes end inside a gzip member.
    #[error("the gzip data is cut off after {decoded_bytes} decoded bytes")]
    Truncated {
        /// How many bytes could be decoded before the end.
        decoded_bytes: usize,
    },
    /// Bad header, bad code or wrong checksum.
    #[error("the gzip data is damaged in the member that starts at byte {member_offset}")]
    Damaged {
        /// Where the damaged member starts in the stored bytes.
        member_offset: usize,
        /// The decoder's message.
        #[source]
        source: io::Error,
    },
    /// Something other than a gzip member follows the last member.
    #[error(
        "{garbage_bytes} {} not gzip {} the gzip data at byte {offset}",
        if *.garbage_bytes == 1 { "byte that is" } else { "bytes that are" },
        if *.garbage_bytes == 1 { "follows" } else { "follow" }
    )]
    TrailingGarbage {
        /// Where it starts in the stored bytes.
        offset: usize,
        /// How much of it there is.
        garbage_bytes: usize,
    },
    /// It decodes to more than the caller allows.
    #[error("decodes to more than {limit_bytes} bytes")]
    TooLarge {
        /// The limit.
        limit_bytes: u64,
    },
}

/// Returns whether the stored bytes begin with gzip's magic bytes.
pub fn is_gzip(stored: &[u8]) -> bool {
    stored.starts_with(&GZIP_MAGIC)
}

/// Guesses the decoded size from the last gzip trailer; exact for one member below 4 GiB.
///
/// Only a hint for how much to reserve: never more than deflate could produce.
pub fn decoded_bytes_hint(stored: &[u8]) -> usize {
    match stored.last_chunk::<4>() {
        Some(&trailer) if is_gzip(stored) => (u32::from_le_bytes(trailer) as usize)
            .min(stored.len().saturating_mul(DEFLATE_RATIO_MAX)),
        _ => stored.len(),
    }
}

/// Returns the content of the stored bytes: all gzip members decoded, one after another, or the
/// bytes as they are if they are not gzip.
///
/// Zero bytes after the last member are padding, as for gzip(1).
///
/// ```
/// use cloudtrail2sql::trail::gzip::{DecodeError, decode};
///
/// // Plain bytes pass through; the limit applies to them, too.
/// assert_eq!(*decode(b"{}", 2)?, *b"{}");
/// assert!(matches!(decode(b"{ }", 2), Err(DecodeError::TooLarge { limit_bytes: 2 })));
/// # Ok::<(), DecodeError>(())
/// ```
///
/// # Errors
/// See [`DecodeError`]; plain bytes can only be too large.
pub fn decode(stored: &[u8], limit_bytes: u64) -> Result<Cow<'_, [u8]>, DecodeError> {
    if !is_gzip(stored) {
        if stored.len() as u64 > limit_bytes {
            return Err(DecodeError::TooLarge { limit_bytes });
        }
        return Ok(Cow::Borrowed(stored));
    }
    if let Some(decoded) = decode_single_member(stored, limit_bytes) {
        return Ok(Cow::Owned(decoded));
    }
    decode_members(stored, limit_bytes).map(Cow::Owned)
}

/// Decodes gzip member by member. Whatever [`decode_single_member`] decodes, this decodes to the
/// same bytes.
pub(crate) fn decode_members(stored: &[u8], limit_bytes: u64) -> Result<Vec<u8>, DecodeError> {
    let reserve_max = usize::try_from(limit_bytes).unwrap_or(usize::MAX);
    let mut decoded = Vec::with_capacity(decoded_bytes_hint(stored).min(reserve_max) + 1);
    let mut rest = stored;
    while is_gzip(rest) {
        let member_offset = stored.len() - rest.len();
        #[expect(clippy::disallowed_types, reason = "the loop around reads every member")]
        let mut member = GzDecoder::new(rest);
        // One byte more than allowed distinguishes "just fits" from "too large".
        let room_bytes = (limit_bytes + 1).saturating_sub(decoded.len() as u64);
        let outcome = member.by_ref().take(room_bytes).read_to_end(&mut decoded);
        if decoded.len() as u64 > limit_bytes {
            return Err(DecodeError::TooLarge { limit_bytes });
        }
        match outcome {
            Ok(_) => rest = member.into_inner(),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(DecodeError::Truncated { decoded_bytes: decoded.len() });
            }
            Err(source) => return Err(DecodeError::Damaged { member_offset, source }),
        }
    }
    if rest.iter().any(|&byte| byte != 0) {
        let (offset, garbage_bytes) = (stored.len() - rest.len(), rest.len());
        return Err(DecodeError::TrailingGarbage { offset, garbage_bytes });
    }
    Ok(decoded)
}

/// Decodes bytes that are a single member from the first byte to the last; `None` if that is in
/// doubt.
///
/// libdeflate checks the trailer that follows the compressed data, but does not report where that
/// is. A trailer ends with the decoded size: if these four bytes occur at the end of the stored
/// bytes and nowhere else, the trailer is there.
fn decode_single_member(stored: &[u8], limit_bytes: u64) -> Option<Vec<u8>> {
    let member = stored.strip_prefix(&PLAIN_HEADER)?;
    // Another member would begin with these three bytes.
    if memchr::memmem::find(member, &PLAIN_HEADER[..3]).is_some() {
        return None;
    }
    let size = stored.last_chunk::<SIZE_BYTES>()?;
    if memchr::memmem::find(stored, size) != Some(stored.len() - SIZE_BYTES) {
        return None;
    }
    let decoded_bytes = decoded_bytes_hint(stored);
    if decoded_bytes == 0 || decoded_bytes as u64 > limit_bytes {
        return None;
    }
    let mut decoded = vec![0; decoded_bytes];
    let written = Decompressor::new().gzip_decompress(stored, &mut decoded).ok()?;
    (written == decoded_bytes).then_some(decoded)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    const LIMIT: u64 = 1 << 20;

    fn gz(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn plain_bytes_pass_untouched() {
        assert!(matches!(decode(b"{}", LIMIT).unwrap(), Cow::Borrowed(b"{}")));
        assert_eq!(*decode(b"", LIMIT).unwrap(), *b"");
    }

    #[test]
    fn every_member_is_read() {
        let stored = [gz(b"one "), gz(b""), gz(b"two")].concat();
        assert_eq!(*decode(&stored, LIMIT).unwrap(), *b"one two");
    }

    /// Whatever libdeflate must not decode, whole or in part, is decoded by flate2.
    #[test]
    fn only_a_single_plain_member_is_decoded_in_one_call() {
        let one = gz(b"one");
        assert_eq!(decode_single_member(&one, LIMIT).as_deref(), Some(&b"one"[..]));
        assert_eq!(decode_single_member(&one, 2), None);
        let named = {
            let encoder = flate2::GzBuilder::new().filename("a.json").comment("of a tool");
            let mut encoder = encoder.write(Vec::new(), Compression::default());
            encoder.write_all(b"one").unwrap();
            encoder.finish().unwrap()
        };
        for (stored, expected) in [
            (named, "one"),
            // The trailer at the end fits the first member, too.
            ([&*one, &*one].concat(), "oneone"),
            ([&*one, &gz(b"")].concat(), "one"),
            ([&*one, &[0; 8]].concat(), "one"),
            // Eight zero bytes are the trailer of nothing, too.
            ([&*gz(b""), &[0; 8]].concat(), ""),
        ] {
            assert_eq!(decode_single_member(&stored, LIMIT), None, "{expected}");
            assert_eq!(*decode(&stored, LIMIT).unwrap(), *expected.as_bytes());
        }
        // Bytes between the compressed data and a trailer, or between two copies of the trailer.
        for junk in [b"JUNK".repeat(100), one[one.len() - 8..].to_vec(), vec![0; 20]] {
            let (data, trailer) = one.split_at(one.len() - 8);
            for stored in [[data, &junk, trailer].concat(), [&*one, &junk, trailer].concat()] {
                assert_eq!(decode_single_member(&stored, LIMIT), None);
                assert!(decode(&stored, LIMIT).is_err(), "{junk:?}");
            }
        }
        let garbage = [&*gz(b""), b"xyz", &[0; 8]].concat();
        assert!(matches!(decode(&garbage, LIMIT), Err(DecodeError::TrailingGarbage { .. })));
        for at in 0..one.len() {
            let mut stored = one.clone();
            stored[at] ^= 1;
            let decoded = decode_single_member(&stored, LIMIT);
            assert_eq!(decoded.is_some(), (4..10).contains(&at), "time and system, at {at}");
        }
    }

    #[test]
    fn zero_padding_is_not_garbage() {
        let stored = [gz(b"one"), vec![0; 512]].concat();
        assert_eq!(*decode(&stored, LIMIT).unwrap(), *b"one");
    }

    #[test]
    fn a_cut_at_any_byte_is_detected() {
        let stored = gz(b"a log file that is cut somewhere, and again somewhere");
        for end in 2..stored.len() {
            let error = decode(&stored[..end], LIMIT).unwrap_err();
            assert!(matches!(error, DecodeError::Truncated { .. }), "cut at {end}: {error}");
        }
    }

    #[test]
    fn a_flipped_checksum_is_detected() {
        let mut stored = gz(b"a log file");
        let checksum = stored.len() - 8;
        stored[checksum] ^= 1;
        assert!(matches!(decode(&stored, LIMIT), Err(DecodeError::Damaged { .. })));
    }

    #[test]
    fn garbage_after_the_last_member_is_detected() {
        let stored = [gz(b"one"), b"xyz".to_vec()].concat();
        let error = decode(&stored, LIMIT).unwrap_err();
        let DecodeError::TrailingGarbage { offset, garbage_bytes } = error else {
            panic!("{error}")
        };
        assert_eq!((offset, garbage_bytes), (stored.len() - 3, 3));
        let stored = [gz(b"one"), b"x".to_vec()].concat();
        let expected = format!("1 byte that is not gzip follows the gzip data at byte {offset}");
        assert_eq!(decode(&stored, LIMIT).unwrap_err().to_string(), expected);
    }

    #[test]
    fn the_limit_is_exact() {
        for stored in [gz(&[7; 1000]), vec![7; 1000], [gz(&[7; 500]), gz(&[7; 500])].concat()] {
            assert_eq!(decode(&stored, 1000).unwrap().len(), 1000);
            assert!(matches!(decode(&stored, 999), Err(DecodeError::TooLarge { .. })));
        }
    }

    #[test]
    fn a_lying_trailer_reserves_no_more_than_deflate_can_reach() {
        let mut stored = gz(b"x");
        let trailer = stored.len() - 4;
        stored[trailer..].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(decoded_bytes_hint(&stored) <= stored.len() * DEFLATE_RATIO_MAX);
        assert!(decode(&stored, LIMIT).is_err());
    }
}
