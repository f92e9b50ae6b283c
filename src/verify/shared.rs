//! What the verifications of all accounts and regions share.

use tokio::sync::{Semaphore, SemaphorePermit};

use super::VerifyPlan;
use crate::database::Store;

/// What all regions share.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shared<'c> {
    pub(super) plan: &'c VerifyPlan,
    pub(super) store: &'c dyn Store,
    pub(super) fetches: &'c Semaphore,
}

impl Shared<'_> {
    /// Waits until one more object may be fetched.
    pub(super) async fn fetch_permit(&self) -> SemaphorePermit<'_> {
        self.fetches.acquire().await.expect("it is never closed")
    }
}
