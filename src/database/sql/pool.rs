//! The connections of a store: as many as the driver needs, or fewer if the server has no more.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit};
use tracing::warn;

use super::connection::Connection;
use super::error::{SqlErrorClass, cause_of, timed_out};
use super::panics::without_panic;
use super::{SqlStore, without_data};
use crate::database::DatabaseError;
use crate::database::url::Engine;

/// How long a connection may be idle before it is used again: networks forget idle connections.
const IDLE_MAX: Duration = Duration::from_mins(5);

/// The connections that are idle, and how many there may be.
pub(super) struct Pool {
    /// Connections that are idle since this moment, and outside any transaction.
    idle: Mutex<Vec<(OpenConnection, Instant)>>,
    /// One permit for each connection that may be open.
    permits: Semaphore,
    room: Arc<Mutex<Room>>,
}

/// How many connections are open, and how many may be. `open <= open_max` always.
#[derive(Debug)]
struct Room {
    open: usize,
    open_max: usize,
    /// Whether the server had no connection to give.
    is_short: bool,
}

/// A connection that counts as open until it is dropped.
pub(super) struct OpenConnection {
    link: Box<dyn Connection>,
    _counted: Counted,
}

struct Counted(Arc<Mutex<Room>>);

/// A connection in use, with its permit.
pub(super) struct PooledConnection<'d> {
    /// What it is used for, as in "cannot write a batch".
    pub(super) doing: &'static str,
    pub(super) connection: OpenConnection,
    _permit: SemaphorePermit<'d>,
}

impl Pool {
    pub(super) fn new(connections_max: usize) -> Self {
        let room = Room { open: 0, open_max: connections_max, is_short: false };
        Self {
            idle: Mutex::new(Vec::new()),
            permits: Semaphore::new(connections_max),
            room: Arc::new(Mutex::new(room)),
        }
    }

    /// Returns whether the server had no connection to give at some time.
    pub(super) fn is_short(&self) -> bool {
        lock(&self.room).is_short
    }

    /// Returns whether a connection is idle.
    pub(super) fn has_idle(&self) -> bool {
        !lock(&self.idle).is_empty()
    }

    /// Waits until another connection may be open.
    pub(super) async fn permit(&self) -> SemaphorePermit<'_> {
        self.permits.acquire().await.expect("the semaphore is never closed")
    }

    fn count(&self, link: Box<dyn Connection>) -> OpenConnection {
        lock(&self.room).open += 1;
        OpenConnection { link, _counted: Counted(Arc::clone(&self.room)) }
    }

    /// Does without the connections that are not open yet, if some are. Returns how many are open, and
    /// whether this is the first time; `None` if none is open, and nothing has changed.
    fn do_without(&self, permit: SemaphorePermit<'_>) -> Option<(usize, bool)> {
        let mut room = lock(&self.room);
        if room.open == 0 {
            return None;
        }
        permit.forget();
        room.open_max -= 1;
        // Other permits are with connections that are open, or that are tried now. While this one was
        // tried, a connection may have become idle: then more are open than there are permits.
        let unused = room.open_max.saturating_sub(room.open);
        room.open_max -= self.permits.forget_permits(unused);
        let is_first = !std::mem::replace(&mut room.is_short, true);
        Some((room.open, is_first))
    }
}

impl SqlStore {
    /// Takes an idle connection, or opens one.
    ///
    /// If the server has no more connections, the store does with those that it has.
    pub(super) async fn connection(
        &self,
        doing: &'static str,
    ) -> Result<PooledConnection<'_>, DatabaseError> {
        loop {
            let permit = self.pool.permit().await;
            let idle = lock(&self.pool.idle).pop().filter(|(_, since)| since.elapsed() < IDLE_MAX);
            let error = match idle {
                Some((connection, _)) => {
                    return Ok(PooledConnection { doing, connection, _permit: permit });
                }
                None => match self.open().await {
                    Ok(connection) => {
                        return Ok(PooledConnection { doing, connection, _permit: permit });
                    }
                    Err(error) => error,
                },
            };
            let may_be_full = self.classify(&error) == SqlErrorClass::NoConnection
                || matches!(&error, sqlx::Error::Io(io) if io.kind() == std::io::ErrorKind::TimedOut);
            let room = if may_be_full { self.pool.do_without(permit) } else { None };
            let Some((open, is_first)) = room else {
                return Err(without_data(self.error(doing, error), doing));
            };
            if is_first {
                let cause = cause_of(error).to_string();
                warn!(cause, "the server gives no more connections; continuing with {open}");
            }
        }
    }

    /// Opens a connection for the store's own use. The caller keeps the permit.
    pub(super) async fn open(&self) -> Result<OpenConnection, sqlx::Error> {
        // SQLite waits for other processes by itself, and reports that they lock the file.
        let is_sqlite = self.driver.engine() == Engine::Sqlite;
        let limit = if is_sqlite { Duration::MAX } else { self.options.timeouts.connect };
        let connecting = tokio::time::timeout(limit, without_panic(self.driver.connect()));
        let connected = connecting.await.unwrap_or_else(|_| Err(timed_out("no connection", limit)));
        connected.map(|link| self.pool.count(link))
    }

    /// Ends the use of a connection: keeps it after a success, drops it after an error.
    pub(super) fn put_back<T>(
        &self,
        pooled: PooledConnection<'_>,
        outcome: Result<T, sqlx::Error>,
    ) -> Result<T, DatabaseError> {
        match outcome {
            Ok(value) => {
                self.give_back(pooled.connection);
                Ok(value)
            }
            Err(error) => Err(self.error(pooled.doing, error)),
        }
    }

    pub(super) fn give_back(&self, connection: OpenConnection) {
        lock(&self.pool.idle).push((connection, Instant::now()));
    }

    /// Closes the idle connections.
    pub(super) async fn close_idle(&self) {
        let idle = std::mem::take(&mut *lock(&self.pool.idle));
        let closing = async {
            for (connection, _) in idle {
                connection.close().await;
            }
        };
        // A dead connection is not waited for: the process ends.
        let _ = tokio::time::timeout(self.options.timeouts.statement, closing).await;
    }
}

impl OpenConnection {
    /// Closes the connection gracefully.
    pub(super) async fn close(self) {
        self.link.close().await;
    }
}

impl Deref for OpenConnection {
    type Target = dyn Connection;

    fn deref(&self) -> &Self::Target {
        &*self.link
    }
}

impl DerefMut for OpenConnection {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut *self.link
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        lock(&self.0).open -= 1;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
