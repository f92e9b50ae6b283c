//! What was typed on the command line, and the help that says what can be typed.
//!
//! Fields hold the words of the user; `settings.rs` gives them their meaning in [`crate::cli::config`].
//! Nothing else reads these structs.

use std::convert::Infallible;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::cli::config::Environment;

mod help;
mod settings;

use self::help::{DATABASES, EXAMPLES, EXIT_CODES, IMPORT_EXAMPLES};

/// Imports AWS CloudTrail logs into SQLite, PostgreSQL, MySQL or MariaDB.
///
/// Every log file is loaded exactly once: a run that was stopped, for whatever reason, goes on
/// where it was when the same command is run again, and a run over what is loaded already adds
/// only what is new.
#[derive(Debug, Parser)]
#[command(name = "cloudtrail2sql", bin_name = "cloudtrail2sql", version, max_term_width = 100)]
#[command(after_help = "Use --help for databases, examples and exit codes.")]
#[command(after_long_help = [EXAMPLES, DATABASES, EXIT_CODES].join("\n\n"))]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Options of every command.
    #[command(flatten)]
    pub global: GlobalArgs,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Load CloudTrail logs from files, folders and S3.
    Import(Box<ImportArgs>),
    /// Build the indexes that are missing on the logs table.
    ///
    /// `import` does this at its end, unless `--no-index` is given. Indexes that exist are left
    /// as they are.
    Index,
    /// Show what is loaded, what failed and what was rejected.
    Status(StatusArgs),
    /// Print a completion script for a shell.
    ///
    /// For bash, in `~/.bashrc`: `source <(cloudtrail2sql completions bash)`
    Completions {
        /// The shell.
        shell: Shell,
    },
}

/// Options of every command.
#[derive(Debug, Default, Args)]
pub struct GlobalArgs {
    /// Database to load into, such as `sqlite://PATH` or `postgres://USER@HOST/DATABASE`
    ///
    /// Comes before `DATABASE_URL`, which comes before db.toml. Others on this machine can read a
    /// command line: keep a password in db.toml or in `DATABASE_URL`.
    #[arg(long, global = true, value_name = "URL", help_heading = "Where to")]
    pub database: Option<MaybeSecret>,

    /// Configuration file to read [default: db.toml, if there is one]
    ///
    /// It is not read if `--database` or `DATABASE_URL` names the database.
    #[arg(long, global = true, value_name = "FILE", help_heading = "Where to")]
    pub config: Option<PathBuf>,

    /// Print errors and the summary only
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = "Output")]
    pub quiet: bool,

    /// Log more: `-v` each object and batch, `-vv` what libraries say, too
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Output")]
    pub verbose: u8,

    /// Form of the summary on standard output
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "FORM",
        help_heading = "Output"
    )]
    pub output: Form,

    /// Form of the log on standard error
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "FORM",
        help_heading = "Output"
    )]
    pub log_format: Form,

    /// When to use colour
    ///
    /// With `auto`: on a terminal, unless `NO_COLOR` is set or `TERM` is `dumb`.
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "WHEN",
        help_heading = "Output"
    )]
    pub color: Color,
}

/// Arguments of `import`.
#[derive(Debug, Args)]
#[command(after_help = "Use --help for details, examples and exit codes.")]
#[command(after_long_help = [IMPORT_EXAMPLES, EXIT_CODES].join("\n\n"))]
pub struct ImportArgs {
    /// File, folder, `s3://BUCKET/KEY` or `s3://BUCKET/PREFIX/`
    ///
    /// A folder and a prefix stand for all that is below them. Whether a file is a CloudTrail log,
    /// and whether it is compressed, is seen from what is in it.
    #[arg(required = true, value_name = "SOURCE")]
    pub sources: Vec<OsString>,

    /// How to reach S3.
    #[command(flatten)]
    pub s3: S3Args,

    /// What of it.
    #[command(flatten)]
    pub choice: ChoiceArgs,

    /// How to load.
    #[command(flatten)]
    pub load: LoadArgs,
}

/// What to import of what the sources hold.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "What of it")]
pub struct ChoiceArgs {
    /// First day folder: 2026-01-15, a time, or 7d for seven days ago
    ///
    /// Days are those of the folders (…/2026/01/15/), in UTC. CloudTrail delivers late, so a file
    /// may hold events of the days before its folder's: ask for a day more to have all of them.
    /// With --from, --to, --account-id or --trail-region, only objects in CloudTrail's layout
    /// (AWSLogs/ACCOUNT/CloudTrail/REGION/YYYY/MM/DD/) are imported.
    #[arg(long, value_name = "DAY")]
    pub from: Option<String>,

    /// Last day folder; the same forms
    #[arg(long, value_name = "DAY")]
    pub to: Option<String>,

    /// Account whose logs to import; may be repeated
    #[arg(long, value_name = "ID")]
    pub account_id: Vec<String>,

    /// Region whose logs to import, not the bucket's; may be repeated
    #[arg(long, value_name = "REGION")]
    pub trail_region: Vec<String>,

    /// Import only the K-th of N equal parts, so that N machines share the work
    ///
    /// Which part an object is in, its name decides. The machines need not know of each other.
    #[arg(long, value_name = "K/N")]
    pub shard: Option<String>,
}

/// How to reach S3, in the words of the AWS CLI.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Where from")]
pub struct S3Args {
    /// Profile of the AWS configuration files
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,

    /// Region of the bucket [default: asked of S3]
    #[arg(long, value_name = "REGION")]
    pub region: Option<String>,

    /// Server that speaks S3, to use instead of AWS
    #[arg(long, value_name = "URL")]
    pub endpoint_url: Option<MaybeSecret>,

    /// Send requests without credentials, for public buckets
    #[arg(long)]
    pub no_sign_request: bool,

    /// Pay for the requests where the bucket's owner does not
    ///
    /// Takes the word `requester`, as in the AWS CLI, or nothing.
    #[arg(
        long,
        value_name = "requester",
        value_enum,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "requester",
        hide_possible_values = true
    )]
    pub request_payer: Option<Payer>,
}

/// How to load.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "How")]
pub struct LoadArgs {
    /// List and compare with what is loaded, but write nothing
    #[arg(long, conflicts_with = "upgrade_table")]
    pub dry_run: bool,

    /// What 1,000 LIST requests cost, in US dollars, for the bill of --dry-run
    ///
    /// The default is S3 Standard's in us-east-1, as of 2026.
    #[arg(long, value_name = "USD", default_value_t = 0.005)]
    pub list_price: f64,

    /// What 1,000 GET requests cost, in US dollars, for the bill of --dry-run
    #[arg(long, value_name = "USD", default_value_t = 0.0004)]
    pub get_price: f64,

    /// Leave the indexes to `cloudtrail2sql index`
    #[arg(long)]
    pub no_index: bool,

    /// Alter an older, narrow logs table if that is needed to lose nothing
    ///
    /// Without it, the run stops at such a table and prints the statements.
    #[arg(long)]
    pub upgrade_table: bool,

    /// How to send rows: `copy` is for PostgreSQL, `auto` is the fastest way
    #[arg(long, value_enum, default_value_t, value_name = "METHOD")]
    pub load_method: Method,

    /// Prefixes to list at once, 1 to 64
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub listers: usize,

    /// Objects to fetch at once, 1 to 256 [default: 128 from S3, the number of cores from disk]
    #[arg(long, value_name = "N")]
    pub fetchers: Option<usize>,

    /// Connections that write at once, 1 to 64 [default: 2 PostgreSQL, 3 MySQL/MariaDB, 1 SQLite]
    #[arg(long, value_name = "N")]
    pub writers: Option<usize>,

    /// Close a batch at this many rows; objects stay whole
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub batch_rows: usize,

    /// Close a batch at this size
    ///
    /// Sizes are written `1048576`, `8MiB`, `8MB` or `8M`, where `M` is the same as `MiB`.
    #[arg(long, value_name = "SIZE", default_value = "16MiB")]
    pub batch_bytes: String,

    /// Budget of all buffers in flight
    #[arg(long, value_name = "SIZE", default_value = "80MiB")]
    pub memory: String,

    /// Refuse an object that is larger than this once it is decompressed
    #[arg(long, value_name = "SIZE", default_value = "256MiB")]
    pub max_object_size: String,
}

/// Arguments of `status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// List the objects that could not be loaded, and why
    #[arg(long, group = "part")]
    pub failed: bool,

    /// List the records that were rejected, and why
    #[arg(long, group = "part")]
    pub rejected: bool,

    /// List the runs of `import`
    #[arg(long, group = "part")]
    pub runs: bool,

    /// Show at most this many lines, the newest first
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub limit: usize,
}

/// A URL as typed, which may hold a password: Debug shows none of it.
#[derive(Clone, PartialEq, Eq)]
pub struct MaybeSecret(String);

/// Form of what is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// If it is likely to be seen as such.
    #[default]
    Auto,
    /// Into files, too.
    Always,
    /// Not at all.
    Never,
}

/// How to send rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Method {
    /// The fastest that the database has.
    #[default]
    Auto,
    /// COPY in binary format; PostgreSQL only.
    Copy,
    /// INSERT with many rows a statement.
    Insert,
}

/// Who pays for requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Payer {
    /// Who sends them.
    Requester,
}

impl Cli {
    /// Parses the arguments, of which the first is the program's name.
    ///
    /// # Errors
    /// A [`clap::Error`] also stands for `--help` and `--version`; it knows its exit code.
    pub fn from_args(args: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        Self::try_parse_from(join_request_payer(args))
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

impl Color {
    /// Returns whether to colour what goes to a stream.
    ///
    /// `NO_COLOR` counts if it is not empty (no-color.org).
    pub fn is_on(self, is_terminal: bool, environment: &Environment) -> bool {
        let is_dumb = environment.variable("TERM").is_some_and(|term| term == "dumb");
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => is_terminal && !is_dumb && environment.variable("NO_COLOR").is_none(),
        }
    }
}

/// Writes the completion script for `shell`.
pub fn write_completions(shell: Shell, out: &mut dyn io::Write) -> io::Result<()> {
    // Generated into memory, because `generate` panics when a write fails, as in `… | head -1`.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "cloudtrail2sql", &mut script);
    out.write_all(&script)
}

/// Writes `--request-payer requester`, the AWS CLI's way, as `--request-payer=requester`.
///
/// A flag whose value may be left out would otherwise take a SOURCE after it for the value.
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
