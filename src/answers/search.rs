//! The search of events, newest first, as the Event history of the AWS console has it.
//!
//! It takes up to three statements. MySQL and MariaDB sort everything if an order has more columns than
//! the index, so that the time of the last row is asked for first, and the rows of that time and later
//! ones are sorted. Rows without a valid time come last.

use super::filters::Filters;
use crate::database::answer::{Parameter, Statement};
use crate::trail::fields::COLUMNS;
use crate::trail::time::EventTime;

/// What is shown of an event.
const SHOWN: &str = "event_time, user_name, event_source, event_name, region, source_ip, \
     resource_arn, error_code, event_id";

/// What a record is rebuilt from, besides the 16 columns, under the names that conditions have for it.
const NAMED: &str = "l.eventAt AS event_time, l.eventID AS event_id, l.eventSource AS event_source, \
     l.eventName AS event_name, l.recipientAccountId AS account_id, l.awsRegion AS region, \
     l.sourceIPAddress AS source_ip, l.requestParameters AS request_parameters, \
     l.responseElements AS response_elements, l.errorCode AS error_code, l.otherFields AS other_fields, i.user_name, \
     i.access_key_id";

/// What a search returns of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// A row of a table for people.
    Row,
    /// The 16 columns and `otherFields`, from which [`rebuild`](crate::trail::record::rebuild) makes
    /// the record.
    Record,
}

/// A search with its filters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    filters: Filters,
    found: Found,
    /// The largest number of events.
    limit: u32,
}

impl Search {
    /// Makes a search for at most `limit` events.
    pub fn new(filters: Filters, found: Found, limit: u32) -> Self {
        Self { filters, found, limit }
    }

    /// Returns what it returns of an event.
    pub fn found(&self) -> Found {
        self.found
    }

    /// Returns the largest number of events.
    pub fn limit(&self) -> u32 {
        self.limit
    }

    /// Returns whether events without a time are included: no time is asked for.
    pub fn includes_untimed(&self) -> bool {
        self.filters.since.is_none() && self.filters.until.is_none()
    }

    /// Returns the statement for the time of the last event that is returned. It has no row if there
    /// are fewer events.
    pub fn time_of_last(&self) -> Statement {
        let mut statement = self.select("event_time", &self.filters);
        statement.push_sql(
            "\n    AND event_time IS NOT NULL\nORDER BY event_time DESC\nLIMIT 1 OFFSET ",
        );
        statement.push(Parameter::Int(i64::from(self.limit) - 1));
        statement
    }

    /// Returns the statement for the events, from `since` on if it is given: the answer to
    /// [`Search::time_of_last`].
    pub fn events(&self, since: Option<EventTime>) -> Statement {
        let filters = Filters { since: since.or(self.filters.since), ..self.filters.clone() };
        let mut statement = self.select(&self.columns(), &filters);
        statement.push_sql("\n    AND event_time IS NOT NULL\nORDER BY event_time DESC, ");
        Self::push_end(&mut statement, self.limit);
        statement
    }

    /// Returns the statement for at most `limit` events without a valid time.
    pub fn untimed_events(&self, limit: u32) -> Statement {
        let mut statement = self.select(&self.columns(), &self.filters);
        statement.push_sql("\n    AND event_time IS NULL\nORDER BY ");
        Self::push_end(&mut statement, limit);
        statement
    }

    /// Returns the options of the filters that no index serves, if none of the others has an index
    /// that serves it.
    pub fn unindexed(&self) -> Vec<&'static str> {
        let filters = &self.filters;
        let indexed = [
            &filters.username,
            &filters.event_name,
            &filters.event_source,
            &filters.access_key_id,
            &filters.source_ip,
        ];
        if indexed.iter().any(|filter| filter.is_some()) {
            return Vec::new();
        }
        [
            ("--resource-name", &filters.resource_name),
            ("--account-id", &filters.account_id),
            ("--region", &filters.region),
        ]
        .into_iter()
        .filter_map(|(option, filter)| filter.as_ref().map(|_| option))
        .collect()
    }

    fn columns(&self) -> String {
        match self.found {
            Found::Row => SHOWN.to_owned(),
            Found::Record => format!("{}, otherFields", COLUMNS.join(", ")),
        }
    }

    fn select(&self, columns: &str, filters: &Filters) -> Statement {
        let mut statement = Statement::default();
        statement.push_sql(&format!("SELECT {columns}\nFROM "));
        match self.found {
            Found::Row => statement.push_sql("events"),
            Found::Record => {
                let cells = COLUMNS.map(|name| format!("l.{name}")).join(", ");
                statement.push_sql(&format!(
                    "(\n    SELECT {cells}, l.otherFields, {NAMED}\n    \
                     FROM logs l LEFT JOIN identities i ON i.id = l.identityId\n) events"
                ));
            }
        }
        statement.push_sql("\nWHERE ");
        filters.push_conditions(&mut statement, false);
        statement
    }

    fn push_end(statement: &mut Statement, limit: u32) {
        statement.push_sql("event_id IS NULL, event_id\nLIMIT ");
        statement.push(Parameter::Int(limit.into()));
    }
}
