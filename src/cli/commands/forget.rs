//! `forget`: removes what objects brought in.

use tokio::sync::watch;
use tracing::warn;

use super::{signals, stores};
use crate::cli::config::{ForgetSettings, Form};
use crate::cli::error::{Exit, RunError};
use crate::cli::output::{self, ForgetReport, Warning};
use crate::database::forget::{KnownObject, UriScope};
use crate::database::indexes::Index;
use crate::database::{DatabaseError, Store};

/// Objects that are removed in one transaction, unless they have more rows together than
/// [`ROWS_MAX`].
const OBJECTS_MAX: usize = 200;

/// Rows that are removed in one transaction, unless one object has more.
const ROWS_MAX: u64 = 100_000;

/// Runs the command.
pub(super) async fn run(settings: &ForgetSettings, form: Form) -> Result<Exit, RunError> {
    stores::announce(&settings.database);
    let stop = signals::stop_on_signals()?;
    let store = stores::open_imported(&settings.database).await?;
    let lacks_index = |missing: Vec<Index>| missing.iter().any(|it| it.columns == ["objectId"]);
    if !settings.is_dry_run && lacks_index(store.missing_indexes().await?) {
        warn!("{}", Warning::SlowForget);
    }
    let mut report = ForgetReport { is_dry_run: settings.is_dry_run, ..ForgetReport::default() };
    for scope in &settings.scopes {
        forget(&*store, scope, &stop, &mut report).await?;
    }
    store.close().await;
    let exit = if *stop.borrow() {
        Exit::Interrupted
    } else if report.left.objects > 0 || !report.not_found.is_empty() {
        Exit::LeftOut
    } else {
        Exit::Complete
    };
    output::print(&report, form)?;
    Ok(exit)
}

/// Removes the objects of a scope, until the user stops it: what was removed before stays removed.
async fn forget(
    store: &dyn Store,
    scope: &UriScope,
    stop: &watch::Receiver<bool>,
    report: &mut ForgetReport,
) -> Result<(), DatabaseError> {
    let mut after = None;
    loop {
        let objects = store.known_objects(scope, after, OBJECTS_MAX).await?;
        let Some(last) = objects.last() else { break };
        after = Some(last.id);
        let (known, left): (Vec<_>, Vec<_>) =
            objects.into_iter().partition(KnownObject::can_be_forgotten);
        report.left.add(&left);
        for part in parts(&known) {
            if *stop.borrow() {
                return Ok(());
            }
            if !report.is_dry_run {
                report.loaded_again += store.forget(part).await?;
            }
            report.forgotten.add(part);
        }
    }
    if after.is_none() {
        report.not_found.push(scope.object().to_owned());
    }
    Ok(())
}

/// Divides objects into those that are removed together.
fn parts(mut objects: &[KnownObject]) -> Vec<&[KnownObject]> {
    let mut parts = Vec::new();
    while !objects.is_empty() {
        let mut rows = 0;
        let fits = |object: &&KnownObject| {
            rows += object.rows;
            rows <= ROWS_MAX
        };
        let (part, rest) = objects.split_at(objects.iter().take_while(fits).count().max(1));
        parts.push(part);
        objects = rest;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trail::object::ObjectId;

    #[test]
    fn objects_are_removed_together_until_they_have_many_rows() {
        let object = |rows| {
            let (id, uri) = (ObjectId([0; 32]), String::new());
            KnownObject { id, uri, rows, rejects: 0, number: Some(1) }
        };
        let sizes = [40_000, 60_000, 1, 0, 250_000, 7, 99_993, 1].map(object);
        let counts: Vec<usize> = parts(&sizes).iter().map(|part| part.len()).collect();
        assert_eq!(counts, [2, 2, 1, 2, 1]);
        assert!(parts(&[]).is_empty());
    }
}
