//! Finds rows that hold the same record, in the order of the index on `eventID`.

mod remove;

use std::collections::{BTreeSet, HashMap};

use super::connection::{Cell, CellType, Connection, Value};
use super::schema::{LOGS, LOGS_COLUMNS, OBJECTS, placeholders};
use super::{SqlStore, without_data};
use crate::database::DatabaseError;
use crate::database::dedupe::{
    Cursor, Duplicates, IdPage, Owner, Plan, ROWS_MAX, RowReader, Until,
};
use crate::database::indexes::Index;
use crate::database::url::Engine;
use crate::trail::fields::COLUMN_COUNT;

const FIND: &str = "look for duplicates";

/// Returns how many values of `eventID` are looked at together.
///
/// The rows of few events are spread over many objects, so that each removed row would come with an
/// update of the ledger. SQLite also writes most pages of all indexes in each transaction: with 2,000 events,
/// the removal of 64,263 rows among 1,064,263 took 31.4 s on a busy disk, with 5,000 it took 24.0 s.
const fn ids_max(engine: Engine) -> usize {
    match engine {
        Engine::Sqlite => 5_000,
        Engine::Postgres | Engine::Mysql => 2_000,
    }
}

/// Rows whose `eventID` one statement reads: each reads a bounded part of the index.
const RANGE_ROWS: usize = 100_000;

/// How many numbers or keys one statement lists.
const LISTED_MAX: usize = 1_024;

/// What a MySQL table without a key needs. MySQL from 8.0.23 and MariaDB from 10.3 hide the column.
const ADD_KEY: &str = "run: ALTER TABLE logs ADD COLUMN id bigint unsigned NOT NULL AUTO_INCREMENT \
     PRIMARY KEY INVISIBLE (MySQL before 8.0.23: without INVISIBLE)";

impl SqlStore {
    /// Fails if duplicates cannot be found, or with `removes` not removed.
    pub(super) async fn check_duplicates_once(&self, removes: bool) -> Result<(), DatabaseError> {
        let lacking = self.lacking_columns(LOGS.name).await?;
        if let Some(name) = lacking.first() {
            let message = format!("the `logs` table lacks the column `{name}`");
            let hint = "version 0.1.0 made it: an import with this version adds the column";
            return Err(DatabaseError::unusable(message, hint.to_owned()));
        }
        let is_key = |index: &Index| index.columns == ["eventID"];
        if self.find_missing_indexes().await?.iter().any(is_key) {
            let message =
                "the `logs` table has no index on `eventID`, by which duplicates are found";
            let hint = "`cloudtrail2sql index` builds it, `CREATE INDEX logs_eventid ON logs (eventID)` \
                 builds no other one; `cloudtrail2sql query duplicates` needs none";
            return Err(DatabaseError::unusable(message.to_owned(), hint.to_owned()));
        }
        if !removes {
            return Ok(());
        }
        let (query, hint) = match self.driver.engine() {
            Engine::Sqlite => (
                "SELECT COUNT(*) FROM pragma_table_list WHERE schema = 'main' AND name = 'logs' \
                 COLLATE NOCASE AND type = 'table' AND wr = 0",
                "copy its rows into a table that is not WITHOUT ROWID",
            ),
            Engine::Postgres => (
                "SELECT COUNT(*) FROM pg_class WHERE oid = to_regclass('logs') AND relkind IN ('r', 'p')",
                "rows of views and foreign tables have none: name the database that has the table",
            ),
            Engine::Mysql => (
                "SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE() \
                 AND table_name = 'logs' AND column_name = 'id' AND extra LIKE '%auto_increment%'",
                ADD_KEY,
            ),
        };
        let found = self.query(FIND, query, &[], &[CellType::Int]).await?;
        if found.into_iter().flatten().any(|cell| cell.into_int() > 0) {
            return Ok(());
        }
        let message =
            "the rows of the `logs` table have no key by which one of two equal rows is removed";
        Err(DatabaseError::unusable(message.to_owned(), hint.to_owned()))
    }

    /// Returns some of the values of `eventID` that several rows have, from a place on.
    pub(super) async fn select_duplicated_ids(
        &self,
        cursor: &Cursor,
    ) -> Result<IdPage, DatabaseError> {
        let engine = self.driver.engine();
        let ids_max = ids_max(engine);
        let after = if cursor.after.is_some() { "eventID > ?" } else { "eventID IS NOT NULL" };
        let mut values: Vec<Value<'_>> =
            cursor.after.as_deref().map(|id| Value::Text(Some(id))).into_iter().collect();
        let until = match &cursor.until {
            Until::Unknown => {
                let query = format!(
                    "SELECT eventID FROM logs WHERE {after} ORDER BY eventID LIMIT 1 OFFSET {}",
                    RANGE_ROWS - 1
                );
                let query = placeholders(engine, &query);
                let found = self.query(FIND, &query, &values, &[CellType::Text]).await?;
                found
                    .into_iter()
                    .flatten()
                    .next()
                    .map_or(Until::End, |id| Until::Id(id.into_text()))
            }
            known => known.clone(),
        };
        let mut query = format!("SELECT eventID, COUNT(*) FROM logs WHERE {after}");
        if let Until::Id(id) = &until {
            query.push_str(" AND eventID <= ?");
            values.push(Value::Text(Some(id)));
        }
        query.push_str(&format!(
            " GROUP BY eventID HAVING COUNT(*) > 1 ORDER BY eventID LIMIT {ids_max}"
        ));
        let types = [CellType::Text, CellType::Int];
        let found = self.query(FIND, &placeholders(engine, &query), &values, &types).await?;
        let is_last = found.len() < ids_max;
        let (mut ids, mut rows, count) = (Vec::new(), 0, found.len());
        for row in found {
            let [id, copies] = <[_; 2]>::try_from(row).expect("the query selects two columns");
            rows += usize::try_from(copies.into_int()).unwrap_or(usize::MAX);
            if rows > ROWS_MAX && !ids.is_empty() {
                break;
            }
            ids.push(id.into_text());
        }
        let next = match until {
            until if !is_last || ids.len() < count => {
                Some(Cursor { after: ids.last().cloned(), until })
            }
            Until::Id(id) => Some(Cursor { after: Some(id), until: Until::Unknown }),
            Until::End | Until::Unknown => None,
        };
        Ok(IdPage { ids, next })
    }

    /// Returns the duplicates among the rows with these values of `eventID`.
    pub(super) async fn select_duplicates(
        &self,
        ids: &[String],
    ) -> Result<Duplicates, DatabaseError> {
        let mut pooled = self.connection(FIND).await?;
        let session = pooled.connection.session();
        let reading = self.read_duplicates(&mut *pooled.connection, ids);
        let outcome = self.watched(FIND, session, reading).await;
        self.put_back(pooled, outcome).map_err(|error| without_data(error, FIND))
    }

    async fn read_duplicates(
        &self,
        connection: &mut dyn Connection,
        ids: &[String],
    ) -> Result<Duplicates, sqlx::Error> {
        let reader = self.read_rows(connection, "''", ids, None).await?;
        let numbers = reader.rows.iter().filter_map(|row| row.object).collect();
        let owners = self.owners(connection, &numbers, Locking::None).await?;
        let found = Plan::of(reader.rows, &owners).into_duplicates(&owners);
        Ok(Duplicates { beyond: reader.copies_beyond, ..found })
    }

    /// Reads the rows with these values of `eventID`. `key` is the SQL of their key.
    async fn read_rows(
        &self,
        connection: &mut dyn Connection,
        key: &str,
        ids: &[String],
        rows_max: Option<usize>,
    ) -> Result<RowReader, sqlx::Error> {
        let columns = LOGS_COLUMNS[..=COLUMN_COUNT].join(", ");
        let (list, values) = padded(ids, |id| Value::Text(Some(id)));
        let limit = rows_max.map(|rows| format!(" LIMIT {rows}")).unwrap_or_default();
        let query =
            format!("SELECT {key}, objectId, {columns} FROM logs WHERE eventID IN ({list}){limit}");
        let query = placeholders(self.driver.engine(), &query);
        let mut reader = RowReader::default();
        let flow = connection.stream(&query, &values, &mut reader).await?;
        assert!(flow.is_continue(), "the reader takes every row");
        Ok(reader)
    }

    /// Returns the objects of these numbers, as far as the ledger has them.
    async fn owners(
        &self,
        connection: &mut dyn Connection,
        numbers: &BTreeSet<i64>,
        locking: Locking,
    ) -> Result<HashMap<i64, Owner>, sqlx::Error> {
        let numbers: Vec<i64> = numbers.iter().copied().collect();
        let kept_for = if locking == Locking::None { "NULL" } else { "kept_for" };
        let lock = self.lock_sql(locking);
        let mut owners = HashMap::new();
        for numbers in numbers.chunks(LISTED_MAX) {
            let (list, values) = padded(numbers, |number| Value::Int(*number));
            let query = format!(
                "SELECT number, run_id, uri, {kept_for} FROM import_objects \
                 WHERE number IN ({list}) ORDER BY number{lock}"
            );
            let query = placeholders(self.driver.engine(), &query);
            let types = [CellType::Int, CellType::Int, CellType::Text, CellType::Text];
            for row in connection.query(&query, &values, &types).await? {
                let [number, run_id, uri, kept_for] =
                    <[_; 4]>::try_from(row).expect("the query selects four columns");
                let (run_id, uri) = (run_id.into_int(), uri.into_text());
                let kept_for = numbers_of(kept_for);
                owners.insert(number.into_int(), Owner { run_id, uri, kept_for });
            }
        }
        Ok(owners)
    }

    /// Returns what ends a query whose lines nobody else may change until the transaction ends. SQLite
    /// has one writer.
    pub(super) fn lock_sql(&self, locking: Locking) -> &'static str {
        match self.driver.engine() {
            Engine::Postgres | Engine::Mysql if locking == Locking::ForUpdate => " FOR UPDATE",
            _ => "",
        }
    }

    /// Returns how many rows were removed as duplicates.
    pub(super) async fn sum_duplicates(&self) -> Result<u64, DatabaseError> {
        if self.lacking_columns(OBJECTS.name).await?.contains(&"duplicate_count") {
            return Ok(0);
        }
        let integer = if self.driver.engine() == Engine::Mysql { "SIGNED" } else { "BIGINT" };
        let query = format!(
            "SELECT CAST(COALESCE(SUM(duplicate_count), 0) AS {integer}) FROM import_objects"
        );
        let rows = self.query("read the ledger", &query, &[], &[CellType::Int]).await?;
        let sum = rows.into_iter().flatten().map(Cell::into_int).sum::<i64>();
        Ok(u64::try_from(sum).unwrap_or(0))
    }
}

/// Whether lines are locked that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Locking {
    None,
    ForUpdate,
}

/// Returns placeholders and values for a list, which is padded with its last element to a power of two,
/// so that few statements are prepared.
pub(super) fn padded<'v, T>(
    list: &'v [T],
    value: impl Fn(&'v T) -> Value<'v>,
) -> (String, Vec<Value<'v>>) {
    let padding = list.last().expect("the list is not empty");
    let width = list.len().next_power_of_two();
    let padded = list.iter().chain(std::iter::repeat_n(padding, width - list.len()));
    (vec!["?"; width].join(","), padded.map(value).collect())
}

/// Reads the numbers of `kept_for`.
pub(super) fn numbers_of(kept_for: Cell) -> BTreeSet<i64> {
    let text = kept_for.into_optional_text().unwrap_or_default();
    text.split(',').filter_map(|number| number.parse().ok()).collect()
}
