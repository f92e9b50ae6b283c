//! The listers: list a page, query the ledger about it, pass on what is not loaded.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::losses::LossLog;
use super::progress::Progress;
use super::stop::StopSignals;
use crate::database::attempts::Attempts;
use crate::database::ledger::{Line, ObjectOutcome, Triage, triage};
use crate::database::{DatabaseError, Sink};
use crate::retry::RetryPolicy;
use crate::source::Source;
use crate::source::list_queue::{ListQueue, QueuedStep};
use crate::trail::filter::FilterSet;
use crate::trail::object::{ObjectId, ObjectRef, Shard};

/// What listers share.
#[derive(Debug)]
pub(super) struct Lister {
    pub(super) queue: ListQueue,
    /// `None` if the database has no ledger yet: then every object is new.
    pub(super) ledger: Option<Arc<dyn Sink>>,
    pub(super) retry: RetryPolicy,
    pub(super) shard: Shard,
    pub(super) progress: Arc<Progress>,
    pub(super) signals: Arc<StopSignals>,
    pub(super) losses: Arc<LossLog>,
    /// Whether objects that need nothing are passed on, too, instead of only being counted.
    pub(super) sends_settled: bool,
    /// Whether objects that are known to have changed are passed on.
    pub(super) replaces_changed: bool,
    /// The records to load.
    pub(super) selected: FilterSet,
}

/// A listed object, compared with the ledger.
#[derive(Debug)]
pub(super) struct TriagedObject {
    pub(super) source: Arc<dyn Source>,
    pub(super) object: ObjectRef,
    pub(super) id: ObjectId,
    pub(super) triage: Triage,
}

impl Lister {
    /// Lists and triages until there is nothing left to list.
    pub(super) async fn list(
        self: Arc<Self>,
        triaged: mpsc::Sender<TriagedObject>,
    ) -> Result<(), DatabaseError> {
        loop {
            let found = async {
                let (QueuedStep { source, step }, wants_more) = self.queue.next().await?;
                Some((step.take(wants_more).await, source))
            };
            let found = tokio::select! {
                found = found => found,
                () = self.signals.stopped() => return Ok(()),
            };
            match found {
                Some((Ok(mut found), source)) => {
                    // The other listers continue while this one triages.
                    self.queue.done(&source, std::mem::take(&mut found.steps));
                    self.progress.stepped(&found);
                    found.unreadable.iter().for_each(|folder| self.losses.unreadable(folder));
                    self.page(&source, found.objects, &triaged).await?;
                }
                Some((Err(error), _)) => {
                    self.signals.fail(error);
                    return Ok(());
                }
                None => {
                    self.progress.listing_done();
                    return Ok(());
                }
            }
        }
    }

    /// Compares one page with the ledger and passes on what is not loaded.
    async fn page(
        &self,
        source: &Arc<dyn Source>,
        mut page: Vec<ObjectRef>,
        triaged: &mpsc::Sender<TriagedObject>,
    ) -> Result<(), DatabaseError> {
        let mut ids = Vec::with_capacity(page.len());
        page.retain(|object| {
            let id = object.location.id();
            let is_ours = id.is_in(self.shard);
            if is_ours {
                ids.push(id);
                self.progress.listed(object.size_bytes);
            } else {
                self.progress.of_other_shard(object.size_bytes);
            }
            is_ours
        });
        let Some(lines) = self.seen(&ids).await? else { return Ok(()) };
        for (object, id) in page.into_iter().zip(ids) {
            match triage(&object, lines.get(&id), &self.selected, self.replaces_changed) {
                Triage::Settled(outcome) if !self.sends_settled => {
                    if matches!(outcome, ObjectOutcome::Skipped(_)) {
                        self.losses.outcome(&object, &outcome);
                    }
                    self.progress.settled_unread(&object, &outcome);
                }
                triage => {
                    let source = Arc::clone(source);
                    // The receivers outlive the listers unless the whole run is being dropped.
                    let _ = triaged.send(TriagedObject { source, object, id, triage }).await;
                }
            }
        }
        Ok(())
    }

    /// Queries the ledger with the same retry policy as batch writes. Returns `None` if the run is
    /// stopped while the database is away or does not answer.
    async fn seen(
        &self,
        ids: &[ObjectId],
    ) -> Result<Option<HashMap<ObjectId, Line>>, DatabaseError> {
        let Some(ledger) = &self.ledger else { return Ok(Some(HashMap::new())) };
        let mut attempts = Attempts::new(self.retry);
        loop {
            let answer = tokio::select! {
                biased;
                answer = ledger.seen(ids) => answer,
                () = self.signals.stopped() => return Ok(None),
            };
            match answer {
                Ok(lines) => return Ok(Some(lines)),
                Err(error) => tokio::select! {
                    biased;
                    waited = attempts.wait(error) => waited?,
                    () = self.signals.stopped() => return Ok(None),
                },
            }
        }
    }
}
