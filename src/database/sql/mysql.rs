//! What only MySQL and MariaDB need.

use std::fmt::{self, Write as _};
use std::time::Duration;

use async_trait::async_trait;
use sqlx::migrate::Migrator;
use sqlx::mysql::{MySqlArguments, MySqlConnectOptions, MySqlConnection, MySqlDatabaseError};
use sqlx::{ConnectOptions, Connection as _};

use super::connection::{Cell, CellType, Connection, Value, connection_over_sqlx, quoted};
use super::driver::{Driver, Meaning, Misfit, timed_out};
use super::schema::{Dialect, mysql_key, needs_prefix_index, other_columns};
use crate::database::Index;
use crate::trail::fields::{COLUMNS, FIELDS, MysqlType};

/// Most of what one statement may carry; larger ones gain nothing and cost memory twice.
const STATEMENT_BYTES_MAX: usize = 4 << 20;

/// What a packet needs beyond its values: header, null bitmap, and the types of 128 rows.
const PACKET_OVERHEAD_BYTES: usize = 64 << 10;

/// The most connections at once: 64 writers, triage.
const CONNECTIONS_MAX: usize = 72;

/// How long one try to create the tables waits for another import that does the same.
const MIGRATE_LOCK_WAIT: Duration = Duration::from_secs(10);

/// The text that every column of ours is.
const TEXT: &str = "CHARACTER SET utf8mb4 COLLATE utf8mb4_bin";

pub(super) struct MysqlDriver {
    options: MySqlConnectOptions,
}

impl fmt::Debug for MysqlDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // sqlx's options show the password.
        f.debug_struct("MysqlDriver").finish_non_exhaustive()
    }
}

impl MysqlDriver {
    pub(super) fn new(url: &str) -> Result<Self, sqlx::Error> {
        let options: MySqlConnectOptions = url.parse()?;
        let options = options.charset("utf8mb4").disable_statement_logging();
        Ok(Self { options })
    }

    fn database_name(&self) -> &str {
        self.options.get_database().unwrap_or("cloudtrail")
    }

    fn create_database_sql(&self) -> String {
        let name = quoted(self.database_name(), '`');
        format!("CREATE DATABASE IF NOT EXISTS {name} {TEXT}")
    }
}

#[async_trait]
impl Driver for MysqlDriver {
    fn dialect(&self) -> Dialect {
        Dialect::Mysql
    }

    fn connections_max(&self) -> usize {
        CONNECTIONS_MAX
    }

    fn index_width(&self) -> usize {
        1
    }

    async fn connect(&self) -> Result<Box<dyn Connection>, sqlx::Error> {
        let inner = MySqlConnection::connect_with(&self.options).await?;
        let mut connection = MysqlLink { inner, packet_bytes_max: 0 };
        // A server that is not strict would cut what is too long, silently. When it writes a
        // statement out for its logs, it need not go through text character by character if it
        // takes it for bytes (the columns' own character set is kept, and checked), and has less
        // to escape without backslashes. Only MySQL from 8.0.27 on reads the comment: it sorts
        // indexes in 64 MiB, not in 1.
        let settings = "SET SESSION \
             sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,NO_BACKSLASH_ESCAPES', \
             character_set_client = binary /*!80027 , innodb_ddl_buffer_size = 67108864 */";
        connection.run(settings).await?;
        let query = "SELECT CAST(@@max_allowed_packet AS SIGNED)";
        let rows = connection.query(query, &[], &[CellType::Int]).await?;
        let bytes = rows.into_iter().flatten().next().map_or(0, Cell::into_int);
        connection.packet_bytes_max = usize::try_from(bytes).unwrap_or(usize::MAX);
        Ok(Box::new(connection))
    }

    fn meaning(&self, error: &dyn sqlx::error::DatabaseError) -> Meaning {
        let Some(error) = error.try_downcast_ref::<MySqlDatabaseError>() else {
            return Meaning::Refused;
        };
        // MySQL manual, "Server Error Message Reference"; the same numbers in MariaDB.
        match error.number() {
            1049 => Meaning::NoDatabase,
            1062 => Meaning::Conflict,
            // Too many connections, shutdown, lock wait, deadlock, killed, aborted, idle too long.
            1040
            | 1053
            | 1152
            | 1158..=1161
            | 1180
            | 1205
            | 1213
            | 1317
            | 1927
            | 2006
            | 2013
            | 4031 => Meaning::Transient,
            1045 | 1698 | 3118 => Meaning::Fatal(Some("check user name and password".into())),
            1044 | 1142 | 1143 | 1227 => Meaning::Forbidden(self.create_database_hint()),
            1021 | 1114 => {
                Meaning::Fatal(Some("make room on the server's disk, then run it again".into()))
            }
            1290 | 1792 | 1836 => {
                Meaning::Fatal(Some("the server is read-only: name the primary".into()))
            }
            1054 | 1064 | 1071 | 1072 | 1118 | 1146 | 1235 => Meaning::Fatal(None),
            _ => Meaning::Refused,
        }
    }

    async fn create_database(&self) -> Result<(), sqlx::Error> {
        // The options cannot forget a database name, but the server's own always exists.
        let options = self.options.clone().database("information_schema");
        let mut connection = MySqlConnection::connect_with(&options).await?;
        let create = self.create_database_sql();
        sqlx::Executor::execute(&mut connection, &*create).await?;
        // It is done. Over a Unix socket, the server hangs up before TLS has said goodbye.
        let _ = connection.close().await;
        Ok(())
    }

    fn create_database_hint(&self) -> String {
        format!(
            "let an administrator run: {}; GRANT CREATE, ALTER, SELECT, INSERT, UPDATE, DELETE \
             ON {}.* TO the account",
            self.create_database_sql(),
            quoted(self.database_name(), '`')
        )
    }

    fn migrations(&self) -> Migrator {
        sqlx::migrate!("migrations/mysql")
    }

    async fn begin_migrations(&self, connection: &mut dyn Connection) -> Result<(), sqlx::Error> {
        let lock = "SELECT CAST(COALESCE(GET_LOCK( \
             CONCAT('cloudtrail2sql.', LEFT(SHA2(DATABASE(), 256), 32)), ?), 0) AS SIGNED)";
        let wait_s = i64::try_from(MIGRATE_LOCK_WAIT.as_secs()).expect("it is short");
        let rows = connection.query(lock, &[Value::Int(wait_s)], &[CellType::Int]).await?;
        let is_locked = rows.into_iter().flatten().any(|cell| cell.into_int() == 1);
        if is_locked { Ok(()) } else { Err(timed_out("no turn to create them", MIGRATE_LOCK_WAIT)) }
    }

    async fn misfit(&self, connection: &mut dyn Connection) -> Result<Option<Misfit>, sqlx::Error> {
        let query = "SELECT CAST(column_name AS CHAR), CAST(column_type AS CHAR), \
             CAST(COALESCE(character_set_name, 'no') AS CHAR) \
             FROM information_schema.columns \
             WHERE table_schema = DATABASE() AND table_name = 'logs' ORDER BY ordinal_position";
        let rows = connection.query(query, &[], &[CellType::Text; 3]).await?;
        let mut found = Vec::new();
        for row in rows {
            let [name, column_type, charset] = <[_; 3]>::try_from(row).expect("three columns");
            found.push((name.into_text(), column_type.into_text(), charset.into_text()));
        }
        let names: Vec<&str> = found.iter().map(|(name, ..)| &**name).collect();
        if let Some(what) = other_columns(&names, &COLUMNS) {
            return Ok(Some(Misfit { what, statements: Vec::new() }));
        }
        let narrow: Vec<&(String, String, String)> = found
            .iter()
            .filter(|(name, column_type, charset)| {
                charset != "utf8mb4" || !holds(column_type, our_type(name))
            })
            .collect();
        let query = "SELECT CAST(engine AS CHAR) FROM information_schema.tables \
             WHERE table_schema = DATABASE() AND table_name = 'logs'";
        let rows = connection.query(query, &[], &[CellType::Text]).await?;
        let engine = rows.into_iter().flatten().next().map(Cell::into_text);
        let what = match (narrow.first(), engine) {
            // Its rows would stay when a batch is rolled back.
            (_, Some(engine)) if engine != "InnoDB" => {
                format!("the `logs` table's engine, {engine}, has no transactions")
            }
            (Some((name, column_type, charset)), _) => format!(
                "{} of the `logs` table's columns cannot hold everything; `{name}`, for one, is \
                 {column_type} with {charset} characters",
                narrow.len()
            ),
            (None, _) => return Ok(None),
        };
        let statements = vec![upgrade_sql(connection).await?];
        Ok(Some(Misfit { what, statements }))
    }

    fn indexed_columns_sql(&self) -> &'static str {
        "SELECT CAST(column_name AS CHAR) FROM information_schema.statistics \
         WHERE table_schema = DATABASE() AND table_name = 'logs' AND seq_in_index = 1 \
         AND index_type = 'BTREE'"
    }

    /// All in one statement: five statements read the table five times and take three times as
    /// long.
    fn index_statements(&self, missing: &[Index]) -> Vec<(Vec<Index>, String)> {
        let adds: Vec<String> = missing
            .iter()
            .map(|index| format!("ADD INDEX {} ({})", index.name, mysql_key(index)))
            .collect();
        vec![(missing.to_vec(), format!("ALTER TABLE logs {}", adds.join(", ")))]
    }

    fn has_ledger_sql(&self) -> &'static str {
        "SELECT COUNT(*) FROM information_schema.tables \
         WHERE table_schema = DATABASE() AND table_name = 'import_objects'"
    }
}

/// Returns the type that our migration gives the column.
fn our_type(column: &str) -> MysqlType {
    let field = FIELDS.iter().find(|field| field.name.eq_ignore_ascii_case(column));
    field.expect("the columns were checked").types.mysql
}

/// Returns whether a column type holds all that ours does.
fn holds(found: &str, ours: MysqlType) -> bool {
    // MySQL manual, "String Type Storage Requirements", in bytes; a varchar's characters take
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

/// Returns the one statement that turns a narrow `logs` table into ours. Full indexes on the two
/// widest columns would exceed InnoDB's key limit; the post-load step builds prefix indexes.
async fn upgrade_sql(connection: &mut dyn Connection) -> Result<String, sqlx::Error> {
    let mut upgrade =
        format!("ALTER TABLE logs ENGINE = InnoDB, ROW_FORMAT = DYNAMIC, DEFAULT {TEXT}");
    for field in FIELDS.iter().filter(|it| it.index.is_some() && needs_prefix_index(it)) {
        let query = "SELECT DISTINCT CAST(index_name AS CHAR) \
             FROM information_schema.statistics WHERE table_schema = DATABASE() \
             AND table_name = 'logs' AND column_name = ? AND sub_part IS NULL";
        let column = [Value::Text(Some(field.name))];
        let rows = connection.query(query, &column, &[CellType::Text]).await?;
        for name in rows.into_iter().flatten().map(Cell::into_text) {
            write!(upgrade, ", DROP INDEX {}", quoted(&name, '`')).expect("a String takes it");
        }
    }
    for field in FIELDS {
        write!(upgrade, ", MODIFY {} {} {TEXT}", field.name, field.types.mysql)
            .expect("a String takes it");
    }
    Ok(upgrade)
}

struct MysqlLink {
    inner: MySqlConnection,
    packet_bytes_max: usize,
}

connection_over_sqlx! { MysqlLink, MySqlArguments,
    fn statement_bytes_max(&self) -> usize {
        STATEMENT_BYTES_MAX.min(self.row_bytes_max())
    }

    /// The server refuses a longer packet, and closes the connection.
    fn row_bytes_max(&self) -> usize {
        self.packet_bytes_max.saturating_sub(PACKET_OVERHEAD_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_holds_ours_only_if_nothing_is_cut() {
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
