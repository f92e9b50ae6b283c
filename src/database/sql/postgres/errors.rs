//! What PostgreSQL's error codes mean for a request.

use crate::database::sql::error::{SqlErrorClass, TRY_LATER};

/// What the user can do behind a pooler that mixes up the prepared statements of its clients.
const POOLER: &str = "a connection pooler shares the sessions of the server: connect to the server itself, \
     to the pooler's session mode (Supabase: port 5432), or let it keep prepared statements (PgBouncer 1.21 \
     and later: `max_prepared_statements = 200`)";

/// What the user can do about an error of Citus without a code of its own.
const CITUS: &str = "a node of the Citus cluster may be away: see the logs of its nodes, then run the same \
     command again";

/// Returns the class of a SQLSTATE (documentation, Appendix A, "PostgreSQL Error Codes") of a database,
/// which may have the extension Citus.
pub(super) fn class_of(sqlstate: &str, has_citus: bool) -> SqlErrorClass {
    match (sqlstate.get(..2).unwrap_or_default(), sqlstate) {
        // unique_violation.
        (_, "23505") => SqlErrorClass::Conflict,
        // Data exceptions, violated constraints and limits, an exception that a trigger raised, and
        // a row that the condition of a view excludes.
        ("22" | "23" | "44" | "54" | "P0", _) => SqlErrorClass::DataRefused,
        // invalid_catalog_name.
        (_, "3D000") => SqlErrorClass::NoDatabase,
        // disk_full.
        (_, "53100") => {
            SqlErrorClass::Fatal(Some("free space on the server's disk, then run it again"))
        }
        // serialization_failure, deadlock_detected, lock_not_available.
        (_, "40001" | "40P01" | "55P03") => SqlErrorClass::Contention,
        // too_many_connections: of the server, the database or the role.
        (_, "53300") => SqlErrorClass::NoConnection,
        // query_canceled, which has several causes.
        (_, "57014") => SqlErrorClass::Busy(
            "the server canceled the statement: see `statement_timeout` of the server, the database and \
             the account",
        ),
        // Connections, rolled back transactions, resources, locks, an operator's intervention, errors
        // of the operating system, and idle_in_transaction_session_timeout or transaction_timeout: the
        // connection was cut off for too long.
        ("08" | "40" | "53" | "55" | "57" | "58", _) | (_, "25P03" | "25P04") => {
            SqlErrorClass::Busy(TRY_LATER)
        }
        // invalid_sql_statement_name, duplicate_prepared_statement.
        (_, "26000" | "42P05") => SqlErrorClass::Fatal(Some(POOLER)),
        // undefined_table.
        (_, "42P01") => SqlErrorClass::Fatal(Some(
            "a table was dropped meanwhile, or a proxy sends some statements to a replica that is behind: \
             name the primary server in the database URL",
        )),
        // Authorization.
        ("28", _) => SqlErrorClass::Fatal(Some("check the user name and the password")),
        // insufficient_privilege.
        (_, "42501") => SqlErrorClass::Forbidden,
        // read_only_sql_transaction.
        (_, "25006") => SqlErrorClass::Fatal(Some(
            "the server is read-only: name the primary server in the database URL",
        )),
        // internal_error, which Citus also reports if it loses a worker in a transaction ("failure on
        // connection marked as essential").
        (_, "XX000") if has_citus => SqlErrorClass::Busy(CITUS),
        // Unsupported features, unknown schemas, syntax and missing objects, the server's
        // configuration, internal errors.
        ("0A" | "3F" | "42" | "F0" | "XX", _) => SqlErrorClass::Fatal(None),
        _ => SqlErrorClass::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_listed_classes_are_blamed_on_the_data() {
        use SqlErrorClass::{
            Busy, Conflict, Contention, DataRefused, Fatal, Forbidden, NoConnection, NoDatabase,
            Unknown,
        };
        for (sqlstate, expected) in [
            ("23505", Conflict),
            ("23502", DataRefused),
            ("23514", DataRefused),
            ("22021", DataRefused),
            ("22P02", DataRefused),
            ("22P05", DataRefused),
            ("44000", DataRefused),
            ("54000", DataRefused),
            ("54001", DataRefused),
            ("P0001", DataRefused),
            ("3D000", NoDatabase),
            ("42501", Forbidden),
            ("08006", Busy(TRY_LATER)),
            ("40001", Contention),
            ("40P01", Contention),
            ("53200", Busy(TRY_LATER)),
            ("53300", NoConnection),
            ("55P03", Contention),
            ("57P01", Busy(TRY_LATER)),
            ("57P03", Busy(TRY_LATER)),
            ("58030", Busy(TRY_LATER)),
            ("0A000", Fatal(None)),
            ("42703", Fatal(None)),
            ("XX000", Fatal(None)),
            ("25P03", Busy(TRY_LATER)),
            ("25P04", Busy(TRY_LATER)),
            // A pooler that lost the prepared statement: not the fault of a row.
            ("26000", Fatal(Some(POOLER))),
            ("99999", Unknown),
            ("", Unknown),
        ] {
            assert_eq!(class_of(sqlstate, false), expected, "{sqlstate}");
        }
        assert!(
            matches!(class_of("57014", false), Busy(hint) if hint.contains("`statement_timeout`"))
        );
        for sqlstate in ["53100", "28000", "28P01", "25006", "42P01"] {
            assert!(matches!(class_of(sqlstate, false), Fatal(Some(_))), "{sqlstate}");
        }
        assert_eq!(class_of("XX000", true), Busy(CITUS));
        assert_eq!(class_of("XX001", true), Fatal(None));
    }
}
