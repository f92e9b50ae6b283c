//! Runs, and the queries of `status`: totals, failed objects, rejected records.

use super::added_columns::ADDED_COLUMNS;
use super::connection::{Cell, CellType, Value};
use super::schema::{OBJECTS, RUNS, placeholders};
use super::{SqlStore, retried};
use crate::database::attempts::Attempts;
use crate::database::status::{
    FailedObject, RejectedRecord, RunLine, RunStart, RunTotals, SkippedObject,
};
use crate::database::url::Engine;
use crate::database::{DatabaseError, ErrorClass};
use crate::trail::object::Shard;

const READ_LEDGER: &str = "read the ledger";

/// How many columns of `import_runs` are counts.
const COUNTS: usize = 10;

impl SqlStore {
    /// Records that a run has begun; returns its id.
    pub(super) async fn insert_run(&self, start: &RunStart) -> Result<i64, DatabaseError> {
        let started = jiff::Timestamp::now();
        let (mut id, started_at) = (started.as_microsecond(), started.to_string());
        let mut attempts = Attempts::new(self.options.retry);
        let mut may_be_recorded = false;
        loop {
            let outcome = self.insert_run_line(id, &started_at, start).await;
            let error = match outcome {
                Ok(()) => return Ok(id),
                // The answer to an earlier attempt was lost, or another run began in the same
                // microsecond.
                Err(error) if error.class == ErrorClass::Conflict => {
                    let is_ours = may_be_recorded
                        && retried!(self, self.is_run_line(id, &started_at, start))?;
                    if is_ours {
                        return Ok(id);
                    }
                    (id, may_be_recorded) = (id + 1, false);
                    continue;
                }
                Err(error) => error,
            };
            attempts.wait(error).await?;
            may_be_recorded = true;
        }
    }

    async fn insert_run_line(
        &self,
        id: i64,
        started_at: &str,
        start: &RunStart,
    ) -> Result<(), DatabaseError> {
        let shard = start.shard.map(|shard| shard.to_string());
        let values = [
            Value::Int(id),
            Value::Text(Some(started_at)),
            Value::Text(None),
            Value::Text(Some(env!("CARGO_PKG_VERSION"))),
            Value::Text(Some(&start.sources)),
            Value::Text(Some("running")),
        ];
        let counts = std::iter::repeat_n(Value::count(0), COUNTS);
        let of_part = [start.selection.as_deref(), shard.as_deref(), start.job.as_deref()];
        let values: Vec<Value<'_>> =
            values.into_iter().chain(counts).chain(of_part.map(Value::Text)).collect();
        self.execute("record the run", &self.insert_sql(&RUNS, 1), &values).await
    }

    /// Returns whether the line of this id began at this nanosecond with these sources and this shard.
    async fn is_run_line(
        &self,
        id: i64,
        started_at: &str,
        start: &RunStart,
    ) -> Result<bool, DatabaseError> {
        let query = "SELECT started_at, sources, shard FROM import_runs WHERE id = ?";
        let query = placeholders(self.driver.engine(), query);
        let doing = "read the record of the run";
        let rows = self.query(doing, &query, &[Value::Int(id)], &[CellType::Text; 3]).await?;
        let found: Vec<String> = rows.into_iter().flatten().map(Cell::into_text).collect();
        let shard = start.shard.map(|shard| shard.to_string()).unwrap_or_default();
        Ok(found == [started_at, &start.sources, &shard])
    }

    /// Records how a run ended.
    pub(super) async fn update_run(
        &self,
        run_id: i64,
        outcome: &str,
        totals: &RunTotals,
    ) -> Result<(), DatabaseError> {
        let update = "UPDATE import_runs SET finished_at = ?, outcome = ?, listed = ?, \
             loaded = ?, already_loaded = ?, skipped = ?, failed = ?, record_count = ?, \
             row_count = ?, reject_count = ?, altered_count = ?, filtered_count = ? WHERE id = ?";
        let update = placeholders(self.driver.engine(), update);
        let finished_at = jiff::Timestamp::now().to_string();
        let values = [
            Value::Text(Some(&finished_at)),
            Value::Text(Some(outcome)),
            Value::count(totals.listed),
            Value::count(totals.loaded),
            Value::count(totals.already_loaded),
            Value::count(totals.skipped),
            Value::count(totals.failed),
            Value::count(totals.records),
            Value::count(totals.rows),
            Value::count(totals.rejects),
            Value::count(totals.replaced_chars),
            Value::count(totals.filtered),
            Value::Int(run_id),
        ];
        self.execute("record the end of the run", &update, &values).await
    }

    /// Returns the sums over all lines of the ledger.
    pub(super) async fn select_ledger_totals(&self) -> Result<RunTotals, DatabaseError> {
        let lacking = self.lacking_columns(OBJECTS.name).await?;
        let filtered = if lacking.contains(&"filtered_count") { "0" } else { "filtered_count" };
        let counts = ["record_count", "row_count", "reject_count", "altered_count", filtered];
        let sums = counts.map(|count| format!("CAST(COALESCE(SUM({count}), 0) AS BIGINT)"));
        let sums = sums.join(", ");
        let query =
            format!("SELECT outcome, COUNT(*), {sums} FROM import_objects GROUP BY outcome");
        // MySQL has another name for the type.
        let query = match self.driver.engine() {
            Engine::Mysql => query.replace("AS BIGINT", "AS SIGNED"),
            Engine::Postgres | Engine::Sqlite => query,
        };
        let types = [
            CellType::Text,
            CellType::Int,
            CellType::Int,
            CellType::Int,
            CellType::Int,
            CellType::Int,
            CellType::Int,
        ];
        let mut totals = RunTotals::default();
        for row in self.select(&query, &types).await? {
            let [outcome, objects, records, rows, rejects, altered, filtered] = fixed(row);
            match outcome.into_text().as_str() {
                "loaded" => totals.loaded = count(objects),
                "skipped" => totals.skipped = count(objects),
                // Failed and changed.
                _ => totals.failed += count(objects),
            }
            totals.records += count(records);
            totals.rows += count(rows);
            totals.rejects += count(rejects);
            totals.replaced_chars += count(altered);
            totals.filtered += count(filtered);
        }
        totals.listed = totals.loaded + totals.skipped + totals.failed;
        Ok(totals)
    }

    /// Returns the last runs, the newest first.
    pub(super) async fn select_runs(&self, lines_max: u32) -> Result<Vec<RunLine>, DatabaseError> {
        let lacking = self.lacking_columns(RUNS.name).await?;
        let [selection, shard, job] = ["selection", "shard", "job"]
            .map(|name| if lacking.contains(&name) { "NULL" } else { name });
        let lacks_filtered = lacking.contains(&"filtered_count");
        let filtered = if lacks_filtered { self.null_integer() } else { "filtered_count" };
        let query = format!(
            "SELECT id, started_at, finished_at, program_version, sources, outcome, {selection}, \
             {shard}, {job}, listed, loaded, already_loaded, skipped, failed, record_count, \
             row_count, reject_count, altered_count, COALESCE({filtered}, 0) FROM import_runs \
             ORDER BY id DESC LIMIT {lines_max}"
        );
        let mut types = vec![CellType::Int];
        types.extend([CellType::Text; 8]);
        types.extend([CellType::Int; COUNTS]);
        let rows = self.select(&query, &types).await?;
        let read = |mut row: Vec<Cell>| {
            let counts = row.split_off(row.len() - COUNTS);
            let [id, started_at, finished_at, version, sources, outcome, selection, shard, job] =
                fixed(row);
            let [
                listed,
                loaded,
                already_loaded,
                skipped,
                failed,
                records,
                rows,
                rejects,
                altered,
                filtered,
            ] = fixed::<COUNTS>(counts).map(count);
            RunLine {
                id: id.into_int(),
                started_at: started_at.into_text(),
                finished_at: finished_at.into_optional_text(),
                outcome: outcome.into_text(),
                sources: sources.into_text(),
                selection: selection.into_optional_text(),
                shard: shard.into_optional_text().and_then(|text| Shard::parse(&text)),
                job: job.into_optional_text(),
                program_version: version.into_text(),
                totals: RunTotals {
                    listed,
                    loaded,
                    already_loaded,
                    skipped,
                    failed,
                    records,
                    rows,
                    rejects,
                    filtered,
                    replaced_chars: altered,
                },
            }
        };
        Ok(rows.into_iter().map(read).collect())
    }

    /// Returns failed and changed objects, those of the newest run first.
    pub(super) async fn select_failed_objects(
        &self,
        lines_max: u32,
    ) -> Result<Vec<FailedObject>, DatabaseError> {
        let rows = self.select_objects("reason", "'failed', 'changed'", lines_max).await?;
        let read = |[uri, reason, finished_at, run_id]: [Cell; 4]| FailedObject {
            uri: uri.into_text(),
            reason: reason.into_text(),
            finished_at: finished_at.into_text(),
            run_id: run_id.into_int(),
        };
        Ok(rows.into_iter().map(read).collect())
    }

    /// Returns skipped objects, those of the newest run first.
    pub(super) async fn select_skipped_objects(
        &self,
        lines_max: u32,
    ) -> Result<Vec<SkippedObject>, DatabaseError> {
        let rows = self.select_objects("kind", "'skipped'", lines_max).await?;
        let read = |[uri, kind, finished_at, run_id]: [Cell; 4]| SkippedObject {
            uri: uri.into_text(),
            kind: kind.into_text(),
            finished_at: finished_at.into_text(),
            run_id: run_id.into_int(),
        };
        Ok(rows.into_iter().map(read).collect())
    }

    /// Returns the URI, the column `of_outcome`, time and run of the objects with one of these outcomes.
    async fn select_objects(
        &self,
        of_outcome: &str,
        outcomes: &str,
        lines_max: u32,
    ) -> Result<Vec<[Cell; 4]>, DatabaseError> {
        let query = format!(
            "SELECT uri, {of_outcome}, finished_at, run_id FROM import_objects \
             WHERE outcome IN ({outcomes}) ORDER BY run_id DESC, uri LIMIT {lines_max}"
        );
        let types = [CellType::Text, CellType::Text, CellType::Text, CellType::Int];
        let rows = self.select(&query, &types).await?;
        Ok(rows.into_iter().map(fixed).collect())
    }

    /// Returns rejected records, those of the newest run first, then by object and position.
    pub(super) async fn select_rejected_records(
        &self,
        lines_max: u32,
    ) -> Result<Vec<RejectedRecord>, DatabaseError> {
        let query = format!(
            "SELECT o.uri, r.record_index, r.offset_bytes, r.reason, r.record \
             FROM import_rejects r JOIN import_objects o ON o.id = r.object_id \
             ORDER BY o.run_id DESC, o.uri, r.record_index LIMIT {lines_max}"
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

    /// Returns how many rows version 0.1.0 loaded, whose lines have no number.
    pub(super) async fn count_rows_of_first_schema(&self) -> Result<u64, DatabaseError> {
        let sum = match self.driver.engine() {
            Engine::Mysql => "CAST(COALESCE(SUM(row_count), 0) AS SIGNED)",
            Engine::Postgres | Engine::Sqlite => "CAST(COALESCE(SUM(row_count), 0) AS BIGINT)",
        };
        let lacking = self.lacking_columns(OBJECTS.name).await?;
        let filter = if lacking.contains(&"number") { "" } else { " WHERE number IS NULL" };
        let query = format!("SELECT {sum} FROM import_objects{filter}");
        let rows = self.select(&query, &[CellType::Int]).await?;
        Ok(rows.into_iter().flatten().map(count).sum())
    }

    /// Returns what stands for an integer column that a table lacks.
    pub(super) fn null_integer(&self) -> &'static str {
        match self.driver.engine() {
            Engine::Mysql => "CAST(NULL AS SIGNED)",
            Engine::Postgres | Engine::Sqlite => "CAST(NULL AS BIGINT)",
        }
    }

    /// Returns those of [`ADDED_COLUMNS`] that a table lacks, because only earlier versions of the
    /// program have imported into this database.
    pub(super) async fn lacking_columns(
        &self,
        table: &str,
    ) -> Result<Vec<&'static str>, DatabaseError> {
        let mut pooled = self.connection(READ_LEDGER).await?;
        let session = pooled.connection.session();
        let request = self.columns_of(&mut *pooled.connection, table);
        let outcome = self.in_time(READ_LEDGER, session, self.statement_limit(), request).await;
        let found = self.put_back(pooled, outcome)?;
        let has = |name: &str| found.iter().any(|it| it.name.eq_ignore_ascii_case(name));
        let of_table = ADDED_COLUMNS.iter().filter(|column| column.table == table);
        Ok(of_table.map(|column| column.name).filter(|name| !has(name)).collect())
    }

    async fn select(
        &self,
        query: &str,
        types: &[CellType],
    ) -> Result<Vec<Vec<Cell>>, DatabaseError> {
        self.query(READ_LEDGER, query, &[], types).await
    }
}

fn fixed<const N: usize>(row: Vec<Cell>) -> [Cell; N] {
    row.try_into().expect("a row has a cell for each selected column")
}

fn count(cell: Cell) -> u64 {
    u64::try_from(cell.into_int()).unwrap_or(0)
}
