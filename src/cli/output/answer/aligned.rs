//! A table for people, cut to the width of the terminal.

use std::io::{self, Write};

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::RowWriter;
use crate::cli::escape::visible;
use crate::database::answer::AnswerCell;

/// How many rows choose the widths. Later values that are wider move the rest of their line.
const ROWS_KEPT_MAX: usize = 1_000;

/// No column is made narrower than this to fit into the terminal.
const COLUMN_WIDTH_MIN: usize = 8;

/// The width of the longest bar.
const BAR_WIDTH_MAX: usize = 40;

const GAP: &str = "  ";

/// Aligns columns: numbers to the right, text to the left.
pub(super) struct Aligned {
    terminal_columns: Option<usize>,
    /// The column whose numbers are drawn as bars.
    bar: Option<&'static str>,
    names: Vec<String>,
    /// The first rows, until the widths are chosen.
    kept: Vec<Vec<Cell>>,
    layout: Option<Layout>,
}

/// What is shown of a value.
struct Cell {
    text: String,
    is_number: bool,
}

/// The widths, chosen by the first rows.
struct Layout {
    widths: Vec<usize>,
    is_number: Vec<bool>,
    /// The index of the column that is drawn, its largest number, and the width of that bar.
    bar: Option<(usize, u64, usize)>,
}

impl Aligned {
    pub(super) fn new(terminal_columns: Option<usize>, bar: Option<&'static str>) -> Self {
        Self { terminal_columns, bar, names: Vec::new(), kept: Vec::new(), layout: None }
    }

    fn layout(&self) -> Layout {
        let columns = 0..self.names.len();
        let is_number = columns.clone().map(|n| {
            let mut cells = self.kept.iter().map(|row| &row[n]).filter(|it| !it.text.is_empty());
            cells.all(|cell| cell.is_number)
        });
        let widths = columns.map(|n| {
            let cells = self.kept.iter().map(|row| row[n].text.width());
            cells.max().unwrap_or(0).max(self.names[n].width())
        });
        let mut layout =
            Layout { widths: widths.collect(), is_number: is_number.collect(), bar: None };
        if let Some(drawn) = self.names.iter().position(|name| Some(name.as_str()) == self.bar) {
            let numbers = self.kept.iter().filter_map(|row| row[drawn].text.parse().ok());
            let taken = layout.total() + GAP.len();
            let room = self.terminal_columns.unwrap_or(usize::MAX).saturating_sub(taken);
            layout.bar = Some((drawn, numbers.max().unwrap_or(0), room.min(BAR_WIDTH_MAX)));
        }
        if let Some(room) = self.terminal_columns {
            layout.fit(room);
        }
        layout
    }

    /// Writes the heads and the rows that are kept.
    fn write_kept(&mut self, out: &mut dyn Write) -> io::Result<Layout> {
        let layout = self.layout();
        let heads: Vec<Cell> =
            self.names.drain(..).map(|text| Cell { text, is_number: false }).collect();
        layout.write(&heads, false, out)?;
        for row in self.kept.drain(..) {
            layout.write(&row, true, out)?;
        }
        Ok(layout)
    }
}

impl Layout {
    fn total(&self) -> usize {
        self.widths.iter().sum::<usize>() + GAP.len() * self.widths.len().saturating_sub(1)
    }

    /// Narrows the widest columns until the table fits, or until all are narrow.
    fn fit(&mut self, room: usize) {
        while self.total() > room {
            let widest = self.widths.iter_mut().max().filter(|width| **width > COLUMN_WIDTH_MIN);
            let Some(widest) = widest else { return };
            *widest -= 1;
        }
    }

    fn write(&self, row: &[Cell], has_bar: bool, out: &mut dyn Write) -> io::Result<()> {
        let mut line = String::new();
        for (n, cell) in row.iter().enumerate() {
            if n > 0 {
                line.push_str(GAP);
            }
            let text = cut(&cell.text, self.widths[n]);
            let blanks = " ".repeat(self.widths[n].saturating_sub(text.width()));
            if self.is_number[n] {
                line.push_str(&blanks);
                line.push_str(&text);
            } else {
                line.push_str(&text);
                line.push_str(&blanks);
            }
        }
        if let Some((drawn, number_max, width_max)) = self.bar.filter(|_| has_bar) {
            let number: u64 = row[drawn].text.parse().unwrap_or(0);
            let width = (u128::from(number) * width_max as u128).div_ceil(number_max.max(1).into());
            line.push_str(GAP);
            line.push_str(&"█".repeat(usize::try_from(width).unwrap_or(0).min(width_max)));
        }
        writeln!(out, "{}", line.trim_end())
    }
}

impl RowWriter for Aligned {
    fn columns(&mut self, names: &[String], _out: &mut dyn Write) -> io::Result<()> {
        self.names = names.to_vec();
        Ok(())
    }

    fn row(&mut self, cells: &[AnswerCell], out: &mut dyn Write) -> io::Result<()> {
        let cells = cells.iter().map(|cell| Cell {
            text: visible(cell.text().unwrap_or_default()).into_owned(),
            is_number: matches!(cell, AnswerCell::Number(_)),
        });
        let cells: Vec<Cell> = cells.collect();
        if let Some(layout) = &self.layout {
            return layout.write(&cells, true, out);
        }
        self.kept.push(cells);
        if self.kept.len() == ROWS_KEPT_MAX {
            self.layout = Some(self.write_kept(out)?);
        }
        Ok(())
    }

    fn end(&mut self, out: &mut dyn Write) -> io::Result<()> {
        if self.layout.is_some() {
            return Ok(());
        }
        if self.kept.is_empty() {
            return writeln!(out, "no rows");
        }
        self.write_kept(out).map(drop)
    }
}

/// Returns the beginning of a text that fits into a column. What is cut ends in `…`.
fn cut(text: &str, width_max: usize) -> String {
    if text.width() <= width_max {
        return text.to_owned();
    }
    let (mut kept, mut width) = (String::new(), 0);
    for character in text.chars() {
        width += character.width().unwrap_or(0);
        if width + 1 > width_max {
            break;
        }
        kept.push(character);
    }
    kept.push('…');
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(columns: Option<usize>, bar: Option<&'static str>, rows: &[[&str; 3]]) -> String {
        let mut aligned = Aligned::new(columns, bar);
        let mut out = Vec::new();
        aligned.columns(&["period", "n", "name"].map(ToOwned::to_owned), &mut out).unwrap();
        for [period, number, name] in rows {
            let name =
                if name.is_empty() { AnswerCell::Null } else { AnswerCell::Text((*name).into()) };
            let number = AnswerCell::Number((*number).into());
            aligned.row(&[AnswerCell::Text((*period).into()), number, name], &mut out).unwrap();
        }
        aligned.end(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn columns_are_aligned_and_names_cannot_control_the_terminal() {
        let rows = [["10:00", "7", "日本"], ["11:00", "1234", ""], ["12:00", "0", "a\u{1b}[2Jb\n"]];
        let expected = "period     n  name\n\
                        10:00      7  日本\n\
                        11:00   1234\n\
                        12:00      0  a\\u{1b}[2Jb\\n\n";
        assert_eq!(shown(None, None, &rows), expected);
        assert_eq!(shown(None, None, &[]), "no rows\n");
    }

    #[test]
    fn the_widest_columns_are_cut_to_the_terminal() {
        let rows = [["10:00", "7", "日本語のとても長い名前"]];
        let shown = shown(Some(24), None, &rows);
        assert_eq!(shown, "period  n  name\n10:00   7  日本語のとて…\n");
        assert!(shown.lines().all(|line| line.width() <= 24), "{shown}");
    }

    #[test]
    fn numbers_are_drawn_as_bars_that_fit() {
        let rows = [["10:00", "10", "x"], ["11:00", "1", "x"], ["12:00", "0", "x"]];
        let expected = "period   n  name\n\
                        10:00   10  x     ██████████\n\
                        11:00    1  x     █\n\
                        12:00    0  x\n";
        assert_eq!(shown(Some(28), Some("n"), &rows), expected);
    }

    #[test]
    fn later_rows_are_not_kept() {
        let rows = vec![["10:00", "7", "x"]; ROWS_KEPT_MAX + 7];
        assert_eq!(shown(None, None, &rows).lines().count(), ROWS_KEPT_MAX + 8);
    }
}
