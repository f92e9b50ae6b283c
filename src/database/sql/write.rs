//! The one transaction, for all databases, and the ledger's lines.
//!
//! Replaced ledger lines go, new ledger lines come, then rejects, then rows. The ledger comes first
//! because its primary key decides between two imports of the same object: the loser learns it
//! before it has sent its rows.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::connection::{CellType, Cells, Connection, Value};
use super::driver::{Meaning, timed_out};
use super::schema::{Dialect, LOGS, OBJECTS, REJECTS, Table};
use super::{SqlStore, unwrapped};
use crate::database::batch::{Batch, ParsedObject};
use crate::database::ledger::{Line, ObjectOutcome};
use crate::database::{DatabaseError, Sink};
use crate::trail::object::ObjectId;
use crate::trail::record::CellRules;

/// How long one batch may take, waiting for another import's locks included.
const WRITE_TIMEOUT: Duration = Duration::from_mins(15);

#[async_trait]
impl Sink for SqlStore {
    fn rules(&self) -> &CellRules {
        &self.rules
    }

    async fn seen(&self, ids: &[ObjectId]) -> Result<HashMap<ObjectId, Line>, DatabaseError> {
        let Some(last) = ids.last() else { return Ok(HashMap::new()) };
        // The list is filled up to a power of two, so that few shapes are prepared.
        let width = ids.len().next_power_of_two();
        let query = format!(
            "SELECT id, outcome, kind, reason, version, digest, run_id, batch_id FROM import_objects \
             WHERE id IN ({})",
            vec!["?"; width].join(",")
        );
        let query = self.driver.dialect().placeholders(&query);
        let filled = ids.iter().chain(std::iter::repeat_n(last, width - ids.len()));
        let values: Vec<Value<'_>> = filled.map(|id| Value::Bytes(&id.0)).collect();
        let types = [
            CellType::Bytes,
            CellType::Text,
            CellType::Text,
            CellType::Text,
            CellType::Text,
            CellType::Text,
            CellType::Int,
            CellType::Int,
        ];
        let rows = self.query("read the ledger", &query, &values, &types).await?;
        Ok(rows.into_iter().filter_map(read_line).collect())
    }

    async fn write(&self, run_id: i64, batch: &Batch) -> Result<(), DatabaseError> {
        let mut pooled = self.connection("write a batch").await?;
        let writing = self.write_batch(&mut *pooled.connection, run_id, batch);
        let outcome = tokio::time::timeout(WRITE_TIMEOUT, writing)
            .await
            .unwrap_or_else(|_| Err(timed_out("no answer", WRITE_TIMEOUT)));
        // Two imports of one folder conflict at every batch: they need not log in again each time.
        let is_conflict =
            outcome.as_ref().is_err_and(|error| self.meaning(error) == Meaning::Conflict);
        if is_conflict && pooled.connection.run("ROLLBACK").await.is_ok() {
            self.give_back(pooled.connection);
            return Err(DatabaseError::conflict());
        }
        self.put_back(pooled, outcome)
    }
}

impl SqlStore {
    /// The one transaction.
    async fn write_batch(
        &self,
        connection: &mut dyn Connection,
        run_id: i64,
        batch: &Batch,
    ) -> Result<(), sqlx::Error> {
        let dialect = self.driver.dialect();
        let begin = if dialect == Dialect::Sqlite { "BEGIN IMMEDIATE" } else { "BEGIN" };
        connection.run(begin).await?;
        let delete =
            dialect.placeholders("DELETE FROM import_objects WHERE id = ? AND outcome <> 'loaded'");
        // In the order of their keys, so that two imports never wait for each other in a circle.
        let mut objects: Vec<&ParsedObject> = batch.objects.iter().collect();
        objects.sort_by_key(|object| object.id);
        for object in objects.iter().filter(|object| object.replaces_line) {
            connection.execute(&delete, &[Value::Bytes(&object.id.0)]).await?;
        }
        let texts: Vec<LineTexts> = objects.iter().map(|object| LineTexts::of(object)).collect();
        let mut lines = objects
            .iter()
            .zip(&texts)
            .map(|(object, texts)| ledger_line(object, texts, run_id, batch.id));
        self.insert(connection, &OBJECTS, &mut lines).await?;
        let mut rejects =
            objects.iter().zip(&texts).flat_map(|(object, texts)| reject_lines(object, texts));
        self.insert(connection, &REJECTS, &mut rejects).await?;
        if batch.rows() > 0 {
            self.write_rows(connection, batch).await.map_err(|error| {
                if self.meaning(&error) == Meaning::Conflict {
                    // `logs` has no unique index of ours: no other import is in the way, but the
                    // user has one, and the data breaks it.
                    return sqlx::Error::Encode(unwrapped(error));
                }
                error
            })?;
        }
        connection.run("COMMIT").await
    }

    async fn write_rows(
        &self,
        connection: &mut dyn Connection,
        batch: &Batch,
    ) -> Result<(), sqlx::Error> {
        if connection.copy_rows(batch).await? {
            return Ok(());
        }
        let logs = batch.objects.iter().map(ParsedObject::log);
        let mut rows = logs.flat_map(|log| &log.rows).map(|cells| cells.map(Value::Text));
        self.insert(connection, &LOGS, &mut rows).await
    }

    /// Inserts rows by as few prepared shapes as possible: full statements, then one for each
    /// power of two in what is left.
    async fn insert<'v, const N: usize>(
        &self,
        connection: &mut dyn Connection,
        table: &Table,
        rows: &mut (dyn Iterator<Item = [Value<'v>; N]> + Send),
    ) -> Result<(), sqlx::Error> {
        assert_eq!(N, table.columns.len(), "a value for each column of {}", table.name);
        let rows_max = self.driver.dialect().statement_rows_max();
        let bytes_max = connection.statement_bytes_max();
        let mut values: Vec<Value<'v>> = Vec::with_capacity(rows_max * N);
        let mut bytes = 0;
        for row in rows {
            let row_bytes: usize = row.iter().map(Value::wire_bytes).sum();
            if row_bytes > connection.row_bytes_max() {
                return Err(sqlx::Error::InvalidArgument(format!(
                    "a row of {row_bytes} bytes exceeds what the server takes at once, {} bytes",
                    connection.row_bytes_max()
                )));
            }
            if values.len() == rows_max * N || bytes + row_bytes > bytes_max {
                self.insert_values(connection, table, &values).await?;
                values.clear();
                bytes = 0;
            }
            bytes += row_bytes;
            values.extend_from_slice(&row);
        }
        self.insert_values(connection, table, &values).await
    }

    async fn insert_values(
        &self,
        connection: &mut dyn Connection,
        table: &Table,
        mut values: &[Value<'_>],
    ) -> Result<(), sqlx::Error> {
        let columns = table.columns.len();
        while !values.is_empty() {
            let rows_left = values.len() / columns;
            let rows = 1 << rows_left.ilog2();
            let (now, later) = values.split_at(rows * columns);
            connection.execute(&self.insert_sql(table, rows), now).await?;
            values = later;
        }
        Ok(())
    }

    pub(super) fn insert_sql(&self, table: &Table, rows: usize) -> Arc<str> {
        let mut inserts = self.inserts.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || table.insert_sql(self.driver.dialect(), rows).into();
        Arc::clone(inserts.entry((table.name, rows)).or_insert_with(make))
    }
}

fn reject_lines<'v>(
    object: &'v ParsedObject,
    texts: &'v LineTexts,
) -> impl Iterator<Item = [Value<'v>; 5]> + Send {
    object.log().rejects.iter().zip(&texts.reject_reasons).map(|(reject, reason)| {
        [
            Value::Bytes(&object.id.0),
            int(reject.index),
            int(reject.offset_bytes),
            Value::Text(Some(reason)),
            Value::Text(Some(&reject.text)),
        ]
    })
}

/// The texts of a ledger line that the object does not hold itself.
struct LineTexts {
    uri: String,
    outcome: &'static str,
    kind: Option<&'static str>,
    reason: Option<String>,
    finished_at: String,
    /// The reason of each reject.
    reject_reasons: Vec<String>,
}

impl LineTexts {
    fn of(object: &ParsedObject) -> Self {
        let outcome = object.outcome();
        let (kind, reason) = match outcome {
            ObjectOutcome::Loaded | ObjectOutcome::AlreadyLoaded => (None, None),
            ObjectOutcome::Skipped(kind) => (Some(kind.as_str()), None),
            ObjectOutcome::Failed(reason) => (None, Some(visible_nul(reason))),
        };
        let outcome = outcome.as_str();
        let uri = visible_nul(&object.object.location.uri());
        let finished_at = jiff::Timestamp::now().to_string();
        let reject_reasons = object.log().rejects.iter().map(|it| it.reason.to_string()).collect();
        Self { uri, outcome, kind, reason, finished_at, reject_reasons }
    }
}

fn ledger_line<'v>(
    object: &'v ParsedObject,
    texts: &'v LineTexts,
    run_id: i64,
    batch_id: i64,
) -> [Value<'v>; 15] {
    let log = object.log();
    [
        Value::Bytes(&object.id.0),
        Value::Text(Some(&texts.uri)),
        Value::Text(Some(&object.object.version)),
        int(object.object.size_bytes),
        Value::Text(Some(&object.sha256)),
        Value::Text(Some(texts.outcome)),
        Value::Text(texts.kind),
        int(log.records()),
        int(log.rows.len() as u64),
        int(log.rejects.len() as u64),
        int(log.replaced_chars),
        Value::Text(texts.reason.as_deref()),
        Value::Int(run_id),
        Value::Int(batch_id),
        Value::Text(Some(&texts.finished_at)),
    ]
}

/// Makes text fit for PostgreSQL, which takes no U+0000, where it is only for people to read.
fn visible_nul(text: &str) -> String {
    text.replace('\0', "␀")
}

pub(super) fn int(count: u64) -> Value<'static> {
    Value::Int(i64::try_from(count).unwrap_or(i64::MAX))
}

fn read_line(cells: Cells) -> Option<(ObjectId, Line)> {
    let [id, outcome, kind, reason, version, sha256, run_id, batch_id] =
        <[_; 8]>::try_from(cells).expect("the query selects eight columns");
    let id = ObjectId(id.into_bytes().try_into().ok()?);
    let (kind, reason) = (kind.into_optional_text(), reason.into_optional_text());
    let outcome = ObjectOutcome::from_columns(&outcome.into_text(), kind.as_deref(), reason);
    let (version, sha256) = (version.into_text(), sha256.into_text());
    let (run_id, batch_id) = (run_id.into_int(), batch_id.into_int());
    Some((id, Line { outcome, version, sha256, run_id, batch_id }))
}
