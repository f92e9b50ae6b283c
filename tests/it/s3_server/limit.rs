//! A limit on the calls per second.

use std::time::Instant;

/// How many calls may be saved up, as a fraction of the calls of a second.
const SAVED: f64 = 0.1;

/// A token bucket.
#[derive(Debug)]
pub(super) struct Limit {
    per_second: f64,
    tokens: f64,
    at: Instant,
}

impl Limit {
    pub(super) fn new(per_second: u32) -> Self {
        let per_second = f64::from(per_second);
        Self { per_second, tokens: per_second * SAVED, at: Instant::now() }
    }

    /// Counts a call, and returns whether it is within the limit.
    pub(super) fn admits(&mut self) -> bool {
        let earned = self.at.elapsed().as_secs_f64() * self.per_second;
        self.tokens = (self.tokens + earned).min(self.per_second * SAVED);
        self.at = Instant::now();
        let is_admitted = self.tokens >= 1.0;
        if is_admitted {
            self.tokens -= 1.0;
        }
        is_admitted
    }
}
