//! The breaker: ends a run that may read nothing, before it writes down every object as failed.
//!
//! Objects that failed in an earlier run do not count: those of a bucket that others also write to
//! may be denied for ever, and must not keep the run from the objects behind them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// After so many denied objects and none that could be read, permissions are missing for all.
pub(super) const DENIED_MAX: u64 = 100;

/// Counts denied objects until the first one is read.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    has_read: AtomicBool,
    denied: AtomicU64,
}

impl Breaker {
    /// Notes that an object was read: from now on, each denied object costs only itself.
    pub(super) fn read(&self) {
        // Stored once: the fetchers share its cache line.
        if !self.has_read.load(Ordering::Relaxed) {
            self.has_read.store(true, Ordering::Relaxed);
        }
    }

    /// Notes that a new object was denied; returns whether the run must end.
    pub(super) fn denied(&self) -> bool {
        let denied = self.denied.fetch_add(1, Ordering::Relaxed) + 1;
        denied >= DENIED_MAX && !self.has_read.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_run_that_has_read_nothing_ends() {
        let breaker = Breaker::default();
        let denials = (0..DENIED_MAX - 1).filter(|_| breaker.denied()).count();
        assert_eq!(denials, 0);
        assert!(breaker.denied());
        assert!(breaker.denied());
        breaker.read();
        assert!(!breaker.denied());
    }
}
