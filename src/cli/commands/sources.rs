//! Opens the sources of an import.

use std::path::PathBuf;
use std::sync::Arc;

use tracing::info;

use crate::cli::config::{ImportSettings, ShardSettings, SourceSpec};
use crate::cli::error::RunError;
use crate::source::Source;
use crate::source::folder::FolderSource;
use crate::source::s3::S3Connector;
use crate::source::stdin::StdinSource;

/// Logs which part of the sources is imported, and what named it.
pub(super) fn announce_shard(shard: Option<&ShardSettings>) {
    if let Some(shard) = shard {
        info!("shard: {shard}");
    }
}

/// Opens every source. `own_files` are left out of folders. Standard input is read to its end.
///
/// # Errors
/// The first source that does not exist or cannot be reached; nothing was written yet.
pub(super) async fn open(
    settings: &ImportSettings,
    own_files: Vec<PathBuf>,
) -> Result<Vec<Arc<dyn Source>>, RunError> {
    let own_files: Arc<[PathBuf]> = own_files.into();
    let mut connector = None;
    let mut sources: Vec<Arc<dyn Source>> = Vec::new();
    for spec in &settings.sources {
        match spec {
            SourceSpec::Path(path) => {
                let folder = FolderSource::open(path)?
                    .follow_links(settings.follows_links)
                    .without(Arc::clone(&own_files));
                sources.push(Arc::new(folder));
            }
            SourceSpec::Stdin => {
                let input = StdinSource::copy(std::io::stdin(), settings.object_bytes_max).await?;
                sources.push(Arc::new(input));
            }
            SourceSpec::S3 { bucket, key } => {
                let connector = match &connector {
                    Some(connector) => connector,
                    None => connector.insert(S3Connector::new(settings.s3.clone()).await?),
                };
                sources.push(Arc::new(connector.open(bucket, key).await?));
            }
        }
    }
    Ok(sources)
}
