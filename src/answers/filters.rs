//! The filters of the user, with the names of the AWS CLI's `lookup-events`.

use crate::database::answer::{Parameter, Statement};
use crate::trail::time::EventTime;

/// Which events a question is about. Filters that are given apply together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filters {
    /// The first moment.
    pub since: Option<EventTime>,
    /// The last moment.
    pub until: Option<EventTime>,
    /// The user's name, as `user_name` of the view has it.
    pub username: Option<String>,
    /// The operation, such as `PutObject`.
    pub event_name: Option<String>,
    /// The service, such as `s3.amazonaws.com`.
    pub event_source: Option<String>,
    /// The access key of the request.
    pub access_key_id: Option<String>,
    /// A name or ARN that the request, the response or the other fields contain, such as `resources`.
    pub resource_name: Option<String>,
    /// The account that received the request.
    pub account_id: Option<String>,
    /// The region.
    pub region: Option<String>,
    /// The address of the caller.
    pub source_ip: Option<String>,
    /// Whether only calls that failed are selected.
    pub errors_only: bool,
    /// The largest number of rows; otherwise the question's own.
    pub limit: Option<u32>,
    /// The length of a period of the timeline.
    pub period: Option<Period>,
}

/// An option that a question may need or refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flag {
    /// `--since`
    Since,
    /// `--username`
    Username,
    /// `--access-key-id`
    AccessKeyId,
    /// `--resource-name`
    ResourceName,
    /// `--source-ip`
    SourceIp,
    /// `--limit`
    Limit,
    /// `--by`
    By,
}

/// The length of a period of the timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// A day.
    Day,
    /// An hour.
    Hour,
    /// A minute.
    Minute,
}

impl Flag {
    const ALL: [Self; 7] = [
        Self::Since,
        Self::Username,
        Self::AccessKeyId,
        Self::ResourceName,
        Self::SourceIp,
        Self::Limit,
        Self::By,
    ];

    /// Returns the option as it is typed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Since => "--since",
            Self::Username => "--username",
            Self::AccessKeyId => "--access-key-id",
            Self::ResourceName => "--resource-name",
            Self::SourceIp => "--source-ip",
            Self::Limit => "--limit",
            Self::By => "--by",
        }
    }

    /// Returns the option that the header of a question names, without its dashes.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|flag| &flag.as_str()[2..] == name)
    }
}

impl Period {
    /// Returns how many characters of `2026-01-15 09:30:00` name a period.
    pub(super) fn chars(self) -> i64 {
        match self {
            Self::Day => 10,
            Self::Hour => 13,
            Self::Minute => 16,
        }
    }
}

impl Filters {
    /// Returns whether a value is given for the option.
    pub(super) fn has(&self, flag: Flag) -> bool {
        match flag {
            Flag::Since => self.since.is_some(),
            Flag::Username => self.username.is_some(),
            Flag::AccessKeyId => self.access_key_id.is_some(),
            Flag::ResourceName => self.resource_name.is_some(),
            Flag::SourceIp => self.source_ip.is_some(),
            Flag::Limit => self.limit.is_some(),
            Flag::By => self.period.is_some(),
        }
    }

    /// Adds the conditions of the filters that are given, joined by AND. `--since` is left out of a
    /// question that uses it otherwise.
    pub(super) fn push_conditions(&self, statement: &mut Statement, has_since: bool) {
        let mut is_first = true;
        let mut push = |sql: &str, value: Parameter| {
            if !std::mem::take(&mut is_first) {
                statement.push_sql(" AND ");
            }
            // The value stands wherever the condition has a question mark.
            for (n, part) in sql.split('?').enumerate() {
                if n > 0 {
                    statement.push(value.clone());
                }
                statement.push_sql(part);
            }
        };
        if let Some(time) = self.since.filter(|_| !has_since) {
            push("event_time >= ?", Parameter::Time(time));
        }
        if let Some(time) = self.until {
            push("event_time <= ?", Parameter::Time(time));
        }
        for (condition, value) in [
            ("user_name = ?", &self.username),
            ("event_name = ?", &self.event_name),
            ("event_source = ?", &self.event_source),
            ("access_key_id = ?", &self.access_key_id),
            ("account_id = ?", &self.account_id),
            ("region = ?", &self.region),
            ("source_ip = ?", &self.source_ip),
        ] {
            if let Some(value) = value {
                push(condition, Parameter::Text(value.clone()));
            }
        }
        if let Some(name) = &self.resource_name {
            let condition = "(request_parameters LIKE ? ESCAPE '!' \
                OR response_elements LIKE ? ESCAPE '!' OR other_fields LIKE ? ESCAPE '!')";
            push(condition, Parameter::Text(format!("%{}%", escaped(name))));
        }
        if self.errors_only {
            statement.push_sql(if is_first { "" } else { " AND " });
            statement.push_sql("error_code IS NOT NULL");
        } else if is_first {
            statement.push_sql("1 = 1");
        }
    }
}

/// Escapes the characters that a pattern of LIKE gives a meaning.
fn escaped(text: &str) -> String {
    text.replace('!', "!!").replace('%', "!%").replace('_', "!_")
}
