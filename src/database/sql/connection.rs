//! One connection to one database, the same for every driver.
//!
//! Dropping a connection rolls its transaction back: each writer owns its connection alone.

use std::fmt::Write as _;
use std::ops::ControlFlow;

use async_trait::async_trait;
use sqlx::{Arguments, Encode, Type};

use crate::database::answer::RowSink;
use crate::database::batch::Batch;
use crate::trail::object::ObjectId;
use crate::trail::time::EventTime;

/// A value to bind.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'v> {
    /// Text or NULL.
    Text(Option<&'v str>),
    /// The key of an object, for the placeholder `?id` of [`super::schema::placeholders`].
    Id(&'v ObjectId),
    Int(i64),
    OptionalInt(Option<i64>),
    OptionalBool(Option<bool>),
    /// A time or NULL, for the placeholder `?at`.
    Time(Option<EventTime>),
}

impl Value<'_> {
    /// Returns a count as the integer that a column holds.
    pub(super) fn count(count: u64) -> Self {
        Self::Int(i64::try_from(count).unwrap_or(i64::MAX))
    }

    /// Returns roughly how many bytes it takes on the wire.
    pub(super) fn wire_bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.map_or(0, str::len) + 9,
            Self::Id(_) => 2 * size_of::<ObjectId>() + 9,
            Self::Int(_) | Self::OptionalInt(_) | Self::OptionalBool(_) => 9,
            Self::Time(_) => 28,
        }
    }
}

/// A value that a query returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cell {
    Text(Option<String>),
    Bytes(Vec<u8>),
    Int(i64),
}

/// The type that a query's column is read as.
#[derive(Debug, Clone, Copy)]
pub(super) enum CellType {
    Text,
    Bytes,
    Int,
}

impl Cell {
    pub(super) fn into_text(self) -> String {
        match self {
            Self::Text(text) => text.unwrap_or_default(),
            Self::Bytes(_) | Self::Int(_) => unreachable!("the query asked for text"),
        }
    }

    pub(super) fn into_optional_text(self) -> Option<String> {
        match self {
            Self::Text(text) => text,
            Self::Bytes(_) | Self::Int(_) => unreachable!("the query asked for text"),
        }
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Text(_) | Self::Int(_) => unreachable!("the query asked for bytes"),
        }
    }

    pub(super) fn into_int(self) -> i64 {
        match self {
            Self::Int(int) => int,
            Self::Text(_) | Self::Bytes(_) => unreachable!("the query asked for an integer"),
        }
    }
}

/// One row of a query's answer.
pub(super) type Cells = Vec<Cell>;

/// What a server knows a connection as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Session {
    /// Ends the session, and with it its statement and its transaction.
    pub(super) end_sql: String,
    /// Returns an integer, 1 if the session works on a statement and otherwise 0, and a text, what it
    /// waits for, or NULL.
    pub(super) state_sql: String,
}

/// A connection, whatever the driver.
#[async_trait]
pub(super) trait Connection: Send {
    /// Runs one statement, which stays prepared for the next time; returns how many rows it
    /// changed.
    async fn execute(&mut self, sql: &str, values: &[Value<'_>]) -> Result<u64, sqlx::Error>;

    /// Runs SQL that binds no values: transaction control, settings, DDL, whole migrations.
    async fn run(&mut self, sql: &str) -> Result<(), sqlx::Error>;

    /// Begins a transaction that writes. The server's own time limits do not apply in it.
    async fn begin(&mut self) -> Result<(), sqlx::Error>;

    /// Lifts the server's own time limits for the next statement. Returns whether it began a transaction
    /// for that, which the caller commits.
    async fn lift_limits(&mut self) -> Result<bool, sqlx::Error> {
        Ok(false)
    }

    /// Runs a query and returns all its rows.
    async fn query(
        &mut self,
        sql: &str,
        values: &[Value<'_>],
        types: &[CellType],
    ) -> Result<Vec<Cells>, sqlx::Error>;

    /// Runs a query and passes its rows on, one at a time; returns `Break` if the sink ended it, which
    /// leaves rows on the connection.
    async fn stream(
        &mut self,
        sql: &str,
        values: &[Value<'_>],
        sink: &mut dyn RowSink,
    ) -> Result<ControlFlow<()>, sqlx::Error>;

    /// Returns how many bytes one statement may have.
    fn statement_bytes_max(&self) -> usize;

    /// Returns how many bytes one row may have.
    fn row_bytes_max(&self) -> usize {
        usize::MAX
    }

    /// Returns its session on the server; `None` if there is no server.
    fn session(&self) -> Option<Session> {
        None
    }

    /// Loads the batch's rows into `logs` by COPY. Returns `false`, having done nothing, if this
    /// connection does not use COPY.
    async fn copy_rows(&mut self, _batch: &Batch) -> Result<bool, sqlx::Error> {
        Ok(false)
    }

    /// Closes the connection gracefully; dropping it only closes the socket.
    async fn close(self: Box<Self>);
}

/// Returns an identifier in the engine's quotes.
pub(super) fn quoted(name: &str, quote: char) -> String {
    let doubled = name.replace(quote, &format!("{quote}{quote}"));
    format!("{quote}{doubled}{quote}")
}

/// How the key of an object is bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IdFormat {
    Bytes,
    /// Hexadecimal text, for a server that shows the values of a statement to other sessions as
    /// text.
    Hex,
}

/// Binds values for any driver.
pub(super) fn bind<'v, A>(values: &[Value<'v>], ids: IdFormat) -> Result<A, sqlx::Error>
where
    A: Arguments<'v>,
    Option<&'v str>: Encode<'v, A::Database> + Type<A::Database>,
    &'v [u8]: Encode<'v, A::Database> + Type<A::Database>,
    String: Encode<'v, A::Database> + Type<A::Database>,
    Option<String>: Encode<'v, A::Database> + Type<A::Database>,
    Option<i64>: Encode<'v, A::Database> + Type<A::Database>,
    Option<bool>: Encode<'v, A::Database> + Type<A::Database>,
    i64: Encode<'v, A::Database> + Type<A::Database>,
{
    let mut arguments = A::default();
    arguments.reserve(values.len(), values.iter().map(Value::wire_bytes).sum());
    for value in values {
        match *value {
            Value::Text(text) => arguments.add(text),
            Value::Id(id) if ids == IdFormat::Hex => arguments.add(hex(&id.0)),
            Value::Id(id) => arguments.add(&id.0[..]),
            Value::Int(int) => arguments.add(int),
            Value::OptionalInt(int) => arguments.add(int),
            Value::OptionalBool(is_true) => arguments.add(is_true),
            Value::Time(time) => arguments.add(time.map(|it| it.to_string())),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

/// Returns bytes in hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    let mut digits = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        write!(digits, "{byte:02x}").expect("writing to a String cannot fail");
    }
    digits
}

/// Implements [`Connection`] for a struct whose `inner` is a sqlx connection; the methods that
/// differ between drivers are passed in, and the function that reads a cell of an answer. A macro, because sqlx's bounds on a generic driver are
/// longer than the code.
macro_rules! connection_over_sqlx {
    ($link:ty, $arguments:ty, $ids:expr, $answer_cell:path, $($own:tt)*) => {
        #[async_trait]
        impl Connection for $link {
        $($own)*

        async fn execute(
            &mut self,
            sql: &str,
            values: &[crate::database::sql::connection::Value<'_>],
        ) -> Result<u64, sqlx::Error> {
            let arguments: $arguments = crate::database::sql::connection::bind(values, $ids)?;
            let done = sqlx::query_with(sql, arguments).execute(&mut self.inner).await?;
            Ok(done.rows_affected())
        }

        async fn run(&mut self, sql: &str) -> Result<(), sqlx::Error> {
            sqlx::Executor::execute(&mut self.inner, sql).await.map(drop)
        }

        async fn query(
            &mut self,
            sql: &str,
            values: &[crate::database::sql::connection::Value<'_>],
            types: &[crate::database::sql::connection::CellType],
        ) -> Result<Vec<crate::database::sql::connection::Cells>, sqlx::Error> {
            use crate::database::sql::connection::{Cell, CellType};
            use sqlx::Row;
            let arguments: $arguments = crate::database::sql::connection::bind(values, $ids)?;
            let rows = sqlx::query_with(sql, arguments).fetch_all(&mut self.inner).await?;
            let read = |row| {
                let cell = |(column, cell_type): (usize, &CellType)| match cell_type {
                    // Unchecked, because sqlx 0.8 reads MySQL text of a binary collation as bytes.
                    CellType::Text => Row::try_get_unchecked(row, column).map(Cell::Text),
                    CellType::Bytes => Row::try_get(row, column).map(Cell::Bytes),
                    CellType::Int => Row::try_get(row, column).map(Cell::Int),
                };
                types.iter().enumerate().map(cell).collect()
            };
            rows.iter().map(read).collect()
        }

        async fn stream(
            &mut self,
            sql: &str,
            values: &[crate::database::sql::connection::Value<'_>],
            sink: &mut dyn crate::database::answer::RowSink,
        ) -> Result<std::ops::ControlFlow<()>, sqlx::Error> {
            use futures_util::TryStreamExt;
            use sqlx::{Column, Row, Statement};
            use std::ops::ControlFlow::{Break, Continue};
            let arguments: $arguments = crate::database::sql::connection::bind(values, $ids)?;
            let mut has_columns = false;
            {
                let mut rows = sqlx::query_with(sql, arguments).fetch(&mut self.inner);
                while let Some(row) = rows.try_next().await? {
                    if !has_columns {
                        has_columns = true;
                        let names = row.columns().iter().map(|it| it.name().to_owned());
                        if sink.columns(&names.collect::<Vec<_>>()).is_break() {
                            return Ok(Break(()));
                        }
                    }
                    let cells = (0..row.len()).map(|column| $answer_cell(&row, column));
                    if sink.row(&cells.collect::<Result<Vec<_>, _>>()?).is_break() {
                        return Ok(Break(()));
                    }
                }
            }
            if !has_columns {
                // The statement is still prepared.
                let statement = sqlx::Executor::prepare(&mut self.inner, sql).await?;
                let names = statement.columns().iter().map(|it| it.name().to_owned());
                let _ = sink.columns(&names.collect::<Vec<_>>());
            }
            Ok(Continue(()))
        }

        async fn close(self: Box<Self>) {
            // Nothing is pending on the connection; a failed close is harmless.
            let _ = sqlx::Connection::close(self.inner).await;
        }
        }
    };
}

pub(super) use connection_over_sqlx;
