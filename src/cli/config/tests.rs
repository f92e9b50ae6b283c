use std::error::Error;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use super::defaults::{MEMORY_BYTES_RANGE, WRITERS_RANGE};
use super::*;
use crate::database::LoadMethod;
use crate::database::url::Engine;

const URL_A: &str = "postgres://a/logs";
const URL_B: &str = "mysql://b/logs";

/// Returns message, causes and hint, in the way the program prints them.
fn rendered(error: &ConfigError) -> String {
    let mut lines = vec![format!("error: {error}")];
    let mut cause = error.source();
    while let Some(error) = cause {
        lines.push(format!("  caused by: {error}"));
        cause = error.source();
    }
    lines.extend(error.hint().map(|hint| format!("\nhint: {hint}")));
    lines.join("\n")
}

fn empty_folder() -> (tempfile::TempDir, Environment) {
    let folder = tempfile::tempdir().unwrap();
    let environment = Environment::new([], folder.path());
    (folder, environment)
}

#[test]
fn the_database_is_named_by_flag_then_environment_then_file_then_default() {
    let (folder, bare) = empty_folder();
    let full = Environment::new([("DATABASE_URL", URL_B)], folder.path());
    let blank = Environment::new([("DATABASE_URL", "")], folder.path());
    let named = folder.path().join("named.toml");
    let found = folder.path().join("db.toml");
    fs::write(&named, "url = \"named.db\"").unwrap();
    let resolve = |flag, file: Option<&Path>, environment: &Environment| {
        let database = DatabaseSettings::resolve(flag, file, environment).unwrap();
        (database.url.to_string(), database.origin)
    };
    let a = || (URL_A.to_owned(), Origin::Flag);
    let b = || (URL_B.to_owned(), Origin::Environment);
    let default = || ("sqlite://cloudtrail.db".to_owned(), Origin::Default);
    let from_named = || ("sqlite://named.db".to_owned(), Origin::File(named.clone()));
    let from_found = || ("sqlite://found.db".to_owned(), Origin::File(found.clone()));

    assert_eq!(resolve(None, None, &bare), default());
    fs::write(&found, "url = \"found.db\"").unwrap();
    assert_eq!(resolve(None, None, &bare), from_found());
    assert_eq!(resolve(None, None, &blank), from_found());
    assert_eq!(resolve(None, Some(&named), &bare), from_named());
    assert_eq!(resolve(None, None, &full), b());
    assert_eq!(resolve(None, Some(&named), &full), b());
    assert_eq!(resolve(Some(URL_A), None, &full), a());
    assert_eq!(resolve(Some(URL_A), Some(&named), &full), a());
    assert_eq!(resolve(Some(URL_A), Some(&named), &bare), a());
}

#[test]
fn a_named_file_that_is_not_read_is_reported() {
    let (_folder, bare) = empty_folder();
    let full = Environment::new([("DATABASE_URL", URL_B)], "");
    let file = Path::new("missing.toml");
    let unread = |flag, file, environment: &Environment| {
        DatabaseSettings::resolve(flag, file, environment).unwrap().unread_config
    };
    assert_eq!(unread(Some(URL_A), Some(file), &bare), Some(file.to_owned()));
    assert_eq!(unread(None, Some(file), &full), Some(file.to_owned()));
    assert_eq!(unread(None, None, &full), None);
    assert_eq!(unread(None, None, &bare), None);
}

#[test]
fn each_origin_has_its_words() {
    assert_eq!(Origin::Flag.to_string(), "from `--database`");
    assert_eq!(Origin::Environment.to_string(), "from `DATABASE_URL`");
    assert_eq!(Origin::File("db.toml".into()).to_string(), "from db.toml");
    assert_eq!(Origin::Default.to_string(), "by default");
}

#[test]
fn a_named_file_that_is_missing_is_an_error() {
    let (_folder, bare) = empty_folder();
    let error =
        DatabaseSettings::resolve(None, Some(Path::new("/missing/db.toml")), &bare).unwrap_err();
    let rendered = rendered(&error);
    let start = "error: cannot read the configuration file /missing/db.toml\n  caused by: ";
    assert!(rendered.starts_with(start), "{rendered}");
    assert!(
        rendered.ends_with("\n\nhint: db.example.toml shows what to write into it"),
        "{rendered}"
    );
}

#[test]
fn a_db_toml_that_cannot_be_read_is_an_error_and_not_the_default() {
    let (folder, bare) = empty_folder();
    fs::create_dir(folder.path().join("db.toml")).unwrap();
    let error = DatabaseSettings::resolve(None, None, &bare).unwrap_err();
    assert!(matches!(error, ConfigError::UnreadableFile { .. }), "{error:?}");
}

#[test]
fn a_fault_in_db_toml_is_reported_in_one_line() {
    let (folder, bare) = empty_folder();
    let path = folder.path().join("db.toml");
    fs::write(&path, "engine = \"mysql\"\npasword = \"hunter2\"").unwrap();
    let error = DatabaseSettings::resolve(None, None, &bare).unwrap_err();
    let expected = format!(
        "error: unknown key `pasword` in {}, line 2\n\nhint: did you mean `password`?",
        path.display()
    );
    assert_eq!(rendered(&error), expected);
}

#[test]
fn an_unusable_url_is_reported_with_its_origin_and_without_the_password() {
    let (folder, bare) = empty_folder();
    let error = DatabaseSettings::resolve(Some("postgre://u:hunter2@h"), None, &bare).unwrap_err();
    assert_eq!(
        rendered(&error),
        "error: cannot use the database URL from `--database`\n  caused by: unknown scheme \
         `postgre`\n\nhint: did you mean `postgres`?"
    );
    let url = "postgres://u:hun/ter2@h";
    let environment = Environment::new([("DATABASE_URL", url)], folder.path());
    let error = DatabaseSettings::resolve(None, None, &environment).unwrap_err();
    let rendered = rendered(&error);
    assert!(
        rendered.starts_with("error: cannot use the database URL from `DATABASE_URL`"),
        "{rendered}"
    );
    assert!(!format!("{rendered} {error:?}").contains("hun"), "{rendered} {error:?}");
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_not_utf8_is_named() {
    let environment = Environment::with_bytes("DATABASE_URL", vec![0xFF]);
    let error = DatabaseSettings::resolve(None, None, &environment).unwrap_err();
    assert_eq!(rendered(&error), "error: the environment variable `DATABASE_URL` is not UTF-8");
}

#[test]
fn no_debug_shows_a_password() {
    let url = "mysql://u:hunter2@h/logs";
    let environment = Environment::new([("DATABASE_URL", url)], "");
    let database = DatabaseSettings::resolve(None, None, &environment).unwrap();
    let shown = format!("{database:?} {environment:?} {:?}", database.url);
    assert!(!shown.contains("hunter2"), "{shown}");
    assert_eq!(database.url.expose(), url);
}

#[test]
fn a_count_outside_its_range_is_refused() {
    for count in [1, 64] {
        assert_eq!(count_in("--writers", count, &WRITERS_RANGE).unwrap(), count);
    }
    for count in [0, 65] {
        assert_eq!(
            rendered(&count_in("--writers", count, &WRITERS_RANGE).unwrap_err()),
            format!(
                "error: `--writers {count}` is out of range\n\nhint: use a number from 1 to 64"
            )
        );
    }
}

#[test]
fn a_size_outside_its_range_is_refused() {
    for (typed, bytes) in [("16MiB", 16 << 20), ("1T", 1 << 40)] {
        assert_eq!(bytes_in("--memory", typed, &MEMORY_BYTES_RANGE).unwrap(), bytes);
    }
    for typed in ["16777215", "1025GiB"] {
        assert_eq!(
            rendered(&bytes_in("--memory", typed, &MEMORY_BYTES_RANGE).unwrap_err()),
            format!(
                "error: `--memory {typed}` is out of range\n\nhint: use a size from 16MiB to \
                 1TiB"
            )
        );
    }
}

#[test]
fn a_value_that_is_not_a_size_is_reported_with_its_flag_and_the_accepted_form() {
    assert_eq!(
        rendered(&bytes_in("--memory", "lots", &MEMORY_BYTES_RANGE).unwrap_err()),
        "error: `--memory lots` is not a size\n  caused by: `lots` does not begin with a whole \
         number\n\nhint: write a size as `1048576`, `64MiB`, `64MB` or `64M`"
    );
}

#[test]
fn a_refused_source_is_reported_with_a_hint() {
    assert_eq!(
        rendered(&source(OsStr::new("s3:acme/x")).unwrap_err()),
        "error: cannot import from `s3:acme/x`\n  caused by: locations in S3 begin with \
         `s3://`\n\nhint: did you mean `s3://acme/x`?"
    );
    let error = source(OsStr::new("https://u:hunter2@x?X-Amz-Signature=hunter2")).unwrap_err();
    assert!(rendered(&error).starts_with("error: cannot import from `https://…`\n"));
    assert!(!format!("{} {error:?}", rendered(&error)).contains("hunter2"));
}

#[test]
fn an_endpoint_is_a_plain_http_url() {
    for typed in ["http://127.0.0.1:9000", "https://s3.example.com/"] {
        assert!(endpoint_url(typed).is_ok(), "{typed}");
    }
    for typed in [
        "",
        "127.0.0.1:9000",
        "localhost:9000",
        "s3://x",
        "https://u@x",
        "https://:hunter2@x",
        "https://",
    ] {
        let error = endpoint_url(typed).unwrap_err();
        assert_eq!(
            rendered(&error),
            "error: `--endpoint-url` is not a plain `http://` or `https://` URL\n\nhint: write it as \
             `https://HOST:PORT`, without a user name",
            "{typed}"
        );
    }
}

#[test]
fn copy_is_the_fastest_way_into_postgresql_alone() {
    assert_eq!(LoadMethod::fastest(Engine::Postgres), LoadMethod::Copy);
    assert_eq!(LoadMethod::fastest(Engine::Mysql), LoadMethod::Insert);
    assert_eq!(LoadMethod::fastest(Engine::Sqlite), LoadMethod::Insert);
}
