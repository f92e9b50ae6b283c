//! `index`: builds the missing indexes.

use std::sync::Arc;

use super::stores;
use crate::cli::config::{DatabaseSettings, Form};
use crate::cli::error::{Exit, RunError};
use crate::cli::output::{self, IndexReport};

/// Runs the command.
pub(super) async fn run(database: &DatabaseSettings, form: Form) -> Result<Exit, RunError> {
    stores::announce(database);
    let store = stores::open_imported(database).await?;
    let built = Arc::clone(&store).build_missing_indexes().await?;
    store.close().await;
    output::print(&IndexReport(built), form)?;
    Ok(Exit::Complete)
}
