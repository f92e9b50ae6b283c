//! The command line as typed, and its help.
//!
//! The fields hold what the user typed. Only `settings.rs` reads them: it resolves them into the
//! [`Settings`](crate::cli::config::Settings) that the commands get.

use std::convert::Infallible;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::cli::config::{AnswerForm, Color, Form, defaults, spell_bytes, spell_duration};
use crate::database::redact::redacted;

mod help;

mod answers;

mod sources;

mod record_filter;

mod verify;

mod report;

mod manual;

mod settings;

use self::answers::{QueryArgs, SearchArgs};
use self::help::{DATABASES, EXAMPLES, EXIT_CODES, IMPORT_EXAMPLES};
use self::record_filter::RecordFilterArgs;
use self::report::ReportArgs;
use self::sources::{S3Args, SelectionArgs};
use self::verify::{VerifyArgs, VerifyOptions};

pub(crate) use self::manual::manual_pages;

/// Imports AWS CloudTrail logs into SQLite, PostgreSQL, MySQL or MariaDB.
///
/// Every log file is loaded exactly once. Run the same command again to resume a run that was
/// stopped or has failed, and to load the files that are new.
#[derive(Debug, Parser)]
#[command(name = "cloudtrail2sql", bin_name = "cloudtrail2sql", version, max_term_width = 100)]
#[command(after_help = "Use --help for databases, examples and exit codes.")]
#[command(after_long_help = [EXAMPLES, DATABASES, EXIT_CODES].join("\n\n"))]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    global: GlobalArgs,
}

/// The commands.
#[derive(Debug, Subcommand)]
enum Command {
    /// Load CloudTrail logs from files, folders and S3.
    Import(Box<ImportArgs>),
    /// Build the indexes that are missing on the logs table.
    ///
    /// `import` also does this at the end, unless `--no-index` is given. Existing indexes are not
    /// changed.
    Index,
    /// Show what is loaded, what failed and what was rejected.
    Status(StatusArgs),
    /// Print a record as it is in its file, and the file's location.
    Record {
        /// The `eventID` of the record.
        #[arg(value_name = "EVENT_ID")]
        event_id: String,
    },
    /// Answer a question by its name; without a name, list the questions.
    ///
    /// The answer is the same on every database. Only rights to read are needed.
    Query(Box<QueryArgs>),
    /// Find events, the newest first.
    ///
    /// `--output json` and `jsonl` print whole records. Only rights to read are needed.
    Search(Box<SearchArgs>),
    /// Write one HTML page with the answers that an investigation begins with.
    ///
    /// The page is one file without scripts, and opening it makes no request. Only rights to read are
    /// needed.
    Report(ReportArgs),
    /// Remove the rows of log files, so that they can be imported again.
    ///
    /// The rows, rejected records and ledger lines of a file are removed together. Run the same command
    /// again after an interruption.
    Forget(ForgetArgs),
    /// Report events that are there more than once, and remove all rows of them but the first.
    ///
    /// Two trails, copies of files and redelivery store an event twice. Rows are duplicates if they have
    /// the same `eventID` and the same content; a shared event of two accounts is none. Run the same
    /// command again after an interruption.
    Dedupe(DedupeArgs),
    /// Compare what is loaded with the digests that CloudTrail has signed.
    ///
    /// States for each account, region and day which log files are in the database unchanged, and for which
    /// hours nothing can be proven. Reads digests, and log files only if they were imported without
    /// `--verify`. The verdicts are stored, so that a digest which is deleted later is reported.
    Verify(VerifyArgs),
    /// Print the SQL that creates the tables, the view and the indexes.
    ///
    /// An administrator can run it, so that the importing account needs no right to create tables. The
    /// database need not exist.
    Schema,
    /// Print a completion script for a shell.
    ///
    /// For bash, in `~/.bashrc`: `source <(cloudtrail2sql completions bash)`
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Write a manual page for each command into a folder.
    ///
    /// The folder is created if it does not exist. After `cargo install`, `man` finds the pages that
    /// `cloudtrail2sql man ~/.cargo/share/man/man1` writes.
    Man {
        /// The folder.
        folder: PathBuf,
    },
}

/// Arguments of `forget`.
#[derive(Debug, Args)]
struct ForgetArgs {
    /// Files, folders or prefixes whose rows are removed, such as `s3://BUCKET/PREFIX/`
    ///
    /// `status --failed` and `record` print the names of files. What is on another S3 server begins with
    /// the server's URL instead of `s3://`, and what came from standard input with `stdin:`.
    #[arg(required = true, value_name = "SOURCE")]
    sources: Vec<OsString>,

    /// Count what would be removed, but remove nothing
    #[arg(long)]
    dry_run: bool,
}

/// Arguments of `dedupe`.
#[derive(Debug, Args)]
struct DedupeArgs {
    /// Remove the duplicates; without this option, nothing is written
    ///
    /// The row of the object that was loaded by the earliest run is kept, then that of the first object by
    /// name. The ledger counts the removed rows.
    #[arg(long)]
    delete: bool,

    /// List at most this number of folders, and of events whose rows have different content
    #[arg(long, value_name = "N", default_value_t = defaults::STATUS_LINES)]
    limit: usize,
}

/// Options of every command.
#[derive(Debug, Default, Args)]
struct GlobalArgs {
    /// Database to load into, such as `sqlite://PATH` or `postgres://USER@HOST/DATABASE`
    ///
    /// Overrides `DATABASE_URL`, which overrides db.toml. Other users of this machine can see
    /// command lines: put a password into db.toml or into `DATABASE_URL`.
    #[arg(long, global = true, value_name = "URL", help_heading = "Database")]
    database: Option<MaybeSecret>,

    /// Configuration file to read [default: db.toml, if it exists]
    ///
    /// The file is not read if `--database` or `DATABASE_URL` names the database.
    #[arg(long, global = true, value_name = "FILE", help_heading = "Database")]
    config: Option<PathBuf>,

    /// Repeat requests for this time while the database server is away
    ///
    /// Such as `90s`, `5m` or `1h`. A run ends with an error only after this time; what it has loaded
    /// stays loaded.
    #[arg(long, global = true, value_name = "DURATION", help_heading = "Database",
        default_value_t = spell_duration(defaults::RETRY_FOR))]
    retry_for: String,

    /// Print errors and the summary only
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = "Output")]
    quiet: bool,

    /// Log more: `-v` logs each object and batch, `-vv` also what libraries log
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Output")]
    verbose: u8,

    /// Form of the result on standard output; `query` and `search` also have `jsonl`, `csv` and `tsv`
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "FORM",
        help_heading = "Output"
    )]
    output: AnswerForm,

    /// Form of the log on standard error
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "FORM",
        help_heading = "Output"
    )]
    log_format: Form,

    /// When to use colour
    ///
    /// `auto` uses colour on a terminal, unless `NO_COLOR` is set or `TERM` is `dumb`.
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "WHEN",
        help_heading = "Output"
    )]
    color: Color,
}

/// Arguments of `import`.
#[derive(Debug, Args)]
#[command(after_help = "Use --help for details, examples and exit codes.")]
#[command(after_long_help = [IMPORT_EXAMPLES, EXIT_CODES].join("\n\n"))]
struct ImportArgs {
    /// File, folder, `s3://BUCKET/KEY`, `s3://BUCKET/PREFIX/`, or `-` for standard input
    ///
    /// A folder or a prefix includes everything below it. The content of a file decides whether it
    /// has records of CloudTrail and whether it is compressed, not its name. Standard input is one file,
    /// which is known by the hash of its content: the same content is loaded once.
    #[arg(required = true, value_name = "SOURCE")]
    sources: Vec<OsString>,

    #[command(flatten)]
    s3: S3Args,

    #[command(flatten)]
    selection: SelectionArgs,

    #[command(flatten)]
    filter: RecordFilterArgs,

    #[command(flatten)]
    load: LoadArgs,

    /// Verify what is loaded with the digests that CloudTrail has signed
    ///
    /// The contents are hashed while they are loaded. `cloudtrail2sql verify` does the same later, and
    /// describes the result.
    #[arg(long, help_heading = "Verification", conflicts_with_all = ["dry_run", "shard"])]
    verify: bool,

    #[command(flatten)]
    verification: VerifyOptions,
}

/// How to load.
#[derive(Debug, Args)]
#[command(next_help_heading = "Loading")]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
struct LoadArgs {
    /// List the objects and compare them with the ledger, but write nothing
    #[arg(long, conflicts_with = "upgrade_table")]
    dry_run: bool,

    /// Price of 1,000 LIST requests in US dollars, for the estimate of --dry-run
    ///
    /// The default is the price of S3 Standard in us-east-1 in 2026.
    #[arg(long, value_name = "USD", default_value_t = defaults::LIST_PRICE_USD)]
    list_price: f64,

    /// Price of 1,000 GET requests in US dollars, for the estimate of --dry-run
    #[arg(long, value_name = "USD", default_value_t = defaults::GET_PRICE_USD)]
    get_price: f64,

    /// Replace the rows of objects that changed after they were loaded
    ///
    /// Without this option, a changed object counts as failed, and the rows of its earlier content stay.
    #[arg(long)]
    replace_changed: bool,

    /// Do not build indexes; `cloudtrail2sql index` builds them later
    #[arg(long)]
    no_index: bool,

    /// Store only the tutorial's 16 columns of a record, not its other fields
    ///
    /// The table then has the size of the tutorial's. `record` and the view `events` lack what is not
    /// stored.
    #[arg(long)]
    no_other_fields: bool,

    /// Change a logs table that cannot hold every record: narrow columns, missing partitions or key
    ///
    /// Without this option, the run refuses such a table and prints the statements.
    #[arg(long)]
    upgrade_table: bool,

    /// End with exit code 0 instead of 3 if something was left out or replaced
    ///
    /// For job engines that would try again, which changes nothing. The losses are reported as ever, also
    /// by `status`.
    #[arg(long)]
    exit_zero_on_losses: bool,

    /// How to send rows: `copy` needs PostgreSQL, `auto` is the fastest method
    #[arg(long, value_enum, default_value_t, value_name = "METHOD")]
    load_method: Method,

    #[arg(
        long,
        value_name = "N",
        help = help::listers(),
        default_value_t = defaults::LISTERS
    )]
    listers: usize,

    #[arg(long, value_name = "N", help = help::fetchers())]
    fetchers: Option<usize>,

    #[arg(long, value_name = "N", help = help::writers())]
    writers: Option<usize>,

    /// Close a batch at this number of rows; objects are never split
    #[arg(long, value_name = "N", default_value_t = defaults::BATCH_ROWS)]
    batch_rows: usize,

    /// Close a batch at this size
    ///
    /// Write a size as `1048576`, `8MiB`, `8MB` or `8M`; `M` means the same as `MiB`.
    #[arg(long, value_name = "SIZE", default_value_t = spell_bytes(defaults::BATCH_BYTES))]
    batch_bytes: String,

    /// Budget of all buffers in flight
    #[arg(long, value_name = "SIZE", default_value_t = spell_bytes(defaults::MEMORY_BYTES))]
    memory: String,

    /// Refuse an object that is larger than this when decompressed
    #[arg(long, value_name = "SIZE", default_value_t = spell_bytes(defaults::OBJECT_BYTES))]
    max_object_size: String,
}

/// Arguments of `status`.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
struct StatusArgs {
    /// List the objects that could not be loaded or have changed since, and why
    #[arg(long, group = "part")]
    failed: bool,

    /// List the objects that were skipped because they hold no records, and what they are
    #[arg(long, group = "part")]
    skipped: bool,

    /// List the records that were rejected, and why
    #[arg(long, group = "part")]
    rejected: bool,

    /// List the runs of `import`
    #[arg(long, group = "part")]
    runs: bool,

    /// Print at most this number of lines, the newest first
    #[arg(long, value_name = "N", default_value_t = defaults::STATUS_LINES)]
    limit: usize,
}

/// A URL as typed, which may contain a password: Debug shows none of it.
#[derive(Clone, PartialEq, Eq)]
struct MaybeSecret(String);

/// How to send rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Method {
    /// The fastest method of the database.
    #[default]
    Auto,
    /// COPY in binary format; PostgreSQL only.
    Copy,
    /// INSERT with many rows per statement.
    Insert,
}

/// The payer of the requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Payer {
    /// The account that sends them.
    Requester,
}

impl Cli {
    /// Parses the arguments, of which the first is the program's name.
    ///
    /// # Errors
    /// `--help` and `--version` are returned as a [`clap::Error`], too; it has the exit code.
    pub fn from_args(args: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let args = join_request_payer(args);
        let error = match Self::try_parse_from(args.clone()) {
            Ok(cli) => return Ok(cli),
            Err(error) => error,
        };
        // The error quotes what it does not know, which may be a URL with a password.
        let shown: Vec<OsString> = args.iter().map(without_secrets).collect();
        if shown == args {
            return Err(error);
        }
        let without = Self::try_parse_from(shown).err();
        Err(without.unwrap_or_else(|| clap::Error::new(error.kind())))
    }
}

impl FromStr for MaybeSecret {
    type Err = Infallible;

    fn from_str(typed: &str) -> Result<Self, Infallible> {
        Ok(Self(typed.to_owned()))
    }
}

impl fmt::Debug for MaybeSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MaybeSecret(…)")
    }
}

/// Returns the completion script for `shell`.
pub(crate) fn completion_script(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "cloudtrail2sql", &mut script);
    String::from_utf8(script).expect("the names and the help are UTF-8")
}

/// Returns an argument as an error may show it.
fn without_secrets(arg: &OsString) -> OsString {
    arg.to_str().map_or_else(|| arg.clone(), |text| redacted(text).into_owned().into())
}

/// Joins `--request-payer requester`, as the AWS CLI writes it, to `--request-payer=requester`.
///
/// The value is optional, so that clap would otherwise take a SOURCE after the option for it.
fn join_request_payer(args: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut joined: Vec<OsString> = Vec::new();
    let mut is_over = false;
    for arg in args {
        is_over |= arg == "--";
        match joined.last_mut() {
            Some(last) if !is_over && last == "--request-payer" && arg == "requester" => {
                last.push("=requester");
            }
            _ => joined.push(arg),
        }
    }
    joined
}

#[cfg(test)]
mod tests;
