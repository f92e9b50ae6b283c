//! The driver for MySQL and MariaDB.

use std::fmt::{self, Write as _};
use std::time::Duration;

use async_trait::async_trait;
use sqlx::error::DatabaseError;
use sqlx::mysql::{
    MySqlArguments, MySqlConnectOptions, MySqlConnection, MySqlDatabaseError, MySqlRow,
    MySqlSslMode,
};
use sqlx::{Column, ConnectOptions, Connection as _, Row, TypeInfo};

use super::connection::{
    Cell, CellType, Connection, IdFormat, Session, Value, connection_over_sqlx, quoted,
};
use super::driver::Driver;
use super::error::{SqlErrorClass, timed_out};
use super::relay::{Protocol, Relay};
use super::schema::{ColumnInfo, SchemaMismatch, alter_table_statements, needs_prefix_index};
use super::tls::{self, TlsMode, TlsSettings, is_local};
use crate::database::answer::AnswerCell;
use crate::database::indexes::Index;
use crate::database::url::Engine;
use crate::trail::fields::{FIELDS, MysqlType};

/// How many bytes a statement may have. Larger ones are not faster, and need twice their size in
/// memory.
const STATEMENT_BYTES_MAX: usize = 4 << 20;

/// The size of a packet without its values: header, null bitmap, and the types of 128 rows.
const PACKET_OVERHEAD_BYTES: usize = 64 << 10;

/// How many connections may be open at once: 64 writers, triage.
const CONNECTIONS_MAX: usize = 72;

/// What the user can do where each table must have a primary key. Our own tables have one, but for a
/// `logs` table of version 0.1.0 or of the user's.
const PRIMARY_KEY_HINT: &str = "the server requires a primary key of every table: run `ALTER TABLE logs \
     ADD COLUMN id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY INVISIBLE`, which rebuilds the \
     table, or import into a new database";

/// The character set and collation of all text columns.
const TEXT: &str = "CHARACTER SET utf8mb4 COLLATE utf8mb4_bin";

pub(super) const TLS: tls::Names = tls::Names {
    mode: ["ssl-mode", "sslmode"],
    ca: "ssl-ca",
    variables: None,
    modes: ["DISABLED", "PREFERRED", "REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY"],
};

pub(super) struct MysqlDriver {
    options: MySqlConnectOptions,
    tls_warning: Option<String>,
    may_expose: bool,
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
        let host =
            options.get_socket().map_or(options.get_host().into(), |it| it.to_string_lossy());
        let is_local = is_local(&host);
        let mode = TlsSettings::read(url, &TLS, |_| None)?.mode(&TLS, is_local)?;
        let may_expose = mode.may_expose(is_local);
        let tls_warning = mode.warning(&host, is_local, &TLS);
        let options = options.ssl_mode(match mode {
            TlsMode::Disable => MySqlSslMode::Disabled,
            TlsMode::Prefer => MySqlSslMode::Preferred,
            TlsMode::Require => MySqlSslMode::Required,
            TlsMode::VerifyCa => MySqlSslMode::VerifyCa,
            TlsMode::VerifyFull => MySqlSslMode::VerifyIdentity,
        });
        Ok(Self { options, tls_warning, may_expose })
    }

    /// Opens a connection. No password is sent in clear text to another machine.
    async fn open(&self, options: &MySqlConnectOptions) -> Result<MySqlConnection, sqlx::Error> {
        if !self.may_expose {
            return MySqlConnection::connect_with(options).await;
        }
        if matches!(options.get_ssl_mode(), MySqlSslMode::Preferred) {
            let with_tls = options.clone().ssl_mode(MySqlSslMode::Required);
            match MySqlConnection::connect_with(&with_tls).await {
                Err(sqlx::Error::Tls(_)) => {}
                connected => return connected,
            }
        }
        let (host, port) = (options.get_host(), options.get_port());
        let relay = Relay::to(host, port, Protocol::Mysql).await?;
        let options = options.clone().ssl_mode(MySqlSslMode::Disabled);
        let options = options.host(&relay.address.ip().to_string()).port(relay.address.port());
        relay.explain(MySqlConnection::connect_with(&options).await)
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
    fn engine(&self) -> Engine {
        Engine::Mysql
    }

    fn connections_max(&self) -> usize {
        CONNECTIONS_MAX
    }

    fn index_width(&self) -> usize {
        1
    }

    fn tls_warning(&self) -> Option<&str> {
        self.tls_warning.as_deref()
    }

    async fn connect(&self) -> Result<Box<dyn Connection>, sqlx::Error> {
        let inner = self.open(&self.options).await.map_err(name_plugin)?;
        let mut connection = MysqlLink { inner, packet_bytes_max: 0, id: 0 };
        // Without the strict mode, a server truncates too long values silently. The other settings
        // make the server's own log of statements cheaper: it copies a binary statement instead of
        // converting its text character by character (the columns keep and check their character
        // set), and it escapes less without backslashes. Only MySQL from 8.0.27 on reads the
        // comment: it then sorts indexes in 64 MiB instead of 1 MiB. A server ends a session whose
        // program has gone without a word after `wait_timeout`, which is 8 hours otherwise. The
        // server's own limits for statements and transactions would end index builds again and again.
        let settings = "SET SESSION \
             sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,NO_BACKSLASH_ESCAPES', \
             autocommit = 1, wait_timeout = 900, character_set_client = binary \
             /*!80027 , innodb_ddl_buffer_size = 67108864 */ /*!50708 , max_execution_time = 0 */ \
             /*M!100300 , max_statement_time = 0, idle_transaction_timeout = 0, \
             idle_write_transaction_timeout = 0 */";
        connection.run(settings).await?;
        // The ledger's key decides between two imports, so locks of gaps between keys would only
        // cause deadlocks.
        connection.run("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED").await?;
        let query = "SELECT CAST(@@max_allowed_packet AS SIGNED), CAST(CONNECTION_ID() AS SIGNED)";
        let rows = connection.query(query, &[], &[CellType::Int; 2]).await?;
        let mut values = rows.into_iter().flatten().map(Cell::into_int);
        let (bytes, id) = (values.next().unwrap_or(0), values.next().unwrap_or(0));
        connection.packet_bytes_max = usize::try_from(bytes).unwrap_or(usize::MAX);
        connection.id = id;
        Ok(Box::new(connection))
    }

    fn classify(&self, error: &dyn DatabaseError) -> SqlErrorClass {
        number_of(error).map_or(SqlErrorClass::Unknown, class_of)
    }

    fn code_text(&self, error: &dyn DatabaseError) -> String {
        format!("error {}", number_of(error).unwrap_or_default())
    }

    fn privileges_hint(&self) -> String {
        self.create_database_hint()
    }

    async fn create_database(&self) -> Result<(), sqlx::Error> {
        // sqlx's options cannot drop the database's name, but this database always exists.
        let options = self.options.clone().database("information_schema");
        let mut connection = self.open(&options).await.map_err(name_plugin)?;
        let create = self.create_database_sql();
        sqlx::Executor::execute(&mut connection, &*create).await?;
        // The database exists now; a failed close is harmless. Over a Unix socket, the server
        // closes the connection before TLS does.
        let _ = connection.close().await;
        Ok(())
    }

    fn create_database_hint(&self) -> String {
        format!(
            "let an administrator run: {}; GRANT CREATE, CREATE VIEW, ALTER, SELECT, INSERT, UPDATE, DELETE \
             ON {}.* TO the account",
            self.create_database_sql(),
            quoted(self.database_name(), '`')
        )
    }

    async fn begin_migrations(
        &self,
        connection: &mut dyn Connection,
        wait: Duration,
    ) -> Result<(), sqlx::Error> {
        let lock = "SELECT CAST(COALESCE(GET_LOCK( \
             CONCAT('cloudtrail2sql.', LEFT(SHA2(DATABASE(), 256), 32)), ?), 0) AS SIGNED)";
        let wait_s = i64::try_from(wait.as_secs()).unwrap_or(i64::MAX);
        let rows = connection.query(lock, &[Value::Int(wait_s)], &[CellType::Int]).await?;
        let is_locked = rows.into_iter().flatten().any(|cell| cell.into_int() == 1);
        if is_locked {
            Ok(())
        } else {
            Err(timed_out("another import did not finish its migrations", wait))
        }
    }

    fn columns_sql(&self) -> &'static str {
        "SELECT CAST(column_name AS CHAR), CAST(column_type AS CHAR), \
         CAST(COALESCE(character_set_name, 'no') AS CHAR), \
         CAST(is_nullable = 'YES' OR column_default IS NOT NULL OR extra LIKE '%auto_increment%' \
         OR extra LIKE '%GENERATED%' AS SIGNED) \
         FROM information_schema.columns \
         WHERE table_schema = DATABASE() AND table_name = ? ORDER BY ordinal_position"
    }

    async fn find_mismatch(
        &self,
        connection: &mut dyn Connection,
        columns: &[ColumnInfo],
    ) -> Result<Option<SchemaMismatch>, sqlx::Error> {
        let is_narrow = |column: &&ColumnInfo| {
            our_type(&column.name).is_some_and(|ours| {
                column.charset != "utf8mb4" || !holds(&column.column_type, ours)
            })
        };
        let narrow: Vec<&ColumnInfo> = columns.iter().filter(is_narrow).collect();
        let query = "SELECT CAST(engine AS CHAR) FROM information_schema.tables \
             WHERE table_schema = DATABASE() AND table_name = 'logs'";
        let rows = connection.query(query, &[], &[CellType::Text]).await?;
        let engine = rows.into_iter().flatten().next().map(Cell::into_text);
        let difference = match (narrow.first(), engine) {
            // Rows would remain after a batch is rolled back.
            (_, Some(engine)) if engine != "InnoDB" => {
                format!("the `logs` table has the engine {engine}, which has no transactions")
            }
            (Some(ColumnInfo { name, column_type, charset, .. }), _) => format!(
                "{} columns of the `logs` table cannot hold every value; for example, `{name}` is \
                 {column_type} with the character set {charset}",
                narrow.len()
            ),
            (None, _) => return Ok(None),
        };
        let statements = vec![upgrade_sql(connection).await?];
        Ok(Some(SchemaMismatch { difference, statements }))
    }

    fn indexes_sql(&self) -> &'static str {
        "SELECT CAST(index_name AS CHAR), CAST(column_name AS CHAR) \
         FROM information_schema.statistics \
         WHERE table_schema = DATABASE() AND table_name = ? AND index_type = 'BTREE' \
         AND column_name IS NOT NULL ORDER BY index_name, seq_in_index"
    }

    /// One statement for all indexes of a table: five statements read it five times and take three
    /// times as long.
    fn index_statements(&self, missing: &[Index]) -> Vec<(Vec<Index>, String)> {
        alter_table_statements(missing)
    }

    fn statistics_statements(&self) -> &'static [&'static str] {
        &["ANALYZE NO_WRITE_TO_BINLOG TABLE logs, identities, import_objects"]
    }

    fn has_table_sql(&self) -> &'static str {
        "SELECT COUNT(*) FROM information_schema.tables \
         WHERE table_schema = DATABASE() AND table_name = ?"
    }
}

/// What sqlx calls a way to log in that it does not know, followed by its name and a place in its source.
const UNKNOWN_PLUGIN: &str = "unknown authentication plugin: ";

/// Turns a login that sqlx does not support into an error that no retry can help, with the remedy.
///
/// sqlx has no type for it, only the text of a violated protocol. Should the text change, the error is
/// what it was.
fn name_plugin(error: sqlx::Error) -> sqlx::Error {
    let sqlx::Error::Protocol(text) = &error else { return error };
    let Some((_, rest)) = text.split_once(UNKNOWN_PLUGIN) else { return error };
    let plugin = rest.split_whitespace().next().unwrap_or_default();
    let text = format!(
        "the account logs in with `{plugin}`, which this program does not support; let an \
         administrator give it `caching_sha2_password` (MySQL) or `mysql_native_password` (MariaDB)"
    );
    sqlx::Error::Configuration(text.into())
}

fn number_of(error: &dyn DatabaseError) -> Option<u16> {
    error.try_downcast_ref::<MySqlDatabaseError>().map(MySqlDatabaseError::number)
}

/// Returns the class of an error number (MySQL manual, "Server Error Message Reference"; MariaDB
/// documentation, "MariaDB Error Code Reference").
fn class_of(number: u16) -> SqlErrorClass {
    match number {
        // Unknown database.
        1049 => SqlErrorClass::NoDatabase,
        // Duplicate entry.
        1062 => SqlErrorClass::Conflict,
        // NULL or a value that the column cannot hold: out of range, truncated, not valid, too
        // long.
        1048 | 1264 | 1265 | 1292 | 1300 | 1366 | 1406 | 1690
        // A CHECK constraint (MySQL, MariaDB), SIGNAL in a trigger, a foreign key, no partition
        // for the value.
        | 3819 | 4025 | 1644 | 1452 | 1526
        // JSON that a functional index or a generated column cannot read: not valid, nested too
        // deep, not of the type.
        | 3140 | 3141 | 3156 | 3157 | 3903
        // A packet above max_allowed_packet.
        | 1153 => SqlErrorClass::DataRefused,
        // Lock wait, deadlock, a row that changed under snapshot isolation (MariaDB).
        1205 | 1213 | 1020 => SqlErrorClass::Contention,
        // Too many connections to the server or of the account, shutdown, killed, aborted, idle too
        // long, a time limit, and a statement to be prepared again because another import built an
        // index.
        1040 | 1053 | 1152 | 1158..=1161 | 1180 | 1203 | 1226 | 1317 | 1615 | 1927 | 1969 | 2006 | 2013
        | 4031
        // A node of Galera that is not part of the cluster at the moment; a transaction that Group
        // Replication rolled back, or could not send to the others.
        | 1047 | 3100 | 3101 => SqlErrorClass::Transient,
        // A table without a primary key, refused by MariaDB's `innodb_force_primary_key`, Group
        // Replication, `sql_require_primary_key` and Galera's `wsrep_mode`.
        1173 | 3098 | 3750 | 4165 => SqlErrorClass::Fatal(Some(PRIMARY_KEY_HINT)),
        // The binary log has the format STATEMENT, which READ COMMITTED cannot use.
        1665 => SqlErrorClass::Fatal(Some("set `binlog_format` to ROW or MIXED on the server")),
        // Access denied, account locked.
        1045 | 1698 | 3118 => SqlErrorClass::Fatal(Some("check the user name and the password")),
        // Access denied to a database, a table, a column, or for want of a global privilege.
        1044 | 1142 | 1143 | 1227 => SqlErrorClass::Forbidden,
        // Disk full, table full.
        1021 | 1114 => {
            SqlErrorClass::Fatal(Some("free space on the server's disk, then run it again"))
        }
        // The option --read-only or --super-read-only, a read-only transaction, read-only mode.
        1290 | 1792 | 1836 => SqlErrorClass::Fatal(Some(
            "the server is read-only: name the primary server in the database URL",
        )),
        // Unknown column, syntax, key too long, unknown key column, row too large, unknown table,
        // not supported.
        1054 | 1064 | 1071 | 1072 | 1118 | 1146 | 1235 => SqlErrorClass::Fatal(None),
        _ => SqlErrorClass::Unknown,
    }
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

struct MysqlLink {
    inner: MySqlConnection,
    packet_bytes_max: usize,
    /// The server's number of the connection.
    id: i64,
}

/// Returns a cell of an answer. A prepared statement returns binary values (MySQL documentation,
/// "Binary Protocol Resultset").
fn answer_cell(row: &MySqlRow, column: usize) -> Result<AnswerCell, sqlx::Error> {
    let bytes: Option<&[u8]> = row.try_get_unchecked(column)?;
    let Some(bytes) = bytes else { return Ok(AnswerCell::Null) };
    let text = || String::from_utf8_lossy(bytes).into_owned();
    let name = row.column(column).type_info().name();
    Ok(match name {
        "DATETIME" | "TIMESTAMP" => AnswerCell::Text(datetime_text(bytes)),
        "DECIMAL" => AnswerCell::Number(text()),
        "DOUBLE" => AnswerCell::Number(row.try_get_unchecked::<f64, _>(column)?.to_string()),
        _ if name == "BOOLEAN" || name.contains("INT") => {
            let int: i64 = row.try_get_unchecked(column)?;
            AnswerCell::Number(int.to_string())
        }
        _ => AnswerCell::Text(text()),
    })
}

/// Returns a `datetime`: its length, the year in two bytes, month, day, and, unless it is midnight,
/// hour, minute and second.
fn datetime_text(bytes: &[u8]) -> String {
    let at = |n: usize| bytes.get(n).copied().unwrap_or(0);
    let year = u16::from_le_bytes([at(1), at(2)]);
    format!("{year:04}-{:02}-{:02} {:02}:{:02}:{:02}", at(3), at(4), at(5), at(6), at(7))
}

connection_over_sqlx! { MysqlLink, MySqlArguments, IdFormat::Hex, answer_cell,
    fn statement_bytes_max(&self) -> usize {
        STATEMENT_BYTES_MAX.min(self.row_bytes_max())
    }

    fn session(&self) -> Option<Session> {
        let id = self.id;
        Some(Session {
            end_sql: format!("KILL {id}"),
            is_working_sql: format!(
                "SELECT CAST(COUNT(*) AS SIGNED) FROM information_schema.processlist \
                 WHERE id = {id} AND command <> 'Sleep'"
            ),
        })
    }

    /// The server refuses a larger packet and closes the connection.
    fn row_bytes_max(&self) -> usize {
        self.packet_bytes_max.saturating_sub(PACKET_OVERHEAD_BYTES)
    }
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

    #[test]
    fn a_login_that_is_not_supported_is_named_and_not_retried() {
        let protocol = |text: &str| name_plugin(sqlx::Error::Protocol(text.to_owned()));
        let unknown =
            "unknown authentication plugin: client_ed25519 (sqlx_mysql::protocol::auth:36)";
        let error = protocol(unknown);
        assert!(error.to_string().contains("with `client_ed25519`, which"), "{error}");
        assert!(matches!(error, sqlx::Error::Configuration(_)), "{error:?}");
        assert!(matches!(protocol("unexpected packet"), sqlx::Error::Protocol(_)));
    }

    #[test]
    fn only_the_listed_numbers_are_blamed_on_the_data() {
        use SqlErrorClass::{
            Conflict, Contention, DataRefused, Fatal, Forbidden, NoDatabase, Transient, Unknown,
        };
        let data = [1048, 1153, 1264, 1265, 1292, 1300, 1366, 1406, 1644, 1690, 3819, 4025];
        for number in data.into_iter().chain([1452, 1526, 3140, 3141, 3157, 3903]) {
            assert_eq!(class_of(number), DataRefused, "{number}");
        }
        for (number, expected) in [
            (1049, NoDatabase),
            (1062, Conflict),
            (1040, Transient),
            (1205, Contention),
            (1213, Contention),
            (1317, Transient),
            (1927, Transient),
            (4031, Transient),
            (1044, Forbidden),
            (1142, Forbidden),
            (1054, Fatal(None)),
            (1064, Fatal(None)),
            (1146, Fatal(None)),
            (1020, Contention),
            (1203, Transient),
            (1226, Transient),
            (1615, Transient),
            (1047, Transient),
            (1180, Transient),
            (1969, Transient),
            (3100, Transient),
            (3101, Transient),
            // A full disk, a time limit: neither is the fault of a row.
            (1030, Unknown),
            (3024, Unknown),
            (9999, Unknown),
        ] {
            assert_eq!(class_of(number), expected, "{number}");
        }
        for number in [1021, 1045, 1114, 1290, 1665, 1698, 1792, 1836, 3118] {
            assert!(matches!(class_of(number), Fatal(Some(_))), "{number}");
        }
        for number in [1173, 3098, 3750, 4165] {
            assert_eq!(class_of(number), Fatal(Some(PRIMARY_KEY_HINT)), "{number}");
        }
    }
}
