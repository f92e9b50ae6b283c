//! The driver for PostgreSQL: binary COPY, or INSERT for servers that speak its protocol without
//! COPY.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgConnection, PgRow, PgSslMode};
use sqlx::{Column, ConnectOptions, Connection as _, Row, TypeInfo};

use self::errors::class_of;
use super::connection::{Connection, IdFormat, Session, connection_over_sqlx, quoted};
use super::driver::Driver;
use super::error::{SqlErrorClass, timed_out};
use super::relay::{Protocol, Relay};
use super::schema::{ColumnInfo, LOGS_COLUMNS, SchemaMismatch, create_index_statements};
use super::tls::{self, TlsMode, TlsSettings, is_local};
use super::tls_relay::{is_certificate_refused, relay_with_tls};
use crate::database::answer::AnswerCell;
use crate::database::batch::{Batch, ParsedObject};
use crate::database::indexes::Index;
use crate::database::url::Engine;
use crate::database::{DatabaseError, LoadMethod};
use crate::trail::time::EventTime;

mod citus;

mod errors;

mod tables;

/// Documentation, COPY, "Binary Format": signature, flags, length of the header extension.
const COPY_HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// Documentation, COPY, "Binary Format": a field count of -1 ends the data.
const COPY_TRAILER: &[u8] = &(-1_i16).to_be_bytes();

/// How many bytes are sent in one message. Small objects are combined up to this size.
const COPY_CHUNK_BYTES: usize = 64 << 10;

/// How many connections may be open at once: 64 writers, triage, index builds.
const CONNECTIONS_MAX: usize = 72;

/// The advisory lock of the migrations: any number that no other program uses.
const MIGRATE_LOCK: i64 = 0x636c_6f75_6474_7261;

/// Begins a transaction with settings that end with it, as the next one may have another session: a pooler
/// may share sessions with other programs.
///
/// The server then notices within a minute that this program's machine is gone, and ends the transaction
/// of a program that hangs. Its other time limits do not apply.
const BEGIN: &str = "BEGIN; SELECT set_config('tcp_keepalives_idle', '30', true), \
     set_config('tcp_keepalives_interval', '10', true), set_config('tcp_keepalives_count', '3', true), \
     set_config('tcp_user_timeout', '60000', true), \
     set_config('idle_in_transaction_session_timeout', '900000', true), \
     set_config('statement_timeout', '0', true), set_config('lock_timeout', '0', true)";

/// Returns the number and the start of the session, after `SELECT`.
const SESSION: &str =
    "pid::bigint, backend_start::text FROM pg_stat_get_activity(pg_backend_pid())";

/// The name of our sessions. No other session is ever ended.
const APPLICATION: &str = "cloudtrail2sql";

/// PostgreSQL 17, which brought `transaction_timeout`.
const VERSION_17: u32 = 170_000;

/// Continues [`BEGIN`] for servers that have this limit.
const TRANSACTION_TIMEOUT: &str = ", set_config('transaction_timeout', '0', true)";

/// libpq also has `allow`, which sqlx takes for `disable`; it is refused.
pub(super) const TLS: tls::Names = tls::Names {
    mode: ["sslmode", "ssl-mode"],
    ca: "sslrootcert",
    variables: Some(["PGSSLMODE", "PGSSLROOTCERT"]),
    modes: ["disable", "prefer", "require", "verify-ca", "verify-full"],
};

pub(super) struct PostgresDriver {
    options: PgConnectOptions,
    tls_warning: Option<String>,
    may_expose: bool,
    /// Whether the server's certificate can only be left unread.
    needs_tls_relay: AtomicBool,
    /// Whether the database has the extension Citus, as far as that is known.
    has_citus: AtomicBool,
    load_method: LoadMethod,
}

impl fmt::Debug for PostgresDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // sqlx's options show the password.
        f.debug_struct("PostgresDriver").finish_non_exhaustive()
    }
}

impl PostgresDriver {
    pub(super) fn new(url: &str, load_method: LoadMethod) -> Result<Self, sqlx::Error> {
        let connect: PgConnectOptions = url.parse()?;
        let connect = connect.application_name(APPLICATION).disable_statement_logging();
        // Poolers refuse this parameter, and no answer here has a floating point number.
        let connect = connect.extra_float_digits(None);
        let host =
            connect.get_socket().map_or(connect.get_host().into(), |it| it.to_string_lossy());
        let is_local = is_local(&host);
        let settings = TlsSettings::read(url, &TLS, |name| std::env::var(name).ok())?;
        let mode = settings.mode(&TLS, is_local)?;
        let may_expose = mode.may_expose(is_local);
        let tls_warning = mode.warning(&host, is_local, &TLS);
        let options = connect.ssl_mode(match mode {
            TlsMode::Disable => PgSslMode::Disable,
            TlsMode::Prefer => PgSslMode::Prefer,
            TlsMode::Require => PgSslMode::Require,
            TlsMode::VerifyCa => PgSslMode::VerifyCa,
            TlsMode::VerifyFull => PgSslMode::VerifyFull,
        });
        let (needs_tls_relay, has_citus) = (AtomicBool::new(false), AtomicBool::new(false));
        Ok(Self { options, tls_warning, may_expose, needs_tls_relay, has_citus, load_method })
    }

    /// Opens a connection. No password is sent in clear text to another machine.
    async fn open(&self, options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
        if !self.may_expose {
            return self.open_safely(options).await;
        }
        if matches!(options.get_ssl_mode(), PgSslMode::Prefer) {
            let with_tls = options.clone().ssl_mode(PgSslMode::Require);
            match self.open_safely(&with_tls).await {
                Err(sqlx::Error::Tls(_)) => {}
                connected => return connected,
            }
        }
        let (host, port) = (options.get_host(), options.get_port());
        let relay = Relay::to(host, port, Protocol::Postgres).await?;
        let options = options.clone().ssl_mode(PgSslMode::Disable);
        let options = options.host(&relay.address.ip().to_string()).port(relay.address.port());
        relay.explain(PgConnection::connect_with(&options).await)
    }

    /// Opens a connection that need not be protected further. If its mode verifies no certificate, the
    /// server's may be one that sqlx cannot read.
    async fn open_safely(&self, options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
        let verifies =
            matches!(options.get_ssl_mode(), PgSslMode::VerifyCa | PgSslMode::VerifyFull);
        if !self.needs_tls_relay.load(Ordering::Relaxed) {
            match PgConnection::connect_with(options).await {
                Err(error) if !verifies && is_certificate_refused(&error) => {
                    self.needs_tls_relay.store(true, Ordering::Relaxed);
                }
                connected => return connected,
            }
        }
        let relay = relay_with_tls(options.get_host(), options.get_port()).await?;
        let options = options.clone().ssl_mode(PgSslMode::Disable);
        let options = options.host(&relay.ip().to_string()).port(relay.port());
        PgConnection::connect_with(&options).await
    }

    fn database_name(&self) -> &str {
        self.options.get_database().unwrap_or_else(|| self.options.get_username())
    }

    fn create_database_sql(&self) -> String {
        let name = quoted(self.database_name(), '"');
        format!("CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0")
    }
}

#[async_trait]
impl Driver for PostgresDriver {
    fn engine(&self) -> Engine {
        Engine::Postgres
    }

    fn connections_max(&self) -> usize {
        CONNECTIONS_MAX
    }

    fn index_width(&self) -> usize {
        2
    }

    fn tls_warning(&self) -> Option<&str> {
        self.tls_warning.as_deref()
    }

    async fn connect(&self) -> Result<Box<dyn Connection>, sqlx::Error> {
        let inner = self.open(&self.options).await?;
        let has_transaction_timeout =
            inner.server_version_num().is_some_and(|version| version >= VERSION_17);
        let limit = if has_transaction_timeout { TRANSACTION_TIMEOUT } else { "" };
        let begin = format!("{BEGIN}{limit}, {SESSION}");
        let load_method = self.load_method;
        let mut connection = PostgresLink { inner, load_method, begin, session: None };
        connection.read_session(&format!("SELECT {SESSION}")).await?;
        Ok(Box::new(connection))
    }

    fn classify(&self, error: &dyn sqlx::error::DatabaseError) -> SqlErrorClass {
        class_of(&error.code().unwrap_or_default(), self.has_citus.load(Ordering::Relaxed))
    }

    fn code_text(&self, error: &dyn sqlx::error::DatabaseError) -> String {
        format!("SQLSTATE {}", error.code().unwrap_or_default())
    }

    fn privileges_hint(&self) -> String {
        "grant the account `CREATE` on the schema, or let another account create the tables and \
         grant `SELECT`, `INSERT`, `UPDATE`, `DELETE` on them; only the owner of `logs` can build \
         indexes, other accounts use `--no-index`; the schema is the first one of the search path, which \
         `?options=-c%20search_path%3DSCHEMA` in the URL sets"
            .into()
    }

    async fn create_database(&self) -> Result<(), sqlx::Error> {
        let options = self.options.clone().database("postgres");
        let mut connection = self.open(&options).await?;
        let created = sqlx::Executor::execute(&mut connection, &*self.create_database_sql()).await;
        match created {
            // duplicate_database, or its unique index: another import has created it.
            Err(sqlx::Error::Database(error))
                if matches!(error.code().as_deref(), Some("42P04" | "23505")) => {}
            Err(error) => return Err(error),
            Ok(_) => {}
        }
        // The database exists now; a failed close is harmless.
        let _ = connection.close().await;
        Ok(())
    }

    fn create_database_hint(&self) -> String {
        // Since PostgreSQL 15, only the owner of a database may create tables in it.
        let (create, owner) =
            (self.create_database_sql(), quoted(self.options.get_username(), '"'));
        format!("let an administrator run: {create} OWNER {owner}")
    }

    async fn begin_migrations(
        &self,
        connection: &mut dyn Connection,
        wait: Duration,
    ) -> Result<(), sqlx::Error> {
        connection.begin().await?;
        // 0 would be no limit.
        let wait_s = wait.as_secs().max(1);
        connection.run(&format!("SET LOCAL lock_timeout = '{wait_s}s'")).await?;
        let locked = connection.run(&format!("SELECT pg_advisory_xact_lock({MIGRATE_LOCK})")).await;
        locked.map_err(|error| match &error {
            // lock_not_available.
            sqlx::Error::Database(known) if known.code().as_deref() == Some("55P03") => {
                timed_out("another import did not finish its migrations", wait)
            }
            _ => error,
        })?;
        connection.run("SET LOCAL lock_timeout = 0").await
    }

    fn columns_sql(&self) -> &'static str {
        "SELECT attname::text, format_type(atttypid, atttypmod), '', \
         CASE WHEN attnotnull AND NOT atthasdef AND attidentity = '' THEN 0 ELSE 1 END::bigint \
         FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped \
         ORDER BY attnum"
    }

    async fn find_mismatch(
        &self,
        connection: &mut dyn Connection,
        columns: &[ColumnInfo],
    ) -> Result<Option<SchemaMismatch>, sqlx::Error> {
        let has_citus = citus::has_citus(connection).await?;
        self.has_citus.store(has_citus, Ordering::Relaxed);
        tables::find_mismatch(connection, self.database_name(), columns).await
    }

    async fn find_split_commits(
        &self,
        connection: &mut dyn Connection,
    ) -> Result<Option<SchemaMismatch>, sqlx::Error> {
        citus::find_mismatch(connection).await
    }

    async fn find_ddl_refusal(
        &self,
        connection: &mut dyn Connection,
    ) -> Result<Option<DatabaseError>, sqlx::Error> {
        citus::find_ddl_refusal(connection).await
    }

    fn other_table_hint(&self) -> &'static str {
        "import into another database or another schema (`?options=-c%20search_path%3DSCHEMA` in the URL), \
         or rename that table"
    }

    fn indexes_sql(&self) -> &'static str {
        "SELECT c.relname::text, a.attname::text FROM pg_index i \
         JOIN pg_class c ON c.oid = i.indexrelid \
         CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, n) \
         JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum \
         WHERE i.indrelid = to_regclass($1) AND i.indisvalid AND i.indpred IS NULL \
         ORDER BY 1, k.n"
    }

    fn index_statements(&self, missing: &[Index]) -> Vec<(Vec<Index>, String)> {
        create_index_statements(missing)
    }

    fn build_progress_sql(&self) -> Option<&'static str> {
        Some(
            "SELECT STRING_AGG(REPLACE(phase, 'building index: ', '') || COALESCE(' ' || \
             CASE WHEN tuples_total > 0 THEN 100 * tuples_done / tuples_total \
             WHEN blocks_total > 0 THEN 100 * blocks_done / blocks_total END || ' %', ''), ', ' \
             ORDER BY pid) FROM pg_stat_progress_create_index \
             WHERE relid IN (to_regclass('logs'), to_regclass('identities'))",
        )
    }

    fn statistics_statements(&self) -> &'static [&'static str] {
        &["ANALYZE logs, identities, import_objects"]
    }

    fn vacuum_sql(&self) -> Option<&'static str> {
        // It reads only the pages that were written since the last one, and marks them as visible to
        // all, so that an index alone can answer for them.
        Some("VACUUM logs")
    }

    fn has_table_sql(&self) -> &'static str {
        "SELECT COUNT(to_regclass($1))"
    }
}

struct PostgresLink {
    inner: PgConnection,
    load_method: LoadMethod,
    /// The SQL that begins a transaction.
    begin: String,
    session: Option<Session>,
}

impl PostgresLink {
    /// Runs SQL whose last two columns are those of [`SESSION`].
    async fn read_session(&mut self, sql: &str) -> Result<(), sqlx::Error> {
        let rows = sqlx::Executor::fetch_all(&mut self.inner, sql).await?;
        let Some(row) = rows.first() else { return Ok(()) };
        let (pid, started): (i64, String) =
            (row.try_get(row.len() - 2)?, row.try_get(row.len() - 1)?);
        // Process numbers are used again.
        let own = format!(
            "FROM pg_stat_activity WHERE pid = {pid} AND backend_start = '{started}' \
             AND application_name LIKE '{APPLICATION}%'"
        );
        self.session = Some(Session {
            end_sql: format!("SELECT pg_terminate_backend(pid) {own}"),
            state_sql: format!(
                "SELECT CASE WHEN state = 'active' THEN 1 ELSE 0 END::bigint, \
                 CASE WHEN wait_event = 'SyncRep' THEN 'the server waits for its synchronous standby' \
                 WHEN wait_event_type = 'Lock' THEN 'another session holds a lock' END {own}"
            ),
        });
        Ok(())
    }
}

/// Returns a cell of an answer. sqlx asks for the binary format (PostgreSQL documentation,
/// "Frontend/Backend Protocol"; the types' send functions).
fn answer_cell(row: &PgRow, column: usize) -> Result<AnswerCell, sqlx::Error> {
    let bytes: Option<&[u8]> = row.try_get_unchecked(column)?;
    let Some(bytes) = bytes else { return Ok(AnswerCell::Null) };
    let int = || {
        let is_negative = bytes.first().is_some_and(|first| *first >= 0x80);
        let start = if is_negative { -1_i64 } else { 0 };
        bytes.iter().fold(start, |int, byte| int << 8 | i64::from(*byte))
    };
    let text = || String::from_utf8_lossy(bytes).into_owned();
    Ok(match row.column(column).type_info().name() {
        "INT2" | "INT4" | "INT8" => AnswerCell::Number(int().to_string()),
        "BOOL" => AnswerCell::Number(i64::from(int() != 0).to_string()),
        "NUMERIC" => AnswerCell::Number(numeric_text(bytes)),
        "TIMESTAMP" => match EventTime::from_postgres_micros(int()) {
            Some(time) => AnswerCell::Text(time.to_string()),
            None => AnswerCell::Null,
        },
        _ => AnswerCell::Text(text()),
    })
}

/// Returns a `numeric` in decimal digits. In the binary format, it has four 16-bit integers (number
/// of digits, weight of the first one, sign, digits behind the point), then the digits to the base
/// 10,000.
fn numeric_text(bytes: &[u8]) -> String {
    let mut words = bytes.chunks_exact(2).map(|pair| i16::from_be_bytes([pair[0], pair[1]]));
    let mut next = || words.next().unwrap_or(0);
    let (_count, weight, sign, scale) = (next(), next(), next(), next());
    // 0 is positive, 0x4000 negative; others are not numbers.
    if !matches!(sign, 0 | 0x4000) {
        return "NaN".to_owned();
    }
    let digits: Vec<i16> = words.collect();
    let digit = |at: i16| usize::try_from(at).ok().and_then(|at| digits.get(at)).unwrap_or(&0);
    let mut whole = String::new();
    for at in 0..=weight {
        whole.push_str(&format!("{:04}", digit(at)));
    }
    let whole = whole.trim_start_matches('0');
    let mut text = if sign == 0 { String::new() } else { "-".to_owned() };
    text.push_str(if whole.is_empty() { "0" } else { whole });
    if let Ok(places @ 1..) = usize::try_from(scale) {
        let mut fraction = String::new();
        for at in 1..=scale / 4 + 1 {
            fraction.push_str(&format!("{:04}", digit(weight.saturating_add(at))));
        }
        text.push('.');
        text.push_str(&fraction[..places.min(fraction.len())]);
    }
    text
}

connection_over_sqlx! { PostgresLink, PgArguments, IdFormat::Bytes, answer_cell,
    fn statement_bytes_max(&self) -> usize {
        16 << 20
    }

    async fn begin(&mut self) -> Result<(), sqlx::Error> {
        let begin = self.begin.clone();
        self.read_session(&begin).await
    }

    async fn lift_limits(&mut self) -> Result<bool, sqlx::Error> {
        self.begin().await.map(|()| true)
    }

    fn session(&self) -> Option<Session> {
        self.session.clone()
    }

    async fn copy_rows(&mut self, batch: &Batch) -> Result<bool, sqlx::Error> {
        if self.load_method == LoadMethod::Insert {
            return Ok(false);
        }
        let statement =
            format!("COPY logs ({}) FROM STDIN (FORMAT binary)", LOGS_COLUMNS.join(", "));
        let mut copy = self.inner.copy_in_raw(&statement).await?;
        let mut chunk = Vec::with_capacity(2 * COPY_CHUNK_BYTES);
        chunk.extend_from_slice(COPY_HEADER);
        for log in batch.objects.iter().map(ParsedObject::log) {
            for part in log.rows.as_copy_bytes().chunks(COPY_CHUNK_BYTES) {
                chunk.extend_from_slice(part);
                if chunk.len() >= COPY_CHUNK_BYTES {
                    copy.send(&*chunk).await?;
                    chunk.clear();
                }
            }
        }
        chunk.extend_from_slice(COPY_TRAILER);
        copy.send(&*chunk).await?;
        let rows = copy.finish().await?;
        if rows != batch.rows() as u64 {
            // The user has a trigger or a rule that drops or adds rows.
            let sent = batch.rows();
            let difference = format!("{sent} rows were sent, but the table stored {rows}");
            return Err(sqlx::Error::InvalidArgument(difference));
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_numeric_is_read_in_decimal_digits() {
        let bytes =
            |words: &[i16]| words.iter().flat_map(|it| it.to_be_bytes()).collect::<Vec<_>>();
        for (words, expected) in [
            (&[0, 0, 0, 0][..], "0"),
            (&[1, 0, 0, 0, 13], "13"),
            (&[1, 1, 0, 0, 2], "20000"),
            (&[2, 1, 0x4000, 0, 2, 345], "-20345"),
            (&[2, 0, 0, 2, 7, 500], "7.05"),
            (&[1, -1, 0, 4, 25], "0.0025"),
            (&[1, -2, 0, 5, 5000], "0.00005"),
            (&[0, 0, 0, 3], "0.000"),
            (&[0, 0, -0x4000, 0], "NaN"),
        ] {
            assert_eq!(numeric_text(&bytes(words)), expected);
        }
    }
}
