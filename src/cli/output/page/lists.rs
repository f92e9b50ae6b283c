//! The parts of the page that are the answer of one question each, and the overview of them.

use maud::{Markup, html};

use super::table::Kind::{Errors, Number, Outcome, Text, Time};
use super::table::{Column, Table, column};
use super::text::{Command, instant};
use super::{Findings, LIST_ROWS_MAX, New, NewReason, TOP_ROWS_MAX, activity, more};
use crate::cli::output::format::count;
use crate::database::answer::Rows;

/// How many rows of a list are shown.
const LIST_ROWS_SHOWN: usize = 20;

/// A table that is the answer of one question.
struct List {
    question: &'static str,
    caption: &'static str,
    reason: &'static str,
    columns: &'static [Column],
}

const SERVICES: List = List {
    question: "services",
    caption: "Services by number of events",
    reason: "What the accounts do. Look for a service that nobody should use.",
    columns: &[
        column("event_source", "Service", Text),
        column("n", "Events", Number),
        column("errors", "Errors", Errors),
        column("principals", "Principals", Number),
    ],
};

const PRINCIPALS: List = List {
    question: "principals",
    caption: "Principals by number of events",
    reason: "Who acts most, without AWS services.",
    columns: &[
        column("principal_arn", "Principal", Text),
        column("user_type", "Type", Text),
        column("n", "Events", Number),
        column("errors", "Errors", Errors),
        column("addresses", "Addresses", Number),
        column("last_seen", "Last", Time),
    ],
};

const ADDRESSES: List = List {
    question: "source-ips",
    caption: "Addresses by number of events",
    reason: "Where calls come from, without AWS services. An address that many principals share is \
                  worth a look.",
    columns: &[
        column("source_ip", "Address", Text),
        column("n", "Events", Number),
        column("errors", "Errors", Errors),
        column("principals", "Principals", Number),
        column("first_seen", "First", Time),
        column("last_seen", "Last", Time),
    ],
};

const TOOLS: List = List {
    question: "user-agents",
    caption: "Tools by number of events",
    reason: "What programs name themselves. Tools of attackers and old SDKs show here.",
    columns: &[
        column("user_agent", "Tool", Text),
        column("n", "Events", Number),
        column("principals", "Principals", Number),
        column("first_seen", "First", Time),
        column("last_seen", "Last", Time),
    ],
};

const ERRORS: List = List {
    question: "errors",
    caption: "Errors by number of events",
    reason: "What fails most: broken jobs, missing permissions, or an intruder who tries what a \
                  stolen key may do.",
    columns: &[
        column("error_code", "Error", Text),
        column("event_source", "Service", Text),
        column("event_name", "Operation", Text),
        column("n", "Events", Number),
        column("principals", "Principals", Number),
        column("last_seen", "Last", Time),
    ],
};

const NEW_PRINCIPALS: &[Column] = &[
    column("principal", "Principal", Text),
    column("first_seen", "First", Time),
    column("n", "Events", Number),
    column("addresses", "Addresses", Number),
];

const NEW_ADDRESSES: &[Column] = &[
    column("address", "Address", Text),
    column("first_seen", "First", Time),
    column("n", "Events", Number),
    column("principals", "Principals", Number),
];

const NEW_TOOLS: &[Column] = &[
    column("agent", "Tool", Text),
    column("first_seen", "First", Time),
    column("n", "Events", Number),
    column("principals", "Principals", Number),
];

const ROOT: List = List {
    question: "root",
    caption: "Calls by the root user",
    reason: "What the root user did, the newest first. Nobody should use it.",
    columns: &[
        column("event_time", "Time", Time),
        column("event_name", "Operation", Text),
        column("event_source", "Service", Text),
        column("account_id", "Account", Text),
        column("source_ip", "Address", Text),
        column("user_agent", "Tool", Text),
        column("error_code", "Result", Outcome),
    ],
};

const LOGINS: List = List {
    question: "console-logins",
    caption: "Sign-ins to the console",
    reason: "Sign-ins to the console, the newest first: at night, from other countries, without MFA.",
    columns: &[
        column("event_time", "Time", Time),
        column("user_name", "User", Text),
        column("user_type", "Type", Text),
        column("source_ip", "Address", Text),
        column("result", "Result", Text),
        column("mfa_used", "MFA", Text),
        column("error_message", "Message", Text),
    ],
};

const IAM: List = List {
    question: "iam-changes",
    caption: "Changes in IAM",
    reason: "Users, roles, policies and keys that were changed, the newest first.",
    columns: &[
        column("event_time", "Time", Time),
        column("event_name", "Operation", Text),
        column("user_name", "By", Text),
        column("target_user target_role policy_arn", "User, role, policy", Text),
        column("source_ip", "Address", Text),
        column("error_code", "Result", Outcome),
    ],
};

const EXPOSURE: List = List {
    question: "public-exposure",
    caption: "Calls that open something to the world",
    reason: "Buckets, snapshots, images, security groups, functions and databases that were opened, \
                  the newest first.",
    columns: &[
        column("event_time", "Time", Time),
        column("event_name", "Operation", Text),
        column("event_source", "Service", Text),
        column("bucket", "Bucket", Text),
        column("user_name", "By", Text),
        column("source_ip", "Address", Text),
        column("error_code", "Result", Outcome),
    ],
};

const TAMPERING: List = List {
    question: "tampering",
    caption: "Changes to logging and detection",
    reason: "Trails, detectors, recorders and alarms that were stopped or changed, the newest first.",
    columns: &[
        column("event_time", "Time", Time),
        column("event_name", "Operation", Text),
        column("event_source", "Service", Text),
        column("user_name", "By", Text),
        column("source_ip", "Address", Text),
        column("error_code", "Result", Outcome),
    ],
};

/// A point that a responder looks at first.
struct Check {
    section: &'static str,
    title: &'static str,
    number: usize,
    /// Whether there may be more.
    is_least: bool,
    reason: &'static str,
}

/// Draws the numbers, and the points to look at first.
pub(super) fn overview(findings: &Findings) -> Markup {
    html! {
        @if findings.is_cut {
            p.warning {
                "There are too many accounts, regions and hours for one page: the last hours are missing \
                 in the numbers and in the charts. Select fewer events with " code { "--since" } "."
            }
        }
        dl.tiles {
            @for (name, number, meaning) in activity::tiles(findings) {
                div { dt { (name) } dd { span.value { (number) } span.meaning { (meaning) } } }
            }
        }
        h3 { "Look at these first" }
        ul.checks {
            @for check in checks(findings) {
                li.found[check.number > 0] {
                    a href={ "#" (check.section) } {
                        span.number {
                            @if check.number == 0 { "none" } @else {
                                (count(check.number as u64)) @if check.is_least { "+" }
                            }
                        }
                        span.title { (check.title) }
                        span.reason { (check.reason) }
                    }
                }
            }
        }
    }
}

fn checks(findings: &Findings) -> Vec<Check> {
    let list = |section, title, rows: &Rows, reason| {
        let (number, is_least) = (rows.rows.len(), rows.rows.len() >= as_usize(LIST_ROWS_MAX));
        Check { section, title, number, is_least, reason }
    };
    let logins = |column, value, title, reason| {
        let number = findings.logins.texts(column).filter(|text| *text == Some(value)).count();
        Check { number, ..list("sign-ins", title, &findings.logins, reason) }
    };
    let totals = &findings.ledger.totals;
    let number_lost = usize::try_from(totals.failed + totals.rejects).unwrap_or(usize::MAX);
    let mut checks = vec![
        list("root", "Calls by the root user", &findings.root, "Nobody should use it."),
        logins("result", "Failure", "Failed sign-ins", "Guessed passwords."),
        logins("mfa_used", "No", "Sign-ins without MFA", "A password alone was used."),
        list("iam", "IAM changes", &findings.iam, "They decide who may do everything else."),
        list("exposure", "Opened to the world", &findings.exposure, "Data may leave the account."),
        list(
            "tampering",
            "Changes to logging and detection",
            &findings.tampering,
            "Traces may be missing.",
        ),
    ];
    if let Some(new) = &findings.new {
        checks.extend([
            list(
                "new",
                "New principals",
                &new.principals,
                "Roles and users that were not seen before.",
            ),
            list("new", "New addresses", &new.addresses, "A stolen key is used from elsewhere."),
            list("new", "New tools", &new.tools, "A stolen key is used with another tool."),
        ]);
    }
    checks.push(Check {
        section: "completeness",
        title: "Files and records not loaded",
        number: number_lost,
        is_least: false,
        reason: "This page lacks their events.",
    });
    checks
}

impl List {
    /// Draws the rows with the most events.
    fn top(&self, findings: &Findings, rows: &Rows) -> Markup {
        let Self { question, caption, reason, columns } = *self;
        let rows_max = as_usize(TOP_ROWS_MAX) - 1;
        html! {
            @if rows.rows.is_empty() { p.absent { "None." } } @else {
                p { (reason) }
                (Table { caption, columns, rows, rows_max }.draw())
                @if rows.rows.len() > rows_max {
                    p.note { (format!("The first {rows_max}; there are more.")) }
                }
            }
            (more(&findings.filters, question))
        }
    }

    /// Draws events, the newest first.
    fn list(&self, findings: &Findings, rows: &Rows) -> Markup {
        html! {
            p { (self.reason) }
            (rows_shown(self.caption, self.columns, rows))
            (more(&findings.filters, self.question))
        }
    }
}

pub(super) fn services(findings: &Findings) -> Markup {
    SERVICES.top(findings, &findings.services)
}

pub(super) fn principals(findings: &Findings) -> Markup {
    PRINCIPALS.top(findings, &findings.principals)
}

pub(super) fn addresses(findings: &Findings) -> Markup {
    ADDRESSES.top(findings, &findings.addresses)
}

pub(super) fn tools(findings: &Findings) -> Markup {
    TOOLS.top(findings, &findings.tools)
}

pub(super) fn errors(findings: &Findings) -> Markup {
    ERRORS.top(findings, &findings.errors)
}

fn rows_shown(caption: &'static str, columns: &'static [Column], rows: &Rows) -> Markup {
    let number = rows.rows.len();
    html! {
        @if number == 0 { p.absent { "None." } } @else {
            (Table { caption, columns, rows, rows_max: LIST_ROWS_SHOWN }.draw())
            @if number >= as_usize(LIST_ROWS_MAX) {
                p.note { (format!("The first {LIST_ROWS_SHOWN} of {number} or more.")) }
            } @else if number > LIST_ROWS_SHOWN {
                p.note { (format!("The first {LIST_ROWS_SHOWN} of {number}.")) }
            }
        }
    }
}

pub(super) fn new(findings: &Findings) -> Markup {
    let Some(New { since, reason, principals, addresses, tools }) = &findings.new else {
        return html! { p.absent { "No events." } };
    };
    let reason = match reason {
        NewReason::Given => "the time of --new-since",
        NewReason::Since => "the time of --since; earlier events in the database count as known",
        NewReason::LastDay => "24 hours before the last event, at the full hour",
        NewReason::LastQuarter => {
            "the last quarter of the time between the first and the last event"
        }
    };
    html! {
        p {
            "What was first seen at or after " (instant(*since)) ", which is " (reason) ". "
            code { "--new-since" } " chooses another time."
        }
        @for (title, caption, question, columns, rows) in [
            ("Principals", "New principals", "new-principals", NEW_PRINCIPALS, principals),
            ("Addresses", "New addresses", "new-source-ips", NEW_ADDRESSES, addresses),
            ("Tools", "New tools", "new-user-agents", NEW_TOOLS, tools),
        ] {
            h3 { (title) " " span.badge { (number_of(rows)) } }
            (rows_shown(caption, columns, rows))
            p.more {
                "Continue: " (Command::query_since(question, &findings.filters, Some(*since)))
            }
        }
    }
}

fn number_of(rows: &Rows) -> String {
    let number = rows.rows.len();
    let is_least = number >= as_usize(LIST_ROWS_MAX);
    format!("{}{}", count(number as u64), if is_least { "+" } else { "" })
}

pub(super) fn root(findings: &Findings) -> Markup {
    ROOT.list(findings, &findings.root)
}

pub(super) fn logins(findings: &Findings) -> Markup {
    LOGINS.list(findings, &findings.logins)
}

pub(super) fn iam(findings: &Findings) -> Markup {
    IAM.list(findings, &findings.iam)
}

pub(super) fn exposure(findings: &Findings) -> Markup {
    EXPOSURE.list(findings, &findings.exposure)
}

pub(super) fn tampering(findings: &Findings) -> Markup {
    TAMPERING.list(findings, &findings.tampering)
}

fn as_usize(rows_max: u32) -> usize {
    usize::try_from(rows_max).unwrap_or(usize::MAX)
}
