//! The program: parses the command line, runs the command, prints the error, exits.

use std::io::Write;
use std::process::ExitCode;

use cloudtrail2sql::cli::args::Cli;
use cloudtrail2sql::cli::commands;
use cloudtrail2sql::cli::config::Environment;
use cloudtrail2sql::cli::error::{Exit, RunError, render};

fn main() -> ExitCode {
    let cli = match Cli::from_args(std::env::args_os()) {
        Ok(cli) => cli,
        // Also prints help and version, which have their own exit code.
        Err(error) => error.exit(),
    };
    match run(&cli) {
        Ok(exit) => ExitCode::from(exit.code()),
        Err(error) => {
            // If standard error is closed, the exit code still reports the error; `eprintln!`
            // would panic.
            let _ = writeln!(std::io::stderr(), "{}", render(&error));
            ExitCode::from(error.exit().code())
        }
    }
}

fn run(cli: &Cli) -> Result<Exit, RunError> {
    commands::run(cli.settings(&Environment::of_process())?)
}
