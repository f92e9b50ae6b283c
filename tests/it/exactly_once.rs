//! Each object exactly once, whatever happens: killed programs, lost answers, servers that go
//! away, several imports at once. In the end, everything that the program leaves is compared with
//! what an undisturbed run leaves.

pub mod at_once;
mod killed;
mod lost_answers;
mod s3;

use std::sync::atomic::{AtomicU64, Ordering};

use crate::binary::Place;
use crate::databases::{Contents, Engine, OwnDatabase};
use crate::logs::{gz, log_gz, record, wrapper};

/// Objects in the tree: a number that no batch size divides.
const OBJECTS: u64 = 41;

/// Batches close after so many rows; most objects have one to four.
const BATCH_ROWS: &str = "--batch-rows=5";

/// A tree of logs, and what an undisturbed import of it leaves.
struct Tree {
    place: Place,
    engine: Engine,
    expected: Contents,
    rows: u64,
    logs: u64,
}

/// The files of a tree: logs, rejects, a digest and a broken file.
struct Files {
    by_name: Vec<(String, Vec<u8>)>,
    rows: u64,
    logs: u64,
}

impl Files {
    fn new(objects: u64) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let start = COUNT.fetch_add(1, Ordering::Relaxed);
        let (mut by_name, mut rows) = (Vec::new(), 0);
        for n in 0..objects {
            let mut records: Vec<String> =
                (0..=(n + start) % 4).map(|m| record(&format!("object {n} record {m}"))).collect();
            rows += records.len() as u64;
            if n % 10 == 3 {
                records.insert(0, format!("\"no record, but {n}\""));
            }
            by_name.push((log_name(n), gz(&wrapper(&records))));
        }
        let digest = r#"{"digestEndTime":"2023-07-10T12:00:00Z"}"#;
        by_name.push(("logs/1/digest.json".to_owned(), digest.into()));
        by_name.push(("logs/1/broken.json.gz".to_owned(), log_gz(&["never"])[..40].into()));
        Self { by_name, rows, logs: objects }
    }
}

/// Returns the name of a tree's n-th log. The logs are in three folders by turns.
fn log_name(n: u64) -> String {
    format!("logs/{}/{n:03}.json.gz", n % 3)
}

impl Tree {
    fn new(engine: Engine) -> Self {
        Self::of(engine, OBJECTS)
    }

    /// Makes a tree of files and imports it once.
    fn of(engine: Engine, objects: u64) -> Self {
        let files = Files::new(objects);
        let place = Place::new();
        for (name, bytes) in &files.by_name {
            place.write(name, bytes);
        }
        Self::imported(engine, place, &files, &["logs"])
    }

    /// Imports the files, and keeps what that leaves.
    fn imported(engine: Engine, place: Place, files: &Files, source: &[&str]) -> Self {
        let undisturbed = OwnDatabase::new(engine);
        let args = [&["--database", &undisturbed.url, "import"], source].concat();
        let run = place.run(&args).expect(3);
        let expected = undisturbed.contents();
        let Files { rows, logs, .. } = *files;
        assert_eq!(expected.rows.len() as u64, rows, "{}", run.shown());
        assert_eq!(expected.ledger.len() as u64, logs + 2);
        assert_eq!(expected.rejects.len() as u64, (logs + 6) / 10);
        Self { place, engine, expected, rows, logs }
    }

    /// Returns another database, with the tables, and in it nothing.
    fn empty_database(&self) -> OwnDatabase {
        let database = OwnDatabase::new(self.engine);
        self.place.write("empty/note.txt", "");
        let args = ["--database", &database.url, "import", "--no-index", "empty/note.txt"];
        self.place.run(&args);
        database.query("DELETE FROM import_objects");
        database
    }

    /// Checks that the database holds what an undisturbed run leaves.
    #[track_caller]
    fn assert_imported(&self, database: &OwnDatabase) {
        let contents = database.contents();
        assert_eq!(contents.ledger, self.expected.ledger, "the ledger is another");
        assert_eq!(contents.rejects, self.expected.rejects, "the rejects are others");
        assert_eq!(contents.rows.len(), self.expected.rows.len(), "rows are lost, or doubled");
        assert_eq!(contents.rows, self.expected.rows, "the rows are others");
    }
}

/// Returns the arguments of an import of a tree.
fn import(url: &str) -> Vec<&str> {
    vec!["-v", "--output=json", "--database", url, "import", "--no-index", BATCH_ROWS, "logs"]
}
