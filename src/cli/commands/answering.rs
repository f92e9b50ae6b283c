//! What `query`, `search` and `report` share: they open the database and the destination, and pass rows on
//! until the end or a Ctrl-C.

use std::io;
use std::sync::Arc;

use super::{signals, statements, stores};
use crate::cli::config::{DatabaseSettings, Export};
use crate::cli::error::RunError;
use crate::cli::output::{AnswerWriter, Destination};
use crate::database::{DatabaseError, Store};

/// Writes what `ask` passes to the writer that `make_writer` makes. Returns the number of rows and
/// what `ask` returns; `None` if the user stopped it, after the server has stopped, too.
pub(super) async fn write_answer<T>(
    database: &DatabaseSettings,
    export: &Export,
    make_writer: impl FnOnce(Destination) -> AnswerWriter,
    ask: impl AsyncFnOnce(&dyn Store, &mut AnswerWriter) -> Result<T, DatabaseError>,
) -> Result<Option<(u64, T)>, RunError> {
    stores::announce(database);
    let unwritable = |source: io::Error| {
        let file = export.file.as_ref().map(|path| path.display().to_string());
        RunError::Answer { target: file.unwrap_or("the answer".to_owned()), source }
    };
    // Before the question, which may take long.
    let destination =
        Destination::open(export.file.as_deref(), export.is_gzip).map_err(unwritable)?;
    let mut writer = make_writer(destination);
    let store = stores::open_imported(database).await?;
    let asking = async {
        check(&store, database).await?;
        stores::announce_part(&*store).await;
        ask(&*store, &mut writer).await
    };
    let asked = match statements::unless_stopped(&*store, asking, signals::interruption()).await {
        Ok(asked) => asked?,
        Err(interrupted) => return interrupted.map(|()| None),
    };
    store.close().await;
    let rows = writer.finish().map_err(unwritable)?;
    Ok(Some((rows, asked)))
}

/// Checks that the database has what answers read.
pub(super) async fn check(
    store: &Arc<dyn Store>,
    database: &DatabaseSettings,
) -> Result<(), DatabaseError> {
    let missing = store.missing_for_answers().await?;
    if missing.is_empty() {
        return Ok(());
    }
    let message = format!("{} has no {}", database.url, missing.join(" and no "));
    let hint =
        "`cloudtrail2sql import` creates what is missing, if the account may create tables and \
                views; `cloudtrail2sql schema` prints the SQL for an administrator"
            .to_owned();
    Err(DatabaseError::unusable(message, hint))
}
