//! Steps of a listing that wait to be taken, shared by the listers.
//!
//! Depth first: the newest step is taken first, so that pages flow from the start and what waits
//! stays bounded by the width of the tree.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::layout::Selection;
use crate::source::{Source, Step};

/// The steps that wait, of all sources of a run.
#[derive(Debug)]
pub struct Frontier {
    state: Mutex<State>,
    /// Told whenever steps come, or the last one that was being taken is done.
    changed: Notify,
    listers: usize,
}

#[derive(Debug)]
struct State {
    /// The next one is the last.
    waiting: Vec<Waiting>,
    /// Steps that are being taken, and may bring more.
    taken: usize,
}

/// A step, and the source whose objects it finds.
#[derive(Debug)]
pub struct Waiting {
    /// Where the objects are.
    pub source: Arc<dyn Source>,
    /// What to do.
    pub step: Box<dyn Step>,
}

impl Frontier {
    /// Starts with the first step of each source; the first source comes first.
    pub fn new(sources: Vec<Arc<dyn Source>>, selection: &Arc<Selection>, listers: usize) -> Self {
        let first = |source: Arc<dyn Source>| {
            let step = source.listing(selection);
            Waiting { source, step }
        };
        let waiting = sources.into_iter().rev().map(first).collect();
        let state = Mutex::new(State { waiting, taken: 0 });
        Self { state, changed: Notify::new(), listers }
    }

    /// Takes the next step, waiting for one while others may bring some; `None` at the end.
    ///
    /// Also returns whether there is too little to do for all listers. Each step that was taken
    /// has to be [`Frontier::done`]. Cancel safe.
    pub async fn next(&self) -> Option<(Waiting, bool)> {
        loop {
            // Registered before looking, so that what comes in between is not missed.
            let changed = self.changed.notified();
            {
                let mut state = self.lock();
                if let Some(next) = state.waiting.pop() {
                    state.taken += 1;
                    return Some((next, state.waiting.len() + state.taken < self.listers));
                }
                if state.taken == 0 {
                    return None;
                }
            }
            changed.await;
        }
    }

    /// Puts the steps that follow a taken one, the first one first.
    pub fn done(&self, source: &Arc<dyn Source>, steps: Vec<Box<dyn Step>>) {
        let mut state = self.lock();
        state.taken -= 1;
        let follow = |step| Waiting { source: Arc::clone(source), step };
        state.waiting.extend(steps.into_iter().rev().map(follow));
        drop(state);
        self.changed.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
