//! Whether an existing `logs` table of MySQL or MariaDB can hold every record, and whether this server may
//! change tables.

use std::fmt::Write as _;

use super::TEXT;
use crate::database::DatabaseError;
use crate::database::sql::connection::{Cell, CellType, Connection, Value, quoted};
use crate::database::sql::schema::{ColumnInfo, SchemaMismatch, needs_prefix_index};
use crate::trail::fields::{FIELDS, MysqlType};

/// Returns the table's engine, and `no rest` if it has partitions by range, but none for the largest values.
const PLACE: &str = "SELECT CAST(t.engine AS CHAR), CASE WHEN (SELECT COUNT(*) \
     FROM information_schema.partitions p WHERE p.table_schema = DATABASE() AND p.table_name = 'logs' \
     AND p.partition_method LIKE 'RANGE%') > 0 AND (SELECT COUNT(*) \
     FROM information_schema.partitions p WHERE p.table_schema = DATABASE() AND p.table_name = 'logs' \
     AND p.partition_description LIKE '%MAXVALUE%') = 0 THEN 'no rest' END \
     FROM information_schema.tables t WHERE t.table_schema = DATABASE() AND t.table_name = 'logs'";

/// Returns a line if the server belongs to a Galera cluster that refuses every transaction on a table without
/// a primary key, as if it had lost against another one.
const REFUSES_KEYLESS: &str = "SHOW GLOBAL VARIABLES WHERE Variable_name = 'wsrep_certify_nonPK' \
     AND Value = 'OFF'";

const COUNT_KEY: &str = "SELECT COUNT(*) FROM information_schema.statistics WHERE table_schema = DATABASE() \
     AND table_name = 'logs' AND index_name = 'PRIMARY'";

/// Returns a line if the server belongs to a group in which several nodes accept writes.
const SEVERAL_PRIMARIES: &str = "SHOW GLOBAL VARIABLES \
     WHERE Variable_name = 'group_replication_single_primary_mode' AND Value = 'OFF'";

/// Returns why the `logs` table with these columns cannot hold every record; `None` if it can.
pub(super) async fn find_mismatch(
    connection: &mut dyn Connection,
    columns: &[ColumnInfo],
) -> Result<Option<SchemaMismatch>, sqlx::Error> {
    let place = connection.query(PLACE, &[], &[CellType::Text; 2]).await?;
    let mut place = place.into_iter().flatten().map(Cell::into_optional_text);
    let (engine, rest) = (place.next().flatten(), place.next().flatten());
    let difference = match (narrow_columns(columns), engine.as_deref()) {
        (_, Some("SPIDER")) => {
            let difference = "rows of the `logs` table are on other servers (its engine is SPIDER), which \
                 do not commit them together";
            let advice = "import into a table of this server";
            return Ok(Some(SchemaMismatch::with_advice(difference.to_owned(), advice)));
        }
        // Rows would remain after a batch is rolled back.
        (_, Some(engine)) if engine != "InnoDB" => {
            format!("the `logs` table has the engine {engine}, which has no transactions")
        }
        (Some(narrow), _) => narrow,
        (None, _) if rest.is_some() => {
            let difference =
                "the partitioned table `logs` refuses rows of days for which no partition was made";
            let statement =
                "ALTER TABLE logs ADD PARTITION (PARTITION rest VALUES LESS THAN (MAXVALUE))";
            let statements = vec![statement.to_owned()];
            return Ok(Some(SchemaMismatch::repaired_by(difference.to_owned(), statements)));
        }
        (None, _) => return find_missing_key(connection).await,
    };
    Ok(Some(SchemaMismatch::repaired_by(difference, vec![upgrade_sql(connection).await?])))
}

/// Returns the mismatch of a table without a primary key, where the cluster does not accept one.
async fn find_missing_key(
    connection: &mut dyn Connection,
) -> Result<Option<SchemaMismatch>, sqlx::Error> {
    let keys = connection.query(COUNT_KEY, &[], &[CellType::Int]).await?;
    let has_key = keys.into_iter().flatten().any(|cell| cell.into_int() > 0);
    let refusing = connection.query(REFUSES_KEYLESS, &[], &[CellType::Text; 2]).await?;
    Ok((!has_key && !refusing.is_empty()).then(|| {
        let difference = "the `logs` table has no primary key, which this Galera cluster requires \
             (`wsrep_certify_nonPK=OFF`)";
        let statement = "ALTER TABLE logs ADD COLUMN id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY \
             INVISIBLE";
        SchemaMismatch::repaired_by(difference.to_owned(), vec![statement.to_owned()])
    }))
}

/// Returns why tables and indexes must not be changed through this server; `None` if they may.
pub(super) async fn find_ddl_refusal(
    connection: &mut dyn Connection,
) -> Result<Option<DatabaseError>, sqlx::Error> {
    let rows = connection.query(SEVERAL_PRIMARIES, &[], &[CellType::Text; 2]).await?;
    Ok((!rows.is_empty()).then(|| {
        let message = "the server belongs to a group with several primaries, whose nodes leave the group if \
             two of them create the same table or index";
        let hint = "run SELECT group_replication_switch_to_single_primary_mode(), then the same command \
             again with the primary in the database URL; or let an administrator create the tables \
             (`cloudtrail2sql schema`), and load with `--no-index`";
        DatabaseError::unusable(message.to_owned(), hint.to_owned())
    }))
}

/// Returns how the columns of `logs` are too narrow, if some are.
fn narrow_columns(columns: &[ColumnInfo]) -> Option<String> {
    let is_narrow = |column: &&ColumnInfo| {
        our_type(&column.name)
            .is_some_and(|ours| column.charset != "utf8mb4" || !holds(&column.column_type, ours))
    };
    let narrow: Vec<&ColumnInfo> = columns.iter().filter(is_narrow).collect();
    let ColumnInfo { name, column_type, charset, .. } = narrow.first()?;
    Some(format!(
        "{} columns of the `logs` table cannot hold every value; for example, `{name}` is {column_type} \
         with the character set {charset}",
        narrow.len()
    ))
}

/// Returns the type of a field's column in our tables; `None` for columns without a field.
fn our_type(column: &str) -> Option<MysqlType> {
    let field = FIELDS.iter().find(|field| field.name.eq_ignore_ascii_case(column))?;
    Some(field.types.mysql)
}

/// Returns whether a column type holds every value that ours holds.
fn holds(found: &str, ours: MysqlType) -> bool {
    // In bytes (MySQL manual, "String Type Storage Requirements"); a character of a varchar takes
    // up to four.
    let bytes = |column_type: &str| -> u64 {
        match column_type {
            "longtext" => u32::MAX.into(),
            "mediumtext" => (1 << 24) - 1,
            "text" => (1 << 16) - 1,
            "tinytext" => 255,
            other => {
                let chars = other.strip_prefix("varchar(").and_then(|rest| rest.strip_suffix(')'));
                4 * chars.and_then(|chars| chars.parse::<u64>().ok()).unwrap_or(0)
            }
        }
    };
    bytes(&found.to_ascii_lowercase()) >= bytes(&ours.to_string())
}

/// Returns the statement that turns a narrow `logs` table into ours. It drops the full indexes on
/// the two widest columns, which would exceed InnoDB's key limit; the post-load step then builds
/// prefix indexes.
async fn upgrade_sql(connection: &mut dyn Connection) -> Result<String, sqlx::Error> {
    let mut upgrade =
        format!("ALTER TABLE logs ENGINE = InnoDB, ROW_FORMAT = DYNAMIC, DEFAULT {TEXT}");
    for field in FIELDS.iter().filter(|field| needs_prefix_index(field.name)) {
        let query = "SELECT DISTINCT CAST(index_name AS CHAR) \
             FROM information_schema.statistics WHERE table_schema = DATABASE() \
             AND table_name = 'logs' AND column_name = ? AND sub_part IS NULL";
        let column = [Value::Text(Some(field.name))];
        let rows = connection.query(query, &column, &[CellType::Text]).await?;
        for name in rows.into_iter().flatten().map(Cell::into_text) {
            write!(upgrade, ", DROP INDEX {}", quoted(&name, '`'))
                .expect("writing to a String cannot fail");
        }
    }
    for field in FIELDS {
        write!(upgrade, ", MODIFY {} {} {TEXT}", field.name, field.types.mysql)
            .expect("writing to a String cannot fail");
    }
    Ok(upgrade)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_holds_ours_only_if_it_truncates_nothing() {
        let (narrow, wide) = (MysqlType::Varchar(768), MysqlType::Varchar(1024));
        for (found, ours, expected) in [
            ("varchar(80)", narrow, false),
            ("varchar(768)", narrow, true),
            ("text", wide, true),
            ("text", MysqlType::LongText, false),
            ("LONGTEXT", MysqlType::LongText, true),
            ("varchar(16000)", MysqlType::MediumText, false),
            ("int", narrow, false),
        ] {
            assert_eq!(holds(found, ours), expected, "{found} for {ours}");
        }
    }
}
