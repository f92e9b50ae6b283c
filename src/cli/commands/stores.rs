//! Opens the database of a command.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use tracing::{info, warn};

use crate::cli::config::{DatabaseSettings, defaults};
use crate::cli::error::RunError;
use crate::cli::output::Warning;
use crate::database::{self, DatabaseError, LoadMethod, OpenOptions, Store, Timeouts};

/// Logs which database is used, and what named it.
pub(super) fn announce(settings: &DatabaseSettings) {
    info!("database: {} ({})", settings.url, settings.origin);
    if let Some(path) = settings.unread_config.clone() {
        let origin = settings.origin.clone();
        warn!("{}", Warning::ConfigNotRead { path, origin });
    }
    if let Some(path) = settings.exposed_config.clone() {
        warn!("{}", Warning::ConfigReadable(path));
    }
    if let Some(path) = settings.url.sqlite_path().filter(|path| is_readable_by_others(path)) {
        warn!("{}", Warning::DatabaseReadable(path));
    }
}

fn is_readable_by_others(file: &Path) -> bool {
    std::fs::metadata(file).is_ok_and(|metadata| metadata.mode() & 0o044 != 0)
}

/// Opens a database to load into. It need not exist.
pub(super) fn open(
    settings: &DatabaseSettings,
    load_method: LoadMethod,
    keeps_other_fields: bool,
) -> Result<Arc<dyn Store>, RunError> {
    let (retry, timeouts) = (defaults::database_retry(settings.retry_for), Timeouts::default());
    let options = OpenOptions { load_method, retry, timeouts, keeps_other_fields };
    Ok(database::open(&settings.url, options)?)
}

/// Opens a database that has our tables.
pub(super) async fn open_imported(settings: &DatabaseSettings) -> Result<Arc<dyn Store>, RunError> {
    let store = open(settings, LoadMethod::Insert, true)?;
    if store.has_ledger().await? {
        return Ok(store);
    }
    let message = format!("nothing has been imported into {}", settings.url);
    let hint = "`cloudtrail2sql import SOURCE` creates the tables and fills them".to_owned();
    Err(DatabaseError::unusable(message, hint).into())
}

/// Logs that filters of imports left records out of a database that questions are asked of.
pub(super) async fn announce_part(store: &dyn Store) {
    match store.partly_loaded().await {
        Ok(None) => {}
        Ok(Some(part)) => warn!("{}", Warning::PartlyLoaded(part)),
        // Whoever asks need not have the right to read the ledger.
        Err(error) => warn!("{}", Warning::PartUnknown(error.into_source().to_string())),
    }
}
