//! Statements that may take long, and that a Ctrl-C ends on the server, too.

use std::pin::pin;
use std::time::Duration;

use crate::database::Store;

/// How long a stopped statement may take to end. A server that does not answer is left alone then.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(10);

/// Returns what `work` returns, which runs statements of `store`. If `stop` resolves first, the
/// statements are ended on the server, and its value is returned as an error.
pub(super) async fn unless_stopped<T, S>(
    store: &dyn Store,
    work: impl Future<Output = T>,
    stop: impl Future<Output = S>,
) -> Result<T, S> {
    let mut work = pin!(work);
    let stopped = tokio::select! {
        done = &mut work => return Ok(done),
        stopped = stop => stopped,
    };
    let cancelling = async { tokio::join!(store.cancel_statements(), work) };
    // It ends with an error, or it was just complete; both mean the same now.
    let _ = tokio::time::timeout(CANCEL_TIMEOUT, cancelling).await;
    Err(stopped)
}
