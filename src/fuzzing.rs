//! The functions of the fuzz targets. Each takes any bytes and panics if a promise is broken.
//!
//! The first byte chooses between the rest of the bytes as they are and an input that is generated
//! from them: bytes that a fuzzer mutates blindly seldom remain a gzip member or a JSON text.

use arbitrary::Unstructured;

mod gzip;

mod parse;

mod layout;

mod digest;

mod database_url;

mod db_toml;

pub use database_url::database_url;
pub use db_toml::db_toml;
pub use digest::digest;
pub use gzip::gzip;
pub use layout::layout;
pub use parse::parse;

/// Marks a password, to find it in what is shown. No other part of a generated input has it.
const SECRET: &str = "hunter2";

/// Makes choices with the bytes of an input; once they are used up, always the first one.
struct Choices<'d>(Unstructured<'d>);

impl<'d> Choices<'d> {
    fn new(data: &'d [u8]) -> Self {
        Self(Unstructured::new(data))
    }

    fn byte(&mut self) -> u8 {
        self.0.arbitrary().unwrap_or_default()
    }

    /// Returns a number from 0 to `max`.
    fn up_to(&mut self, max: usize) -> usize {
        self.0.int_in_range(0..=max).unwrap_or_default()
    }

    fn one_of<T: Copy>(&mut self, options: &[T]) -> T {
        options[self.up_to(options.len() - 1)]
    }

    /// Returns true once in `times`.
    fn once_in(&mut self, times: usize) -> bool {
        self.up_to(times - 1) == times - 1
    }

    /// Returns up to `max` bytes.
    fn bytes(&mut self, max: usize) -> Vec<u8> {
        let length = self.up_to(max).min(self.0.len());
        self.0.bytes(length).map(<[u8]>::to_vec).unwrap_or_default()
    }

    /// Returns text of up to `max` bytes, with whatever characters.
    fn text(&mut self, max: usize) -> String {
        String::from_utf8_lossy(&self.bytes(max)).into_owned()
    }

    /// Changes `bytes` in one place, or seldom in several.
    fn damage(&mut self, bytes: &mut Vec<u8>) {
        loop {
            let at = self.up_to(bytes.len());
            match self.up_to(3) {
                0 => bytes.truncate(at),
                1 => {
                    let inserted = self.bytes(8);
                    bytes.splice(at..at, inserted);
                }
                2 if at < bytes.len() => drop(bytes.remove(at)),
                _ if at < bytes.len() => bytes[at] = self.byte(),
                _ => {}
            }
            if !self.once_in(4) || self.0.is_empty() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests;
