//! Which log files the proven digests name.

use std::collections::HashMap;

use jiff::civil::Date;

use super::files::{Files, count, judge_named};
use super::node::{Body, Node, identity};
use super::{HeldDay, JudgeSettings};
use crate::trail::integrity::digest::NamedFile;
use crate::trail::integrity::key::LogName;
use crate::trail::integrity::verdict::{
    DigestNote, FileCounts, FileFinding, FileProof, FileState, RememberedDigest,
};

/// Judges the log files that the digests of `held` name, and those of `held` that the digests of `next`
/// name. Returns how many named files are to be counted.
///
/// `past` is the last day that was judged before.
pub(super) fn name_files(
    held: &mut HeldDay,
    next: Option<&mut HeldDay>,
    past: Option<Date>,
    settings: &JudgeSettings,
) -> u64 {
    let mut nodes = std::mem::take(&mut held.nodes);
    let mut deleted = std::mem::take(&mut held.deleted);
    let proofs = proofs_of_files(&nodes, &deleted, held, next.as_deref());
    let mut days = Days { held, next, past, settings, proofs, named: 0 };
    for node in nodes.iter_mut().filter(|node| node.is_proven()) {
        days.name_files_of(node, true);
    }
    for digest in &mut deleted {
        days.recognise(&mut digest.proofs);
    }
    if let Some(next) = days.next.as_deref_mut() {
        let mut next_nodes = std::mem::take(&mut next.nodes);
        let mut next_deleted = std::mem::take(&mut next.deleted);
        for node in next_nodes.iter_mut().filter(|node| node.is_proven()) {
            days.name_files_of(node, false);
        }
        for digest in &mut next_deleted {
            days.recognise(&mut digest.proofs);
        }
        if let Some(next) = days.next.as_deref_mut() {
            (next.nodes, next.deleted) = (next_nodes, next_deleted);
        }
    }
    let named = days.named;
    (held.nodes, held.deleted) = (nodes, deleted);
    named
}

/// The day that is judged and the one after.
struct Days<'a> {
    held: &'a mut HeldDay,
    next: Option<&'a mut HeldDay>,
    past: Option<Date>,
    settings: &'a JudgeSettings,
    /// The paths of the files of either day by their proofs; empty if they are not needed.
    proofs: [HashMap<FileProof, String>; 2],
    named: u64,
}

/// Returns the paths of the files of both days by their proofs, if a digest was skipped or deleted.
fn proofs_of_files(
    nodes: &[Node],
    deleted: &[RememberedDigest],
    held: &HeldDay,
    next: Option<&HeldDay>,
) -> [HashMap<FileProof, String>; 2] {
    let (next_nodes, next_deleted) =
        next.map_or((&[][..], &[][..]), |next| (&next.nodes, &next.deleted));
    let is_skipped = |node: &Node| matches!(node.body, Body::Skipped(_));
    let are_needed = nodes.iter().chain(next_nodes).any(is_skipped)
        || deleted.iter().chain(next_deleted).any(|digest| !digest.proofs.is_empty());
    if !are_needed {
        return [HashMap::new(), HashMap::new()];
    }
    [held.files.proofs(), next.map_or_else(HashMap::new, |next| next.files.proofs())]
}

impl Days<'_> {
    fn name_files_of(&mut self, node: &mut Node, is_of_held: bool) {
        let is_second_time = node.is_half_counted;
        node.is_half_counted = true;
        match &mut node.body {
            Body::Unreadable => {}
            Body::Skipped(proofs) => {
                let mut left = std::mem::take(proofs);
                for (_, proof) in self.recognise(&mut left) {
                    node.files += count(None);
                    node.proofs.push(proof);
                }
                if is_of_held && !left.is_empty() {
                    self.count_unrecognised(node, left.len() as u64);
                } else {
                    node.body = Body::Skipped(left);
                }
            }
            Body::Read(read) => {
                let files = std::mem::take(&mut read.digest.files);
                for file in &files {
                    let day = LogName::of(&file.key).map_or(self.held.day, |name| name.day);
                    let is_now = if is_of_held {
                        !is_second_time || self.past.is_none_or(|past| past < day)
                    } else {
                        day <= self.held.day
                    };
                    if is_now {
                        self.name_file(file, day, node);
                    }
                }
                // Those of the day after are judged with the next day.
                if !is_of_held && let Body::Read(read) = &mut node.body {
                    read.digest.files = files;
                }
            }
        }
    }

    /// Judges one named file of this day.
    fn name_file(&mut self, file: &NamedFile, day: Date, node: &mut Node) {
        let path = identity(&file.key);
        let delivered = || format!("s3://{}/{}", file.bucket, file.key);
        let is_late = self.past.is_some_and(|past| day <= past);
        let target = match self.next.as_deref_mut() {
            Some(next) if next.day == day => next,
            _ => &mut *self.held,
        };
        let finding = if is_late {
            let (uri, digest) = (delivered(), Some(node.uri.clone()));
            Some(FileFinding { uri, state: FileState::NamedLate, digest })
        } else {
            let known = if target.day == day { target.files.get_mut(path) } else { None };
            judge_named(known, file.sha256, delivered, &node.uri)
        };
        let counts = count(finding.as_ref().map(|finding| &finding.state));
        node.files += counts;
        if finding.is_none() {
            node.proofs.push(FileProof::of(path, file.sha256));
        }
        self.add(day, counts, finding);
    }

    /// Finds the files that proofs stand for, keeps only the other proofs, and returns the days of the
    /// files with the proofs.
    fn recognise(&mut self, proofs: &mut Vec<FileProof>) -> Vec<(Date, FileProof)> {
        let mut found = Vec::new();
        let mut mark = |day, files: &mut Files, known: &HashMap<FileProof, String>| {
            proofs.retain(|proof| {
                let file = known.get(proof).and_then(|path| files.get_mut(path));
                let is_here = file.map(|file| file.is_named = true).is_some();
                if is_here {
                    found.push((day, *proof));
                }
                !is_here
            });
        };
        mark(self.held.day, &mut self.held.files, &self.proofs[0]);
        if let Some(next) = self.next.as_deref_mut() {
            mark(next.day, &mut next.files, &self.proofs[1]);
        }
        for (day, _) in &found {
            self.add(*day, count(None), None);
        }
        found
    }

    fn count_unrecognised(&mut self, node: &mut Node, files: u64) {
        let counts = FileCounts { named: files, not_hashed: files, ..FileCounts::default() };
        node.files += counts;
        node.notes.push(DigestNote::FilesMissing { files });
        self.add(self.held.day, counts, None);
    }

    /// Adds to the numbers and findings of the file's day, if that is to be judged.
    fn add(&mut self, day: Date, counts: FileCounts, finding: Option<FileFinding>) {
        let target = match self.next.as_deref_mut() {
            Some(next) if next.day == day => next,
            _ => &mut *self.held,
        };
        if self.settings.has(day) && self.settings.has(target.day) {
            self.named += counts.named;
            target.counts += counts;
            target.findings.extend(finding);
        }
    }
}
