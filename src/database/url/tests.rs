use super::*;

/// A password with every character that has a meaning in a URL.
const PASSWORD: &str = "p@ss:w/o?r#d%41&=+ ü[]\\\"'`{}|^~";

fn parse(text: &str) -> Result<DatabaseUrl, UrlError> {
    DatabaseUrl::parse(text)
}

fn parts() -> ServerParts {
    ServerParts { hostname: "db.example.com".into(), database: "logs".into(), ..Default::default() }
}

/// Splits a URL of [`DatabaseUrl::from_parts`] into its parts, in the same way as sqlx.
fn read_back(url: &DatabaseUrl) -> (String, String, String) {
    let url = Url::parse(url.expose()).unwrap();
    let decoded = |part: &str| decode(part).unwrap();
    let password = decoded(url.password().unwrap_or_default());
    (decoded(url.username()), password, decoded(url.path().trim_start_matches('/')))
}

#[test]
fn a_url_is_kept_for_the_driver_and_shown_without_password_and_parameters() {
    for (text, engine, exposed, shown) in [
        (
            "postgres://loader:hunter2@db.example.com:5433/logs?sslmode=require",
            Engine::Postgres,
            "postgres://loader:hunter2@db.example.com:5433/logs?sslmode=require",
            "postgres://loader@db.example.com:5433/logs",
        ),
        (
            "POSTGRESQL://db/logs?user=loader&password=hunter2",
            Engine::Postgres,
            "postgresql://db/logs?user=loader&password=hunter2",
            "postgresql://db/logs",
        ),
        (
            "postgres://:hunter2@db/logs",
            Engine::Postgres,
            "postgres://:hunter2@db/logs",
            "postgres://db/logs",
        ),
        (
            "postgres:///logs?host=/run/postgresql",
            Engine::Postgres,
            "postgres:///logs?host=/run/postgresql",
            "postgres:///logs",
        ),
        (
            "mysql://loader:h%40unter2@[::1]/logs?ssl-mode=verify_ca&charset=UTF8MB4",
            Engine::Mysql,
            "mysql://loader:h%40unter2@[::1]/logs?ssl-mode=verify_ca&charset=UTF8MB4",
            "mysql://loader@[::1]/logs",
        ),
        ("mariadb://db/logs", Engine::Mysql, "mariadb://db/logs", "mariadb://db/logs"),
    ] {
        let url = parse(text).unwrap();
        assert_eq!((url.engine(), url.expose()), (engine, exposed), "{text}");
        assert_eq!(url.to_string(), shown);
        assert_eq!(format!("{url:?}"), format!("DatabaseUrl({shown})"));
        assert_eq!(url.sqlite_path(), None);
    }
}

#[test]
fn a_server_without_a_database_gets_the_usual_one() {
    for text in
        ["postgres://db", "postgres://db/", "mysql://u:p@db:3306", "mysql://db/?ssl-mode=DISABLED"]
    {
        let exposed = Url::parse(parse(text).unwrap().expose()).unwrap();
        assert_eq!(exposed.path(), "/cloudtrail", "{text}");
    }
    let url = parse("postgres://db/?dbname=logs").unwrap();
    assert_eq!(url.expose(), "postgres://db/?dbname=logs");
}

#[test]
fn every_form_of_a_sqlite_url_names_its_file() {
    for (text, exposed, path) in [
        ("sqlite://logs.db", "sqlite://logs.db", "logs.db"),
        ("sqlite:logs.db", "sqlite://logs.db", "logs.db"),
        ("SQLite:///var/logs", "sqlite:///var/logs", "/var/logs"),
        ("sqlite://a.db?mode=rwc&vfs=unix-excl", "sqlite://a.db?mode=rwc&vfs=unix-excl", "a.db"),
        ("sqlite://a%20b%3Fc.db", "sqlite://a%20b%3Fc.db", "a b?c.db"),
        ("sqlite://100%.db", "sqlite://100%.db", "100%.db"),
        ("sqlite://a#b@c.db", "sqlite://a#b@c.db", "a#b@c.db"),
        (" sqlite://logs.db\n", "sqlite://logs.db", "logs.db"),
    ] {
        let url = parse(text).unwrap();
        assert_eq!((url.engine(), url.expose()), (Engine::Sqlite, exposed), "{text}");
        assert_eq!(url.sqlite_path(), Some(path.into()), "{text}");
    }
    assert_eq!(parse("sqlite://a.db?mode=rwc").unwrap().to_string(), "sqlite://a.db");
}

#[test]
fn a_path_that_ends_like_a_sqlite_file_is_one_and_means_itself() {
    for path in ["logs.db", "./x.sqlite", "/var/a b.SQLITE3", "100%25.db", "a?b#c.db", "C:\\x.db"] {
        let url = parse(path).unwrap();
        assert_eq!(url.engine(), Engine::Sqlite);
        assert_eq!(url.sqlite_path(), Some(path.into()));
    }
    for text in ["logs", "logs.txt", "", "host=db user=loader", "C:\\logs"] {
        assert_eq!(parse(text), Err(UrlError::NoScheme), "{text}");
    }
}

#[test]
fn a_sqlite_url_that_names_no_lasting_file_is_refused() {
    for (text, expected) in [
        ("sqlite::memory:", UrlError::InMemory),
        ("sqlite://:memory:", UrlError::InMemory),
        ("sqlite://x?mode=memory", UrlError::InMemory),
        ("sqlite:", UrlError::NoFile),
        ("sqlite://", UrlError::NoFile),
        ("sqlite://?mode=rwc", UrlError::NoFile),
        ("sqlite:file:x.db", UrlError::UriInPath),
        ("sqlite://sqlite:x.db", UrlError::UriInPath),
        ("sqlite://%FF", UrlError::NotUtf8("path")),
    ] {
        assert_eq!(parse(text), Err(expected), "{text}");
    }
}

#[test]
fn an_unknown_scheme_is_refused_with_the_likeliest_one() {
    for (text, scheme, hint) in [
        ("postgre://db/logs", "postgre", "did you mean `postgres`?"),
        ("postgress://db/logs", "postgress", "did you mean `postgres`?"),
        ("sqlite3://x.db", "sqlite3", "did you mean `sqlite`?"),
        ("maria://db/logs", "maria", "did you mean `mariadb`?"),
        ("jdbc://db", "jdbc", "use one of `sqlite`, `postgres`, `postgresql`, `mysql`, `mariadb`"),
    ] {
        let error = parse(text).unwrap_err();
        assert_eq!(error, UrlError::UnknownScheme(scheme.into()), "{text}");
        assert_eq!(error.hint(), hint);
    }
    assert_eq!(parse("postgres:logs"), Err(UrlError::NoSlashes("postgres".into())));
}

#[test]
fn a_parameter_the_driver_would_ignore_is_refused() {
    let error = parse("postgres://db/logs?ssl_mode=require").unwrap_err();
    assert_eq!(error.to_string(), "unknown parameter `ssl_mode` for PostgreSQL");
    assert_eq!(error.hint(), "did you mean `sslmode`?");
    let error = parse("mysql://db/logs?tls=true").unwrap_err();
    assert_eq!(error.to_string(), "unknown parameter `tls` for MySQL or MariaDB");
    assert!(error.hint().contains("`ssl-mode`"), "{}", error.hint());
    let error = parse("sqlite://a.db?immutable=1").unwrap_err();
    assert_eq!(error.hint(), "use one of `mode`, `vfs`");
}

#[test]
fn a_parameter_with_a_value_it_cannot_have_is_refused_with_all_it_can() {
    for (text, message, hint) in [
        (
            "postgres://db/logs?sslmode=allow",
            "`sslmode` cannot be `allow`",
            "use one of `disable`, `prefer`, `require`, `verify-ca`, `verify-full`",
        ),
        (
            "postgres://db/logs?sslmode=on",
            "`sslmode` cannot be `on`",
            "use one of `disable`, `prefer`, `require`, `verify-ca`, `verify-full`",
        ),
        (
            "mysql://db/logs?ssl-mode=verify-full",
            "`ssl-mode` cannot be `verify-full`",
            "use one of `DISABLED`, `PREFERRED`, `REQUIRED`, `VERIFY_CA`, `VERIFY_IDENTITY`",
        ),
        ("mysql://db/logs?charset=latin1", "`charset` cannot be `latin1`", "use one of `utf8mb4`"),
        ("sqlite://a.db?mode=x", "`mode` cannot be `x`", "use one of `ro`, `rw`, `rwc`"),
    ] {
        let error = parse(text).unwrap_err();
        assert_eq!((error.to_string().as_str(), error.hint().as_str()), (message, hint), "{text}");
    }
}

#[test]
fn a_password_that_is_not_encoded_is_refused_and_no_part_of_it_is_shown() {
    for text in [
        "postgres://loader:hunter2/x@db/logs",
        "postgres://loader:12/hunter2@db/logs",
        "postgres://loader:12?hunter2@db/logs",
        "postgres://loader:12#hunter2@db/logs",
        "postgres://loader:12#hunter2",
        "mysql://loader:hunter2#x@db/logs",
        "mysql://loader:hunter2?x@db/logs",
        "loader:hunter2@db/logs",
        "hunter2@db",
        "password=hunter2",
        "postgres//loader:hunter2@db/logs",
        "postgres://loader:hunter2@db name/logs",
        "postgres://loader:hunter2@db:x/logs",
        "postgres://loader:hunter2@db/logs?x=hunter2",
        "postgres://loader:hunter2%FF@db/logs",
        "mysql://loader:hunter2@/logs",
        // `Url` resolves `..`, and the `@` with it. Found by fuzzing.
        "postgres://loader:/hunter2/@db/..",
        "mysql:///loader:hunter2/@db/%2E%2e",
    ] {
        let error = parse(text).unwrap_err();
        let shown = format!("{error} {error:?} {}", error.hint());
        assert!(!shown.contains("hunter2"), "{text}: {shown}");
    }
}

#[test]
fn what_is_not_utf8_is_refused_by_name() {
    for (text, part) in [
        ("postgres://%FF@db/logs", "user name"),
        ("postgres://u:%FF@db/logs", "password"),
        ("postgres://u@db/%FF", "database name"),
    ] {
        assert_eq!(parse(text), Err(UrlError::NotUtf8(part)), "{text}");
    }
}

#[test]
fn every_character_of_a_part_survives_the_way_through_the_url() {
    for engine in [Engine::Postgres, Engine::Mysql] {
        let parts = ServerParts {
            username: Some("a@b:c/d".into()),
            password: Some(PASSWORD.into()),
            database: "logs/2023?#%41".into(),
            ..parts()
        };
        let url = DatabaseUrl::from_parts(engine, &parts).unwrap();
        let expected = ("a@b:c/d".into(), PASSWORD.into(), "logs/2023?#%41".into());
        assert_eq!(read_back(&url), expected);
        let encoded = encode(PASSWORD);
        for shown in [format!("{url}"), format!("{url:?}")] {
            assert!(!shown.contains(PASSWORD) && !shown.contains(&encoded), "{shown}");
        }
        assert_eq!(parse(url.expose()), Ok(url), "a URL made from parts is accepted");
    }
}

#[test]
fn the_parts_of_a_server_become_its_url() {
    let url = |engine, parts: &ServerParts| {
        DatabaseUrl::from_parts(engine, parts).map(|url| url.expose().to_owned())
    };
    assert_eq!(url(Engine::Postgres, &parts()).unwrap(), "postgres://db.example.com/logs");
    let full = ServerParts { port: Some(1), username: Some("u".into()), ..parts() };
    assert_eq!(url(Engine::Mysql, &full).unwrap(), "mysql://u@db.example.com:1/logs");
    let only_password = ServerParts { password: Some("p".into()), ..parts() };
    assert_eq!(url(Engine::Mysql, &only_password).unwrap(), "mysql://:p@db.example.com/logs");
    let address = ServerParts { hostname: "fe80::1".into(), port: Some(1), ..parts() };
    assert_eq!(url(Engine::Mysql, &address).unwrap(), "mysql://[fe80::1]:1/logs");
    let socket = ServerParts { hostname: "/run/a b.sock".into(), ..parts() };
    let expected = "mysql://localhost/logs?socket=%2Frun%2Fa+b.sock";
    assert_eq!(url(Engine::Mysql, &socket).unwrap(), expected);
    assert_eq!(url(Engine::Postgres, &socket).unwrap(), "postgres://%2Frun%2Fa%20b.sock/logs");
    let parameter = ServerParts { parameters: vec![("sslrootcert", "/a@b c".into())], ..parts() };
    let expected = "postgres://db.example.com/logs?sslrootcert=%2Fa%40b+c";
    assert_eq!(url(Engine::Postgres, &parameter).unwrap(), expected);
}

/// `Url` resolves them, so that the default database would be used. Found by fuzzing.
#[test]
fn a_database_that_is_no_name_in_a_url_is_refused() {
    for database in [".", ".."] {
        let parts = ServerParts { database: database.into(), ..parts() };
        let error = DatabaseUrl::from_parts(Engine::Postgres, &parts).unwrap_err();
        assert_eq!(error, UrlError::DotDatabase);
        assert_eq!(parse(&format!("mysql://db/{database}")), Err(UrlError::DotDatabase));
    }
    assert_eq!(parse("postgres://db/logs/%2e%2E"), Err(UrlError::DotDatabase));
}

#[test]
fn what_is_no_host_name_is_refused() {
    for hostname in ["", "db:5432", "u@db", "db/logs", "a b", "[::1", "tcp://db", "db?x=y"] {
        let parts = ServerParts { hostname: hostname.into(), ..parts() };
        let error = DatabaseUrl::from_parts(Engine::Postgres, &parts).unwrap_err();
        assert_eq!(error, UrlError::BadHost(hostname.into()));
    }
}

#[test]
fn a_missing_host_is_refused_with_a_hint_about_sockets() {
    let error = parse("postgres://loader@/logs").unwrap_err();
    assert_eq!(error, UrlError::Grammar(url::ParseError::EmptyHost));
    assert!(error.hint().contains("?host=/run/postgresql"), "{}", error.hint());
}
