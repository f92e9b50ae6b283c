//! Tells people of objects that lost something, while the run goes on.

use std::sync::atomic::{AtomicU64, Ordering};

use tracing::{debug, error};

use crate::batch::ParsedObject;
use crate::load::Fate;
use crate::object::ObjectRef;

/// Objects that are named when they fail or lose something; the ledger has them all.
const NOTICES_MAX: u64 = 50;

/// Tells people of objects that lost something, up to a bound.
#[derive(Debug, Default)]
pub struct Notices {
    told: AtomicU64,
}

impl Notices {
    /// Tells of an object that failed.
    pub fn of_fate(&self, object: &ObjectRef, fate: &Fate) {
        match fate {
            Fate::Failed(reason) if self.may_tell() => {
                error!(cause = %reason, "cannot load {}", object.location);
            }
            Fate::Skipped(kind) => debug!(kind = kind.as_str(), "skipped {}", object.location),
            Fate::Loaded => debug!("loaded {}", object.location),
            Fate::Failed(_) | Fate::AlreadyLoaded => {}
        }
    }

    /// Tells of a loaded object's rejected records and altered characters.
    pub fn of_losses(&self, object: &ParsedObject) {
        let Some(log) = object.log() else { return };
        let place = &object.object.location;
        if let Some(first) = log.rejects.first()
            && self.may_tell()
        {
            let (rejects, records) = (log.rejects.len(), log.records());
            let cause = format!("record {}: {}", first.index, first.reason);
            error!(cause, "rejected {rejects} of {records} records in {place}");
        }
        if log.altered > 0 && self.may_tell() {
            let altered = log.altered;
            let cause = "not UTF-8, a lone surrogate, or U+0000 where the database cannot store it";
            error!(cause, "replaced {altered} characters by U+FFFD in {place}");
        }
    }

    fn may_tell(&self) -> bool {
        let told = self.told.fetch_add(1, Ordering::Relaxed);
        if told == NOTICES_MAX {
            error!("more objects have losses: see `cloudtrail2sql status`");
        }
        told < NOTICES_MAX
    }
}
