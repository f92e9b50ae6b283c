//! The faults of the store in memory that only servers have otherwise: deadlocks and timeouts.

use std::sync::Arc;
use std::time::Duration;

use cloudtrail2sql::database::memory_store::{Fault, MemoryStore};
use cloudtrail2sql::database::{ErrorClass, Sink, Timeouts};
use cloudtrail2sql::import::load::load;
use cloudtrail2sql::retry::RetryPolicy;
use tokio::time::Instant;

use super::commits::RETRY;
use super::objects::{RUN, batch, id, numbered};

#[tokio::test(start_paused = true)]
async fn a_deadlock_and_a_timeout_have_their_class_and_leave_nothing() {
    for (fault, class, expected) in [
        (Fault::Deadlock, ErrorClass::Contention, Duration::ZERO),
        (Fault::Timeout, ErrorClass::Transient, Timeouts::default().write),
    ] {
        let store = MemoryStore::with_write_faults([fault]);
        let started = Instant::now();
        let error = store.write(RUN, &batch(1, [numbered("a", 3)])).await.unwrap_err();
        assert_eq!(error.class, class, "{fault:?}");
        assert_eq!(started.elapsed(), expected, "{fault:?}");
        assert_eq!((store.rows(), store.lines("loaded")), (0, 0), "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_loaded_once_after_deadlocks_and_timeouts() {
    let faults = [Fault::Deadlock, Fault::Timeout, Fault::Lose, Fault::Deadlock];
    let store = Arc::new(MemoryStore::with_write_faults(faults));
    store.state().seen_faults.extend([Fault::Timeout, Fault::Pass, Fault::Break]);
    let mut settled = Vec::new();
    let objects = [numbered("a", 3), numbered("b", 1)];
    let retry = RetryPolicy { deadline: Duration::from_hours(1), ..RETRY };
    load(&*store, RUN, batch(1, objects), retry, &mut settled).await.unwrap();
    assert_eq!((settled.len(), store.rows(), store.lines("loaded")), (2, 4, 2));
    // The third write was committed; a query of the ledger showed it, and there was no fourth.
    assert_eq!(store.calls(), (3, 5));
    assert_eq!(store.seen(&[id("a"), id("b")]).await.unwrap().len(), 2);
}
