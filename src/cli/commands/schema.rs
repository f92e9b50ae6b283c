//! `schema`: prints the definition of the tables.

use crate::cli::error::{Exit, RunError};
use crate::cli::output::print_text;
use crate::database::{self, url::Engine};

/// Runs the command.
pub(super) fn run(engine: Engine) -> Result<Exit, RunError> {
    print_text(&database::ddl(engine))?;
    Ok(Exit::Complete)
}
