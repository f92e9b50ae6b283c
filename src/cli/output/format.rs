//! Numbers and names for people.

use std::borrow::Cow;
use std::time::Duration;

use indicatif::{BinaryBytes, HumanCount};

use crate::trail::time::EventTime;

/// Returns a count with thousands separators: `12,480`.
pub(super) fn count(number: u64) -> String {
    HumanCount(number).to_string()
}

/// Returns a count with its noun: `1 object`, `12,480 objects`.
pub(super) fn counted(number: u64, noun: &str) -> String {
    let ending = match (number, noun.ends_with('x')) {
        (1, _) => "",
        (_, true) => "es",
        (_, false) => "s",
    };
    format!("{} {noun}{ending}", count(number))
}

/// Returns a size in binary units: `1.92 GiB`.
pub(super) fn bytes(number: u64) -> String {
    BinaryBytes(number).to_string()
}

/// Returns a time: `0.04 s`, `41.3 s`, `3 m 07 s`, `2 h 05 m`.
///
/// indicatif's `HumanDuration` has no fractions of a second and rounds `3 m 07 s` to 3 minutes.
pub(super) fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 9.995 {
        return format!("{seconds:.2} s");
    }
    if seconds < 59.95 {
        return format!("{seconds:.1} s");
    }
    let whole = time.as_secs() + u64::from(time.subsec_millis() >= 500);
    let (hours, minutes, rest) = (whole / 3600, whole / 60 % 60, whole % 60);
    if hours > 0 { format!("{hours} h {minutes:02} m") } else { format!("{minutes} m {rest:02} s") }
}

/// Returns a time without fractions of a second, which JSON has.
pub(super) fn to_second(time: &str) -> String {
    match time.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => time.to_owned(),
    }
}

/// Returns a word of a shell.
pub(super) fn shell_word(value: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    if !value.is_empty() && value.chars().all(is_plain) {
        Cow::Borrowed(value)
    } else {
        Cow::Owned(format!("'{}'", value.replace('\'', "'\\''")))
    }
}

/// Returns a time as options take it: `2026-01-15T09:30:00Z`.
pub(super) fn rfc3339(time: EventTime) -> String {
    format!("{}Z", time.to_string().replace(' ', "T"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_separators() {
        for (number, text) in
            [(0, "0"), (999, "999"), (1000, "1,000"), (12_480, "12,480"), (1_234_567, "1,234,567")]
        {
            assert_eq!(count(number), text);
        }
    }

    #[test]
    fn a_noun_is_singular_for_one_only() {
        for (number, text) in [(0, "0 objects"), (1, "1 object"), (1_000, "1,000 objects")] {
            assert_eq!(counted(number, "object"), text);
        }
        assert_eq!(
            (counted(1, "index"), counted(14, "index")),
            ("1 index".into(), "14 indexes".into())
        );
    }

    #[test]
    fn sizes_have_units() {
        for (number, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.00 KiB"),
            (1 << 20, "1.00 MiB"),
            ((1 << 20) - 1, "1024.00 KiB"),
            (2_061_584_302, "1.92 GiB"),
        ] {
            assert_eq!(bytes(number), text);
        }
    }

    #[test]
    fn times_have_units() {
        for (ms, text) in [
            (0, "0.00 s"),
            (41, "0.04 s"),
            (9_999, "10.0 s"),
            (59_949, "59.9 s"),
            (59_999, "1 m 00 s"),
            (187_000, "3 m 07 s"),
            (7_500_000, "2 h 05 m"),
        ] {
            assert_eq!(duration(Duration::from_millis(ms)), text, "{ms}");
        }
    }
}
