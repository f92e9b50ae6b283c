//! Prints a result on standard output.

use std::io::{self, Write};

use super::Report;
use crate::cli::config::Form;
use crate::cli::error::RunError;

/// Prints `report` in the given form.
pub(crate) fn print(report: &impl Report, form: Form) -> Result<(), RunError> {
    print_text(&match form {
        Form::Text => report.text(),
        Form::Json => report.json(),
    })
}

/// Prints `text`.
///
/// A broken pipe counts as success, as in `… | head -1`: the exit code still reports how the run
/// ended.
pub(crate) fn print_text(text: &str) -> Result<(), RunError> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(RunError::Output),
    }
}
