//! `report`: writes one HTML page with the answers that an investigation begins with.
//!
//! Each part of the page is the answer of a question. Questions that would each read the whole table are
//! answered by two: `hours` and `callers`. Independent questions run side by side.

use std::io::Write;

use jiff::Timestamp;
use tracing::info;

use super::{answering, signals, statements, stores};
use crate::answers::{self, Activity, Callers, Filters};
use crate::cli::config::{ReportSettings, defaults};
use crate::cli::error::{Exit, RunError};
use crate::cli::output::{
    Destination, Findings, LIST_ROWS_MAX, LedgerState, New, NewReason, TOP_ROWS_MAX, page,
};
use crate::database::answer::{RowSink, Rows};
use crate::database::jobs::latest_jobs;
use crate::database::url::Engine;
use crate::database::{DatabaseError, Store};
use crate::trail::time::EventTime;

/// The largest number of rows of `callers` that is summed up here: some 100 MB. With more, the database
/// answers each question.
const CALLERS_MAX: u32 = 500_000;

/// The largest number of rows of `hours`: 114 years of one account and region, or a month of 1,388. With
/// more, the page says that the last hours are missing.
const HOURS_MAX: u32 = 1_000_000;

/// How long before the last event something still counts as new.
const NEW_S_MAX: i64 = 24 * 3600;

/// The part of the time between the first and the last event in which something counts as new.
const NEW_PART: i64 = 4;

/// The most failed objects, and the most rejected records, that are listed.
const LOSSES_MAX: u32 = 10;

/// Asks the questions of a page.
struct Asker<'s> {
    store: &'s dyn Store,
    filters: &'s Filters,
    engine: Engine,
}

/// Runs the command.
pub(super) async fn run(settings: &ReportSettings) -> Result<Exit, RunError> {
    stores::announce(&settings.database);
    let unwritable =
        |source| RunError::Answer { target: settings.file.display().to_string(), source };
    // Before the questions, which may take long.
    let mut destination = Destination::open(Some(&settings.file), false).map_err(unwritable)?;
    let store = stores::open_imported(&settings.database).await?;
    let reading = async {
        answering::check(&store, &settings.database).await?;
        read(&*store, settings, CALLERS_MAX).await
    };
    let read = statements::unless_stopped(&*store, reading, signals::interruption()).await;
    let findings = match read {
        Ok(findings) => findings?,
        Err(interrupted) => return interrupted.map(|()| Exit::Interrupted),
    };
    store.close().await;
    let page = page(&findings);
    destination.write_all(page.as_bytes()).map_err(unwritable)?;
    destination.finish().map_err(unwritable)?;
    info!("wrote {}: {} bytes", settings.file.display(), page.len());
    Ok(Exit::Complete)
}

/// Asks all questions of the page.
async fn read(
    store: &dyn Store,
    settings: &ReportSettings,
    callers_max: u32,
) -> Result<Findings, DatabaseError> {
    let filters = &settings.filters;
    let asker = Asker { store, filters, engine: settings.database.engine() };
    let activity = async {
        let mut activity = Activity::default();
        asker.ask("hours", Some(HOURS_MAX), &mut activity).await?;
        let ledger = ledger(store).await?;
        Ok::<_, DatabaseError>((activity, ledger))
    };
    let callers = async {
        let mut callers = Callers::default();
        asker.ask("callers", Some(callers_max), &mut callers).await?;
        Ok::<_, DatabaseError>(callers)
    };
    let lists = async {
        Ok::<_, DatabaseError>((
            asker.rows("services", TOP_ROWS_MAX).await?,
            asker.rows("errors", TOP_ROWS_MAX).await?,
            asker.rows("root", LIST_ROWS_MAX).await?,
            asker.rows("console-logins", LIST_ROWS_MAX).await?,
            asker.rows("iam-changes", LIST_ROWS_MAX).await?,
            asker.rows("public-exposure", LIST_ROWS_MAX).await?,
            asker.rows("tampering", LIST_ROWS_MAX).await?,
        ))
    };
    let ((activity, ledger), callers, lists) = tokio::try_join!(activity, callers, lists)?;
    let is_whole = callers.rows() < as_usize(callers_max);
    let callers = Some(callers).filter(|_| is_whole);
    let new = match new_since(settings, &activity) {
        Some((since, reason)) => Some(asker.newly_seen(since, reason, callers.as_ref()).await?),
        None => None,
    };
    let [principals, addresses, tools] = asker.top(callers.as_ref()).await?;
    let (services, errors, root, logins, iam, exposure, tampering) = lists;
    Ok(Findings {
        database: settings.database.url.to_string(),
        created: EventTime::from_unix_s(Timestamp::now().as_second()),
        filters: filters.clone(),
        is_cut: activity.rows >= u64::from(HOURS_MAX),
        activity,
        ledger,
        services,
        principals,
        addresses,
        tools,
        errors,
        new,
        root,
        logins,
        iam,
        exposure,
        tampering,
    })
}

impl Asker<'_> {
    async fn ask(
        &self,
        name: &str,
        rows_max: Option<u32>,
        sink: &mut dyn RowSink,
    ) -> Result<(), DatabaseError> {
        let filters = Filters { limit: rows_max, ..self.filters.clone() };
        self.ask_about(name, &filters, sink).await
    }

    async fn ask_about(
        &self,
        name: &str,
        filters: &Filters,
        sink: &mut dyn RowSink,
    ) -> Result<(), DatabaseError> {
        let question = answers::question(name).expect("the questions of the page exist");
        let statement = question.statement(filters, self.engine);
        let statement = statement.expect("the questions of the page take its filters");
        self.store.answer(&statement, sink).await
    }

    async fn rows(&self, name: &str, rows_max: u32) -> Result<Rows, DatabaseError> {
        let mut rows = Rows::default();
        self.ask(name, Some(rows_max), &mut rows).await?;
        Ok(rows)
    }

    /// Returns the most active principals, addresses and tools.
    async fn top(&self, callers: Option<&Callers>) -> Result<[Rows; 3], DatabaseError> {
        let rows_max = as_usize(TOP_ROWS_MAX);
        if let Some(callers) = callers {
            return Ok([
                callers.principals(rows_max),
                callers.addresses(rows_max),
                callers.tools(rows_max),
            ]);
        }
        let (principals, addresses, tools) = tokio::try_join!(
            self.rows("principals", TOP_ROWS_MAX),
            self.rows("source-ips", TOP_ROWS_MAX),
            self.rows("user-agents", TOP_ROWS_MAX),
        )?;
        Ok([principals, addresses, tools])
    }

    /// Returns what was first seen at or after a time.
    ///
    /// With `--since`, events before it count, too: what they have is not new. `callers` does not have
    /// them, so the database is asked.
    async fn newly_seen(
        &self,
        since: EventTime,
        reason: NewReason,
        callers: Option<&Callers>,
    ) -> Result<New, DatabaseError> {
        if let Some(callers) = callers.filter(|_| self.filters.since.is_none()) {
            let rows_max = as_usize(LIST_ROWS_MAX);
            return Ok(New {
                since,
                reason,
                principals: callers.new_principals(since, rows_max),
                addresses: callers.new_addresses(since, rows_max),
                tools: callers.new_tools(since, rows_max),
            });
        }
        let filters =
            &Filters { since: Some(since), limit: Some(LIST_ROWS_MAX), ..self.filters.clone() };
        let rows = async |name| {
            let mut rows = Rows::default();
            self.ask_about(name, filters, &mut rows).await.map(|()| rows)
        };
        let (principals, addresses, tools) = tokio::try_join!(
            rows("new-principals"),
            rows("new-source-ips"),
            rows("new-user-agents"),
        )?;
        Ok(New { since, reason, principals, addresses, tools })
    }
}

/// Reads what the ledger records.
async fn ledger(store: &dyn Store) -> Result<LedgerState, DatabaseError> {
    let runs = store.runs(defaults::JOB_RUNS_MAX).await?;
    Ok(LedgerState {
        totals: store.ledger_totals().await?,
        part: store.partly_loaded().await?,
        rows_of_first_schema: store.rows_of_first_schema().await?,
        jobs: latest_jobs(&runs),
        last_run: runs.into_iter().next(),
        failed: store.failed_objects(LOSSES_MAX).await?,
        rejected: store.rejected_records(LOSSES_MAX).await?,
    })
}

/// Returns from when something counts as new, and why; `None` if there are no events.
fn new_since(settings: &ReportSettings, activity: &Activity) -> Option<(EventTime, NewReason)> {
    if let Some(time) = settings.new_since {
        return Some((time, NewReason::Given));
    }
    if let Some(time) = settings.filters.since {
        return Some((time, NewReason::Since));
    }
    let (first, last) = activity.span()?;
    let part_s = (last.unix_s() - first.unix_s()) / NEW_PART;
    let (before_s, reason) = if part_s > NEW_S_MAX {
        (NEW_S_MAX, NewReason::LastDay)
    } else {
        (part_s, NewReason::LastQuarter)
    };
    let hour = EventTime::from_unix_s(last.unix_s() - before_s).map(answers::hour_of)?;
    Some((answers::hour_start(hour)?, reason))
}

fn as_usize(rows_max: u32) -> usize {
    usize::try_from(rows_max).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::config::{DatabaseSettings, Environment};
    use crate::database::{LoadMethod, UpgradePolicy};

    #[tokio::test]
    async fn with_too_many_callers_the_database_answers_each_question() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("x.db").display());
        let database =
            DatabaseSettings::resolve(Some(&url), None, &Environment::default()).unwrap();
        let store = stores::open(&database, LoadMethod::Insert, true).unwrap();
        store.prepare(UpgradePolicy::Refuse).await.unwrap();
        let settings = ReportSettings {
            database,
            filters: Filters::default(),
            new_since: EventTime::parse("2026-01-15T00:00:00Z"),
            file: "x.html".into(),
        };
        let names = |findings: &Findings| {
            let new = findings.new.as_ref().unwrap();
            let top = [&findings.principals, &findings.addresses, &findings.tools];
            let all = top.into_iter().chain([&new.principals, &new.addresses, &new.tools]);
            all.map(|rows| rows.columns.clone()).collect::<Vec<_>>()
        };
        let asked = names(&read(&*store, &settings, 0).await.unwrap());
        assert_eq!(asked, names(&read(&*store, &settings, 1).await.unwrap()));
        assert!(asked.iter().all(|columns| !columns.is_empty()), "{asked:?}");
    }
}
