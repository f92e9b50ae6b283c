//! A local file, or a folder and everything below it.
//!
//! Links are followed, except those to files and folders that are listed anyway. A file that
//! cannot be read is still listed, so that its fetch fails and is counted: no file is left out in
//! silence. Pipes, sockets and devices are left out with a warning.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::task::spawn_blocking;
use tracing::{debug, warn};
use walkdir::{DirEntry, WalkDir};

use super::{Fetched, Found, Source, SourceError, Step};
use crate::trail::layout::{Place, Selection, Visit};
use crate::trail::object::{Location, ObjectRef};

/// The number of objects of a page. S3 has the same, so that later stages see one size.
const PAGE_OBJECTS_MAX: usize = 1_000;

/// The largest buffer that is reserved before the first byte is read. A listed size may be wrong.
const CAPACITY_BYTES_MAX: u64 = 64 << 20;

/// At most this many bytes are read inline, more on the blocking pool.
///
/// Waking a thread of the pool costs more than a small read: 20,027 files of 1 KiB into SQLite took
/// 1.3 times the time and 1.9 times the CPU with every read on the pool. On a file system that is
/// slow to answer, small files are read by as many threads as there are cores, which is also the
/// default number of fetchers for folders.
const INLINE_BYTES_MAX: u64 = 256 << 10;

/// A file or folder.
#[derive(Debug)]
pub struct FolderSource {
    root: PathBuf,
    is_named: bool,
    own_files: Arc<[PathBuf]>,
}

impl FolderSource {
    /// Opens the file or folder at `path`, which becomes absolute, without links.
    ///
    /// # Errors
    /// [`SourceError::Path`] if it does not exist, cannot be read, or is neither a file nor a
    /// folder.
    pub fn open(path: &Path) -> Result<Self, SourceError> {
        let open = || {
            let root = fs::canonicalize(path)?;
            let metadata = fs::metadata(&root)?;
            if metadata.is_dir() {
                // A named folder that cannot be read is an error at once, as a named file is.
                fs::read_dir(&root)?;
            } else {
                ensure_regular(&metadata)?;
            }
            Ok(Self { root, is_named: metadata.is_file(), own_files: Arc::default() })
        };
        open().map_err(|cause| SourceError::Path { path: path.to_owned(), cause })
    }

    /// Leaves out and counts these files: those that the program itself uses. Each path is absolute
    /// and without links.
    #[must_use]
    pub fn without(self, own_files: Arc<[PathBuf]>) -> Self {
        Self { own_files, ..self }
    }

    /// Returns the absolute path.
    pub fn root(&self) -> &Path {
        &self.root
    }
}

#[async_trait]
impl Source for FolderSource {
    fn listing(&self, selection: &Arc<Selection>) -> Box<dyn Step> {
        Box::new(FolderStep {
            root: self.root.clone(),
            is_named: self.is_named,
            selection: Arc::clone(selection),
            own_files: Arc::clone(&self.own_files),
            walk: WalkDir::new(&self.root).follow_links(true).into_iter(),
        })
    }

    async fn fetch(&self, object: &ObjectRef) -> Result<Fetched, SourceError> {
        let bytes = self.fetch_head(object, u64::MAX).await?;
        Ok(Fetched { bytes, metadata: BTreeMap::new() })
    }

    async fn fetch_head(&self, object: &ObjectRef, bytes_max: u64) -> Result<Bytes, SourceError> {
        if object.size_bytes.min(bytes_max) <= INLINE_BYTES_MAX {
            return read(object, bytes_max);
        }
        let object = object.clone();
        let reading = spawn_blocking(move || read(&object, bytes_max));
        reading.await.expect("reading a file does not panic")
    }
}

/// One page of a walk through the folder, on a blocking thread.
#[derive(Debug)]
struct FolderStep {
    root: PathBuf,
    is_named: bool,
    selection: Arc<Selection>,
    own_files: Arc<[PathBuf]>,
    walk: walkdir::IntoIter,
}

#[async_trait]
impl Step for FolderStep {
    async fn take(mut self: Box<Self>, _wants_more: bool) -> Result<Found, SourceError> {
        let taken = spawn_blocking(move || {
            let mut found = Found::default();
            if self.walk_page(&mut found)? {
                found.keep_selected(&Arc::clone(&self.selection));
                found.steps.push(self);
            } else {
                found.keep_selected(&self.selection);
            }
            Ok(found)
        });
        taken.await.expect("walking a folder does not panic")
    }
}

impl FolderStep {
    /// Adds the next files of the walk. Returns whether there may be more.
    fn walk_page(&mut self, found: &mut Found) -> Result<bool, SourceError> {
        while found.objects.len() < PAGE_OBJECTS_MAX {
            let Some(entry) = self.walk.next() else { return Ok(false) };
            match entry {
                Ok(entry) if is_listed_anyway(&entry, &self.root) => {
                    let path = entry.path().display();
                    debug!(%path, "skipped: its target is listed anyway");
                    if entry.file_type().is_dir() {
                        self.walk.skip_current_dir();
                    }
                }
                Ok(entry) if entry.file_type().is_dir() => self.enter(&entry, found),
                Ok(entry) if !entry.file_type().is_file() => {
                    warn!(path = %entry.path().display(), "skipped: neither a file nor a folder");
                }
                Ok(entry) if self.is_own(&entry) => found.own_files += 1,
                Ok(entry) => {
                    let metadata = entry.metadata().ok();
                    found.objects.push(listed(entry.into_path(), metadata.as_ref(), self.is_named));
                }
                Err(error) if error.loop_ancestor().is_some() => {
                    warn!(%error, "skipped: a link to a folder above it, which is listed anyway");
                }
                Err(error) => match error.path() {
                    Some(path) if error.depth() > 0 || self.is_named => {
                        warn!(%error, "cannot be read");
                        found.objects.push(listed(path.to_owned(), None, self.is_named));
                    }
                    // Without a path, no object can stand for what is missing: end the listing.
                    _ => {
                        let path = error.path().unwrap_or(&self.root).to_owned();
                        return Err(SourceError::Path { path, cause: error.into() });
                    }
                },
            }
        }
        Ok(true)
    }

    /// Whether the program itself uses this file.
    fn is_own(&self, entry: &DirEntry) -> bool {
        let mut own_files = self.own_files.iter();
        // The path is only absolute and without links if no link leads to it.
        own_files.any(|own| own.file_name() == Some(entry.file_name()))
            && fs::canonicalize(entry.path()).is_ok_and(|path| self.own_files.contains(&path))
    }

    /// Skips a folder if its path shows that it holds no selected objects.
    fn enter(&mut self, entry: &DirEntry, found: &mut Found) {
        let path = entry.path().to_string_lossy();
        let Some((above, name)) = path.rsplit_once('/').filter(|_| entry.depth() > 0) else {
            return;
        };
        match Place::of(above).visit(name, &self.selection) {
            Visit::Enter(_) => return,
            Visit::NoLogs => found.without_logs.add(name, 1),
            Visit::FilteredOut => found.filtered_out += 1,
        }
        self.walk.skip_current_dir();
    }
}

/// Whether `entry` is a link to a file or folder below `root`, which would be listed twice.
fn is_listed_anyway(entry: &DirEntry, root: &Path) -> bool {
    entry.path_is_symlink()
        && entry.depth() > 0
        && fs::canonicalize(entry.path()).is_ok_and(|target| target.starts_with(root))
}

/// Returns the object of a file. Without metadata it has no size and no version.
fn listed(path: PathBuf, metadata: Option<&Metadata>, is_named: bool) -> ObjectRef {
    ObjectRef {
        location: Location::File(path),
        size_bytes: metadata.map_or(0, Metadata::len),
        version: metadata.map(version).unwrap_or_default(),
        is_named,
    }
}

/// Returns `SIZE-MTIME`, with the time in nanoseconds since 1970 (negative before that).
fn version(metadata: &Metadata) -> String {
    let modified = metadata.modified().unwrap_or(UNIX_EPOCH);
    let (sign, since) = match modified.duration_since(UNIX_EPOCH) {
        Ok(after) => ("", after),
        Err(before) => ("-", before.duration()),
    };
    format!("{}-{sign}{}", metadata.len(), since.as_nanos())
}

/// Reads an object, or its first `bytes_max` bytes.
fn read(object: &ObjectRef, bytes_max: u64) -> Result<Bytes, SourceError> {
    let bytes = object.size_bytes.min(bytes_max);
    read_unchanged(path(object), object, bytes)
        .map_err(|cause| fetch_error(object, cause))?
        .ok_or_else(|| SourceError::Changed { uri: object.location.uri() })
}

fn path(object: &ObjectRef) -> &Path {
    match &object.location {
        Location::File(path) => path,
        Location::S3 { .. } => unreachable!("a folder lists only files"),
    }
}

fn fetch_error(object: &ObjectRef, cause: io::Error) -> SourceError {
    let uri = object.location.uri();
    match cause.kind() {
        io::ErrorKind::NotFound => SourceError::Missing { uri, cause: cause.into() },
        _ => SourceError::Fetch { uri, cause: cause.into() },
    }
}

/// Returns the file's first `bytes_wanted` bytes, at most its listed size. Returns `None` if the
/// file is not as listed before reading or after it.
fn read_unchanged(path: &Path, object: &ObjectRef, bytes_wanted: u64) -> io::Result<Option<Bytes>> {
    // Checked before it is opened: opening a pipe would wait for a writer.
    ensure_regular(&fs::metadata(path)?)?;
    let mut file = File::open(path)?;
    if version(&file.metadata()?) != object.version {
        return Ok(None);
    }
    let capacity_bytes = bytes_wanted.min(CAPACITY_BYTES_MAX);
    let mut bytes = Vec::with_capacity(usize::try_from(capacity_bytes).unwrap_or_default());
    // If the whole file is wanted, one more byte shows that it has grown.
    let is_all = bytes_wanted == object.size_bytes;
    (&mut file).take(bytes_wanted.saturating_add(u64::from(is_all))).read_to_end(&mut bytes)?;
    let is_whole = bytes.len() as u64 == bytes_wanted;
    let is_same = version(&file.metadata()?) == object.version;
    Ok((is_whole && is_same).then(|| bytes.into()))
}

fn ensure_regular(metadata: &Metadata) -> io::Result<()> {
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "neither a file nor a folder"));
    }
    Ok(())
}
