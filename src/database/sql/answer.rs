//! Streams the rows of an answer.

use std::ops::ControlFlow;

use super::connection::Value;
use super::schema::{VIEW, VIEW_COLUMNS};
use super::{SqlStore, without_data};
use crate::database::DatabaseError;
use crate::database::answer::{AnswerCell, Parameter, Part, RowSink, Statement};
use crate::database::attempts::Attempts;
use crate::database::url::Engine;

/// A sink that knows whether it has accepted anything.
struct Begun<'s> {
    sink: &'s mut dyn RowSink,
    has_begun: bool,
}

impl RowSink for Begun<'_> {
    fn columns(&mut self, names: &[String]) -> ControlFlow<()> {
        self.has_begun = true;
        self.sink.columns(names)
    }

    fn row(&mut self, cells: &[AnswerCell]) -> ControlFlow<()> {
        self.sink.row(cells)
    }
}

impl SqlStore {
    /// Runs a statement and passes its rows on. It is repeated while it may succeed later, but not
    /// after the first row.
    pub(super) async fn stream(
        &self,
        statement: &Statement,
        sink: &mut dyn RowSink,
    ) -> Result<(), DatabaseError> {
        let (sql, values) = bound(self.driver.engine(), statement);
        let mut attempts = Attempts::new(self.options.retry);
        let mut sink = Begun { sink, has_begun: false };
        loop {
            match self.stream_once(&sql, &values, &mut sink).await {
                Err(error) if !sink.has_begun && !self.is_cancelled() => {
                    attempts.wait(error).await?;
                }
                outcome => return outcome,
            }
        }
    }

    async fn stream_once(
        &self,
        sql: &str,
        values: &[Value<'_>],
        sink: &mut dyn RowSink,
    ) -> Result<(), DatabaseError> {
        let doing = "answer the question";
        let (mut pooled, is_begun) = self.unlimited_connection(doing).await?;
        let session = pooled.connection.session();
        let request = async {
            let flow = pooled.connection.stream(sql, values, sink).await?;
            if is_begun && flow.is_continue() {
                pooled.connection.run("COMMIT").await?;
            }
            Ok(flow)
        };
        match self.unless_cancelled(doing, session, request).await {
            Ok(ControlFlow::Continue(())) => {
                self.give_back(pooled.connection);
                Ok(())
            }
            // The server still sends rows: the connection is dropped.
            Ok(ControlFlow::Break(())) => Ok(()),
            Err(error) => Err(without_data(self.error(doing, error), doing)),
        }
    }

    /// Returns which of the tables and views that questions read are missing.
    pub(super) async fn find_missing_for_answers(
        &self,
    ) -> Result<Vec<&'static str>, DatabaseError> {
        let doing = "look for the view `events`";
        let mut pooled = self.connection(doing).await?;
        let session = pooled.connection.session();
        let request = async {
            let mut missing = Vec::new();
            if self.columns_of(&mut *pooled.connection, "identities").await?.is_empty() {
                missing.push("table `identities`");
            }
            let columns = self.columns_of(&mut *pooled.connection, VIEW).await?;
            let has = |name: &&str| columns.iter().any(|it| it.name.eq_ignore_ascii_case(name));
            if !VIEW_COLUMNS.iter().all(has) {
                missing.push("view `events`");
            }
            Ok(missing)
        };
        let outcome = self.in_time(doing, session, self.statement_limit(), request).await;
        self.put_back(pooled, outcome)
    }
}

/// Returns the SQL with the engine's placeholders, and the values for them.
fn bound(engine: Engine, statement: &Statement) -> (String, Vec<Value<'_>>) {
    let (mut sql, mut values) = (String::new(), Vec::new());
    for part in statement.parts() {
        let parameter = match part {
            Part::Sql(text) => {
                sql.push_str(text);
                continue;
            }
            Part::Parameter(parameter) => parameter,
        };
        // PostgreSQL does not convert a text to a time, or a large integer to a small one.
        let (value, cast) = match parameter {
            Parameter::Text(text) => (Value::Text(Some(text)), ""),
            Parameter::Int(int) => (Value::Int(*int), "::int"),
            Parameter::Time(time) => (Value::Time(Some(*time)), "::timestamp"),
        };
        values.push(value);
        match engine {
            Engine::Postgres => sql.push_str(&format!("${}{cast}", values.len())),
            Engine::Sqlite | Engine::Mysql => sql.push('?'),
        }
    }
    (sql, values)
}
