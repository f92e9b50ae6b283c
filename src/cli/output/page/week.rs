//! The events by day and hour of the week, as a table of shades.

use maud::{Markup, html};

use super::{Findings, more};
use crate::answers::Counts;
use crate::cli::output::format::{count, counted};

const DAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// The number of shades; the shade 0 is for no events.
const SHADES: u32 = 6;

/// Draws the section.
pub(super) fn week(findings: &Findings) -> Markup {
    let week = findings.activity.week();
    let most = week.iter().flatten().map(|counts| counts.events).max().unwrap_or(0);
    if most == 0 {
        return html! { p.absent { "No events with a valid time." } };
    }
    html! {
        p { "When events happen, in UTC. Activity at unusual hours is worth a look." }
        table.week {
            caption { "Events by day and hour of the week" }
            thead {
                tr {
                    td {}
                    @for hour in 0..24 {
                        th scope="col" class=[(hour % 6 != 0).then_some("minor")] {
                            (format!("{hour:02}"))
                        }
                    }
                }
            }
            tbody {
                @for (day, hours) in DAYS.iter().zip(&week) {
                    tr {
                        th scope="row" { abbr title=(day) { (day[..3]) } }
                        @for (hour, counts) in hours.iter().enumerate() {
                            @let shade = shade(counts.events, most);
                            td class={ "shade-" (shade) } title=(label(day, hour, *counts)) {
                                span.hidden { (count(counts.events)) }
                            }
                        }
                    }
                }
            }
        }
        p.legend aria-hidden="true" {
            "none"
            @for shade in 0..SHADES { span class={ "key shade-" (shade) } {} }
            (counted(most, "event"))
        }
        (more(&findings.filters, "hours"))
    }
}

fn label(day: &str, hour: usize, counts: Counts) -> String {
    let (events, errors) = (counted(counts.events, "event"), counted(counts.errors, "error"));
    format!("{day} {hour:02}:00 to {:02}:00 UTC: {events}, {errors}", hour + 1)
}

/// Returns the shade of a number. Shades follow the square root, so that small numbers differ.
fn shade(events: u64, most: u64) -> u32 {
    let steps = SHADES - 1;
    // The least shade whose number is not exceeded: (shade / steps)² of the most.
    let (events, most) = (u128::from(events), u128::from(most));
    let reaches =
        |shade: &u32| u128::from(*shade).pow(2) * most >= events * u128::from(steps).pow(2);
    (0..steps).find(reaches).unwrap_or(steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_no_events_have_no_shade_and_only_the_most_have_the_last() {
        let shades = [0, 1, 40, 41, 160, 360, 640, 641, 1000].map(|events| shade(events, 1000));
        assert_eq!(shades, [0, 1, 1, 2, 2, 3, 4, 5, 5]);
        assert_eq!(shade(1, 1), 5);
    }
}
