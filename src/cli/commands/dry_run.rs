//! `import --dry-run`: lists and compares with the ledger; writes nothing.

use std::sync::Arc;

use super::sources::Opening;
use super::{signals, sources, stores};
use crate::cli::config::{Form, ImportSettings};
use crate::cli::error::{Exit, RunError};
use crate::cli::output::{self, DryRunReport};
use crate::database::Sink;
use crate::import::End;
use crate::import::dry_run::dry_run;
use crate::import::progress::Progress;

/// Runs the command.
pub(super) async fn run(settings: &ImportSettings, form: Form) -> Result<Exit, RunError> {
    stores::announce(&settings.database);
    sources::announce_shard(settings.shard.as_ref());
    let stop = signals::stop_on_signals()?;
    let own_files = settings.database.own_files();
    let prepared = async {
        let sources = sources::open(&Opening::of_import(settings), own_files).await?;
        let store =
            stores::open(&settings.database, settings.load_method, settings.keeps_other_fields)?;
        let has_ledger = store.has_ledger().await?;
        Ok::<_, RunError>((sources, store, has_ledger))
    };
    let Some(prepared) = signals::unless_stopped(&stop, Box::pin(prepared)).await else {
        return Ok(Exit::Interrupted);
    };
    let (sources, store, has_ledger) = prepared?;
    let ledger = has_ledger.then(|| Arc::clone(&store) as Arc<dyn Sink>);
    let progress = Arc::new(Progress::default());
    let (found, end) =
        dry_run(&settings.plan(), sources, ledger, Arc::clone(&progress), stop).await?;
    store.close().await;
    let tally = progress.tally();
    let report = DryRunReport {
        dry_run: &found,
        tally: &tally,
        prices: settings.prices,
        engine: settings.database.engine(),
    };
    output::print(&report, form)?;
    let exit = match end {
        End::Stopped => Exit::Interrupted,
        End::Complete if !found.unread.is_empty() || tally.unreadable_folders > 0 => Exit::LeftOut,
        End::Complete => Exit::Complete,
    };
    Ok(exit.accepting_losses(settings.exits_zero_on_losses))
}
