//! Waiting for a condition, with a deadline.
//!
//! A test never sleeps for a fixed time in the hope that something has happened by then. The
//! deadline ends only a test that would hang; it decides nothing else.

use std::time::{Duration, Instant};

/// How long a test waits for a condition.
pub const DEADLINE: Duration = Duration::from_mins(2);

/// The pause between two looks at a condition.
const INTERVAL: Duration = Duration::from_millis(2);

/// Blocks until `is_met` returns true.
///
/// # Panics
/// The condition is not met before the deadline; `what` names it in the message.
#[track_caller]
pub fn until(what: &str, mut is_met: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_met() {
        assert!(started.elapsed() < DEADLINE, "waited in vain: {what}");
        std::thread::sleep(INTERVAL);
    }
}

/// Waits until `is_met` returns true, without blocking the runtime.
///
/// # Panics
/// The condition is not met before the deadline; `what` names it in the message.
pub async fn until_async(what: &str, mut is_met: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !is_met().await {
        assert!(started.elapsed() < DEADLINE, "waited in vain: {what}");
        tokio::time::sleep(INTERVAL).await;
    }
}
