//! The indexes that are built after a load.
//!
//! They are data and not migrations: a load takes several times as long with all of them in place.
//! `docs/tables.md` says which queries each of them serves, and what it costs.

use self::IndexedTable::{Identities, Logs};

/// A table with indexes of the post-load step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexedTable {
    /// `logs`.
    Logs,
    /// `identities`.
    Identities,
}

impl IndexedTable {
    /// Both tables.
    pub const ALL: [Self; 2] = [Logs, Identities];

    /// Returns the name of the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Logs => "logs",
            Identities => "identities",
        }
    }
}

/// An index that is built after the load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Index {
    /// Its name in the database.
    pub name: &'static str,
    /// The table.
    pub table: IndexedTable,
    /// The indexed columns, in the order of the key.
    pub columns: &'static [&'static str],
}

const fn index(name: &'static str, table: IndexedTable, columns: &'static [&'static str]) -> Index {
    Index { name, table, columns }
}

/// All indexes, in the order in which they are built. The tutorial's five columns lead an index each.
pub const INDEXES: [Index; 14] = [
    index("logs_eventtime", Logs, &["eventTime"]),
    index("logs_eventsource_eventname", Logs, &["eventSource", "eventName"]),
    index("logs_eventname", Logs, &["eventName"]),
    index("logs_errorcode_identityid", Logs, &["errorCode", "identityId"]),
    index("logs_requestid", Logs, &["requestID"]),
    index("logs_eventtype", Logs, &["eventType"]),
    index("logs_eventid", Logs, &["eventID"]),
    index("logs_eventat", Logs, &["eventAt"]),
    index("logs_identityid_eventat", Logs, &["identityId", "eventAt"]),
    index("logs_sourceipaddress", Logs, &["sourceIPAddress"]),
    index("logs_objectid", Logs, &["objectId"]),
    index("identities_user_name", Identities, &["user_name"]),
    index("identities_user_arn", Identities, &["user_arn"]),
    index("identities_access_key_id", Identities, &["access_key_id"]),
];

/// Returns those of [`INDEXES`] whose columns are not the first columns of any index in `existing`:
/// tables, and the columns of one index each.
pub fn missing_indexes(existing: &[(IndexedTable, Vec<String>)]) -> Vec<Index> {
    let is_there = |index: &Index| {
        existing.iter().any(|(table, columns)| {
            let mut pairs = columns.iter().zip(index.columns);
            *table == index.table
                && columns.len() >= index.columns.len()
                && pairs.all(|(found, ours)| found.eq_ignore_ascii_case(ours))
        })
    };
    INDEXES.into_iter().filter(|index| !is_there(index)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_is_there_if_its_columns_lead_another() {
        assert_eq!(missing_indexes(&[]), INDEXES);
        let columns = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let existing = [
            (Logs, columns(&["eventsource"])),
            (Logs, columns(&["EVENTNAME", "eventSource"])),
            (Logs, columns(&["identityid", "eventat", "eventid"])),
            (Logs, columns(&["user_name"])),
            (Identities, columns(&["access_key_id"])),
        ];
        let missing = missing_indexes(&existing);
        let found = INDEXES.iter().filter(|index| !missing.contains(index));
        let found: Vec<&str> = found.map(|index| index.name).collect();
        assert_eq!(
            found,
            ["logs_eventname", "logs_identityid_eventat", "identities_access_key_id"]
        );
    }
}
