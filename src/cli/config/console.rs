//! How the program prints its result and its log.

use clap::ValueEnum;

use super::environment::Environment;
use super::error::ConfigError;

/// How the program prints its result and its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Console {
    /// The form of the result on standard output.
    pub output: Form,
    /// The log on standard error.
    pub log: LogSettings,
    /// Whether a progress bar is shown on standard error; otherwise progress goes to the log.
    pub shows_bar: bool,
    /// The width of the terminal, if standard output is one.
    pub columns: Option<usize>,
}

/// What is logged, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogSettings {
    /// Whether only errors are logged.
    pub is_quiet: bool,
    /// 0: phases, warnings and errors; 1: also each object and batch; 2: also what libraries log.
    pub verbosity: u8,
    /// Text, or one JSON object per line.
    pub form: Form,
    /// Whether text is coloured.
    pub is_coloured: bool,
}

/// The form of what is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// The form of an answer, whose rows other programs read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum AnswerForm {
    /// For people.
    #[default]
    Text,
    /// One JSON value.
    Json,
    /// One JSON object a line.
    Jsonl,
    /// Comma-separated values (RFC 4180).
    Csv,
    /// Tab-separated values.
    Tsv,
}

impl AnswerForm {
    /// Returns the form of a result that is no list of rows.
    ///
    /// # Errors
    /// It has no such form.
    pub(crate) fn of_result(self) -> Result<Form, ConfigError> {
        match self {
            Self::Text => Ok(Form::Text),
            Self::Json => Ok(Form::Json),
            Self::Jsonl => Err(ConfigError::OnlyForAnswers("jsonl")),
            Self::Csv => Err(ConfigError::OnlyForAnswers("csv")),
            Self::Tsv => Err(ConfigError::OnlyForAnswers("tsv")),
        }
    }
}

/// When to use colour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal that supports it.
    #[default]
    Auto,
    /// Always, even into files.
    Always,
    /// Never.
    Never,
}

impl Console {
    /// Resolves the options.
    pub(crate) fn resolve(
        output: Form,
        (is_quiet, verbosity): (bool, u8),
        log_form: Form,
        color: Color,
        environment: &Environment,
    ) -> Self {
        let is_terminal = environment.is_terminal;
        let is_coloured = color.is_on(is_terminal, environment);
        Self {
            output,
            log: LogSettings { is_quiet, verbosity, form: log_form, is_coloured },
            columns: environment.columns,
            shows_bar: is_terminal && !is_quiet && log_form == Form::Text,
        }
    }
}

impl Color {
    /// Returns whether to colour what goes to a stream.
    ///
    /// `NO_COLOR` counts if it is not empty (no-color.org).
    pub(crate) fn is_on(self, is_terminal: bool, environment: &Environment) -> bool {
        let is_dumb = environment.variable("TERM").is_some_and(|term| term == "dumb");
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => is_terminal && !is_dumb && environment.variable("NO_COLOR").is_none(),
        }
    }
}
