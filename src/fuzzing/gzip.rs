//! gzip: the decoder in one call against the one that reads member by member.

use std::io::Write;

use flate2::{Compression, GzBuilder};

use super::Choices;
use crate::trail::gzip::{decode, decode_members, is_gzip};

/// Far more than the inputs decode to, unless they are made to decode to more.
const LIMIT_BYTES: u64 = 1 << 20;

/// Decodes the bytes, or gzip members that are generated from them.
///
/// # Panics
/// If the two decoders differ, if more is decoded than allowed, or if a generated file that was not
/// damaged does not decode to its content.
pub fn gzip(data: &[u8]) {
    let Some((&mode, rest)) = data.split_first() else { return };
    let (stored, content) = match mode & 1 {
        0 => (rest.to_vec(), None),
        _ => generate(&mut Choices::new(rest)),
    };
    let limit_bytes = if mode & 2 == 0 { LIMIT_BYTES } else { u64::from(mode) };
    let decoded = decode(&stored, limit_bytes);
    if let Ok(bytes) = &decoded {
        assert!(bytes.len() as u64 <= limit_bytes, "{} bytes", bytes.len());
    }
    if let Some(content) = content {
        match &decoded {
            Ok(bytes) => assert_eq!(**bytes, content),
            Err(error) => assert!(content.len() as u64 > limit_bytes, "{error}"),
        }
    }
    if is_gzip(&stored) {
        let members = decode_members(&stored, limit_bytes);
        let shown = |decoded: Result<Vec<u8>, _>| decoded.map_err(|error| format!("{error:?}"));
        assert_eq!(shown(decoded.map(std::borrow::Cow::into_owned)), shown(members));
    }
}

/// Returns stored bytes and, unless they are damaged, their content.
fn generate(choices: &mut Choices<'_>) -> (Vec<u8>, Option<Vec<u8>>) {
    let (mut stored, mut content) = (Vec::new(), Vec::new());
    for _ in 0..=choices.up_to(3) {
        let mut text = choices.bytes(40);
        if choices.once_in(8) {
            text = text.repeat(choices.up_to(2_000));
        }
        stored.extend(member(&text, choices));
        content.extend(text);
    }
    match choices.up_to(7) {
        0..4 => return (stored, Some(content)),
        4 => {
            stored.resize(stored.len() + choices.up_to(20), 0);
            return (stored, Some(content));
        }
        // Bytes before the trailer, and copies of the trailer.
        5 => {
            let (data, trailer) = stored.split_at(stored.len() - 8);
            stored = [data, &choices.bytes(20), trailer].concat();
        }
        6 => {
            let trailer = stored[stored.len() - 8..].to_vec();
            stored.extend(choices.bytes(20));
            stored.extend(trailer);
        }
        _ => choices.damage(&mut stored),
    }
    (stored, None)
}

/// Returns one member with this content.
fn member(text: &[u8], choices: &mut Choices<'_>) -> Vec<u8> {
    let mut builder = GzBuilder::new().mtime(u32::from(choices.byte()));
    // Names and comments end at the first zero byte.
    let word = |choices: &mut Choices<'_>| -> Vec<u8> {
        choices.bytes(12).into_iter().filter(|byte| *byte != 0).collect()
    };
    if choices.once_in(4) {
        builder = builder.filename(word(choices));
    }
    if choices.once_in(4) {
        builder = builder.comment(word(choices));
    }
    if choices.once_in(4) {
        builder = builder.extra(choices.bytes(12));
    }
    let level = Compression::new(choices.one_of(&[6, 0, 1, 9]));
    let mut encoder = builder.write(Vec::new(), level);
    encoder.write_all(text).expect("memory does not fail");
    encoder.finish().expect("memory does not fail")
}
