//! The page of `report`: one HTML file without scripts that requests nothing.
//!
//! Names in logs are chosen by whoever calls an API. Every text of the database is written as [`Seen`],
//! which escapes hidden characters; the templates escape HTML. The content security policy allows the
//! style sheet of the page, by its hash, and nothing else.

mod text;

mod chart;

mod table;

mod week;

mod activity;

mod lists;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use self::text::{Command, Seen, instant};
use super::partial;
use crate::answers::{Activity, Filters};
use crate::database::answer::Rows;
use crate::database::jobs::Job;
use crate::database::status::{FailedObject, PartlyLoaded, RejectedRecord, RunLine, RunTotals};
use crate::trail::time::EventTime;

/// The rows of the tables with the most events: one more than is shown, so that it is known whether
/// there are more.
pub(crate) const TOP_ROWS_MAX: u32 = 16;

/// The rows of the lists that are read. They are counted; the first of them are shown.
pub(crate) const LIST_ROWS_MAX: u32 = 200;

const STYLE: &str = include_str!("page/style.css");

/// A square with three bars.
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E\
%3Crect width='16' height='16' rx='3' fill='%232456a6'/%3E\
%3Cpath d='M3 9h2v4H3zM7 6h2v7H7zM11 3h2v10h-2z' fill='%23fff'/%3E%3C/svg%3E";

/// Everything that the page shows.
#[derive(Debug)]
pub(crate) struct Findings {
    /// The address of the database, without a password.
    pub(crate) database: String,
    /// When the page was made.
    pub(crate) created: Option<EventTime>,
    /// Which events the page is about.
    pub(crate) filters: Filters,
    pub(crate) activity: Activity,
    /// Whether there are more hours than were read.
    pub(crate) is_cut: bool,
    pub(crate) ledger: LedgerState,
    pub(crate) services: Rows,
    pub(crate) principals: Rows,
    pub(crate) addresses: Rows,
    pub(crate) tools: Rows,
    pub(crate) errors: Rows,
    /// What is new; `None` if there are no events.
    pub(crate) new: Option<New>,
    pub(crate) root: Rows,
    pub(crate) logins: Rows,
    pub(crate) iam: Rows,
    pub(crate) exposure: Rows,
    pub(crate) tampering: Rows,
}

/// What the ledger records.
#[derive(Debug)]
pub(crate) struct LedgerState {
    pub(crate) totals: RunTotals,
    /// What is loaded only in part.
    pub(crate) part: Option<PartlyLoaded>,
    pub(crate) rows_of_first_schema: u64,
    pub(crate) last_run: Option<RunLine>,
    /// The last job of several shards, if there was one, and others that are incomplete.
    pub(crate) jobs: Vec<Job>,
    /// The newest failed objects.
    pub(crate) failed: Vec<FailedObject>,
    /// The newest rejected records.
    pub(crate) rejected: Vec<RejectedRecord>,
}

/// What was first seen at or after a time.
#[derive(Debug)]
pub(crate) struct New {
    pub(crate) since: EventTime,
    pub(crate) reason: NewReason,
    pub(crate) principals: Rows,
    pub(crate) addresses: Rows,
    pub(crate) tools: Rows,
}

/// Why something counts as new from a time on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NewReason {
    /// The time of `--new-since`.
    Given,
    /// The time of `--since`.
    Since,
    /// 24 hours before the last event.
    LastDay,
    /// The last quarter of the time between the first and the last event.
    LastQuarter,
}

/// A part of the page.
struct Section {
    id: &'static str,
    title: &'static str,
    body: Markup,
}

/// Returns the page.
pub(crate) fn page(findings: &Findings) -> String {
    let sections = sections(findings);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy());
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="referrer" content="no-referrer";
                meta name="color-scheme" content="light dark";
                title { "CloudTrail report" }
                link rel="icon" href=(ICON);
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#main" { "Skip to the report" }
                (header(findings))
                div.page {
                    nav aria-label="Contents" {
                        ol {
                            @for section in &sections {
                                li { a href={ "#" (section.id) } { (section.title) } }
                            }
                        }
                    }
                    main #main {
                        @for section in &sections {
                            section #(section.id) aria-labelledby={ (section.id) "-title" } {
                                h2 #{ (section.id) "-title" } { (section.title) }
                                (section.body)
                            }
                        }
                    }
                }
                (footer())
            }
        }
    };
    page.into_string()
}

fn sections(findings: &Findings) -> Vec<Section> {
    let section = |id, title, body| Section { id, title, body };
    vec![
        section("overview", "Overview", lists::overview(findings)),
        section("timeline", "Timeline", activity::timeline(findings)),
        section("completeness", "Completeness", activity::completeness(findings)),
        section("week", "Hours of the week", week::week(findings)),
        section("services", "Services", lists::services(findings)),
        section("regions", "Accounts and regions", activity::regions(findings)),
        section("principals", "Principals", lists::principals(findings)),
        section("addresses", "Addresses", lists::addresses(findings)),
        section("tools", "Tools", lists::tools(findings)),
        section("errors", "Errors", lists::errors(findings)),
        section("new", "Newly seen", lists::new(findings)),
        section("root", "Root user", lists::root(findings)),
        section("sign-ins", "Console sign-ins", lists::logins(findings)),
        section("iam", "IAM changes", lists::iam(findings)),
        section("exposure", "Opened to the world", lists::exposure(findings)),
        section("tampering", "Logging and detection", lists::tampering(findings)),
    ]
}

fn header(findings: &Findings) -> Markup {
    let filters = &findings.filters;
    html! {
        header {
            div.inner {
                p.product { "cloudtrail2sql" }
                h1 { "CloudTrail report" }
                p.span {
                    @match findings.activity.span() {
                        Some((first, last)) => {
                            (instant(first)) " to " (instant(last)) " UTC"
                        }
                        None => { "No events" }
                    }
                }
                dl.facts {
                    div { dt { "Database" } dd { (Seen(&findings.database)) } }
                    @if let Some(since) = filters.since {
                        div { dt { "Since" } dd { (instant(since)) } }
                    }
                    @if let Some(until) = filters.until {
                        div { dt { "Until" } dd { (instant(until)) } }
                    }
                    @if let Some(account) = &filters.account_id {
                        div { dt { "Account" } dd { (Seen(account)) } }
                    }
                    @if let Some(region) = &filters.region {
                        div { dt { "Region" } dd { (Seen(region)) } }
                    }
                    @if let Some(part) = &findings.ledger.part {
                        div { dt { "Partly loaded" } dd { (Seen(&partial::in_words(part))) } }
                    }
                    @if let Some(created) = findings.created {
                        div { dt { "Created" } dd { (instant(created)) } }
                    }
                    div { dt { "Version" } dd { (env!("CARGO_PKG_VERSION")) } }
                }
            }
        }
    }
}

fn footer() -> Markup {
    html! {
        footer {
            div.inner {
                p {
                    "All times are in UTC. This page has no scripts and makes no requests. Names in logs \
                     are chosen by whoever calls an API: hidden characters in them are written as "
                    code { "\\u{…}" } ", and long names are cut."
                }
                p {
                    "The commands on this page use the database that is named by "
                    code { "--database" } ", by " code { "DATABASE_URL" } " or by "
                    code { "db.toml" } ". " code { "cloudtrail2sql query" }
                    " lists all questions."
                }
            }
        }
    }
}

/// Returns the content security policy, with the hash of the style sheet.
fn policy() -> String {
    let hash = base64(&Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; img-src data:; base-uri 'none'; \
         form-action 'none'"
    )
}

/// Returns bytes in Base64 (RFC 4648, section 4).
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte));
        let bits = bits << (8 * (3 - group.len()));
        for n in 0..4 {
            let digit = ALPHABET[bits >> (18 - 6 * n) & 63];
            text.push(if n <= group.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

/// Returns a line with the question that has all rows.
fn more(filters: &Filters, question: &'static str) -> Markup {
    html! { p.more { "Continue: " (Command::query(question, filters)) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_rfc() {
        for (text, expected) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(text.as_bytes()), expected);
        }
    }

    #[test]
    fn the_style_sheet_requests_nothing_and_cannot_end_its_element() {
        for word in ["url(", "@import", "<", "http"] {
            assert!(!STYLE.contains(word), "{word}");
        }
    }
}
