//! `query`: answers a question by its name.

use tracing::warn;

use super::answering;
use crate::answers;
use crate::cli::config::{Form, QuerySettings};
use crate::cli::error::{Exit, RunError};
use crate::cli::output::{self, AnswerWriter, QuestionList, Warning, print_text};

/// Lists the questions.
pub(super) fn list(form: Form) -> Result<Exit, RunError> {
    output::print(&QuestionList(answers::questions()), form)?;
    Ok(Exit::Complete)
}

/// Runs the command.
pub(super) async fn run(
    settings: &QuerySettings,
    terminal_columns: Option<usize>,
) -> Result<Exit, RunError> {
    if settings.prints_sql {
        let sql = settings.statement.for_shell(settings.database.engine());
        print_text(&format!("{sql};\n"))?;
        return Ok(Exit::Complete);
    }
    let export = &settings.export;
    let columns = export.columns(terminal_columns);
    let written = answering::write_answer(
        &settings.database,
        export,
        |destination| AnswerWriter::new(export.form, destination, columns, settings.bar),
        async |store, writer| store.answer(&settings.statement, writer).await,
    );
    let Some((rows, ())) = written.await? else { return Ok(Exit::Interrupted) };
    if settings.rows_max.is_some_and(|rows_max| rows == u64::from(rows_max)) {
        warn!("{}", Warning::RowLimit(rows));
    }
    Ok(Exit::Complete)
}
