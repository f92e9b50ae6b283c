//! One JSON array, or one JSON object a line.

use std::io::{self, Write};

use super::RowWriter;
use crate::cli::escape::visible_json;
use crate::database::answer::AnswerCell;

/// Writes each row as an object with a member for each column, in order.
pub(super) struct Json {
    is_array: bool,
    /// The names as JSON strings.
    names: Vec<String>,
    has_rows: bool,
}

impl Json {
    pub(super) fn array() -> Self {
        Self { is_array: true, names: Vec::new(), has_rows: false }
    }

    pub(super) fn lines() -> Self {
        Self { is_array: false, names: Vec::new(), has_rows: false }
    }
}

impl RowWriter for Json {
    fn columns(&mut self, names: &[String], _out: &mut dyn Write) -> io::Result<()> {
        self.names = names.iter().map(|name| string(name)).collect();
        Ok(())
    }

    fn row(&mut self, cells: &[AnswerCell], out: &mut dyn Write) -> io::Result<()> {
        out.write_all(match (self.is_array, self.has_rows) {
            (false, _) => b"",
            (true, false) => b"[\n  ",
            (true, true) => b",\n  ",
        })?;
        self.has_rows = true;
        for (n, (name, cell)) in self.names.iter().zip(cells).enumerate() {
            write!(out, "{}{name}:{}", if n > 0 { "," } else { "{" }, value(cell))?;
        }
        out.write_all(if self.is_array { b"}" } else { b"}\n" })
    }

    fn end(&mut self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(match (self.is_array, self.has_rows) {
            (false, _) => b"",
            (true, false) => b"[]\n",
            (true, true) => b"\n]\n",
        })
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
        let written = |mut form: Json, rows: usize| {
            let mut out = Vec::new();
            form.columns(&names, &mut out).unwrap();
            for _ in 0..rows {
                form.row(&cells, &mut out).unwrap();
            }
            form.end(&mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        let row = r#"{"n":17,"t":"</script>\u202e\n","x":null}"#;
        assert_eq!(written(Json::array(), 0), "[]\n");
        assert_eq!(written(Json::array(), 2), format!("[\n  {row},\n  {row}\n]\n"));
        assert_eq!(written(Json::lines(), 2), format!("{row}\n{row}\n"));
    }
}
