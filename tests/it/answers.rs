//! The commands `query` and `search`: the same answer on every database, and names that attackers choose do no harm
//! in any form of output.

pub mod search;

use std::io::Read;

use cloudtrail2sql::answers::{Flag, questions};
use flate2::read::MultiGzDecoder;
use serde_json::Value;

use crate::binary::Place;
use crate::databases::{Engine, HeldTable, OwnDatabase, promises};
use crate::logs::{gz, record, record_with, wrapper};
use crate::model::poison;
use crate::sinks::migrations::first_schema_sql;
use crate::wait;

promises! { on servers:
    every_question_has_the_answer_that_sqlite_gives
    a_read_only_account_can_ask
    an_interruption_ends_the_statement_on_the_server
}

promises! { on all:
    every_filter_selects
    without_the_view_the_command_says_what_is_missing
    a_database_of_the_first_version_is_not_changed
    an_answer_of_many_rows_takes_little_memory
    names_do_no_harm_in_any_form
}

pub const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sample");

/// Events that the sample lacks, one or more for each question that would have no answer otherwise.
fn events() -> Vec<String> {
    let mut records = vec![
        ("ConsoleLogin", r#""responseElements":{"ConsoleLogin":"Failure"},"additionalEventData":{"MFAUsed":"No"}"#),
        ("ConsoleLogin", r#""responseElements":{"ConsoleLogin":"Success"},"additionalEventData":{"MFAUsed":"No"}"#),
        ("StopLogging", r#""eventSource":"cloudtrail.amazonaws.com""#),
        ("CreateAccessKey", r#""eventSource":"iam.amazonaws.com","responseElements":{"accessKey":{"userName":"bob","accessKeyId":"AKIAX"}}"#),
        ("CreateLoginProfile", r#""eventSource":"iam.amazonaws.com","requestParameters":{"userName":"bob"}"#),
        ("AttachUserPolicy", r#""eventSource":"iam.amazonaws.com","requestParameters":{"userName":"bob","policyArn":"arn:aws:iam::aws:policy/AdministratorAccess"}"#),
        ("PutUserPolicy", r#""eventSource":"iam.amazonaws.com","requestParameters":{"userName":"bob","policyName":"p","policyDocument":"{ \"Action\": \"*\" }"}"#),
        ("PutBucketPolicy", r#""requestParameters":{"bucketName":"b","bucketPolicy":{"Statement":[{"Principal":"*"}]}}"#),
        ("PutBucketPolicy", r#""requestParameters":{"bucketName":"c","bucketPolicy":"{\"Principal\": \"*\"}"}"#),
        ("AuthorizeSecurityGroupIngress", r#""eventSource":"ec2.amazonaws.com","requestParameters":{"groupId":"sg-1","cidr":"0.0.0.0/0"}"#),
        ("GetSecretValue", r#""requestParameters":{"secretId":"s"}"#),
        ("DeleteBucket", r#""readOnly":false,"sessionCredentialFromConsole":"true""#),
        ("RunInstances", r#""eventSource":"ec2.amazonaws.com","requestParameters":{"instanceType":"p5"},"responseElements":{"instancesSet":{"items":[{"instanceId":"i-2"},{"instanceId":"i-1"},{"x":1},"i-3"]}}"#),
        ("StopInstances", r#""eventSource":"ec2.amazonaws.com","requestParameters":{"instancesSet":{"items":[{"instanceId":"i-é"}]}}"#),
        ("StopInstances", r#""eventSource":"ec2.amazonaws.com","requestParameters":{"instancesSet":{"items":{"instanceId":"i-1"}}}"#),
        ("GetObject", r#""userIdentity":{"type":"Root","arn":"arn:aws:iam::111122223333:root","accountId":"111122223333"},"tlsDetails":{"tlsVersion":"TLSv1"}"#),
        ("GetObject", r#""userIdentity":{"type":"IAMUser","userName":"Alice","arn":"arn:aws:iam::444455556666:user/Alice","accountId":"444455556666","accessKeyId":"AKIAALICE"}"#),
        ("getobject", r#""requestParameters":{"bucketName":"b","key":"K"},"errorCode":"ThrottlingException""#),
        ("GetObject", r#""requestParameters":{"bucketName":"b","key":"k"},"errorCode":"VpceAccessDenied","vpcEndpointId":"vpce-1""#),
    ]
    .into_iter()
    .enumerate()
    .map(|(n, (name, fields))| record_with(&format!("e{n}"), &format!("\"eventName\":\"{name}\",{fields}")))
    .collect::<Vec<_>>();
    // An event that was delivered twice.
    records.extend([record("twice"), record("twice")]);
    records
}

/// Names a folder that is imported, too, such as logs of one's own.
const FOLDER_VARIABLE: &str = "ANSWERS_FOLDER";

/// Imports the sample, the events above and records that break queries.
pub fn imported(database: &OwnDatabase) -> Place {
    let place = Place::with_database(&database.url);
    place.write("logs/events.json.gz", gz(&wrapper(&events())));
    place.write("logs/poison.json.gz", gz(&wrapper(&poison())));
    let mut sources = vec!["logs".to_owned(), SAMPLE.to_owned()];
    sources.extend(std::env::var(FOLDER_VARIABLE));
    let sources: Vec<&str> = sources.iter().map(String::as_str).collect();
    place.run(&[&["--quiet", "import"], &sources[..]].concat()).expect(3);
    place
}

/// Returns the arguments of a question, with the option that it needs.
fn arguments(name: &'static str, needs: Option<Flag>) -> Vec<&'static str> {
    let mut arguments = vec!["--quiet", "query", name];
    if let Some(flag) = needs {
        arguments.extend([
            flag.as_str(),
            match flag {
                Flag::Since => "2026-01-15T00:30:00Z",
                Flag::Username => "alice",
                Flag::AccessKeyId => "AKIAALICE",
                Flag::ResourceName => "b",
                Flag::SourceIp => "198.51.100.7",
                Flag::Limit | Flag::By => unreachable!("no question needs it"),
            },
        ]);
    }
    arguments
}

/// Asks every question at two places. Returns the questions with different answers, and a line of each.
pub fn different_answers(place: &Place, reference: &Place) -> Vec<String> {
    let mut different = Vec::new();
    for question in questions() {
        for form in ["tsv", "jsonl"] {
            let mut arguments = arguments(question.name, question.needs);
            arguments.extend(["--output", form]);
            let found = place.run(&arguments).expect(0).stdout;
            let expected = reference.run(&arguments).expect(0).stdout;
            let lines_min = if form == "tsv" { 2 } else { 1 };
            assert!(expected.lines().count() >= lines_min, "{} has no answer", question.name);
            if found != expected {
                let pairs = found.lines().zip(expected.lines());
                let line = pairs.into_iter().find(|(found, expected)| found != expected);
                different.push(format!("{}: {line:?}", question.name));
            }
        }
    }
    different.dedup();
    different
}

fn every_question_has_the_answer_that_sqlite_gives(engine: Engine) {
    let (database, reference) = (OwnDatabase::new(engine), OwnDatabase::new(Engine::Sqlite));
    let (place, reference) = (imported(&database), imported(&reference));
    let different = different_answers(&place, &reference);
    assert!(different.is_empty(), "{}", different.join("\n"));
}

fn every_filter_selects(engine: Engine) {
    let database = OwnDatabase::new(engine);
    let place = Place::with_database(&database.url);
    let special = "\"eventName\":\"PutObject\",\"eventSource\":\"x.amazonaws.com\",\
        \"eventTime\":\"2023-07-11T00:00:00Z\",\"awsRegion\":\"eu-west-1\",\
        \"recipientAccountId\":\"444455556666\",\"sourceIPAddress\":\"203.0.113.9\",\
        \"userIdentity\":{\"type\":\"IAMUser\",\"userName\":\"o'b\\\\\",\"accessKeyId\":\"AKIAX\"},\
        \"errorCode\":\"AccessDenied\",\"resources\":[{\"ARN\":\"arn:aws:s3:::100%_!x\"}]";
    let records = [record("a"), record("b"), record_with("c", special)];
    place.write("logs/a.json", wrapper(&records));
    place.run(&["--quiet", "import", "logs"]).expect(0);
    let count = |filters: &[&str]| {
        let run = place.run(&[&["--output", "json", "query", "summary"], filters].concat());
        run.expect(0).json()[0]["n"].as_u64().unwrap()
    };
    assert_eq!(count(&[]), 3);
    for (option, value, rows) in [
        ("--since", "2023-07-10", 3),
        ("--since", "2023-07-10T11:00:01Z", 1),
        ("--until", "2023-07-10", 2),
        ("--until", "2023-07-10T11:00:00Z", 2),
        ("--until", "2023-07-10T10:59:59Z", 0),
        ("--username", "o'b\\", 1),
        ("--username", "O'B\\", 0),
        ("--event-name", "PutObject", 1),
        ("--event-source", "s3.amazonaws.com", 2),
        ("--access-key-id", "AKIAX", 1),
        ("--resource-name", "100%_!x", 1),
        ("--resource-name", "10_%", 0),
        ("--resource-name", "of a", 1),
        ("--account-id", "4444-5555-6666", 1),
        ("--region", "eu-west-1", 1),
        ("--source-ip", "203.0.113.9", 1),
    ] {
        assert_eq!(count(&[option, value]), rows, "{option} {value}");
    }
    assert_eq!(count(&["--region", "us-east-1", "--until", "2023-07-10"]), 2);
    assert_eq!(count(&["--errors-only"]), 1);
    assert_eq!(count(&["--errors-only", "--region", "us-east-1"]), 0);
    let run = place.run(&["query", "calls", "--limit", "1", "--output", "csv"]).expect(0);
    assert_eq!(run.stdout.lines().count(), 2);
    assert!(run.stderr.contains("the answer ends after 1 row"), "{}", run.stderr);
    for (by, first) in
        [("day", "2023-07-10"), ("hour", "2023-07-10 11"), ("minute", "2023-07-10 11:00")]
    {
        let run = place.run(&["query", "timeline", "--by", by, "--output", "tsv"]).expect(0);
        assert_eq!(run.stdout.lines().nth(1), Some(&*format!("{first}\t2\t0")));
    }
    // The printed statement gives the same answer.
    let sql = place.run(&["query", "calls", "--username", "o'b\\", "--sql"]).expect(0).stdout;
    if engine != Engine::Sqlite {
        let rows = database.query(&sql);
        assert_eq!(
            rows[0][..3],
            ["x.amazonaws.com", "PutObject", "1"].map(|it| Some(it.to_owned()))
        );
    }
}

fn without_the_view_the_command_says_what_is_missing(engine: Engine) {
    let database = OwnDatabase::new(engine);
    let place = Place::with_database(&database.url);
    let run = place.run(&["query", "summary"]).expect(1);
    assert!(run.stderr.contains("nothing has been imported"), "{}", run.stderr);
    place.write("logs/a.json", wrapper(&[record("a")]));
    place.run(&["--quiet", "import", "logs"]).expect(0);
    database.query("DROP VIEW events");
    let run = place.run(&["query", "summary", "--out", "x"]).expect(1);
    assert!(run.stderr.contains("has no view `events`"), "{}", run.stderr);
    assert!(run.stderr.contains("`cloudtrail2sql schema`"), "{}", run.stderr);
    assert!(!place.path("x").exists());
}

fn a_database_of_the_first_version_is_not_changed(engine: Engine) {
    let database = OwnDatabase::new(engine);
    match engine {
        // Opening it for reading does not make the file.
        Engine::Sqlite => drop(std::fs::File::create(database.file()).unwrap()),
        _ => drop(engine.administer(&format!("CREATE DATABASE {}", database.name))),
    }
    database.query(first_schema_sql(engine));
    let place = Place::with_database(&database.url);
    for command in [&["query", "summary"][..], &["search"]] {
        let run = place.run(command).expect(1);
        assert!(
            run.stderr.contains("no table `identities` and no view `events`"),
            "{}",
            run.stderr
        );
        assert!(run.stderr.contains("`cloudtrail2sql import` creates what"), "{}", run.stderr);
    }
    // `status` needs no migration either.
    let status = place.run(&["status"]).expect(0);
    assert!(status.stdout.contains("time, identity and object: 1 row "), "{}", status.shown());
    let last_run = "\nlast run: 2026-11-23T22:01:40Z, partial\n";
    assert!(status.stdout.ends_with(last_run), "{}", status.shown());
    place.run(&["status", "--runs"]).expect(0);
    assert!(database.try_query("SELECT * FROM identities").is_err());
    place.write("logs/a.json", wrapper(&[record("a")]));
    place.run(&["--quiet", "import", "logs"]).expect(0);
    // The row of the first version has no time.
    let ids = place.run(&["--quiet", "search", "--output", "tsv"]).expect(0).stdout;
    let ids: Vec<&str> =
        ids.lines().skip(1).map(|line| line.rsplit('\t').next().unwrap()).collect();
    assert_eq!(ids, ["a", "old/0"]);
}

/// The rows of a large answer, and the bytes of one.
const ROWS: usize = 200_000;
const ROW_BYTES: usize = 500;

/// What the program may hold while it passes an answer of 95 MiB on. It is 30 MiB with a server; SQLite
/// sorts in this process, in as much memory as its cache has.
const PEAK_BYTES_MAX: u64 = 72 << 20;

fn an_answer_of_many_rows_takes_little_memory(engine: Engine) {
    const _: () = assert!(PEAK_BYTES_MAX < (ROWS * ROW_BYTES) as u64);
    let database = OwnDatabase::new(engine);
    let place = Place::with_database(&database.url);
    let long = "x".repeat(ROW_BYTES);
    let records =
        (0..500).map(|n| record_with(&n.to_string(), &format!("\"awsRegion\":\"{long}\"")));
    place.write("logs/a.json", wrapper(&records.collect::<Vec<_>>()));
    place.run(&["--quiet", "import", "logs"]).expect(0);
    database.query(&format!(
        "INSERT INTO logs (eventID, awsRegion, eventAt) SELECT l.eventID, l.awsRegion, l.eventAt \
         FROM logs l CROSS JOIN (SELECT eventID FROM logs LIMIT {}) times",
        ROWS / 500 - 1
    ));
    for form in ["text", "jsonl"] {
        let args = ["--quiet", "search", "--limit", "2000000", "--output", form, "--out", "answer"];
        let (run, peak_bytes) = place.start(&args).end_with_peak();
        run.expect(0);
        let answer = std::fs::read_to_string(place.path("answer")).unwrap();
        assert_eq!(answer.lines().count(), ROWS + usize::from(form != "jsonl"), "{form}");
        // Only Linux reports it.
        if let Some(peak_bytes) = peak_bytes {
            assert!(peak_bytes < PEAK_BYTES_MAX, "{form}: {peak_bytes}");
        }
    }
}

fn a_read_only_account_can_ask(engine: Engine) {
    let database = OwnDatabase::new(engine);
    let place = Place::with_database(&database.url);
    place.write("logs/a.json", wrapper(&[record("a")]));
    place.run(&["--quiet", "import", "logs"]).expect(0);
    let name = &database.name;
    let reader = format!("r{}", &name[1..]).chars().take(30).collect::<String>();
    if engine == Engine::Postgres {
        engine.administer(&format!("CREATE ROLE {reader} LOGIN PASSWORD 'reader'"));
        database.query(&format!("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {reader}"));
    } else {
        engine.administer(&format!("CREATE USER {reader} IDENTIFIED BY 'reader'"));
        engine.administer(&format!("GRANT SELECT, SHOW VIEW ON {name}.* TO {reader}"));
    }
    let scheme = if engine == Engine::Postgres { "postgres" } else { "mysql" };
    let url = format!("{scheme}://{reader}:reader@{}/{name}", engine.address());
    let reading = Place::with_database(&url);
    let run = reading.run(&["query", "services", "--output", "tsv"]);
    let report = reading.run(&["report", "--out", "report.html"]);
    if engine == Engine::Postgres {
        database.query(&format!("DROP OWNED BY {reader}"));
        engine.clean_up(&format!("DROP ROLE {reader}"));
    } else {
        engine.clean_up(&format!("DROP USER {reader}"));
    }
    assert!(run.expect(0).stdout.ends_with("s3.amazonaws.com\t1\t0\t0\n"));
    report.expect(0);
}

fn an_interruption_ends_the_statement_on_the_server(engine: Engine) {
    let database = OwnDatabase::new(engine);
    let place = Place::with_database(&database.url);
    place.write("logs/a.json", wrapper(&[record("a")]));
    place.run(&["--quiet", "import", "logs"]).expect(0);
    let held = HeldTable::for_itself(&database);
    // `report` asks several questions side by side.
    for (args, starts) in [
        (["query", "summary", "--out", "answer.txt"], &["SELECT COALESCE(SUM(events)"][..]),
        (
            ["report", "--quiet", "--out", "answer.html"],
            &["SELECT period, ", "SELECT user_type, principal_arn, ", "SELECT event_source, SUM("],
        ),
    ] {
        let count = || starts.iter().map(|start| database.running(start)).sum::<u64>();
        let running = place.start(&args);
        wait::until("the questions wait", || count() >= starts.len() as u64);
        running.signal("INT");
        running.end().expect(130);
        // The table is still held, so nothing else ends the statements.
        wait::until("no question is left", || count() == 0);
    }
    drop(held);
    let files = std::fs::read_dir(place.path(".")).unwrap().map(|it| it.unwrap().file_name());
    assert_eq!(files.collect::<Vec<_>>(), ["logs"]);
}

fn names_do_no_harm_in_any_form(engine: Engine) {
    let database = OwnDatabase::new(engine);
    let place = Place::with_database(&database.url);
    let names = [
        "\u{1b}[2J\u{9b}0m\u{7}",
        "\u{202e}evil\u{2066}",
        "a\"b'c,d\te\\",
        "two\r\nlines",
        "</script><img src=x onerror=alert(1)>",
        "=HYPERLINK(1)",
    ];
    let records = names.iter().enumerate().map(|(n, name)| {
        let name = serde_json::to_string(name).unwrap();
        record_with(&n.to_string(), &format!("\"userAgent\":{name}"))
    });
    place.write("logs/a.json", wrapper(&records.collect::<Vec<_>>()));
    place.run(&["--quiet", "import", "logs"]).expect(0);
    let run = |args: &[&str]| {
        place.run(&[&["--quiet", "query", "user-agents"], args].concat()).expect(0).stdout
    };
    let hidden = |c: char| c.is_control() && c != '\n' || matches!(c, '\u{202e}' | '\u{2066}');

    let text = run(&[]);
    assert!(!text.contains(hidden), "{text:?}");
    assert_eq!(text.lines().count(), names.len() + 1);

    let of_json = |rows: &[Value]| {
        let found: Vec<_> =
            rows.iter().map(|row| row["user_agent"].as_str().unwrap().to_owned()).collect();
        let mut sorted = found.clone();
        sorted.sort();
        let mut expected = names.map(str::to_owned);
        expected.sort();
        assert_eq!(sorted, expected);
        found
    };
    let json = run(&["--output", "json"]);
    assert!(!json.contains(hidden), "{json:?}");
    let order = of_json(serde_json::from_str::<Value>(&json).unwrap().as_array().unwrap());
    let lines = run(&["--output", "jsonl"]);
    of_json(&lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<_>>());

    let csv = run(&["--output", "csv"]);
    for name in names {
        let quoted = name.contains(['"', ',', '\r']);
        let value =
            if quoted { format!("\"{}\"", name.replace('"', "\"\"")) } else { name.to_owned() };
        assert!(csv.contains(&format!("\r\n{value},1,0,")), "{csv:?}");
    }
    let tsv = run(&["--output", "tsv"]);
    assert_eq!(tsv.lines().count(), names.len() + 1);
    for (line, name) in tsv.lines().skip(1).zip(&order) {
        let value = line.split('\t').next().unwrap();
        let read = value.replace("\\t", "\t").replace("\\r", "\r").replace("\\n", "\n");
        assert_eq!(read.replace("\\\\", "\\"), *name);
    }

    // A file has the same content, compressed or not, and replaces another only at the end.
    place.write("answer.csv", "earlier");
    assert_eq!(run(&["--output", "csv", "--out", "answer.csv"]), "");
    assert_eq!(std::fs::read_to_string(place.path("answer.csv")).unwrap(), csv);
    run(&["--output", "csv", "--out", "answer.csv.gz", "--gzip"]);
    let mut unpacked = String::new();
    let file = std::fs::File::open(place.path("answer.csv.gz")).unwrap();
    MultiGzDecoder::new(file).read_to_string(&mut unpacked).unwrap();
    assert_eq!(unpacked, csv);
    place.run(&["query", "user-agents", "--out", "none/answer.csv"]).expect(1);
}

#[test]
fn what_cannot_be_asked_is_refused_with_a_hint() {
    let place = Place::new();
    for (args, error, hint) in [
        (&["query", "errorz"][..], "no question `errorz`", "did you mean `errors`?"),
        (&["query", "x"], "no question `x`", "`cloudtrail2sql query` lists"),
        (&["query", "by-user"], "needs `--username`", "add `--username VALUE`"),
        (&["query", "summary", "--limit", "3"], "does not take `--limit`", "omit `--limit`"),
        (&["query", "errors", "--by", "day"], "does not take `--by`", "omit `--by`"),
        (&["query", "errors", "--since", "x"], "`--since x` is not a date", "7d"),
        (&["query", "errors", "--since", "1d", "--until", "2d"], "is after", "swap"),
        (&["query", "errors", "--username", ""], "`--username` is empty", "omit"),
        (&["status", "--output", "csv"], "`--output csv` is only for", "`json`"),
    ] {
        let run = place.run(args).expect(2);
        assert!(run.stderr.contains(error) && run.stderr.contains(hint), "{}", run.stderr);
    }
}

#[test]
fn the_list_has_every_question() {
    let place = Place::new();
    let text = place.run(&["query"]).expect(0).stdout;
    let json = place.run(&["query", "--output", "json"]).expect(0).json();
    assert_eq!(json.as_array().unwrap().len(), questions().len());
    for question in questions() {
        assert!(text.contains(&format!("\n  {} ", question.name)), "{}", question.name);
        assert!(text.contains(question.text), "{}", question.name);
    }
}
