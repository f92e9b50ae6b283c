//! Texts on the page: names from logs, numbers, times and commands.

use maud::{Markup, Render, html};

use crate::answers::Filters;
use crate::cli::escape::visible;
use crate::cli::output::format::{rfc3339, shell_word};
use crate::trail::time::EventTime;

/// The most characters of a name that are shown.
const CHARS_MAX: usize = 300;

/// A text of the database or the user. Hidden characters are escaped, and a long text is cut.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen<'t>(pub(super) &'t str);

/// A command that a reader can run.
#[derive(Debug)]
pub(super) struct Command(String);

impl Seen<'_> {
    /// Returns the text as it is shown.
    pub(super) fn text(self) -> String {
        match self.0.char_indices().nth(CHARS_MAX) {
            None => visible(self.0).into_owned(),
            Some((end, _)) => format!("{}…", visible(&self.0[..end])),
        }
    }
}

impl Render for Seen<'_> {
    fn render_to(&self, page: &mut String) {
        let text = self.text();
        html! { bdi { @for word in words(&text) { (word) wbr; } } }.render_to(page);
    }
}

impl Command {
    /// Returns the command that asks a question with the filters of the page.
    pub(super) fn query(question: &str, filters: &Filters) -> Self {
        Self::query_since(question, filters, filters.since)
    }

    /// Returns the command that asks a question with another `--since`.
    pub(super) fn query_since(question: &str, filters: &Filters, since: Option<EventTime>) -> Self {
        let mut command = format!("cloudtrail2sql query {question}");
        let mut add = |option: &str, value: &str| {
            command.push_str(&format!(" {option} {}", shell_word(value)));
        };
        for (option, time) in [("--since", since), ("--until", filters.until)] {
            if let Some(time) = time {
                add(option, &rfc3339(time));
            }
        }
        for (option, value) in
            [("--account-id", &filters.account_id), ("--region", &filters.region)]
        {
            if let Some(value) = value {
                add(option, value);
            }
        }
        Self(command)
    }

    /// Returns another command.
    pub(super) fn other(command: &str) -> Self {
        Self(format!("cloudtrail2sql {command}"))
    }
}

impl Render for Command {
    fn render_to(&self, page: &mut String) {
        html! { code.command { (visible(&self.0)) } }.render_to(page);
    }
}

/// Splits a text where a narrow column may break it: after a separator, and before a capital letter in a
/// name such as `GetObject`.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let mut last = None;
        let is_break = |(at, next): (usize, char)| {
            let before = last.replace(next);
            let is_capital = before.is_some_and(char::is_lowercase) && next.is_uppercase();
            let is_after =
                before.is_some_and(|c| matches!(c, '.' | '/' | ':' | '_' | '@' | '=' | ','));
            (is_capital || is_after).then_some(at)
        };
        let end = rest.char_indices().find_map(is_break).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        rest = after;
        (!word.is_empty()).then_some(word)
    })
}

/// Returns a time for readers and for programs.
pub(super) fn instant(time: EventTime) -> Markup {
    html! { time datetime=(rfc3339(time)) { (time.to_string()) } }
}

/// Returns a part of a whole as a percentage: `10.2 %`.
pub(super) fn percentage(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "0 %".to_owned();
    }
    let permille = (u128::from(part) * 1000 + u128::from(whole) / 2) / u128::from(whole);
    if permille == 0 && part > 0 {
        return "< 0.1 %".to_owned();
    }
    format!("{}.{} %", permille / 10, permille % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_escaped_and_cut() {
        assert_eq!(
            Seen("<b>\u{202e}\n\"&").render().into_string(),
            "<bdi>&lt;b&gt;\\u{202e}\\n&quot;&amp;<wbr></bdi>"
        );
        assert_eq!(
            words("arn:aws:iam::1:role/GetURLOf").collect::<Vec<_>>(),
            ["arn:", "aws:", "iam:", ":", "1:", "role/", "Get", "URLOf"]
        );
        let long = "é".repeat(CHARS_MAX + 1);
        assert_eq!(Seen(&long).text().chars().count(), CHARS_MAX + 1);
        assert_eq!(Seen(&long[2..]).text(), long[2..]);
    }

    #[test]
    fn a_value_of_a_command_is_one_word() {
        let filters = Filters {
            until: EventTime::parse("2026-01-15T23:59:59Z"),
            region: Some("it's $(x)".to_owned()),
            ..Filters::default()
        };
        assert_eq!(
            Command::query("gaps", &filters).0,
            "cloudtrail2sql query gaps --until 2026-01-15T23:59:59Z --region 'it'\\''s $(x)'"
        );
    }

    #[test]
    fn a_percentage_is_rounded_but_never_hides_a_part() {
        for (part, whole, expected) in [
            (0, 0, "0 %"),
            (0, 9, "0.0 %"),
            (1, 100_000, "< 0.1 %"),
            (126, 1234, "10.2 %"),
            (5, 5, "100.0 %"),
        ] {
            assert_eq!(percentage(part, whole), expected);
        }
    }
}
