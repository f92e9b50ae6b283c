//! The time of an event: `eventTime` as a point in time.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;

/// A time is at most this long as text; RFC 3339 with nanoseconds and an offset has 35 bytes.
const TEXT_BYTES_MAX: usize = 64;

/// PostgreSQL counts time from the start of 2000, in seconds after the start of 1970.
const POSTGRES_EPOCH_S: i64 = 946_684_800;

const MICROS_PER_SECOND: i64 = 1_000_000;

/// A point in time in whole seconds, from the year 1000 to the end of 9999 (but for its last 26 hours):
/// what `datetime` of MySQL holds (manual, "The DATE, DATETIME, and TIMESTAMP Types"), so that every
/// database holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventTime {
    /// Invariant: within the years above.
    unix_s: i64,
}

impl EventTime {
    /// Returns the time that a text names; `None` if it is not a valid time.
    ///
    /// A trail writes `2026-01-15T09:30:00Z` (AWS CloudTrail user guide, "CloudTrail record
    /// contents"). Exports also write fractions of a second, which are cut off, other offsets, and a
    /// blank instead of the `T`. A time without an offset is UTC.
    pub fn parse(text: &str) -> Option<Self> {
        Self::of_trail(text).or_else(|| Self::of_export(text))
    }

    /// Reads the form that trails write, which takes a tenth of the time of the general parser.
    fn of_trail(text: &str) -> Option<Self> {
        let bytes: &[u8; 20] = text.as_bytes().try_into().ok()?;
        let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':'), (19, b'Z')];
        if separators.iter().any(|&(at, separator)| bytes[at] != separator) {
            return None;
        }
        let number = |from: usize, to: usize| {
            bytes[from..to].iter().try_fold(0_i16, |number, byte| {
                byte.is_ascii_digit().then(|| 10 * number + i16::from(byte - b'0'))
            })
        };
        let part = |from: usize| i8::try_from(number(from, from + 2)?).ok();
        let date = Date::new(number(0, 4)?, part(5)?, part(8)?).ok()?;
        let time = Time::new(part(11)?, part(14)?, part(17)?, 0).ok()?;
        Self::in_utc(date.to_datetime(time))
    }

    fn of_export(text: &str) -> Option<Self> {
        if text.len() > TEXT_BYTES_MAX {
            return None;
        }
        if let Ok(time) = text.parse::<Timestamp>() {
            return Self::checked(time);
        }
        Self::in_utc(text.parse().ok()?)
    }

    fn in_utc(time: DateTime) -> Option<Self> {
        Self::checked(time.to_zoned(TimeZone::UTC).ok()?.timestamp())
    }

    fn checked(time: Timestamp) -> Option<Self> {
        let year = TimeZone::UTC.to_datetime(time).year();
        // Before 1970 a fraction is cut off towards the past, as after it.
        let unix_s = time.as_millisecond().div_euclid(1_000);
        (1_000..=9_999).contains(&year).then_some(Self { unix_s })
    }

    /// Returns the time in seconds after the start of 1970.
    pub fn unix_s(self) -> i64 {
        self.unix_s
    }

    /// Returns the time of [`EventTime::unix_s`]; `None` outside the years above.
    pub fn from_unix_s(unix_s: i64) -> Option<Self> {
        Self::checked(Timestamp::from_second(unix_s).ok()?)
    }

    /// Returns the time in microseconds after the start of 2000, as PostgreSQL's binary format has
    /// it.
    pub(super) fn postgres_micros(self) -> i64 {
        (self.unix_s - POSTGRES_EPOCH_S) * MICROS_PER_SECOND
    }

    /// Returns the time of [`EventTime::postgres_micros`]; `None` outside the years above.
    pub(crate) fn from_postgres_micros(micros: i64) -> Option<Self> {
        let unix_s = micros.div_euclid(MICROS_PER_SECOND) + POSTGRES_EPOCH_S;
        Self::checked(Timestamp::from_second(unix_s).ok()?)
    }
}

/// `2026-01-15 09:30:00`, in UTC.
impl fmt::Display for EventTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = Timestamp::from_second(self.unix_s).expect("the year has four digits");
        let time = TimeZone::UTC.to_datetime(time);
        let mut text = *b"0000-00-00 00:00:00";
        let mut write = |end: usize, mut number: u16| {
            for digit in text[..end].iter_mut().rev().take_while(|it| it.is_ascii_digit()) {
                *digit += u8::try_from(number % 10).expect("a digit");
                number /= 10;
            }
        };
        write(4, time.year().unsigned_abs());
        let parts = [time.month(), time.day(), time.hour(), time.minute(), time.second()];
        for (part, end) in parts.into_iter().zip([7, 10, 13, 16, 19]) {
            write(end, part.unsigned_abs().into());
        }
        // One call: rows are written with it, and the formatter's padding takes longer than all else.
        f.write_str(std::str::from_utf8(&text).expect("ASCII"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_in_every_form_that_exports_use() {
        for (text, expected) in [
            ("2026-01-15T09:30:00Z", "2026-01-15 09:30:00"),
            ("1970-01-01T00:00:00Z", "1970-01-01 00:00:00"),
            ("2024-02-29T23:59:59Z", "2024-02-29 23:59:59"),
            ("9999-12-30T22:00:00Z", "9999-12-30 22:00:00"),
            ("1000-01-01T00:00:00Z", "1000-01-01 00:00:00"),
            ("2026-01-15T09:30:00.999Z", "2026-01-15 09:30:00"),
            ("1969-12-31T23:59:59.5Z", "1969-12-31 23:59:59"),
            ("2026-01-15T09:30:00+02:00", "2026-01-15 07:30:00"),
            ("2026-01-15 09:30:00.123", "2026-01-15 09:30:00"),
            ("2026-01-15 09:30:00", "2026-01-15 09:30:00"),
        ] {
            let time = EventTime::parse(text).unwrap();
            assert_eq!(time.to_string(), expected, "{text}");
            assert_eq!(EventTime::from_postgres_micros(time.postgres_micros()), Some(time));
        }
    }

    #[test]
    fn what_is_no_valid_time_is_none() {
        for text in [
            "",
            "2026-02-30T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-01-15T24:00:00Z",
            "2026-01-15T09:60:00Z",
            "2026-01-15T09:30:0xZ",
            "0999-12-31T23:59:59Z",
            "-000001-01-01T00:00:00Z",
            "1768469400",
            "yesterday",
        ] {
            assert_eq!(EventTime::parse(text), None, "{text}");
        }
        assert_eq!(EventTime::parse(&format!("2026-01-15T09:30:00{}Z", " ".repeat(1000))), None);
    }
}
