//! The program: parse, run, tell the error, exit.

use std::process::ExitCode;

use cloudtrail2sql::app;
use cloudtrail2sql::cli::Cli;
use cloudtrail2sql::config::Environment;
use cloudtrail2sql::error::{RunError, told};

#[expect(clippy::print_stderr, reason = "errors are told here")]
fn main() -> ExitCode {
    let cli = match Cli::from_args(std::env::args_os()) {
        Ok(cli) => cli,
        // Help and version are errors, too, with their own exit code.
        Err(error) => error.exit(),
    };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start\n  caused by: {error}");
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(app::run(cli, &Environment::of_process()));
    runtime.shutdown_timeout(app::SHUTDOWN_TIMEOUT);
    match outcome {
        Ok(exit) => ExitCode::from(exit.code()),
        // Who reads our output has had enough, as in `… | head -1`.
        Err(RunError::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{}", told(&error));
            ExitCode::from(error.exit().code())
        }
    }
}
