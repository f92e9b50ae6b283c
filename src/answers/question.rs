//! A question: the header and the SQL of its file.

use super::dialect;
use super::filters::{Filters, Flag, Period};
use crate::database::answer::{Parameter, Statement};
use crate::database::url::Engine;

/// A question that can be asked by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Its name.
    pub name: &'static str,
    /// The heading that it is listed under.
    pub family: &'static str,
    /// The question in one line.
    pub text: &'static str,
    /// The option without which it cannot be asked.
    pub needs: Option<Flag>,
    /// The largest number of rows, unless the user gives another; `None` if there is one row.
    pub limit: Option<u32>,
    /// The length of a period, unless the user gives another.
    pub period: Option<Period>,
    /// Why one asks it.
    pub reason: &'static str,
    /// Who asks it.
    pub source: &'static str,
    pieces: Vec<Piece>,
}

/// A part of the SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Sql(&'static str),
    Filters,
    Limit,
    Period,
    Since,
    Member { column: &'static str, path: &'static str },
    Each { column: &'static str, path: &'static str, member: &'static str },
}

/// Why a question cannot be asked with these filters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilterError {
    /// It needs this option.
    Needed(Flag),
    /// It does not take this option.
    NotTaken(Flag),
}

impl Question {
    /// Reads a file of `queries/`: comment lines of the form `-- key: value`, then the SQL.
    pub(super) fn parse(text: &'static str) -> Result<Self, String> {
        let start = text.find("\nSELECT ").ok_or("no SELECT")? + 1;
        let (header, sql) = text.split_at(start);
        let mut question = Self {
            name: "",
            family: "",
            text: "",
            needs: None,
            limit: None,
            period: None,
            reason: "",
            source: "",
            pieces: pieces(sql.trim_end())?,
        };
        for line in header.lines() {
            let entry = line.strip_prefix("-- ").and_then(|line| line.split_once(": "));
            let (key, value) = entry.ok_or_else(|| format!("no header line: {line}"))?;
            match (key, value.split_once(' ')) {
                ("name", _) => question.name = value,
                ("family", _) => question.family = value,
                ("question", _) => question.text = value,
                ("needs", _) => question.needs = Some(Flag::named(value).ok_or("unknown option")?),
                ("reason", _) => question.reason = value,
                ("source", _) => question.source = value,
                ("parameter", Some(("limit", rows))) => question.limit = rows.parse().ok(),
                ("parameter", Some(("by", "hour"))) => question.period = Some(Period::Hour),
                _ => return Err(format!("unknown header line: {line}")),
            }
        }
        let texts =
            [question.name, question.family, question.text, question.reason, question.source];
        let has = |piece: Piece| question.pieces.contains(&piece);
        if texts.iter().any(|text| text.is_empty()) {
            return Err("a header line is missing".to_owned());
        }
        if !has(Piece::Filters)
            || has(Piece::Limit) != question.limit.is_some()
            || has(Piece::Period) != question.period.is_some()
            || has(Piece::Since) && question.needs != Some(Flag::Since)
        {
            return Err("header and SQL differ".to_owned());
        }
        Ok(question)
    }

    /// Returns the statement for a database.
    ///
    /// # Errors
    /// The question needs another filter, or does not take one that is given.
    pub fn statement(&self, filters: &Filters, engine: Engine) -> Result<Statement, FilterError> {
        if let Some(needed) = self.needs.filter(|flag| !filters.has(*flag)) {
            return Err(FilterError::Needed(needed));
        }
        for (flag, is_taken) in
            [(Flag::Limit, self.limit.is_some()), (Flag::By, self.period.is_some())]
        {
            if filters.has(flag) && !is_taken {
                return Err(FilterError::NotTaken(flag));
            }
        }
        let has_since = self.pieces.contains(&Piece::Since);
        let mut statement = Statement::default();
        for piece in &self.pieces {
            match piece {
                Piece::Sql(sql) => statement.push_sql(sql),
                Piece::Filters => filters.push_conditions(&mut statement, has_since),
                Piece::Limit => {
                    statement.push(Parameter::Int(self.rows_max(filters).unwrap_or(0).into()));
                }
                Piece::Period => {
                    let period = filters.period.or(self.period).unwrap_or(Period::Hour);
                    statement.push(Parameter::Int(period.chars()));
                }
                Piece::Since => {
                    let since = filters.since.ok_or(FilterError::Needed(Flag::Since))?;
                    statement.push(Parameter::Time(since));
                }
                Piece::Member { column, path } => {
                    statement.push_sql(&dialect::member(engine, column, path));
                }
                Piece::Each { column, path, member } => {
                    statement.push_sql(&dialect::each(engine, column, path, member));
                }
            }
        }
        Ok(statement)
    }

    /// Returns the largest number of rows with these filters.
    pub fn rows_max(&self, filters: &Filters) -> Option<u32> {
        filters.limit.or(self.limit)
    }
}

/// Splits SQL at its markers and macros, which stand in braces.
fn pieces(mut sql: &'static str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    while let Some((before, rest)) = sql.split_once('{') {
        let (marker, after) = rest.split_once('}').ok_or("a brace is not closed")?;
        pieces.push(Piece::Sql(before));
        let words: Vec<&'static str> = marker.split(':').collect();
        pieces.push(match words[..] {
            ["filters"] => Piece::Filters,
            ["limit"] => Piece::Limit,
            ["by"] => Piece::Period,
            ["since"] => Piece::Since,
            ["j", column, path] => Piece::Member { column, path },
            ["each", column, path, member] => Piece::Each { column, path, member },
            _ => return Err(format!("unknown marker {{{marker}}}")),
        });
        sql = after;
    }
    pieces.push(Piece::Sql(sql));
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_file_is_refused() {
        let header = "-- name: x\n-- family: x\n-- question: x?\n-- reason: x\n-- source: x\n";
        let refused = |sql: &str| {
            let text: &'static str = format!("{header}{sql}").leak();
            Question::parse(text).unwrap_err()
        };
        assert_eq!(refused("SELECT 1 WHERE {filter}"), "unknown marker {filter}");
        assert_eq!(refused("SELECT 1 WHERE {filters"), "a brace is not closed");
        assert_eq!(refused("SELECT 1 WHERE {filters} LIMIT {limit}"), "header and SQL differ");
        assert_eq!(refused("SELECT 1"), "header and SQL differ");
        assert_eq!(
            refused("-- need: username\nSELECT {filters}"),
            "unknown header line: -- need: username"
        );
    }
}
