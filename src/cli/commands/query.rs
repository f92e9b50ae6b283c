//! `query`: answers a question by its name.

use std::sync::Arc;

use tracing::warn;

use super::{signals, stores};
use crate::answers;
use crate::cli::config::{Form, QuerySettings};
use crate::cli::error::{Exit, RunError};
use crate::cli::output::{self, AnswerWriter, Destination, QuestionList, Warning, print_text};
use crate::database::{DatabaseError, Store};

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
    stores::announce(&settings.database);
    let unwritable = |source| {
        let file = settings.file.as_ref().map(|path| path.display().to_string());
        RunError::Answer { target: file.unwrap_or("the answer".to_owned()), source }
    };
    // Before the question, which may take long.
    let destination =
        Destination::open(settings.file.as_deref(), settings.is_gzip).map_err(unwritable)?;
    let columns = terminal_columns.filter(|_| settings.file.is_none() && !settings.is_gzip);
    let mut writer = AnswerWriter::new(settings.form, destination, columns, settings.bar);
    let answering = async {
        let store = stores::open_imported(&settings.database).await?;
        check(&store, settings).await?;
        store.answer(&settings.statement, &mut writer).await?;
        store.close().await;
        Ok::<(), RunError>(())
    };
    tokio::select! {
        answered = answering => answered?,
        interrupted = signals::interruption() => return interrupted.map(|()| Exit::Interrupted),
    }
    let rows = writer.finish().map_err(unwritable)?;
    if settings.rows_max.is_some_and(|rows_max| rows == u64::from(rows_max)) {
        warn!("{}", Warning::RowLimit(rows));
    }
    Ok(Exit::Complete)
}

/// Checks that the database has what questions read.
async fn check(store: &Arc<dyn Store>, settings: &QuerySettings) -> Result<(), DatabaseError> {
    let missing = store.missing_for_answers().await?;
    if missing.is_empty() {
        return Ok(());
    }
    let message = format!("{} has no {}", settings.database.url, missing.join(" and no "));
    let hint =
        "`cloudtrail2sql import` creates what is missing, if the account may create tables and \
                views; `cloudtrail2sql schema` prints the SQL for an administrator"
            .to_owned();
    Err(DatabaseError::unusable(message, hint))
}
