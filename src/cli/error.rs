//! Errors that end the run, and how errors are told.
//!
//! There are two reaches. What puts one object out is a reason in the ledger, and the run goes
//! on; it ends with [`Exit::LeftOut`]. What ends the run is a [`RunError`].

use std::error::Error;
use std::fmt::Write as _;

use thiserror::Error;

use crate::cli::config::ConfigError;
use crate::database::DatabaseError;
use crate::import::error::ImportError;
use crate::source::SourceError;

/// Why a run could not go on.
#[derive(Debug, Error)]
pub enum RunError {
    /// What was typed or configured makes no sense.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A source cannot be opened or listed, or no object of it can be had.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The database cannot be used any more.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The program's own books do not balance; a defect of ours.
    #[error("the counts do not add up: {equation}")]
    Unbalanced {
        /// The equation that fails, with its numbers.
        equation: String,
    },
    /// Standard output cannot be written.
    #[error("cannot write the summary")]
    Output(#[source] std::io::Error),
    /// Signals cannot be caught.
    #[error("cannot watch for signals")]
    Signals(#[source] std::io::Error),
}

impl From<ImportError> for RunError {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::Source(error) => Self::Source(error),
            ImportError::Database(error) => Self::Database(error),
        }
    }
}

impl RunError {
    /// Returns what the user can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Config(error) => error.hint(),
            Self::Source(error) => error.hint(),
            Self::Database(error) => error.hint.clone(),
            Self::Unbalanced { .. } => Some(
                "this is a defect of cloudtrail2sql; `cloudtrail2sql status` shows what is in"
                    .into(),
            ),
            Self::Output(_) | Self::Signals(_) => None,
        }
    }

    /// Returns how the program ends.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Config(_) => Exit::Usage,
            _ => Exit::Failed,
        }
    }
}

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Everything is in, as it was.
    Complete,
    /// The run failed.
    Failed,
    /// Usage or configuration.
    Usage,
    /// The run finished; something was left out or altered.
    LeftOut,
    /// A signal stopped the run.
    Interrupted,
}

impl Exit {
    /// Returns the exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Complete => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::LeftOut => 3,
            // As a shell says it of a process that SIGINT ended.
            Self::Interrupted => 130,
        }
    }

    /// Returns the word that the ledger and the reports use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Failed | Self::Usage => "failed",
            Self::LeftOut => "partial",
            Self::Interrupted => "interrupted",
        }
    }
}

/// Returns an error as people are told it: what, why, what now.
pub fn told(error: &RunError) -> String {
    let mut text = format!("error: {error}");
    let mut last = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let line = error.to_string();
        if !last.contains(&line) {
            write!(text, "\n  caused by: {line}").expect("writing to a String cannot fail");
        }
        last = line;
        cause = error.source();
    }
    if let Some(hint) = error.hint() {
        write!(text, "\n\nhint: {hint}").expect("writing to a String cannot fail");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Error)]
    #[error("outer")]
    struct Outer(#[source] Inner);

    #[derive(Debug, Error)]
    #[error("inner")]
    struct Inner(#[source] Repeated);

    #[derive(Debug, Error)]
    #[error("inner")]
    struct Repeated;

    #[test]
    fn an_error_is_told_with_its_causes_and_a_hint() {
        let source = Box::new(Outer(Inner(Repeated)));
        let hint = Some("try this".into());
        let error = RunError::from(DatabaseError::fatal("write a batch", source, hint));
        let expected = "error: cannot write a batch\n  caused by: outer\n  caused by: inner\n\n\
                        hint: try this";
        assert_eq!(told(&error), expected);
    }
}
