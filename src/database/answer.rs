//! A read of the tables: a statement with its values, and where its rows go.

use std::ops::ControlFlow;

use super::url::Engine;
use crate::trail::time::EventTime;

/// One `SELECT` with the values that it binds. Values never become part of the SQL.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Statement {
    parts: Vec<Part>,
}

/// A part of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Sql(String),
    Parameter(Parameter),
}

/// A value that a statement binds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parameter {
    /// Text.
    Text(String),
    /// An integer.
    Int(i64),
    /// A time.
    Time(EventTime),
}

/// A value of an answer, the same text on every database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnswerCell {
    /// No value.
    Null,
    /// Text; a time as `2026-01-15 09:30:00`.
    Text(String),
    /// A number in decimal digits; a truth value as `1` or `0`.
    Number(String),
}

/// Accepts the rows of an answer, one at a time. `Break` ends the answer.
pub trait RowSink: Send {
    /// Accepts the names of the columns, once and before all rows. There may be no rows.
    fn columns(&mut self, names: &[String]) -> ControlFlow<()>;

    /// Accepts a row.
    fn row(&mut self, cells: &[AnswerCell]) -> ControlFlow<()>;
}

/// The rows of a short answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rows {
    /// The names of the columns.
    pub columns: Vec<String>,
    /// The rows, each with a cell for each column.
    pub rows: Vec<Vec<AnswerCell>>,
}

impl RowSink for Rows {
    fn columns(&mut self, names: &[String]) -> ControlFlow<()> {
        self.columns = names.to_vec();
        ControlFlow::Continue(())
    }

    fn row(&mut self, cells: &[AnswerCell]) -> ControlFlow<()> {
        self.rows.push(cells.to_vec());
        ControlFlow::Continue(())
    }
}

impl Rows {
    /// Returns the position of a column.
    pub fn position(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|name| name == column)
    }

    /// Returns the text of a column in each row; `None` where there is no value.
    pub fn texts(&self, column: &str) -> impl Iterator<Item = Option<&str>> {
        let position = self.position(column);
        self.rows.iter().map(move |row| row.get(position?)?.text())
    }
}

impl Statement {
    /// Adds SQL, which is a constant of the program.
    pub fn push_sql(&mut self, sql: &str) {
        match self.parts.last_mut() {
            Some(Part::Sql(last)) => last.push_str(sql),
            _ => self.parts.push(Part::Sql(sql.to_owned())),
        }
    }

    /// Adds a value to bind.
    pub fn push(&mut self, parameter: Parameter) {
        self.parts.push(Part::Parameter(parameter));
    }

    /// Returns the parts in order.
    pub(super) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Returns the statement for a shell of the database, with its values as literals.
    pub fn for_shell(&self, engine: Engine) -> String {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Sql(sql) => text.push_str(sql),
                Part::Parameter(Parameter::Text(value)) => text.push_str(&literal(engine, value)),
                Part::Parameter(Parameter::Int(value)) => text.push_str(&value.to_string()),
                Part::Parameter(Parameter::Time(time)) => text.push_str(&format!("'{time}'")),
            }
        }
        // SQLite's LIKE ignores the case of ASCII letters otherwise.
        if engine == Engine::Sqlite && text.contains(" LIKE ") {
            text.insert_str(0, "PRAGMA case_sensitive_like = ON;\n");
        }
        text
    }
}

impl AnswerCell {
    /// Returns the text; `None` if there is no value.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Null => None,
            Self::Text(text) | Self::Number(text) => Some(text),
        }
    }
}

/// Returns text as a literal. MySQL and MariaDB read a backslash as an escape, unless a setting says
/// otherwise; PostgreSQL and SQLite do not.
fn literal(engine: Engine, text: &str) -> String {
    let quoted = text.replace('\'', "''");
    match engine {
        Engine::Mysql => format!("'{}'", quoted.replace('\\', "\\\\")),
        Engine::Postgres | Engine::Sqlite => format!("'{quoted}'"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_end_its_literal() {
        let mut statement = Statement::default();
        statement.push_sql("SELECT 1 WHERE 'x' = ");
        statement.push(Parameter::Text("o'b\\' OR 1=1".to_owned()));
        assert_eq!(statement.for_shell(Engine::Postgres), "SELECT 1 WHERE 'x' = 'o''b\\'' OR 1=1'");
        assert_eq!(statement.for_shell(Engine::Mysql), "SELECT 1 WHERE 'x' = 'o''b\\\\'' OR 1=1'");
    }
}
