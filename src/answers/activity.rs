//! The answer of the question `hours`, summed up: the timeline, the hours of the week, the accounts
//! and regions, and the hours without events.
//!
//! It takes the place of four questions, each of which would read the whole table.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use crate::database::answer::{AnswerCell, RowSink};
use crate::trail::time::EventTime;

const HOUR_S: i64 = 3600;

/// The 1st of January 1970 was a Thursday, the day 3 of a week that begins with Monday.
const FIRST_WEEKDAY: i64 = 3;

/// Events and the errors among them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// All events.
    pub events: u64,
    /// Events with an error code.
    pub errors: u64,
}

/// An account and a region, in the order of the question `gaps`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Whether there is no account, then the account.
    account: (bool, Option<String>),
    region: (bool, Option<String>),
}

/// What happened in an account and region.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlaceActivity {
    /// All events.
    pub counts: Counts,
    /// The first event with a valid time.
    pub first: Option<EventTime>,
    /// The last event with a valid time.
    pub last: Option<EventTime>,
    /// The hours with events, counted from the start of 1970.
    pub hours: BTreeSet<i64>,
}

/// Hours without events between two hours with events, in one account and region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap<'a> {
    /// The account and the region.
    pub place: &'a Place,
    /// The last hour with events before the gap.
    pub before: i64,
    /// The first hour with events after the gap.
    pub after: i64,
}

/// All events, by hour and by account and region. It accepts the rows of the question `hours`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Activity {
    /// All events.
    pub counts: Counts,
    /// Events without a valid time.
    pub undated: u64,
    /// Events by hour, counted from the start of 1970.
    pub hours: BTreeMap<i64, Counts>,
    /// Events by account and region.
    pub places: BTreeMap<Place, PlaceActivity>,
    /// The number of rows accepted.
    pub rows: u64,
}

/// The events of a week: seven days from Monday, of 24 hours each.
pub type Week = [[Counts; 24]; 7];

impl Counts {
    fn add(&mut self, other: Self) {
        self.events += other.events;
        self.errors += other.errors;
    }
}

impl std::iter::Sum for Counts {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        let mut sum = Self::default();
        all.for_each(|counts| sum.add(counts));
        sum
    }
}

impl Place {
    /// Makes it.
    fn new(account: Option<&str>, region: Option<&str>) -> Self {
        let keyed = |text: Option<&str>| (text.is_none(), text.map(str::to_owned));
        Self { account: keyed(account), region: keyed(region) }
    }

    /// Returns the account, if the events have one.
    pub fn account(&self) -> Option<&str> {
        self.account.1.as_deref()
    }

    /// Returns the region, if the events have one.
    pub fn region(&self) -> Option<&str> {
        self.region.1.as_deref()
    }
}

impl Gap<'_> {
    /// Returns the number of hours without events.
    pub fn empty_hours(&self) -> i64 {
        self.after - self.before - 1
    }
}

impl PlaceActivity {
    /// Returns the hours before and after each gap.
    fn gaps(&self) -> impl Iterator<Item = (i64, i64)> {
        let pairs = self.hours.iter().zip(self.hours.iter().skip(1));
        pairs.map(|(before, after)| (*before, *after)).filter(|(before, after)| after - before > 1)
    }

    /// Returns the number of gaps.
    pub fn gap_count(&self) -> usize {
        self.gaps().count()
    }
}

impl Activity {
    /// Returns the time of the first and of the last event.
    pub fn span(&self) -> Option<(EventTime, EventTime)> {
        let first = self.places.values().filter_map(|place| place.first).min()?;
        let last = self.places.values().filter_map(|place| place.last).max()?;
        Some((first, last))
    }

    /// Returns the gaps, in the order of the question `gaps`.
    pub fn gaps(&self) -> impl Iterator<Item = Gap<'_>> {
        self.places.iter().flat_map(|(place, activity)| {
            activity.gaps().map(move |(before, after)| Gap { place, before, after })
        })
    }

    /// Returns the events by day and hour of the week.
    pub fn week(&self) -> Week {
        let mut week = Week::default();
        for (hour, counts) in &self.hours {
            let index = |number: i64, count: i64| usize::try_from(number.rem_euclid(count));
            let day = index(hour.div_euclid(24) + FIRST_WEEKDAY, 7);
            if let (Ok(day), Ok(hour)) = (day, index(*hour, 24)) {
                week[day][hour].add(*counts);
            }
        }
        week
    }
}

/// Returns the start of an hour; `None` outside the years that events have.
pub fn hour_start(hour: i64) -> Option<EventTime> {
    EventTime::from_unix_s(hour * HOUR_S)
}

/// Returns the hour that a time is in.
pub fn hour_of(time: EventTime) -> i64 {
    time.unix_s().div_euclid(HOUR_S)
}

impl RowSink for Activity {
    fn columns(&mut self, _names: &[String]) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn row(&mut self, cells: &[AnswerCell]) -> ControlFlow<()> {
        let [period, account, region, events, errors, first, last] = cells else {
            unreachable!("the question has seven columns")
        };
        let number = |cell: &AnswerCell| cell.text().and_then(|it| it.parse().ok()).unwrap_or(0);
        let time = |cell: &AnswerCell| cell.text().and_then(EventTime::parse);
        let counts = Counts { events: number(events), errors: number(errors) };
        self.rows += 1;
        self.counts.add(counts);
        let place = self.places.entry(Place::new(account.text(), region.text())).or_default();
        place.counts.add(counts);
        place.first = place.first.into_iter().chain(time(first)).min();
        place.last = place.last.into_iter().chain(time(last)).max();
        let hour = period.text().and_then(|hour| EventTime::parse(&format!("{hour}:00:00")));
        match hour.map(hour_of) {
            Some(hour) => {
                self.hours.entry(hour).or_default().add(counts);
                place.hours.insert(hour);
            }
            None => self.undated += counts.events,
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn activity(rows: &[(Option<&str>, &str, u64)]) -> Activity {
        let mut activity = Activity::default();
        for (period, region, events) in rows {
            let text = |text: &str| AnswerCell::Text(text.to_owned());
            let at = |end: &str| period.map_or(AnswerCell::Null, |it| text(&format!("{it}{end}")));
            let _ = activity.row(&[
                at(""),
                text("111122223333"),
                text(region),
                AnswerCell::Number(events.to_string()),
                AnswerCell::Number("1".to_owned()),
                at(":10:00"),
                at(":50:00"),
            ]);
        }
        activity
    }

    #[test]
    fn hours_are_summed_up_and_gaps_are_found() {
        let activity = activity(&[
            (Some("2026-01-15 22"), "a", 10),
            (Some("2026-01-15 22"), "b", 5),
            (Some("2026-01-15 23"), "a", 3),
            (Some("2026-01-16 02"), "a", 2),
            (None, "a", 7),
        ]);
        assert_eq!(activity.counts, Counts { events: 27, errors: 5 });
        assert_eq!((activity.undated, activity.rows, activity.hours.len()), (7, 5, 3));
        let (first, last) = activity.span().unwrap();
        assert_eq!(
            (first.to_string(), last.to_string()),
            ("2026-01-15 22:10:00".into(), "2026-01-16 02:50:00".into())
        );
        let gaps: Vec<Gap> = activity.gaps().collect();
        let [gap] = gaps[..] else { panic!("{gaps:?}") };
        assert_eq!((gap.place.region(), gap.empty_hours()), (Some("a"), 2));
        assert_eq!(hour_start(gap.after).unwrap().to_string(), "2026-01-16 02:00:00");
        // The 15th of January 2026 is a Thursday.
        let week = activity.week();
        assert_eq!((week[3][22].events, week[3][23].events, week[4][2].events), (15, 3, 2));
    }

    #[test]
    fn without_rows_there_is_no_span() {
        assert_eq!(Activity::default().span(), None);
        assert_eq!(activity(&[(None, "a", 1)]).span(), None);
    }
}
