//! Errors that end the run, how they are printed, and the exit codes.
//!
//! An object that cannot be loaded is not such an error: the ledger records the reason, the run
//! continues and ends with [`Exit::LeftOut`]. A [`RunError`] ends the run.

use std::error::Error;
use std::fmt::Write as _;

use thiserror::Error;

use crate::cli::config::ConfigError;
use crate::cli::escape::visible;
use crate::database::DatabaseError;
use crate::import::error::ImportError;
use crate::source::SourceError;
use crate::verify::VerifyError;

/// Why a run could not continue.
#[derive(Debug, Error)]
pub enum RunError {
    /// An option or the configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A source cannot be opened or listed, or none of its objects can be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The database cannot be used any more.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// What is loaded cannot be verified.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// The counters of the run contradict each other, which is a bug in the program.
    #[error("the counts do not add up: {equation}")]
    Unbalanced {
        /// The equations with their numbers.
        equation: String,
    },
    /// Standard output cannot be written.
    #[error("cannot write the summary")]
    Output(#[source] std::io::Error),
    /// The answer cannot be written.
    #[error("cannot write {target}")]
    Answer {
        /// The file, or standard output.
        target: String,
        /// Why.
        source: std::io::Error,
    },
    /// Signal handlers cannot be installed.
    #[error("cannot install the signal handlers")]
    Signals(#[source] std::io::Error),
    /// The process cannot start its threads.
    #[error("cannot start the threads of the program")]
    Threads(#[source] std::io::Error),
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
            Self::Verify(error) => error.hint(),
            Self::Unbalanced { .. } => Some(
                "this is a bug in cloudtrail2sql, please report it; `cloudtrail2sql status` shows \
                 what is loaded"
                    .into(),
            ),
            Self::Answer { .. } | Self::Output(_) | Self::Signals(_) | Self::Threads(_) => None,
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
    /// Everything was loaded, unchanged.
    Complete,
    /// The run failed.
    Failed,
    /// Wrong usage or configuration.
    Usage,
    /// The run finished, but something was left out or replaced.
    LeftOut,
    /// The same, with the exit code 0, as `--exit-zero-on-losses` demands.
    LeftOutAccepted,
    /// A signal stopped the run.
    Interrupted,
}

impl Exit {
    /// Returns the same, or [`Exit::LeftOutAccepted`] instead of [`Exit::LeftOut`].
    #[must_use]
    pub fn accepting_losses(self, accepts: bool) -> Self {
        if accepts && self == Self::LeftOut { Self::LeftOutAccepted } else { self }
    }

    /// Returns the exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Complete | Self::LeftOutAccepted => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::LeftOut => 3,
            // 128 + 2, as shells report a process that SIGINT ended.
            Self::Interrupted => 130,
        }
    }

    /// Returns the word for it in the ledger and in the output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Failed | Self::Usage => "failed",
            Self::LeftOut | Self::LeftOutAccepted => "partial",
            Self::Interrupted => "interrupted",
        }
    }
}

/// Renders an error as it is printed: what failed, each cause, and a hint, each on one line
/// whatever names and messages of servers are part of it.
pub fn render(error: &RunError) -> String {
    let mut text = format!("error: {}", visible(&error.to_string()));
    let mut last = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let line = error.to_string();
        // Some libraries repeat their cause in their own words.
        if !last.contains(&line) {
            write!(text, "\n  caused by: {}", visible(&line))
                .expect("writing to a String cannot fail");
        }
        last = line;
        cause = error.source();
    }
    if let Some(hint) = error.hint() {
        write!(text, "\n\nhint: {}", visible(&hint)).expect("writing to a String cannot fail");
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
    fn an_error_is_rendered_with_its_causes_and_a_hint() {
        let source = Box::new(Outer(Inner(Repeated)));
        let hint = Some("try this".into());
        let error = RunError::from(DatabaseError::fatal("write a batch", source, hint));
        let expected = "error: cannot write a batch\n  caused by: outer\n  caused by: inner\n\n\
                        hint: try this";
        assert_eq!(render(&error), expected);
    }

    #[test]
    fn a_server_cannot_add_lines_to_an_error_or_control_the_terminal() {
        let answer = std::io::Error::other("no\u{1b}[2J\nobjects: 9 listed\u{9b}0m\u{202e}");
        let hint = Some("ask \u{1b}]0;title\u{7}".into());
        let error = RunError::from(DatabaseError::fatal("open x\ny", Box::new(answer), hint));
        let expected = "error: cannot open x\\ny\n  caused by: \
            no\\u{1b}[2J\\nobjects: 9 listed\\u{9b}0m\\u{202e}\n\nhint: ask \\u{1b}]0;title\\u{7}";
        assert_eq!(render(&error), expected);
    }
}
