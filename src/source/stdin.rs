//! Standard input: one object, which is named by the hash of its content.
//!
//! A stream has no name by which the ledger could know it, and can be read only once. So it is copied into
//! a temporary file first, whose SHA-256 becomes its name: the same content is loaded once, however often it
//! is piped in. Memory does not grow with its size.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

use super::{Fetched, Found, Source, SourceError, Step};
use crate::trail::layout::Selection;
use crate::trail::object::{Location, ObjectRef};

/// How much is read at once. A pipe of Linux holds 64 KiB.
const CHUNK_BYTES: usize = 64 << 10;

/// The content of standard input, in a temporary file without a name: it vanishes with the process.
#[derive(Debug)]
pub struct StdinSource {
    object: ObjectRef,
    file: Arc<File>,
}

impl StdinSource {
    /// Copies `input` to its end. Dropping the future leaves the thread behind that reads: nothing can
    /// interrupt it, and it must not keep the program from ending.
    ///
    /// # Errors
    /// [`SourceError::Stdin`] if it cannot be read or copied, and [`SourceError::StdinTooLarge`] if it has
    /// more than `bytes_max`.
    ///
    /// # Panics
    /// If `input` panics.
    pub async fn copy(
        input: impl Read + Send + 'static,
        bytes_max: u64,
    ) -> Result<Self, SourceError> {
        let (copied_tx, copied_rx) = oneshot::channel();
        let copying = move || {
            // Nobody waits for it any more if the run was stopped.
            let _ = copied_tx.send(copy(input, bytes_max));
        };
        let thread = std::thread::Builder::new().name("stdin".to_owned()).spawn(copying);
        thread.map_err(|cause| SourceError::Stdin { cause })?;
        copied_rx.await.expect("copying does not panic")
    }
}

fn copy(mut input: impl Read, bytes_max: u64) -> Result<StdinSource, SourceError> {
    let failed = |cause: io::Error| SourceError::Stdin { cause };
    let mut file = tempfile::tempfile().map_err(failed)?;
    let (mut hash, mut size_bytes) = (Sha256::new(), 0);
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let bytes = match input.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => &chunk[..read],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(failed(error)),
        };
        size_bytes += bytes.len() as u64;
        if size_bytes > bytes_max {
            return Err(SourceError::StdinTooLarge { bytes_max });
        }
        hash.update(bytes);
        file.write_all(bytes).map_err(failed)?;
    }
    let sha256 = format!("{:x}", Bytes::copy_from_slice(&hash.finalize()));
    let (location, version) = (Location::Stdin { sha256: sha256.clone() }, sha256);
    let object = ObjectRef { location, size_bytes, version, is_named: true };
    Ok(StdinSource { object, file: Arc::new(file) })
}

#[async_trait]
impl Source for StdinSource {
    fn listing(&self, selection: &Arc<Selection>) -> Box<dyn Step> {
        Box::new(StdinStep { object: self.object.clone(), selection: Arc::clone(selection) })
    }

    async fn fetch(&self, object: &ObjectRef) -> Result<Fetched, SourceError> {
        let bytes = self.fetch_head(object, object.size_bytes.max(1)).await?;
        Ok(Fetched { bytes, metadata: BTreeMap::new() })
    }

    async fn fetch_head(&self, object: &ObjectRef, bytes_max: u64) -> Result<Bytes, SourceError> {
        let size_bytes = self.object.size_bytes.min(bytes_max);
        let (file, uri) = (Arc::clone(&self.file), object.location.uri());
        let reading = spawn_blocking(move || {
            let mut bytes = vec![0; usize::try_from(size_bytes).map_err(io::Error::other)?];
            file.read_exact_at(&mut bytes, 0)?;
            Ok(Bytes::from(bytes))
        });
        let read = reading.await.expect("reading a file does not panic");
        read.map_err(|cause: io::Error| SourceError::Fetch { uri, cause: cause.into() })
    }
}

/// The only step of its listing.
#[derive(Debug)]
struct StdinStep {
    object: ObjectRef,
    selection: Arc<Selection>,
}

#[async_trait]
impl Step for StdinStep {
    async fn take(self: Box<Self>, _wants_more: bool) -> Result<Found, SourceError> {
        let mut found = Found { objects: vec![self.object], ..Found::default() };
        found.keep_selected(&self.selection);
        Ok(found)
    }
}
