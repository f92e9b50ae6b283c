//! `dedupe`: reports events that are there more than once, and removes all rows of them but the first.

use tokio::sync::watch;
use tracing::debug;

use super::{signals, stores};
use crate::cli::config::{DedupeSettings, Form};
use crate::cli::error::{Exit, RunError};
use crate::cli::output::{self, DedupeReport};
use crate::database::dedupe::{Cursor, IdPage};
use crate::database::{DatabaseError, Store, UpgradePolicy};

/// Runs the command.
pub(super) async fn run(settings: &DedupeSettings, form: Form) -> Result<Exit, RunError> {
    stores::announce(&settings.database);
    let stop = signals::stop_on_signals()?;
    let store = stores::open_imported(&settings.database).await?;
    if settings.deletes {
        // An earlier version made the tables without the columns that count what is removed.
        store.prepare(UpgradePolicy::Refuse).await?;
    }
    store.check_duplicates(settings.deletes).await?;
    let mut report = DedupeReport::new(settings.deletes, settings.lines_max);
    look(&*store, settings.deletes, &stop, &mut report).await?;
    store.close().await;
    let exit = if *stop.borrow() {
        Exit::Interrupted
    } else if settings.deletes && report.left() > 0 {
        Exit::LeftOut
    } else {
        Exit::Complete
    };
    output::print(&report, form)?;
    Ok(exit)
}

/// Looks at all rows in the order of `eventID`, until the user stops it: what was removed before stays
/// removed.
async fn look(
    store: &dyn Store,
    deletes: bool,
    stop: &watch::Receiver<bool>,
    report: &mut DedupeReport,
) -> Result<(), DatabaseError> {
    let mut cursor = Some(Cursor::default());
    while let Some(at) = cursor {
        if *stop.borrow() {
            return Ok(());
        }
        let IdPage { ids, next } = store.duplicated_ids(&at).await?;
        let mut is_part = !ids.is_empty();
        while is_part && !*stop.borrow() {
            let found = if deletes {
                store.remove_duplicates(&ids).await?
            } else {
                store.duplicates(&ids).await?
            };
            if deletes {
                let rows: u64 = found.rows.iter().map(|it| it.rows).sum();
                debug!("removed {rows} duplicates of {} events", found.events);
            }
            is_part = found.is_part;
            report.add(found);
        }
        cursor = next;
    }
    Ok(())
}
