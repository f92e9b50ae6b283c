//! A trail in a bucket, from one run of the program to the next: late files, choices, shards.

use std::time::Instant;

use cloudtrail2sql::trail::layout::folder_of;
use jiff::civil::date;

use crate::binary::{Place, Run};
use crate::databases::{Engine, OwnDatabase};
use crate::logs::log_gz;
use crate::s3_server::{ACCESS_KEY, ALWAYS, Fault, Op, S3Server, SECRET_KEY};

const BUCKET: &str = "trail";
const ENGINES: [Engine; 4] = [Engine::Sqlite, Engine::Postgres, Engine::Mysql, Engine::Mariadb];

/// Returns the key of a log file of one account, region and day of January.
fn key(account: &str, region: &str, day: i8, name: &str) -> String {
    let day = folder_of(date(2026, 1, day));
    format!("AWSLogs/o-abc/{account}/CloudTrail/{region}/{day}/{name}.json.gz")
}

/// Puts a log file of one record, whose ID is its key.
fn put(server: &S3Server, key: &str) {
    server.put(BUCKET, key, log_gz(&[key]));
}

/// A trail of two accounts, two regions, three days and seven files a day, with digests.
fn trail() -> S3Server {
    let server = S3Server::start();
    for account in ["111122223333", "444455556666"] {
        for region in ["eu-central-1", "us-east-1"] {
            for day in 14..17 {
                for n in 0..7 {
                    put(&server, &key(account, region, day, &format!("m{n}")));
                }
                let digest =
                    key(account, region, day, "d").replace("/CloudTrail/", "/CloudTrail-Digest/");
                server.put(BUCKET, &digest, "{}");
            }
        }
    }
    server
}

const TRAIL: u64 = 2 * 2 * 3 * 7;

fn place(server: &S3Server) -> Place {
    let mut place = Place::new();
    place.set("AWS_ACCESS_KEY_ID", ACCESS_KEY);
    place.set("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
    place.set("AWS_ENDPOINT_URL", &server.endpoint_url());
    place
}

fn import(place: &Place, args: &[&str]) -> Run {
    let always = ["import", "--output", "json", "s3://trail/"];
    place.run(&[&always, args].concat())
}

/// Returns (listed, loaded, already loaded).
fn counts(run: &Run) -> (u64, u64, u64) {
    let json = run.json();
    let objects = |name: &str| json[name]["objects"].as_u64().unwrap();
    assert_eq!(json["balanced"], true);
    (objects("listed"), objects("loaded"), objects("already_loaded"))
}

#[test]
fn late_files_are_loaded_wherever_their_names_sort_and_nothing_else_is() {
    let server = trail();
    let place = place(&server);
    assert_eq!(counts(&import(&place, &[]).expect(0)), (TRAIL, TRAIL, 0));
    // Before the first, between, and after the last of days that were imported.
    for (day, name) in [(14, "a"), (15, "m3x"), (16, "z")] {
        put(&server, &key("111122223333", "eu-central-1", day, name));
    }
    let gets = server.calls(Op::GetObject);
    assert_eq!(counts(&import(&place, &[]).expect(0)), (TRAIL + 3, 3, TRAIL));
    assert_eq!(server.calls(Op::GetObject) - gets, 3);
    assert_eq!(counts(&import(&place, &[]).expect(0)), (TRAIL + 3, 0, TRAIL + 3));
}

#[test]
fn only_what_is_chosen_is_listed_and_loaded() {
    let server = trail();
    let place = place(&server);
    let run = import(&place, &["--from", "2026-01-15", "--to", "2026-01-15"]).expect(0);
    assert_eq!(counts(&run), (TRAIL / 3, TRAIL / 3, 0));
    assert_eq!(run.json()["folders_without_logs"]["CloudTrail-Digest"], 2);
    let listed = server.all_calls().into_iter().filter(|call| call.op == Op::ListObjectsV2);
    assert!(listed.into_iter().all(|call| !call.query.contains("Digest%2F")));
    let run = import(&place, &["--account-id", "4444-5555-6666", "--trail-region", "us-east-1"]);
    assert_eq!(counts(&run.expect(0)), (3 * 7, 2 * 7, 7));
    let run = import(&place, &["--from", "2027-01-01"]).expect(0);
    assert_eq!(counts(&run), (0, 0, 0));
}

#[test]
fn shards_share_the_work_and_overlap_without_harm() {
    for engine in ENGINES {
        let server = trail();
        let database = OwnDatabase::new(engine);
        let mut place = place(&server);
        place.set("DATABASE_URL", &database.url);
        let args = |shard| ["import", "--output", "json", "--shard", shard, "s3://trail/"];
        // Two that overlap by mistake, at once, and then the rest.
        let overlapping = [place.start(&args("1/2")), place.start(&args("1/3"))];
        let overlapping = overlapping.map(|running| counts(&running.end().expect(0)));
        let rest = ["2/3", "3/3"].map(|shard| counts(&place.run(&args(shard)).expect(0)));
        let all = overlapping.iter().chain(&rest);
        let loaded: u64 = all.map(|(_, loaded, _)| loaded).sum();
        assert_eq!(loaded, TRAIL, "{engine:?}: {overlapping:?} {rest:?}");
        let thirds = overlapping[1].0 + rest[0].0 + rest[1].0;
        assert_eq!(thirds, TRAIL, "{engine:?}: the thirds are not the whole");
        let rows = database.query("SELECT COUNT(*), COUNT(DISTINCT eventID) FROM logs");
        assert_eq!(rows[0], [Some(TRAIL.to_string()), Some(TRAIL.to_string())], "{engine:?}");
    }
}

#[test]
fn a_rerun_asks_s3_for_pages_only() {
    let server = S3Server::start();
    for n in 0..2_541 {
        put(&server, &key("111122223333", "eu-central-1", 15, &format!("{n:04}")));
    }
    let place = place(&server);
    assert_eq!(counts(&import(&place, &[]).expect(0)), (2_541, 2_541, 0));
    let (lists, gets) = (server.calls(Op::ListObjectsV2), server.calls(Op::GetObject));
    let run = import(&place, &["--listers", "1"]).expect(0);
    assert_eq!(counts(&run), (2_541, 0, 2_541));
    assert_eq!(server.calls(Op::GetObject), gets);
    // The bucket, AWSLogs, organization, account and family; then three pages.
    assert_eq!(server.calls(Op::ListObjectsV2) - lists, 5 + 3);
    assert_eq!(run.json()["list_requests"], 5 + 3);
}

#[test]
fn a_dry_run_writes_a_bill_and_nothing_else() {
    let server = trail();
    let place = place(&server);
    let args = ["--dry-run", "--list-price", "5", "--get-price", "0.5"];
    let run = import(&place, &args).expect(0);
    let json = run.json();
    assert_eq!(json["total"]["new"]["objects"], TRAIL);
    assert_eq!(json["groups"].as_array().unwrap().len(), 2 * 2 * 3);
    // Each object has one row. The sample is scaled by stored bytes, which differ a little.
    let rows = json["estimate"]["rows"].as_u64().unwrap();
    assert!((TRAIL - 2..=TRAIL + 2).contains(&rows), "{rows} of {TRAIL}");
    let requests = &json["requests"];
    let (lists, gets) = (requests["list"].as_f64().unwrap(), requests["get"].as_f64().unwrap());
    assert_eq!(requests["get"], TRAIL);
    let usd = (lists * 5.0 + gets * 0.5) / 1000.0;
    assert!((requests["usd"].as_f64().unwrap() - usd).abs() < 1e-9, "{requests}");
    assert!(!place.path("cloudtrail.db").exists());
    import(&place, &["--from", "2026-01-16"]).expect(0);
    let total = import(&place, &args).expect(0).json()["total"].clone();
    assert_eq!(total["known"]["objects"], TRAIL / 3);
    assert_eq!(total["new"]["objects"], TRAIL - TRAIL / 3);
    let text = place.run(&["import", "--dry-run", "s3://trail/"]).expect(0).stdout;
    assert!(text.contains("requests: ") && text.contains("nothing was written"), "{text}");
}

#[test]
fn a_storm_of_slow_downs_costs_time_and_nothing_else() {
    let server = trail();
    server.fail_next(Op::ListObjectsV2, Fault::SlowDown, 5);
    server.fail_next(Op::GetObject, Fault::SlowDown, 25);
    let run = import(&place(&server), &["--listers", "8"]).expect(0);
    assert_eq!(counts(&run), (TRAIL, TRAIL, 0));
}

#[test]
fn a_third_of_all_answers_may_be_faults() {
    const OBJECTS: u64 = 1_501;
    let server = S3Server::start();
    for n in 0..OBJECTS {
        put(&server, &key("111122223333", "eu-central-1", 15, &format!("{n:04}")));
    }
    for fault in [
        Fault::SlowDown,
        Fault::TooMany,
        Fault::KmsThrottling,
        Fault::Internal,
        Fault::Drop,
        Fault::Cut(100),
    ] {
        server.fail_every(Op::ListObjectsV2, fault, 3);
        server.fail_every(Op::GetObject, fault, 3);
        let gets = server.calls(Op::GetObject);
        let run = import(&place(&server), &[]).expect(0);
        assert_eq!(counts(&run), (OBJECTS, OBJECTS, 0), "{fault:?}");
        // Every third of them failed, and was asked for again.
        let gets = server.calls(Op::GetObject) - gets;
        assert_eq!(gets as u64, OBJECTS + gets as u64 / 3, "{fault:?}");
        server.heal();
    }
}

/// Prints how much longer an import takes if a third of all answers are faults. For a release
/// build, on a machine that does nothing else:
///
/// ```text
/// cargo test --release --test it trail::storm -- --ignored --nocapture
/// ```
#[test]
#[ignore = "measures, and checks nothing"]
#[expect(clippy::print_stdout, reason = "its result")]
fn storm() {
    const OBJECTS: u64 = 1_501;
    const RUNS: usize = 5;
    let server = S3Server::start();
    for n in 0..OBJECTS {
        put(&server, &key("111122223333", "eu-central-1", 15, &format!("{n:04}")));
    }
    let faults = [
        None,
        Some(Fault::SlowDown),
        Some(Fault::Internal),
        Some(Fault::Drop),
        Some(Fault::TooMany),
        Some(Fault::KmsThrottling),
        Some(Fault::Cut(100)),
    ];
    let mut undisturbed = None;
    for fault in faults {
        let mut seconds: Vec<f64> = (0..RUNS)
            .map(|_| {
                if let Some(fault) = fault {
                    server.fail_every(Op::ListObjectsV2, fault, 3);
                    server.fail_every(Op::GetObject, fault, 3);
                }
                let started = Instant::now();
                let run = import(&place(&server), &[]).expect(0);
                let seconds = started.elapsed().as_secs_f64();
                assert_eq!(counts(&run), (OBJECTS, OBJECTS, 0), "{fault:?}");
                server.heal();
                seconds
            })
            .collect();
        seconds.sort_by(f64::total_cmp);
        let median = seconds[RUNS / 2];
        let ratio = median / *undisturbed.get_or_insert(median);
        let name = fault.map_or("undisturbed".to_owned(), |fault| format!("{fault:?}"));
        println!("{name:16} {median:6.2} s {ratio:6.1} times; {seconds:.2?}");
    }
}

#[test]
fn a_server_that_takes_few_requests_is_asked_for_few() {
    const OBJECTS: u64 = 441;
    let server = S3Server::start();
    for n in 0..OBJECTS {
        put(&server, &key("111122223333", "eu-central-1", 15, &format!("{n:03}")));
    }
    server.limit(Op::GetObject, 100);
    let run = import(&place(&server), &["--fetchers", "64"]).expect(0);
    assert_eq!(counts(&run), (OBJECTS, OBJECTS, 0));
    // 4 to 12 were seen; 357 to 391 if nothing but refused requests wait.
    let refused = server.refused();
    assert!((1..OBJECTS / 4).contains(&refused), "{refused} of {OBJECTS}");
    let warnings = run.stderr.matches("S3 asks to slow down").count();
    assert!((1..5).contains(&warnings), "{}", run.shown());
}

#[test]
fn a_listing_that_is_denied_names_the_permission_and_loads_nothing_twice() {
    let server = trail();
    let place = place(&server);
    server.fail_next(Op::ListObjectsV2, Fault::Denied, ALWAYS);
    let run = import(&place, &[]).expect(1);
    assert!(run.stderr.contains("`s3:ListBucket` on `arn:aws:s3:::trail`"), "{}", run.stderr);
    server.heal();
    assert_eq!(counts(&import(&place, &[]).expect(0)), (TRAIL, TRAIL, 0));
}

#[test]
fn an_invalid_selection_is_refused_before_anything_is_done() {
    let place = Place::new();
    for (args, message) in [
        (["--from", "yesterday"], "`--from yesterday` is not a date"),
        (["--account-id", "1234"], "`--account-id 1234` is not an account number"),
        (["--shard", "4/3"], "cannot use `--shard 4/3`"),
        (["--listers", "0"], "`--listers 0` is out of range"),
    ] {
        let run = place.run(&["import", args[0], args[1], "."]).expect(2);
        assert!(run.stderr.contains(message), "{}", run.shown());
    }
    let run = place.run(&["import", "--from", "2026-02-01", "--to", "2026-01-01", "."]).expect(2);
    assert!(run.stderr.contains("is after `--to 2026-01-01`"), "{}", run.shown());
}
