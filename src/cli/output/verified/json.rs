//! The result for programs.

use serde::Serialize;

use crate::cli::output::format::rfc3339;
use crate::source::UnreadableFolder;
use crate::trail::integrity::verdict::{
    Coverage, DigestCounts, DigestNote, DigestState, FileCounts, FileFinding, FileState, HoleKind,
    UnnamedCounts,
};
use crate::verify::outcome::{DigestFinding, HoleFinding, Verified};

/// The keys, in the order in which they are printed.
#[derive(Serialize)]
pub(in crate::cli::output) struct VerifiedJson<'v> {
    proven: bool,
    digests: DigestsJson,
    files: FilesJson,
    unnamed: UnnamedJson,
    holes: u64,
    moved_digests: u64,
    delivered_to: Option<&'v str>,
    fetched_digests: u64,
    reread_files: u64,
    list_requests: u64,
    unreadable: &'v [UnreadableFolder],
    coverage: Vec<CoverageJson<'v>>,
    findings: FindingsJson<'v>,
    findings_left_out: u64,
}

#[derive(Serialize)]
struct DigestsJson {
    found: u64,
    proven: u64,
    unproven: u64,
    wrong: u64,
    unreadable: u64,
    deleted: u64,
}

#[derive(Serialize)]
struct FilesJson {
    named: u64,
    proven: u64,
    changed: u64,
    not_loaded: u64,
    not_imported: u64,
    gone: u64,
    not_hashed: u64,
}

#[derive(Serialize)]
struct UnnamedJson {
    pending: u64,
    unproven: u64,
    unexpected: u64,
    other_families: u64,
}

#[derive(Serialize)]
struct CoverageJson<'v> {
    account: &'v str,
    region: &'v str,
    day: String,
    seconds: u32,
    proven_seconds: u32,
    digests: DigestsJson,
    files: FilesJson,
    unnamed: UnnamedJson,
}

#[derive(Serialize)]
struct FindingsJson<'v> {
    digests: Vec<DigestJson<'v>>,
    deleted: &'v [String],
    holes: Vec<HoleJson<'v>>,
    files: Vec<FileJson<'v>>,
}

#[derive(Serialize)]
struct DigestJson<'v> {
    uri: &'v str,
    state: &'static str,
    /// The key, the place of delivery, the other digest, or the reason.
    detail: Option<&'v str>,
    notes: Vec<NoteJson<'v>>,
}

#[derive(Serialize)]
struct NoteJson<'v> {
    note: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    successor: Option<&'v str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    files: Option<u64>,
}

#[derive(Serialize)]
struct HoleJson<'v> {
    kind: &'static str,
    account: &'v str,
    region: &'v str,
    trail: Option<&'v str>,
    home_region: Option<&'v str>,
    is_backfill: bool,
    from: Option<String>,
    to: String,
    digest: Option<&'v str>,
    /// The digest that is missing, or where the chain continues.
    other_digest: Option<String>,
    files: u64,
}

#[derive(Serialize)]
struct FileJson<'v> {
    uri: &'v str,
    state: &'static str,
    digest: Option<&'v str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    loaded_sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    named_sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'v str>,
}

impl<'v> From<&'v Verified> for VerifiedJson<'v> {
    fn from(verified: &'v Verified) -> Self {
        let Verified { digests, deleted, holes, files, totals, .. } = verified;
        let left_out = [digests.left_out, deleted.left_out, holes.left_out, files.left_out];
        Self {
            proven: verified.is_all_proven(),
            digests: totals.digests.into(),
            files: totals.files.into(),
            unnamed: totals.unnamed.into(),
            holes: totals.holes,
            moved_digests: verified.moved.0,
            delivered_to: verified.moved.1.as_deref(),
            fetched_digests: verified.fetched,
            reread_files: verified.reread,
            list_requests: verified.list_requests,
            unreadable: &verified.unreadable,
            coverage: verified.coverage.iter().map(CoverageJson::from).collect(),
            findings: FindingsJson {
                digests: digests.kept.iter().map(DigestJson::from).collect(),
                deleted: &deleted.kept,
                holes: holes.kept.iter().map(HoleJson::from).collect(),
                files: files.kept.iter().map(FileJson::from).collect(),
            },
            findings_left_out: left_out.iter().sum(),
        }
    }
}

impl From<DigestCounts> for DigestsJson {
    fn from(counts: DigestCounts) -> Self {
        let DigestCounts { found, proven, unproven, wrong, unreadable, deleted } = counts;
        Self { found, proven, unproven, wrong, unreadable, deleted }
    }
}

impl From<FileCounts> for FilesJson {
    fn from(counts: FileCounts) -> Self {
        let FileCounts { named, proven, changed, not_loaded, not_imported, gone, not_hashed } =
            counts;
        Self { named, proven, changed, not_loaded, not_imported, gone, not_hashed }
    }
}

impl From<UnnamedCounts> for UnnamedJson {
    fn from(counts: UnnamedCounts) -> Self {
        let UnnamedCounts { pending, unproven, unexpected, other_families } = counts;
        Self { pending, unproven, unexpected, other_families }
    }
}

impl<'v> From<&'v Coverage> for CoverageJson<'v> {
    fn from(coverage: &'v Coverage) -> Self {
        Self {
            account: &coverage.account,
            region: &coverage.region,
            day: coverage.day.to_string(),
            seconds: coverage.seconds,
            proven_seconds: coverage.proven_seconds,
            digests: coverage.digests.into(),
            files: coverage.files.into(),
            unnamed: coverage.unnamed.into(),
        }
    }
}

impl<'v> From<&'v DigestFinding> for DigestJson<'v> {
    fn from(finding: &'v DigestFinding) -> Self {
        let detail = match &finding.state {
            DigestState::UnknownKey(detail)
            | DigestState::WrongCopy(detail)
            | DigestState::Replayed(detail)
            | DigestState::Unreadable(detail) => Some(&**detail),
            DigestState::Proven(_) | DigestState::NoSignature | DigestState::WrongSignature => None,
        };
        let note = |note: &'v DigestNote| {
            let (name, successor, files) = match note {
                DigestNote::Replaced { successor } => ("replaced", Some(&**successor), None),
                DigestNote::ReplacedSince => ("replaced_since", None, None),
                DigestNote::FilesMissing { files } => ("files_missing", None, Some(*files)),
                DigestNote::Moved { from } => ("moved", Some(&**from), None),
            };
            NoteJson { note: name, successor, files }
        };
        let (uri, state) = (&*finding.uri, finding.state.name());
        Self { uri, state, detail, notes: finding.notes.iter().map(note).collect() }
    }
}

impl<'v> From<&'v HoleFinding> for HoleJson<'v> {
    fn from(finding: &'v HoleFinding) -> Self {
        let HoleFinding { account, region, hole } = finding;
        let other = match &hole.kind {
            HoleKind::Missing(bucket, key)
            | HoleKind::Elsewhere(bucket, key)
            | HoleKind::Begin(Some((bucket, key))) => Some(format!("s3://{bucket}/{key}")),
            HoleKind::Begin(None) | HoleKind::Off | HoleKind::End | HoleKind::NoDigest => None,
        };
        let chain = hole.chain.as_ref();
        Self {
            kind: hole.kind.name(),
            account,
            region,
            trail: chain.map(|chain| &*chain.trail),
            home_region: chain.map(|chain| &*chain.home_region),
            is_backfill: chain.is_some_and(|chain| chain.is_backfill),
            from: hole.from.map(rfc3339),
            to: rfc3339(hole.to),
            digest: hole.digest.as_deref(),
            other_digest: other,
            files: hole.files,
        }
    }
}

impl<'v> From<&'v FileFinding> for FileJson<'v> {
    fn from(finding: &'v FileFinding) -> Self {
        let (loaded, named, reason) = match &finding.state {
            FileState::Changed { loaded, named } => (Some(loaded), Some(named), None),
            FileState::NotLoaded(reason) => (None, None, Some(&**reason)),
            _ => (None, None, None),
        };
        Self {
            uri: &finding.uri,
            state: finding.state.name(),
            digest: finding.digest.as_deref(),
            loaded_sha256: loaded.map(ToString::to_string),
            named_sha256: named.map(ToString::to_string),
            reason,
        }
    }
}
