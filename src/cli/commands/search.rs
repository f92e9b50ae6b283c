//! `search`: finds events, the newest first.

use std::ops::ControlFlow;

use tracing::warn;

use super::answering;
use crate::answers::{Found, Search};
use crate::cli::config::{AnswerForm, SearchSettings};
use crate::cli::error::{Exit, RunError};
use crate::cli::output::{AnswerWriter, Destination, Warning, print_text};
use crate::database::answer::{AnswerCell, RowSink};
use crate::database::{DatabaseError, Store};
use crate::trail::time::EventTime;

/// Runs the command.
pub(super) async fn run(
    settings: &SearchSettings,
    terminal_columns: Option<usize>,
) -> Result<Exit, RunError> {
    let SearchSettings { search, export, database, .. } = settings;
    if settings.prints_sql {
        let sql = search.events(None).for_shell(database.engine());
        print_text(&format!("{sql};\n"))?;
        return Ok(Exit::Complete);
    }
    let columns = export.columns(terminal_columns);
    let make_writer = |destination: Destination| match search.found() {
        Found::Row => AnswerWriter::new(export.form, destination, columns, None),
        Found::Record => AnswerWriter::records(export.form == AnswerForm::Json, destination),
    };
    let find =
        async |store: &dyn Store, writer: &mut AnswerWriter| find(store, search, writer).await;
    let written = answering::write_answer(database, export, make_writer, find).await?;
    let Some((events, last_time)) = written else { return Ok(Exit::Interrupted) };
    if let Some(until) = last_time {
        let until = until.to_string().replace(' ', "T") + "Z";
        warn!("{}", Warning::OlderEvents { events, until });
    }
    Ok(Exit::Complete)
}

/// Passes the events to the writer. Returns the time of the last one if there may be older ones.
async fn find(
    store: &dyn Store,
    search: &Search,
    writer: &mut AnswerWriter,
) -> Result<Option<EventTime>, DatabaseError> {
    let unindexed = search.unindexed();
    if !unindexed.is_empty() {
        warn!("{}", Warning::NotIndexed(unindexed));
    }
    let missing = store.missing_indexes().await?;
    if !missing.is_empty() {
        warn!("{}", Warning::MissingIndexes(missing.iter().map(|index| index.name).collect()));
    }
    let mut time = OneTime(None);
    store.answer(&search.time_of_last(), &mut time).await?;
    store.answer(&search.events(time.0), writer).await?;
    let rest = u64::from(search.limit()).saturating_sub(writer.count());
    if let Ok(rest @ 1..) = u32::try_from(rest)
        && search.includes_untimed()
    {
        store.answer(&search.untimed_events(rest), writer).await?;
    }
    Ok(time.0)
}

/// The time that a statement returns.
struct OneTime(Option<EventTime>);

impl RowSink for OneTime {
    fn columns(&mut self, _names: &[String]) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn row(&mut self, cells: &[AnswerCell]) -> ControlFlow<()> {
        self.0 = cells.first().and_then(AnswerCell::text).and_then(EventTime::parse);
        ControlFlow::Continue(())
    }
}
