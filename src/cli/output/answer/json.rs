//! One JSON array, or one JSON object a line.

use std::io::{self, Write};

use super::RowWriter;
use crate::cli::escape::visible_json;
use crate::database::answer::AnswerCell;
use crate::trail::fields::COLUMN_COUNT;
use crate::trail::record::rebuild;

/// Writes each row as an object with a member for each column, in order.
pub(super) struct Rows {
    frame: Frame,
    /// The names as JSON strings.
    names: Vec<String>,
}

/// Writes each row, the 16 columns and `otherFields`, as the record that it was made of.
pub(super) struct Records(Frame);

/// What stands around the objects.
pub(super) enum Frame {
    /// One array. Whether it has elements.
    Array(bool),
    /// An object a line.
    Lines,
}

impl Rows {
    pub(super) fn new(frame: Frame) -> Self {
        Self { frame, names: Vec::new() }
    }
}

impl Records {
    pub(super) fn new(frame: Frame) -> Self {
        Self(frame)
    }
}

impl Frame {
    /// Writes an object that has no line break.
    fn object(&mut self, object: &str, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Lines => writeln!(out, "{object}"),
            Self::Array(has_elements) => {
                let separator = if std::mem::replace(has_elements, true) { "," } else { "[" };
                write!(out, "{separator}\n  {object}")
            }
        }
    }

    fn end(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(match self {
            Self::Lines => b"",
            Self::Array(false) => b"[]\n",
            Self::Array(true) => b"\n]\n",
        })
    }
}

impl RowWriter for Rows {
    fn columns(&mut self, names: &[String], _out: &mut dyn Write) -> io::Result<()> {
        self.names = names.iter().map(|name| string(name)).collect();
        Ok(())
    }

    fn row(&mut self, cells: &[AnswerCell], out: &mut dyn Write) -> io::Result<()> {
        let mut object = String::new();
        for (name, cell) in self.names.iter().zip(cells) {
            object.push(if object.is_empty() { '{' } else { ',' });
            object.push_str(name);
            object.push(':');
            object.push_str(&value(cell));
        }
        object.push('}');
        self.frame.object(&object, out)
    }

    fn end(&mut self, out: &mut dyn Write) -> io::Result<()> {
        self.frame.end(out)
    }
}

impl RowWriter for Records {
    fn columns(&mut self, _names: &[String], _out: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }

    fn row(&mut self, cells: &[AnswerCell], out: &mut dyn Write) -> io::Result<()> {
        let text = |column: usize| cells.get(column).and_then(AnswerCell::text);
        // A string of JSON has no line break; the blanks between values may have some.
        let record =
            rebuild(&std::array::from_fn(text), text(COLUMN_COUNT)).replace(['\r', '\n'], "");
        self.0.object(&visible_json(&record), out)
    }

    fn end(&mut self, out: &mut dyn Write) -> io::Result<()> {
        self.0.end(out)
    }
}

fn value(cell: &AnswerCell) -> String {
    match cell {
        AnswerCell::Null => "null".to_owned(),
        // `Infinity` of SQLite and `NaN` of PostgreSQL are no numbers of JSON.
        AnswerCell::Number(number)
            if serde_json::from_str::<serde_json::Number>(number).is_ok() =>
        {
            number.clone()
        }
        AnswerCell::Number(text) | AnswerCell::Text(text) => string(text),
    }
}

fn string(text: &str) -> String {
    let json = serde_json::to_string(text).expect("text is a JSON string");
    visible_json(&json).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_an_object_and_the_answer_is_an_array() {
        let names = ["n".to_owned(), "t".to_owned(), "x".to_owned()];
        let cells = [
            AnswerCell::Number("17".to_owned()),
            AnswerCell::Text("</script>\u{202e}\n".to_owned()),
            AnswerCell::Null,
        ];
        let written = |mut form: Rows, rows: usize| {
            let mut out = Vec::new();
            form.columns(&names, &mut out).unwrap();
            for _ in 0..rows {
                form.row(&cells, &mut out).unwrap();
            }
            form.end(&mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        let row = r#"{"n":17,"t":"</script>\u202e\n","x":null}"#;
        assert_eq!(written(Rows::new(Frame::Array(false)), 0), "[]\n");
        assert_eq!(
            written(Rows::new(Frame::Array(false)), 2),
            format!("[\n  {row},\n  {row}\n]\n")
        );
        assert_eq!(written(Rows::new(Frame::Lines), 2), format!("{row}\n{row}\n"));
    }
}
