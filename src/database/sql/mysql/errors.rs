//! What the error numbers of MySQL and MariaDB mean for a request, and the logins that sqlx refuses.

use sqlx::error::DatabaseError;
use sqlx::mysql::MySqlDatabaseError;

use crate::database::sql::error::{SqlErrorClass, TRY_LATER};

/// What the user can do where each table must have a primary key. Our own tables have one, but for a
/// `logs` table of version 0.1.0 or of the user's.
const PRIMARY_KEY_HINT: &str = "the server requires a primary key of every table: run `ALTER TABLE logs \
     ADD COLUMN id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY INVISIBLE`, which rebuilds the \
     table, or import into a new database";

/// What sqlx calls a way to log in that it does not know, followed by its name and a place in its source.
const UNKNOWN_PLUGIN: &str = "unknown authentication plugin: ";

/// What sqlx says to a server that asks for a password in clear text.
const CLEARTEXT_REFUSED: &str = "mysql_cleartext_plugin disabled";

/// Turns a login that sqlx does not support into an error that no retry can help, with the remedy.
///
/// sqlx has no type for it, only the text of a violated protocol. Should the text change, the error is
/// what it was.
pub(super) fn name_plugin(error: sqlx::Error) -> sqlx::Error {
    let sqlx::Error::Protocol(text) = &error else { return error };
    if text.contains(CLEARTEXT_REFUSED) {
        let text = "the server asks for the password in clear text (as Amazon RDS does for IAM tokens, and \
             PAM and LDAP do), which is sent only to a server whose certificate is verified: set \
             `ssl-mode=VERIFY_IDENTITY`, and `ssl-ca` for a private CA";
        return sqlx::Error::Configuration(text.into());
    }
    let Some((_, rest)) = text.split_once(UNKNOWN_PLUGIN) else { return error };
    let plugin = rest.split_whitespace().next().unwrap_or_default();
    let text = format!(
        "the account logs in with `{plugin}`, which this program does not support; let an \
         administrator give it `caching_sha2_password` (MySQL) or `mysql_native_password` (MariaDB)"
    );
    sqlx::Error::Configuration(text.into())
}

pub(super) fn number_of(error: &dyn DatabaseError) -> Option<u16> {
    error.try_downcast_ref::<MySqlDatabaseError>().map(MySqlDatabaseError::number)
}

/// Returns the class of an error number (MySQL manual, "Server Error Message Reference"; MariaDB
/// documentation, "MariaDB Error Code Reference").
pub(super) fn class_of(number: u16) -> SqlErrorClass {
    match number {
        // Unknown database.
        1049 => SqlErrorClass::NoDatabase,
        // Duplicate entry.
        1062 => SqlErrorClass::Conflict,
        // NULL or a value that the column cannot hold: out of range, truncated, not valid, too
        // long.
        1048 | 1264 | 1265 | 1292 | 1300 | 1366 | 1406 | 1690
        // A CHECK constraint (MySQL, MariaDB), SIGNAL in a trigger, a foreign key, no partition
        // for the value.
        | 3819 | 4025 | 1644 | 1452 | 1526
        // JSON that a functional index or a generated column cannot read: not valid, nested too
        // deep, not of the type.
        | 3140 | 3141 | 3156 | 3157 | 3903
        // A packet above max_allowed_packet.
        | 1153 => SqlErrorClass::DataRefused,
        // Lock wait, deadlock, a row that changed under snapshot isolation (MariaDB).
        1205 | 1213 | 1020 => SqlErrorClass::Contention,
        // Too many connections to the server, or of the account.
        1040 | 1203 | 1226 => SqlErrorClass::NoConnection,
        // Shutdown, killed, aborted, idle too long, a time limit, and a statement to be prepared again
        // because another import built an index.
        1053 | 1152 | 1158..=1161 | 1180 | 1317 | 1615 | 1927 | 1969 | 2006 | 2013 | 3024 | 4031
        // A node of Galera that is not part of the cluster at the moment; a transaction that Group
        // Replication rolled back, or could not send to the others.
        | 1047 | 3100 | 3101 => SqlErrorClass::Busy(TRY_LATER),
        // A table without a primary key, refused by MariaDB's `innodb_force_primary_key`, Group
        // Replication, `sql_require_primary_key` and Galera's `wsrep_mode`.
        1173 | 3098 | 3750 | 4165 => SqlErrorClass::Fatal(Some(PRIMARY_KEY_HINT)),
        // The binary log has the format STATEMENT, which READ COMMITTED cannot use.
        1665 => SqlErrorClass::Fatal(Some("set `binlog_format` to ROW or MIXED on the server")),
        // Access denied, account locked.
        1045 | 1698 | 3118 => SqlErrorClass::Fatal(Some(
            "check the user name and the password, and whether the account may log in from this host, and \
             only with TLS or a client certificate",
        )),
        // require_secure_transport.
        3159 => SqlErrorClass::Fatal(Some(
            "the server requires TLS: set `ssl-mode=REQUIRED` or stronger in the URL, or `tls` in db.toml",
        )),
        // Access denied to a database, a table, a column, or for want of a global privilege.
        1044 | 1142 | 1143 | 1227 => SqlErrorClass::Forbidden,
        // Disk full, table full.
        1021 | 1114 => {
            SqlErrorClass::Fatal(Some("free space on the server's disk, then run it again"))
        }
        // The option --read-only or --super-read-only, a read-only transaction, read-only mode.
        1290 | 1792 | 1836 => SqlErrorClass::Fatal(Some(
            "the server is read-only: name the primary server in the database URL",
        )),
        // Unknown column, syntax, key too long, unknown key column, row too large, unknown table,
        // not supported.
        1054 | 1064 | 1071 | 1072 | 1118 | 1146 | 1235 => SqlErrorClass::Fatal(None),
        _ => SqlErrorClass::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_that_is_not_supported_is_named_and_not_retried() {
        let protocol = |text: &str| name_plugin(sqlx::Error::Protocol(text.to_owned()));
        let unknown =
            "unknown authentication plugin: client_ed25519 (sqlx_mysql::protocol::auth:36)";
        let error = protocol(unknown);
        assert!(error.to_string().contains("with `client_ed25519`, which"), "{error}");
        assert!(matches!(error, sqlx::Error::Configuration(_)), "{error:?}");
        assert!(matches!(protocol("unexpected packet"), sqlx::Error::Protocol(_)));
    }

    #[test]
    fn only_the_listed_numbers_are_blamed_on_the_data() {
        use SqlErrorClass::{
            Busy, Conflict, Contention, DataRefused, Fatal, Forbidden, NoConnection, NoDatabase,
            Unknown,
        };
        let data = [1048, 1153, 1264, 1265, 1292, 1300, 1366, 1406, 1644, 1690, 3819, 4025];
        for number in data.into_iter().chain([1452, 1526, 3140, 3141, 3157, 3903]) {
            assert_eq!(class_of(number), DataRefused, "{number}");
        }
        for (number, expected) in [
            (1049, NoDatabase),
            (1062, Conflict),
            (1040, NoConnection),
            (1205, Contention),
            (1213, Contention),
            (1317, Busy(TRY_LATER)),
            (1927, Busy(TRY_LATER)),
            (4031, Busy(TRY_LATER)),
            (1044, Forbidden),
            (1142, Forbidden),
            (1054, Fatal(None)),
            (1064, Fatal(None)),
            (1146, Fatal(None)),
            (1020, Contention),
            (1203, NoConnection),
            (1226, NoConnection),
            (1615, Busy(TRY_LATER)),
            (1047, Busy(TRY_LATER)),
            (1180, Busy(TRY_LATER)),
            (1969, Busy(TRY_LATER)),
            (3100, Busy(TRY_LATER)),
            (3101, Busy(TRY_LATER)),
            (3024, Busy(TRY_LATER)),
            // A full disk is not the fault of a row.
            (1030, Unknown),
            (9999, Unknown),
        ] {
            assert_eq!(class_of(number), expected, "{number}");
        }
        for number in [1021, 1045, 1114, 1290, 1665, 1698, 1792, 1836, 3118, 3159] {
            assert!(matches!(class_of(number), Fatal(Some(_))), "{number}");
        }
        for number in [1173, 3098, 3750, 4165] {
            assert_eq!(class_of(number), Fatal(Some(PRIMARY_KEY_HINT)), "{number}");
        }
    }
}
