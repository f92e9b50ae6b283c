//! Folders of years, months and days, in the order of their dates.
//!
//! A walk finds the folders of a folder in any order. To sort its whole content would take memory for
//! each file of a day. So only the dated folders are put off until the walk of the folder above them has
//! ended, and then walked one by one.

use std::path::PathBuf;

use walkdir::DirEntry;

use crate::trail::layout::{Level, Place};

/// The dated folders that a walk has put off.
#[derive(Debug, Default)]
pub(super) struct DatedFolders {
    /// Those of the current walk.
    met: Vec<DatedFolder>,
    /// Those of earlier walks, the next one last. Names of digits bound their number: 10,000 years, and
    /// 100 months and days.
    waiting: Vec<DatedFolder>,
}

/// The folder of a year, a month or a day.
#[derive(Debug)]
pub(super) struct DatedFolder {
    pub(super) path: PathBuf,
    /// Whether a link was followed to it.
    pub(super) is_link: bool,
}

impl DatedFolders {
    /// Puts off a folder if it is dated, and returns whether it is.
    pub(super) fn put_off(&mut self, entry: &DirEntry) -> bool {
        let level = Place::of(&entry.path().to_string_lossy()).level;
        let is_dated = matches!(level, Level::Year | Level::Month | Level::Day);
        if is_dated {
            let (path, is_link) = (entry.path().to_owned(), entry.path_is_symlink());
            self.met.push(DatedFolder { path, is_link });
        }
        is_dated
    }

    /// Ends a walk, and returns the folder to walk next: the first below the one that was walked, or the
    /// one after it.
    pub(super) fn next(&mut self) -> Option<DatedFolder> {
        self.met.sort_by(|one, other| other.path.cmp(&one.path));
        self.waiting.append(&mut self.met);
        self.waiting.pop()
    }
}
