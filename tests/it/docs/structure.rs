//! What the pages have to be, whatever they say.

use regex_lite::Regex;

use super::pages::{page, root};

/// Parts of messages in docs/troubleshooting.md that other programs and libraries write.
const FOREIGN_MESSAGES: [&str; 3] = [
    // rustls
    "invalid peer certificate: UnknownIssuer",
    "UnsupportedCertVersion",
    // sqlx
    "server does not support TLS",
];

#[test]
fn the_readme_is_short_and_shows_the_picture() {
    let readme = page("README.md").text;
    assert!(readme.lines().count() <= 250, "{} lines", readme.lines().count());
    assert!(readme.contains("](docs/import.svg)"));
}

#[test]
fn the_benchmarks_open_with_a_short_table() {
    let text = page("BENCHMARKS.md").text;
    let (opening, _) = text.split_once("\n## ").unwrap();
    let rows = opening.lines().filter(|line| line.starts_with('|')).count();
    // A row of heads and a ruler.
    assert!((3..=8).contains(&rows), "{rows} lines");
}

#[test]
fn every_message_of_the_troubleshooting_is_in_the_source() {
    let files = walkdir::WalkDir::new(root().join("src")).into_iter().map(Result::unwrap);
    let snapshots = walkdir::WalkDir::new(root().join("tests/it/snapshots"));
    let files = files.chain(snapshots.into_iter().map(Result::unwrap));
    let mut source = String::new();
    for file in files.filter(|file| file.file_type().is_file()) {
        source.push_str(&std::fs::read_to_string(file.path()).unwrap());
    }
    // A long string literal continues after the white space of the next line.
    let source = Regex::new(r"\\\n\s*").unwrap().replace_all(&source, "").into_owned();
    let rows = page("docs/troubleshooting.md").table(&["message", "what to do"]);
    assert!(rows.len() > 10, "{rows:?}");
    for row in rows {
        let message = row[0].trim_matches(['`', ' ']);
        if FOREIGN_MESSAGES.contains(&message) {
            continue;
        }
        for part in message.split('…').map(str::trim).filter(|part| !part.is_empty()) {
            // Many messages are made of `cannot` and what the program was doing.
            let doing = part.strip_prefix("cannot ").unwrap_or(part);
            let found = source.contains(part) || source.contains(&format!("\"{doing}\""));
            assert!(found, "`{part}` of docs/troubleshooting.md is not in the source");
        }
    }
}

#[test]
fn every_path_in_the_guide_for_contributors_exists() {
    let guide = page("CONTRIBUTING.md").text;
    let path = Regex::new(r"`((?:src|tests|migrations|benches|examples|docs)/[\w./-]*)").unwrap();
    let paths: Vec<String> = path.captures_iter(&guide).map(|it| it[1].to_owned()).collect();
    assert!(paths.len() > 20, "{paths:?}");
    for path in &paths {
        assert!(root().join(path).exists(), "{path}");
    }
}

#[test]
fn the_engines_on_the_page_are_those_that_are_read() {
    let source = std::fs::read_to_string(root().join("src/cli/config/shard.rs")).unwrap();
    let heads =
        ["engine", "`--shard`", "index", "first index", "number of shards", "name of the job"];
    let rows = page("docs/workers.md").table(&heads);
    assert_eq!(rows.len(), source.matches("    index: \"").count(), "{rows:?}");
    for row in rows {
        let [index, count, job] = [2, 4, 5].map(|column| row[column].trim_matches('`'));
        let count = if count == "N" { "None".to_owned() } else { format!("Some(\"{count}\")") };
        for expected in
            [format!("index: \"{index}\""), format!("count: {count}"), format!("job: (\"{job}\"")]
        {
            assert!(source.contains(&expected), "{expected}");
        }
    }
}
