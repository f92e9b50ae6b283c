//! `man`: writes the manual pages.

use std::fs;
use std::path::Path;

use tracing::info;

use crate::cli::args::manual_pages;
use crate::cli::error::{Exit, RunError};

/// Runs the command. Pages of an earlier version are replaced.
pub(super) fn run(folder: &Path) -> Result<Exit, RunError> {
    let unwritable =
        |path: &Path, source| RunError::Answer { target: path.display().to_string(), source };
    fs::create_dir_all(folder).map_err(|source| unwritable(folder, source))?;
    let pages = manual_pages();
    for page in &pages {
        let path = folder.join(&page.file_name);
        fs::write(&path, &page.text).map_err(|source| unwritable(&path, source))?;
    }
    info!("wrote {} manual pages into {}", pages.len(), folder.display());
    Ok(Exit::Complete)
}
