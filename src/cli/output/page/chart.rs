//! Bars and charts as SVG. They are stretched to the width of the page, so they contain no text; their
//! labels are HTML.

use maud::{Markup, html};

use crate::answers::Counts;

/// The height of a chart, in its own units.
const HEIGHT: f64 = 100.0;

/// The width of a bar and of the step to the next, in the chart's own units.
const BAR: f64 = 8.0;
const STEP: f64 = 10.0;

/// The least height of a bar that is not empty.
const HEIGHT_MIN: f64 = 1.5;

/// A bar of a chart.
#[derive(Debug, Clone)]
pub(super) struct Bar {
    pub(super) counts: Counts,
    /// What it stands for.
    pub(super) label: String,
}

/// Draws a bar for `n`, with the part that is errors, as a part of the longest bar.
pub(super) fn bar(n: u64, errors: u64, most: u64) -> Markup {
    let width = |part| format!("{:.2}%", 100.0 * ratio(part, most));
    html! {
        svg.bar aria-hidden="true" width="100%" height="4" {
            rect.track width="100%" height="4" rx="2" {}
            rect.events width=(width(n)) height="4" rx="2" {}
            @if errors > 0 {
                rect.errors width=(width(errors.min(n))) height="4" rx="2" {}
            }
        }
    }
}

/// Draws bars side by side, the errors at the foot of each.
pub(super) fn bars(bars: &[Bar], label: &str) -> Markup {
    let most = bars.iter().map(|bar| bar.counts.events).max().unwrap_or(0);
    let width = left(bars.len());
    let height = |part: u64| {
        if part == 0 { 0.0 } else { (HEIGHT * ratio(part, most)).max(HEIGHT_MIN) }
    };
    html! {
        svg.bars role="img" aria-label=(label) viewBox=(format!("0 0 {width} {HEIGHT}"))
            preserveAspectRatio="none" {
            @for quarter in [25, 50, 75] {
                line.grid x1="0" x2=(width) y1=(quarter) y2=(quarter) {}
            }
            @for (position, bar) in bars.iter().enumerate() {
                @let x = left(position) + (STEP - BAR) / 2.0;
                g {
                    title { (bar.label) }
                    rect.hit x=(left(position)) y="0" width=(STEP) height=(HEIGHT) {}
                    @for (class, part) in
                        [("events", bar.counts.events), ("errors", bar.counts.errors)] {
                        @if part > 0 {
                            rect class=(class) x=(x) width=(BAR) y=(rounded(HEIGHT - height(part)))
                                height=(rounded(height(part))) {}
                        }
                    }
                }
            }
        }
    }
}

/// Draws which parts of a time have events: `parts` says how much of each part has, from 0 to 1;
/// `None` is before the first or after the last event.
pub(super) fn lane(parts: &[Option<f64>], label: &str) -> Markup {
    html! {
        svg.lane role="img" aria-label=(label) viewBox=(format!("0 0 {} 10", left(parts.len())))
            preserveAspectRatio="none" {
            rect.track width="100%" height="10" {}
            @for (position, part) in parts.iter().enumerate() {
                @let class = match part {
                    None => None,
                    Some(part) if *part >= 1.0 => Some("full"),
                    Some(part) if *part > 0.0 => Some("some"),
                    Some(_) => Some("gap"),
                };
                @if let Some(class) = class {
                    rect class=(class) x=(left(position)) width=(STEP) height="10" {}
                }
            }
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "at most some hundred bars")]
fn left(position: usize) -> f64 {
    position as f64 * STEP
}

#[expect(clippy::cast_precision_loss, reason = "a length in a picture")]
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

fn rounded(length: f64) -> String {
    format!("{length:.2}")
}
