//! CSV and TSV.

use std::io::{self, Write};

use super::RowWriter;
use crate::cli::escape::visible;
use crate::database::answer::AnswerCell;

/// Writes CSV or TSV, with a line of column names. NULL is an empty value.
pub(super) struct Delimited {
    is_csv: bool,
    /// Whether hidden characters are escaped, so that they cannot control the terminal.
    is_terminal: bool,
}

impl Delimited {
    /// RFC 4180: lines end in CR LF; a value with a comma, a quote or a line break is quoted. An empty
    /// text is quoted, too, unlike NULL.
    pub(super) fn csv(is_terminal: bool) -> Self {
        Self { is_csv: true, is_terminal }
    }

    /// Tab-separated: a tab, a line break or a backslash in a value becomes `\t`, `\n`, `\r` or `\\`,
    /// as in PostgreSQL's text format of COPY.
    pub(super) fn tsv(is_terminal: bool) -> Self {
        Self { is_csv: false, is_terminal }
    }

    fn line<'c>(
        &self,
        values: impl Iterator<Item = Option<&'c str>>,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        for (n, value) in values.enumerate() {
            if n > 0 {
                out.write_all(if self.is_csv { b"," } else { b"\t" })?;
            }
            let Some(value) = value else { continue };
            let value = if self.is_csv { quoted(value) } else { escaped(value) };
            if self.is_terminal {
                out.write_all(visible(&value).as_bytes())?;
            } else {
                out.write_all(value.as_bytes())?;
            }
        }
        out.write_all(if self.is_csv { b"\r\n" } else { b"\n" })
    }
}

impl RowWriter for Delimited {
    fn columns(&mut self, names: &[String], out: &mut dyn Write) -> io::Result<()> {
        self.line(names.iter().map(|name| Some(name.as_str())), out)
    }

    fn row(&mut self, cells: &[AnswerCell], out: &mut dyn Write) -> io::Result<()> {
        self.line(cells.iter().map(AnswerCell::text), out)
    }

    fn end(&mut self, _out: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }
}

fn quoted(value: &str) -> String {
    if value.is_empty() || value.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", value.replace('"', "\"\""))
    } else {
        value.to_owned()
    }
}

fn escaped(value: &str) -> String {
    if !value.contains(['\\', '\t', '\r', '\n']) {
        return value.to_owned();
    }
    value.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n").replace('\r', "\\r")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_can_be_read_back() {
        let text = |text: &str| AnswerCell::Text(text.to_owned());
        let cells = [
            text("a,b"),
            text("say \"x\"\r\n"),
            AnswerCell::Null,
            text(""),
            text("t\tb\\"),
            text("=1"),
        ];
        for (mut form, expected) in [
            (Delimited::csv(false), "\"a,b\",\"say \"\"x\"\"\r\n\",,\"\",t\tb\\,=1\r\n"),
            (Delimited::tsv(false), "a,b\tsay \"x\"\\r\\n\t\t\tt\\tb\\\\\t=1\n"),
        ] {
            let mut out = Vec::new();
            form.row(&cells, &mut out).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
        let mut out = Vec::new();
        Delimited::csv(true).row(&[text("\u{1b}[2J")], &mut out).unwrap();
        assert_eq!(out, b"\\u{1b}[2J\r\n");
    }
}
