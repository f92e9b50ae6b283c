//! The query of `record`: rows by their `eventID`, turned back into records.

use super::SqlStore;
use super::connection::{Cell, CellType, Value};
use super::schema::placeholders;
use crate::database::DatabaseError;
use crate::database::status::StoredRecord;
use crate::trail::fields::{COLUMN_COUNT, COLUMNS};
use crate::trail::record::rebuild;

/// The most records of one `eventID`. Duplicates are few.
const RECORDS_MAX: usize = 1_000;

impl SqlStore {
    /// Returns the records with this `eventID`, in the order of their objects' URIs.
    pub(super) async fn select_records(
        &self,
        event_id: &str,
    ) -> Result<Vec<StoredRecord>, DatabaseError> {
        let columns = COLUMNS.map(|name| format!("l.{name}")).join(", ");
        let query = format!(
            "SELECT {columns}, l.otherFields, o.uri, o.digest FROM logs l \
             LEFT JOIN import_objects o ON o.number = l.objectId \
             WHERE l.eventID = ? ORDER BY o.uri LIMIT {RECORDS_MAX}"
        );
        let query = placeholders(self.driver.engine(), &query);
        let (event_id, types) = ([Value::Text(Some(event_id))], [CellType::Text; COLUMN_COUNT + 3]);
        let rows = self.query("read the record", &query, &event_id, &types).await?;
        Ok(rows.into_iter().map(read).collect())
    }
}

fn read(row: Vec<Cell>) -> StoredRecord {
    let mut texts = row.into_iter().map(Cell::into_optional_text);
    let cells: [Option<String>; COLUMN_COUNT] =
        std::array::from_fn(|_| texts.next().expect("the query selects every column"));
    let mut next = || texts.next().expect("three columns follow");
    let (other_fields, uri, sha256) = (next(), next(), next());
    let json = rebuild(&cells.each_ref().map(Option::as_deref), other_fields.as_deref());
    StoredRecord { json, has_other_fields: other_fields.is_some(), uri, sha256 }
}
