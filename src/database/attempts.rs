//! The attempts of one request to the database: how long each error is waited out, and what is
//! logged meanwhile.

use std::time::Duration;

use tokio::time::Instant;
use tracing::{debug, warn};

use super::{DatabaseError, ErrorClass};
use crate::retry::{Retry, RetryPolicy};

/// The time between two reports of a request that keeps failing.
const REPORT_EVERY: Duration = Duration::from_secs(30);

/// How often a request may lose against other transactions. It waits only briefly in between, so
/// these attempts are counted apart from those at a server that is away.
const CONTENTIONS_MAX: u32 = 100;

/// The longest wait before the second attempt after a deadlock, and the longest of all.
const CONTENTION_WAIT: Duration = Duration::from_millis(20);
const CONTENTION_WAIT_MAX: Duration = Duration::from_secs(1);

/// The attempts of one request.
#[derive(Debug)]
pub(crate) struct Attempts {
    policy: RetryPolicy,
    /// Attempts at a server that is away or busy.
    away: Retry,
    /// Attempts that lost against another transaction.
    contended: Retry,
    first_failure: Option<Instant>,
    reported: Option<Instant>,
}

impl Attempts {
    /// Starts counting the attempts of one request.
    pub(crate) fn new(policy: RetryPolicy) -> Self {
        let contention = RetryPolicy {
            attempts_max: policy.attempts_max.min(CONTENTIONS_MAX),
            first_wait_max: CONTENTION_WAIT.min(policy.first_wait_max),
            wait_max: CONTENTION_WAIT_MAX.min(policy.wait_max),
            ..policy
        };
        let (away, contended) = (policy.start(), contention.start());
        Self { policy, away, contended, first_failure: None, reported: None }
    }

    /// Waits before the next attempt.
    ///
    /// Logs a warning when the server fails first, and again at intervals.
    ///
    /// # Errors
    /// Gives the error back if a repetition cannot help, or if the attempts are used up.
    pub(crate) async fn wait(&mut self, error: DatabaseError) -> Result<(), DatabaseError> {
        let retry = match error.class {
            ErrorClass::Transient => &mut self.away,
            ErrorClass::Contention => &mut self.contended,
            ErrorClass::Conflict | ErrorClass::DataRefused | ErrorClass::Fatal => {
                return Err(error);
            }
        };
        let Some(wait) = retry.next_wait() else { return Err(error) };
        let attempt = retry.failed_attempts();
        let cause = error.source.as_ref().map(ToString::to_string).unwrap_or_default();
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        let now = Instant::now();
        let first_failure = *self.first_failure.get_or_insert(now);
        let is_due = self.reported.is_none_or(|last| now - last >= REPORT_EVERY);
        if error.class == ErrorClass::Contention || !is_due {
            debug!(attempt, wait_ms, cause, "{}; retrying", error.message);
        } else {
            let (for_s, of_s) = ((now - first_failure).as_secs(), self.policy.deadline.as_secs());
            self.reported = Some(now);
            if for_s == 0 {
                warn!(attempt, wait_ms, cause, "{}; retrying", error.message);
            } else {
                warn!(attempt, cause, "{}; retrying for {for_s} s of {of_s} s", error.message);
            }
        }
        tokio::time::sleep(wait).await;
        Ok(())
    }

    /// Starts counting anew, because part of the request succeeded.
    pub(crate) fn reset(&mut self) {
        *self = Self::new(self.policy);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: RetryPolicy = RetryPolicy {
        attempts_max: u32::MAX,
        deadline: Duration::from_mins(5),
        first_wait_max: Duration::from_millis(100),
        wait_max: Duration::from_secs(10),
    };

    fn error(class: ErrorClass) -> DatabaseError {
        DatabaseError { class, ..DatabaseError::transient("write a batch", "no answer".into(), "") }
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_is_away_is_waited_for_until_the_deadline() {
        let (started, mut attempts) = (Instant::now(), Attempts::new(POLICY));
        while attempts.wait(error(ErrorClass::Transient)).await.is_ok() {}
        let took = started.elapsed();
        assert!(took <= POLICY.deadline && took + POLICY.wait_max > POLICY.deadline, "{took:?}");
        attempts.reset();
        assert!(attempts.wait(error(ErrorClass::Transient)).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn lost_deadlocks_use_up_no_attempt_at_a_server_that_is_away() {
        let policy = RetryPolicy { attempts_max: 3, ..POLICY };
        let mut attempts = Attempts::new(policy);
        for class in [ErrorClass::Contention, ErrorClass::Transient].repeat(2) {
            assert!(attempts.wait(error(class)).await.is_ok(), "{class:?}");
        }
        for class in [ErrorClass::Contention, ErrorClass::Transient] {
            assert!(attempts.wait(error(class)).await.is_err(), "{class:?}");
        }
        let (started, mut attempts) = (Instant::now(), Attempts::new(POLICY));
        for _ in 1..CONTENTIONS_MAX {
            attempts.wait(error(ErrorClass::Contention)).await.unwrap();
        }
        assert!(attempts.wait(error(ErrorClass::Contention)).await.is_err());
        assert!(started.elapsed() < Duration::from_secs(100), "{:?}", started.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_repetition_cannot_help_is_given_back_at_once() {
        for class in [ErrorClass::Conflict, ErrorClass::DataRefused, ErrorClass::Fatal] {
            let started = Instant::now();
            let given_back = Attempts::new(POLICY).wait(error(class)).await.unwrap_err();
            assert_eq!((given_back.class, started.elapsed()), (class, Duration::ZERO));
        }
    }
}
