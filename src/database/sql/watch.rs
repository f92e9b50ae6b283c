//! Waits for requests to the server: for a bounded time, or as long as the server works on them. Reports
//! what a request waits for.

use std::time::{Duration, Instant};

use tracing::warn;

use super::SqlStore;
use super::connection::{CellType, Session};
use super::error::timed_out;
use super::panics::without_panic;
use crate::database::url::Engine;

/// How many heartbeats in a row may find a server that does not work on a statement.
const IDLE_BEATS_MAX: u32 = 2;

/// What the server does for a session.
#[derive(Debug, Clone, PartialEq, Eq)]
enum SessionState {
    Working,
    /// It waits for something, in words.
    Waiting(String),
    /// It does nothing, or the server has no such session.
    Idle,
    /// The server answered something else, or has no connection to ask it.
    Unknown,
    /// The server does not answer.
    Silent,
}

impl SqlStore {
    /// Returns how long a statement may take that reads or writes a few lines.
    pub(super) fn statement_limit(&self) -> Duration {
        // SQLite waits for other processes by itself, and has no network.
        let is_sqlite = self.driver.engine() == Engine::Sqlite;
        if is_sqlite { Duration::MAX } else { self.options.timeouts.statement }
    }

    /// Waits for a request on the connection of `session`. After `limit`, the connection counts as
    /// dead, and its session is ended, so that it holds no lock any longer.
    pub(super) async fn in_time<T>(
        &self,
        doing: &'static str,
        session: Option<Session>,
        limit: Duration,
        request: impl Future<Output = Result<T, sqlx::Error>> + Send,
    ) -> Result<T, sqlx::Error> {
        let reported = self.reported(doing, session.as_ref(), without_panic(request), |_| false);
        if let Ok(Some(outcome)) = tokio::time::timeout(limit, reported).await {
            return outcome;
        }
        self.end_session(session).await;
        Err(timed_out("no answer", limit))
    }

    /// Waits for a request that may take hours, as long as the server works on it.
    pub(super) async fn watched<T>(
        &self,
        doing: &'static str,
        session: Option<Session>,
        request: impl Future<Output = Result<T, sqlx::Error>> + Send,
    ) -> Result<T, sqlx::Error> {
        let mut idle_beats = 0;
        let is_dead = |state: &SessionState| {
            let is_idle = matches!(state, SessionState::Idle | SessionState::Silent);
            idle_beats = if is_idle { idle_beats + 1 } else { 0 };
            idle_beats >= IDLE_BEATS_MAX
        };
        let request = without_panic(request);
        if let Some(outcome) = self.reported(doing, session.as_ref(), request, is_dead).await {
            return outcome;
        }
        self.end_session(session).await;
        let silence = IDLE_BEATS_MAX * self.options.timeouts.heartbeat;
        Err(timed_out("the server has not worked on the statement", silence))
    }

    /// Waits for a request, and looks at each heartbeat what the server does for its session. Logs what
    /// the request waits for. Returns `None` as soon as `is_dead` says so of a state.
    async fn reported<T>(
        &self,
        doing: &'static str,
        session: Option<&Session>,
        request: impl Future<Output = Result<T, sqlx::Error>> + Send,
        mut is_dead: impl FnMut(&SessionState) -> bool + Send,
    ) -> Option<Result<T, sqlx::Error>> {
        let mut request = std::pin::pin!(request);
        let Some(session) = session else { return Some(request.await) };
        let started = Instant::now();
        loop {
            let state = tokio::select! {
                biased;
                outcome = &mut request => return Some(outcome),
                state = async {
                    tokio::time::sleep(self.options.timeouts.heartbeat).await;
                    self.state_of(session).await
                } => state,
            };
            if is_dead(&state) {
                return None;
            }
            if let SessionState::Waiting(reason) = state {
                let seconds = started.elapsed().as_secs();
                warn!("waiting for {seconds} s to {doing}: {reason}");
            }
        }
    }

    /// Returns what the server does for a session.
    async fn state_of(&self, session: &Session) -> SessionState {
        let asking = async {
            let mut connection = self.driver.connect().await?;
            let types = [CellType::Int, CellType::Text];
            let rows = connection.query(&session.state_sql, &[], &types).await?;
            connection.close().await;
            Ok(rows.into_iter().next())
        };
        match tokio::time::timeout(self.options.timeouts.connect, without_panic(asking)).await {
            Ok(Ok(None)) => SessionState::Idle,
            Ok(Ok(Some(row))) => {
                let [is_working, waits_for] = <[_; 2]>::try_from(row).expect("two columns");
                match waits_for.into_optional_text() {
                    _ if is_working.into_int() == 0 => SessionState::Idle,
                    Some(reason) => SessionState::Waiting(reason),
                    None => SessionState::Working,
                }
            }
            // It has too many connections for example, or a pooler in front of it has no other.
            Ok(Err(sqlx::Error::Database(_))) => SessionState::Unknown,
            Ok(Err(_)) | Err(_) if self.pool.is_short() => SessionState::Unknown,
            Ok(Err(_)) | Err(_) => SessionState::Silent,
        }
    }

    /// Ends a session of ours by another connection. A server that cannot be reached ends it by
    /// itself, by the settings of the connection.
    pub(super) async fn end_session(&self, session: Option<Session>) {
        let Some(session) = session else { return };
        let ending = async {
            let mut connection = self.driver.connect().await?;
            connection.run(&session.end_sql).await?;
            connection.close().await;
            Ok::<(), sqlx::Error>(())
        };
        let ended =
            tokio::time::timeout(self.options.timeouts.connect, without_panic(ending)).await;
        if !matches!(ended, Ok(Ok(()))) {
            tracing::debug!("the session of a dead connection could not be ended");
        }
    }
}
