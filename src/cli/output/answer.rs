//! Writes an answer, row by row: aligned for people, or as CSV, TSV or JSON for programs.
//!
//! Memory does not grow with the rows: only the table looks at the first of them to choose its
//! widths.

use std::io::{self, Write};
use std::ops::ControlFlow;

mod destination;

mod aligned;

mod delimited;

mod json;

pub(crate) use self::destination::Destination;

use self::aligned::Aligned;
use self::delimited::Delimited;
use self::json::{Frame, Records, Rows};
use crate::cli::config::AnswerForm;
use crate::database::answer::{AnswerCell, RowSink};

/// Writes the rows of an answer in one form.
trait RowWriter: Send {
    /// Writes what stands before the rows.
    fn columns(&mut self, names: &[String], out: &mut dyn Write) -> io::Result<()>;

    /// Writes a row, or keeps it for later.
    fn row(&mut self, cells: &[AnswerCell], out: &mut dyn Write) -> io::Result<()>;

    /// Writes what is kept, and what stands after the rows.
    fn end(&mut self, out: &mut dyn Write) -> io::Result<()>;
}

/// Accepts the rows of an answer and writes them to their destination.
pub(crate) struct AnswerWriter {
    rows: Box<dyn RowWriter>,
    destination: Destination,
    has_columns: bool,
    count: u64,
    error: Option<io::Error>,
}

impl AnswerWriter {
    /// Makes a writer. `terminal_columns` is the width of the terminal, if that is the destination;
    /// `bar` names the column that is drawn, too.
    pub(crate) fn new(
        form: AnswerForm,
        destination: Destination,
        terminal_columns: Option<usize>,
        bar: Option<&'static str>,
    ) -> Self {
        let is_terminal = terminal_columns.is_some();
        let rows: Box<dyn RowWriter> = match form {
            AnswerForm::Text => Box::new(Aligned::new(terminal_columns, bar)),
            AnswerForm::Csv => Box::new(Delimited::csv(is_terminal)),
            AnswerForm::Tsv => Box::new(Delimited::tsv(is_terminal)),
            AnswerForm::Json => Box::new(Rows::new(Frame::Array(false))),
            AnswerForm::Jsonl => Box::new(Rows::new(Frame::Lines)),
        };
        Self::with(rows, destination)
    }

    /// Makes a writer of records, whose rows are the 16 columns and `otherFields`: one array, or a
    /// record a line.
    pub(crate) fn records(is_array: bool, destination: Destination) -> Self {
        let frame = if is_array { Frame::Array(false) } else { Frame::Lines };
        Self::with(Box::new(Records::new(frame)), destination)
    }

    fn with(rows: Box<dyn RowWriter>, destination: Destination) -> Self {
        Self { rows, destination, has_columns: false, count: 0, error: None }
    }

    /// Returns the number of rows up to now.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Writes the end, and gives a file its name. Returns the number of rows.
    ///
    /// A broken pipe counts as success, as in `… | head -1`.
    ///
    /// # Errors
    /// What could not be written, now or before. A file then keeps its earlier content.
    pub(crate) fn finish(mut self) -> io::Result<u64> {
        let written = match self.error.take() {
            Some(error) => Err(error),
            None => self.rows.end(&mut self.destination).and_then(|()| self.destination.finish()),
        };
        match written {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(self.count),
            written => written.map(|()| self.count),
        }
    }

    fn kept(&mut self, written: io::Result<()>) -> ControlFlow<()> {
        match written {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.error = Some(error);
                ControlFlow::Break(())
            }
        }
    }
}

impl RowSink for AnswerWriter {
    /// An answer may come from several statements with the same columns.
    fn columns(&mut self, names: &[String]) -> ControlFlow<()> {
        if std::mem::replace(&mut self.has_columns, true) {
            return ControlFlow::Continue(());
        }
        let written = self.rows.columns(names, &mut self.destination);
        self.kept(written)
    }

    fn row(&mut self, cells: &[AnswerCell]) -> ControlFlow<()> {
        self.count += 1;
        let written = self.rows.row(cells, &mut self.destination);
        self.kept(written)
    }
}
