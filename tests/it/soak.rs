//! Random faults of all kinds, in one trial after another, on all databases at once.
//!
//! A trial draws a set of logs, imports it once without faults into SQLite, and then in a few
//! rounds with faults into another database. One more import without faults must leave what the
//! first one left: the same rows in all columns, the same ledger, the same rejects.
//!
//! The seed decides what is drawn. When it happens depends on the machine, so that a trial that
//! failed may have to be repeated a few times until it fails again.

mod disturb;
mod files;
mod plan;

use std::collections::BTreeMap;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use fastrand::Rng;

use self::disturb::{Happened, Stage};
use self::files::Files;
use self::plan::{Kinds, Round};
use crate::binary::{Place, Run};
use crate::databases::{Contents, Engine, OwnDatabase, Table, promises};
use crate::s3_server::{ACCESS_KEY, S3Server, SECRET_KEY};

const ENGINES: [Engine; 4] = [Engine::Sqlite, Engine::Postgres, Engine::Mysql, Engine::Mariadb];

/// The tutorial's 16 columns.
const COLUMNS: &str = "eventVersion, userIdentity, eventTime, eventSource, eventName, awsRegion, \
    sourceIPAddress, userAgent, errorCode, errorMessage, requestParameters, responseElements, \
    requestID, eventID, eventType, recipientAccountId";

/// Objects that are no logs: a digest and a broken file.
const OTHERS: u64 = 2;

/// How much longer a disturbed import takes than an undisturbed one into SQLite.
const USUAL_FACTOR: f64 = 1.5;

/// The seed of the ordinary test run: several imports at once, faults of S3, and connections that
/// are cut or, with SQLite, an import that is killed. Each trial takes one or two seconds.
const SEED: u64 = 14;

promises! { on all: a_trial_of_random_faults_leaves_what_an_undisturbed_import_leaves }

fn a_trial_of_random_faults_leaves_what_an_undisturbed_import_leaves(engine: Engine) {
    let (totals, command) = (Mutex::default(), "tests/run --test it soak".to_owned());
    Trial { number: 0, seed: SEED, engine, objects_max: 40, rounds_max: 1, crashes: None, command }
        .run(&totals);
    let totals = totals.into_inner().unwrap();
    assert!(totals.faults + totals.answers > 0, "nothing was disturbed");
}

/// Trials for `SOAK_MINUTES`, each database by itself. `SOAK_CRASHES` is where `tests/run --soak`
/// takes requests to kill a server.
#[test]
#[ignore = "runs as long as it is told to, by `tests/run --soak MINUTES`"]
fn soak() {
    let number = |name: &str| {
        let value = std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
        value.parse::<u64>().unwrap_or_else(|error| panic!("{name} is `{value}`: {error}"))
    };
    let (minutes, first_seed) = (number("SOAK_MINUTES"), number("SOAK_SEED"));
    let crashes = std::env::var_os("SOAK_CRASHES").map(PathBuf::from);
    let (totals, has_failed) = (Mutex::default(), AtomicBool::new(false));
    say(&format!("soak: {minutes} minutes, seed {first_seed}"));
    let end = Instant::now() + Duration::from_mins(minutes);
    let trials_of = |engine: Engine| {
        for number in 0.. {
            let seed = first_seed.wrapping_add(number);
            // So that the trial's seed alone is enough to repeat it.
            if ENGINES[usize::try_from(seed % 4).unwrap()] != engine {
                continue;
            }
            let crashes = crashes.clone();
            let command = format!("tests/run --soak 0 {seed}");
            Trial { number, seed, engine, objects_max: 200, rounds_max: 3, crashes, command }
                .run(&totals);
            if Instant::now() > end || has_failed.load(Ordering::Relaxed) {
                break;
            }
        }
    };
    let results = std::thread::scope(|scope| {
        let start = |engine: Engine| {
            let (trials_of, has_failed) = (&trials_of, &has_failed);
            scope.spawn(move || {
                let result = std::panic::catch_unwind(AssertUnwindSafe(|| trials_of(engine)));
                has_failed.fetch_or(result.is_err(), Ordering::Relaxed);
                result
            })
        };
        ENGINES.map(start).map(|thread| thread.join().unwrap())
    });
    say(&format!("soak: {}", totals.lock().unwrap()));
    assert!(results.iter().all(Result::is_ok), "a trial has failed; see above");
}

/// What all trials did.
#[derive(Debug, Default)]
struct Totals {
    trials: u64,
    /// Disturbed imports.
    imports: u64,
    /// Those that ended with an error.
    given_up: u64,
    faults: u64,
    answers: u64,
    lost: u64,
    doubled: u64,
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { trials, imports, given_up, faults, answers, lost, doubled } = self;
        write!(
            f,
            "{trials} trials, {imports} disturbed imports ({given_up} ended with an error), \
             {faults} faults, {answers} faulty answers of S3; {lost} rows lost, {doubled} doubled"
        )
    }
}

struct Trial {
    number: u64,
    seed: u64,
    engine: Engine,
    objects_max: usize,
    rounds_max: usize,
    crashes: Option<PathBuf>,
    /// Repeats it.
    command: String,
}

impl Trial {
    fn run(&self, totals: &Mutex<Totals>) {
        let started = Instant::now();
        let mut random = Rng::with_seed(self.seed);
        let objects = random.usize(self.objects_max / 2..self.objects_max);
        let files = Files::draw(&mut random, objects);
        let source = Source::draw(&mut random, &files);
        let kinds = Kinds {
            engine: self.engine,
            has_bucket: source.server.is_some(),
            crashes: self.crashes.clone(),
        };
        // All at once, so that the seed alone decides about them.
        let rounds = random.usize(1..=self.rounds_max);
        let rounds: Vec<Round> = (0..rounds).map(|_| Round::draw(&mut random, &kinds)).collect();
        let _shown_if_it_fails = ShownIfItFails { trial: self, rounds: &rounds };

        let expected = source.imported(objects);
        let database = OwnDatabase::new(self.engine);
        let mut disturbed = source.disturb(&rounds, &kinds, &database, &expected);
        let run = source.import(&database).expect(3);
        disturbed.rows_counted += assert_summary(&run, objects as u64);
        let contents = Everything::of(&database);

        let (lost, doubled) = expected.rows_lost_and_doubled(&contents);
        totals.lock().unwrap().add(&disturbed, lost, doubled);
        let place = if kinds.has_bucket { "bucket" } else { "folder" };
        say(&format!(
            "{}, {place} of {objects} objects: {disturbed}; {lost} rows lost, {doubled} doubled in \
             {:.1} s",
            self.name(),
            started.elapsed().as_secs_f64(),
        ));
        disturbed.errors.iter().for_each(|error| say(&format!("    an import ended: {error}")));
        assert_eq!((lost, doubled), (0, 0), "{}", run.shown());
        assert_eq!(contents.rest.ledger, expected.contents.rest.ledger, "the ledger is another");
        assert_eq!(contents.rest.rejects, expected.contents.rest.rejects, "other rejects");
        let (counted, rows) = (disturbed.rows_counted, files.rows);
        assert!(counted <= rows, "{counted} rows were counted of {rows}");
    }

    fn name(&self) -> String {
        format!("trial {} (seed {}), {:?}", self.number, self.seed, self.engine)
    }
}

/// Prints a trial that fails, and how to repeat it.
struct ShownIfItFails<'t> {
    trial: &'t Trial,
    rounds: &'t [Round],
}

impl Drop for ShownIfItFails<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let (name, command, rounds) = (self.trial.name(), &self.trial.command, self.rounds);
            say(&format!("{name}, has FAILED; to repeat it: {command}\n{rounds:#?}"));
        }
    }
}

/// What happened in the rounds of a trial.
#[derive(Default)]
struct Disturbed {
    rounds: Vec<Happened>,
    imports: u64,
    /// The errors that ended imports, which the next one has to make good.
    errors: Vec<String>,
    rows_counted: u64,
}

/// Shows it as `kill 2, cut 7 | INT 1`.
impl fmt::Display for Disturbed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |happened: &Happened| {
            let mut counts = BTreeMap::new();
            happened.faults.iter().for_each(|fault| *counts.entry(*fault).or_default() += 1);
            counts.insert("cut", happened.cuts);
            counts.insert("S3 fault", happened.answers);
            counts.retain(|_, count| *count > 0);
            let counts: Vec<String> =
                counts.iter().map(|(name, n)| format!("{name} {n}")).collect();
            if counts.is_empty() { "no fault".to_owned() } else { counts.join(", ") }
        };
        f.write_str(&self.rounds.iter().map(shown).collect::<Vec<_>>().join(" | "))
    }
}

impl Totals {
    fn add(&mut self, trial: &Disturbed, lost: u64, doubled: u64) {
        self.trials += 1;
        self.imports += trial.imports;
        self.given_up += trial.errors.len() as u64;
        for round in &trial.rounds {
            self.faults += round.faults.len() as u64 + round.cuts;
            self.answers += round.answers;
        }
        self.lost += lost;
        self.doubled += doubled;
    }
}

/// The logs of a trial, in a folder or a bucket.
struct Source {
    place: Place,
    server: Option<S3Server>,
    args: Vec<String>,
}

impl Source {
    fn draw(random: &mut Rng, files: &Files) -> Self {
        let mut place = Place::new();
        if random.usize(0..3) == 0 {
            files.by_name.iter().for_each(|(name, bytes)| place.write(name, bytes));
            return Self { place, server: None, args: vec!["logs".to_owned()] };
        }
        let server = S3Server::start();
        files.by_name.iter().for_each(|(name, bytes)| server.put("trail", name, bytes.clone()));
        place.set("AWS_ACCESS_KEY_ID", ACCESS_KEY);
        place.set("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
        let args = vec![format!("--endpoint-url={}", server.endpoint_url()), "s3://trail/".into()];
        Self { place, server: Some(server), args }
    }

    /// Imports everything without faults.
    fn import(&self, database: &OwnDatabase) -> Run {
        let mut args = vec!["--output=json", "--database", &database.url, "import"];
        args.extend(self.args.iter().map(String::as_str));
        self.place.run(&args)
    }

    /// Returns what an undisturbed import into SQLite leaves.
    fn imported(&self, objects: usize) -> Expected {
        let (started, database) = (Instant::now(), OwnDatabase::new(Engine::Sqlite));
        let run = self.import(&database).expect(3);
        let took = started.elapsed();
        assert_summary(&run, objects as u64);
        Expected { contents: Everything::of(&database), took }
    }

    /// Imports it in rounds, with faults.
    fn disturb(
        &self,
        rounds: &[Round],
        kinds: &Kinds,
        database: &OwnDatabase,
        expected: &Expected,
    ) -> Disturbed {
        let args: Vec<&str> = self.args.iter().map(String::as_str).collect();
        let stage = Stage {
            place: &self.place,
            source: &args,
            server: self.server.as_ref(),
            database,
            kinds,
            usual: expected.took.mul_f64(USUAL_FACTOR),
        };
        let mut disturbed = Disturbed::default();
        for round in rounds {
            let happened = round.carry_out(&stage);
            assert_whole_objects(database);
            for run in &happened.runs {
                disturbed.rows_counted += rows_counted(run);
                disturbed.errors.extend(error_of(run));
            }
            disturbed.imports += round.imports.len() as u64;
            disturbed.rounds.push(happened);
        }
        disturbed
    }
}

/// What an undisturbed import into SQLite leaves, and how long it took.
struct Expected {
    contents: Everything,
    took: Duration,
}

impl Expected {
    /// Returns how many rows `other` lacks, and how many it has too many. A changed row is both.
    fn rows_lost_and_doubled(&self, other: &Everything) -> (u64, u64) {
        let mut counts: BTreeMap<_, i64> = BTreeMap::new();
        self.contents.rows.iter().for_each(|row| *counts.entry(row).or_default() += 1);
        other.rows.iter().for_each(|row| *counts.entry(row).or_default() -= 1);
        let sum = |of: fn(i64) -> i64| counts.values().map(|n| of(*n).max(0).unsigned_abs()).sum();
        (sum(|n| n), sum(|n| -n))
    }
}

/// All that an import leaves, with all columns.
struct Everything {
    rows: Table,
    rest: Contents,
}

impl Everything {
    fn of(database: &OwnDatabase) -> Self {
        let rows = database.query(&format!("SELECT {COLUMNS} FROM logs"));
        Self { rows, rest: database.contents() }
    }
}

/// Checks that the rows are those of the objects in the ledger, at any moment.
fn assert_whole_objects(database: &OwnDatabase) {
    // In one statement, so that both are seen at one moment.
    let halves = database.try_query(
        "SELECT (SELECT COUNT(*) FROM logs), (SELECT COALESCE(SUM(row_count), 0) FROM import_objects)",
    );
    // Before the first batch there may be no table.
    let Ok(halves) = halves else { return };
    assert_eq!(halves[0][0], halves[0][1], "half an object is committed");
}

/// Checks how a disturbed run ended, and returns how many rows it counted.
fn rows_counted(run: &Run) -> u64 {
    if let Some(signal) = run.signal() {
        // Before the program catches signals, they have their usual effect.
        assert!([2, 15].contains(&signal), "signal {signal}\n{}", run.shown());
        return 0;
    }
    assert!([1, 3, 130].contains(&run.code()), "{}", run.shown());
    if run.stdout.is_empty() {
        return 0;
    }
    let summary = run.json();
    assert_balanced(run);
    summary["rows"].as_u64().unwrap()
}

/// Returns the error that ended a run, in one line.
fn error_of(run: &Run) -> Option<String> {
    if run.signal().is_some() || run.code() != 1 {
        return None;
    }
    let (_, error) = run.stderr.rsplit_once("\nerror: ").unwrap_or(("", &run.stderr));
    Some(error.lines().map(str::trim).collect::<Vec<_>>().join("; "))
}

/// Checks that each object that was listed has one fate.
fn assert_balanced(run: &Run) {
    let summary = run.json();
    let objects = |fate: &str| summary[fate]["objects"].as_u64().unwrap();
    let skipped = summary["skipped"].as_array().unwrap().iter();
    let skipped: u64 = skipped.map(|kind| kind["objects"].as_u64().unwrap()).sum();
    let fates = ["loaded", "already_loaded", "failed", "pending"];
    let sum: u64 = fates.iter().map(|fate| objects(fate)).sum();
    assert_eq!(objects("listed"), sum + skipped, "{}", run.shown());
    assert_eq!(summary["balanced"], true, "{}", run.shown());
}

/// Checks the summary of an undisturbed run, and returns how many rows it counted.
fn assert_summary(run: &Run, logs: u64) -> u64 {
    assert_balanced(run);
    let summary = run.json();
    let objects = |fate: &str| summary[fate]["objects"].as_u64().unwrap();
    assert_eq!(objects("listed"), logs + OTHERS, "{}", run.shown());
    assert_eq!(objects("loaded") + objects("already_loaded"), logs, "{}", run.shown());
    assert_eq!((objects("failed"), objects("pending")), (1, 0), "{}", run.shown());
    assert_eq!(summary["indexes_missing"].as_array().unwrap().len(), 0, "{}", run.shown());
    summary["rows"].as_u64().unwrap()
}

#[expect(clippy::print_stdout, reason = "the report of `tests/run --soak`")]
fn say(line: &str) {
    println!("{line}");
}
