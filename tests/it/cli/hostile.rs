//! What comes from outside cannot forge output, take a password, or be read by others.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};

use super::set_mode;
use crate::binary::Place;
use crate::hostile_mysql::{HostileMysql, MANY_COLUMNS, error_packet};
use crate::logs::log_json;
use crate::s3_server::{ACCESS_KEY, S3Server, SECRET_KEY};

const ACCOUNT: &str = "AWSLogs/111122223333";

fn mode(place: &Place, name: &str) -> u32 {
    fs::metadata(place.path(name)).unwrap().permissions().mode() & 0o777
}

#[test]
fn the_name_of_a_folder_cannot_forge_the_summary() {
    let place = Place::new();
    place.write("logs/a.json", log_json(&["a"]));
    let name = "x\u{1b}[31m\nobjects: 9 listed = 9 loaded\u{202e}\u{9b}";
    place.write(format!("logs/{ACCOUNT}/{name}/b.json"), log_json(&["b"]));
    for command in [&["import", "logs"][..], &["import", "--dry-run", "logs"]] {
        let run = place.run(command).expect(0);
        let shown = format!("{}{}", run.stdout, run.stderr);
        assert!(!shown.contains(['\u{1b}', '\u{202e}', '\u{9b}']), "{shown:?}");
        assert!(!shown.lines().any(|line| line.starts_with("objects: 9")), "{shown}");
        assert!(shown.contains("1 x\\u{1b}[31m\\nobjects: 9 listed"), "{shown}");
    }
    let run = place.run(&["--output", "json", "--log-format", "json", "import", "logs"]).expect(0);
    assert!(!run.stdout.contains(['\u{202e}', '\u{9b}']), "{}", run.shown());
    assert_eq!(run.json()["folders_without_logs"][name], 1, "{}", run.shown());
}

#[test]
fn hidden_characters_are_escaped_in_json_logs() {
    let place = Place::new();
    place.write("logs/a\u{7f}\u{9b}\u{202e}.json", "{");
    let run = place.run(&["--log-format", "json", "import", "logs"]).expect(3);
    assert!(!run.stderr.contains(['\u{7f}', '\u{9b}', '\u{202e}']), "{}", run.shown());
    assert!(run.stderr.contains("a\\u007f\\u009b\\u202e.json"), "{}", run.shown());
}

#[test]
fn a_password_in_the_wrong_place_is_not_echoed() {
    let place = Place::new();
    place.write("host.toml", "engine = \"postgres\"\nhostname = \"u:hunter2@h\"\n");
    for args in [
        &["postgres://u:hunter2@h/d"][..],
        &["--databse", "postgres://u:hunter2@h/d", "import", "x"],
        &["--databse=postgres://u:hunter2@h/d", "import", "x"],
        &["import", "postgres://u:hunter2@h/d"],
        &["import", "s3://KEY:hunter2@bucket"],
        &["import", "s3://KEY:hun/hunter2@bucket/x"],
        &["import", "s3:KEY:hunter2@bucket"],
        &["--config", "postgres://u:hunter2@h/d", "status"],
        &["--config", "host.toml", "status"],
    ] {
        let run = place.run(args).expect(2);
        assert!(!run.stderr.contains("hunter2"), "{args:?}: {}", run.shown());
        assert!(run.stderr.contains("error"), "{args:?}: {}", run.shown());
    }
}

#[test]
fn a_server_without_tls_gets_no_password_over_a_network() {
    let server = HostileMysql::start(MANY_COLUMNS);
    let mut place = Place::new();
    // The unspecified address leads to this machine, but no rule says so.
    let url = format!("mysql://u:p@0.0.0.0:{}/d", server.address.port());
    let run = place.run(&["--database", &url, "status"]).expect(1);
    assert!(run.stderr.contains("server does not support TLS"), "{}", run.shown());
    assert!(run.stderr.contains("`ssl-mode=DISABLED` for MySQL"), "{}", run.shown());
    for (mode, risk) in [
        ("DISABLED", "database server 0.0.0.0: the connection is not encrypted"),
        ("REQUIRED", "database server 0.0.0.0: the certificate is not verified"),
    ] {
        let url = format!("{url}?ssl-mode={mode}");
        let run = place.run(&["--database", &url, "status"]).expect(1);
        assert_eq!(run.stderr.matches(risk).count(), 1, "{}", run.shown());
    }
    let missing = format!("{url}?ssl-ca=/no/such.pem");
    let run = place.run(&["--database", &missing, "status"]).expect(1);
    let expected = "cannot read the file `/no/such.pem` of `ssl-ca`: No such file";
    assert!(run.stderr.contains(expected), "{}", run.shown());
    place.set("PGSSLMODE", "allow");
    let run = place.run(&["--database", "postgres://u:p@0.0.0.0/d", "status"]).expect(1);
    assert!(run.stderr.contains("`PGSSLMODE` cannot be `allow`"), "{}", run.shown());
}

#[test]
fn a_password_is_not_sent_in_clear_text_over_a_network() {
    let place = Place::new();
    for (is_postgres, scheme, mode) in [
        (true, "postgres", "sslmode=disable"),
        (false, "mysql", "ssl-mode=DISABLED"),
        (false, "mysql", "ssl-mode=PREFERRED"),
    ] {
        let server = HostileMysql::asking_for_password(is_postgres);
        let port = server.address.port();
        let url = |host| format!("{scheme}://u:hunter2@{host}:{port}/d?{mode}");
        let run = place.run(&["--database", &url("0.0.0.0"), "status"]).expect(1);
        let expected = "asks for the password in clear text, but the connection is not encrypted";
        assert!(run.stderr.contains(expected), "{mode}: {}", run.shown());
        assert!(!server.has_received("hunter2"), "{mode}");
        // The server does ask: on this machine nobody can listen.
        place.run(&["--database", &url("127.0.0.1"), "status"]);
        assert!(server.has_received("hunter2"), "{mode}");
    }
}

#[test]
fn an_account_with_a_login_that_is_not_supported_is_told_so() {
    let server = HostileMysql::with_plugin("client_ed25519");
    let place = Place::new();
    let url = format!("mysql://u:p@{}/d", server.address);
    let run = place.run(&["--database", &url, "import", "--no-index", "."]).expect(1);
    assert!(run.stderr.contains("the account logs in with `client_ed25519`"), "{}", run.shown());
    assert!(!run.stderr.contains("check the host"), "{}", run.shown());
}

#[test]
fn a_server_that_names_too_many_columns_is_an_error() {
    let server = HostileMysql::start(MANY_COLUMNS);
    let place = Place::new();
    let url = format!("mysql://u:p@{}/d", server.address);
    let run = place.run(&["--database", &url, "status"]).expect(1);
    let expected = "the database driver cannot read the server's answer: ";
    assert!(run.stderr.contains(expected), "{}", run.shown());
    assert!(!run.stderr.contains("panicked"), "{}", run.shown());
}

#[test]
fn the_error_of_a_server_cannot_forge_output() {
    let server = HostileMysql::start(error_packet("x\u{1b}[31m\nobjects: 9\u{202e}\u{9b}"));
    let place = Place::new();
    let url = format!("mysql://u:p@{}/d", server.address);
    for format in ["text", "json"] {
        let run = place.run(&["--log-format", format, "--database", &url, "status"]).expect(1);
        let shown = format!("{}{}", run.stdout, run.stderr);
        assert!(shown.contains("objects: 9"), "{shown}");
        assert!(!shown.contains(['\u{1b}', '\u{202e}', '\u{9b}']), "{shown:?}");
        assert!(!shown.lines().any(|line| line.starts_with("objects: 9")), "{shown}");
    }
}

#[test]
fn the_sqlite_file_is_private_and_one_that_is_not_is_reported() {
    let place = Place::new();
    place.write("logs/a.json", log_json(&["a"]));
    let run = place.run(&["import", "logs"]).expect(0);
    assert_eq!(mode(&place, "cloudtrail.db"), 0o600);
    assert!(!run.stderr.contains("other users"), "{}", run.shown());
    set_mode(&place, "cloudtrail.db", 0o644);
    let run = place.run(&["status"]).expect(0);
    assert!(run.stderr.contains("other users can read the database"), "{}", run.shown());
}

#[test]
fn a_db_toml_that_others_can_change_is_refused_and_a_readable_password_reported() {
    let mut place = Place::new();
    place.set("AWS_SECRET_ACCESS_KEY", "hunter2");
    place.write("db.toml", "engine = \"postgres\"\nhostname = \"/nowhere\"\npassword = \"p\"\n");
    set_mode(&place, "db.toml", 0o606);
    let run = place.run(&["status"]).expect(2);
    assert!(run.stderr.contains("other users can change db.toml"), "{}", run.shown());
    set_mode(&place, "db.toml", 0o604);
    let run = place.run(&["status"]);
    assert!(run.stderr.contains("db.toml, which holds a password"), "{}", run.shown());
    let key = "password_env = \"AWS_SECRET_ACCESS_KEY\"\n";
    place.write("db.toml", format!("engine = \"postgres\"\nhostname = \"/nowhere\"\n{key}"));
    let run = place.run(&["status"]).expect(2);
    assert!(run.stderr.contains("which holds AWS credentials"), "{}", run.shown());
}

#[test]
fn a_db_toml_may_be_shared_with_the_users_own_group_only() {
    const OTHER: u32 = 65_534;
    let place = Place::new();
    place.write("db.toml", "engine = \"postgres\"\nhostname = \"/nowhere\"\npassword = \"p\"\n");
    set_mode(&place, "db.toml", 0o660);
    let run = place.run(&["status"]).expect(1);
    assert!(!run.stderr.contains("which holds a password"), "{}", run.shown());
    if chown(place.path("db.toml"), None, Some(OTHER)).is_err() {
        // Only root can give a file to another group or user.
        return;
    }
    let run = place.run(&["status"]).expect(2);
    assert!(run.stderr.contains("other users can change db.toml"), "{}", run.shown());
    set_mode(&place, "db.toml", 0o640);
    let run = place.run(&["status"]).expect(1);
    assert!(run.stderr.contains("db.toml, which holds a password"), "{}", run.shown());
    chown(place.path("db.toml"), Some(OTHER), None).unwrap();
    let run = place.run(&["status"]).expect(2);
    assert!(run.stderr.contains("db.toml belongs to another user"), "{}", run.shown());
    // Whoever names the file vouches for its owner.
    place.run(&["--config", "db.toml", "status"]).expect(1);
}

#[test]
fn an_unencrypted_connection_to_an_s3_server_on_another_machine_is_reported() {
    let server = S3Server::start();
    server.put("trail", "a.json", log_json(&["a"]));
    // The unspecified address leads to this machine, but no rule says so.
    for (host, is_reported) in [("127.0.0.1", false), ("localhost", false), ("0.0.0.0", true)] {
        let mut place = Place::new();
        place.set("AWS_ACCESS_KEY_ID", ACCESS_KEY);
        place.set("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
        let endpoint_url = server.endpoint_url().replace("127.0.0.1", host);
        let run = place.run(&["import", "--endpoint-url", &endpoint_url, "s3://trail"]).expect(0);
        let warnings = run.stderr.matches("to the S3 server is not encrypted").count();
        assert_eq!(warnings, usize::from(is_reported), "{host}: {}", run.shown());
    }
}

#[test]
fn a_folder_is_no_sqlite_file() {
    let place = Place::new();
    place.write("logs/a.json", log_json(&["a"]));
    fs::create_dir(place.path("dir.db")).unwrap();
    let run = place.run(&["--database", "dir.db", "import", "logs"]).expect(1);
    assert!(run.stderr.contains("dir.db` is a folder: name a file"), "{}", run.shown());
}

#[test]
fn the_programs_own_files_are_not_imported() {
    let place = Place::new();
    place.write("a.json", log_json(&["a"]));
    place.write("db.toml", "engine = \"sqlite\"\n");
    for loaded in [1, 0] {
        let run = place.run(&["--output", "json", "import", "."]).expect(0);
        assert_eq!(run.json()["listed"]["objects"], 1, "{}", run.shown());
        assert_eq!(run.json()["loaded"]["objects"], loaded, "{}", run.shown());
        assert!(run.json()["own_files"].as_u64().unwrap() >= 2, "{}", run.shown());
    }
    let run = place.run(&["import", "."]).expect(0);
    assert!(run.stdout.contains("not listed (used by this program): "), "{}", run.shown());
}
