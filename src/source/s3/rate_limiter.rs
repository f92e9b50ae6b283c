//! Limits the request rate of one bucket after S3 has asked to slow down.
//!
//! Without a refusal there is no limit. A refusal halves the rate at which new requests are sent.
//! Without further refusals the rate doubles every 5 s, and above the rate that S3 promises the
//! limit ends. Only the first attempt of a request waits here: the SDK repeats refused attempts
//! itself, with its own backoff.
//!
//! ```text
//! fetch, list ─▶ acquire ─▶ SDK ─▶ S3
//!                   ▲               │ 503, 429
//!                   └── slow_down ◀─┘
//! ```

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;
use tracing::{info, warn};

/// The rate above which there is no limit, in requests per second.
///
/// S3: at least 5,500 GET or HEAD requests per second and prefix ("Best practices design patterns:
/// optimizing Amazon S3 performance", Amazon S3 User Guide).
const RATE_MAX: f64 = 5_500.0;

/// The lowest rate. If S3 accepts even less, the SDK's backoff adapts to it.
const RATE_MIN: f64 = 10.0;

/// The lowest rate that counts as a measurement of what S3 accepts.
///
/// A lower one only shows how few requests were needed. The first refusal of a short import
/// therefore limits it to half of this rate, not to almost nothing.
const MEASURED_MIN: f64 = 100.0;

/// The time after a cut in which refusals answer requests that were sent before it.
const BURST: Duration = Duration::from_secs(1);

/// The time in which the rate doubles without refusals.
const DOUBLING: Duration = Duration::from_secs(5);

/// How late a waiting request may start without lowering the rate. The runtime's clock has steps
/// of 1 ms, which is five requests at [`RATE_MAX`].
const LATE: Duration = Duration::from_millis(10);

/// The rate limiter that all fetches and listings of one bucket share.
#[derive(Debug)]
pub(super) struct RateLimiter {
    bucket: String,
    state: Mutex<State>,
    /// Held by the first waiting request. The others have no start time yet, so that a cut also
    /// applies to them.
    queue: tokio::sync::Mutex<()>,
}

impl RateLimiter {
    pub(super) fn new(bucket: &str) -> Self {
        let now = Instant::now();
        let sent = Sent { since: now, count: 0, before: 0 };
        let state = State { cut: None, next: now, sent };
        Self {
            bucket: bucket.to_owned(),
            state: Mutex::new(state),
            queue: tokio::sync::Mutex::default(),
        }
    }

    /// Waits until the next request may be sent. Requests are admitted first come, first served.
    ///
    /// Cancel safe: a cancelled wait does not count as a request.
    pub(super) async fn acquire(&self) {
        let _first = self.queue.lock().await;
        while let Err(next) = self.try_acquire() {
            tokio::time::sleep_until(next).await;
        }
    }

    /// Counts a request that may be sent now, or returns when the next one may be sent.
    fn try_acquire(&self) -> Result<(), Instant> {
        let mut state = self.state.lock().expect("no holder of this lock panics");
        let now = Instant::now();
        if let Some(rate) = state.rate(now) {
            if state.next > now {
                return Err(state.next);
            }
            let due = state.next.max(now.checked_sub(LATE).unwrap_or(now));
            state.next = due + Duration::from_secs_f64(1.0 / rate);
        }
        if let Some(cut) = &mut state.cut {
            cut.is_tried = true;
        }
        state.sent.add(now);
        Ok(())
    }

    /// Halves the rate, once for all refusals of a burst.
    ///
    /// If no request was sent since the last cut, as when the first listing is refused five times
    /// in a row, the rate stays as it is and starts to grow only now.
    pub(super) fn slow_down(&self) {
        let (rate, is_first) = {
            let mut state = self.state.lock().expect("no holder of this lock panics");
            let now = Instant::now();
            let limit = state.rate(now);
            match &mut state.cut {
                Some(cut) if !cut.is_tried => {
                    cut.at = now;
                    return;
                }
                Some(cut) if now - cut.at < BURST => return,
                _ => {}
            }
            let measured = state.sent.per_second(now).max(MEASURED_MIN);
            let rate = (limit.unwrap_or(RATE_MAX).min(measured) / 2.0).max(RATE_MIN);
            state.cut = Some(Cut { rate, at: now, is_tried: false });
            (rate, limit.is_none())
        };
        let bucket = &self.bucket;
        // A server may refuse every few seconds for hours: one warning is enough.
        if is_first {
            warn!(bucket, "S3 asks to slow down: sending {rate:.0} requests per second");
        } else {
            info!(bucket, "S3 asks to slow down: sending {rate:.0} requests per second");
        }
    }
}

#[derive(Debug)]
struct State {
    /// The last cut; none once its limit has ended.
    cut: Option<Cut>,
    /// When the next request may be sent.
    next: Instant,
    sent: Sent,
}

impl State {
    /// Returns the allowed requests per second, or `None` if there is no limit.
    fn rate(&mut self, now: Instant) -> Option<f64> {
        let rate = self.cut.as_ref()?.rate(now);
        if rate <= RATE_MAX {
            return Some(rate);
        }
        self.cut = None;
        None
    }
}

/// A reduction of the rate.
#[derive(Debug)]
struct Cut {
    /// Requests per second right after it.
    rate: f64,
    at: Instant,
    /// Whether a request was sent since.
    is_tried: bool,
}

impl Cut {
    fn rate(&self, now: Instant) -> f64 {
        self.rate * (now - self.at).div_duration_f64(DOUBLING).exp2()
    }
}

/// The number of requests sent in the second that began at `since`, and in the second before.
#[derive(Debug)]
struct Sent {
    since: Instant,
    count: u32,
    before: u32,
}

impl Sent {
    const SECOND: Duration = Duration::from_secs(1);

    fn roll(&mut self, now: Instant) {
        let elapsed = now - self.since;
        if elapsed >= 2 * Self::SECOND {
            *self = Self { since: now, count: 0, before: 0 };
        } else if elapsed >= Self::SECOND {
            *self = Self { since: self.since + Self::SECOND, count: 0, before: self.count };
        }
    }

    fn add(&mut self, now: Instant) {
        self.roll(now);
        self.count += 1;
    }

    /// Returns the requests of the last second. Those of the second before count as if they had
    /// been spread evenly.
    fn per_second(&mut self, now: Instant) -> f64 {
        self.roll(now);
        let left = 1.0 - (now - self.since).as_secs_f64();
        f64::from(self.before) * left + f64::from(self.count)
    }
}

#[cfg(test)]
mod tests;
