//! Filters, and a reader of records that shares nothing with the program: what they select.

use std::fmt;

use serde_json::Value;

/// The options of one import. Equal ones add up, different ones apply together.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Filter {
    pub(super) event_names: Vec<&'static str>,
    pub(super) event_sources: Vec<&'static str>,
    pub(super) usernames: Vec<&'static str>,
    pub(super) access_key_ids: Vec<&'static str>,
    pub(super) resource_names: Vec<&'static str>,
    pub(super) event_categories: Vec<&'static str>,
    pub(super) read_only: Option<bool>,
    pub(super) errors_only: bool,
    /// RFC 3339 in UTC, without a fraction, so that they compare as text.
    pub(super) since: Option<&'static str>,
    pub(super) until: Option<&'static str>,
}

const NAMES: [&str; 5] = ["GetObject", "PutObject", "AssumeRole", "Decrypt", "ConsoleLogin"];
const SOURCES: [&str; 4] =
    ["s3.amazonaws.com", "kms.amazonaws.com", "sts.amazonaws.com", "ec2.amazonaws.com"];
const USERS: [&str; 5] = ["alice", "keiko", "root", "grace@example.com", "AutoScaling-UpdateTable"];
const KEYS: [&str; 3] = ["AKIAPNUJXOSAYHYW2RPR", "ASIAYLIPRKT6Q5TRETXZ", "AKIATTOPFZ4MSRHD4YVH"];
const RESOURCES: [&str; 4] =
    ["acme-data", "arn:aws:s3:::acme-data/a", "shipping-backup-4", "user/mara"];
const CATEGORIES: [&str; 3] = ["Management", "Data", "Insight"];
const TIMES: [&str; 5] = [
    "2026-01-15T00:05:00Z",
    "2026-01-15T00:20:00Z",
    "2026-01-15T00:30:00Z",
    "2026-01-15T01:00:00Z",
    "2026-01-16T00:00:00Z",
];

impl Filter {
    pub(super) fn errors() -> Self {
        Self { errors_only: true, ..Self::default() }
    }

    pub(super) fn named(names: &[&'static str]) -> Self {
        Self { event_names: names.to_vec(), ..Self::default() }
    }

    /// Returns one filter for each option.
    pub(super) fn each() -> Vec<Self> {
        let all = Self::default;
        vec![
            Self::named(&["PutObject", "GetObject"]),
            Self { event_sources: SOURCES[..2].to_vec(), ..all() },
            Self { usernames: USERS.to_vec(), ..all() },
            Self { access_key_ids: KEYS.to_vec(), ..all() },
            Self { resource_names: vec![RESOURCES[0]], ..all() },
            Self { resource_names: vec![RESOURCES[1]], ..all() },
            Self { event_categories: vec!["Data"], ..all() },
            Self { event_categories: vec!["Insight"], ..all() },
            Self { read_only: Some(true), ..all() },
            Self { read_only: Some(false), ..all() },
            Self::errors(),
            Self { since: Some(TIMES[1]), ..all() },
            Self { until: Some(TIMES[1]), ..all() },
            Self { since: Some(TIMES[0]), until: Some(TIMES[2]), errors_only: true, ..all() },
        ]
    }

    /// Returns a filter of one to three options.
    pub(super) fn random(random: &mut fastrand::Rng) -> Self {
        let mut some =
            |of: &[&'static str]| random.choose_multiple(of, 2).into_iter().copied().collect();
        let values: [Vec<&'static str>; 6] = [
            some(&NAMES),
            some(&SOURCES),
            some(&USERS),
            some(&KEYS),
            some(&RESOURCES),
            some(&CATEGORIES),
        ];
        let [names, sources, users, keys, resources, categories] = values;
        let mut times = [TIMES[random.usize(..TIMES.len())], TIMES[random.usize(..TIMES.len())]];
        times.sort_unstable();
        let mut filter = Self::default();
        for _ in 0..random.usize(1..=3) {
            match random.usize(..13) {
                0 | 1 => filter.event_names.clone_from(&names),
                2 | 3 => filter.event_sources.clone_from(&sources),
                4 => filter.usernames.clone_from(&users),
                5 => filter.access_key_ids.clone_from(&keys),
                6 => filter.resource_names.clone_from(&resources),
                7 => filter.event_categories.clone_from(&categories),
                8 => filter.read_only = Some(random.bool()),
                9 => filter.errors_only = true,
                10 => filter.since = Some(times[0]),
                11 => filter.until = Some(times[1]),
                _ => (filter.since, filter.until) = (Some(times[0]), Some(times[1])),
            }
        }
        filter
    }

    /// Returns the options.
    pub(super) fn args(&self) -> Vec<&'static str> {
        let mut args = Vec::new();
        for (name, values) in [
            ("--event-name", &self.event_names),
            ("--event-source", &self.event_sources),
            ("--username", &self.usernames),
            ("--access-key-id", &self.access_key_ids),
            ("--resource-name", &self.resource_names),
            ("--event-category", &self.event_categories),
        ] {
            args.extend(values.iter().flat_map(|value| [name, value]));
        }
        match self.read_only {
            Some(true) => args.extend(["--read-only", "true"]),
            Some(false) => args.extend(["--read-only", "false"]),
            None => {}
        }
        args.extend(self.errors_only.then_some("--errors-only"));
        args.extend(self.since.iter().flat_map(|since| ["--since", since]));
        args.extend(self.until.iter().flat_map(|until| ["--until", until]));
        args
    }

    /// Returns whether it selects a record.
    pub(super) fn selects(&self, record: &Value) -> bool {
        let is_one = |values: &[&str], value: Option<String>| {
            values.is_empty() || value.is_some_and(|value| values.contains(&&*value))
        };
        let inside = |name: &str| {
            let value = record.get(name).filter(|value| !value.is_null());
            value.or_else(|| record.get("insightDetails")?.get(name)).filter(|it| !it.is_null())
        };
        let text = |name: &str| inside(name).map(shown);
        let other = |name: &str| record.get(name).map(shown);
        let identity = &record["userIdentity"];
        is_one(&self.event_names, text("eventName"))
            && is_one(&self.event_sources, text("eventSource"))
            && is_one(&self.usernames, username(identity))
            && is_one(&self.access_key_ids, member(identity, "accessKeyId"))
            && is_one(&self.event_categories, other("eventCategory"))
            && (self.resource_names.is_empty() || self.has_resource(record))
            && self.read_only.is_none_or(|expected| other("readOnly") == Some(expected.to_string()))
            && (!self.errors_only || inside("errorCode").is_some())
            && self.is_in_time(record)
    }

    fn is_in_time(&self, record: &Value) -> bool {
        if self.since.is_none() && self.until.is_none() {
            return true;
        }
        let Ok(time) = shown(&record["eventTime"]).parse::<jiff::Timestamp>() else { return false };
        let time = time.to_string();
        self.since.is_none_or(|since| since <= &*time)
            && self.until.is_none_or(|until| &*time <= until)
    }

    fn has_resource(&self, record: &Value) -> bool {
        const WITHOUT_RESOURCES: [&str; 14] = [
            "eventVersion",
            "userIdentity",
            "eventTime",
            "eventSource",
            "eventName",
            "awsRegion",
            "sourceIPAddress",
            "userAgent",
            "errorCode",
            "errorMessage",
            "requestID",
            "eventID",
            "eventType",
            "recipientAccountId",
        ];
        let members = record.as_object().unwrap().iter();
        let mut values = members.filter(|(name, _)| !WITHOUT_RESOURCES.contains(&&***name));
        values.any(|(_, value)| self.resource_names.iter().any(|name| contains(value, name)))
    }
}

/// Returns what a record is known by.
pub(super) fn event_id(record: &Value) -> &str {
    record.get("eventID").or_else(|| record.get("eventId")).unwrap().as_str().unwrap()
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.args().join(" "))
    }
}

fn contains(value: &Value, name: &str) -> bool {
    match value {
        Value::String(text) => text.contains(name),
        Value::Array(elements) => elements.iter().any(|it| contains(it, name)),
        Value::Object(members) => {
            members.iter().any(|(key, value)| key.contains(name) || contains(value, name))
        }
        _ => false,
    }
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

fn member(value: &Value, name: &str) -> Option<String> {
    value.get(name)?.as_str().filter(|text| !text.is_empty()).map(ToOwned::to_owned)
}

/// docs/tables.md, "Identities": the best name that an identity has.
fn username(identity: &Value) -> Option<String> {
    if identity["type"] == "Root" {
        return Some("root".to_owned());
    }
    let principal = member(identity, "principalId");
    let session = principal.as_deref().and_then(|it| it.split_once(':')).map(|(_, name)| name);
    member(identity, "userName")
        .or_else(|| session.filter(|name| !name.is_empty()).map(ToOwned::to_owned))
        .or_else(|| member(&identity["onBehalfOf"], "userId"))
        .or_else(|| member(identity, "invokedBy"))
        .or_else(|| member(&identity["sessionContext"]["sessionIssuer"], "userName"))
        .or_else(|| member(identity, "accountId"))
        .or(principal)
}
