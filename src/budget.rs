//! The memory budget: bytes that all objects in flight may take together.
//!
//! Who reserves waits until there is room, in the order of asking; who asks for more than the
//! whole budget gets all of it, alone. Nobody may wait for a second share while holding a first:
//! two such could wait for each other for ever.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The unit in which the budget is counted.
const UNIT_BYTES: u64 = 1024;

/// The bytes that all objects in flight may take together.
#[derive(Debug)]
pub struct Budget {
    semaphore: Arc<Semaphore>,
    units: u32,
}

/// A share of the budget; given back when dropped.
#[derive(Debug)]
pub struct Share {
    permit: OwnedSemaphorePermit,
    /// What was asked for and could be had: less than asked if the whole budget is less.
    asked_bytes: u64,
}

impl Budget {
    /// Makes a budget of so many bytes.
    pub fn new(bytes: u64) -> Self {
        let units = u32::try_from(bytes / UNIT_BYTES).unwrap_or(u32::MAX).max(1);
        Self { semaphore: Arc::new(Semaphore::new(units as usize)), units }
    }

    /// Waits until so many bytes are free. Who asks for more than there is gets all, alone.
    ///
    /// # Panics
    /// Never: the semaphore is not closed.
    pub async fn reserve(&self, bytes: u64) -> Share {
        let units = u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX);
        let units = units.clamp(1, self.units);
        let permit = Arc::clone(&self.semaphore).acquire_many_owned(units).await;
        Share { permit: permit.expect("the semaphore is never closed"), asked_bytes: bytes }
    }
}

impl Share {
    /// Returns how many bytes were asked for.
    pub fn bytes(&self) -> u64 {
        self.asked_bytes
    }

    /// Gives back all but so many bytes.
    pub fn keep(mut self, bytes: u64) -> OwnedSemaphorePermit {
        let units = usize::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(usize::MAX);
        let surplus = self.permit.num_permits().saturating_sub(units);
        drop(self.permit.split(surplus));
        self.permit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_share_gives_back_what_it_does_not_keep() {
        let budget = Budget::new(10 << 10);
        let share = budget.reserve(8 << 10).await;
        assert_eq!(budget.semaphore.available_permits(), 2);
        let kept = share.keep(3 << 10);
        assert_eq!(budget.semaphore.available_permits(), 7);
        drop(kept);
        assert_eq!(budget.semaphore.available_permits(), 10);
        // More than there is: all of it, and no more than that comes back.
        let all = budget.reserve(1 << 40).await;
        assert_eq!((all.bytes(), budget.semaphore.available_permits()), (1 << 40, 0));
        drop(all.keep(1 << 40));
        assert_eq!(budget.semaphore.available_permits(), 10);
    }
}
