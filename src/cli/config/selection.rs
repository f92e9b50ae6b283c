//! The selection of objects: days and accounts.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::error::ConfigError;
use crate::trail::time::EventTime;

/// Returns the day that `typed` names: `2026-01-15`, the UTC day of `2026-01-15T08:30:00Z`, or the
/// UTC day that is a period such as `7d` or `36h` before `now`.
pub(crate) fn day(flag: &'static str, typed: &str, now: Timestamp) -> Result<Date, ConfigError> {
    let typed = typed.trim();
    let utc_day = |time: Timestamp| time.to_zoned(TimeZone::UTC).date();
    // A time is tried first: the parser of dates would accept its first part.
    let time = || typed.parse::<Timestamp>().ok().map(utc_day);
    let date = || typed.parse::<Date>().ok();
    time()
        .or_else(date)
        .or_else(|| ago(typed, now).map(utc_day))
        .ok_or_else(|| ConfigError::Date { flag, value: typed.to_owned() })
}

/// What a day means where a moment is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DayEdge {
    /// Its first second.
    Start,
    /// Its last second.
    End,
}

/// Returns the moment that `typed` names: a time such as `2026-01-15T08:30:00Z`, the first or last
/// second of the day `2026-01-15`, or the time that is a period such as `7d` or `36h` before `now`.
pub(crate) fn moment(
    flag: &'static str,
    typed: &str,
    now: Timestamp,
    edge: DayEdge,
) -> Result<EventTime, ConfigError> {
    let typed = typed.trim();
    let day = || {
        let is_day = typed.len() == "2026-01-15".len() && typed.parse::<Date>().is_ok();
        let time = if edge == DayEdge::Start { "00:00:00" } else { "23:59:59" };
        if is_day { EventTime::parse(&format!("{typed}T{time}Z")) } else { None }
    };
    day()
        .or_else(|| EventTime::parse(typed))
        .or_else(|| EventTime::parse(&ago(typed, now)?.to_string()))
        .ok_or_else(|| ConfigError::Date { flag, value: typed.to_owned() })
}

/// Returns the time that is a period such as `7d` before `now`.
fn ago(typed: &str, now: Timestamp) -> Option<Timestamp> {
    let (number, unit) = typed.split_at_checked(typed.len().checked_sub(1)?)?;
    let number: i64 = number.parse().ok().filter(|number| *number >= 0)?;
    let hours = match unit {
        "h" => number,
        "d" => number.checked_mul(24)?,
        "w" => number.checked_mul(24 * 7)?,
        _ => return None,
    };
    now.checked_sub(SignedDuration::try_from_hours(hours)?).ok()
}

/// Returns the account number.
pub(crate) fn account(typed: &str) -> Result<String, ConfigError> {
    // People also write it as 1111-2222-3333.
    let digits = typed.replace('-', "");
    let is_account = digits.len() == 12 && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_account { Ok(digits) } else { Err(ConfigError::Account(typed.to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_a_date_or_a_time_or_a_period_before_now() {
        let now: Timestamp = "2026-03-01T06:00:00Z".parse().unwrap();
        for (typed, expected) in [
            ("2026-01-15", "2026-01-15"),
            ("2026-01-15T23:59:59Z", "2026-01-15"),
            ("2026-01-15T23:59:59-05:00", "2026-01-16"),
            ("0d", "2026-03-01"),
            ("1d", "2026-02-28"),
            ("7h", "2026-02-28"),
            ("1w", "2026-02-22"),
        ] {
            assert_eq!(day("--from", typed, now).unwrap().to_string(), expected, "{typed}");
        }
        for typed in ["", "d", "yesterday", "2026-02-30", "15.1.2026", "-1d", "1é", "99999999999d"]
        {
            assert!(day("--from", typed, now).is_err(), "{typed}");
        }
    }

    #[test]
    fn a_moment_is_a_time_or_an_edge_of_a_day_or_a_period_before_now() {
        let now: Timestamp = "2026-03-01T06:00:00Z".parse().unwrap();
        for (typed, edge, expected) in [
            ("2026-01-15", DayEdge::Start, "2026-01-15 00:00:00"),
            ("2026-01-15", DayEdge::End, "2026-01-15 23:59:59"),
            ("2026-01-15T08:30:00Z", DayEdge::End, "2026-01-15 08:30:00"),
            ("2026-01-15 08:30:00", DayEdge::Start, "2026-01-15 08:30:00"),
            ("2026-01-15T23:59:59-05:00", DayEdge::Start, "2026-01-16 04:59:59"),
            ("36h", DayEdge::End, "2026-02-27 18:00:00"),
            ("1w", DayEdge::Start, "2026-02-22 06:00:00"),
        ] {
            let moment = moment("--since", typed, now, edge).unwrap();
            assert_eq!(moment.to_string(), expected, "{typed}");
        }
        for typed in ["", "yesterday", "2026-02-30", "-1d", "15.1.2026", "99999999999d"] {
            assert!(moment("--since", typed, now, DayEdge::Start).is_err(), "{typed}");
        }
    }

    #[test]
    fn an_account_has_twelve_digits() {
        assert_eq!(account("1111-2222-3333").unwrap(), "111122223333");
        assert!(account("11112222333").is_err() && account("11112222333x").is_err());
    }
}
