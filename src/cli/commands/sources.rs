//! Opens the sources of an import.

use std::path::PathBuf;
use std::sync::Arc;

use tracing::info;

use crate::cli::config::{ImportSettings, ShardSettings, SourceSpec};
use crate::cli::error::RunError;
use crate::source::Source;
use crate::source::folder::FolderSource;
use crate::source::s3::{S3Connector, S3Options};
use crate::source::stdin::StdinSource;

/// Logs which part of the sources is imported, and what named it.
pub(super) fn announce_shard(shard: Option<&ShardSettings>) {
    if let Some(shard) = shard {
        info!("shard: {shard}");
    }
}

/// Which sources are opened, and how.
#[derive(Debug, Clone, Copy)]
pub(super) struct Opening<'s> {
    pub(super) specs: &'s [SourceSpec],
    pub(super) s3: &'s S3Options,
    /// Whether links that lead out of a folder are followed.
    pub(super) follows_links: bool,
    /// The most bytes that standard input may have.
    pub(super) object_bytes_max: u64,
}

impl<'s> Opening<'s> {
    /// Returns the sources of an import.
    pub(super) fn of_import(settings: &'s ImportSettings) -> Self {
        Self {
            specs: &settings.sources,
            s3: &settings.s3,
            follows_links: settings.follows_links,
            object_bytes_max: settings.object_bytes_max,
        }
    }
}

/// Opens every source. `own_files` are left out of folders. Standard input is read to its end.
///
/// # Errors
/// The first source that does not exist or cannot be reached; nothing was written yet.
pub(super) async fn open(
    opening: &Opening<'_>,
    own_files: Vec<PathBuf>,
) -> Result<Vec<Arc<dyn Source>>, RunError> {
    let own_files: Arc<[PathBuf]> = own_files.into();
    let mut connector = None;
    let mut sources: Vec<Arc<dyn Source>> = Vec::new();
    for spec in opening.specs {
        match spec {
            SourceSpec::Path(path) => {
                let folder = FolderSource::open(path)?
                    .follow_links(opening.follows_links)
                    .without(Arc::clone(&own_files));
                sources.push(Arc::new(folder));
            }
            SourceSpec::Stdin => {
                let input = StdinSource::copy(std::io::stdin(), opening.object_bytes_max).await?;
                sources.push(Arc::new(input));
            }
            SourceSpec::S3 { bucket, key } => {
                let connector = match &connector {
                    Some(connector) => connector,
                    None => connector.insert(S3Connector::new(opening.s3.clone()).await?),
                };
                sources.push(Arc::new(connector.open(bucket, key).await?));
            }
        }
    }
    Ok(sources)
}
