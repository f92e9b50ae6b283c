//! What makes a run end early: the user, or a source that failed for good.

use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

use super::End;
use super::error::ImportError;
use crate::source::SourceError;

/// The two signals that stop a run, and the error behind the second.
#[derive(Debug)]
pub struct StopSignals {
    /// Turns true when the user stops the run.
    user: watch::Receiver<bool>,
    /// Turns true when a source failed for good.
    source_failed: watch::Sender<bool>,
    source_error: Mutex<Option<SourceError>>,
}

impl StopSignals {
    /// Makes the signals of a run that the user has not stopped yet.
    pub fn new(user: watch::Receiver<bool>) -> Self {
        Self { user, source_failed: watch::Sender::new(false), source_error: Mutex::new(None) }
    }

    /// Returns whether the run is to stop.
    pub fn is_stopped(&self) -> bool {
        *self.user.borrow() || *self.source_failed.borrow()
    }

    /// Stops the run because of a source. Only the first error is kept.
    pub fn fail(&self, error: SourceError) {
        let mut first = self.source_error.lock().unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert(error);
        drop(first);
        self.source_failed.send_replace(true);
    }

    /// Resolves when the run is to stop; never, if nothing stops it.
    pub async fn stopped(&self) {
        let (mut user, mut failed) = (self.user.clone(), self.source_failed.subscribe());
        let turned = async |signal: &mut watch::Receiver<bool>| {
            if signal.wait_for(|is_set| *is_set).await.is_err() {
                // The sender is gone, so it will never turn.
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = turned(&mut user) => {}
            () = turned(&mut failed) => {}
        }
    }

    /// Returns how a run ended whose tasks are all done.
    ///
    /// # Errors
    /// The error of the source that stopped it.
    pub fn end(&self) -> Result<End, ImportError> {
        let error = self.source_error.lock().unwrap_or_else(PoisonError::into_inner).take();
        match error {
            Some(error) => Err(error.into()),
            None if *self.user.borrow() => Ok(End::Stopped),
            None => Ok(End::Complete),
        }
    }
}
