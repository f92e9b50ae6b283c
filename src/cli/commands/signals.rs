//! Ctrl-C and SIGTERM.

use std::future::Future;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing::{error, warn};

use crate::cli::error::{Exit, RunError};
use crate::cli::output::Warning;

/// Returns a flag that the first SIGINT or SIGTERM sets. The second signal ends the process.
pub(super) fn stop_on_signals() -> Result<watch::Receiver<bool>, RunError> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(RunError::Signals)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(RunError::Signals)?;
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(async move {
        let mut next = async || {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        };
        next().await;
        warn!("{}", Warning::Stopping);
        stop.send_replace(true);
        next().await;
        error!("{}", Warning::StoppedAtOnce);
        #[expect(clippy::exit, reason = "the user asked twice; open transactions roll back")]
        std::process::exit(i32::from(Exit::Interrupted.code()));
    });
    Ok(stopped)
}

/// Waits for the first SIGINT or SIGTERM, for a command that has nothing to finish.
pub(super) async fn interruption() -> Result<(), RunError> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(RunError::Signals)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(RunError::Signals)?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

/// Returns what `work` returns, or `None` if the user stops the program first: then the work is
/// dropped.
pub(super) async fn unless_stopped<T>(
    stop: &watch::Receiver<bool>,
    work: impl Future<Output = T>,
) -> Option<T> {
    let mut stop = stop.clone();
    let stopped = async {
        if stop.wait_for(|is_set| *is_set).await.is_err() {
            // The sender is gone, so no stop can follow.
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        biased;
        done = work => Some(done),
        () = stopped => None,
    }
}
