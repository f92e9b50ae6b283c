//! The retry policy, used by every loop that repeats a request.
//!
//! It decides *how long* to wait and *when to give up*. Whether an error is worth a retry is
//! decided where the error is known: in a driver, or in the S3 client.

use std::time::Duration;

use tokio::time::Instant;

/// How often, how long and at what intervals a request is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts, the first one included.
    pub attempts_max: u32,
    /// The time after which no further attempt starts, counted from the first failure.
    pub deadline: Duration,
    /// The longest wait before the second attempt. It doubles from attempt to attempt.
    pub first_wait_max: Duration,
    /// The longest wait of all.
    pub wait_max: Duration,
}

impl RetryPolicy {
    /// Starts counting the attempts of one request.
    pub fn start(self) -> Retry {
        Retry { policy: self, failed_attempts: 0, first_failure: None }
    }
}

/// The attempts of one request.
#[derive(Debug)]
pub struct Retry {
    policy: RetryPolicy,
    failed_attempts: u32,
    first_failure: Option<Instant>,
}

impl Retry {
    /// Counts a failed attempt. Returns how long to wait before the next one, or `None` once the
    /// attempts or the time are used up.
    ///
    /// The wait is random within its upper half ("equal jitter"), so that two clients that failed
    /// together do not retry together.
    pub fn next_wait(&mut self) -> Option<Duration> {
        self.failed_attempts += 1;
        let policy = self.policy;
        if self.failed_attempts >= policy.attempts_max {
            return None;
        }
        let doublings = 2_u32.saturating_pow(self.failed_attempts - 1);
        let longest = policy.first_wait_max.saturating_mul(doublings).min(policy.wait_max);
        let wait = longest.mul_f64(0.5 + 0.5 * fastrand::f64());
        let now = Instant::now();
        let first_failure = *self.first_failure.get_or_insert(now);
        (now + wait - first_failure <= policy.deadline).then_some(wait)
    }

    /// Returns how many attempts have failed so far.
    pub fn failed_attempts(&self) -> u32 {
        self.failed_attempts
    }

    /// Starts counting anew, because part of the request succeeded.
    pub fn reset(&mut self) {
        (self.failed_attempts, self.first_failure) = (0, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: RetryPolicy = RetryPolicy {
        attempts_max: 10,
        deadline: Duration::from_mins(1),
        first_wait_max: Duration::from_millis(100),
        wait_max: Duration::from_secs(10),
    };

    #[tokio::test(start_paused = true)]
    async fn waits_double_up_to_the_longest_and_end_with_the_attempts() {
        let mut retry = POLICY.start();
        for attempt in 1..10_u32 {
            let longest = POLICY.wait_max.min(POLICY.first_wait_max * 2_u32.pow(attempt - 1));
            let wait = retry.next_wait().unwrap();
            assert!(longest / 2 <= wait && wait <= longest, "{attempt}: {wait:?} of {longest:?}");
            assert_eq!(retry.failed_attempts(), attempt);
        }
        assert_eq!(retry.next_wait(), None);
        retry.reset();
        assert!(retry.next_wait().unwrap() <= POLICY.first_wait_max);
    }

    #[tokio::test(start_paused = true)]
    async fn no_attempt_starts_after_the_deadline() {
        let mut retry = RetryPolicy { attempts_max: u32::MAX, ..POLICY }.start();
        let started = Instant::now();
        while let Some(wait) = retry.next_wait() {
            tokio::time::sleep(wait).await;
        }
        let took = started.elapsed();
        // The last wait would have crossed the deadline.
        assert!(took <= POLICY.deadline && took + POLICY.wait_max > POLICY.deadline, "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn two_that_failed_together_do_not_retry_together() {
        let waits: std::collections::BTreeSet<Duration> =
            (0..20).map(|_| POLICY.start().next_wait().unwrap()).collect();
        assert!(waits.len() > 10, "{waits:?}");
    }
}
