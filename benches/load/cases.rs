//! The cases: what is compared with what.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::ceiling::ReadyParts;
use crate::data::{Data, public_keys};
use crate::databases::{
    ENGINES, ReadyFile, import, import_command, name, server, settle, with_tables,
};
use crate::measure::{Measured, Usage, with_server};
use crate::own_database::{Engine, OwnDatabase};
use crate::s3_server::{ACCESS_KEY, S3Server, SECRET_KEY};
use crate::single_inserts::single_inserts;
use crate::table::Comparison;

/// What every case needs.
pub struct Bench {
    /// Where data sets are kept.
    pub folder: PathBuf,
    pub records: u64,
    pub rounds: usize,
}

impl Bench {
    /// Returns the data set that most cases load.
    pub fn data(&self) -> Data {
        self.organization(self.records)
    }

    /// Returns the tutorial's day.
    pub fn day(&self) -> Data {
        self.organization(crate::day::RECORDS)
    }

    /// Returns the data set that is asked questions: the tutorial's day, unless the size was chosen.
    pub fn questioned(&self, is_chosen: bool) -> Data {
        if is_chosen { self.data() } else { self.day() }
    }

    /// Returns so many records of a middle-sized organization.
    fn organization(&self, records: u64) -> Data {
        let records = records.to_string();
        Data::make(&self.folder, &["--records", &records, "--accounts", "8", "--regions", "4"])
    }

    /// Runs both sides in turns.
    fn compare(
        &self,
        (ours, reference): (String, String),
        target: &'static str,
        data: &Data,
        mut run_ours: impl FnMut() -> Usage,
        mut run_reference: impl FnMut() -> Usage,
    ) -> Comparison {
        let rounds = (0..self.rounds).map(|_| (run_ours(), run_reference())).collect();
        let (rows, json_bytes) = (data.rows, data.json_bytes);
        Comparison { ours, reference, target, by_cpu: false, rounds, rows, json_bytes }
    }

    /// Our import against the server's own load of the same rows, without indexes.
    pub fn ready_file(&self, engine: Engine) -> Comparison {
        let data = self.data();
        let file = ReadyFile::of(&Self::loaded(engine, &data));
        let target = match engine {
            Engine::Postgres => "≤ 1.25",
            Engine::Mysql => "≤ 1.1",
            Engine::Mariadb => "≤ 0.65",
            Engine::Sqlite => "≤ 1.0",
        };
        let names = (name(engine).into(), ReadyFile::statement(engine).into());
        // Both sides find the tables there, and empty.
        let args = ["--no-index"];
        let ours = || import(&with_tables(engine, &args), &data.folder, &args);
        self.compare(names, target, &data, ours, || file.load())
    }

    /// Ready-made rows, only sent, against the server's own load of the same rows.
    pub fn ceiling(&self) -> Comparison {
        let (engine, data) = (Engine::Postgres, self.data());
        let database = Self::loaded(engine, &data);
        let (file, parts) = (ReadyFile::of(&database), ReadyParts::of(&database));
        drop(database);
        let ours = format!("{}, ready-made rows only sent", name(engine));
        let names = (ours, ReadyFile::statement(engine).into());
        self.compare(names, "the ceiling", &data, || parts.send(), || file.load())
    }

    fn loaded(engine: Engine, data: &Data) -> OwnDatabase {
        let database = OwnDatabase::new(engine);
        import(&database, &data.folder, &["--no-index"]);
        database
    }

    /// Decoding and parsing, on one core, against `gzip`.
    pub fn parse(&self) -> Comparison {
        let data = self.data();
        let ours = || {
            let mut parse = Measured::new(&std::env::current_exe().unwrap());
            parse.command().arg(crate::PARSE).arg(&data.folder);
            parse.run()
        };
        let gzip = || {
            let mut gzip = Measured::new(Path::new("gzip"));
            gzip.command().arg("-dcr").arg(&data.folder);
            gzip.run()
        };
        let names = ("decode and parse".into(), "`gzip -dc`".into());
        let comparison = self.compare(names, "≤ 1.5 (CPU)", &data, ours, gzip);
        Comparison { by_cpu: true, ..comparison }
    }

    /// From an S3 server against from a folder: objects as a trail writes them, and large ones.
    pub fn s3(&self) -> [Comparison; 2] {
        let args = ["--records", &self.records.to_string(), "--records-per-file", "1000"];
        let large = Data::make(&self.folder, &args);
        [self.s3_with("", &self.data()), self.s3_with(", 1,000 records an object", &large)]
    }

    fn s3_with(&self, what: &str, data: &Data) -> Comparison {
        let engine = Engine::Postgres;
        let s3 = S3Server::start();
        put_all(&s3, data);
        s3.set_latency(Duration::from_millis(20));
        let ours = || {
            let database = OwnDatabase::new(engine);
            settle(engine);
            let mut import = import_command(&database, &["--no-index", "s3://trail/"]);
            import.command().envs([
                ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
                ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
                ("AWS_ENDPOINT_URL", &s3.endpoint_url()),
            ]);
            with_server(server(engine), || import.run())
        };
        let names =
            (format!("PostgreSQL, from S3 (20 ms a request){what}"), "from a folder".into());
        let local = || import_new(engine, &data.folder, &["--no-index"]);
        self.compare(names, "≤ 1.15", data, ours, local)
    }

    /// Importing and then building the indexes, against importing into a table that has them.
    pub fn indexes(&self, engine: Engine) -> Comparison {
        let data = self.data();
        let names = (format!("{}, indexes built last", name(engine)), "indexes in place".into());
        let ours = || import_new(engine, &data.folder, &[]);
        let in_place = || import(&with_tables(engine, &[]), &data.folder, &[]);
        self.compare(names, "< 0.6", &data, ours, in_place)
    }

    /// Every call of one API against everything, with the indexes.
    pub fn filters(&self, engine: Engine) -> Comparison {
        let data = self.data();
        let filter = ["--event-name", "AssumeRole"];
        let names = (format!("{}, `{}`", name(engine), filter.join(" ")), "everything".into());
        let ours = || import_new(engine, &data.folder, &filter);
        self.compare(names, "≤ 0.67", &data, ours, || import_new(engine, &data.folder, &[]))
    }

    /// An import that hashes contents and verifies them against one that does not.
    pub fn verify(&self, engine: Engine) -> Comparison {
        let data = self.data();
        let keys = public_keys(&self.folder);
        // The newest digests of a tree on disk have no signature, which is a finding.
        let args = ["--no-index", "--verify", "--exit-zero-on-losses", "--public-keys"];
        let args = [&args[..], &[keys.to_str().unwrap()]].concat();
        let names = (format!("{}, `--verify`", name(engine)), "without".into());
        let ours = || import_new(engine, &data.folder, &args);
        let without = || import_new(engine, &data.folder, &["--no-index"]);
        self.compare(names, "≤ 1.12 (CPU, ours + server)", &data, ours, without)
    }

    /// Our import against one INSERT a record, each in a transaction of its own.
    pub fn single_inserts(&self, engine: Engine) -> Comparison {
        let data = self.data();
        let names = (name(engine).into(), "an INSERT a record (per row)".into());
        let ours = || import_new(engine, &data.folder, &["--no-index"]);
        self.compare(names, "≤ 0.067", &data, ours, || single_inserts(engine, &data))
    }

    /// Settings against the defaults.
    pub fn settings(&self) -> Vec<Comparison> {
        let data = self.data();
        let variants = [
            ["--writers", "1"],
            ["--writers", "2"],
            ["--writers", "3"],
            ["--writers", "4"],
            ["--batch-rows", "2000"],
            ["--batch-rows", "50000"],
            ["--batch-bytes", "4MiB"],
            ["--batch-bytes", "64MiB"],
            ["--fetchers", "2"],
            ["--fetchers", "8"],
            ["--load-method", "insert"],
        ];
        let mut comparisons = Vec::new();
        for engine in ENGINES {
            for variant in variants {
                let is_default = variant[0] == "--load-method" && engine != Engine::Postgres;
                if is_default || (variant[0] == "--writers" && engine == Engine::Sqlite) {
                    continue;
                }
                let args = ["--no-index", variant[0], variant[1]];
                let ours = || import_new(engine, &data.folder, &args);
                let defaults = || import_new(engine, &data.folder, &["--no-index"]);
                let names =
                    (format!("{}, `{}`", name(engine), variant.join(" ")), "defaults".into());
                comparisons.push(self.compare(names, "", &data, ours, defaults));
            }
        }
        comparisons
    }

    /// Peak memory over trees of different shapes.
    pub fn memory(&self) -> Vec<(String, Usage)> {
        let trees: [(&str, &[&str]); 4] = [
            ("10,000 small objects", &["--records", "200000", "--records-per-file", "20"]),
            ("50,000 small objects", &["--records", "1000000", "--records-per-file", "20"]),
            ("200,000 small objects", &["--records", "4000000", "--records-per-file", "20"]),
            ("objects of 57 MB", &LARGE),
        ];
        let mut peaks = Vec::new();
        for (shape, args) in trees {
            let data = Data::make(&self.folder, args);
            for engine in ENGINES {
                for limit in [&[][..], &["--memory", "16MiB"]] {
                    let args = [&["--no-index"], limit].concat();
                    let usage = import_new(engine, &data.folder, &args);
                    peaks.push((format!("{shape}, {} {}", name(engine), limit.join(" ")), usage));
                }
            }
        }
        peaks
    }
}

/// Puts the files of a tree into the bucket `trail`; returns how many there are.
pub fn put_all(s3: &S3Server, data: &Data) -> usize {
    let mut objects = 0;
    for entry in walkdir::WalkDir::new(&data.folder) {
        let entry = entry.unwrap();
        if entry.file_type().is_file() {
            let key = entry.path().strip_prefix(&data.folder).unwrap();
            s3.put("trail", key.to_str().unwrap(), std::fs::read(entry.path()).unwrap());
            objects += 1;
        }
    }
    objects
}

/// Few objects that are all as large: other trees of the generator are spread over hours and
/// regions, which leaves no object so many records.
const LARGE: [&str; 10] = [
    "--records",
    "500000",
    "--records-per-file",
    "45000",
    "--accounts",
    "1",
    "--regions",
    "1",
    "--hours",
    "1",
];

/// Imports into a new database, which goes with the run.
fn import_new(engine: Engine, source: &Path, args: &[&str]) -> Usage {
    let database = OwnDatabase::new(engine);
    settle(engine);
    import(&database, source, args)
}
