//! What ends an import.

use std::error::Error;
use std::fmt::Write as _;

use thiserror::Error;

use crate::database::DatabaseError;
use crate::source::SourceError;

/// Why an import could not continue. What was committed before stays.
#[derive(Debug, Error)]
pub enum ImportError {
    /// A source cannot be listed, or no object can be read from it.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The database cannot be used any more.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// Returns an error and its causes in one line.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut last = line.clone();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        // Some libraries repeat their cause in their own words.
        if !last.contains(&text) {
            write!(line, ": {text}").expect("writing to a String cannot fail");
        }
        last = text;
        cause = error.source();
    }
    line
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
    fn a_chain_names_each_cause_once() {
        assert_eq!(chain(&Outer(Inner(Repeated))), "outer: inner");
    }
}
