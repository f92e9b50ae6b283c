//! Progress of a running import and of its index builds: a bar or a line on a terminal, otherwise a log
//! line every few seconds.

use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tokio::task::JoinHandle;
use tracing::info;

use super::format::{bytes, count, duration};
use crate::database::Store;
use crate::import::progress::{Progress, Tally};

/// How often the bar is drawn.
const BAR_INTERVAL: Duration = Duration::from_millis(200);

/// How often a line is logged if there is no terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(5);

/// How often the server is asked how far the index builds are.
const BUILD_INTERVAL: Duration = Duration::from_secs(1);

/// How often a line about index builds is logged if there is no terminal.
const BUILD_LINE_INTERVAL: Duration = Duration::from_secs(15);

/// Shows progress until it is dropped.
#[derive(Debug)]
pub(crate) struct ProgressDisplay {
    task: JoinHandle<()>,
    bar: Option<ProgressBar>,
}

impl ProgressDisplay {
    /// Starts showing the counters: on `bars` if there are any, otherwise in the log.
    pub(crate) fn start(progress: Arc<Progress>, bars: Option<&MultiProgress>) -> Self {
        let bar = bars.map(|bars| bars.add(bar()));
        let shown = bar.clone();
        let started = Instant::now();
        let task = tokio::spawn(async move {
            let interval = if shown.is_some() { BAR_INTERVAL } else { LINE_INTERVAL };
            loop {
                tokio::time::sleep(interval).await;
                let tally = progress.tally();
                let text = line(&tally, started.elapsed());
                if let Some(bar) = &shown {
                    bar.set_length(tally.listed.objects.max(1));
                    bar.set_position(tally.settled_objects());
                    bar.set_message(text);
                } else {
                    info!("{text}");
                }
            }
        });
        Self { task, bar }
    }

    /// Starts showing how far the post-load step is: what the database reports, and the time it takes.
    pub(crate) fn start_after_load(store: Arc<dyn Store>, bars: Option<&MultiProgress>) -> Self {
        let spinner = bars.map(|bars| bars.add(ProgressBar::new_spinner()));
        let shown = spinner.clone();
        let started = Instant::now();
        let task = tokio::spawn(async move {
            let interval = if shown.is_some() { BUILD_INTERVAL } else { BUILD_LINE_INTERVAL };
            loop {
                tokio::time::sleep(interval).await;
                let text = after_load_line(store.build_progress().await, started.elapsed());
                if let Some(spinner) = &shown {
                    spinner.set_message(text);
                } else {
                    info!("{text}");
                }
            }
        });
        Self { task, bar: spinner }
    }
}

/// Returns the progress of the post-load step in one line.
fn after_load_line(reported: Option<String>, took: Duration) -> String {
    let reported = reported.map(|it| format!(" · {it}")).unwrap_or_default();
    format!("indexes and statistics: {}{reported}", duration(took))
}

impl Drop for ProgressDisplay {
    fn drop(&mut self) {
        self.task.abort();
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{wide_bar} {percent:>3} %\n{msg}")
        .expect("the template is a constant")
        .progress_chars("━╸ ");
    ProgressBar::new(1).with_style(style)
}

/// Returns the counters in one line. `took` is the time since the run began.
fn line(tally: &Tally, took: Duration) -> String {
    let (done, listed) = (tally.settled_objects(), tally.listed.objects);
    // While the listing continues, more objects may follow.
    let more = if tally.is_listing_done { "" } else { "+" };
    let seconds = took.as_secs_f64().max(0.001);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate for people"
    )]
    let rate = (tally.rows as f64 / seconds) as u64;
    let mut text = format!(
        "{} of {}{more} objects · {} rows · {} · {} rows/s",
        count(done),
        count(listed),
        count(tally.rows),
        bytes(tally.loaded.bytes),
        count(rate)
    );
    if tally.failed.objects > 0 {
        text.push_str(&format!(" · {} failed", count(tally.failed.objects)));
    }
    let left = listed.saturating_sub(done);
    if tally.is_listing_done && left > 0 && done > 0 {
        #[expect(clippy::cast_precision_loss, reason = "an estimate for people")]
        let eta = Duration::from_secs_f64(seconds * left as f64 / done as f64);
        text.push_str(&format!(" · {} left", duration(eta)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::progress::Count;

    #[test]
    fn the_line_after_the_load_has_the_time_and_what_is_reported() {
        let took = Duration::from_secs(75);
        assert_eq!(after_load_line(None, took), "indexes and statistics: 1 m 15 s");
        let reported = Some("scanning table 41 %, loading tuples in tree 7 %".to_owned());
        let expected =
            "indexes and statistics: 1 m 15 s · scanning table 41 %, loading tuples in tree 7 %";
        assert_eq!(after_load_line(reported, took), expected);
    }

    #[test]
    fn the_line_shows_that_more_may_follow_and_the_time_that_is_left() {
        let mut tally = Tally {
            listed: Count { objects: 4_000, bytes: 1 << 30 },
            loaded: Count { objects: 1_000, bytes: 1 << 20 },
            rows: 50_000,
            ..Tally::default()
        };
        let ten = Duration::from_secs(10);
        let listing = "1,000 of 4,000+ objects · 50,000 rows · 1.00 MiB · 5,000 rows/s";
        assert_eq!(line(&tally, ten), listing);
        tally.is_listing_done = true;
        let listed = "1,000 of 4,000 objects · 50,000 rows · 1.00 MiB · 5,000 rows/s · 30.0 s left";
        assert_eq!(line(&tally, ten), listed);
    }
}
