//! `completions`: prints a completion script for a shell.

use clap_complete::Shell;

use crate::cli::args::completion_script;
use crate::cli::error::{Exit, RunError};
use crate::cli::output::print_text;

/// Runs the command.
pub(super) fn run(shell: Shell) -> Result<Exit, RunError> {
    print_text(&completion_script(shell))?;
    Ok(Exit::Complete)
}
