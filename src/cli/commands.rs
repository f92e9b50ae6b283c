//! Wiring of one command: from what was typed to an exit code.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::MultiProgress;
use tokio::sync::watch;
use tracing::{error, info, warn};

use crate::cli::args::{Cli, Command, Form, GlobalArgs, write_completions};
use crate::cli::config::{
    Database as DatabaseSettings, Environment, ImportSettings, SourceSpec, StatusPart,
};
use crate::cli::error::{Exit, RunError};
use crate::cli::logging::{self, LogOptions};
use crate::cli::output::{self, DryRunReport, Live, Status, Summary};
use crate::database::{
    self, BuiltIndexes, DatabaseError, LoadMethod, OpenOptions, Sink, Store, UpgradePolicy,
};
use crate::import::batcher::BatchLimits;
use crate::import::dry_run::dry_run;
use crate::import::pipeline;
use crate::import::progress::Progress;
use crate::import::{End, Plan};
use crate::retry::RetryPolicy;
use crate::source::Source;
use crate::source::folder::FolderSource;
use crate::source::s3::{S3Connector, S3Options};

/// Objects fetched at once from S3, where each waits for the network.
///
/// Files come small: half of them have less than a kilobyte, and an answer takes 20 ms or more.
const FETCHERS_S3: usize = 128;

/// The least of threads for what blocks: files to read, folders to list, large objects to parse.
const BLOCKING_THREADS_MIN: usize = 4;

/// The most objects of one batch: what their ledger lines cost, a batch of rows costs too.
const BATCH_OBJECTS_MAX: usize = 5_000;

/// How a request to the database is repeated: for about half a minute, long enough for a server to
/// restart.
const DATABASE_RETRY: RetryPolicy = RetryPolicy {
    attempts_max: 10,
    deadline: Duration::from_mins(1),
    first_wait_max: Duration::from_millis(100),
    wait_max: Duration::from_secs(10),
};

/// Runs one command; returns how it ended.
///
/// # Errors
/// What ended the run; the caller tells it.
pub async fn run(cli: Cli, environment: &Environment) -> Result<Exit, RunError> {
    let bars = MultiProgress::new();
    let global = &cli.global;
    let is_terminal = std::io::stderr().is_terminal();
    logging::start(
        LogOptions {
            is_quiet: global.quiet,
            verbosity: global.verbose,
            is_json: global.log_format == Form::Json,
            is_coloured: global.color.is_on(is_terminal, environment),
        },
        bars.clone(),
    );
    match cli.command {
        Command::Import(args) => {
            let settings = args.settings(global.database(environment)?)?;
            say_database(&settings.database);
            let shows_bars = is_terminal && !global.quiet && global.log_format == Form::Text;
            if settings.is_dry_run {
                show_dry_run(&settings, global.output).await
            } else {
                import(settings, global, shows_bars.then_some(&bars)).await
            }
        }
        Command::Index => {
            let settings = global.database(environment)?;
            say_database(&settings);
            let database = open_imported(&settings).await?;
            let built = Arc::clone(&database).build_missing_indexes().await?;
            database.close().await;
            print(&match global.output {
                Form::Text => output::index_text(&built),
                Form::Json => output::index_json(&built),
            })?;
            Ok(Exit::Complete)
        }
        Command::Status(args) => {
            let settings = args.settings(global.database(environment)?)?;
            say_database(&settings.database);
            let database = open_imported(&settings.database).await?;
            let lines_max = u32::try_from(settings.lines_max).unwrap_or(u32::MAX);
            let status = read_status(&*database, settings.part, lines_max).await?;
            database.close().await;
            print(&match global.output {
                Form::Text => output::status_text(&status),
                Form::Json => output::status_json(&status),
            })?;
            Ok(Exit::Complete)
        }
        Command::Completions { shell } => {
            unless_unread(write_completions(shell, &mut std::io::stdout()))?;
            Ok(Exit::Complete)
        }
    }
}

fn say_database(settings: &DatabaseSettings) {
    info!("database: {} ({})", settings.url, settings.origin);
    if let Some(path) = &settings.unread_config {
        warn!("{} is not read: the database is named {}", path.display(), settings.origin);
    }
}

fn open(settings: &DatabaseSettings, load_method: LoadMethod) -> Result<Arc<dyn Store>, RunError> {
    Ok(database::open(&settings.url, OpenOptions { load_method })?)
}

/// Opens a database that has our tables.
async fn open_imported(settings: &DatabaseSettings) -> Result<Arc<dyn Store>, RunError> {
    let database = open(settings, LoadMethod::Insert)?;
    if database.has_ledger().await? {
        return Ok(database);
    }
    let what = format!("nothing was imported into {}", settings.url);
    let hint = "`cloudtrail2sql import SOURCE` makes the tables and fills them".to_owned();
    Err(DatabaseError::unusable(what, hint).into())
}

/// Reads one part of what the ledger records.
async fn read_status(
    database: &dyn Store,
    part: StatusPart,
    lines_max: u32,
) -> Result<Status, DatabaseError> {
    Ok(match part {
        StatusPart::Totals => Status::Totals {
            totals: database.ledger_totals().await?,
            last_run: database.runs(1).await?.pop().map(Box::new),
        },
        StatusPart::Runs => Status::Runs(database.runs(lines_max).await?),
        StatusPart::Failed => Status::Failed(database.failed_objects(lines_max).await?),
        StatusPart::Rejected => Status::Rejected(database.rejected_records(lines_max).await?),
    })
}

/// Opens every source; a name that leads nowhere ends the run before anything is written.
async fn open_sources(
    specs: &[SourceSpec],
    s3: &S3Options,
) -> Result<Vec<Arc<dyn Source>>, RunError> {
    let mut connector = None;
    let mut sources: Vec<Arc<dyn Source>> = Vec::new();
    for spec in specs {
        match spec {
            SourceSpec::Path(path) => sources.push(Arc::new(FolderSource::open(path)?)),
            SourceSpec::S3 { bucket, key } => {
                if connector.is_none() {
                    connector = Some(S3Connector::new(s3.clone()).await?);
                }
                let connector = connector.as_ref().expect("it was made above");
                sources.push(Arc::new(connector.open(bucket, key).await?));
            }
        }
    }
    Ok(sources)
}

async fn show_dry_run(settings: &ImportSettings, output: Form) -> Result<Exit, RunError> {
    let stop = stop_on_signals()?;
    let sources = open_sources(&settings.sources, &settings.s3).await?;
    let database = open(&settings.database, settings.load_method)?;
    let has_ledger = database.has_ledger().await?;
    let ledger = has_ledger.then(|| Arc::clone(&database) as Arc<dyn Sink>);
    let progress = Arc::new(Progress::default());
    let (found, end) =
        dry_run(&plan(settings), sources, ledger, Arc::clone(&progress), stop).await?;
    database.close().await;
    let report = DryRunReport {
        dry_run: &found,
        tally: &progress.tally(),
        prices: settings.prices,
        engine: settings.database.engine(),
    };
    print(&match output {
        Form::Text => output::dry_run_text(&report),
        Form::Json => output::dry_run_json(&report),
    })?;
    Ok(if end == End::Stopped { Exit::Interrupted } else { Exit::Complete })
}

async fn import(
    settings: ImportSettings,
    global: &GlobalArgs,
    bars: Option<&MultiProgress>,
) -> Result<Exit, RunError> {
    let stop = stop_on_signals()?;
    let sources = open_sources(&settings.sources, &settings.s3).await?;
    let started = Instant::now();
    let database = open(&settings.database, settings.load_method)?;
    let policy =
        if settings.upgrades_table { UpgradePolicy::Upgrade } else { UpgradePolicy::Refuse };
    let is_created = database.prepare(policy).await?;
    let run_id = database.begin_run(&sources_json(&settings.sources)).await?;
    let prepare_took = started.elapsed();

    let progress = Arc::new(Progress::default());
    let live = Live::start(Arc::clone(&progress), bars);
    let started = Instant::now();
    let sink = Arc::clone(&database) as Arc<dyn Sink>;
    let plan = plan(&settings);
    let loading = pipeline::run(plan, sources, sink, run_id, Arc::clone(&progress), stop.clone());
    let loaded = loading.await;
    drop(live);
    let load_took = started.elapsed();

    let mut tally = progress.tally();
    if loaded.is_err() {
        tally.leave_unsettled();
    }
    let mut exit = match &loaded {
        Ok(End::Stopped) => Exit::Interrupted,
        Ok(End::Complete) if tally.has_losses() => Exit::LeftOut,
        Ok(End::Complete) => Exit::Complete,
        Err(_) => Exit::Failed,
    };
    let started = Instant::now();
    let mut failure = loaded.err().map(RunError::from);
    let mut built = Vec::new();
    if failure.is_none() && exit != Exit::Interrupted && settings.builds_indexes {
        match indexes(&database, stop).await {
            Ok(Some(indexes)) => built = indexes,
            Ok(None) => exit = Exit::Interrupted,
            Err(error) => failure = Some(error),
        }
    }
    let index_took = started.elapsed();
    if failure.is_none() && !tally.is_balanced() {
        failure = Some(RunError::Unbalanced { equation: output::equations(&tally).join("; ") });
    }
    if failure.is_some() {
        exit = Exit::Failed;
    }
    // After an error of the database these may fail, too; the first error is the one to tell.
    let finished = database.finish_run(run_id, exit.as_str(), &tally.totals()).await;
    let missing = database.missing_indexes().await;
    database.close().await;
    let summary = Summary {
        database: format!("{} ({})", settings.database.url, settings.database.origin),
        is_created,
        exit,
        tally,
        prepare_took,
        load_took,
        built,
        index_took,
        missing: missing.unwrap_or_default(),
    };
    let printed = print(&match global.output {
        Form::Text => output::summary_text(&summary),
        Form::Json => output::summary_json(&summary),
    });
    if let Some(error) = failure {
        return Err(error);
    }
    printed?;
    finished?;
    Ok(exit)
}

/// Builds the missing indexes; `None` if the user stopped it.
async fn indexes(
    database: &Arc<dyn Store>,
    mut stop: watch::Receiver<bool>,
) -> Result<Option<Vec<BuiltIndexes>>, RunError> {
    tokio::select! {
        built = Arc::clone(database).build_missing_indexes() => Ok(Some(built?)),
        stopped = stop.wait_for(|is_set| *is_set) => match stopped {
            Ok(_) => Ok(None),
            Err(_) => std::future::pending().await,
        },
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Returns how many threads may be blocked at once: as many as there is work for, because each
/// keeps memory of its own.
pub fn blocking_threads(cli: &Cli) -> usize {
    let fetchers = match &cli.command {
        Command::Import(args) => args.load.fetchers.unwrap_or_default(),
        _ => 0,
    };
    fetchers.max(cores()).max(BLOCKING_THREADS_MIN)
}

fn plan(settings: &ImportSettings) -> Plan {
    let has_s3 = settings.sources.iter().any(|spec| matches!(spec, SourceSpec::S3 { .. }));
    let cores = cores();
    let fetchers_default = if has_s3 { FETCHERS_S3.max(cores) } else { cores };
    Plan {
        selection: Arc::new(settings.selection.clone()),
        shard: settings.shard,
        listers: settings.listers,
        fetchers: settings.fetchers.unwrap_or(fetchers_default),
        writers: settings.writers,
        batch: BatchLimits {
            rows_max: settings.batch_rows_max,
            bytes_max: settings.batch_bytes_max,
            objects_max: BATCH_OBJECTS_MAX,
        },
        memory_bytes: settings.memory_bytes,
        object_bytes_max: settings.object_bytes_max,
        retry: DATABASE_RETRY,
    }
}

fn sources_json(specs: &[SourceSpec]) -> String {
    let names: Vec<String> = specs.iter().map(ToString::to_string).collect();
    serde_json::to_string(&names).expect("strings are JSON")
}

/// Returns what turns true at the first SIGINT or SIGTERM; the second one ends the process.
fn stop_on_signals() -> Result<watch::Receiver<bool>, RunError> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt()).map_err(RunError::Signals)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(RunError::Signals)?;
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(async move {
        let mut next = async || {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        };
        next().await;
        warn!("stopping: loading what is in flight; once more stops at once");
        stop.send_replace(true);
        next().await;
        error!("stopped at once: what is not committed is not in; the same command goes on");
        #[expect(clippy::exit, reason = "the user asked twice; open transactions roll back")]
        std::process::exit(i32::from(Exit::Interrupted.code()));
    });
    Ok(stopped)
}

fn print(text: &str) -> Result<(), RunError> {
    let mut out = std::io::stdout().lock();
    unless_unread(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// Takes it for printed if the reader has had enough, as in `… | head -1`: how the run ended is
/// still to be told, by the exit code.
fn unless_unread(printed: io::Result<()>) -> Result<(), RunError> {
    match printed {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(RunError::Output),
    }
}

/// How long the process may take to end after its work: a blocking read that hangs is left.
pub const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);
