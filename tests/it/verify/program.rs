//! Runs of the program on the scenarios, and their findings.

use std::path::Path;

use serde_json::Value;

use super::label::{clock, label};
use super::scenarios::{Findings, Scenario};
use super::tree::{ACCOUNT, BUCKET, REGION, TRAIL, Tree};
use crate::binary::{Place, Run};
use crate::databases::{Engine, OwnDatabase};
use crate::s3_server::{ACCESS_KEY, S3Server, SECRET_KEY};

/// Where a trail's objects are.
#[derive(Debug)]
pub enum Store {
    S3(S3Server),
    /// Below `tree/` in the place of the program. Metadata is lost.
    Folder,
}

/// A trail in a store, and a database to import it into.
#[derive(Debug)]
pub struct Site {
    pub place: Place,
    pub database: OwnDatabase,
    pub store: Store,
    /// What is imported and verified.
    pub source: String,
    /// The options that both commands need.
    options: Vec<String>,
}

/// Where the keys that a place has are.
const KEY_FOLDER: &str = "keys";

impl Site {
    /// Puts what a scenario imports into a store.
    pub fn of(scenario: &Scenario, engine: Engine, is_on_s3: bool) -> Self {
        let (bucket, prefix) = scenario.source;
        let mut site = if is_on_s3 {
            Self::on_s3(engine, &format!("s3://{bucket}/{prefix}"))
        } else {
            Self::in_folder(engine, &format!("tree/{bucket}/{prefix}"))
        };
        for (number, keys) in scenario.key_files().enumerate() {
            site.add_keys(number, keys);
        }
        site.put(scenario.imported.as_ref().unwrap_or(&scenario.tree));
        site
    }

    /// Puts a tree of the usual trail into a store on S3.
    pub fn of_tree(tree: &Tree, engine: Engine) -> Self {
        let site = Self::on_s3(engine, &format!("s3://{BUCKET}/"));
        site.put(tree);
        site
    }

    fn on_s3(engine: Engine, source: &str) -> Self {
        let server = S3Server::start();
        let options = vec!["--endpoint-url".to_owned(), server.endpoint_url()];
        let mut site = Self::new(engine, Store::S3(server), source, options);
        for (name, value) in [
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
            // CloudTrail's own API is nowhere, unless a test has one.
            ("AWS_ENDPOINT_URL_CLOUDTRAIL", "http://127.0.0.1:1"),
        ] {
            site.place.set(name, value);
        }
        site
    }

    fn in_folder(engine: Engine, source: &str) -> Self {
        Self::new(engine, Store::Folder, source, vec![])
    }

    fn new(engine: Engine, store: Store, source: &str, options: Vec<String>) -> Self {
        let database = OwnDatabase::new(engine);
        let place = Place::with_database(&database.url);
        Self { place, database, store, source: source.to_owned(), options }
    }

    /// Adds a key file to the options.
    pub fn add_keys(&mut self, number: usize, keys: &str) {
        let name = format!("{KEY_FOLDER}/{number}.json");
        self.place.write(&name, keys);
        self.options.extend(["--public-keys".to_owned(), name]);
    }

    /// Replaces all objects by those of a tree.
    pub fn put(&self, tree: &Tree) {
        match &self.store {
            Store::S3(server) => {
                server.clear();
                tree.put_into(server);
            }
            Store::Folder => {
                let folder = self.place.path("tree");
                if folder.exists() {
                    std::fs::remove_dir_all(&folder).unwrap();
                }
                for ((bucket, key), object) in &tree.objects {
                    self.place.write(Path::new("tree").join(bucket).join(key), &object.bytes);
                }
            }
        }
    }

    pub fn server(&self) -> &S3Server {
        let Store::S3(server) = &self.store else { panic!("it is in a folder") };
        server
    }

    /// Runs a command on the source.
    pub fn run(&self, command: &[&str]) -> Run {
        let options = self.options.iter().map(String::as_str);
        let common = ["--quiet", "--output=json"].into_iter();
        let args: Vec<&str> =
            common.chain(command.iter().copied()).chain(options).chain([&*self.source]).collect();
        self.place.run(&args)
    }

    /// Imports and verifies; returns what is found.
    pub fn import(&self) -> Verified {
        let run = self.run(&["import", "--no-index", "--verify"]);
        let found = run.json()["verified"].clone();
        Verified::new(&run, found)
    }

    /// Verifies what is imported.
    pub fn verify(&self) -> Verified {
        let run = self.run(&["verify"]);
        let found = run.json();
        Verified::new(&run, found)
    }
}

/// What a verification printed.
#[derive(Debug)]
pub struct Verified {
    pub code: i32,
    pub json: Value,
}

impl Verified {
    #[track_caller]
    fn new(run: &Run, json: Value) -> Self {
        let code = run.code();
        assert!([0, 3].contains(&code) && json.is_object(), "{}", run.shown());
        let verified = Self { code, json };
        verified.assert_balanced();
        verified
    }

    /// Returns a number, such as `files.proven`.
    pub fn number(&self, path: &str) -> u64 {
        let value = path.split('.').fold(&self.json, |value, key| &value[key]);
        value.as_u64().unwrap_or_else(|| panic!("{path} in {:#}", self.json))
    }

    /// The sums add up, and are those of the days.
    #[track_caller]
    fn assert_balanced(&self) {
        let sum = |keys: &[&str]| keys.iter().map(|key| self.number(key)).sum::<u64>();
        assert_eq!(
            self.number("digests.found"),
            sum(&["digests.proven", "digests.unproven", "digests.wrong", "digests.unreadable"])
        );
        assert_eq!(
            self.number("files.named"),
            sum(&["files.proven", "files.changed", "files.not_loaded", "files.not_imported"])
                + sum(&["files.gone", "files.not_hashed"])
        );
        assert_eq!(self.number("findings_left_out"), 0);
        for part in ["digests", "files", "unnamed"] {
            for (key, value) in self.json[part].as_object().unwrap() {
                let days = self.json["coverage"].as_array().unwrap().iter();
                let of_days: u64 = days.map(|day| day[part][key].as_u64().unwrap()).sum();
                assert_eq!(Some(of_days), value.as_u64(), "{part}.{key}: {:#}", self.json);
            }
        }
    }

    /// Checks the findings, the exit code, and how many files are pending.
    #[track_caller]
    pub fn assert_finds(&self, expected: &Findings, what: &str) {
        let (pending, expected): (Findings, Findings) =
            expected.iter().cloned().partition(|text| text.ends_with(" pending"));
        let found = self.findings();
        let [missing, surplus] = [(&expected, &found), (&found, &expected)]
            .map(|(one, other)| one.difference(other).collect::<Vec<_>>());
        assert!(
            missing.is_empty() && surplus.is_empty(),
            "{what}\nmissing: {missing:#?}\nsurplus: {surplus:#?}\n{:#}",
            self.json
        );
        assert_eq!(self.number("unnamed.pending"), pending.len() as u64, "{what}: {:#}", self.json);
        assert_eq!(self.code, if expected.is_empty() { 0 } else { 3 }, "{what}");
        assert_eq!(self.json["proven"], expected.is_empty(), "{what}");
    }

    /// Returns the findings as scenarios write them.
    pub fn findings(&self) -> Findings {
        let list = |name: &str| self.json["findings"][name].as_array().unwrap().iter();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let stated =
            |value: &Value| format!("{} {}", label(&text(&value["uri"])), text(&value["state"]));
        let mut findings = Findings::new();
        findings.extend(list("digests").map(stated));
        findings.extend(list("files").map(stated));
        findings.extend(list("deleted").map(|uri| format!("deleted {}", label(&text(uri)))));
        findings.extend(list("holes").map(hole));
        findings
    }
}

/// `hole missing 21:57..22:57 with 1`; what is unusual of its chain follows the times.
fn hole(hole: &Value) -> String {
    let text = |key: &str| hole[key].as_str();
    let mut shown = format!(
        "hole {} {}..{}",
        text("kind").unwrap(),
        text("from").map_or("?".to_owned(), clock),
        clock(text("to").unwrap())
    );
    for (key, usual) in [("trail", TRAIL), ("region", REGION), ("account", ACCOUNT)] {
        if let Some(part) = text(key).filter(|part| *part != usual) {
            shown = format!("{shown} {part}");
        }
    }
    if hole["is_backfill"] == true {
        shown.push_str(" backfill");
    }
    format!("{shown} with {}", hole["files"])
}
