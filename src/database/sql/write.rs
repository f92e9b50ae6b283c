//! The one transaction of a batch, the same for all databases.
//!
//! Identities are written before it, in a transaction of their own: they are true of any object, and
//! another import that meets the same ones need not wait for this batch. SQLite has one writer, and
//! would flush twice.
//!
//! It updates the ledger lines of objects that were compared, extends those of objects of which other
//! records are added, deletes replaced lines, then inserts the new lines, the rejects and the rows. The ledger comes first because its primary key decides
//! between two imports of the same object: the loser gets the conflict before it has sent its rows.
//! A violated constraint of any other table is not a conflict with another import.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, PoisonError};

use async_trait::async_trait;

use super::connection::{CellType, Connection, Value};
use super::error::{SqlErrorClass, cause_of};
use super::lines::{LineTexts, ledger_line, read_line, reject_lines, unknown_filter};
use super::schema::{IDENTITIES, LOGS, OBJECTS, REJECTS, Table, placeholders, statement_rows_max};
use super::{KNOWN_IDENTITIES_MAX, SqlStore};
use crate::database::batch::{Batch, ParsedObject};
use crate::database::ledger::Line;
use crate::database::url::Engine;
use crate::database::{DatabaseError, Sink};
use crate::trail::fields::{COLUMN_COUNT, column};
use crate::trail::identity::Identity;
use crate::trail::object::ObjectId;
use crate::trail::record::CellRules;
use crate::trail::rows::Row;

const USER_IDENTITY: usize = column("userIdentity");

/// How many columns `identities` has.
const IDENTITIES_WIDTH: usize = IDENTITIES.columns.len();

/// How many identities are taken apart at a time.
const IDENTITIES_PARSED_MAX: usize = 1_024;

/// How many objects one statement lists.
pub(super) const LISTED_MAX: usize = 1_024;

#[async_trait]
impl Sink for SqlStore {
    fn rules(&self) -> &CellRules {
        &self.rules
    }

    async fn seen(&self, ids: &[ObjectId]) -> Result<HashMap<ObjectId, Line>, DatabaseError> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let (list, values) = id_list(ids);
        let columns = self.ledger_columns().await?;
        let query = format!(
            "SELECT id, outcome, kind, reason, version, digest, run_id, batch_id, {columns} \
             FROM import_objects WHERE id IN ({list})"
        );
        let query = placeholders(self.driver.engine(), &query);
        let types = [
            CellType::Bytes,
            CellType::Text,
            CellType::Text,
            CellType::Text,
            CellType::Text,
            CellType::Text,
            CellType::Int,
            CellType::Int,
            CellType::Int,
            CellType::Text,
        ];
        let rows = self.query("read the ledger", &query, &values, &types).await?;
        let mut lines = HashMap::with_capacity(rows.len());
        for row in rows {
            let Some((id, line)) = read_line(row).map_err(unknown_filter)? else { continue };
            lines.insert(id, line);
        }
        Ok(lines)
    }

    async fn taken_numbers(&self, batch: &Batch) -> Result<HashSet<i64>, DatabaseError> {
        let mut taken = HashSet::new();
        for objects in batch.objects.chunks(LISTED_MAX) {
            let numbers: Vec<Value<'_>> =
                objects.iter().map(|object| Value::Int(object.number())).collect();
            let list = vec!["?"; numbers.len()].join(",");
            let query = format!("SELECT id, number FROM import_objects WHERE number IN ({list})");
            let query = placeholders(self.driver.engine(), &query);
            let types = [CellType::Bytes, CellType::Int];
            for row in self.query("read the ledger", &query, &numbers, &types).await? {
                let [id, number] = <[_; 2]>::try_from(row).expect("the query selects two columns");
                let (id, number) = (id.into_bytes(), number.into_int());
                let is_owner = |it: &ParsedObject| it.number() == number && it.id.0[..] == id[..];
                if !objects.iter().any(is_owner) {
                    taken.insert(number);
                }
            }
        }
        Ok(taken)
    }

    async fn write(&self, run_id: i64, batch: &Batch) -> Result<(), DatabaseError> {
        let doing = "write a batch";
        let mut pooled = self.connection(doing).await?;
        let (session, limit) = (pooled.connection.session(), self.options.timeouts.write_of(batch));
        let writing = self.write_batch(&mut *pooled.connection, run_id, batch);
        let outcome = self.in_time(doing, session, limit, writing).await;
        // Two imports of the same folder conflict in every batch. Rolling back keeps the connection,
        // so that they need not log in again each time.
        if let Err(error) = &outcome
            && self.classify(error) == SqlErrorClass::Conflict
            && pooled.connection.run("ROLLBACK").await.is_ok()
        {
            self.give_back(pooled.connection);
            return outcome.map(drop).map_err(|error| self.error(doing, error));
        }
        let written = self.put_back(pooled, outcome)?;
        self.remember(written);
        Ok(())
    }
}

impl SqlStore {
    /// Writes the identities and the one transaction. Returns the identities that were written.
    async fn write_batch(
        &self,
        connection: &mut dyn Connection,
        run_id: i64,
        batch: &Batch,
    ) -> Result<Vec<i64>, sqlx::Error> {
        let new = self.new_identities(batch);
        if self.driver.engine() == Engine::Sqlite {
            connection.begin().await?;
            self.insert_identities(connection, &new).await?;
        } else {
            self.insert_identities(connection, &new).await?;
            connection.begin().await?;
        }
        self.write_objects(connection, run_id, batch).await?;
        connection.run("COMMIT").await?;
        Ok(new.iter().map(|(id, _)| *id).collect())
    }

    /// Returns the identities of a batch that are not known to be committed, by id, each with its JSON
    /// text.
    fn new_identities<'b>(&self, batch: &'b Batch) -> Vec<(i64, &'b str)> {
        let mut new = BTreeMap::new();
        let known = self.known_identities.lock().unwrap_or_else(PoisonError::into_inner);
        for log in batch.objects.iter().map(ParsedObject::log) {
            for identity in log.identities.iter().filter(|it| !known.contains(&it.id)) {
                let text = || log.rows.cell_at(identity.row_at_byte, USER_IDENTITY);
                new.entry(identity.id).or_insert_with(|| text().expect("the row has an identity"));
            }
        }
        // In the order of their keys, so that two imports do not wait for each other in a circle.
        new.into_iter().collect()
    }

    async fn insert_identities(
        &self,
        connection: &mut dyn Connection,
        identities: &[(i64, &str)],
    ) -> Result<(), sqlx::Error> {
        for identities in identities.chunks(IDENTITIES_PARSED_MAX) {
            let parsed: Vec<Identity<'_>> =
                identities.iter().map(|(_, text)| Identity::parse(text)).collect();
            self.insert(connection, &IDENTITIES, &mut identity_lines(identities, &parsed)).await?;
        }
        Ok(())
    }

    /// Remembers identities that are committed.
    fn remember(&self, identities: Vec<i64>) {
        let mut known = self.known_identities.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() + identities.len() > KNOWN_IDENTITIES_MAX {
            known.clear();
        }
        known.extend(identities.into_iter().take(KNOWN_IDENTITIES_MAX));
    }

    /// Writes the ledger's lines, rejects and rows of a batch.
    async fn write_objects(
        &self,
        connection: &mut dyn Connection,
        run_id: i64,
        batch: &Batch,
    ) -> Result<(), sqlx::Error> {
        let engine = self.driver.engine();
        let delete =
            "DELETE FROM import_objects WHERE id = ?id AND outcome IN ('skipped', 'failed')";
        let delete = placeholders(engine, delete);
        // Ordered by key, so that the inserts of two imports cannot deadlock. With replaced lines
        // they can; the server then rolls one of them back, and it is retried.
        let (mut updated, mut objects): (Vec<&ParsedObject>, Vec<&ParsedObject>) =
            batch.objects.iter().partition(|object| object.updates_line());
        updated.sort_by_key(|object| object.id);
        objects.sort_by_key(|object| object.id);
        for object in updated {
            self.update_line(connection, object, run_id).await?;
        }
        let batch_id = batch.id;
        let (extended, objects): (Vec<&ParsedObject>, Vec<&ParsedObject>) =
            objects.into_iter().partition(|object| object.extended().is_some());
        for object in &extended {
            self.extend_line(connection, object, (run_id, batch_id)).await?;
        }
        for object in objects.iter().filter(|object| object.replaces_line) {
            connection.execute(&delete, &[Value::Id(&object.id)]).await?;
        }
        for object in &objects {
            if let Some(replaced) = object.replaced() {
                self.delete_content(connection, object, replaced).await?;
            }
        }
        let texts = |objects: &[&ParsedObject]| -> Vec<LineTexts> {
            objects.iter().map(|object| LineTexts::of(object)).collect()
        };
        let (texts, extended_texts) = (texts(&objects), texts(&extended));
        let mut lines = objects
            .iter()
            .zip(&texts)
            .map(|(object, texts)| ledger_line(object, texts, run_id, batch_id));
        self.insert(connection, &OBJECTS, &mut lines).await?;
        let with_rejects = objects.iter().zip(&texts).chain(extended.iter().zip(&extended_texts));
        let mut rejects = with_rejects.flat_map(|(object, texts)| reject_lines(object, texts));
        let written = self.write_content(connection, batch, &objects, &mut rejects).await;
        written.map_err(|error| {
            if self.classify(&error) == SqlErrorClass::Conflict {
                // We create no unique index on `logs`, and the rejects of these objects are
                // deleted. The user made an index, and the data violates it.
                return sqlx::Error::Encode(cause_of(error));
            }
            error
        })
    }

    /// Writes what is not the ledger: rejects and rows.
    async fn write_content(
        &self,
        connection: &mut dyn Connection,
        batch: &Batch,
        objects: &[&ParsedObject],
        rejects: &mut (dyn Iterator<Item = [Value<'_>; 5]> + Send),
    ) -> Result<(), sqlx::Error> {
        self.delete_left_over_rejects(connection, objects).await?;
        self.insert(connection, &REJECTS, rejects).await?;
        if batch.rows() > 0 {
            self.write_rows(connection, batch).await?;
        }
        Ok(())
    }

    /// Deletes the rejects of objects that had no ledger line until now. Somebody deleted their
    /// lines, or restored only some of the tables.
    async fn delete_left_over_rejects(
        &self,
        connection: &mut dyn Connection,
        objects: &[&ParsedObject],
    ) -> Result<(), sqlx::Error> {
        for objects in objects.chunks(LISTED_MAX) {
            let ids: Vec<ObjectId> = objects.iter().map(|object| object.id).collect();
            let (list, values) = id_list(&ids);
            let delete = format!("DELETE FROM import_rejects WHERE object_id IN ({list})");
            let delete = placeholders(self.driver.engine(), &delete);
            connection.execute(&delete, &values).await?;
        }
        Ok(())
    }

    async fn write_rows(
        &self,
        connection: &mut dyn Connection,
        batch: &Batch,
    ) -> Result<(), sqlx::Error> {
        if connection.copy_rows(batch).await? {
            return Ok(());
        }
        self.insert(connection, &LOGS, &mut rows_of(batch)).await
    }

    /// Inserts rows with few different statements: full ones, then one for each power of two in the
    /// number of remaining rows.
    pub(super) async fn insert<'v, const N: usize>(
        &self,
        connection: &mut dyn Connection,
        table: &Table,
        rows: &mut (dyn Iterator<Item = [Value<'v>; N]> + Send),
    ) -> Result<(), sqlx::Error> {
        assert_eq!(N, table.columns.len(), "a value for each column of {}", table.name);
        let rows_max = statement_rows_max(self.driver.engine());
        let bytes_max = connection.statement_bytes_max();
        let mut values: Vec<Value<'v>> = Vec::with_capacity(rows_max * N);
        let mut bytes = 0;
        for row in rows {
            let row_bytes: usize = row.iter().map(Value::wire_bytes).sum();
            if row_bytes > connection.row_bytes_max() {
                return Err(sqlx::Error::InvalidArgument(format!(
                    "a row of {row_bytes} bytes exceeds the {} bytes that the server's \
                     `max_allowed_packet` leaves for one",
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
        let make = || table.insert_sql(self.driver.engine(), rows).into();
        Arc::clone(inserts.entry((table.name, rows)).or_insert_with(make))
    }
}

/// Returns the values of [`IDENTITIES`]: `parsed` are the parts of each.
fn identity_lines<'v>(
    identities: &'v [(i64, &'v str)],
    parsed: &'v [Identity<'_>],
) -> impl Iterator<Item = [Value<'v>; IDENTITIES_WIDTH]> + Send {
    identities.iter().zip(parsed).map(|((id, text), identity)| {
        let mut line = [Value::Int(*id); IDENTITIES_WIDTH];
        for (value, text) in line[1..].iter_mut().zip(&identity.texts) {
            *value = Value::Text(text.as_deref());
        }
        line[IDENTITIES_WIDTH - 2] = Value::OptionalBool(identity.mfa);
        line[IDENTITIES_WIDTH - 1] = Value::Text(Some(text));
        line
    })
}

/// Returns the values of [`LOGS`] for all rows of a batch.
fn rows_of(batch: &Batch) -> impl Iterator<Item = [Value<'_>; COLUMN_COUNT + 4]> + Send {
    batch.objects.iter().map(ParsedObject::log).flat_map(|log| {
        let object_id = log.rows.object_id();
        log.rows.iter().map(move |row| row_values(&row, object_id))
    })
}

fn row_values<'r>(row: &Row<'r>, object_id: i64) -> [Value<'r>; COLUMN_COUNT + 4] {
    let mut values = [Value::Int(object_id); COLUMN_COUNT + 4];
    for (value, cell) in values.iter_mut().zip(row.cells) {
        *value = Value::Text(cell);
    }
    values[COLUMN_COUNT] = Value::Text(row.other_fields);
    values[COLUMN_COUNT + 1] = Value::Time(row.event_at);
    values[COLUMN_COUNT + 2] = Value::OptionalInt(row.identity_id);
    values
}

/// Returns placeholders and values for a list of ids, at least one. The list is padded to a power
/// of two, so that few statements are prepared.
pub(super) fn id_list(ids: &[ObjectId]) -> (String, Vec<Value<'_>>) {
    let last = ids.last().expect("the list is not empty");
    let width = ids.len().next_power_of_two();
    let padded = ids.iter().chain(std::iter::repeat_n(last, width - ids.len()));
    let values = padded.map(Value::Id).collect();
    (vec!["?id"; width].join(","), values)
}
