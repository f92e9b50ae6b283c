//! A plain table: a part, a name, and right-aligned columns.

use std::fmt;

use crate::cli::escape::visible;

/// A table with `N` columns besides the two that name a row.
#[derive(Debug)]
pub(super) struct Table<const N: usize> {
    heads: [&'static str; N],
    rows: Vec<(String, String, [Option<String>; N])>,
}

impl<const N: usize> Table<N> {
    pub(super) fn new(heads: [&'static str; N]) -> Self {
        Self { heads, rows: Vec::new() }
    }

    /// Adds a row. Its part and its name may come from outside.
    pub(super) fn row(&mut self, part: &str, name: &str, cells: [Option<String>; N]) {
        self.rows.push((visible(part).into_owned(), visible(name).into_owned(), cells));
    }
}

impl<const N: usize> fmt::Display for Table<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |text: &str| text.chars().count();
        let part_width = self.rows.iter().map(|(part, ..)| width(part)).max().unwrap_or(0);
        let name_width = self.rows.iter().map(|(_, name, _)| width(name)).max().unwrap_or(0);
        let indent = if part_width > 0 { part_width + 2 } else { 0 };
        let widths: [usize; N] = std::array::from_fn(|column| {
            let cells = self.rows.iter().filter_map(|(.., cells)| cells[column].as_deref());
            cells.map(width).max().unwrap_or(0).max(width(self.heads[column]))
        });
        let mut head = " ".repeat(indent + name_width);
        for (text, width) in self.heads.iter().zip(widths) {
            head.push_str(&format!("  {text:>width$}"));
        }
        writeln!(f, "{}", head.trim_end())?;
        for (part, name, cells) in &self.rows {
            let mut line = format!("{part:<indent$}{name:<name_width$}");
            for (cell, width) in cells.iter().zip(widths) {
                line.push_str(&format!("  {:>width$}", cell.as_deref().unwrap_or_default()));
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_nothing_trails() {
        let mut table = Table::new(["objects", "time"]);
        table.row("before", "tables", [None, Some("0.1 s".into())]);
        table.row("load", "listed", [Some("12,480".into()), None]);
        let expected = "                objects   time\n\
                        before  tables           0.1 s\n\
                        load    listed   12,480\n";
        assert_eq!(table.to_string(), expected);
    }
}
