//! What named the database.

use std::fmt;
use std::path::PathBuf;

use crate::database::redact::redacted;

/// What named the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The option `--database`.
    Flag,
    /// The environment variable `DATABASE_URL`.
    Environment,
    /// A `db.toml`.
    File(PathBuf),
    /// The built-in default.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("from `--database`"),
            Self::Environment => f.write_str("from `DATABASE_URL`"),
            Self::File(path) => write!(f, "from {}", redacted(&path.to_string_lossy())),
            Self::Default => f.write_str("by default"),
        }
    }
}
