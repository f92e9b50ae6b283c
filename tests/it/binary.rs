//! Runs of the real program, in a folder of its own and without the variables of this process.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write as _};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use regex_lite::Regex;
use serde_json::Value;
use tempfile::TempDir;

/// How long a test waits for the program. Only a program that hangs reaches it.
const TIMEOUT: Duration = Duration::from_mins(2);

/// A folder to run the program in, and the environment that it sees.
#[derive(Debug)]
pub struct Place {
    _folder: TempDir,
    path: PathBuf,
    variables: Vec<(String, String)>,
}

/// A run that has ended.
#[derive(Debug)]
pub struct Run {
    status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
    folder: PathBuf,
}

/// A program that is running. It is killed when dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    lines: Receiver<String>,
    stdout: JoinHandle<String>,
    stderr: String,
    folder: PathBuf,
}

impl Place {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // If the folder for temporary files is a link, the program shows its target.
        let path = fs::canonicalize(folder.path()).unwrap();
        // The SDK must not look for credentials on the network or in the home folder.
        let nowhere = [
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("AWS_CONFIG_FILE", "/nowhere"),
            ("AWS_SHARED_CREDENTIALS_FILE", "/nowhere"),
        ];
        let variables = nowhere.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Self { _folder: folder, path, variables }
    }

    /// Returns a place whose program loads into the database at `url`.
    pub fn with_database(url: &str) -> Self {
        let mut place = Self::new();
        place.set("DATABASE_URL", url);
        place
    }

    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a file, and the folders above it.
    pub fn write(&self, name: impl AsRef<Path>, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// Sets a variable of the program's environment.
    pub fn set(&mut self, variable: &str, value: &str) {
        self.variables.retain(|(name, _)| name != variable);
        self.variables.push((variable.to_owned(), value.to_owned()));
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cloudtrail2sql"));
        command.args(args).current_dir(&self.path).stdin(Stdio::null());
        command.env_clear().envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs the program to its end.
    pub fn run(&self, args: &[&str]) -> Run {
        self.start(args).end()
    }

    /// Runs the program to its end, with these bytes as its standard input.
    pub fn feed(&self, args: &[&str], input: &[u8]) -> Run {
        let mut command = self.command(args);
        command.stdin(Stdio::piped());
        let mut running = self.spawn(command);
        let mut stdin = running.child.stdin.take().unwrap();
        let input = input.to_vec();
        // A program that refuses its arguments does not read.
        let feeding = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let run = running.end();
        feeding.join().unwrap();
        run
    }

    /// Starts the program.
    pub fn start(&self, args: &[&str]) -> Running {
        self.spawn(self.command(args))
    }

    fn spawn(&self, mut command: Command) -> Running {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let stdout = std::thread::spawn(move || {
            let mut text = String::new();
            stdout.read_to_string(&mut text).unwrap();
            text
        });
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in stderr.lines() {
                let _ = sender.send(line.unwrap());
            }
        });
        Running { child, lines, stdout, stderr: String::new(), folder: self.path.clone() }
    }
}

impl Running {
    /// Waits until a line of standard error contains `text`; returns whether one came.
    pub fn reaches(&mut self, text: &str) -> bool {
        loop {
            match self.lines.recv_timeout(TIMEOUT) {
                Ok(line) => {
                    self.stderr.push_str(&line);
                    self.stderr.push('\n');
                    if line.contains(text) {
                        return true;
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return false,
                Err(RecvTimeoutError::Timeout) => self.give_up(),
            }
        }
    }

    fn give_up(&mut self) -> ! {
        let _ = self.child.kill();
        panic!("the program hangs after:\n{}", self.stderr);
    }

    /// Sends a signal, such as `INT`.
    pub fn signal(&self, name: &str) {
        // The standard library sends SIGKILL only; each shell has `kill`.
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Returns whether the program has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Ends the program as a power cut would; returns whether it had not ended before.
    pub fn kill(mut self) -> bool {
        let _ = self.child.kill();
        self.child.wait().unwrap().signal() == Some(9)
    }

    /// Waits for the end.
    pub fn end(self) -> Run {
        self.end_with_peak().0
    }

    /// Waits for the end; also returns the peak memory of the program, if the system reports it.
    pub fn end_with_peak(mut self) -> (Run, Option<u64>) {
        let status_file = format!("/proc/{}/status", self.child.id());
        let mut peak_bytes = None;
        let started = Instant::now();
        let status = loop {
            // VmHWM is the peak since the start, so only the very last moment is missed.
            peak_bytes = peak_bytes_of(&status_file).or(peak_bytes);
            match self.lines.recv_timeout(Duration::from_millis(5)) {
                Ok(line) => {
                    self.stderr.push_str(&line);
                    self.stderr.push('\n');
                }
                Err(RecvTimeoutError::Disconnected) => break self.child.wait().unwrap(),
                Err(RecvTimeoutError::Timeout) if started.elapsed() < TIMEOUT => {}
                Err(RecvTimeoutError::Timeout) => self.give_up(),
            }
        };
        let stdout = std::mem::replace(&mut self.stdout, std::thread::spawn(String::new));
        let run = Run {
            status,
            stdout: stdout.join().unwrap(),
            stderr: std::mem::take(&mut self.stderr),
            folder: std::mem::take(&mut self.folder),
        };
        (run, peak_bytes)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn peak_bytes_of(status_file: &str) -> Option<u64> {
    let status = fs::read_to_string(status_file).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}

impl Run {
    /// Returns the exit code; a run that a signal ended has none.
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| {
            panic!("ended by signal {:?}\n{}", self.status.signal(), self.shown())
        })
    }

    /// Returns the signal that ended the run, if one did.
    pub fn signal(&self) -> Option<i32> {
        self.status.signal()
    }

    /// Checks the exit code, and shows everything if it is another.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code(), code, "{}", self.shown());
        self
    }

    /// Reads standard output as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}\n{}", self.shown()))
    }

    /// Returns the whole output with the exit code, without what differs from run to run.
    pub fn shown(&self) -> String {
        let mut shown = format!("exit code: {}\n", self.status.code().unwrap_or(-1));
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !text.is_empty() {
                let text = steady(&losses_sorted(text), &self.folder);
                write!(shown, "──── {name}\n{text}").unwrap();
            }
        }
        shown
    }
}

/// Sorts the reported losses, because fetchers race.
fn losses_sorted(text: &str) -> String {
    let mut blocks: Vec<String> = Vec::new();
    for line in text.split_inclusive('\n') {
        match blocks.last_mut() {
            Some(block) if line.starts_with("  caused by: ") => block.push_str(line),
            _ => blocks.push(line.to_owned()),
        }
    }
    let starts = ["error: cannot load ", "error: rejected ", "error: replaced "];
    let is_loss = |block: &String| starts.iter().any(|start| block.starts_with(start));
    let mut losses: Vec<String> = blocks.iter().filter(|block| is_loss(block)).cloned().collect();
    losses.sort_unstable_by(|a, b| b.cmp(a));
    let place = |block| if is_loss(&block) { losses.pop().unwrap() } else { block };
    blocks.into_iter().map(place).collect()
}

/// Replaces what differs from run to run. A time and its replacement have the same width, so that
/// columns stay aligned.
fn steady(text: &str, folder: &Path) -> String {
    let mut text = text.replace(folder.to_str().unwrap(), "[folder]");
    for (pattern, replacement) in [
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", "[instant]"),
        (r"\b20[2-9]\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", "[instant-to-seconds]"),
        (r"\b20[2-9]\d-\d\d-\d\dT\d\d:\d\d:\d\d\b", "[instant-to-second]"),
        (r"\b\d\.\d\d s\b", "[time]"),
        (r"\b\d+\.\d s\b", "[time]"),
        (r#"("\w*seconds": )[0-9.e-]+"#, "${1}[seconds]"),
        (r#"("(id|run_id)": )\d{16}"#, "${1}[run]"),
        (r"127\.0\.0\.1:\d+", "127.0.0.1:[port]"),
        (r"\bt\d+_\d+_\d+\b", "[database]"),
    ] {
        text = Regex::new(pattern).unwrap().replace_all(&text, replacement).into_owned();
    }
    text
}

/// Compares a whole run with the one in `snapshots/`, and checks that no password is in it.
///
/// After an intended change: `INSTA_UPDATE=always`, then read the difference.
macro_rules! assert_shown {
    ($name:expr, $run:expr) => {{
        let run = $run;
        $crate::binary::assert_no_password(&run);
        insta::with_settings!({
            snapshot_path => concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/snapshots"),
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, { insta::assert_snapshot!($name, run.shown()) });
    }};
}
pub(crate) use assert_shown;

#[track_caller]
pub fn assert_no_password(run: &Run) {
    for variable in ["TEST_POSTGRES_URL", "TEST_MYSQL_URL", "TEST_MARIADB_URL"] {
        let url = std::env::var(variable).unwrap_or_default();
        let password = url.split(['@', ':']).nth(2).unwrap_or_default();
        let is_shown = !password.is_empty()
            && (run.stdout.contains(password) || run.stderr.contains(password));
        assert!(!is_shown, "the password is shown:\n{}{}", run.stdout, run.stderr);
    }
}

/// Returns standard output without a reader.
pub fn closed_pipe() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}
