//! Whether an existing `logs` table of PostgreSQL can hold every record, and where its rows are.

use super::citus;
use crate::database::sql::connection::{Cell, CellType, Connection, quoted};
use crate::database::sql::schema::{ColumnInfo, SchemaMismatch};
use crate::trail::fields::FIELDS;

/// Returns what is wrong with where the rows of `logs` go: `foreign` if other servers have them, `no
/// default` if rows may have no partition, otherwise NULL.
const PLACE: &str = "SELECT CASE WHEN c.relkind = 'f' OR EXISTS (SELECT 1 FROM pg_partition_tree(c.oid) t \
     JOIN pg_class m ON m.oid = t.relid WHERE m.relkind = 'f') THEN 'foreign' \
     WHEN p.partstrat IN ('r', 'l') AND p.partdefid = 0 THEN 'no default' END \
     FROM pg_class c LEFT JOIN pg_partitioned_table p ON p.partrelid = c.oid \
     WHERE c.oid = to_regclass('logs')";

/// Returns why the `logs` table with these columns cannot hold every record; `None` if it can.
pub(super) async fn find_mismatch(
    connection: &mut dyn Connection,
    database_name: &str,
    columns: &[ColumnInfo],
) -> Result<Option<SchemaMismatch>, sqlx::Error> {
    let query = "SELECT current_setting('server_encoding')";
    let rows = connection.query(query, &[], &[CellType::Text]).await?;
    let encoding = rows.into_iter().flatten().next().map(Cell::into_text);
    if let Some(encoding) = encoding.filter(|encoding| encoding != "UTF8") {
        return Ok(Some(SchemaMismatch::with_advice(
            format!(
                "the database `{database_name}` has the encoding {encoding}, which cannot store every \
                 character"
            ),
            "import into a database with the encoding UTF8: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE \
             template0",
        )));
    }
    let place = connection.query(PLACE, &[], &[CellType::Text]).await?;
    let place = place.into_iter().flatten().next().and_then(Cell::into_optional_text);
    if place.as_deref() == Some("foreign") {
        let difference = "rows of the `logs` table are on other servers (it has foreign tables): if one of \
             them fails while a transaction ends, the others keep rows that the ledger does not know";
        let advice = "import into a table of this server";
        return Ok(Some(SchemaMismatch::with_advice(difference.to_owned(), advice)));
    }
    if let Some(mismatch) = narrow_columns(columns) {
        return Ok(Some(mismatch));
    }
    if let Some(mismatch) = citus::find_mismatch(connection).await? {
        return Ok(Some(mismatch));
    }
    Ok(place.map(|_no_default| {
        SchemaMismatch::repaired_by(
            "the `logs` table has no DEFAULT partition, so it refuses rows for which none was made, and \
             those without a time"
                .to_owned(),
            vec!["CREATE TABLE logs_default PARTITION OF logs DEFAULT".to_owned()],
        )
    }))
}

/// Returns the mismatch of columns that are not of a text type.
fn narrow_columns(columns: &[ColumnInfo]) -> Option<SchemaMismatch> {
    let is_field = |name: &str| FIELDS.iter().any(|it| it.name.eq_ignore_ascii_case(name));
    let is_text = |it: &ColumnInfo| matches!(&*it.column_type, "text" | "character varying");
    let narrow: Vec<(&str, &str)> = columns
        .iter()
        .filter(|column| is_field(&column.name) && !is_text(column))
        .map(|column| (&*column.name, &*column.column_type))
        .collect();
    let (first, first_type) = narrow.first()?;
    let difference = format!(
        "{} columns of the `logs` table cannot hold every value; for example, `{first}` is \
         {first_type}",
        narrow.len()
    );
    let changes: Vec<String> = narrow
        .iter()
        .map(|(name, _)| {
            let name = quoted(name, '"');
            format!("ALTER COLUMN {name} TYPE text USING {name}::text")
        })
        .collect();
    let statements = vec![format!("ALTER TABLE logs {}", changes.join(", "))];
    Some(SchemaMismatch::repaired_by(difference, statements))
}
