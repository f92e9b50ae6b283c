//! Sizes in bytes as people type them.

/// The units that may follow the number, and their bytes.
///
/// `K`, `M`, `G` alone are binary, as in GNU `dd` and `head` and in PostgreSQL's and MySQL's own
/// settings; `kB`, `MB`, `GB` are decimal, as in SI.
const UNITS: [(&str, u64); 14] = [
    ("", 1),
    ("b", 1),
    ("k", 1 << 10),
    ("kib", 1 << 10),
    ("kb", 1_000),
    ("m", 1 << 20),
    ("mib", 1 << 20),
    ("mb", 1_000_000),
    ("g", 1 << 30),
    ("gib", 1 << 30),
    ("gb", 1_000_000_000),
    ("t", 1 << 40),
    ("tib", 1 << 40),
    ("tb", 1_000_000_000_000),
];

/// Why a text is not a size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SizeError {
    /// It does not begin with a whole number.
    #[error("`{0}` does not begin with a whole number")]
    NoNumber(String),
    /// The number is followed by something that is not a unit.
    #[error("unknown unit `{0}`")]
    UnknownUnit(String),
    /// The size does not fit 64 bits.
    #[error("`{0}` does not fit 64 bits")]
    TooLarge(String),
}

/// Returns the size in bytes that `text` names: `1048576`, `64MiB`, `64MB`, `64m`, `64 MiB`.
pub(crate) fn parse_bytes(text: &str) -> Result<u64, SizeError> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    if number.is_empty() || unit.starts_with(['.', ',', '_']) {
        return Err(SizeError::NoNumber(text.to_owned()));
    }
    let unit = unit.trim_start();
    let unit_bytes = UNITS
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(unit))
        .map(|(_, bytes)| *bytes)
        .ok_or_else(|| SizeError::UnknownUnit(unit.to_owned()))?;
    number
        .parse::<u64>()
        .ok()
        .and_then(|count| count.checked_mul(unit_bytes))
        .ok_or_else(|| SizeError::TooLarge(text.to_owned()))
}

/// Returns a text that [`parse_bytes`] reads back as exactly `bytes`.
pub(crate) fn spell_bytes(bytes: u64) -> String {
    let (unit, unit_bytes) =
        [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)]
            .into_iter()
            .find(|(_, unit_bytes)| bytes >= *unit_bytes && bytes.is_multiple_of(*unit_bytes))
            .unwrap_or(("", 1));
    format!("{}{unit}", bytes / unit_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_accepted_spelling_has_its_value() {
        for (text, bytes) in [
            ("0", 0),
            ("1048576", 1_048_576),
            ("7b", 7),
            ("64k", 65_536),
            ("64KiB", 65_536),
            ("64kB", 64_000),
            ("64m", 67_108_864),
            ("64MiB", 67_108_864),
            (" 64 mib ", 67_108_864),
            ("64MB", 64_000_000),
            ("2G", 2_147_483_648),
            ("2GiB", 2_147_483_648),
            ("2GB", 2_000_000_000),
            ("3T", 3_298_534_883_328),
            ("3TiB", 3_298_534_883_328),
            ("3TB", 3_000_000_000_000),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn a_text_that_is_not_a_size_is_refused_with_the_reason() {
        for text in ["", "MiB", "-1", "1.5GiB", "1,000", "1_000", "+5"] {
            assert_eq!(parse_bytes(text), Err(SizeError::NoNumber(text.to_owned())), "{text}");
        }
        for (text, unit) in [("64MiBs", "MiBs"), ("5 apples", "apples"), ("1e6", "e6")] {
            assert_eq!(parse_bytes(text), Err(SizeError::UnknownUnit(unit.to_owned())), "{text}");
        }
        for text in ["18446744073709551616", "16777216TiB"] {
            assert_eq!(parse_bytes(text), Err(SizeError::TooLarge(text.to_owned())), "{text}");
        }
    }

    #[test]
    fn a_spelled_size_reads_back_as_itself() {
        for (bytes, text) in
            [(0, "0"), (1, "1"), (1_025, "1025"), (65_536, "64KiB"), (1 << 30, "1GiB")]
        {
            assert_eq!(spell_bytes(bytes), text);
            assert_eq!(parse_bytes(text), Ok(bytes));
        }
    }
}
