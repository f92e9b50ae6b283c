//! When and where there are events: the timeline, accounts and regions, and what is missing.

use maud::{Markup, html};

use super::chart::{self, Bar};
use super::text::{Command, Seen, instant, percentage};
use super::{Findings, LedgerState, more};
use crate::answers::{Counts, PlaceActivity, hour_start};
use crate::cli::output::format::{count, counted};
use crate::cli::output::partial;
use crate::trail::time::EventTime;

/// The most bars of the timeline, and the least: with fewer, empty ones are added on both sides.
const BARS_MAX: i64 = 96;
const BARS_MIN: i64 = 24;

/// The lengths that a bar of the timeline may have, in hours.
const BAR_HOURS: [i64; 12] = [1, 2, 3, 6, 12, 24, 48, 168, 336, 672, 2688, 8064];

/// The most accounts and regions, and the most gaps, that are shown.
const PLACES_MAX: usize = 15;
const GAPS_MAX: usize = 10;

/// Equal parts of the time from the first to the last event.
struct Scale {
    /// The first hour, counted from the start of 1970.
    first: i64,
    part_hours: i64,
    parts: i64,
}

impl Scale {
    fn of(findings: &Findings) -> Option<Self> {
        let hours = &findings.activity.hours;
        let (first, last) = (*hours.first_key_value()?.0, *hours.last_key_value()?.0);
        let hours = last - first + 1;
        let is_enough = |part_hours: &i64| hours <= part_hours * (BARS_MAX - 1);
        // With the longest parts there are more than usual, rather than none.
        let part_hours = BAR_HOURS.into_iter().find(is_enough).unwrap_or(hours / BARS_MAX + 1);
        // A part begins at a multiple of its length: days begin at midnight.
        let first = first - first.rem_euclid(part_hours);
        let parts = (last - first) / part_hours + 1;
        let added = (BARS_MIN - parts).max(0);
        Some(Self { first: first - added / 2 * part_hours, part_hours, parts: parts + added })
    }

    /// Returns the first hour of each part, and the first one after it.
    fn parts(&self) -> impl Iterator<Item = (i64, i64)> {
        (0..self.parts).map(|part| {
            let from = self.first + part * self.part_hours;
            (from, from + self.part_hours)
        })
    }

    /// Returns the length of a part in words.
    fn length(&self) -> String {
        match self.part_hours {
            1 => "an hour".to_owned(),
            24 => "a day".to_owned(),
            168 => "a week".to_owned(),
            hours if hours % 24 == 0 => format!("{} days", hours / 24),
            hours => format!("{hours} hours"),
        }
    }

    /// Draws the beginning, the middle and the end below a chart.
    fn axis(&self) -> Markup {
        let end = self.first + self.parts * self.part_hours;
        html! {
            div.axis aria-hidden="true" {
                @for hour in [self.first, i64::midpoint(self.first, end), end] {
                    span { (hour_text(hour)) }
                }
            }
        }
    }
}

/// Draws the timeline.
pub(super) fn timeline(findings: &Findings) -> Markup {
    let Some(scale) = Scale::of(findings) else {
        return html! { p.absent { "No events with a valid time." } };
    };
    let bars: Vec<Bar> = scale
        .parts()
        .map(|(from, to)| {
            let counts = findings.activity.hours.range(from..to).map(|(_, it)| *it).sum();
            Bar { counts, label: label(from, to, counts) }
        })
        .collect();
    let most = bars.iter().map(|bar| bar.counts.events).max().unwrap_or(0);
    let caption = format!("Events and errors over time; each bar is {}", scale.length());
    html! {
        p {
            "Each bar is " (scale.length()) ". Its lower part is calls that failed. A peak or a gap shows \
             where to look."
        }
        figure.timeline {
            div.most aria-hidden="true" { (counted(most, "event")) }
            (chart::bars(&bars, &caption))
            (scale.axis())
            figcaption.legend {
                span { span.key.events {} "succeeded" }
                span { span.key.errors {} "failed" }
            }
        }
        details {
            summary { "The timeline as a table" }
            table.plain {
                caption { (caption) }
                thead {
                    tr {
                        th scope="col" { "From" }
                        th.number scope="col" { "Events" }
                        th.number scope="col" { "Errors" }
                    }
                }
                tbody {
                    @for ((from, _), bar) in scale.parts().zip(&bars) {
                        tr {
                            th scope="row" { (hour_text(from)) }
                            td.number { (count(bar.counts.events)) }
                            td.number { (count(bar.counts.errors)) }
                        }
                    }
                }
            }
        }
        (more(&findings.filters, "timeline"))
    }
}

fn label(from: i64, to: i64, counts: Counts) -> String {
    let (from, to) = (hour_text(from), hour_text(to));
    let (events, errors) = (counted(counts.events, "event"), counted(counts.errors, "error"));
    format!("{from} to {to} UTC: {events}, {errors}")
}

/// Returns the start of an hour: `2026-01-15 09:00`.
fn hour_text(hour: i64) -> String {
    let text = hour_start(hour).map(|time| time.to_string()).unwrap_or_default();
    text.strip_suffix(":00").unwrap_or(&text).to_owned()
}

/// Draws the accounts and regions, each with the time in which it has events.
pub(super) fn regions(findings: &Findings) -> Markup {
    let activity = &findings.activity;
    if activity.places.is_empty() {
        return html! { p.absent { "No events." } };
    }
    let mut places: Vec<_> = activity.places.iter().collect();
    places.sort_by_key(|(_, place)| std::cmp::Reverse(place.counts.events));
    let most = places[0].1.counts.events;
    html! {
        p { "A region that is in use for the first time is a common sign of an intruder." }
        table.answer role="table" {
            caption { "Accounts and regions by number of events" }
            thead role="rowgroup" {
                tr role="row" {
                    th scope="col" role="columnheader" { "Account and region" }
                    @for head in ["Events", "Errors"] {
                        th.number scope="col" role="columnheader" { (head) }
                    }
                    @for head in ["First", "Last"] {
                        th.time scope="col" role="columnheader" { (head) }
                    }
                }
            }
            tbody role="rowgroup" {
                @for (place, activity) in places.iter().take(PLACES_MAX) {
                    tr role="row" {
                        th scope="row" role="rowheader" {
                            span.name { (place_name(place.account())) " " (place_name(place.region())) }
                            (chart::bar(activity.counts.events, activity.counts.errors, most))
                        }
                        td.number role="cell" {
                            span.label aria-hidden="true" { "Events" }
                            span { (count(activity.counts.events)) }
                        }
                        td.number role="cell" {
                            span.label aria-hidden="true" { "Errors" }
                            span.error[activity.counts.errors > 0] { (count(activity.counts.errors)) }
                        }
                        @for (head, time) in [("First", activity.first), ("Last", activity.last)] {
                            td.time role="cell" {
                                span.label aria-hidden="true" { (head) }
                                @match time {
                                    Some(time) => (instant(time)),
                                    None => span.absent { "none" },
                                }
                            }
                        }
                    }
                }
            }
        }
        @if places.len() > PLACES_MAX {
            p.note { (format!("The first {PLACES_MAX} of {}.", count(places.len() as u64))) }
        }
        (more(&findings.filters, "regions"))
    }
}

fn place_name(name: Option<&str>) -> Markup {
    html! { @if let Some(name) = name { (Seen(name)) } @else { span.absent { "none" } } }
}

/// Draws what is loaded and what is missing.
pub(super) fn completeness(findings: &Findings) -> Markup {
    let ledger = &findings.ledger;
    html! {
        h3 { "Log files in this database" }
        (ledger_totals(ledger))
        @if !ledger.failed.is_empty() {
            h4 { "Files that could not be loaded" }
            ul.losses {
                @for object in &ledger.failed {
                    li { (Seen(&object.uri)) span.reason { (Seen(&object.reason)) } }
                }
            }
            p.more { "Continue: " (Command::other("status --failed")) }
        }
        @if !ledger.rejected.is_empty() {
            h4 { "Records that were rejected" }
            ul.losses {
                @for record in &ledger.rejected {
                    li {
                        (Seen(&record.uri)) ", record " (count(record.record_index))
                        span.reason { (Seen(&record.reason)) }
                    }
                }
            }
            p.more { "Continue: " (Command::other("status --rejected")) }
        }
        h3 { "Hours with events" }
        (coverage(findings))
    }
}

fn ledger_totals(ledger: &LedgerState) -> Markup {
    let totals = &ledger.totals;
    html! {
        p {
            "These numbers are of the whole database, whatever the filters of this page."
        }
        dl.totals {
            @for (name, number, is_loss) in [
                ("Loaded", totals.loaded, false),
                ("Skipped, no logs", totals.skipped, false),
                ("Failed", totals.failed, true),
                ("Records loaded", totals.rows, false),
                ("Records rejected", totals.rejects, true),
            ] {
                div.loss[is_loss && number > 0] { dt { (name) } dd { (count(number)) } }
            }
        }
        @if let Some(run) = &ledger.last_run {
            p {
                "Last import: "
                @match EventTime::parse(&run.started_at) {
                    Some(time) => (instant(time)),
                    None => (Seen(&run.started_at)),
                }
                ", " (Seen(&run.outcome)) "."
            }
        }
        @for job in ledger.jobs.iter().filter(|job| !job.is_complete()) {
            p.warning {
                (count(job.done.len() as u64)) " of " (counted(job.shard_count, "shard"))
                " of an import are done. This page lacks the events of the others: "
                code { "cloudtrail2sql status" } " names them."
            }
        }
        @if let Some(part) = &ledger.part {
            p.warning {
                "Partly loaded: " (Seen(&partial::in_words(part))) ". What is absent on this page may have \
                 happened all the same."
            }
        }
        @if ledger.rows_of_first_schema > 0 {
            p.warning {
                (counted(ledger.rows_of_first_schema, "record"))
                " were loaded by version 0.1.0, which stored only 16 columns. This page lacks their \
                 times, principals and other fields."
            }
        }
    }
}

/// Draws in which hours each account and region has events.
fn coverage(findings: &Findings) -> Markup {
    let activity = &findings.activity;
    let Some(scale) = Scale::of(findings) else {
        return html! { p.absent { "No events with a valid time." } };
    };
    let gaps = activity.gaps().count();
    let mut places: Vec<_> =
        activity.places.iter().filter(|(_, place)| !place.hours.is_empty()).collect();
    places.sort_by_key(|(_, place)| {
        (std::cmp::Reverse(place.gap_count()), std::cmp::Reverse(place.counts.events))
    });
    html! {
        p {
            "From the first to the last event of each account and region. An hour without events may mean \
             that the trail was off, that log files are missing, or that nothing happened."
        }
        ul.lanes {
            @for (place, activity) in places.iter().take(PLACES_MAX) {
                li {
                    span.name { (place_name(place.account())) " " (place_name(place.region())) }
                    (lane(&scale, activity))
                    span.gaps {
                        @match activity.gap_count() {
                            0 => "no gaps",
                            gaps => strong { (counted(gaps as u64, "gap")) },
                        }
                    }
                }
            }
            li.axis-row { span {} (scale.axis()) span {} }
        }
        p.legend aria-hidden="true" {
            span { span.key.full {} "events in every hour" }
            span { span.key.some {} "in some hours" }
            span { span.key.gap {} "in no hour" }
        }
        @if places.len() > PLACES_MAX {
            p.note {
                (format!("The {PLACES_MAX} with the most gaps and events, of {}.", count(places.len() as u64)))
            }
        }
        @if gaps > 0 {
            (gap_table(findings, gaps))
        }
        @if activity.undated > 0 {
            p.warning {
                (counted(activity.undated, "event")) " without a valid time: they are counted, but in no \
                 chart."
            }
        }
        (more(&findings.filters, "gaps"))
    }
}

fn lane(scale: &Scale, activity: &PlaceActivity) -> Markup {
    let hours = &activity.hours;
    let (Some(first), Some(last)) = (hours.first(), hours.last()) else { return html! { span {} } };
    let parts: Vec<Option<f64>> = scale
        .parts()
        .map(|(from, to)| {
            let (from, to) = (from.max(*first), to.min(last + 1));
            let with_events = (from < to).then(|| hours.range(from..to).count())?;
            Some(ratio(with_events, to - from))
        })
        .collect();
    let all = last - first + 1;
    chart::lane(&parts, &format!("events in {} of {all} hours", hours.len()))
}

#[expect(clippy::cast_precision_loss, reason = "a part of some hundred hours")]
fn ratio(part: usize, whole: i64) -> f64 {
    part as f64 / whole as f64
}

fn gap_table(findings: &Findings, gaps: usize) -> Markup {
    let mut longest: Vec<_> = findings.activity.gaps().collect();
    longest.sort_by_key(|gap| std::cmp::Reverse(gap.empty_hours()));
    html! {
        h4 { "The longest gaps" }
        table.answer role="table" {
            caption { "The longest gaps" }
            thead role="rowgroup" {
                tr role="row" {
                    th scope="col" role="columnheader" { "Account and region" }
                    @for head in ["Last hour before", "First hour after"] {
                        th.time scope="col" role="columnheader" { (head) }
                    }
                    th.number scope="col" role="columnheader" { "Empty hours" }
                }
            }
            tbody role="rowgroup" {
                @for gap in longest.iter().take(GAPS_MAX) {
                    tr role="row" {
                        th scope="row" role="rowheader" {
                            span.name {
                                (place_name(gap.place.account())) " "
                                (place_name(gap.place.region()))
                            }
                        }
                        @for (head, hour) in
                            [("Last hour before", gap.before), ("First hour after", gap.after)] {
                            td.time role="cell" {
                                span.label aria-hidden="true" { (head) }
                                span { (hour_text(hour)) }
                            }
                        }
                        td.number role="cell" {
                            span.label aria-hidden="true" { "Empty hours" }
                            span { (count(gap.empty_hours().unsigned_abs())) }
                        }
                    }
                }
            }
        }
        @if gaps > GAPS_MAX {
            p.note { (format!("The longest {GAPS_MAX} of {}.", count(gaps as u64))) }
        }
    }
}

/// Returns the numbers at the top of the page: a name, a number, and what it means.
pub(super) fn tiles(findings: &Findings) -> Vec<(&'static str, String, String)> {
    let (activity, totals) = (&findings.activity, &findings.ledger.totals);
    let counts = activity.counts;
    let distinct = |names: Vec<Option<&str>>| {
        names.into_iter().flatten().collect::<std::collections::BTreeSet<_>>().len() as u64
    };
    let accounts = distinct(activity.places.keys().map(|place| place.account()).collect());
    let regions = distinct(activity.places.keys().map(|place| place.region()).collect());
    let hours = activity.span().map_or(0, |(first, last)| (last.unix_s() - first.unix_s()) / 3600);
    let (gaps, empty) = activity
        .gaps()
        .fold((0, 0), |(gaps, empty), gap| (gaps + 1, empty + gap.empty_hours().unsigned_abs()));
    let span = match hours {
        0 => "< 1 h".to_owned(),
        1..48 => format!("{hours} h"),
        _ => format!("{} d", hours / 24),
    };
    vec![
        (
            "Events",
            count(counts.events),
            format!("in {}", counted(activity.hours.len() as u64, "hour")),
        ),
        (
            "Errors",
            count(counts.errors),
            format!("{} of all events", percentage(counts.errors, counts.events)),
        ),
        ("Time", span, "from the first to the last event".to_owned()),
        ("Accounts", count(accounts), format!("in {}", counted(regions, "region"))),
        ("Log files", count(totals.loaded), format!("{} failed", count(totals.failed))),
        ("Gaps", count(gaps), format!("{} without events", counted(empty, "hour"))),
    ]
}
