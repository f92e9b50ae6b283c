//! The memory budget: bytes that the buffers of all objects in flight may occupy together.
//!
//! Reservations are granted first come, first served. A request larger than the budget is granted
//! the whole budget, exclusively. A task must not wait for a second permit while it holds a first:
//! two such tasks could wait for each other for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// The unit in which the budget is counted.
const UNIT_BYTES: u64 = 1024;

/// The two budgets of a run.
#[derive(Debug)]
pub struct Memory {
    /// For stored bytes: from before an object is fetched until it is parsed.
    pub stored: MemoryBudget,
    /// For decoded text and rows: from before an object is decoded until its batch is written.
    pub decoded: MemoryBudget,
}

impl Memory {
    /// Divides `bytes` between the two budgets.
    ///
    /// CloudTrail's files decode to 10 to 15 times their size, and then to as many bytes of rows. A
    /// quarter for the stored bytes keeps the fetchers ahead of the parser.
    pub fn new(bytes: u64) -> Self {
        let stored = bytes / 4;
        Self { stored: MemoryBudget::new(stored), decoded: MemoryBudget::new(bytes - stored) }
    }
}

/// The bytes that the buffers of all objects in flight may occupy together.
#[derive(Debug)]
pub struct MemoryBudget {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    semaphore: Arc<Semaphore>,
    units: u32,
    /// Units of all permits together. The semaphore does not know: it sets units aside for tasks
    /// that wait.
    held: AtomicUsize,
    /// How many tasks wait for a permit.
    waiting: AtomicUsize,
    /// Notified of every change of the two while a task waits.
    changed: Notify,
}

/// A part of the budget, returned when dropped.
#[derive(Debug)]
pub struct MemoryPermit {
    inner: Arc<Inner>,
    permit: OwnedSemaphorePermit,
}

impl MemoryBudget {
    /// Makes a budget of so many bytes.
    pub fn new(bytes: u64) -> Self {
        let units = u32::try_from(bytes / UNIT_BYTES).unwrap_or(u32::MAX).max(1);
        let semaphore = Arc::new(Semaphore::new(units as usize));
        let (held, waiting) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { inner: Arc::new(Inner { semaphore, units, held, waiting, changed: Notify::new() }) }
    }

    /// Waits until `bytes` are free; a request larger than the budget waits for all of it.
    ///
    /// Cancel safe: a dropped call holds nothing.
    ///
    /// # Panics
    /// Never: the semaphore is not closed.
    pub async fn reserve(&self, bytes: u64) -> MemoryPermit {
        let units = u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX);
        let units = units.clamp(1, self.inner.units);
        let semaphore = || Arc::clone(&self.inner.semaphore);
        let permit = if let Ok(permit) = semaphore().try_acquire_many_owned(units) {
            permit
        } else {
            let _waiting = Waiting::new(&self.inner);
            let permit = semaphore().acquire_many_owned(units).await;
            permit.expect("the semaphore is never closed")
        };
        self.inner.held.fetch_add(permit.num_permits(), Ordering::SeqCst);
        MemoryPermit { inner: Arc::clone(&self.inner), permit }
    }

    /// Resolves when a task waits for memory and the caller, who holds `held_bytes`, holds every
    /// byte that is out: then only the caller can end the waiting.
    pub async fn exhausted_by(&self, held_bytes: u64) {
        loop {
            let changed = self.inner.changed.notified();
            let is_waited_for = self.inner.waiting.load(Ordering::SeqCst) > 0;
            let all_held = self.inner.held.load(Ordering::SeqCst) as u64 * UNIT_BYTES;
            if is_waited_for && held_bytes > 0 && held_bytes == all_held {
                return;
            }
            changed.await;
        }
    }
}

/// Counts a task that waits for a permit.
struct Waiting<'a>(&'a Inner);

impl<'a> Waiting<'a> {
    fn new(inner: &'a Inner) -> Self {
        inner.waiting.fetch_add(1, Ordering::SeqCst);
        inner.changed.notify_one();
        Self(inner)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Inner {
    fn put_back(&self, units: usize) {
        self.held.fetch_sub(units, Ordering::SeqCst);
        if self.waiting.load(Ordering::SeqCst) > 0 {
            self.changed.notify_one();
        }
    }
}

impl MemoryPermit {
    /// Returns how much of the budget it holds, in bytes.
    pub fn held_bytes(&self) -> u64 {
        self.permit.num_permits() as u64 * UNIT_BYTES
    }

    /// Returns all but `bytes` to the budget.
    pub fn shrink(&mut self, bytes: u64) {
        let units = usize::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(usize::MAX);
        let surplus = self.permit.num_permits().saturating_sub(units);
        self.inner.put_back(surplus);
        drop(self.permit.split(surplus));
    }
}

impl Drop for MemoryPermit {
    fn drop(&mut self) {
        self.inner.put_back(self.permit.num_permits());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_permit_returns_what_it_does_not_keep() {
        let budget = MemoryBudget::new(10 << 10);
        let is_free = |units| {
            let held = budget.inner.held.load(Ordering::SeqCst);
            (10 - held, budget.inner.semaphore.available_permits()) == (units, units)
        };
        let mut permit = budget.reserve(8 << 10).await;
        assert!(is_free(2));
        permit.shrink(3 << 10);
        assert!(is_free(7));
        drop(permit);
        assert!(is_free(10));
        // More than there is: all of it, and no more than that comes back.
        let mut all = budget.reserve(1 << 40).await;
        assert!(is_free(0));
        all.shrink(1 << 40);
        drop(all);
        assert!(is_free(10));
    }

    #[tokio::test(start_paused = true)]
    async fn memory_is_exhausted_when_nobody_else_can_end_the_waiting() {
        let is_exhausted = async |budget: &MemoryBudget, held_bytes: u64| {
            let exhausted = budget.exhausted_by(held_bytes);
            tokio::time::timeout(Duration::from_secs(1), exhausted).await.is_ok()
        };
        let budget = MemoryBudget::new(10 << 10);
        let (mine, other) = (budget.reserve(4 << 10).await, budget.reserve(4 << 10).await);
        assert!(!is_exhausted(&budget, mine.held_bytes()).await, "no task waits");
        {
            let waiter = budget.reserve(8 << 10);
            tokio::pin!(waiter);
            let waits = async |waiter: std::pin::Pin<&mut _>| {
                tokio::time::timeout(Duration::from_secs(1), waiter).await.is_err()
            };
            assert!(waits(waiter.as_mut()).await);
            assert!(
                !is_exhausted(&budget, mine.held_bytes()).await,
                "the other permit may be returned"
            );
            assert!(!is_exhausted(&budget, 0).await);
            let returned = async {
                tokio::time::sleep(Duration::from_millis(10)).await;
                drop(other);
            };
            let (is_exhausted_by_mine, ()) =
                tokio::join!(is_exhausted(&budget, mine.held_bytes()), returned);
            assert!(is_exhausted_by_mine);
            assert!(waits(waiter.as_mut()).await);
        }
        assert!(!is_exhausted(&budget, mine.held_bytes()).await, "the waiting task has gone");
    }
}
