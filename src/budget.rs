//! The memory budget: bytes that all objects in flight may take together.
//!
//! Who reserves waits until there is room, in the order of asking; who asks for more than the
//! whole budget gets all of it, alone. Nobody may wait for a second share while holding a first:
//! two such could wait for each other for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// The unit in which the budget is counted.
const UNIT_BYTES: u64 = 1024;

/// The bytes that all objects in flight may take together.
#[derive(Debug)]
pub struct Budget {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    semaphore: Arc<Semaphore>,
    units: u32,
    /// Units of all shares together. Not what the semaphore lacks: it sets units aside for who
    /// waits.
    held: AtomicUsize,
    /// How many wait for a share.
    waiting: AtomicUsize,
    /// Told of every change of the two while somebody waits.
    changed: Notify,
}

/// A share of the budget; given back when dropped.
#[derive(Debug)]
pub struct Share {
    inner: Arc<Inner>,
    permit: OwnedSemaphorePermit,
    /// What was asked for: more than is held if the whole budget is less.
    asked_bytes: u64,
}

impl Budget {
    /// Makes a budget of so many bytes.
    pub fn new(bytes: u64) -> Self {
        let units = u32::try_from(bytes / UNIT_BYTES).unwrap_or(u32::MAX).max(1);
        let semaphore = Arc::new(Semaphore::new(units as usize));
        let (held, waiting) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { inner: Arc::new(Inner { semaphore, units, held, waiting, changed: Notify::new() }) }
    }

    /// Waits until so many bytes are free. Who asks for more than there is gets all, alone.
    ///
    /// # Panics
    /// Never: the semaphore is not closed.
    pub async fn reserve(&self, bytes: u64) -> Share {
        let units = u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX);
        let units = units.clamp(1, self.inner.units);
        let semaphore = || Arc::clone(&self.inner.semaphore);
        let permit = if let Ok(permit) = semaphore().try_acquire_many_owned(units) {
            permit
        } else {
            let _turn = Turn::new(&self.inner);
            let permit = semaphore().acquire_many_owned(units).await;
            permit.expect("the semaphore is never closed")
        };
        self.inner.held.fetch_add(permit.num_permits(), Ordering::SeqCst);
        Share { inner: Arc::clone(&self.inner), permit, asked_bytes: bytes }
    }

    /// Waits until somebody waits for a share while all that is held is so much: until whoever
    /// holds that is the only one who can end the waiting.
    pub async fn wanted(&self, held_bytes: u64) {
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

/// Somebody's wait for a share.
struct Turn<'a>(&'a Inner);

impl<'a> Turn<'a> {
    fn new(inner: &'a Inner) -> Self {
        inner.waiting.fetch_add(1, Ordering::SeqCst);
        inner.changed.notify_one();
        Self(inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Inner {
    fn give_back(&self, units: usize) {
        self.held.fetch_sub(units, Ordering::SeqCst);
        if self.waiting.load(Ordering::SeqCst) > 0 {
            self.changed.notify_one();
        }
    }
}

impl Share {
    /// Returns how many bytes were asked for.
    pub fn bytes(&self) -> u64 {
        self.asked_bytes
    }

    /// Returns how much of the budget it holds, in bytes.
    pub fn held_bytes(&self) -> u64 {
        self.permit.num_permits() as u64 * UNIT_BYTES
    }

    /// Gives back all but so many bytes.
    pub fn shrink(&mut self, bytes: u64) {
        let units = usize::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(usize::MAX);
        let surplus = self.permit.num_permits().saturating_sub(units);
        self.inner.give_back(surplus);
        drop(self.permit.split(surplus));
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.inner.give_back(self.permit.num_permits());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_share_gives_back_what_it_does_not_keep() {
        let budget = Budget::new(10 << 10);
        let is_free = |units| {
            let held = budget.inner.held.load(Ordering::SeqCst);
            (10 - held, budget.inner.semaphore.available_permits()) == (units, units)
        };
        let mut share = budget.reserve(8 << 10).await;
        assert!(is_free(2));
        share.shrink(3 << 10);
        assert!(is_free(7));
        drop(share);
        assert!(is_free(10));
        // More than there is: all of it, and no more than that comes back.
        let mut all = budget.reserve(1 << 40).await;
        assert!(all.bytes() == 1 << 40 && is_free(0));
        all.shrink(1 << 40);
        drop(all);
        assert!(is_free(10));
    }

    #[tokio::test(start_paused = true)]
    async fn shares_are_wanted_when_nobody_else_can_end_the_waiting() {
        let is_wanted = async |budget: &Budget, held_bytes: u64| {
            let wanted = budget.wanted(held_bytes);
            tokio::time::timeout(Duration::from_secs(1), wanted).await.is_ok()
        };
        let budget = Budget::new(10 << 10);
        let (mine, other) = (budget.reserve(4 << 10).await, budget.reserve(4 << 10).await);
        assert!(!is_wanted(&budget, mine.held_bytes()).await, "nobody waits");
        {
            let waiter = budget.reserve(8 << 10);
            tokio::pin!(waiter);
            let waits = async |waiter: std::pin::Pin<&mut _>| {
                tokio::time::timeout(Duration::from_secs(1), waiter).await.is_err()
            };
            assert!(waits(waiter.as_mut()).await);
            assert!(
                !is_wanted(&budget, mine.held_bytes()).await,
                "the other may give its share back"
            );
            assert!(!is_wanted(&budget, 0).await);
            let told = async {
                tokio::time::sleep(Duration::from_millis(10)).await;
                drop(other);
            };
            let (is_mine_wanted, ()) = tokio::join!(is_wanted(&budget, mine.held_bytes()), told);
            assert!(is_mine_wanted);
            assert!(waits(waiter.as_mut()).await);
        }
        assert!(!is_wanted(&budget, mine.held_bytes()).await, "who waited has gone");
    }
}
