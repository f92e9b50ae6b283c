//! Odd names of objects: in messages, in the ledger, on every database.

use crate::binary::Place;
use crate::databases::{Engine, OwnDatabase, promises};
use crate::logs::log_gz;
use crate::s3_server::{ACCESS_KEY, S3Server, SECRET_KEY};

/// Most file systems take 255 bytes, S3 takes 1,024 for the whole key.
const FILE_BYTES_MAX: usize = 255;
const KEY_BYTES_MAX: usize = 1_024;

const ODD_NAMES: [&str; 10] = [
    "two words.json.gz",
    " leading and trailing ",
    "it's \"quoted\" `so`.json.gz",
    "percent%20%s{}.json.gz",
    "back\\slash.json.gz",
    "日本語-🦀.json.gz",
    "-rf.json.gz",
    "semi;colon,$HOME&(x)*?.json.gz",
    "two\nlines.json.gz",
    "\u{1b}[31mred.json.gz",
];

promises! { on all:
    odd_names_are_loaded_and_found_again
    keys_of_1024_bytes_are_loaded_and_found_again
}

fn names() -> Vec<String> {
    let mut names: Vec<String> = ODD_NAMES.map(str::to_owned).into();
    let (emoji, ending) = ("🦀", ".json.gz");
    let crabs = emoji.repeat((FILE_BYTES_MAX - ending.len()) / emoji.len());
    let fill = "x".repeat(FILE_BYTES_MAX - ending.len() - crabs.len());
    names.push(format!("{crabs}{fill}{ending}"));
    names
}

/// Imports twice, and checks that the second run finds each name of the first in the ledger.
fn import_twice(place: &Place, args: &[&str], database: &OwnDatabase, names: &[String]) {
    let args = [&["--output", "json", "import", "--no-index"], args].concat();
    let first = place.run(&args).expect(3);
    assert_eq!(first.json()["loaded"]["objects"], names.len(), "{}", first.shown());
    let ledger = database.contents().ledger;
    assert_eq!(database.number("SELECT COUNT(DISTINCT eventID) FROM logs"), names.len() as u64);
    for name in names {
        let ending = format!("/{name}");
        let found = ledger.iter().filter(|line| line[0].as_deref().unwrap().ends_with(&ending));
        assert_eq!(found.count(), 2, "{name} and its broken twin are not in the ledger");
        // On one line, and without a terminal escape.
        let shown = name.replace('\n', "\\n").replace('\u{1b}', "\\u{1b}");
        let broken = format!("broken/{shown}\n");
        assert!(first.stderr.contains(&broken), "{broken} is not in:\n{}", first.stderr);
    }
    let status = place.run(&["status", "--failed", "--limit=100"]).expect(0);
    assert_eq!(status.stdout.lines().count(), 2 * names.len(), "{}", status.shown());
    assert!(!status.stdout.contains('\u{1b}') && !first.stderr.contains('\u{1b}'));
    let second = place.run(&args).expect(3);
    assert_eq!(second.json()["already_loaded"]["objects"], names.len(), "{}", second.shown());
    assert_eq!(second.json()["loaded"]["objects"], 0);
}

fn odd_names_are_loaded_and_found_again(engine: Engine) {
    let database = OwnDatabase::new(engine);
    let place = Place::with_database(&database.url);
    let names = names();
    for (n, name) in names.iter().enumerate() {
        place.write(format!("odd folder/{name}"), log_gz(&[&n.to_string()]));
        place.write(format!("odd folder/broken/{name}"), [0x1f, 0x8b]);
    }
    import_twice(&place, &["odd folder"], &database, &names);
}

fn keys_of_1024_bytes_are_loaded_and_found_again(engine: Engine) {
    let database = OwnDatabase::new(engine);
    let mut place = Place::with_database(&database.url);
    place.set("AWS_ACCESS_KEY_ID", ACCESS_KEY);
    place.set("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
    let server = S3Server::start();
    let long = |fill: &str| {
        let room = KEY_BYTES_MAX - "broken/".len();
        let fills = fill.repeat(room / fill.len());
        format!("{fills}{}", "k".repeat(room - fills.len()))
    };
    // Two keys of one length that differ in case only, and only at the end.
    let mut names = vec![long("k"), format!("{}K", &long("k")[1..]), long("é"), long("/🦀")];
    names.extend(ODD_NAMES.map(str::to_owned));
    for (n, name) in names.iter().enumerate() {
        server.put("trail", name, log_gz(&[&n.to_string()]));
        server.put("trail", &format!("broken/{name}"), [0x1f, 0x8b]);
    }
    let source = ["--endpoint-url", &server.endpoint_url(), "s3://trail"];
    import_twice(&place, &source, &database, &names);
}
