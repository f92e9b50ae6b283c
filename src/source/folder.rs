//! A local file, or a folder and all below it.
//!
//! Links are followed, unless to what is listed anyway. What cannot be read is listed all the
//! same, so that its fetch fails and is counted: nothing is left out in silence, except what is
//! not a file at all (a warning tells).

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, UNIX_EPOCH};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::task::spawn_blocking;
use tracing::{debug, warn};
use walkdir::{DirEntry, WalkDir};

use super::{Fetched, Found, Source, SourceError, Step};
use crate::trail::layout::{Choice, Place, Selection};
use crate::trail::object::{Location, ObjectRef};

/// As many as an S3 page has, so that the stages behind see one size.
const PAGE_OBJECTS_MAX: usize = 1_000;

/// Most that is set aside before the first byte is read. A listed size may be wrong.
const CAPACITY_BYTES_MAX: u64 = 64 << 20;

/// A file of at most this size is read by the thread that asks for it, if reads are quick.
const INLINE_BYTES_MAX: u64 = 256 << 10;

/// A file or folder.
#[derive(Debug)]
pub struct FolderSource {
    root: PathBuf,
    is_named: bool,
    speed: Arc<Speed>,
}

impl FolderSource {
    /// Opens the file or folder at `path`, which becomes absolute and free of links.
    ///
    /// # Errors
    /// [`SourceError::Path`] if nothing is there, or something that is neither file nor folder.
    pub fn open(path: &Path) -> Result<Self, SourceError> {
        let open = || {
            let root = fs::canonicalize(path)?;
            let metadata = fs::metadata(&root)?;
            if metadata.is_dir() {
                // Listing fails later for what is below, but at once for what was named.
                fs::read_dir(&root)?;
            } else {
                ensure_regular(&metadata)?;
            }
            Ok(Self { root, is_named: metadata.is_file(), speed: Arc::default() })
        };
        open().map_err(|cause| SourceError::Path { path: path.to_owned(), cause })
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
            walk: WalkDir::new(&self.root).follow_links(true).into_iter(),
        })
    }

    async fn fetch(&self, object: &ObjectRef) -> Result<Fetched, SourceError> {
        let bytes = if object.size_bytes <= INLINE_BYTES_MAX && self.speed.is_quick() {
            self.speed.measure(|| read(object))?
        } else {
            let (object, speed) = (object.clone(), Arc::clone(&self.speed));
            let reading = spawn_blocking(move || speed.measure(|| read(&object)));
            reading.await.expect("reading a file does not panic")?
        };
        Ok(Fetched { bytes, metadata: BTreeMap::new() })
    }

    async fn fetch_head(&self, object: &ObjectRef, bytes_max: u64) -> Result<Bytes, SourceError> {
        let object = object.clone();
        let reading = spawn_blocking(move || read_head(&object, bytes_max));
        reading.await.expect("reading a file does not panic")
    }
}

/// How long it takes to read a file.
///
/// Handing a read over to a thread that may be held up wakes that thread, and then another. Quick
/// reads are done in place instead; where they take long (the folder is on a network, or is a
/// bucket that is mounted), as many wait side by side as there are fetchers.
#[derive(Debug)]
struct Speed {
    /// A moving average.
    read_ns: AtomicU64,
}

impl Speed {
    /// Reads that take less are quick.
    const QUICK: Duration = Duration::from_micros(500);

    fn is_quick(&self) -> bool {
        Duration::from_nanos(self.read_ns.load(Ordering::Relaxed)) < Self::QUICK
    }

    fn measure<T>(&self, read: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let outcome = read();
        self.took(begun.elapsed());
        outcome
    }

    fn took(&self, time: Duration) {
        let read_ns = self.read_ns.load(Ordering::Relaxed);
        let time_ns = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        // Two at the same time may lose one of both: it is an average all the same.
        self.read_ns.store(read_ns / 8 * 7 + time_ns / 8, Ordering::Relaxed);
    }
}

/// Slow, until it turns out otherwise.
impl Default for Speed {
    fn default() -> Self {
        Self { read_ns: AtomicU64::new(1_000_000_000) }
    }
}

/// One page of a walk, on a blocking thread.
#[derive(Debug)]
struct FolderStep {
    root: PathBuf,
    is_named: bool,
    selection: Arc<Selection>,
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
    /// Adds the next files of the walk; returns whether there may be more.
    fn walk_page(&mut self, found: &mut Found) -> Result<bool, SourceError> {
        while found.objects.len() < PAGE_OBJECTS_MAX {
            let Some(entry) = self.walk.next() else { return Ok(false) };
            match entry {
                Ok(entry) if is_seen_without_link(&entry, &self.root) => {
                    let path = entry.path().display();
                    debug!(%path, "skipped: a link to what is listed anyway");
                    if entry.file_type().is_dir() {
                        self.walk.skip_current_dir();
                    }
                }
                Ok(entry) if entry.file_type().is_dir() => self.enter(&entry, found),
                Ok(entry) if !entry.file_type().is_file() => {
                    warn!(path = %entry.path().display(), "skipped: neither a file nor a folder");
                }
                Ok(entry) => {
                    let seen = entry.metadata().ok();
                    found.objects.push(listed(entry.into_path(), seen.as_ref(), self.is_named));
                }
                Err(error) if error.loop_ancestor().is_some() => {
                    warn!(%error, "skipped: a link to a folder above it, which is listed anyway");
                }
                Err(error) => match error.path() {
                    Some(path) if error.depth() > 0 || self.is_named => {
                        warn!(%error, "cannot be read");
                        found.objects.push(listed(path.to_owned(), None, self.is_named));
                    }
                    // Without a path nothing can stand in for what is missing: stop, do not guess.
                    _ => {
                        let path = error.path().unwrap_or(&self.root).to_owned();
                        return Err(SourceError::Path { path, cause: error.into() });
                    }
                },
            }
        }
        Ok(true)
    }

    /// Leaves a folder out if its place says that it holds nothing chosen.
    fn enter(&mut self, entry: &DirEntry, found: &mut Found) {
        let path = entry.path().to_string_lossy();
        let Some((above, name)) = path.rsplit_once('/').filter(|_| entry.depth() > 0) else {
            return;
        };
        match Place::of(above).choose(name, &self.selection) {
            Choice::Descend(_) => return,
            Choice::NoLogs => *found.without_logs.entry(name.to_owned()).or_default() += 1,
            Choice::NotChosen => found.filtered_out += 1,
        }
        self.walk.skip_current_dir();
    }
}

/// Returns whether `entry` is a link to something below `root`, whose rows would come twice.
fn is_seen_without_link(entry: &DirEntry, root: &Path) -> bool {
    entry.path_is_symlink()
        && entry.depth() > 0
        && fs::canonicalize(entry.path()).is_ok_and(|target| target.starts_with(root))
}

/// Returns how a file is listed; one that could not be looked at has no size and no version.
fn listed(path: PathBuf, seen: Option<&Metadata>, is_named: bool) -> ObjectRef {
    ObjectRef {
        location: Location::File(path),
        size_bytes: seen.map_or(0, Metadata::len),
        version: seen.map(version).unwrap_or_default(),
        is_named,
    }
}

/// Returns `SIZE-MTIME`, the time in nanoseconds since 1970 (less than zero before it).
fn version(metadata: &Metadata) -> String {
    let modified = metadata.modified().unwrap_or(UNIX_EPOCH);
    let (sign, since) = match modified.duration_since(UNIX_EPOCH) {
        Ok(after) => ("", after),
        Err(before) => ("-", before.duration()),
    };
    format!("{}-{sign}{}", metadata.len(), since.as_nanos())
}

fn read(object: &ObjectRef) -> Result<Bytes, SourceError> {
    read_unchanged(path(object), object, object.size_bytes)
        .map_err(|cause| fetch_error(object, cause))?
        .ok_or_else(|| SourceError::Changed { uri: object.location.uri() })
}

fn read_head(object: &ObjectRef, bytes_max: u64) -> Result<Bytes, SourceError> {
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

/// Returns the file's first `bytes_wanted` bytes, at most its listed size; `None` if the file is
/// not as listed before and after reading.
fn read_unchanged(path: &Path, object: &ObjectRef, bytes_wanted: u64) -> io::Result<Option<Bytes>> {
    // Looked at before it is opened: opening a pipe would wait for a writer.
    ensure_regular(&fs::metadata(path)?)?;
    let mut file = File::open(path)?;
    if version(&file.metadata()?) != object.version {
        return Ok(None);
    }
    let capacity_bytes = bytes_wanted.min(CAPACITY_BYTES_MAX);
    let mut bytes = Vec::with_capacity(usize::try_from(capacity_bytes).unwrap_or_default());
    // If the whole file is wanted, one byte more shows that it has grown.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_are_quick_once_many_were_and_slow_again_after_few() {
        let speed = Speed::default();
        let reads_until = |is_quick: bool, time: Duration| {
            let took = (0..1000).take_while(|_| speed.is_quick() != is_quick);
            took.inspect(|_| speed.took(time)).count()
        };
        assert!((10..100).contains(&reads_until(true, Duration::from_micros(50))));
        assert!((1..5).contains(&reads_until(false, Duration::from_millis(5))));
    }
}
