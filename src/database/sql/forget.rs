//! Takes back what objects brought in: rows, rejects and the ledger's lines, in one transaction.

use std::collections::BTreeSet;

use super::connection::{Cell, CellType, Connection, Value};
use super::schema::{OBJECTS, placeholders};
use super::write::id_list;
use super::{SqlStore, without_data};
use crate::database::DatabaseError;
use crate::database::forget::{KnownObject, UriScope};
use crate::database::url::Engine;
use crate::trail::object::ObjectId;

impl SqlStore {
    /// Returns objects of the ledger that are in the scope, in the order of their ids, from the first
    /// one after `after`.
    pub(super) async fn select_known_objects(
        &self,
        scope: &UriScope,
        after: Option<ObjectId>,
        objects_max: usize,
    ) -> Result<Vec<KnownObject>, DatabaseError> {
        let query = format!(
            "SELECT id, uri, row_count, reject_count, COALESCE(number, -1) FROM import_objects \
             WHERE (uri = ? OR SUBSTR(uri, 1, ?int) = ?) AND id > ?id ORDER BY id LIMIT {objects_max}"
        );
        // PostgreSQL has no SUBSTR with a bigint.
        let query = match self.driver.engine() {
            Engine::Postgres => query.replace("?int", "?::int"),
            Engine::Sqlite | Engine::Mysql => query.replace("?int", "?"),
        };
        let query = placeholders(self.driver.engine(), &query);
        let below = scope.below();
        let after = after.unwrap_or(ObjectId([0; 32]));
        let values = [
            Value::Text(Some(scope.object())),
            Value::count(below.chars().count() as u64),
            Value::Text(Some(below)),
            Value::Id(&after),
        ];
        let types = [CellType::Bytes, CellType::Text, CellType::Int, CellType::Int, CellType::Int];
        let rows = self.query("read the ledger", &query, &values, &types).await?;
        let read = |row: Vec<Cell>| {
            let [id, uri, rows, rejects, number] =
                <[_; 5]>::try_from(row).expect("the query selects five columns");
            let count = |cell: Cell| u64::try_from(cell.into_int()).unwrap_or(0);
            Some(KnownObject {
                id: ObjectId(id.into_bytes().try_into().ok()?),
                uri: uri.into_text(),
                rows: count(rows),
                rejects: count(rejects),
                number: Some(number.into_int()).filter(|number| *number >= 0),
            })
        };
        Ok(rows.into_iter().filter_map(read).collect())
    }

    /// Removes the rows, rejects and ledger lines of these objects in one transaction. Returns how many
    /// other objects are to be loaded again, because these kept their duplicates.
    pub(super) async fn delete_objects(
        &self,
        objects: &[KnownObject],
    ) -> Result<u64, DatabaseError> {
        if objects.is_empty() {
            return Ok(0);
        }
        let doing = "remove objects";
        let lacking = self.lacking_columns(OBJECTS.name).await?;
        let may_keep = !lacking.contains(&"kept_for");
        let mut pooled = self.connection(doing).await?;
        let session = pooled.connection.session();
        let checking = self.driver.find_split_commits(&mut *pooled.connection);
        let found = self.in_time(doing, session, self.statement_limit(), checking).await;
        match found {
            Ok(None) => {}
            found => {
                return self.put_back(pooled, found)?.map_or(Ok(0), |it| Err(self.refusal(&it)));
            }
        }
        let session = pooled.connection.session();
        let deleting = self.delete_on(&mut *pooled.connection, objects, may_keep);
        let outcome = self.watched(doing, session, deleting).await;
        self.put_back(pooled, outcome).map_err(|error| without_data(error, doing))
    }

    async fn delete_on(
        &self,
        connection: &mut dyn Connection,
        objects: &[KnownObject],
        may_keep: bool,
    ) -> Result<u64, sqlx::Error> {
        let engine = self.driver.engine();
        connection.begin().await?;
        let ids: Vec<ObjectId> = objects.iter().map(|object| object.id).collect();
        let (list, ids) = id_list(&ids);
        let kept_for = if may_keep {
            self.lock_kept_for(connection, &list, &ids).await?
        } else {
            BTreeSet::new()
        };
        let numbers: Vec<Value<'_>> =
            objects.iter().filter_map(|object| object.number).map(Value::Int).collect();
        if !numbers.is_empty() {
            let numbers_list = vec!["?"; numbers.len()].join(",");
            let delete = format!("DELETE FROM logs WHERE objectId IN ({numbers_list})");
            connection.execute(&placeholders(engine, &delete), &numbers).await?;
        }
        for delete in [
            format!("DELETE FROM import_rejects WHERE object_id IN ({list})"),
            format!("DELETE FROM import_objects WHERE id IN ({list})"),
        ] {
            connection.execute(&placeholders(engine, &delete), &ids).await?;
        }
        let loaded_again = self.load_again(connection, &kept_for).await?;
        connection.run("COMMIT").await?;
        Ok(loaded_again)
    }
}
