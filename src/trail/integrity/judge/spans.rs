//! Sets of spans of time.

use crate::trail::time::EventTime;

/// From a time until another.
pub(super) type Span = (EventTime, EventTime);

/// Spans in ascending order, none of which touches another.
#[derive(Debug, Default)]
pub(super) struct Spans(Vec<Span>);

impl Spans {
    /// Joins spans that overlap or touch.
    pub(super) fn of(spans: impl Iterator<Item = Span>) -> Self {
        let mut sorted: Vec<Span> = spans.collect();
        sorted.sort_unstable();
        let mut joined: Vec<Span> = Vec::with_capacity(sorted.len());
        for (from, to) in sorted {
            match joined.last_mut() {
                Some((_, last)) if from <= *last => *last = to.max(*last),
                _ => joined.push((from, to)),
            }
        }
        Self(joined)
    }

    /// Returns whether one span has all of the times.
    pub(super) fn cover(&self, (from, to): Span) -> bool {
        self.0.iter().any(|span| span.0 <= from && to <= span.1)
    }

    /// Returns whether a span has one of the times.
    pub(super) fn touch(&self, (from, to): Span) -> bool {
        self.0.iter().any(|span| span.0 <= to && from <= span.1)
    }

    /// Returns how many seconds of a span are in these.
    pub(super) fn seconds_of(&self, (from, to): Span) -> i64 {
        let seconds = self
            .0
            .iter()
            .map(|span| span.1.min(to).unix_s().saturating_sub(span.0.max(from).unix_s()).max(0));
        seconds.sum()
    }
}

/// Returns the times within `seconds` of a time.
pub(super) fn around(time: EventTime, seconds: i64) -> Span {
    (add(time, -seconds), add(time, seconds))
}

/// Returns a time some seconds later, or the same at the ends of the calendar.
pub(super) fn add(time: EventTime, seconds: i64) -> EventTime {
    EventTime::from_unix_s(time.unix_s().saturating_add(seconds)).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(from: i64, to: i64) -> Span {
        let time = |minutes: i64| EventTime::from_unix_s(minutes * 60).unwrap();
        (time(from), time(to))
    }

    #[test]
    fn spans_that_touch_are_one() {
        let spans = [span(60, 120), span(0, 60), span(130, 140), span(135, 138), span(125, 125)];
        let spans = Spans::of(spans.into_iter());
        assert_eq!(spans.0, [span(0, 120), span(125, 125), span(130, 140)]);
        assert!(spans.cover(span(50, 70)) && !spans.cover(span(110, 130)));
        assert!(spans.touch(span(121, 130)) && !spans.touch(span(121, 124)));
        assert_eq!(spans.seconds_of(span(100, 135)), 25 * 60);
    }
}
