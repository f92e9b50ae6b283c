//! The classes of a driver's errors.
//!
//! The class decides what the caller does. It follows from the error's type and code, never from
//! its text. An unknown error is fatal: if it counted as refused data, the objects of a batch would
//! be recorded as failed one by one because of a full disk or a wrong setting.

use std::io;
use std::time::Duration;

use sqlx::postgres::PgDatabaseError;

use crate::database::BoxError;

/// What the program can do about an error of a driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SqlErrorClass {
    /// The server did not answer. The request may succeed later, on a new connection.
    Transient,
    /// The server answered that it cannot do the request now, and what the user can do if it lasts.
    Busy(&'static str),
    /// The server, or what is in front of it, has no connection to give. The request may succeed
    /// later, or on a connection that is open.
    NoConnection,
    /// The request lost against another transaction.
    Contention,
    /// A row with this key exists.
    Conflict,
    /// The database refuses the data; it may accept other data.
    DataRefused,
    /// The database does not exist yet.
    NoDatabase,
    /// The account lacks a privilege.
    Forbidden,
    /// A known error that neither a retry nor other data can help, and what the user can do.
    Fatal(Option<&'static str>),
    /// A code that the driver's table does not list. Fatal, and shown with its code.
    Unknown,
}

/// What the user can do about a server that has answered, but cannot do a request now.
pub(super) const TRY_LATER: &str =
    "the server reports this itself: see its log and its limits, then run the same command again";

/// Returns the class of an error that a driver of sqlx made, not the database.
pub(super) fn class_of_driver_error(error: &sqlx::Error) -> SqlErrorClass {
    match error {
        // Made by this program: a row larger than a packet, and a COPY that stored another number
        // of rows than were sent.
        sqlx::Error::InvalidArgument(_) | sqlx::Error::Encode(_) => SqlErrorClass::DataRefused,
        // Made by this program, too: another run has changed a ledger line.
        sqlx::Error::RowNotFound => SqlErrorClass::Conflict,
        // rustls reports a certificate that it refuses in this way.
        sqlx::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
            SqlErrorClass::Fatal(Some(
                "name the CA that signed the server's certificate (`sslrootcert` or `ssl-ca` in \
                 the URL, `ca_file` in db.toml), and the host as the certificate has it, or choose \
                 another TLS mode",
            ))
        }
        sqlx::Error::Tls(_) => SqlErrorClass::Fatal(Some(
            "turn TLS on at the server, or, if you trust the network, allow an unencrypted \
             connection: `sslmode=disable` for PostgreSQL, `ssl-mode=DISABLED` for MySQL and \
             MariaDB, `tls = \"disable\"` in db.toml",
        )),
        // The connection broke. If it broke within a message, or a proxy answered for the server,
        // sqlx reports a violation of the protocol; if SQLite's thread is gone, a crashed worker.
        // Each of them is worth a new connection, and the retries are bounded.
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => {
            SqlErrorClass::Transient
        }
        // A setting that cannot be used (Configuration), an answer that cannot be read (Decode
        // and others), or a feature of sqlx that is not used here (its pool, its migrations): the
        // same request would fail in the same way.
        _ => SqlErrorClass::Fatal(None),
    }
}

/// Returns the cause without sqlx's words around it.
pub(super) fn cause_of(error: sqlx::Error) -> BoxError {
    match error {
        sqlx::Error::Database(error) => match error.try_downcast_ref::<PgDatabaseError>() {
            // sqlx adds the line of PostgreSQL's own source code, which is of no use to the user.
            Some(error) => error.message().into(),
            None => error.into_error(),
        },
        sqlx::Error::Io(error) => error.into(),
        sqlx::Error::Tls(error)
        | sqlx::Error::Configuration(error)
        | sqlx::Error::Encode(error)
        | sqlx::Error::Decode(error) => error,
        other => other.into(),
    }
}

/// Returns the error of a server that did not answer in time.
pub(super) fn timed_out(what: &str, after: Duration) -> sqlx::Error {
    let text = format!("{what} within {} s", after.as_secs());
    sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_connection_is_transient_and_a_wrong_setting_is_not() {
        use SqlErrorClass::{Conflict, DataRefused, Fatal, Transient};
        let io = |kind: io::ErrorKind| sqlx::Error::Io(kind.into());
        for (error, expected) in [
            (io(io::ErrorKind::ConnectionRefused), Transient),
            (io(io::ErrorKind::UnexpectedEof), Transient),
            (timed_out("no answer", Duration::from_mins(15)), Transient),
            (sqlx::Error::Protocol("unexpected packet".into()), Transient),
            (sqlx::Error::WorkerCrashed, Transient),
            (sqlx::Error::InvalidArgument("a row of 20 MB".into()), DataRefused),
            (sqlx::Error::Encode("duplicate".into()), DataRefused),
            (sqlx::Error::RowNotFound, Conflict),
            (sqlx::Error::Configuration("no such option".into()), Fatal(None)),
            (sqlx::Error::Decode("not an integer".into()), Fatal(None)),
            (sqlx::Error::ColumnNotFound("outcome".into()), Fatal(None)),
            (sqlx::Error::PoolTimedOut, Fatal(None)),
            (sqlx::Error::PoolClosed, Fatal(None)),
            (sqlx::Error::BeginFailed, Fatal(None)),
        ] {
            assert_eq!(class_of_driver_error(&error), expected, "{error:?}");
        }
        let tls = class_of_driver_error(&sqlx::Error::Tls("no TLS".into()));
        assert!(matches!(tls, Fatal(Some(hint)) if hint.contains("`sslmode=disable`")));
        let certificate = class_of_driver_error(&io(io::ErrorKind::InvalidData));
        assert!(matches!(certificate, Fatal(Some(hint)) if hint.contains("`ca_file`")));
    }
}
