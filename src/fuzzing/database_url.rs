//! Database URLs: what is accepted is stable, and a password is never shown.

use url::Url;

use super::{Choices, SECRET};
use crate::database::url::{DatabaseUrl, Engine, ServerParts};

/// Parses the bytes, or a URL that is generated from them.
///
/// # Panics
/// If an accepted URL is refused or changed when it is parsed again, if a password is shown, or if a
/// part of an address is not what it was in `db.toml`.
pub fn database_url(data: &[u8]) {
    let Some((&mode, rest)) = data.split_first() else { return };
    let mut choices = Choices::new(rest);
    match mode % 3 {
        0 => drop(parse(&String::from_utf8_lossy(rest))),
        1 => {
            let shown = parse(&generate(&mut choices));
            assert!(!shown.contains(SECRET), "{shown}");
        }
        _ => assemble(&mut choices),
    }
}

/// Returns everything that a user may see of the URL.
fn parse(text: &str) -> String {
    match DatabaseUrl::parse(text) {
        Ok(url) => {
            let again = DatabaseUrl::parse(url.expose());
            assert_eq!(again.as_ref().map(DatabaseUrl::expose), Ok(url.expose()), "{text:?}");
            assert_eq!(again.as_ref().map(ToString::to_string), Ok(url.to_string()), "{text:?}");
            format!("{url} {url:?}")
        }
        Err(error) => format!("{error} {error:?} {}", error.hint()),
    }
}

/// Returns a URL with a password, in most cases one that is not quite right.
fn generate(choices: &mut Choices<'_>) -> String {
    const SCHEMES: [&str; 8] =
        ["postgres", "mysql", "postgresql", "mariadb", "http", "pg", "POSTGRES", ""];
    const ODD: [&str; 14] =
        ["", "/", "?", "#", "@", ":", "%", "%2", "\\", "[", " ", "\t", "?sslmode=", "/x?ssl-mode="];
    let scheme = choices.one_of(&SCHEMES);
    let slashes = choices.one_of(&["://", ":", ":/", ":///", "", "//"]);
    let user = choices.one_of(&["u", "", "user", "u@x", "u:w"]);
    let (before, after) = (choices.one_of(&ODD), choices.one_of(&ODD));
    let host = choices.one_of(&["h", "", "localhost", "[::1]", "10.0.0.1", "h:5432", "h:x", "h h"]);
    let path =
        choices.one_of(&["/d", "", "/", "/d/e", "/d?", "/d?sslmode=require", "/d?x=y", "/.."]);
    format!("{scheme}{slashes}{user}:{before}{SECRET}{after}@{host}{path}")
}

/// Makes a URL of parts, as `db.toml` has them, and takes it apart.
fn assemble(choices: &mut Choices<'_>) {
    let engine = choices.one_of(&[Engine::Postgres, Engine::Mysql]);
    let hostname = choices.one_of(&["h", "::1", "10.0.0.1", "/run/x y", "/", "a_b", "", "h:1"]);
    let parts = ServerParts {
        hostname: if choices.once_in(4) { choices.text(12) } else { hostname.to_owned() },
        port: choices.one_of(&[None, Some(1), Some(5432), Some(u16::MAX)]),
        username: choices.once_in(2).then(|| choices.text(12)),
        password: choices.once_in(2).then(|| choices.text(12)),
        database: choices.text(12),
        parameters: Vec::new(),
    };
    let Ok(url) = DatabaseUrl::from_parts(engine, &parts) else { return };
    let parsed = Url::parse(url.expose()).expect("it was made by `Url`");
    let decode = |encoded: &str| {
        let decoded = percent_encoding::percent_decode_str(encoded).decode_utf8();
        decoded.expect("it was encoded from text").into_owned()
    };
    assert_eq!(decode(parsed.username()), parts.username.unwrap_or_default());
    assert_eq!(decode(parsed.password().unwrap_or_default()), parts.password.unwrap_or_default());
    if !parts.database.is_empty() {
        assert_eq!(decode(&parsed.path()[1..]), parts.database);
    }
    assert_eq!(DatabaseUrl::parse(url.expose()).as_ref(), Ok(&url));
}
