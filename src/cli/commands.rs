//! Runs the command that was typed.

mod signals;

mod stores;

mod statements;

mod answering;

mod sources;

mod index;

mod verify;

mod import;

mod dry_run;

mod status;

mod record;

mod query;

mod search;

mod report;

mod forget;

mod dedupe;

mod schema;

mod completions;

mod man;

use indicatif::MultiProgress;

use crate::cli::config::{CommandSettings, Settings, defaults};
use crate::cli::error::{Exit, RunError};
use crate::cli::logging;

/// Runs one command, on threads of its own; returns how it ended.
///
/// It does not return a future: the compiler would then generate the code of all commands a second
/// time, for the program's own crate.
///
/// # Errors
/// The error that ended the run; the caller prints it.
pub fn run(settings: Settings) -> Result<Exit, RunError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(settings.blocking_threads)
        .build()
        .map_err(RunError::Threads)?;
    let outcome = runtime.block_on(run_command(settings));
    runtime.shutdown_timeout(defaults::SHUTDOWN_TIMEOUT);
    outcome
}

async fn run_command(settings: Settings) -> Result<Exit, RunError> {
    let console = settings.console;
    let bars = MultiProgress::new();
    logging::start(console.log, bars.clone());
    match &settings.command {
        CommandSettings::Import(settings) => {
            import::run(settings, console.output, console.shows_bar.then_some(&bars)).await
        }
        CommandSettings::DryRun(settings) => dry_run::run(settings, console.output).await,
        CommandSettings::Index(database) => {
            index::run(database, console.output, console.shows_bar.then_some(&bars)).await
        }
        CommandSettings::Status(settings) => status::run(settings, console.output).await,
        CommandSettings::Record(settings) => record::run(settings, console.output).await,
        CommandSettings::Questions(form) => query::list(*form),
        CommandSettings::Query(settings) => query::run(settings, console.columns).await,
        CommandSettings::Search(settings) => search::run(settings, console.columns).await,
        CommandSettings::Report(settings) => report::run(settings).await,
        CommandSettings::Forget(settings) => forget::run(settings, console.output).await,
        CommandSettings::Dedupe(settings) => dedupe::run(settings, console.output).await,
        CommandSettings::Verify(settings) => verify::run(settings, console.output).await,
        CommandSettings::Schema(engine) => schema::run(*engine),
        CommandSettings::Completions(shell) => completions::run(*shell),
        CommandSettings::Man(folder) => man::run(folder),
    }
}
