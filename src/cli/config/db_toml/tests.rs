use std::collections::BTreeSet;
use std::error::Error;

use super::*;

const EXAMPLE: &str = include_str!("../../../../db.example.toml");

fn environment() -> Environment {
    Environment::new([("CLOUDTRAIL_PASSWORD", "s3cr@t"), ("EMPTY", "")], "")
}

/// Reads a `db.toml`, all but the CA file.
fn url(text: &str) -> Result<DatabaseUrl, DbTomlError> {
    DbToml::parse(text, Path::new("db.toml"))?.url(&environment())
}

fn exposed(text: &str) -> String {
    url(text).unwrap().expose().to_owned()
}

/// Returns message, cause and hint, in the way the program prints them.
fn rendered(text: &str) -> String {
    let error = url(text).unwrap_err();
    let cause = error.source().map(|cause| format!("\n  caused by: {cause}")).unwrap_or_default();
    let hint = error.hint().map(|hint| format!("\n\nhint: {hint}")).unwrap_or_default();
    format!("error: {error}{cause}{hint}")
}

#[test]
fn a_url_is_used_unchanged() {
    let text = "url = \"postgres://u:p%40@db/logs?sslmode=require\"";
    assert_eq!(exposed(text), "postgres://u:p%40@db/logs?sslmode=require");
}

#[test]
fn each_engine_has_its_names() {
    for (engine, expected) in [
        ("sqlite", "sqlite://cloudtrail.db"),
        ("postgres", "postgres://localhost/cloudtrail"),
        ("PostgreSQL", "postgres://localhost/cloudtrail"),
        ("mysql", "mysql://localhost/cloudtrail"),
        ("MariaDB", "mysql://localhost/cloudtrail"),
    ] {
        assert_eq!(exposed(&format!("engine = \"{engine}\"")), expected);
    }
}

#[test]
fn the_parts_are_encoded_into_the_url() {
    let text = r#"
engine = "postgres"
hostname = "db.example.com"
port = 0x1538
username = "load@er"
password = 'p@ss:w/o?r#d%'
database = "my logs"
"#;
    let expected = "postgres://load%40er:p%40ss%3Aw%2Fo%3Fr%23d%25@db.example.com:5432/my%20logs";
    assert_eq!(exposed(text), expected);
}

#[test]
fn a_sqlite_path_is_used_unchanged() {
    let url = url("engine = \"sqlite\"\ndatabase = \"/var/100%25 ?#.db\"").unwrap();
    assert_eq!(url.sqlite_path(), Some("/var/100%25 ?#.db".into()));
}

#[test]
fn the_password_may_be_in_a_variable_of_the_environment() {
    let text = "engine = \"mysql\"\nusername = \"u\"\npassword_env = \"CLOUDTRAIL_PASSWORD\"";
    assert_eq!(exposed(text), "mysql://u:s3cr%40t@localhost/cloudtrail");
    for variable in ["MISSING", "EMPTY"] {
        let text = format!("engine = \"mysql\"\npassword_env = \"{variable}\"");
        let expected = format!(
            "error: no value in the environment variable `{variable}`, named by `password_env` in \
             db.toml, line 2\n\nhint: set `{variable}` to the password"
        );
        assert_eq!(rendered(&text), expected);
    }
}

#[test]
fn every_tls_mode_has_its_parameter_in_the_url_of_each_engine() {
    for (mode, postgres, mysql) in [
        ("disable", "disable", "DISABLED"),
        ("prefer", "prefer", "PREFERRED"),
        ("require", "require", "REQUIRED"),
        ("verify-ca", "verify-ca", "VERIFY_CA"),
        ("verify-full", "verify-full", "VERIFY_IDENTITY"),
    ] {
        let url = |engine| exposed(&format!("engine = \"{engine}\"\ntls = \"{mode}\""));
        let expected = format!("postgres://localhost/cloudtrail?sslmode={postgres}");
        assert_eq!(url("postgres"), expected);
        assert_eq!(url("mysql"), format!("mysql://localhost/cloudtrail?ssl-mode={mysql}"));
    }
}

#[test]
fn a_ca_file_is_for_the_modes_that_verify() {
    let text = |engine: &str, mode: &str| {
        format!("engine = \"{engine}\"\n{mode}\nca_file = \"/etc/ca.pem\"")
    };
    assert!(
        exposed(&text("postgres", "tls = \"verify-ca\""))
            .ends_with("?sslmode=verify-ca&sslrootcert=%2Fetc%2Fca.pem")
    );
    assert!(
        exposed(&text("mariadb", "tls = \"verify-full\""))
            .ends_with("?ssl-mode=VERIFY_IDENTITY&ssl-ca=%2Fetc%2Fca.pem")
    );
    for mode in ["", "tls = \"disable\"", "tls = \"prefer\"", "tls = \"require\""] {
        let error = url(&text("postgres", mode)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`ca_file` has no effect with this `tls` mode in db.toml, line 3",
            "{mode}"
        );
    }
}

#[test]
fn a_ca_file_that_cannot_be_read_is_reported_before_anything_connects() {
    let folder = tempfile::tempdir().unwrap();
    let ca_file = folder.path().join("ca.pem");
    let text =
        format!("engine = \"postgres\"\ntls = \"verify-ca\"\nca_file = '{}'", ca_file.display());
    let read = || database_url(&text, Path::new("db.toml"), &environment());
    let error = read().unwrap_err();
    assert_eq!(error.to_string(), "cannot read the `ca_file` in db.toml, line 3");
    assert!(error.source().is_some());
    std::fs::write(&ca_file, "").unwrap();
    assert!(read().is_ok());
}

#[test]
fn an_unknown_key_is_refused_with_its_line_and_the_likeliest_key() {
    let text = "\n\nengine = \"mysql\"\n\nusername = \"u\"\n# A comment.\npasword = \"hunter2\"\n";
    let expected =
        "error: unknown key `pasword` in db.toml, line 7\n\nhint: did you mean `password`?";
    assert_eq!(rendered(text), expected);
    let expected = "error: unknown key `x` in db.toml, line 1\n\nhint: use one of `url`, `engine`, \
                    `hostname`, `port`, `username`, `password`, `password_env`, `database`, `tls`, \
                    `ca_file`";
    assert_eq!(rendered("x = 1"), expected);
    for (key, meant) in [("host", "hostname"), ("user", "username"), ("URL", "url")] {
        let expected = format!(
            "error: unknown key `{key}` in db.toml, line 1\n\nhint: did you mean `{meant}`?"
        );
        assert_eq!(rendered(&format!("{key} = \"x\"")), expected);
    }
}

#[test]
fn the_first_fault_in_the_file_is_reported() {
    assert!(rendered("z = 1\na = 1").contains("`z`"));
}

#[test]
fn each_fault_is_reported_with_its_line_and_a_hint() {
    for (text, expected) in [
        (
            "",
            "neither `url` nor `engine` in db.toml\n\nhint: name the database: `url = \"sqlite://cloudtrail.db\"`; see db.example.toml",
        ),
        (
            "port = 5432",
            "neither `url` nor `engine` in db.toml\n\nhint: name the database: `url = \"sqlite://cloudtrail.db\"`; see db.example.toml",
        ),
        (
            "[database]\nurl = \"x\"",
            "unexpected section `[database]` in db.toml, line 1\n\nhint: all keys are at the top level: remove the header",
        ),
        (
            "[postgres]\nurl = \"x\"",
            "unexpected section `[postgres]` in db.toml, line 1\n\nhint: all keys are at the top level: remove the header",
        ),
        (
            "username = 1",
            "`username` is not a string in db.toml, line 1\n\nhint: put the value in quotes: `username = \"…\"`",
        ),
        (
            "port = \"5432\"",
            "`port` is not a number from 1 to 65535 in db.toml, line 1\n\nhint: write it without quotes, or remove the line to use the default port",
        ),
        (
            "port = 0",
            "`port` is not a number from 1 to 65535 in db.toml, line 1\n\nhint: write it without quotes, or remove the line to use the default port",
        ),
        (
            "port = 65_536",
            "`port` is not a number from 1 to 65535 in db.toml, line 1\n\nhint: write it without quotes, or remove the line to use the default port",
        ),
        (
            "\nhostname = \"\"",
            "`hostname` is empty in db.toml, line 2\n\nhint: fill it in, or remove the line",
        ),
        (
            "url = \"x.db\"\nport = 1",
            "`url` and `port` exclude each other in db.toml, line 2\n\nhint: use either the whole URL or its parts",
        ),
        (
            "engine = \"mysql\"\npassword = \"\"\npassword_env = \"X\"",
            "`password` and `password_env` exclude each other in db.toml, line 3\n\nhint: remove `password` or `password_env`",
        ),
        (
            "engine = \"postgress\"",
            "unknown engine `postgress` in db.toml, line 1\n\nhint: did you mean `postgres`?",
        ),
        (
            "engine = \"oracle\"",
            "unknown engine `oracle` in db.toml, line 1\n\nhint: use one of `sqlite`, `postgres`, `postgresql`, `mysql`, `mariadb`",
        ),
        (
            "engine = \"mysql\"\ntls = \"on\"",
            "unknown TLS mode `on` in db.toml, line 2\n\nhint: use one of `disable`, `prefer`, `require`, `verify-ca`, `verify-full`",
        ),
        (
            "engine = \"sqlite\"\nhostname = \"x\"",
            "`hostname` does not apply to SQLite in db.toml, line 2\n\nhint: remove the line; SQLite needs only `database`, the path of the file",
        ),
        (
            "url = \"postgre://db\"",
            "cannot use `url` in db.toml, line 1\n  caused by: unknown scheme `postgre`\n\nhint: did you mean `postgres`?",
        ),
        (
            "engine = \"mysql\"\nhostname = \"db:1\"",
            "cannot use `hostname` in db.toml, line 2\n  caused by: `db:1` is not a host name\n\nhint: `hostname` holds only the host's name or address; the port belongs in `port`, the user name in `username`",
        ),
        (
            "engine = \"sqlite\"\ndatabase = \":memory:\"",
            "cannot use `database` in db.toml, line 2\n  caused by: a database in memory would be lost at the end of the run\n\nhint: name a file, such as `sqlite://cloudtrail.db`",
        ),
    ] {
        assert_eq!(rendered(text), format!("error: {expected}"), "{text}");
    }
}

#[test]
fn a_syntax_error_has_its_line() {
    let rendered = rendered("engine = \"mysql\"\nhostname = db");
    assert!(
        rendered.starts_with("error: syntax error in db.toml, line 2\n  caused by: "),
        "{rendered}"
    );
}

#[test]
fn no_error_shows_the_password() {
    for text in [
        "password = hunter2",
        "password = \"hunter2",
        "password = \"hunter2\" x",
        "password: hunter2",
        "password = \"\\hunter2\"",
        "password = 'hunter2\n'",
        "password = [\"hunter2\"]",
        "password = { hunter2 = 1 }",
        "password = \"hunter2\"\npassword = \"hunter2\"",
        "password = \"hunter2\"\nx = 1",
        "engine = \"mysql\"\npassword = \"hunter2\"\nhostname = \"a b\"",
        "url = \"mysql://u:hunter2@h:x\"",
        "url = \"postgres://u:hunter2#@h\"",
    ] {
        let rendered = format!("{} {:?}", rendered(text), url(text).unwrap_err());
        assert!(!rendered.contains("hunter2"), "{text}: {rendered}");
    }
}

/// Returns every `db.toml` that can be made of the example: in each of its sections all options
/// uncommented, with one of the lines that have the same key.
fn examples() -> Vec<String> {
    let options = |section: &str| -> Vec<String> {
        let lines = section.lines().map(|line| line.strip_prefix('#').unwrap_or(line));
        let is_option = |line: &&str| line.contains(" = ") && !line.starts_with(' ');
        lines.filter(is_option).map(str::to_owned).collect()
    };
    let mut files = Vec::new();
    for section in EXAMPLE.split("\n# --- ").skip(1) {
        let mut file: Vec<String> = Vec::new();
        for line in options(section) {
            let key = line.split(' ').next().unwrap();
            if let Some(same) = file.iter_mut().find(|other| other.starts_with(&format!("{key} ")))
            {
                let one = same.clone();
                *same = line;
                files.push(one);
            } else {
                file.push(line);
            }
        }
        files.push(file.join("\n"));
    }
    files
}

#[test]
fn the_example_works_as_it_is() {
    assert_eq!(exposed(EXAMPLE), "sqlite://cloudtrail.db");
}

#[test]
fn the_example_works_with_every_option_uncommented() {
    let urls: Vec<_> = examples().iter().map(|text| exposed(text)).collect();
    assert_eq!(
        urls,
        [
            "sqlite://cloudtrail.db",
            "sqlite:///var/lib/cloudtrail.db",
            "postgres://loader:secret@db.example.com:5432/cloudtrail?sslmode=verify-full",
            "mysql://loader:secret@db.example.com:3306/cloudtrail?ssl-mode=VERIFY_IDENTITY",
            "mariadb://loader:secret@db.example.com/cloudtrail",
            "postgres://loader:p%40ss%3Aw%2Fo%3Fr%23d%25@db.example.com:5432/cloudtrail\
             ?sslmode=verify-full&sslrootcert=%2Fetc%2Fssl%2Fcerts%2Fdatabase-ca.pem",
            "mysql://loader:s3cr%40t@localhost/cloudtrail?socket=%2Frun%2Fmysqld%2Fmysqld.sock",
            "sqlite://cloudtrail.db",
        ]
    );
}

#[test]
fn the_example_has_every_key() {
    let text = examples().join("\n");
    let used: BTreeSet<_> = text.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(used, BTreeSet::from(KEYS));
}
