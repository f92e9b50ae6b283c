//! `verify`: compares what is loaded with the digests that CloudTrail has signed.

use std::path::PathBuf;
use std::sync::Arc;

use tracing::info;

use super::sources::{self, Opening};
use super::{signals, stores};
use crate::cli::config::{Form, VerifySettings};
use crate::cli::error::{Exit, RunError};
use crate::cli::output::{self, VerifyReport, verification_equations};
use crate::database::{Store, UpgradePolicy};
use crate::source::Source;
use crate::source::public_keys::KeyService;
use crate::source::s3::S3Options;
use crate::trail::layout::Selection;
use crate::verify::keys::{KeyError, Keys};
use crate::verify::outcome::Verified;
use crate::verify::{VerifyError, VerifyPlan, verify};

/// Runs the command.
pub(super) async fn run(settings: &VerifySettings, form: Form) -> Result<Exit, RunError> {
    stores::announce(&settings.database);
    let stop = signals::stop_on_signals()?;
    let verifying = async {
        let keys = keys(&settings.public_keys, &settings.s3).await?;
        let opening = Opening {
            specs: &settings.sources,
            s3: &settings.s3,
            follows_links: false,
            object_bytes_max: settings.object_bytes_max,
        };
        let sources = sources::open(&opening, settings.database.own_files()).await?;
        let store = stores::open_imported(&settings.database).await?;
        // What is stored of a verification has tables of its own.
        store.prepare(UpgradePolicy::Refuse).await?;
        stores::announce_part(&*store).await;
        let plan = VerifyPlan {
            selection: Arc::new(settings.selection.clone()),
            fetchers: settings.fetchers,
            rereads: settings.rereads,
            object_bytes_max: settings.object_bytes_max,
            keys,
        };
        let verified = verified(&plan, sources, &*store).await?;
        store.close().await;
        Ok::<_, RunError>(verified)
    };
    let Some(verified) = signals::unless_stopped(&stop, Box::pin(verifying)).await else {
        return Ok(Exit::Interrupted);
    };
    let verified = verified?;
    output::print(&VerifyReport(&verified), form)?;
    Ok(exit_of(&verified))
}

/// Verifies, and checks that the counts add up.
///
/// # Errors
/// Also if they do not, which is a bug in the program.
pub(super) async fn verified(
    plan: &VerifyPlan,
    sources: Vec<Arc<dyn Source>>,
    store: &dyn Store,
) -> Result<Verified, RunError> {
    let verified = verify(plan, sources, store).await?;
    if !verified.totals.is_balanced() {
        let equation = verification_equations(&verified.totals).join("; ");
        return Err(RunError::Unbalanced { equation });
    }
    let fetched = verified.fetched;
    info!("fetched {fetched} digests, read {} log files again", verified.reread);
    Ok(verified)
}

/// Returns how a verification ends.
pub(super) fn exit_of(verified: &Verified) -> Exit {
    if verified.is_all_proven() { Exit::Complete } else { Exit::LeftOut }
}

/// Returns where public keys come from: the files, or CloudTrail.
pub(super) async fn keys(files: &[PathBuf], s3: &S3Options) -> Result<Keys, VerifyError> {
    if files.is_empty() {
        let service = KeyService::new(s3.clone()).await.map_err(KeyError::from)?;
        return Ok(Keys::Service(Arc::new(service)));
    }
    Ok(Keys::of_files(files)?)
}

/// Returns the plan of the verification at the end of an import.
pub(super) fn plan_of_import(
    selection: &Selection,
    fetchers: usize,
    object_bytes_max: u64,
    keys: Keys,
) -> VerifyPlan {
    // The days of events say nothing of the days of digests.
    let selection = Selection { event_from: None, event_to: None, ..selection.clone() };
    VerifyPlan { selection: Arc::new(selection), fetchers, rereads: true, object_bytes_max, keys }
}
