//! What the process was started in.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::IsTerminal;
use std::path::PathBuf;

/// The environment variables, the current folder, and whether standard error is a terminal.
#[derive(Clone, Default)]
pub struct Environment {
    variables: HashMap<OsString, OsString>,
    /// The folder in which `db.toml` is looked for; empty for the process's own.
    pub(super) folder: PathBuf,
    /// Whether standard error is a terminal.
    pub(super) is_terminal: bool,
    /// The width of the terminal, if standard output is one.
    pub(super) columns: Option<usize>,
}

impl Environment {
    /// Returns the environment of this process.
    pub fn of_process() -> Self {
        Self {
            variables: std::env::vars_os().collect(),
            folder: PathBuf::new(),
            is_terminal: std::io::stderr().is_terminal(),
            columns: terminal_size::terminal_size_of(std::io::stdout())
                .map(|(width, _)| usize::from(width.0)),
        }
    }

    /// Makes an environment without a terminal, for tests.
    pub fn new<'v>(
        variables: impl IntoIterator<Item = (&'v str, &'v str)>,
        folder: impl Into<PathBuf>,
    ) -> Self {
        let variables = variables.into_iter().map(|(name, value)| (name.into(), value.into()));
        Self {
            variables: variables.collect(),
            folder: folder.into(),
            is_terminal: false,
            columns: None,
        }
    }

    /// Makes an environment whose one variable is not valid UTF-8.
    #[cfg(all(test, unix))]
    pub(super) fn with_bytes(variable: &str, bytes: Vec<u8>) -> Self {
        use std::os::unix::ffi::OsStringExt;
        let variables = HashMap::from([(variable.into(), OsString::from_vec(bytes))]);
        Self { variables, ..Self::default() }
    }

    /// Returns the value of a variable that is set and not empty.
    pub fn variable(&self, name: &str) -> Option<&OsStr> {
        self.variables.get(OsStr::new(name)).map(OsString::as_os_str).filter(|it| !it.is_empty())
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values may be secrets, so none is shown.
        write!(f, "Environment({} variables, folder {:?})", self.variables.len(), self.folder)
    }
}
