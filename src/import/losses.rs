//! Logs objects that lost something while the run continues.

use std::sync::atomic::{AtomicU64, Ordering};

use tracing::{debug, error};

use crate::database::batch::ParsedObject;
use crate::database::ledger::ObjectOutcome;
use crate::source::UnreadableFolder;
use crate::trail::object::ObjectRef;

/// Objects that are named in the log when they fail or lose something. The ledger has them all.
const LOGGED_MAX: u64 = 50;

/// Logs losses, up to a bound.
#[derive(Debug, Default)]
pub(super) struct LossLog {
    logged: AtomicU64,
}

impl LossLog {
    /// Logs an object's outcome: a failure as an error, and also if a file that the user named is no log;
    /// anything else for debugging.
    pub(super) fn outcome(&self, object: &ObjectRef, outcome: &ObjectOutcome) {
        match outcome {
            ObjectOutcome::Changed(reason) | ObjectOutcome::Failed(reason) if self.may_log() => {
                error!(cause = %reason, "cannot load {}", object.location);
            }
            ObjectOutcome::Skipped(kind) if object.is_named && self.may_log() => {
                let cause = format!("it has no CloudTrail records (kind `{}`)", kind.as_str());
                error!(cause, "nothing loaded from {}", object.location);
            }
            ObjectOutcome::Skipped(kind) => {
                debug!(kind = kind.as_str(), "skipped {}", object.location);
            }
            ObjectOutcome::Loaded => debug!("loaded {}", object.location),
            ObjectOutcome::Changed(_) | ObjectOutcome::Failed(_) | ObjectOutcome::AlreadyLoaded => {
            }
        }
    }

    /// Logs a folder that could not be listed.
    pub(super) fn unreadable(&self, folder: &UnreadableFolder) {
        if self.may_log() {
            error!(cause = folder.reason, "cannot list {}", folder.uri);
        }
    }

    /// Logs a loaded object's rejected records and replaced characters.
    pub(super) fn of_loaded(&self, object: &ParsedObject) {
        let log = object.log();
        let place = &object.object.location;
        if let Some(first) = log.rejects.first()
            && self.may_log()
        {
            let (rejects, records) = (log.rejects.len(), log.records());
            let cause = format!("record {}: {}", first.index, first.reason);
            error!(cause, "rejected {rejects} of {records} records in {place}");
        }
        if log.replaced_chars > 0 && self.may_log() {
            let count = log.replaced_chars;
            let cause = "not UTF-8, a lone surrogate, U+0000, or a value that nests too deep";
            error!(cause, "replaced {count} characters or values in {place}");
        }
    }

    fn may_log(&self) -> bool {
        let logged = self.logged.fetch_add(1, Ordering::Relaxed);
        if logged == LOGGED_MAX {
            error!("more objects have losses: see `cloudtrail2sql status`");
        }
        logged < LOGGED_MAX
    }
}
