//! The log files of one day, and what digests say of them.

use std::collections::{BTreeMap, HashMap};

use super::node::identity;
use crate::trail::integrity::hash::ContentHash;
use crate::trail::integrity::key::{LogFamily, LogName};
use crate::trail::integrity::verdict::{
    FileCounts, FileFinding, FileProof, FileState, LedgerFile, LedgerOutcome,
};
use crate::trail::time::EventTime;

/// The log files of a day by their paths.
#[derive(Debug, Default)]
pub(super) struct Files {
    by_path: BTreeMap<String, File>,
}

/// A log file that the ledger or the source has.
#[derive(Debug, Default)]
pub(super) struct File {
    /// More than one if copies of the tree were imported.
    pub(super) ledger: Vec<LedgerFile>,
    pub(super) in_source: Option<String>,
    pub(super) is_named: bool,
}

impl Files {
    pub(super) fn new(ledger: Vec<LedgerFile>, source: Vec<String>) -> Self {
        let mut files = Self::default();
        for line in ledger {
            files.at(&line.uri).ledger.push(line);
        }
        for uri in source {
            let file = files.at(&uri);
            file.in_source = Some(uri);
        }
        files
    }

    fn at(&mut self, uri: &str) -> &mut File {
        self.by_path.entry(identity(uri).to_owned()).or_default()
    }

    pub(super) fn get_mut(&mut self, path: &str) -> Option<&mut File> {
        self.by_path.get_mut(path)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &File)> {
        self.by_path.iter().map(|(path, file)| (&**path, file))
    }

    /// Returns the paths of the loaded files by what stands for them and their content.
    pub(super) fn proofs(&self) -> HashMap<FileProof, String> {
        let mut proofs = HashMap::new();
        for (path, file) in self.iter() {
            // Of several copies, a changed one counts: then there is no proof.
            let mut hashes = file.loaded();
            let Some(Some(first)) = hashes.next() else { continue };
            if hashes.all(|hash| hash == Some(first)) {
                proofs.insert(FileProof::of(path, first), path.to_owned());
            }
        }
        proofs
    }

    /// Returns the time of the newest log file of a trail, as its name has it.
    pub(super) fn newest(&self) -> Option<EventTime> {
        self.times().max()
    }

    /// Returns the time of the oldest.
    pub(super) fn oldest(&self) -> Option<EventTime> {
        self.times().min()
    }

    /// Returns the time of the oldest one that is loaded and that no digest names.
    pub(super) fn oldest_unnamed(&self) -> Option<EventTime> {
        let unnamed = self.iter().filter(|(_, file)| !file.is_named && file.loaded_uri().is_some());
        let names = unnamed.filter_map(|(path, _)| LogName::of(path));
        names.filter(|name| name.family == LogFamily::Trail).filter_map(|it| it.delivered).min()
    }

    fn times(&self) -> impl Iterator<Item = EventTime> {
        let names = self.by_path.keys().filter_map(|path| LogName::of(path));
        names.filter(|name| name.family == LogFamily::Trail).filter_map(|name| name.delivered)
    }
}

impl File {
    /// Returns the hashes of the contents that were loaded.
    pub(super) fn loaded(&self) -> impl Iterator<Item = Option<ContentHash>> {
        self.ledger.iter().filter_map(|line| match line.outcome {
            LedgerOutcome::Loaded(sha256) => Some(sha256),
            LedgerOutcome::Failed(_) | LedgerOutcome::Skipped(_) => None,
        })
    }

    /// Returns where it is, if it was loaded.
    pub(super) fn loaded_uri(&self) -> Option<&str> {
        let mut lines = self.ledger.iter();
        let loaded = lines.find(|line| matches!(line.outcome, LedgerOutcome::Loaded(_)));
        loaded.map(|line| &*line.uri)
    }

    /// Returns its state if a proven digest names it with this hash, and where it is; `None` if it is
    /// proven. Of several copies, the worst counts.
    fn state(&self, named: ContentHash) -> Option<(FileState, Option<&str>)> {
        let loaded = |wanted: &dyn Fn(Option<ContentHash>) -> bool| {
            self.ledger.iter().find(
                |line| matches!(line.outcome, LedgerOutcome::Loaded(sha256) if wanted(sha256)),
            )
        };
        if let Some(line) = loaded(&|sha256| sha256.is_some_and(|it| it != named))
            && let LedgerOutcome::Loaded(Some(loaded)) = line.outcome
        {
            return Some((FileState::Changed { loaded, named }, Some(&line.uri)));
        }
        if let Some(line) = loaded(&|sha256| sha256.is_none()) {
            return Some((FileState::NotHashed, Some(&line.uri)));
        }
        if loaded(&|_| true).is_some() {
            return None;
        }
        match (self.ledger.first(), &self.in_source) {
            (Some(LedgerFile { uri, outcome }), _) => match outcome {
                LedgerOutcome::Failed(reason) | LedgerOutcome::Skipped(reason) => {
                    Some((FileState::NotLoaded(reason.clone()), Some(uri)))
                }
                LedgerOutcome::Loaded(_) => None,
            },
            (None, Some(uri)) => Some((FileState::NotImported, Some(uri))),
            (None, None) => Some((FileState::Gone, None)),
        }
    }
}

/// Judges a log file that a proven digest names; `None` if it is proven.
pub(super) fn judge_named(
    file: Option<&mut File>,
    named: ContentHash,
    delivered_uri: impl Fn() -> String,
    digest: &str,
) -> Option<FileFinding> {
    let (state, uri) = match file {
        Some(file) => {
            file.is_named = true;
            let (state, uri) = file.state(named)?;
            (state, uri.map(str::to_owned))
        }
        None => (FileState::Gone, None),
    };
    let uri = uri.unwrap_or_else(delivered_uri);
    Some(FileFinding { uri, state, digest: Some(digest.to_owned()) })
}

/// Returns the numbers of one named file.
pub(super) fn count(state: Option<&FileState>) -> FileCounts {
    let mut counts = FileCounts { named: 1, ..FileCounts::default() };
    let place = match state {
        None => &mut counts.proven,
        Some(FileState::Changed { .. }) => &mut counts.changed,
        Some(FileState::NotLoaded(_)) => &mut counts.not_loaded,
        Some(FileState::NotImported) => &mut counts.not_imported,
        Some(FileState::Gone) => &mut counts.gone,
        Some(FileState::NotHashed | FileState::NamedLate) => &mut counts.not_hashed,
        // No digest names these.
        Some(FileState::Unproven | FileState::Unexpected) => return FileCounts::default(),
    };
    *place += 1;
    counts
}
