//! Calls that wait for their answer until the test releases them.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::oneshot;

use super::{Call, State};

/// Which calls are held.
type IsHeld = Box<dyn Fn(&Call) -> bool + Send>;

/// What the server knows of a [`Hold`].
pub(super) struct Held {
    is_held: IsHeld,
    /// In the order in which the calls came in.
    waiting: Vec<(Call, oneshot::Sender<()>)>,
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").field("waiting", &self.waiting).finish_non_exhaustive()
    }
}

impl Held {
    pub(super) fn new(is_held: impl Fn(&Call) -> bool + Send + 'static) -> Self {
        Self { is_held: Box::new(is_held), waiting: Vec::new() }
    }

    /// Returns what the answer to `call` has to wait for, if the call is held.
    pub(super) fn take(&mut self, call: &Call) -> Option<oneshot::Receiver<()>> {
        if !(self.is_held)(call) {
            return None;
        }
        let (release, released) = oneshot::channel();
        self.waiting.push((call.clone(), release));
        Some(released)
    }
}

/// The handle of calls that are held. Dropping it releases them all, and holds no others.
#[derive(Debug)]
pub struct Hold {
    pub(super) state: Arc<Mutex<State>>,
}

impl Hold {
    /// Returns the calls that wait now, in the order in which they came in.
    pub fn calls(&self) -> Vec<Call> {
        let state = self.state();
        let waiting = state.held.iter().flat_map(|held| &held.waiting);
        waiting.filter(|(_, release)| !release.is_closed()).map(|(call, _)| call.clone()).collect()
    }

    /// Releases those of the waiting calls that match, and returns how many.
    pub fn release(&self, is_released: impl Fn(&Call) -> bool) -> usize {
        let mut state = self.state();
        let Some(held) = &mut state.held else { return 0 };
        let released = held.waiting.extract_if(.., |(call, _)| is_released(call));
        released.filter_map(|(_, release)| release.send(()).ok()).count()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        // Senders that are dropped release their calls, too.
        drop(self.state().held.take());
    }
}
