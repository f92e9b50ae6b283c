//! Trails to which something was done, and what has to be found.
//!
//! A finding is a text: `digest 22:57 wrong_signature`, `log 22:25 a gone`, `hole missing 21:57..22:57
//! with 1` (the unproven log files in it), `deleted digest 22:57`. The words are those of
//! `DigestState::name`, `HoleKind::name` and `FileState::name`. Two more are no findings, but have to be
//! as they are said: a digest may be `proven`, if a note is all that is to be said of it, and a log file
//! `pending`.

use std::collections::{BTreeMap, BTreeSet};

use super::signing::{Signer, public_keys};
use super::tree::{ACCOUNT, BUCKET, REGION, TRAIL, Tree};

mod clean;

mod logs;

mod digests;

mod holes;

/// A trail.
#[derive(Debug)]
pub struct Scenario {
    pub name: &'static str,
    /// What the source has when it is verified.
    pub tree: Tree,
    /// What it had when it was imported, if that was something else.
    pub imported: Option<Tree>,
    /// The bucket and the prefix that are the source.
    pub source: (&'static str, &'static str),
    /// The public keys of the regions, as `ListPublicKeys` answers them.
    pub keys: BTreeMap<&'static str, String>,
    /// What the AWS CLI judges in one run each.
    pub chains: Vec<CliChain>,
    /// What has to be found on S3.
    pub expected: Findings,
    /// What has to be found in a folder, where the metadata is lost.
    pub expected_in_folder: Findings,
}

/// Findings in an order of their own.
pub type Findings = BTreeSet<String>;

/// A trail in one account and region, as options of the AWS CLI name it.
#[derive(Debug, Clone)]
pub struct CliChain {
    pub account: &'static str,
    pub region: &'static str,
    pub trail: &'static str,
    pub bucket: &'static str,
    /// Without the slash at its end.
    pub prefix: &'static str,
    /// An organization's trail is looked up, not given by its bucket.
    pub is_of_organization: bool,
}

impl CliChain {
    fn usual() -> Self {
        Self {
            account: ACCOUNT,
            region: REGION,
            trail: TRAIL,
            bucket: BUCKET,
            prefix: "",
            is_of_organization: false,
        }
    }
}

/// In a folder, nothing verifies the newest digest, and its log file is not proven yet.
const NEWEST_IN_FOLDER: [&str; 2] = ["digest 03:57 no_signature", "log 03:25 a pending"];

impl Scenario {
    /// A scenario that is all proven on S3; in a folder, all but the newest digest.
    fn new(name: &'static str, tree: Tree) -> Self {
        let keys = public_keys([&Signer::first(), &Signer::second()]);
        Self {
            name,
            tree,
            imported: None,
            source: (BUCKET, ""),
            keys: [(REGION, keys)].into(),
            chains: vec![CliChain::usual()],
            expected: Findings::new(),
            expected_in_folder: findings(&NEWEST_IN_FOLDER),
        }
    }

    /// Adds findings on S3, and in a folder.
    fn finds(mut self, expected: &[&str]) -> Self {
        self.expected.extend(findings(expected));
        self.expected_in_folder.extend(findings(expected));
        self
    }

    /// Sets the findings in a folder.
    fn finds_in_folder(mut self, expected: &[&str]) -> Self {
        self.expected_in_folder = findings(expected);
        self
    }

    /// Adds findings in a folder.
    fn also_finds_in_folder(mut self, expected: &[&str]) -> Self {
        self.expected_in_folder.extend(findings(expected));
        self
    }

    /// The source had this when it was imported.
    fn imported_as(mut self, tree: Tree) -> Self {
        self.imported = Some(tree);
        self
    }

    /// All key files, of which each region has one.
    pub fn key_files(&self) -> impl Iterator<Item = &str> {
        self.keys.values().map(String::as_str)
    }
}

fn findings(texts: &[&str]) -> Findings {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// Returns all scenarios.
pub fn all() -> Vec<Scenario> {
    let scenarios: Vec<Scenario> =
        [clean::all(), logs::all(), digests::all(), holes::all()].into_iter().flatten().collect();
    let names: BTreeSet<&str> = scenarios.iter().map(|scenario| scenario.name).collect();
    assert_eq!(names.len(), scenarios.len(), "two scenarios have the same name");
    scenarios
}
