//! Searching a folder for the folders of digests and log files.

use std::path::Path;

use tracing::debug;
use walkdir::{DirEntry, WalkDir};

use super::links::Links;
use super::{folder_uri, may_be_folder, path_error};
use crate::source::is_out_of_files;
use crate::source::region_folder::Address;
use crate::source::{Found, RegionFolder, RegionFolders, SourceError, UnreadableFolder};
use crate::trail::layout::{Level, Place, Selection, Visit};

/// Finds the region folders below a folder. Blocks.
///
/// Folders above them are read, also those in another layout, but none that is a region's.
pub(super) fn region_folders(
    root: &Path,
    follows_links: bool,
    selection: &Selection,
) -> Result<RegionFolders, SourceError> {
    let level = Place::of(&root.to_string_lossy()).level;
    if matches!(level, Level::Region | Level::Year | Level::Month | Level::Day) {
        let folders = region_folder(root, selection).into_iter().collect();
        return Ok(RegionFolders { folders, ..RegionFolders::default() });
    }
    let links = Links::new(follows_links);
    let (seen, found) = (Found::default(), RegionFolders::default());
    let mut search = Search { root, selection, links, seen, found };
    let mut walk = WalkDir::new(root).min_depth(1).follow_links(follows_links).into_iter();
    while let Some(entry) = walk.next() {
        match entry {
            Ok(entry) => {
                let enters = search.visit(&entry)?;
                if !enters && entry.file_type().is_dir() {
                    walk.skip_current_dir();
                }
            }
            Err(error) => search.unread(error)?,
        }
    }
    let Search { seen, mut found, .. } = search;
    found.links_not_followed = seen.links_not_followed;
    found.folders.sort();
    Ok(found)
}

struct Search<'s> {
    root: &'s Path,
    selection: &'s Selection,
    links: Links,
    /// What the links add up to.
    seen: Found,
    found: RegionFolders,
}

impl Search<'_> {
    /// Adds an entry that is a region folder. Returns whether to look inside.
    fn visit(&mut self, entry: &DirEntry) -> Result<bool, SourceError> {
        let kind = entry.file_type();
        // A link that is not followed is no folder for the walk.
        let is_folder = kind.is_dir() || kind.is_symlink() && entry.path().is_dir();
        if !is_folder {
            return Ok(false);
        }
        let path = entry.path().to_string_lossy();
        let Some((above, name)) = path.rsplit_once('/') else { return Ok(false) };
        let Visit::Enter(level) = Place::of(above).visit_with_digests(name, self.selection) else {
            return Ok(false);
        };
        if !self.links.are_read_through(entry, self.root, &mut self.seen) {
            return Ok(false);
        }
        if level != Level::Region {
            return Ok(true);
        }
        if let Some(folder) = region_folder(entry.path(), self.selection)
            && !self.found.add(folder)
        {
            let cause = std::io::Error::other(RegionFolders::too_many());
            return Err(path_error(self.root.to_owned(), cause));
        }
        Ok(false)
    }

    /// Notes a folder that cannot be read.
    fn unread(&mut self, error: walkdir::Error) -> Result<(), SourceError> {
        if error.loop_ancestor().is_some() {
            debug!(%error, "skipped: a link to a folder above it, which is searched anyway");
            return Ok(());
        }
        let path = error.path().filter(|_| error.depth() > 0).map(Path::to_owned);
        let cause = error.into_io_error().expect("a loop of links has been handled");
        match path {
            // Without a path, nothing can stand for what is missing.
            None => Err(path_error(self.root.to_owned(), cause)),
            Some(path) if is_out_of_files(&cause) => Err(path_error(path, cause)),
            Some(path) => {
                if may_be_folder(&path) {
                    let (uri, reason) = (path.display().to_string(), cause.to_string());
                    self.found.unreadable.push(UnreadableFolder { uri, reason });
                }
                Ok(())
            }
        }
    }
}

fn region_folder(path: &Path, selection: &Selection) -> Option<RegionFolder> {
    RegionFolder::of(folder_uri(path), Address::Folder(path.to_owned()), selection)
}
