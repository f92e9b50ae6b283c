//! From S3, through the program, into SQLite.

use std::time::Duration;

use super::at_once::{assert_met, meet};
use crate::binary::{Place, Run};
use crate::databases::{Engine, OwnDatabase};
use crate::logs::log_gz;
use crate::s3_server::{ACCESS_KEY, Fault, Op, S3Server, SECRET_KEY};

/// More than a page has, which is 1,000.
const OBJECTS: u64 = 2_041;

struct Bucket {
    server: S3Server,
    place: Place,
    database: OwnDatabase,
    objects: u64,
}

impl Bucket {
    fn with(objects: u64) -> Self {
        let server = S3Server::start();
        for n in 0..objects {
            server.put("trail", &key(n), log_gz(&[&format!("record {n}")]));
        }
        let database = OwnDatabase::new(Engine::Sqlite);
        let mut place = Place::with_database(&database.url);
        place.set("AWS_ACCESS_KEY_ID", ACCESS_KEY);
        place.set("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
        Self { server, place, database, objects }
    }

    fn import(&self) -> Run {
        let endpoint_url = self.server.endpoint_url();
        let import = ["--output=json", "import", "--endpoint-url", &endpoint_url];
        self.place.run(&[&import[..], &["s3://trail/logs/"]].concat())
    }

    fn assert_imported(&self) {
        let rows = self.database.number("SELECT COUNT(*) FROM logs");
        let ids = self.database.number("SELECT COUNT(DISTINCT eventID) FROM logs");
        assert_eq!((rows, ids), (self.objects, self.objects));
    }
}

fn key(n: u64) -> String {
    format!("logs/{n:04}.json.gz")
}

#[test]
fn every_page_of_a_bucket_is_imported_once() {
    let bucket = Bucket::with(OBJECTS);
    let run = bucket.import().expect(0);
    assert_eq!(run.json()["loaded"]["objects"], OBJECTS, "{}", run.shown());
    // Three pages; more where idle listers split what is left.
    let lists = bucket.server.calls(Op::ListObjectsV2);
    assert!((3..30).contains(&lists), "{lists} requests");
    bucket.assert_imported();
    let fetched = bucket.server.calls(Op::GetObject);
    bucket.server.put("trail", &key(7_000), log_gz(&["record 7000"]));
    let run = bucket.import().expect(0);
    assert_eq!(run.json()["already_loaded"]["objects"], OBJECTS, "{}", run.shown());
    assert_eq!(run.json()["loaded"]["objects"], 1);
    assert_eq!(bucket.server.calls(Op::GetObject), fetched + 1, "it read what it knew");
}

#[test]
fn faults_that_pass_cost_nothing() {
    let bucket = Bucket::with(41);
    bucket.server.fail_next(Op::ListObjectsV2, Fault::SlowDown, 1);
    bucket.server.fail_next(Op::GetObject, Fault::SlowDown, 2);
    bucket.server.fail_next(Op::GetObject, Fault::Cut(50), 2);
    bucket.server.fail_next(Op::GetObject, Fault::Drop, 1);
    let run = bucket.import().expect(0);
    assert_eq!(bucket.server.calls(Op::GetObject), 41 + 5, "{}", run.shown());
    bucket.assert_imported();
}

#[test]
fn an_object_that_may_not_be_read_costs_only_itself() {
    let bucket = Bucket::with(41);
    bucket.server.fail_on(Op::GetObject, &key(20), Fault::Denied);
    let run = bucket.import().expect(3);
    assert_eq!(run.json()["failed"]["objects"], 1, "{}", run.shown());
    assert_eq!(run.json()["loaded"]["objects"], 40);
    let uri = format!("{}/trail/logs/0020.json.gz", bucket.server.endpoint_url());
    let failure = format!("cannot load {uri}");
    for part in [&*failure, "`AccessDenied` (status 403", "s3:GetObject"] {
        assert!(run.stderr.contains(part), "{part} is not in {}", run.shown());
    }
    let status = bucket.place.run(&["status", "--failed"]).expect(0);
    assert!(status.stdout.contains(&format!("{uri}\n")), "{}", status.shown());
    bucket.server.heal();
    assert_eq!(bucket.import().expect(0).json()["loaded"]["objects"], 1);
    bucket.assert_imported();
}

#[test]
fn a_run_that_may_read_nothing_ends_after_a_hundred_denials() {
    let bucket = Bucket::with(OBJECTS);
    bucket.server.fail_next(Op::GetObject, Fault::Denied, usize::MAX);
    let run = bucket.import().expect(1);
    for part in [
        "\nerror: 100 objects were denied, and none could be read\n",
        "`AccessDenied` (status 403",
        "\nhint: the role needs `s3:GetObject` on `arn:aws:s3:::trail/logs/*`",
    ] {
        assert!(run.stderr.contains(part), "{part} is not in {}", run.shown());
    }
    let failed = run.json()["failed"]["objects"].as_u64().unwrap();
    assert!(failed < 100, "{}", run.shown());
    // Those in flight with it were requested, too.
    let denied = bucket.server.calls(Op::GetObject);
    assert!((100..400).contains(&denied), "{denied} requests");
    bucket.server.heal();
    bucket.import().expect(0);
    bucket.assert_imported();
}

#[test]
fn objects_that_are_always_denied_do_not_stop_the_run_for_the_others() {
    let bucket = Bucket::with(141);
    (0..120).for_each(|n| bucket.server.fail_on(Op::GetObject, &key(n), Fault::Denied));
    bucket.import();
    let run = bucket.import();
    // Objects that failed before do not count, so each run gets further.
    let run = if run.code() == 3 { run } else { bucket.import().expect(3) };
    assert_eq!(run.json()["failed"]["objects"], 120, "{}", run.shown());
    assert_eq!(bucket.database.number("SELECT COUNT(*) FROM logs"), 21);
}

#[test]
fn credentials_that_expire_end_the_run_and_the_same_command_goes_on() {
    let bucket = Bucket::with(OBJECTS);
    bucket.server.fail_on(Op::GetObject, &key(500), Fault::Expired);
    let run = bucket.import().expect(1);
    let summary = run.json();
    assert_eq!(summary["outcome"], "failed", "{}", run.shown());
    assert_eq!(summary["failed"]["objects"], 0, "an object was blamed: {}", run.shown());
    assert!(run.stderr.contains("\nerror: the AWS credentials have expired\n"), "{}", run.shown());
    assert!(run.stderr.contains("\nhint: sign in again"), "{}", run.shown());
    assert!(!run.stderr.contains(SECRET_KEY), "a secret is printed");
    // What was in flight is in, and counted; what was left is, too.
    let objects = |fate: &str| summary[fate]["objects"].as_u64().unwrap();
    assert_eq!(objects("listed"), objects("loaded") + objects("pending"), "{}", run.shown());
    assert_eq!(bucket.database.number("SELECT COUNT(*) FROM logs"), objects("loaded"));
    assert!(objects("loaded") > 0 && objects("pending") > 0, "{}", run.shown());
    bucket.server.heal();
    let run = bucket.import().expect(0);
    assert_eq!(run.json()["already_loaded"]["objects"], objects("loaded"), "{}", run.shown());
    bucket.assert_imported();
}

#[test]
fn three_imports_at_once_of_a_slow_bucket_load_each_object_once() {
    let mut bucket = Bucket::with(41);
    bucket.server.set_latency(Duration::from_millis(10));
    let endpoint_url = bucket.server.endpoint_url();
    let args = |sources: &[&'static str]| {
        let import = ["-v", "--output=json", "import", "--no-index", "--batch-rows=1"];
        [&import[..], &["--endpoint-url", &endpoint_url], sources].concat()
    };
    // The second begins where the first one ends; the third has all of it as one source.
    let mut tens = [
        "s3://trail/logs/000",
        "s3://trail/logs/001",
        "s3://trail/logs/002",
        "s3://trail/logs/003",
        "s3://trail/logs/004",
    ];
    let upwards = args(&tens);
    tens.reverse();
    let args = [upwards, args(&tens), args(&["s3://trail/logs/"])];
    let own = [key(0), key(40), key(20)];
    let runs = meet(&bucket.server, &mut bucket.place, &args, &own, 41);
    let runs: Vec<Run> = runs.into_iter().map(|run| run.expect(0)).collect();
    assert_met(&runs, bucket.objects);
    bucket.assert_imported();
}

#[test]
fn a_bucket_that_may_not_be_listed_or_is_not_there_ends_the_run() {
    for (fault, message, hint) in [
        (
            Fault::Denied,
            "error: cannot list `ENDPOINT/trail/logs/`",
            "hint: the role needs `s3:ListBucket`",
        ),
        (Fault::Gone, "error: there is no bucket `trail`", "hint: check the spelling"),
    ] {
        let bucket = Bucket::with(1);
        bucket.server.fail_next(Op::ListObjectsV2, fault, crate::s3_server::ALWAYS);
        let run = bucket.import().expect(1);
        let message = message.replace("ENDPOINT", &bucket.server.endpoint_url());
        assert!(run.stderr.contains(&message) && run.stderr.contains(hint), "{}", run.shown());
    }
}
