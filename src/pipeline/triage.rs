//! The listers: take steps, ask the ledger about each page, send on what is not in.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;
use tracing::warn;

use super::Signals;
use crate::ledger::{Line, Verdict, judge};
use crate::listing::{Frontier, Waiting};
use crate::load::{Backoff, Fate};
use crate::object::{ObjectId, ObjectRef, Shard};
use crate::progress::Progress;
use crate::sink::{Sink, SinkError};
use crate::source::Source;
use crate::survey::Survey;

/// What listers share.
pub(super) struct Triage {
    pub(super) frontier: Frontier,
    pub(super) ledger: Option<Arc<dyn Sink>>,
    pub(super) backoff: Backoff,
    pub(super) shard: Shard,
    pub(super) progress: Arc<Progress>,
    pub(super) signals: Arc<Signals>,
}

/// Where triaged objects go.
pub(super) enum Outlet {
    /// To the fetchers.
    Jobs(mpsc::Sender<Job>),
    /// Nowhere: they are counted.
    Survey(Arc<Mutex<Survey>>),
}

/// An object to fetch.
pub(super) struct Job {
    pub(super) source: Arc<dyn Source>,
    pub(super) object: ObjectRef,
    pub(super) id: ObjectId,
    pub(super) replaces_line: bool,
    /// The digest of what was loaded from it before, if its version differs now.
    pub(super) loaded_digest: Option<String>,
}

/// Takes steps of the listing until there are none, and triages what they find.
pub(super) async fn list(triage: Arc<Triage>, outlet: Outlet) -> Result<(), SinkError> {
    loop {
        let found = async {
            let (Waiting { source, step }, wants_more) = triage.frontier.next().await?;
            Some((step.take(wants_more).await, source))
        };
        let found = tokio::select! {
            found = found => found,
            () = triage.signals.stopped() => return Ok(()),
        };
        match found {
            Some((Ok(mut found), source)) => {
                // The other listers go on while this one triages.
                triage.frontier.done(&source, std::mem::take(&mut found.steps));
                triage.progress.stepped(&found);
                triage.page(&source, found.objects, &outlet).await?;
            }
            Some((Err(error), _)) => {
                triage.signals.fail(error);
                return Ok(());
            }
            None => {
                triage.progress.listing_done();
                return Ok(());
            }
        }
    }
}

impl Triage {
    /// Asks the ledger about one page and sends on what is not in.
    async fn page(
        &self,
        source: &Arc<dyn Source>,
        mut page: Vec<ObjectRef>,
        outlet: &Outlet,
    ) -> Result<(), SinkError> {
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
        let lines = self.seen(&ids).await?;
        for (object, id) in page.into_iter().zip(ids) {
            let verdict = judge(&object, lines.get(&id));
            match outlet {
                Outlet::Jobs(jobs) => self.queue(source, object, id, verdict, jobs).await,
                Outlet::Survey(survey) => {
                    let mut survey = survey.lock().unwrap_or_else(PoisonError::into_inner);
                    survey.count(source, &object, id, &verdict);
                }
            }
        }
        Ok(())
    }

    async fn queue(
        &self,
        source: &Arc<dyn Source>,
        object: ObjectRef,
        id: ObjectId,
        verdict: Verdict,
        jobs: &mpsc::Sender<Job>,
    ) {
        let size_bytes = object.size_bytes;
        let (replaces_line, loaded_digest) = match verdict {
            Verdict::AlreadyLoaded => {
                return self.progress.settled_unread(size_bytes, &Fate::AlreadyLoaded);
            }
            Verdict::AlreadySkipped(kind) => {
                return self.progress.settled_unread(size_bytes, &Fate::Skipped(kind));
            }
            Verdict::New => (false, None),
            Verdict::Again => (true, None),
            Verdict::MaybeChanged { digest } => (false, Some(digest)),
        };
        let source = Arc::clone(source);
        // The fetchers outlive the listers unless the whole run is being dropped.
        let _ = jobs.send(Job { source, object, id, replaces_line, loaded_digest }).await;
    }

    /// Asks the ledger, as patiently as a batch is written.
    async fn seen(&self, ids: &[ObjectId]) -> Result<HashMap<ObjectId, Line>, SinkError> {
        let Some(ledger) = &self.ledger else { return Ok(HashMap::new()) };
        let mut attempt = 1;
        loop {
            match ledger.seen(ids).await {
                Err(SinkError::Transient { doing, source })
                    if attempt < self.backoff.attempts_max =>
                {
                    warn!(attempt, cause = %source, "could not {doing}; trying again");
                    tokio::time::sleep(self.backoff.wait(attempt)).await;
                    attempt += 1;
                }
                other => return other,
            }
        }
    }
}
