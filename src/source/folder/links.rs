//! Links that lead out of a folder: whether they are followed, and each target once.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use tracing::{debug, warn};
use walkdir::DirEntry;

use crate::source::Found;

/// Links that are named in the log because they are not followed. The summary counts all.
const LINKS_LOGGED_MAX: u64 = 20;

/// The links of a walk that lead out of the root.
#[derive(Debug, Default)]
pub(super) struct Links {
    /// Whether they are followed.
    pub(super) follows: bool,
    /// The targets of those that were followed, without links in their paths.
    targets: HashSet<PathBuf>,
    /// The followed links that the walk is in, the innermost last.
    pub(super) inside: Vec<PathBuf>,
    /// The number of those that were not followed.
    not_followed: u64,
}

impl Links {
    pub(super) fn new(follows: bool) -> Self {
        Self { follows, ..Self::default() }
    }

    /// Whether an entry is read by its path: no other path of the walk leads to it.
    pub(super) fn are_read_through(
        &mut self,
        entry: &DirEntry,
        root: &Path,
        found: &mut Found,
    ) -> bool {
        let path = entry.path();
        while self.inside.pop_if(|link| !path.starts_with(link)).is_some() {}
        let is_link = entry.path_is_symlink() && entry.depth() > 0;
        if !is_link && self.inside.is_empty() {
            return true;
        }
        // A link that leads nowhere is read, so that its fetch fails and is counted.
        let Ok(target) = fs::canonicalize(path) else { return true };
        let is_read_elsewhere = target.starts_with(root)
            || self.targets.contains(&target)
            || is_link && target.ancestors().any(|above| self.targets.contains(above));
        if is_read_elsewhere {
            debug!(path = %path.display(), "skipped: its target is listed anyway");
            return false;
        }
        if is_link && !self.follows {
            found.links_not_followed += 1;
            self.not_followed += 1;
            match self.not_followed.cmp(&LINKS_LOGGED_MAX) {
                Ordering::Less => {
                    let (path, target) = (path.display(), target.display());
                    warn!(%path, %target, "not followed: a link out of the folder");
                }
                Ordering::Equal => warn!("more links out of the folder are not followed"),
                Ordering::Greater => {}
            }
            return false;
        }
        if is_link {
            self.targets.insert(target);
            if entry.file_type().is_dir() {
                self.inside.push(path.to_owned());
            }
        }
        true
    }
}
