//! Limits the request rate of one bucket while S3 refuses most requests.
//!
//! Without refusals there is no limit. Once S3 refuses more than half of the requests of a second,
//! new ones are sent at the rate at which it accepted them. From there the rate doubles every 5 s,
//! and above the rate that S3 promises the limit ends. While S3 refuses fewer, a lower rate would
//! only hold up the requests that succeed, so that the refused ones wait for themselves alone
//! ([`Bucket::start_retries`](super::bucket::Bucket)).
//!
//! ```text
//! each attempt ─▶ acquire ─▶ S3 ─▶ accepted, or refused (503, 429)
//!                    ▲                 │
//!                    └── rate ◀────────┘
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

/// The lowest rate. If S3 accepts even less, the waits of the refused requests adapt to it.
const RATE_MIN: f64 = 50.0;

/// Fewer refusals in a second do not lower the rate: so few show nothing about the others.
const REFUSED_MIN: f64 = 20.0;

/// The time after a cut in which answers belong to requests that were sent before it.
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
        let state = State { cut: None, next: now, answers: Answers::since(now) };
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
        Ok(())
    }

    /// Notes that S3 took a request.
    pub(super) fn accepted(&self) {
        let mut state = self.state.lock().expect("no holder of this lock panics");
        let now = Instant::now();
        if !state.is_in_burst(now) {
            state.answers.roll(now);
            state.answers.this.accepted += 1;
        }
    }

    /// Notes that S3 asked to slow down. If it refuses most requests, the rate becomes the one at
    /// which it accepted them.
    pub(super) fn refused(&self) {
        let (rate, is_first) = {
            let mut state = self.state.lock().expect("no holder of this lock panics");
            let now = Instant::now();
            if state.is_in_burst(now) {
                return;
            }
            state.answers.roll(now);
            state.answers.this.refused += 1;
            let (accepted, refused) = state.answers.per_second(now);
            if refused < REFUSED_MIN || refused <= accepted {
                return;
            }
            let limit = state.rate(now);
            let rate = accepted.max(RATE_MIN);
            state.cut = Some(Cut { rate, at: now });
            state.answers = Answers::since(now + BURST);
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
    answers: Answers,
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

    fn is_in_burst(&self, now: Instant) -> bool {
        self.cut.as_ref().is_some_and(|cut| now < cut.at + BURST)
    }
}

/// A reduction of the rate.
#[derive(Debug)]
struct Cut {
    /// Requests per second right after it.
    rate: f64,
    at: Instant,
}

impl Cut {
    fn rate(&self, now: Instant) -> f64 {
        self.rate * (now - self.at).div_duration_f64(DOUBLING).exp2()
    }
}

/// The answers of the second that began at `since`, and of the second before.
#[derive(Debug)]
struct Answers {
    since: Instant,
    this: Count,
    before: Count,
}

/// How many requests were accepted and refused.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    accepted: u32,
    refused: u32,
}

impl Answers {
    const SECOND: Duration = Duration::from_secs(1);

    fn since(since: Instant) -> Self {
        Self { since, this: Count::default(), before: Count::default() }
    }

    /// Begins a new second if the last one is over.
    fn roll(&mut self, now: Instant) {
        let elapsed = now - self.since;
        if elapsed >= 2 * Self::SECOND {
            *self = Self::since(now);
        } else if elapsed >= Self::SECOND {
            let since = self.since + Self::SECOND;
            *self = Self { since, this: Count::default(), before: self.this };
        }
    }

    /// Returns how many requests of the last second were accepted and refused. Those of the second
    /// before count as if they had been spread evenly.
    fn per_second(&self, now: Instant) -> (f64, f64) {
        let left = (1.0 - (now - self.since).as_secs_f64()).max(0.0);
        let sum = |before, this| f64::from(before) * left + f64::from(this);
        let (before, this) = (self.before, self.this);
        (sum(before.accepted, this.accepted), sum(before.refused, this.refused))
    }
}

#[cfg(test)]
mod tests;
