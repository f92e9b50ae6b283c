//! The driver for MySQL and MariaDB.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::mysql::{MySqlArguments, MySqlConnectOptions, MySqlConnection, MySqlRow, MySqlSslMode};
use sqlx::{Column, ConnectOptions, Connection as _, Row, TypeInfo};

use self::errors::{class_of, name_plugin, number_of};
use super::connection::{
    Cell, CellType, Connection, IdFormat, Session, Value, connection_over_sqlx, quoted,
};
use super::driver::Driver;
use super::error::{SqlErrorClass, timed_out};
use super::relay::{Protocol, Relay};
use super::schema::{ColumnInfo, SchemaMismatch, alter_table_statements};
use super::tls::{self, TlsMode, TlsSettings, is_local};
use crate::database::DatabaseError;
use crate::database::answer::AnswerCell;
use crate::database::indexes::Index;
use crate::database::url::Engine;

mod errors;

mod tables;

/// How many bytes a statement may have. Larger ones are not faster, and need twice their size in
/// memory.
const STATEMENT_BYTES_MAX: usize = 4 << 20;

/// The size of a packet without its values: header, null bitmap, and the types of 128 rows.
const PACKET_OVERHEAD_BYTES: usize = 64 << 10;

/// How many connections may be open at once: 64 writers, triage.
const CONNECTIONS_MAX: usize = 72;

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
        // Only a server that has proved its name gets a password in clear text, such as a token of AWS IAM.
        let is_verified = matches!(mode, TlsMode::VerifyCa | TlsMode::VerifyFull);
        let options = options.enable_cleartext_plugin(is_verified);
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

    fn classify(&self, error: &dyn sqlx::error::DatabaseError) -> SqlErrorClass {
        number_of(error).map_or(SqlErrorClass::Unknown, class_of)
    }

    fn code_text(&self, error: &dyn sqlx::error::DatabaseError) -> String {
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
        tables::find_mismatch(connection, columns).await
    }

    async fn find_ddl_refusal(
        &self,
        connection: &mut dyn Connection,
    ) -> Result<Option<DatabaseError>, sqlx::Error> {
        tables::find_ddl_refusal(connection).await
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
    async fn begin(&mut self) -> Result<(), sqlx::Error> {
        self.run("BEGIN").await
    }

    fn statement_bytes_max(&self) -> usize {
        STATEMENT_BYTES_MAX.min(self.row_bytes_max())
    }

    fn session(&self) -> Option<Session> {
        let id = self.id;
        Some(Session {
            end_sql: format!("KILL {id}"),
            // In these states, another session or a replica is waited for (MySQL manual, "General Thread
            // States"; MariaDB documentation, "General Thread States").
            state_sql: format!(
                "SELECT CAST(command <> 'Sleep' AS SIGNED), CAST(CASE WHEN state LIKE 'Waiting for%lock%' \
                 OR state LIKE '%semi-sync%' THEN state END AS CHAR) \
                 FROM information_schema.processlist WHERE id = {id}"
            ),
        })
    }

    /// The server refuses a larger packet and closes the connection.
    fn row_bytes_max(&self) -> usize {
        self.packet_bytes_max.saturating_sub(PACKET_OVERHEAD_BYTES)
    }
}
