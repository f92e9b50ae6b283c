use super::*;
use crate::database::sql::{mysql, postgres};

/// Returns the mode for a URL, or the error as text.
fn mode_of(url: &str, names: &Names, variables: &[(&str, &str)]) -> Result<TlsMode, String> {
    let variable = |name: &str| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    let host = Url::parse(url).unwrap().host_str().unwrap().to_owned();
    let settings = TlsSettings::read(url, names, variable).unwrap();
    settings.mode(names, is_local(&host)).map_err(|error| error.to_string())
}

#[test]
fn a_server_on_another_machine_must_offer_tls() {
    for (host, expected) in [
        ("db.example.com", TlsMode::Require),
        ("10.0.0.1", TlsMode::Require),
        ("localhost.example.com", TlsMode::Require),
        ("[2001:db8::1]", TlsMode::Require),
        ("localhost", TlsMode::Prefer),
        ("LOCALHOST", TlsMode::Prefer),
        ("127.0.0.1", TlsMode::Prefer),
        ("127.9.9.9", TlsMode::Prefer),
        ("[::1]", TlsMode::Prefer),
        ("[::ffff:127.0.0.1]", TlsMode::Prefer),
    ] {
        let (postgres, mysql) = (format!("postgres://u@{host}/d"), format!("mysql://u@{host}/d"));
        assert_eq!(mode_of(&postgres, &postgres::TLS, &[]), Ok(expected), "{host}");
        assert_eq!(mode_of(&mysql, &mysql::TLS, &[]), Ok(expected), "{host}");
    }
    assert!(is_local("/run/postgresql"));
}

#[test]
fn a_named_mode_is_used_as_it_is() {
    use TlsMode::{Disable, Prefer, Require, VerifyCa, VerifyFull};
    let modes = [Disable, Prefer, Require, VerifyCa, VerifyFull];
    for (n, mode) in modes.into_iter().enumerate() {
        for host in ["db", "localhost"] {
            for name in ["sslmode", "ssl-mode"] {
                let url = format!("postgres://{host}/d?{name}={}", postgres::TLS.modes[n]);
                assert_eq!(mode_of(&url, &postgres::TLS, &[]), Ok(mode), "{url}");
                let value = mysql::TLS.modes[n].to_ascii_lowercase();
                let url = format!("mysql://{host}/d?{name}={value}");
                assert_eq!(mode_of(&url, &mysql::TLS, &[]), Ok(mode), "{url}");
            }
        }
    }
}

#[test]
fn the_environment_names_the_mode_if_the_url_does_not() {
    let mode = |url, value| mode_of(url, &postgres::TLS, &[("PGSSLMODE", value)]);
    assert_eq!(mode("postgres://db/d", "disable"), Ok(TlsMode::Disable));
    assert_eq!(mode("postgres://db/d?sslmode=require", "disable"), Ok(TlsMode::Require));
    assert_eq!(mode("postgres://db/d", ""), Ok(TlsMode::Require));
    for value in ["allow", "requried"] {
        let error = mode("postgres://localhost/d", value).unwrap_err();
        assert!(error.contains(&format!("`PGSSLMODE` cannot be `{value}`: use one of disable")));
    }
    let mysql = mode_of("mysql://db/d", &mysql::TLS, &[("PGSSLMODE", "disable")]);
    assert_eq!(mysql, Ok(TlsMode::Require));
}

#[test]
fn a_file_of_certificates_is_used_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (ca, empty) = (folder.path().join("ca.pem"), folder.path().join("empty.pem"));
    std::fs::write(&ca, "-----BEGIN CERTIFICATE-----\n").unwrap();
    std::fs::write(&empty, "").unwrap();
    let (ca, empty) = (ca.to_str().unwrap(), empty.to_str().unwrap());
    for host in ["db", "localhost"] {
        let postgres =
            |rest: &str| mode_of(&format!("postgres://{host}/d?{rest}"), &postgres::TLS, &[]);
        let mysql = |rest: &str| mode_of(&format!("mysql://{host}/d?{rest}"), &mysql::TLS, &[]);
        assert_eq!(postgres(&format!("sslrootcert={ca}")), Ok(TlsMode::VerifyCa));
        assert_eq!(postgres(&format!("sslmode=require&sslrootcert={ca}")), Ok(TlsMode::VerifyCa));
        assert_eq!(
            postgres(&format!("sslmode=verify-full&sslrootcert={ca}")),
            Ok(TlsMode::VerifyFull)
        );
        assert_eq!(mysql(&format!("ssl-ca={ca}")), Ok(TlsMode::VerifyCa));
        assert_eq!(mysql(&format!("ssl-ca={ca}&ssl-mode=REQUIRED")), Ok(TlsMode::VerifyCa));
        for mode in ["disable", "prefer"] {
            let error = postgres(&format!("sslmode={mode}&sslrootcert={ca}")).unwrap_err();
            assert!(error.contains("`sslrootcert` has no effect"), "{error}");
        }
        let error = mysql(&format!("ssl-mode=PREFERRED&ssl-ca={ca}")).unwrap_err();
        assert!(error.contains("set `VERIFY_IDENTITY`"), "{error}");
        let error = mysql("ssl-ca=/no/such.pem").unwrap_err();
        assert!(
            error.contains("cannot read the file `/no/such.pem` of `ssl-ca`: No such"),
            "{error}"
        );
        let error = postgres(&format!("sslmode=require&sslrootcert={empty}")).unwrap_err();
        assert!(error.contains("has no line `-----BEGIN CERTIFICATE-----`"), "{error}");
    }
    // One that was set for other programs, too, does not take a server on this machine away.
    let ambient = |url| mode_of(url, &postgres::TLS, &[("PGSSLROOTCERT", ca)]);
    assert_eq!(ambient("postgres://db/d"), Ok(TlsMode::VerifyCa));
    assert_eq!(ambient("postgres://localhost/d"), Ok(TlsMode::Prefer));
    assert_eq!(ambient("postgres://db/d?sslmode=disable"), Ok(TlsMode::Disable));
}

#[test]
fn what_is_not_verified_is_reported_for_other_machines() {
    for (mode, expected) in [
        (TlsMode::Disable, Some("is not encrypted")),
        (TlsMode::Prefer, Some("may not be encrypted")),
        (TlsMode::Require, Some("is not verified")),
        (TlsMode::VerifyCa, None),
        (TlsMode::VerifyFull, None),
    ] {
        let warning = mode.warning("db", false, &postgres::TLS);
        assert_eq!(warning.is_some(), expected.is_some(), "{mode:?}");
        assert!(warning.unwrap_or_default().contains(expected.unwrap_or_default()), "{mode:?}");
        assert_eq!(mode.warning("localhost", true, &postgres::TLS), None);
    }
}
