//! The queue of listing steps, shared by the listers.
//!
//! The newest step is taken first (depth first), so that objects are found from the start and the
//! length of the queue is bounded by the width of the tree.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::source::{Source, Step};
use crate::trail::layout::Selection;

/// The pending steps of all sources of a run.
#[derive(Debug)]
pub struct ListQueue {
    state: Mutex<State>,
    /// Notified when a step is done, which may have added steps or ended the listing.
    changed: Notify,
    listers: usize,
}

#[derive(Debug)]
struct State {
    /// The last one is taken next.
    waiting: Vec<QueuedStep>,
    /// Steps that are running and may add more.
    taken: usize,
}

/// A step, and the source whose objects it finds.
#[derive(Debug)]
pub struct QueuedStep {
    /// Where the objects are.
    pub source: Arc<dyn Source>,
    /// What to list.
    pub step: Box<dyn Step>,
}

impl ListQueue {
    /// Returns a queue with the first step of each source, in the order of the sources.
    pub fn new(sources: Vec<Arc<dyn Source>>, selection: &Arc<Selection>, listers: usize) -> Self {
        let first = |source: Arc<dyn Source>| {
            let step = source.listing(selection);
            QueuedStep { source, step }
        };
        let waiting = sources.into_iter().rev().map(first).collect();
        let state = Mutex::new(State { waiting, taken: 0 });
        Self { state, changed: Notify::new(), listers }
    }

    /// Takes the next step. Waits while running steps may add one; returns `None` at the end.
    ///
    /// Also returns whether there are fewer steps than listers. [`ListQueue::done`] must be called
    /// for each step that was taken. Cancel safe.
    pub async fn next(&self) -> Option<(QueuedStep, bool)> {
        loop {
            // Registered before the check, so that no notification in between is missed.
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

    /// Ends a step that was taken, and adds the steps that follow it, in order.
    pub fn done(&self, source: &Arc<dyn Source>, steps: Vec<Box<dyn Step>>) {
        let mut state = self.lock();
        state.taken -= 1;
        let follow = |step| QueuedStep { source: Arc::clone(source), step };
        state.waiting.extend(steps.into_iter().rev().map(follow));
        drop(state);
        self.changed.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
