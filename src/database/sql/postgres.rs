//! The driver for PostgreSQL: binary COPY, or INSERT for servers that speak its protocol without
//! COPY.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::error::DatabaseError;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgConnection, PgRow, PgSslMode};
use sqlx::{Column, ConnectOptions, Connection as _, Row, TypeInfo};

use super::connection::{
    Cell, CellType, Connection, IdFormat, Session, connection_over_sqlx, quoted,
};
use super::driver::Driver;
use super::error::{SqlErrorClass, timed_out};
use super::relay::{Protocol, Relay};
use super::schema::{ColumnInfo, LOGS_COLUMNS, SchemaMismatch, create_index_statements};
use super::tls::{self, TlsMode, TlsSettings, is_local};
use crate::database::LoadMethod;
use crate::database::answer::AnswerCell;
use crate::database::batch::{Batch, ParsedObject};
use crate::database::indexes::Index;
use crate::database::url::Engine;
use crate::trail::fields::FIELDS;
use crate::trail::time::EventTime;

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

/// Makes the server notice within a minute that this program's machine is gone, and end the
/// transaction of a program that hangs. Servers that lack a setting keep theirs.
const SETTINGS: &str = "SELECT set_config(name, CASE name \
     WHEN 'tcp_keepalives_idle' THEN '30' WHEN 'tcp_keepalives_interval' THEN '10' \
     WHEN 'tcp_keepalives_count' THEN '3' WHEN 'tcp_user_timeout' THEN '60000' \
     ELSE '900000' END, false) FROM pg_settings WHERE name IN ('tcp_keepalives_idle', \
     'tcp_keepalives_interval', 'tcp_keepalives_count', 'tcp_user_timeout', \
     'idle_in_transaction_session_timeout')";

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
        let connect = connect.application_name("cloudtrail2sql").disable_statement_logging();
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
        Ok(Self { options, tls_warning, may_expose, load_method })
    }

    /// Opens a connection. No password is sent in clear text to another machine.
    async fn open(&self, options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
        if !self.may_expose {
            return PgConnection::connect_with(options).await;
        }
        if matches!(options.get_ssl_mode(), PgSslMode::Prefer) {
            let with_tls = options.clone().ssl_mode(PgSslMode::Require);
            match PgConnection::connect_with(&with_tls).await {
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
        let (load_method, pid, started) = (self.load_method, 0, String::new());
        let mut connection = PostgresLink { inner, load_method, pid, started };
        connection.run(SETTINGS).await?;
        let query = "SELECT pid::bigint, backend_start::text FROM pg_stat_activity \
             WHERE pid = pg_backend_pid()";
        let rows = connection.query(query, &[], &[CellType::Int, CellType::Text]).await?;
        for row in rows {
            let [pid, started] = <[_; 2]>::try_from(row).expect("two columns");
            (connection.pid, connection.started) = (pid.into_int(), started.into_text());
        }
        Ok(Box::new(connection))
    }

    fn classify(&self, error: &dyn DatabaseError) -> SqlErrorClass {
        class_of(&error.code().unwrap_or_default())
    }

    fn code_text(&self, error: &dyn DatabaseError) -> String {
        format!("SQLSTATE {}", error.code().unwrap_or_default())
    }

    fn privileges_hint(&self) -> String {
        "grant the account `CREATE` on the schema, or let another account create the tables and \
         grant `SELECT`, `INSERT`, `UPDATE`, `DELETE` on them; only the owner of `logs` can build \
         indexes, other accounts use `--no-index`"
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
        connection.run("BEGIN").await?;
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
        connection.run("RESET lock_timeout").await
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
        let query = "SELECT current_setting('server_encoding')";
        let rows = connection.query(query, &[], &[CellType::Text]).await?;
        let encoding = rows.into_iter().flatten().next().map(Cell::into_text);
        if let Some(encoding) = encoding.filter(|encoding| encoding != "UTF8") {
            return Ok(Some(SchemaMismatch::beyond_repair(format!(
                "the database `{}` has the encoding {encoding}, which cannot store every character",
                self.database_name()
            ))));
        }
        let is_field = |name: &str| FIELDS.iter().any(|it| it.name.eq_ignore_ascii_case(name));
        let is_text = |it: &ColumnInfo| matches!(&*it.column_type, "text" | "character varying");
        let narrow: Vec<(&str, &str)> = columns
            .iter()
            .filter(|column| is_field(&column.name) && !is_text(column))
            .map(|column| (&*column.name, &*column.column_type))
            .collect();
        let Some((first, first_type)) = narrow.first() else { return Ok(None) };
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
        Ok(Some(SchemaMismatch { difference, statements }))
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
        // VACUUM reads only the pages that were written since the last one. It marks them as visible
        // to all, so that an index alone can answer for them.
        &["VACUUM (ANALYZE) logs", "ANALYZE identities", "ANALYZE import_objects"]
    }

    fn has_table_sql(&self) -> &'static str {
        "SELECT COUNT(to_regclass($1))"
    }
}

/// Returns the class of a SQLSTATE (documentation, Appendix A, "PostgreSQL Error Codes").
fn class_of(sqlstate: &str) -> SqlErrorClass {
    match (sqlstate.get(..2).unwrap_or_default(), sqlstate) {
        // unique_violation.
        (_, "23505") => SqlErrorClass::Conflict,
        // Data exceptions, violated constraints and limits, an exception that a trigger raised, and
        // a row that the condition of a view excludes.
        ("22" | "23" | "44" | "54" | "P0", _) => SqlErrorClass::DataRefused,
        // invalid_catalog_name.
        (_, "3D000") => SqlErrorClass::NoDatabase,
        // disk_full.
        (_, "53100") => {
            SqlErrorClass::Fatal(Some("free space on the server's disk, then run it again"))
        }
        // serialization_failure, deadlock_detected, lock_not_available.
        (_, "40001" | "40P01" | "55P03") => SqlErrorClass::Contention,
        // Connections, rolled back transactions, resources, locks, an operator's intervention, errors
        // of the operating system, and idle_in_transaction_session_timeout: the connection was cut
        // off for too long.
        ("08" | "40" | "53" | "55" | "57" | "58", _) | (_, "25P03") => SqlErrorClass::Transient,
        // Authorization.
        ("28", _) => SqlErrorClass::Fatal(Some("check the user name and the password")),
        // insufficient_privilege.
        (_, "42501") => SqlErrorClass::Forbidden,
        // read_only_sql_transaction.
        (_, "25006") => SqlErrorClass::Fatal(Some(
            "the server is read-only: name the primary server in the database URL",
        )),
        // Unsupported features, unknown schemas, syntax and missing objects, the server's
        // configuration, internal errors.
        ("0A" | "3F" | "42" | "F0" | "XX", _) => SqlErrorClass::Fatal(None),
        _ => SqlErrorClass::Unknown,
    }
}

struct PostgresLink {
    inner: PgConnection,
    load_method: LoadMethod,
    /// The number of the server's process, and when it began: numbers are used again.
    pid: i64,
    started: String,
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

    fn session(&self) -> Option<Session> {
        let own = format!(
            "FROM pg_stat_activity WHERE pid = {} AND backend_start = '{}'",
            self.pid, self.started
        );
        (self.pid > 0).then(|| Session {
            end_sql: format!("SELECT pg_terminate_backend(pid) {own}"),
            is_working_sql: format!("SELECT COUNT(*) {own} AND state = 'active'"),
        })
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

    #[test]
    fn only_the_listed_classes_are_blamed_on_the_data() {
        use SqlErrorClass::{
            Conflict, Contention, DataRefused, Fatal, Forbidden, NoDatabase, Transient, Unknown,
        };
        for (sqlstate, expected) in [
            ("23505", Conflict),
            ("23502", DataRefused),
            ("23514", DataRefused),
            ("22021", DataRefused),
            ("22P02", DataRefused),
            ("22P05", DataRefused),
            ("44000", DataRefused),
            ("54000", DataRefused),
            ("54001", DataRefused),
            ("P0001", DataRefused),
            ("3D000", NoDatabase),
            ("42501", Forbidden),
            ("08006", Transient),
            ("40001", Contention),
            ("40P01", Contention),
            ("53200", Transient),
            ("53300", Transient),
            ("55P03", Contention),
            ("57014", Transient),
            ("57P01", Transient),
            ("57P03", Transient),
            ("58030", Transient),
            ("0A000", Fatal(None)),
            ("42703", Fatal(None)),
            ("42P01", Fatal(None)),
            ("XX000", Fatal(None)),
            ("25P03", Transient),
            // A pooler that lost the prepared statement: not the fault of a row.
            ("26000", Unknown),
            ("99999", Unknown),
            ("", Unknown),
        ] {
            assert_eq!(class_of(sqlstate), expected, "{sqlstate}");
        }
        for sqlstate in ["53100", "28000", "28P01", "25006"] {
            assert!(matches!(class_of(sqlstate), Fatal(Some(_))), "{sqlstate}");
        }
    }
}
