//! Finds where JSON values begin and end, and validates every byte of them.
//!
//! Returns `None` at anything that is not plain, valid JSON. Everything it accepts, `serde_json`
//! accepts, too (a test compares them). It reports no errors: the exact pass does.

use super::text::{Content, DEPTH_MAX};

/// Open containers are the bits of a `u128`, above which one bit marks their end. Values that nest
/// deeper than the limit are left to the exact pass.
const _: () = assert!(DEPTH_MAX < u128::BITS);

/// Numbers with fewer digits and no exponent are doubles: the largest has 309.
const DOUBLE_DIGITS: usize = 308;

/// How many bytes of a string are examined together.
const STRIDE: usize = 32;

/// Walks a JSON text. Between two calls it is positioned after what was read, before any blanks.
#[derive(Debug)]
pub(super) struct Scanner<'t> {
    text: &'t str,
    at: usize,
    content: Content,
}

impl<'t> Scanner<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, at: 0, content: Content::Plain }
    }

    /// Returns the next byte that is not a blank, without taking it.
    #[inline]
    pub(super) fn peek(&mut self) -> Option<u8> {
        loop {
            match self.byte()? {
                b' ' | b'\t' | b'\n' | b'\r' => self.at += 1,
                byte => return Some(byte),
            }
        }
    }

    /// Returns whether only blanks are left.
    pub(super) fn is_at_end(&mut self) -> bool {
        self.peek().is_none()
    }

    /// Returns what was found since the last call.
    pub(super) fn take_content(&mut self) -> Content {
        std::mem::replace(&mut self.content, Content::Plain)
    }

    /// Enters the container that comes next; returns whether it has any content. If it has none, the
    /// container has been left.
    #[inline]
    pub(super) fn enter(&mut self, close: u8) -> Option<bool> {
        self.at += 1;
        let is_empty = self.peek()? == close;
        self.at += usize::from(is_empty);
        Some(!is_empty)
    }

    /// Moves past the separator after one member; returns whether another follows. If none does,
    /// the container has been left.
    #[inline]
    pub(super) fn next(&mut self, close: u8) -> Option<bool> {
        let byte = self.peek()?;
        self.at += 1;
        match byte {
            b',' => Some(true),
            _ if byte == close => Some(false),
            _ => None,
        }
    }

    /// Takes a key and its colon; returns the text between its quotes, escapes unresolved.
    #[inline]
    pub(super) fn key(&mut self) -> Option<&'t str> {
        if self.peek()? != b'"' {
            return None;
        }
        let start = self.at + 1;
        self.string()?;
        let name = &self.text[start..self.at - 1];
        if self.peek()? != b':' {
            return None;
        }
        self.at += 1;
        Some(name)
    }

    /// Takes a value; returns its text.
    #[inline]
    pub(super) fn value(&mut self) -> Option<&'t str> {
        let first = self.peek()?;
        let start = self.at;
        match first {
            b'{' | b'[' => self.container()?,
            _ => self.scalar(first)?,
        }
        Some(&self.text[start..self.at])
    }

    fn container(&mut self) -> Option<()> {
        // One bit for each open container, the innermost lowest: 1 for an object. The bit above
        // all of them marks their end.
        let mut open = 1_u128;
        let close = |open: u128| if open & 1 == 1 { b'}' } else { b']' };
        loop {
            // A value begins here.
            let first = self.peek()?;
            if matches!(first, b'{' | b'[') {
                if open.ilog2() == DEPTH_MAX {
                    return None;
                }
                open = open << 1 | u128::from(first == b'{');
                if self.enter(close(open))? {
                    if first == b'{' {
                        self.key()?;
                    }
                    continue;
                }
                open >>= 1;
            } else {
                self.scalar(first)?;
            }
            // The value has ended, and with it perhaps the containers around it.
            while open > 1 && !self.next(close(open))? {
                open >>= 1;
            }
            if open == 1 {
                return Some(());
            }
            if open & 1 == 1 {
                self.key()?;
            }
        }
    }

    #[inline]
    fn scalar(&mut self, first: u8) -> Option<()> {
        match first {
            b'"' => self.string(),
            b't' => self.word("true"),
            b'f' => self.word("false"),
            b'n' => self.word("null"),
            _ => self.number(),
        }
    }

    /// Takes the string whose quote stands next.
    #[expect(clippy::inline_always, reason = "parsing takes 7 % less time")]
    #[inline(always)]
    fn string(&mut self) -> Option<()> {
        self.at += 1;
        loop {
            let rest = &self.text.as_bytes()[self.at..];
            let plain = match rest.first_chunk() {
                Some(stride) => plain_bytes(stride),
                None => rest.iter().position(|&byte| !is_plain(byte))?,
            };
            self.at += plain;
            if plain == STRIDE {
                continue;
            }
            let byte = rest[plain];
            self.at += 1;
            match byte {
                b'"' => return Some(()),
                b'\\' => self.escape()?,
                _control => return None,
            }
        }
    }

    /// Takes the rest of an escape, after its backslash.
    fn escape(&mut self) -> Option<()> {
        self.content = self.content.max(Content::Escaped);
        let byte = self.byte()?;
        self.at += 1;
        match byte {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(()),
            b'u' => {
                match self.code_unit()? {
                    0xd800..=0xdbff if self.is_at_low_surrogate() => {
                        self.at += 2;
                        self.code_unit()?;
                    }
                    0 | 0xd800..=0xdfff => self.content = Content::Unchecked,
                    _ => {}
                }
                Some(())
            }
            _ => None,
        }
    }

    /// Takes the four digits of an escape.
    fn code_unit(&mut self) -> Option<u16> {
        let digits = self.text.get(self.at..self.at + 4)?;
        self.at += digits.len();
        // A sign is no digit.
        let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hex.then(|| u16::from_str_radix(digits, 16).ok())?
    }

    fn is_at_low_surrogate(&self) -> bool {
        let rest = &self.text.as_bytes()[self.at..];
        matches!(rest, [b'\\', b'u', b'd' | b'D', b'c'..=b'f' | b'C'..=b'F', ..])
    }

    fn number(&mut self) -> Option<()> {
        let start = self.at;
        self.take_any(b"-");
        if !self.take_any(b"0") {
            self.digits()?;
        }
        if self.take_any(b".") {
            self.digits()?;
        }
        let has_exponent = self.take_any(b"eE");
        if has_exponent {
            self.take_any(b"+-");
            self.digits()?;
        }
        // Only such a number can be beyond the range of a double.
        if has_exponent || self.at - start > DOUBLE_DIGITS {
            self.content = Content::Unchecked;
        }
        Some(())
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.take_any(b"0123456789") {}
        (self.at > start).then_some(())
    }

    fn word(&mut self, word: &str) -> Option<()> {
        self.text.as_bytes()[self.at..].starts_with(word.as_bytes()).then(|| self.at += word.len())
    }

    /// Takes the next byte if it is one of `these`.
    fn take_any(&mut self, these: &[u8]) -> bool {
        let is_one = self.byte().is_some_and(|byte| these.contains(&byte));
        self.at += usize::from(is_one);
        is_one
    }

    #[inline]
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }
}

/// Returns whether a byte is plain text: not a quote, a backslash or a control character.
fn is_plain(byte: u8) -> bool {
    byte >= b' ' && !matches!(byte, b'"' | b'\\')
}

/// Returns how many plain bytes the stride begins with.
#[inline]
fn plain_bytes(stride: &[u8; STRIDE]) -> usize {
    let (words, _) = stride.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let marks = marks(u64::from_le_bytes(*word));
        if marks != 0 {
            return 8 * index + marks.trailing_zeros() as usize / 8;
        }
    }
    STRIDE
}

/// Returns the word with the highest bit set in each byte that is not plain. Bytes above the first
/// of those may have it set, too, because the subtraction borrows from them.
#[inline]
fn marks(word: u64) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGHEST_BITS: u64 = ONES << 7;
    let below = |word: u64, limit: u8| word.wrapping_sub(ONES * u64::from(limit)) & !word;
    let equal = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    (below(word, b' ') | equal(b'"') | equal(b'\\')) & HIGHEST_BITS
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    fn takes(text: &str) -> bool {
        let mut scanner = Scanner::new(text);
        let value = scanner.value();
        value == Some(text.trim()) && scanner.is_at_end()
    }

    const VALUES: [&str; 18] = [
        r#"{"a":[1,-0.5e+3,{"b":{}},[],[[]]],"c":"d\"\\\/\b\f\n\r\t\u00e9\ud800"}"#,
        " [ 1 , { \"a\" : null } ,\ttrue,\r\nfalse ] ",
        r#""a string of more than thirty-two bytes, é and 😀 and \" and then some more""#,
        "0",
        "-1e5",
        "123456789012345678901234567890.5",
        "{}",
        "[]",
        "null",
        r#""""#,
        r#""\\""#,
        "\"a\u{7f}b\"",
        r#"[{"k":[{"k":[{"k":0}]}]},"x"]"#,
        r#"{"":"","\u0061":1}"#,
        r#""aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n""#,
        r#""aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa""#,
        r"[1.0,2e-7,3E9]",
        r#"{"a":{"b":{"c":[]}},"d":[{},{}]}"#,
    ];

    #[test]
    fn valid_values_are_taken_whole() {
        for value in VALUES {
            assert!(takes(value), "{value}");
        }
    }

    #[test]
    fn a_value_in_another_is_taken_alone() {
        let mut scanner = Scanner::new(r#" {"a" : [1, 2] ,"b":3}"#);
        assert_eq!(scanner.peek(), Some(b'{'));
        assert_eq!(scanner.enter(b'}'), Some(true));
        assert_eq!((scanner.key(), scanner.value()), (Some("a"), Some("[1, 2]")));
        assert_eq!(scanner.next(b'}'), Some(true));
        assert_eq!((scanner.key(), scanner.value()), (Some("b"), Some("3")));
        assert_eq!(scanner.next(b'}'), Some(false));
        assert!(scanner.is_at_end());
    }

    #[test]
    fn containers_are_followed_to_a_depth_and_then_left() {
        for (opening, closing) in [("[", "]"), ("{\"a\":", "}"), ("[{\"a\":", "}]")] {
            let levels = closing.len();
            let nested = |depth| {
                let times = depth / levels;
                format!("{}0{}", opening.repeat(times), closing.repeat(times))
            };
            let depth_max = DEPTH_MAX as usize;
            assert!(takes(&nested(depth_max)), "{opening}");
            for depth in depth_max + 1..3 * depth_max {
                let text = nested(depth.next_multiple_of(levels));
                assert_eq!(Scanner::new(&text).value(), None, "{depth} of {opening}");
            }
        }
        let siblings = format!("[{}{{}}]", "{\"a\":[]},".repeat(1000));
        assert!(takes(&siblings));
    }

    /// One to three bytes of a valid text are replaced, removed or added, at random.
    #[test]
    fn what_is_taken_is_valid_and_what_is_valid_is_taken() {
        const BYTES: &[u8] = b"\"\\{}[]:,0123456789.-+eEtrufalsn/b \n\t\x00\x1f\x7f";
        let mut random = fastrand::Rng::with_seed(4);
        let (mut valid, mut invalid) = (0, 0);
        for _ in 0..200_000 {
            let mut bytes = random.choice(VALUES).unwrap().as_bytes().to_vec();
            for _ in 0..random.usize(1..=3) {
                let at = random.usize(..bytes.len());
                match random.u8(..3) {
                    0 => bytes[at] = *random.choice(BYTES).unwrap(),
                    1 if bytes.len() > 1 => drop(bytes.remove(at)),
                    _ => bytes.insert(at, *random.choice(BYTES).unwrap()),
                }
            }
            let Ok(text) = String::from_utf8(bytes) else { continue };
            let is_valid = serde_json::from_str::<&RawValue>(text.trim_end()).is_ok();
            assert_eq!(takes(&text), is_valid, "{text:?}");
            *(if is_valid { &mut valid } else { &mut invalid }) += 1;
        }
        assert!(valid > 10_000 && invalid > 10_000, "{valid} valid, {invalid} not");
    }

    #[test]
    fn a_special_byte_is_found_wherever_it_stands() {
        for special in (0..=0x1f).chain([b'"', b'\\']) {
            for at in 0..STRIDE {
                for plain in [b'a', 0x7f, 0x80, 0xff, b' ', b'!', b'#', b']', b'['] {
                    let mut stride = [plain; STRIDE];
                    assert_eq!(plain_bytes(&stride), STRIDE);
                    stride[at] = special;
                    assert_eq!(plain_bytes(&stride), at, "{special:#x} among {plain:#x}");
                }
            }
        }
    }
}
