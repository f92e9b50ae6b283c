//! The program: parse, run, tell the error, exit.

use std::io::Write;
use std::process::ExitCode;

use cloudtrail2sql::cli::args::Cli;
use cloudtrail2sql::cli::commands;
use cloudtrail2sql::cli::config::Environment;
use cloudtrail2sql::cli::error::told;

fn main() -> ExitCode {
    let cli = match Cli::from_args(std::env::args_os()) {
        Ok(cli) => cli,
        // Help and version are errors, too, with their own exit code.
        Err(error) => error.exit(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(commands::blocking_threads(&cli))
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            tell(&format!("error: cannot start\n  caused by: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(commands::run(cli, &Environment::of_process()));
    runtime.shutdown_timeout(commands::SHUTDOWN_TIMEOUT);
    match outcome {
        Ok(exit) => ExitCode::from(exit.code()),
        Err(error) => {
            tell(&told(&error));
            ExitCode::from(error.exit().code())
        }
    }
}

/// Writes to standard error. If nobody reads it, the exit code still tells; `eprintln!` would
/// panic.
fn tell(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
