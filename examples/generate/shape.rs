//! The shapes of events: one row per API call, in tables by field of work.
//!
//! A row says what is particular to its event; what all records share is in
//! [`crate::event`]. Weights are relative: they fall off as in life, where some
//! thirty events make up most of an account's traffic.

mod compute;
mod operations;
mod security;
mod storage;

use crate::caller::Caller;
use crate::random::hash;
use crate::template::Template;

/// What `eventType`, `eventCategory` and the like say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Category {
    /// An API call that manages something.
    Management,
    /// An API call on data: objects, items, invocations.
    Data,
    /// Something AWS did for itself.
    Service,
    /// A sign-in at the console.
    SignIn,
}

/// A failure: code and message.
type Failure = (&'static str, &'static str);

/// An event, as written in the tables.
struct Row {
    service: &'static str,
    event: &'static str,
    weight: usize,
    category: Category,
    read_only: bool,
    callers: &'static [&'static str],
    request_id: &'static str,
    params: &'static str,
    response: &'static str,
    additional: &'static str,
    resources: &'static str,
    details: &'static str,
    api_version: &'static str,
    host: &'static str,
    failures: &'static [Failure],
}

/// An event, ready to be written.
#[derive(Debug)]
pub(crate) struct Shape {
    /// Short name of the service, as in IAM policies and host names.
    pub(crate) service: &'static str,
    /// `eventName`.
    pub(crate) event: &'static str,
    /// How often it comes.
    pub(crate) weight: usize,
    /// Management, data, …
    pub(crate) category: Category,
    /// `readOnly`.
    pub(crate) read_only: bool,
    /// `eventVersion`.
    pub(crate) version: &'static str,
    /// Numbers of the callers it may have; empty if anybody calls it.
    pub(crate) callers: Vec<usize>,
    /// `requestID`; empty if it has none.
    pub(crate) request_id: Template,
    /// `requestParameters`.
    pub(crate) params: Template,
    /// `responseElements`.
    pub(crate) response: Template,
    /// `additionalEventData`, or empty.
    pub(crate) additional: Template,
    /// `resources`, or empty.
    pub(crate) resources: Template,
    /// `serviceEventDetails`, or empty.
    pub(crate) details: Template,
    /// `apiVersion`, or empty.
    pub(crate) api_version: &'static str,
    /// Host name the client asked for.
    pub(crate) host: Template,
    /// The errors it may end in.
    pub(crate) failures: Vec<(&'static str, Template)>,
}

/// Compiles the tables for these callers.
///
/// # Panics
/// If a row names a caller that the table of callers does not have.
pub(crate) fn shapes(callers: &[Caller]) -> Vec<Shape> {
    let number = |name: &str| {
        let found = callers.iter().position(|caller| caller.name == name);
        found.unwrap_or_else(|| panic!("no caller is called `{name}`"))
    };
    [storage::ROWS, security::ROWS, compute::ROWS, operations::ROWS]
        .into_iter()
        .flatten()
        .map(|row| Shape {
            service: row.service,
            event: row.event,
            weight: row.weight,
            category: row.category,
            read_only: row.read_only,
            version: version(row.service),
            callers: row.callers.iter().map(|name| number(name)).collect(),
            request_id: Template::compile(row.request_id),
            params: Template::compile(row.params),
            response: Template::compile(row.response),
            additional: Template::compile(row.additional),
            resources: Template::compile(row.resources),
            details: Template::compile(row.details),
            api_version: row.api_version,
            host: Template::compile(row.host),
            failures: row
                .failures
                .iter()
                .map(|(code, message)| (*code, Template::compile(message)))
                .collect(),
        })
        .collect()
}

/// Each service writes one version of the record; they move up at their own pace.
fn version(service: &str) -> &'static str {
    match service {
        "kms" | "s3" | "dynamodb" => "1.11",
        "sts" | "iam" => "1.08",
        "ec2" | "logs" => "1.10",
        other => ["1.08", "1.08", "1.09", "1.09", "1.10", "1.11"]
            [crate::random::scale(crate::random::mix(hash(other), 0), 6)],
    }
}

/// The failures that any service may answer with.
const COMMON: &[Failure] = &[
    (
        "AccessDenied",
        "User: <arn> is not authorized to perform: <action> because no identity-based policy allows the <action> action",
    ),
    (
        "AccessDeniedException",
        "User: <arn> is not authorized to perform: <action> on resource: arn:aws:<source>:<region>:<account>:* with an explicit deny in a service control policy",
    ),
    ("ThrottlingException", "Rate exceeded"),
    (
        "ValidationException",
        "1 validation error detected: Value \\\"<text>\\\" at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\\\w+=,.@-]+",
    ),
    ("ResourceNotFoundException", "Requested resource not found"),
];

const fn call(service: &'static str, event: &'static str, weight: usize) -> Row {
    Row {
        service,
        event,
        weight,
        category: Category::Management,
        read_only: false,
        callers: &[],
        request_id: "<request>",
        params: "null",
        response: "null",
        additional: "",
        resources: "",
        details: "",
        api_version: "",
        host: "<regional-host>",
        failures: COMMON,
    }
}

const fn read(service: &'static str, event: &'static str, weight: usize) -> Row {
    let mut row = call(service, event, weight);
    row.read_only = true;
    row
}

impl Row {
    const fn data(mut self) -> Self {
        self.category = Category::Data;
        self
    }

    const fn category(mut self, category: Category) -> Self {
        self.category = category;
        self
    }

    const fn by(mut self, callers: &'static [&'static str]) -> Self {
        self.callers = callers;
        self
    }

    const fn request_id(mut self, request_id: &'static str) -> Self {
        self.request_id = request_id;
        self
    }

    const fn params(mut self, params: &'static str) -> Self {
        self.params = params;
        self
    }

    const fn response(mut self, response: &'static str) -> Self {
        self.response = response;
        self
    }

    const fn additional(mut self, additional: &'static str) -> Self {
        self.additional = additional;
        self
    }

    const fn resources(mut self, resources: &'static str) -> Self {
        self.resources = resources;
        self
    }

    const fn details(mut self, details: &'static str) -> Self {
        self.details = details;
        self
    }

    const fn api_version(mut self, api_version: &'static str) -> Self {
        self.api_version = api_version;
        self
    }

    const fn host(mut self, host: &'static str) -> Self {
        self.host = host;
        self
    }

    const fn failures(mut self, failures: &'static [Failure]) -> Self {
        self.failures = failures;
        self
    }
}
