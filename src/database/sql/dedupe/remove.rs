//! Removes duplicates: rows and the ledger's counts in one transaction.
//!
//! The transaction first locks the ledger's lines of all objects with rows in it. `forget`, an import
//! that replaces rows, and another `dedupe` lock the same lines before they remove rows, so what is read
//! after that cannot be removed by them. Rows that an import has committed since are left alone.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{LISTED_MAX, Locking, numbers_of, padded};
use crate::database::DatabaseError;
use crate::database::attempts::Attempts;
use crate::database::dedupe::{Duplicate, Duplicates, Owner, Plan, ROWS_MAX};
use crate::database::ledger::READ_AGAIN;
use crate::database::sql::connection::{Cell, CellType, Connection, Value};
use crate::database::sql::schema::placeholders;
use crate::database::sql::{SqlStore, without_data};
use crate::database::url::Engine;
use crate::trail::object::ObjectId;

const REMOVE: &str = "remove duplicates";

/// Why an object is to be loaded again.
const REASON: &str = "`dedupe` removed rows of it because other objects had them, which have been removed \
     or replaced since; the next import of this object loads it again";

impl SqlStore {
    /// Removes the duplicates among the rows with these values of `eventID`, and repeats that while it
    /// may succeed later.
    ///
    /// If the answer to a commit was lost and the next attempt finds nothing, that commit has removed
    /// what it was to remove.
    pub(in crate::database::sql) async fn delete_duplicates(
        &self,
        ids: &[String],
    ) -> Result<Duplicates, DatabaseError> {
        let mut attempts = Attempts::new(self.options.retry);
        let mut sent = None;
        loop {
            match self.delete_duplicates_once(ids, &mut sent).await {
                Ok(found) if found.rows.is_empty() => return Ok(sent.unwrap_or(found)),
                Ok(found) => return Ok(found),
                Err(error) => attempts.wait(error).await?,
            }
        }
    }

    async fn delete_duplicates_once(
        &self,
        ids: &[String],
        sent: &mut Option<Duplicates>,
    ) -> Result<Duplicates, DatabaseError> {
        let mut pooled = self.connection(REMOVE).await?;
        let session = pooled.connection.session();
        let removing = self.delete_duplicates_on(&mut *pooled.connection, ids, sent);
        let outcome = self.watched(REMOVE, session, removing).await;
        self.put_back(pooled, outcome).map_err(|error| without_data(error, REMOVE))
    }

    async fn delete_duplicates_on(
        &self,
        connection: &mut dyn Connection,
        ids: &[String],
        sent: &mut Option<Duplicates>,
    ) -> Result<Duplicates, sqlx::Error> {
        connection.begin().await?;
        let numbers = self.numbers_of_rows(connection, ids).await?;
        let owners = self.owners(connection, &numbers, Locking::ForUpdate).await?;
        let key = match self.driver.engine() {
            Engine::Sqlite => "rowid",
            Engine::Postgres => "tableoid::text || ctid::text",
            Engine::Mysql => "id",
        };
        let mut reader = self.read_rows(connection, key, ids, Some(ROWS_MAX)).await?;
        let is_full = reader.rows.len() == ROWS_MAX;
        // Rows of other objects were committed after the lines were locked.
        reader.rows.retain(|row| row.object.is_none_or(|number| numbers.contains(&number)));
        let plan = Plan::of(reader.rows, &owners);
        let is_part = is_full && !plan.duplicates.is_empty();
        self.delete_rows(connection, &plan.duplicates).await?;
        self.count_duplicates(connection, &plan, &owners).await?;
        let found = Duplicates { is_part, ..plan.into_duplicates(&owners) };
        if found.rows.is_empty() {
            connection.run("ROLLBACK").await?;
        } else {
            *sent = Some(found.clone());
            connection.run("COMMIT").await?;
        }
        Ok(found)
    }

    /// Returns the numbers of all objects that have rows with these values of `eventID`.
    async fn numbers_of_rows(
        &self,
        connection: &mut dyn Connection,
        ids: &[String],
    ) -> Result<BTreeSet<i64>, sqlx::Error> {
        let (list, values) = padded(ids, |id| Value::Text(Some(id)));
        let query = format!(
            "SELECT DISTINCT objectId FROM logs WHERE eventID IN ({list}) AND objectId IS NOT NULL"
        );
        let query = placeholders(self.driver.engine(), &query);
        let rows = connection.query(&query, &values, &[CellType::Int]).await?;
        Ok(rows.into_iter().flatten().map(Cell::into_int).collect())
    }

    async fn delete_rows(
        &self,
        connection: &mut dyn Connection,
        duplicates: &[Duplicate],
    ) -> Result<(), sqlx::Error> {
        for chunk in duplicates.chunks(LISTED_MAX) {
            let deleted = match self.driver.engine() {
                // A ctid is unique in one partition. The list of them finds the rows without reading
                // others.
                Engine::Postgres => {
                    let array = |keys: Vec<&str>| format!("{{\"{}\"}}", keys.join("\",\""));
                    let ctid = |key: &'_ str| key.find('(').unwrap_or_default();
                    let keys = array(chunk.iter().map(|it| &*it.key).collect());
                    let ctids = array(chunk.iter().map(|it| &it.key[ctid(&it.key)..]).collect());
                    let delete = "DELETE FROM logs WHERE ctid = ANY($1::text::tid[]) \
                         AND tableoid::text || ctid::text = ANY($2::text::text[])";
                    let values = [Value::Text(Some(&ctids)), Value::Text(Some(&keys))];
                    connection.execute(delete, &values).await?
                }
                engine => {
                    let column = if engine == Engine::Sqlite { "rowid" } else { "id" };
                    let key = |it: &Duplicate| Value::Int(it.key.parse().unwrap_or(-1));
                    let (list, keys) = padded(chunk, key);
                    let delete = format!("DELETE FROM logs WHERE {column} IN ({list})");
                    connection.execute(&placeholders(engine, &delete), &keys).await?
                }
            };
            if deleted != chunk.len() as u64 {
                // Another program has changed or deleted rows since: look again.
                let difference = format!("{} rows were read, but {deleted} deleted", chunk.len());
                return Err(sqlx::Error::Protocol(difference));
            }
        }
        Ok(())
    }

    /// Moves removed rows from `row_count` to `duplicate_count`, and notes for which objects rows are
    /// kept.
    async fn count_duplicates(
        &self,
        connection: &mut dyn Connection,
        plan: &Plan,
        owners: &HashMap<i64, Owner>,
    ) -> Result<(), sqlx::Error> {
        let engine = self.driver.engine();
        // One statement for all objects that lose as many rows.
        let mut by_count: BTreeMap<u64, Vec<i64>> = BTreeMap::new();
        for (number, lost) in plan.lost_rows() {
            by_count.entry(lost).or_default().push(number);
        }
        for (lost, numbers) in by_count {
            for numbers in numbers.chunks(LISTED_MAX) {
                let (list, mut values) = padded(numbers, |number| Value::Int(*number));
                values.splice(0..0, [Value::count(lost), Value::count(lost)]);
                let update = format!(
                    "UPDATE import_objects SET row_count = row_count - ?, \
                     duplicate_count = COALESCE(duplicate_count, 0) + ? WHERE number IN ({list})"
                );
                connection.execute(&placeholders(engine, &update), &values).await?;
            }
        }
        let update =
            placeholders(engine, "UPDATE import_objects SET kept_for = ? WHERE number = ?");
        for (number, kept_for) in plan.kept_for(owners) {
            let kept_for: Vec<String> = kept_for.iter().map(ToString::to_string).collect();
            let kept_for = kept_for.join(",");
            let values = [Value::Text(Some(&kept_for)), Value::Int(number)];
            connection.execute(&update, &values).await?;
        }
        Ok(())
    }

    /// Locks the lines of objects that are to be removed or replaced, and returns the objects whose
    /// duplicates they keep.
    pub(in crate::database::sql) async fn lock_kept_for(
        &self,
        connection: &mut dyn Connection,
        list: &str,
        ids: &[Value<'_>],
    ) -> Result<BTreeSet<i64>, sqlx::Error> {
        let lock = self.lock_sql(Locking::ForUpdate);
        let query =
            format!("SELECT kept_for FROM import_objects WHERE id IN ({list}) ORDER BY id{lock}");
        let query = placeholders(self.driver.engine(), &query);
        let rows = connection.query(&query, ids, &[CellType::Text]).await?;
        Ok(rows.into_iter().flatten().flat_map(numbers_of).collect())
    }

    /// Makes the next import load objects again that lost rows as duplicates of rows which are gone now.
    /// Returns how many they are. Their other rows stay until then.
    pub(in crate::database::sql) async fn load_again(
        &self,
        connection: &mut dyn Connection,
        numbers: &BTreeSet<i64>,
    ) -> Result<u64, sqlx::Error> {
        let numbers: Vec<i64> = numbers.iter().copied().collect();
        let mut lines = 0;
        for numbers in numbers.chunks(LISTED_MAX) {
            let (list, mut values) = padded(numbers, |number| Value::Int(*number));
            values.splice(0..0, [Value::Text(Some(READ_AGAIN)), Value::Text(Some(REASON))]);
            let update = format!(
                "UPDATE import_objects SET outcome = 'changed', batch_id = 0, digest = ?, reason = ? \
                 WHERE number IN ({list}) AND duplicate_count > 0 AND outcome IN ('loaded', 'changed')"
            );
            let update = placeholders(self.driver.engine(), &update);
            lines += connection.execute(&update, &values).await?;
        }
        Ok(lines)
    }

    /// Does the same for the objects whose duplicates an object keeps that is about to be replaced.
    pub(in crate::database::sql) async fn load_again_without(
        &self,
        connection: &mut dyn Connection,
        id: &ObjectId,
    ) -> Result<(), sqlx::Error> {
        let kept_for = self.lock_kept_for(connection, "?id", &[Value::Id(id)]).await?;
        self.load_again(connection, &kept_for).await.map(drop)
    }
}
