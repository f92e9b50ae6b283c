//! `db.toml`: no text panics, and no error shows a password.

use std::error::Error;

use super::{Choices, SECRET};
use crate::cli::config::{Environment, url_of_text};

/// Reads the bytes, or a file that is generated from them, as `db.toml`.
///
/// # Panics
/// If a password is shown.
pub fn db_toml(data: &[u8]) {
    let Some((&mode, rest)) = data.split_first() else { return };
    let text = match mode & 1 {
        0 => String::from_utf8_lossy(rest).into_owned(),
        _ => generate(&mut Choices::new(rest)),
    };
    let shown = match url_of_text(&text, &Environment::new([("PASSWORD", SECRET)], "")) {
        Ok(url) => format!("{url} {url:?}"),
        Err(error) => {
            let mut shown = format!("{error} {error:?} {}", error.hint().unwrap_or_default());
            let mut cause = error.source();
            while let Some(error) = cause {
                shown += &format!(" {error}");
                cause = error.source();
            }
            shown
        }
    };
    assert!(mode & 1 == 0 || !shown.contains(SECRET), "{shown}");
}

/// Returns lines, in most cases such as a user may write.
fn generate(choices: &mut Choices<'_>) -> String {
    const KEYS: [&str; 12] = [
        "engine",
        "password",
        "url",
        "hostname",
        "port",
        "username",
        "password_env",
        "database",
        "tls",
        "ca_file",
        "pasword",
        "[database]",
    ];
    const ENGINES: [&str; 6] = ["postgres", "mysql", "sqlite", "mariadb", "postgre", "Postgres"];
    const WORDS: [&str; 12] = [
        "h",
        "",
        "verify-full",
        "require",
        "PASSWORD",
        "5432",
        "::1",
        "/run",
        "..",
        "a.db",
        "\u{e9}",
        "h:1",
    ];
    let mut text = String::new();
    for _ in 0..=choices.up_to(6) {
        let key = choices.one_of(&KEYS);
        let value = match key {
            "engine" => choices.one_of(&ENGINES).to_owned(),
            "password" => SECRET.to_owned(),
            "hostname" if choices.once_in(4) => format!("u:{SECRET}@h"),
            "url" => {
                let scheme = choices.one_of(&["postgres", "mysql", "http"]);
                let host = choices.one_of(&["h", "", "h/d", "h?sslmode=x", "h:x"]);
                format!("{scheme}://u:{SECRET}@{host}")
            }
            _ if choices.once_in(8) => choices.text(12),
            _ => choices.one_of(&WORDS).to_owned(),
        };
        let (open, close) = choices.one_of(&[
            ("\"", "\""),
            ("'", "'"),
            ("\"\"\"", "\"\"\""),
            ("", ""),
            ("\"", ""),
            ("\"\\", "\""),
            ("[\"", "\"]"),
        ]);
        let equals = choices.one_of(&[" = ", "=", " = ", ": ", " "]);
        let end = choices.one_of(&["\n", "\r\n", " # c\n", " ", "\n\n"]);
        text += &format!("{key}{equals}{open}{value}{close}{end}");
    }
    if choices.once_in(8) {
        let mut bytes = text.into_bytes();
        choices.damage(&mut bytes);
        // What is cut from the marker is no secret, and is not found either.
        text = String::from_utf8_lossy(&bytes).into_owned();
    }
    text
}
