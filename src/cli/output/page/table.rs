//! Tables of answers.
//!
//! On a narrow screen, a row becomes a block with one line for each cell. The roles are written out,
//! because a browser drops those of a table whose layout is changed.

use maud::{Markup, html};

use super::chart;
use super::text::{Seen, instant};
use crate::cli::output::format::count;
use crate::database::answer::{AnswerCell, Rows};
use crate::trail::time::EventTime;

/// How a column is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text, or "none".
    Text,
    /// A number.
    Number,
    /// A number of errors; zero is not emphasized.
    Errors,
    /// A time.
    Time,
    /// An error code; without one, the call succeeded.
    Outcome,
}

/// A column that is shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    /// Its name in the answer. Several names, with blanks between them, share the column: the values
    /// that are there stand below each other.
    name: &'static str,
    head: &'static str,
    kind: Kind,
}

/// An answer as a table.
#[derive(Debug)]
pub(super) struct Table<'r> {
    /// What the table shows, for readers who do not see it.
    pub(super) caption: &'static str,
    pub(super) columns: &'static [Column],
    pub(super) rows: &'r Rows,
    /// How many rows are shown.
    pub(super) rows_max: usize,
}

pub(super) const fn column(name: &'static str, head: &'static str, kind: Kind) -> Column {
    Column { name, head, kind }
}

impl Table<'_> {
    /// Draws the table. If the answer has a column `n`, a bar below the first cell shows it, and the
    /// part of it that is errors.
    pub(super) fn draw(&self) -> Markup {
        let number = |row: &[AnswerCell], column: &str| -> Option<u64> {
            row.get(self.rows.position(column)?)?.text()?.parse().ok()
        };
        let has_bars = self.columns.iter().any(|column| column.name == "n");
        let most = self.rows.rows.iter().filter_map(|row| number(row, "n")).max().unwrap_or(0);
        let rows = self.rows.rows.iter().take(self.rows_max);
        html! {
            table.answer role="table" {
                caption { (self.caption) }
                thead role="rowgroup" {
                    tr role="row" {
                        @for column in self.columns {
                            th scope="col" role="columnheader" class=(class(column.kind)) {
                                (column.head)
                            }
                        }
                    }
                }
                tbody role="rowgroup" {
                    @for row in rows {
                        tr role="row" {
                            @for (position, column) in self.columns.iter().enumerate() {
                                @let value = self.value(row, column);
                                @if position == 0 {
                                    th scope="row" role="rowheader" class=(class(column.kind)) {
                                        (value)
                                        @if has_bars {
                                            (chart::bar(
                                                number(row, "n").unwrap_or(0),
                                                number(row, "errors").unwrap_or(0),
                                                most,
                                            ))
                                        }
                                    }
                                } @else {
                                    td role="cell" class=(class(column.kind)) {
                                        span.label aria-hidden="true" { (column.head) }
                                        (value)
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    fn value(&self, row: &[AnswerCell], column: &Column) -> Markup {
        let cell = |name| row.get(self.rows.position(name)?)?.text();
        let texts: Vec<&str> = column.name.split(' ').filter_map(cell).collect();
        html! {
            @if texts.is_empty() {
                span.absent { @if column.kind == Kind::Outcome { "succeeded" } @else { "none" } }
            } @else {
                span.values { @for text in texts { (shown(text, column.kind)) } }
            }
        }
    }
}

fn class(kind: Kind) -> &'static str {
    match kind {
        Kind::Text | Kind::Outcome => "text",
        Kind::Number | Kind::Errors => "number",
        Kind::Time => "time",
    }
}

fn shown(text: &str, kind: Kind) -> Markup {
    match kind {
        Kind::Text => html! { span.name title=(Seen(text).text()) { (Seen(text)) } },
        Kind::Outcome => html! { span.error { (Seen(text)) } },
        Kind::Time => EventTime::parse(text).map_or_else(|| html! { (Seen(text)) }, instant),
        Kind::Number | Kind::Errors => {
            let is_error = kind == Kind::Errors && text != "0";
            let shown = text.parse().map_or_else(|_| Seen(text).text(), count);
            html! { span.error[is_error] { (shown) } }
        }
    }
}
