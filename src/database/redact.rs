//! Hides what may be a password in a text that was typed in the wrong place.

use std::borrow::Cow;

/// Returns a text without what may be a user name and a password, for a message.
///
/// Of a URL, everything from its scheme to the last `@` is hidden, because in a password that is not
/// percent-encoded any character may occur, and so are its parameters. Of another text, everything
/// up to the last `@` is hidden if there is a colon before it; of `--option=VALUE`, only of the
/// value.
pub(crate) fn redacted(text: &str) -> Cow<'_, str> {
    let scheme_end = text.find("://").map(|at| at + "://".len());
    let value = text.strip_prefix("--").and_then(|option| option.find('=')).map_or(0, |at| at + 3);
    let start = scheme_end.unwrap_or(value);
    let (before, rest) = text.split_at(start);
    let user_end = rest.rfind('@').filter(|at| scheme_end.is_some() || rest[..*at].contains(':'));
    let after = &rest[user_end.unwrap_or_default()..];
    // The key of an S3 object may have a question mark.
    let has_parameters = scheme_end.is_some() && !before.to_ascii_lowercase().ends_with("s3://");
    let parameters = after.find('?').filter(|_| has_parameters);
    if user_end.or(parameters).is_none() {
        return Cow::Borrowed(text);
    }
    let user = if user_end.is_some() { "…" } else { "" };
    Cow::Owned(match parameters {
        Some(at) => format!("{before}{user}{}?…", &after[..at]),
        None => format!("{before}{user}{after}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_hidden_and_nothing_else() {
        for (text, expected) in [
            ("postgres://u:hunter2@h/d", "postgres://…@h/d"),
            ("postgres://u:hun@ter/2@h/d", "postgres://…@h/d"),
            ("mysql://h/d?password=hunter2", "mysql://h/d?…"),
            ("mysql://u:hunter2@h?x=hunter2", "mysql://…@h?…"),
            ("--databse=postgres://u:hunter2@h", "--databse=postgres://…@h"),
            ("--databse=u:hunter2@h", "--databse=…@h"),
            ("u:hunter2@h", "…@h"),
            ("s3://KEY:hun/ter2@bucket", "s3://…@bucket"),
            ("s3://bucket/what?", "s3://bucket/what?"),
            ("https://b/k?X-Amz-Signature=hunter2", "https://b/k?…"),
            ("alice@example.com", "alice@example.com"),
            ("./a:b", "./a:b"),
            ("é@:日", "é@:日"),
            ("", ""),
        ] {
            assert_eq!(redacted(text), expected);
        }
    }
}
