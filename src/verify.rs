//! Verification: whether what the database holds is what CloudTrail signed.
//!
//! ```text
//! SOURCE ─region folders─▶ regions ◀─ ledger, earlier verifications
//!    for each region, several at once, day by day:
//!    list digests and log files, ask the ledger ─▶ hash contents ─▶ fetch digests ─▶ judge ─▶ store
//! ```
//!
//! The judge is pure (`trail::integrity`); this room brings it what it judges, in order. It holds one day
//! of each region that is verified at the moment. All requests of a verification run in one task, so there
//! is no channel here.

pub mod keys;

pub mod outcome;

mod days;

mod regions;

mod shared;

mod contents;

mod region;

use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _};
use thiserror::Error;
use tokio::sync::Semaphore;

use self::keys::{KeyError, Keys};
use self::outcome::Verified;
use self::regions::find_regions;
use self::shared::Shared;
use crate::database::{DatabaseError, Store};
use crate::source::{Source, SourceError};
use crate::trail::layout::Selection;

/// Accounts and regions that are verified at once.
const REGIONS_MAX: usize = 8;

/// How a verification is done.
#[derive(Debug, Clone)]
pub struct VerifyPlan {
    /// The days, accounts and regions that are verified.
    pub selection: Arc<Selection>,
    /// Objects fetched at once.
    pub fetchers: usize,
    /// Whether objects are read again whose content was not hashed when they were loaded.
    pub rereads: bool,
    /// The most bytes that an object may decode to.
    pub object_bytes_max: u64,
    /// Where public keys come from.
    pub keys: Keys,
}

impl VerifyPlan {
    /// Returns the selection with a day more at each end: a digest of the day after may name a file of the
    /// last day.
    fn days(&self) -> Selection {
        let selection = (*self.selection).clone();
        Selection {
            from: selection.from.map(|day| day.yesterday().unwrap_or(day)),
            to: selection.to.map(|day| day.tomorrow().unwrap_or(day)),
            ..selection
        }
    }
}

/// Why a verification could not be done.
#[derive(Debug, Error)]
pub enum VerifyError {
    /// The sources cannot be listed, or nothing can be read from them.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The database cannot be used any more.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// Public keys cannot be fetched.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// A source is one file, one object or standard input.
    #[error("one file, one object or standard input has no digests")]
    NoFolder,
    /// There is neither a digest nor a log file in CloudTrail's layout.
    #[error("there are no digests and no log files in folders `AWSLogs/ACCOUNT/…` to verify")]
    Nothing,
}

impl VerifyError {
    /// Returns what the user can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Source(error) => error.hint(),
            Self::Database(error) => error.hint.clone(),
            Self::Keys(error) => error.hint(),
            Self::NoFolder => Some("name the folder or prefix that holds `AWSLogs/`".into()),
            Self::Nothing => Some(
                "name the folder or prefix that holds `AWSLogs/`, or an account's folder in it, and \
                 check `--from`, `--to`, `--account-id` and `--trail-region`"
                    .into(),
            ),
        }
    }
}

/// Verifies what is loaded from the sources.
///
/// Verdicts are stored day by day. Dropped at any point, what was stored stays.
///
/// # Errors
/// A source that cannot be listed, keys that cannot be fetched, or a database that cannot be used.
pub async fn verify(
    plan: &VerifyPlan,
    sources: Vec<Arc<dyn Source>>,
    store: &dyn Store,
) -> Result<Verified, VerifyError> {
    let days = Arc::new(plan.days());
    let (regions, mut verified) = find_regions(&days, sources, store).await?;
    if regions.is_empty() {
        return Err(VerifyError::Nothing);
    }
    let fetches = Semaphore::new(plan.fetchers);
    let shared = Shared { plan, store, fetches: &fetches };
    let count = regions.len();
    // In the order of the regions, so that two runs report in the same order.
    let mut judged = stream::iter(regions).map(|it| shared.verify(it)).buffered(REGIONS_MAX);
    let mut done = 0;
    while let Some(region) = judged.next().await {
        verified.merge(region?);
        done += 1;
        tracing::debug!("verified {done} of {count} accounts and regions");
    }
    if !verified.has_anything() {
        return Err(VerifyError::Nothing);
    }
    Ok(verified)
}
