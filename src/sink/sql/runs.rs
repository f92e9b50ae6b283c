//! The ledger's story for people: runs, and what failed or was rejected.

use serde::Serialize;

use super::super::SinkError;
use super::super::connection::{Cell, CellType, Value};
use super::super::schema::{Dialect, RUNS};
use super::Database;
use super::write::int;

/// The sums of one run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct RunTotals {
    /// Objects listed.
    pub listed: u64,
    /// Objects whose rows this run loaded.
    pub loaded: u64,
    /// Objects that were in before.
    pub already_loaded: u64,
    /// Objects that are no log files.
    pub skipped: u64,
    /// Objects of which nothing is in.
    pub failed: u64,
    /// Records read from the loaded objects.
    pub records: u64,
    /// Rows among them.
    pub rows: u64,
    /// Rejected ones among them.
    pub rejects: u64,
    /// Characters replaced by U+FFFD.
    pub altered: u64,
}

/// One line of `import_runs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunLine {
    /// The run's number.
    pub id: i64,
    /// RFC 3339, UTC.
    pub started_at: String,
    /// RFC 3339, UTC; `None` while it runs, and for ever if it was killed.
    pub finished_at: Option<String>,
    /// `running`, `complete`, `partial`, `interrupted` or `failed`.
    pub outcome: String,
    /// What it was asked to import: a JSON array.
    pub sources: String,
    /// The version of the program.
    pub program_version: String,
    /// Its sums; zero until it finished.
    pub totals: RunTotals,
}

/// An object that the ledger holds as failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FailedObject {
    /// Where it is.
    pub uri: String,
    /// Why it failed.
    pub reason: String,
    /// RFC 3339, UTC.
    pub finished_at: String,
    /// The run that failed to load it.
    pub run_id: i64,
}

/// A record that was rejected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RejectedRecord {
    /// The object it is in.
    pub uri: String,
    /// Its place among the object's records, from 0.
    pub record_index: u64,
    /// Its first byte in the decoded text.
    pub offset_bytes: u64,
    /// Why it was rejected.
    pub reason: String,
    /// Its text.
    pub record: String,
}

impl Database {
    /// Writes down that a run has begun; returns its number.
    ///
    /// `sources` is a JSON array.
    pub async fn begin_run(&self, sources: &str) -> Result<i64, SinkError> {
        let started = jiff::Timestamp::now();
        let mut id = started.as_microsecond();
        loop {
            let started_at = started.to_string();
            let values = [
                Value::Int(id),
                Value::Text(Some(&started_at)),
                Value::Text(None),
                Value::Text(Some(env!("CARGO_PKG_VERSION"))),
                Value::Text(Some(sources)),
                Value::Text(Some("running")),
            ];
            let values: Vec<Value<'_>> =
                values.into_iter().chain(std::iter::repeat_n(int(0), 9)).collect();
            let mut lease = self.lease("write down the run").await?;
            let outcome = lease.connection.execute(&self.insert_sql(&RUNS, 1), &values).await;
            match self.end(lease, outcome) {
                Ok(_) => return Ok(id),
                // Another run began in the same microsecond.
                Err(SinkError::Conflict) => id += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes down how a run ended.
    pub async fn finish_run(
        &self,
        run_id: i64,
        outcome: &'static str,
        totals: &RunTotals,
    ) -> Result<(), SinkError> {
        let update = self.driver.dialect().placeholders(
            "UPDATE import_runs SET finished_at = ?, outcome = ?, listed = ?, loaded = ?, \
             already_loaded = ?, skipped = ?, failed = ?, record_count = ?, row_count = ?, \
             reject_count = ?, altered_count = ? WHERE id = ?",
        );
        let finished_at = jiff::Timestamp::now().to_string();
        let values = [
            Value::Text(Some(&finished_at)),
            Value::Text(Some(outcome)),
            int(totals.listed),
            int(totals.loaded),
            int(totals.already_loaded),
            int(totals.skipped),
            int(totals.failed),
            int(totals.records),
            int(totals.rows),
            int(totals.rejects),
            int(totals.altered),
            Value::Int(run_id),
        ];
        let mut lease = self.lease("write down the end of the run").await?;
        let outcome = lease.connection.execute(&update, &values).await;
        self.end(lease, outcome).map(drop)
    }

    /// Returns the sums over all lines of the ledger.
    pub async fn ledger_totals(&self) -> Result<RunTotals, SinkError> {
        let query = "SELECT outcome, COUNT(*), CAST(COALESCE(SUM(record_count), 0) AS BIGINT), \
             CAST(COALESCE(SUM(row_count), 0) AS BIGINT), \
             CAST(COALESCE(SUM(reject_count), 0) AS BIGINT), \
             CAST(COALESCE(SUM(altered_count), 0) AS BIGINT) \
             FROM import_objects GROUP BY outcome";
        // MySQL spells the type another way.
        let query = match self.driver.dialect() {
            Dialect::Mysql => query.replace("AS BIGINT", "AS SIGNED"),
            Dialect::Postgres | Dialect::Sqlite => query.to_owned(),
        };
        let types = [
            CellType::Text,
            CellType::Int,
            CellType::Int,
            CellType::Int,
            CellType::Int,
            CellType::Int,
        ];
        let mut totals = RunTotals::default();
        for row in self.select(&query, &types).await? {
            let [outcome, objects, records, rows, rejects, altered] = fixed(row);
            match outcome.into_text().as_str() {
                "loaded" => totals.loaded = count(objects),
                "skipped" => totals.skipped = count(objects),
                _ => totals.failed = count(objects),
            }
            totals.records += count(records);
            totals.rows += count(rows);
            totals.rejects += count(rejects);
            totals.altered += count(altered);
        }
        totals.listed = totals.loaded + totals.skipped + totals.failed;
        Ok(totals)
    }

    /// Returns the last runs, the newest first.
    pub async fn runs(&self, lines_max: u32) -> Result<Vec<RunLine>, SinkError> {
        let query = format!(
            "SELECT id, started_at, finished_at, program_version, sources, outcome, listed, \
             loaded, already_loaded, skipped, failed, record_count, row_count, reject_count, \
             altered_count FROM import_runs ORDER BY id DESC LIMIT {lines_max}"
        );
        let mut types = vec![CellType::Int];
        types.extend([CellType::Text; 5]);
        types.extend([CellType::Int; 9]);
        let rows = self.select(&query, &types).await?;
        let read = |row| {
            let [id, started_at, finished_at, version, sources, outcome, counts @ ..]: [Cell; 15] =
                fixed(row);
            let [listed, loaded, already, skipped, failed, records, rows, rejects, altered] =
                counts.map(count);
            RunLine {
                id: id.into_int(),
                started_at: started_at.into_text(),
                finished_at: finished_at.into_optional_text(),
                outcome: outcome.into_text(),
                sources: sources.into_text(),
                program_version: version.into_text(),
                totals: RunTotals {
                    listed,
                    loaded,
                    already_loaded: already,
                    skipped,
                    failed,
                    records,
                    rows,
                    rejects,
                    altered,
                },
            }
        };
        Ok(rows.into_iter().map(read).collect())
    }

    /// Returns objects that failed, the latest first.
    pub async fn failed_objects(&self, lines_max: u32) -> Result<Vec<FailedObject>, SinkError> {
        let query = format!(
            "SELECT uri, reason, finished_at, run_id FROM import_objects \
             WHERE outcome = 'failed' ORDER BY finished_at DESC, uri LIMIT {lines_max}"
        );
        let types = [CellType::Text, CellType::Text, CellType::Text, CellType::Int];
        let rows = self.select(&query, &types).await?;
        let read = |row| {
            let [uri, reason, finished_at, run_id] = fixed(row);
            FailedObject {
                uri: uri.into_text(),
                reason: reason.into_text(),
                finished_at: finished_at.into_text(),
                run_id: run_id.into_int(),
            }
        };
        Ok(rows.into_iter().map(read).collect())
    }

    /// Returns rejected records, by object and place.
    pub async fn rejected_records(&self, lines_max: u32) -> Result<Vec<RejectedRecord>, SinkError> {
        let query = format!(
            "SELECT o.uri, r.record_index, r.offset_bytes, r.reason, r.record \
             FROM import_rejects r JOIN import_objects o ON o.id = r.object_id \
             ORDER BY o.uri, r.record_index LIMIT {lines_max}"
        );
        let types = [CellType::Text, CellType::Int, CellType::Int, CellType::Text, CellType::Text];
        let rows = self.select(&query, &types).await?;
        let read = |row| {
            let [uri, record_index, offset_bytes, reason, record] = fixed(row);
            RejectedRecord {
                uri: uri.into_text(),
                record_index: count(record_index),
                offset_bytes: count(offset_bytes),
                reason: reason.into_text(),
                record: record.into_text(),
            }
        };
        Ok(rows.into_iter().map(read).collect())
    }

    async fn select(&self, query: &str, types: &[CellType]) -> Result<Vec<Vec<Cell>>, SinkError> {
        self.query("read the ledger", query, &[], types).await
    }
}

fn fixed<const N: usize>(row: Vec<Cell>) -> [Cell; N] {
    row.try_into().expect("a row has a cell for each selected column")
}

fn count(cell: Cell) -> u64 {
    u64::try_from(cell.into_int()).unwrap_or(0)
}
