//! Without the servers, the tests that need them fail with one sentence each; all others keep
//! their results.

use std::process::Command;

/// What each test prints that needs a server, and nothing else.
const SENTENCES: [&str; 4] = [
    "no PostgreSQL server: set TEST_POSTGRES_URL, or run `tests/run`, which starts one",
    "no MySQL server: set TEST_MYSQL_URL, or run `tests/run`, which starts one",
    "no MariaDB server: set TEST_MARIADB_URL, or run `tests/run`, which starts one",
    "no S3 server: set TEST_S3_URL, or run `tests/run`, which starts one",
];

#[test]
fn a_missing_server_fails_the_tests_that_need_it_and_no_others() {
    // One promise of the databases, one of the sources, and the test of all servers at once.
    let filters = [
        "the_ledger_adds_up",
        "an_object_gone_since_listed_costs_only_itself",
        "a_server_that_stays_away",
    ];
    let mut tests = Command::new(std::env::current_exe().unwrap());
    for variable in ["TEST_POSTGRES_URL", "TEST_MYSQL_URL", "TEST_MARIADB_URL", "TEST_S3_URL"] {
        tests.env_remove(variable);
    }
    let output = tests.args(filters).env("RUST_BACKTRACE", "0").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr);
    // 101 is a failed test. A process that aborts has no exit code.
    assert_eq!(output.status.code(), Some(101), "{text}");
    // The store in memory, SQLite, the local folder and the tests' own S3 server need no server.
    assert!(text.contains("test result: FAILED. 4 passed; 5 failed;"), "{text}");
    for sentence in SENTENCES {
        assert!(text.contains(sentence), "{sentence} is missing in:\n{text}");
    }
    assert_eq!(text.matches("panicked at").count(), 5, "a test says more than that:\n{text}");
}
