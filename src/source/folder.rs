//! A local file, or a folder and everything below it.
//!
//! A link to a file or folder below the root needs no following: its target is listed anyway. Links
//! that lead elsewhere are followed only on request, and each target once. A file that cannot be read is still listed, so that its fetch fails and is counted. A folder that cannot be
//! read is reported beside the objects. So nothing is left out in silence. Pipes, sockets and
//! devices are left out with a warning.

mod links;

mod dated;

mod regions;

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::task::spawn_blocking;
use tracing::warn;
use walkdir::{DirEntry, WalkDir};

use self::dated::DatedFolders;
use self::links::Links;
use self::regions::region_folders;
use super::region_folder::Address;
use super::{
    Fetched, Found, RegionFolder, RegionFolders, Source, SourceError, Step, UnreadableFolder,
    is_out_of_files,
};
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
    follows_links: bool,
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
            let is_named = metadata.is_file();
            Ok(Self { root, is_named, follows_links: false, own_files: Arc::default() })
        };
        open().map_err(|cause| path_error(path.to_owned(), cause))
    }

    /// Sets whether links that lead out of the folder are followed. By default they are not.
    #[must_use]
    pub fn follow_links(mut self, follows_links: bool) -> Self {
        self.follows_links = follows_links;
        self
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

    /// Returns the first step of a walk.
    fn walk(&self, walk: WalkDir, selection: &Arc<Selection>) -> FolderStep {
        FolderStep {
            root: self.root.clone(),
            is_named: self.is_named,
            selection: Arc::clone(selection),
            own_files: Arc::clone(&self.own_files),
            walk: walk.follow_links(self.follows_links).into_iter(),
            links: Links::new(self.follows_links),
            dated: None,
        }
    }
}

#[async_trait]
impl Source for FolderSource {
    fn listing(&self, selection: &Arc<Selection>) -> Box<dyn Step> {
        Box::new(self.walk(WalkDir::new(&self.root), selection))
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

    fn root_uri(&self) -> Option<String> {
        (!self.is_named).then(|| folder_uri(&self.root))
    }

    async fn region_folders(
        &self,
        selection: &Arc<Selection>,
    ) -> Result<RegionFolders, SourceError> {
        if self.is_named {
            return Ok(RegionFolders::default());
        }
        let (root, follows_links) = (self.root.clone(), self.follows_links);
        let selection = Arc::clone(selection);
        let searching = spawn_blocking(move || region_folders(&root, follows_links, &selection));
        searching.await.expect("searching a folder does not panic")
    }

    fn listing_of(&self, folder: &RegionFolder, selection: &Arc<Selection>) -> Box<dyn Step> {
        let Address::Folder(path) = &folder.address else {
            unreachable!("`{}` is not a folder of this source", folder.uri)
        };
        let selection = Arc::new(selection.without_event_days());
        let step = self.walk(WalkDir::new(path).min_depth(1), &selection);
        let dated = Some(DatedFolders::default());
        folder.in_day_folders(Box::new(FolderStep { dated, ..step }))
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
    links: Links,
    /// The folders of years, months and days, if they are walked in the order of their dates.
    dated: Option<DatedFolders>,
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
            let Some(entry) = self.next_entry() else { return Ok(false) };
            match entry {
                Ok(entry) => self.add(entry, found),
                Err(error) if error.loop_ancestor().is_some() => {
                    warn!(%error, "skipped: a link to a folder above it, which is listed anyway");
                }
                Err(error) => self.unread(error, found)?,
            }
        }
        Ok(true)
    }

    /// Returns the next entry of the walk, or the first of the next dated folder.
    fn next_entry(&mut self) -> Option<walkdir::Result<DirEntry>> {
        loop {
            if let Some(entry) = self.walk.next() {
                return Some(entry);
            }
            let folder = self.dated.as_mut()?.next()?;
            let walk = WalkDir::new(&folder.path).min_depth(1);
            self.walk = walk.follow_links(self.links.follows).into_iter();
            if folder.is_link {
                self.links.inside.push(folder.path);
            }
        }
    }

    /// Whether the program itself uses this file.
    fn is_own(&self, entry: &DirEntry) -> bool {
        let mut own_files = self.own_files.iter();
        // The path is only absolute and without links if no link leads to it.
        own_files.any(|own| own.file_name() == Some(entry.file_name()))
            && fs::canonicalize(entry.path()).is_ok_and(|path| self.own_files.contains(&path))
    }

    /// Adds what stands for an entry that cannot be read: a failed folder, or an object whose fetch
    /// will fail.
    ///
    /// # Errors
    /// The listing cannot continue.
    fn unread(&self, error: walkdir::Error, found: &mut Found) -> Result<(), SourceError> {
        // A folder of a region or a day is below the root, too.
        let is_below = error.depth() > 0 || self.is_named || self.dated.is_some();
        let is_walked = error.depth() == 0 && !self.is_named;
        let path = error.path().filter(|_| is_below).map(Path::to_owned);
        let cause = error.into_io_error().expect("a loop of links has been handled");
        // Without a path, nothing can stand for what is missing.
        let Some(path) = path else {
            return Err(path_error(self.root.clone(), cause));
        };
        if is_out_of_files(&cause) {
            return Err(path_error(path, cause));
        }
        let is_file = !is_walked && (self.is_named || !may_be_folder(&path));
        if is_file {
            found.objects.push(listed(path, None, self.is_named));
        } else {
            let (uri, reason) = (path.display().to_string(), cause.to_string());
            found.unreadable.push(UnreadableFolder { uri, reason });
        }
        Ok(())
    }

    /// Adds a file, or enters a folder.
    fn add(&mut self, entry: DirEntry, found: &mut Found) {
        let kind = entry.file_type();
        let is_visited = !kind.is_dir() || self.may_hold_selected(&entry, found);
        if !is_visited || !self.links.are_read_through(&entry, &self.root, found) {
            if kind.is_dir() {
                self.walk.skip_current_dir();
            }
        } else if kind.is_dir() {
            let is_put_off = self.dated.as_mut().is_some_and(|dated| dated.put_off(&entry));
            if is_put_off {
                self.walk.skip_current_dir();
            }
        } else if kind.is_file() && self.is_own(&entry) {
            found.own_files += 1;
        } else if kind.is_file() {
            let metadata = entry.metadata().ok();
            found.objects.push(listed(entry.into_path(), metadata.as_ref(), self.is_named));
        } else if kind.is_symlink() {
            // It leads nowhere, so its fetch will fail.
            found.objects.push(listed(entry.into_path(), None, self.is_named));
        } else {
            warn!(path = %entry.path().display(), "skipped: neither a file nor a folder");
        }
    }

    /// Whether the path of a folder allows that it holds selected objects.
    fn may_hold_selected(&self, entry: &DirEntry, found: &mut Found) -> bool {
        let path = entry.path().to_string_lossy();
        let Some((above, name)) = path.rsplit_once('/').filter(|_| entry.depth() > 0) else {
            return true;
        };
        match Place::of(above).visit(name, &self.selection) {
            Visit::Enter(_) => return true,
            Visit::NoLogs => found.without_logs.add(name, 1),
            Visit::FilteredOut => found.filtered_out += 1,
        }
        false
    }
}

/// Returns the URI that those of all files in a folder begin with.
fn folder_uri(folder: &Path) -> String {
    let uri = Location::File(folder.to_owned()).uri();
    if uri.ends_with('/') { uri } else { format!("{uri}/") }
}

/// Whether a path whose entry cannot be read may be a folder. What cannot even be looked at may be.
fn may_be_folder(path: &Path) -> bool {
    match fs::metadata(path) {
        Ok(metadata) => metadata.is_dir(),
        Err(error) => error.kind() == io::ErrorKind::PermissionDenied,
    }
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
        Location::S3 { .. } | Location::OtherS3 { .. } | Location::Stdin { .. } => {
            unreachable!("a folder lists only files")
        }
    }
}

fn fetch_error(object: &ObjectRef, cause: io::Error) -> SourceError {
    let uri = object.location.uri();
    match cause.kind() {
        _ if is_out_of_files(&cause) => path_error(path(object).to_owned(), cause),
        io::ErrorKind::NotFound => SourceError::Missing { uri, cause: cause.into() },
        _ => SourceError::Fetch { uri, cause: cause.into() },
    }
}

/// Returns the error of a file or folder without which the run cannot continue.
fn path_error(path: PathBuf, cause: io::Error) -> SourceError {
    if is_out_of_files(&cause) {
        SourceError::OpenFiles { place: path.display().to_string(), cause: cause.into() }
    } else {
        SourceError::Path { path, cause }
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
