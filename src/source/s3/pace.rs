//! How fast requests go out once S3 has asked for fewer.
//!
//! Until then nothing waits. A refusal halves the rate at which new requests are sent; without
//! refusals it grows again, and beyond what S3 promises there is no limit any more. Only the first
//! try of a request takes a turn: the SDK sends refused ones again by itself, after its backoff.
//!
//! ```text
//! fetch, list ─▶ turn ─▶ SDK ─▶ S3
//!                 ▲              │ 503, 429
//!                 └── refused ◀──┘
//! ```

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_s3::config::interceptors::FinalizerInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use tokio::time::Instant;
use tracing::{info, warn};

/// S3: at least 5,500 GET or HEAD requests a second and prefix ("Best practices design patterns:
/// optimizing Amazon S3 performance", Amazon S3 User Guide).
const RATE_MAX: f64 = 5_500.0;

/// No refusal makes us slower. If S3 takes less still, the fetchers' backoff adapts to it.
const RATE_MIN: f64 = 10.0;

/// Fewer requests than these in a second tell what we needed, not what S3 takes. So one refusal
/// right at the start costs a short import little: it goes on at half of this.
const MEASURED_MIN: f64 = 100.0;

/// Refusals so soon after a cut are answers to what was sent before it.
const BURST: Duration = Duration::from_secs(1);

/// In what time the rate doubles without refusals.
const DOUBLING: Duration = Duration::from_secs(5);

/// How late a turn may come without being lost. The runtime's clock has steps of 1 ms, which is
/// five turns at [`RATE_MAX`].
const LATE: Duration = Duration::from_millis(10);

/// What all requests to one bucket share.
#[derive(Debug)]
pub(super) struct Pace {
    bucket: String,
    state: Mutex<State>,
    /// Held by the first of those who wait. The others do not have a time yet, so that a cut holds
    /// for them, too.
    queue: tokio::sync::Mutex<()>,
}

impl Pace {
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

    /// Waits until the next request may be sent. Turns are taken in the order they were asked for.
    ///
    /// Cancel safe: who does not wait to the end has taken no turn.
    pub(super) async fn turn(&self) {
        let _first = self.queue.lock().await;
        while let Err(next) = self.take() {
            tokio::time::sleep_until(next).await;
        }
    }

    /// Takes a turn, or says when there is one.
    fn take(&self) -> Result<(), Instant> {
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
    /// If nothing was sent at that rate yet, as when the first listing is refused five times in a
    /// row, it does not go down, but begins to grow only now.
    pub(super) fn refused(&self) {
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
        // A server that keeps us at its limit refuses every few seconds, for hours.
        if is_first {
            warn!(bucket, "S3 asks to slow down: {rate:.0} requests a second from now on");
        } else {
            info!(bucket, "S3 asks to slow down: {rate:.0} requests a second from now on");
        }
    }
}

#[derive(Debug)]
struct State {
    /// The last cut, as long as it limits anything.
    cut: Option<Cut>,
    /// When the next turn is due.
    next: Instant,
    sent: Sent,
}

impl State {
    /// Returns the requests a second allowed now, or `None` if there is no limit.
    fn rate(&mut self, now: Instant) -> Option<f64> {
        let rate = self.cut.as_ref()?.rate(now);
        if rate <= RATE_MAX {
            return Some(rate);
        }
        self.cut = None;
        None
    }
}

#[derive(Debug)]
struct Cut {
    /// Requests a second right after it.
    rate: f64,
    at: Instant,
    /// Whether a turn was taken since.
    is_tried: bool,
}

impl Cut {
    fn rate(&self, now: Instant) -> f64 {
        self.rate * (now - self.at).div_duration_f64(DOUBLING).exp2()
    }
}

/// How many turns were taken: in the second that began at `since`, and in the one before.
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

    /// Returns the turns of the last second, as if those of the second before were spread evenly.
    fn per_second(&mut self, now: Instant) -> f64 {
        self.roll(now);
        let left = 1.0 - (now - self.since).as_secs_f64();
        f64::from(self.before) * left + f64::from(self.count)
    }
}

/// Tells a [`Pace`] of every try that S3 refused, those the SDK repeats by itself included.
#[derive(Debug)]
pub(super) struct Watch(pub(super) Arc<Pace>);

impl Intercept for Watch {
    fn name(&self) -> &'static str {
        "Watch"
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // S3: `SlowDown` and `ServiceUnavailable` are 503; other stores answer 429, too.
        let status = context.response().map(|response| response.status().as_u16());
        if matches!(status, Some(429 | 503)) {
            self.0.refused();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
