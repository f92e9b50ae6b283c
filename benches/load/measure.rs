//! Wall time, CPU time and peak memory of a process, and the CPU time of a server.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use serde::{Deserialize, Serialize};

/// The first argument that turns this program into a [`wrapper`].
pub const WRAPPER: &str = "--measured";

/// What one run of one side took.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    pub wall: Duration,
    /// CPU time of the program, user and system; zero if the server did all the work.
    pub client_cpu: Duration,
    /// CPU time of the database server.
    pub server_cpu: Duration,
    /// Peak resident memory of the program.
    pub peak_bytes: u64,
}

/// What a [`wrapper`] writes.
#[derive(Debug, Serialize, Deserialize)]
struct ChildUsage {
    cpu_ms: u64,
    peak_kib: u64,
}

/// Runs a command in a small process of its own, so that the figures of `getrusage` are the
/// command's alone: `--measured FILE PROGRAM ARGS…`.
pub fn wrapper(args: &[String]) -> ExitCode {
    let [file, program, args @ ..] = args else { return ExitCode::from(2) };
    let status = Command::new(program).args(args).status().unwrap();
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
    let usage =
        ChildUsage { cpu_ms: cpu_ms(&usage), peak_kib: usage.max_rss().try_into().unwrap() };
    std::fs::write(file, serde_json::to_vec(&usage).unwrap()).unwrap();
    if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Returns the CPU time of this process so far.
pub fn own_cpu() -> Duration {
    Duration::from_millis(cpu_ms(&getrusage(UsageWho::RUSAGE_SELF).unwrap()))
}

fn cpu_ms(usage: &nix::sys::resource::Usage) -> u64 {
    (usage.user_time() + usage.system_time()).num_milliseconds().try_into().unwrap()
}

/// A command that is measured when it runs.
pub struct Measured {
    command: Command,
    file: PathBuf,
    _folder: tempfile::TempDir,
}

impl Measured {
    /// Returns the command, with nothing on its standard streams.
    pub fn new(program: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("usage.json");
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg(WRAPPER).arg(&file).arg(program);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self { command, file, _folder: folder }
    }

    /// Returns the command, to add arguments and variables.
    pub fn command(&mut self) -> &mut Command {
        &mut self.command
    }

    /// Runs it to its end, which must be a good one; `watch` may look at its streams meanwhile.
    pub fn run_watched(mut self, watch: impl FnOnce(&mut std::process::Child)) -> Usage {
        let started = Instant::now();
        let mut child = self.command.spawn().unwrap();
        watch(&mut child);
        let status = child.wait().unwrap();
        let wall = started.elapsed();
        assert!(status.success(), "{:?}", self.command);
        let usage: ChildUsage =
            serde_json::from_slice(&std::fs::read(&self.file).unwrap()).unwrap();
        let (client_cpu, peak_bytes) = (Duration::from_millis(usage.cpu_ms), usage.peak_kib << 10);
        Usage { wall, client_cpu, peak_bytes, ..Usage::default() }
    }

    /// Runs it to its end, which must be a good one.
    pub fn run(self) -> Usage {
        self.run_watched(|_| {})
    }
}

/// Measures what a server does while `work` runs.
pub fn with_server(server: Option<Server>, work: impl FnOnce() -> Usage) -> Usage {
    let before = server.map(Server::cpu);
    let usage = work();
    let spent = server.zip(before).map(|(server, before)| server.cpu().saturating_sub(before));
    Usage { server_cpu: spent.unwrap_or_default(), ..usage }
}

/// Measures a statement that the server works through alone.
pub fn statement(work: impl FnOnce()) -> Usage {
    let started = Instant::now();
    work();
    Usage { wall: started.elapsed(), ..Usage::default() }
}

/// A database server's process on this machine.
#[derive(Debug, Clone, Copy)]
pub struct Server {
    pid: u32,
}

impl Server {
    /// Returns the server that runs this process; `None` if it is not on this machine.
    pub fn running(pid: u32) -> Option<Self> {
        Path::new("/proc").join(pid.to_string()).exists().then_some(Self { pid })
    }

    /// Returns the parent of one of its processes.
    pub fn parent_of(pid: u32) -> Option<Self> {
        Self::running(Stat::of(pid)?.parent)
    }

    /// Returns the CPU time of the process, of its children that ended, and of those that live.
    fn cpu(self) -> Duration {
        let processes = std::fs::read_dir("/proc").unwrap();
        let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let stats = pids.filter_map(Stat::of);
        let ticks: u64 = stats
            .filter(|stat| stat.pid == self.pid || stat.parent == self.pid)
            .map(|stat| stat.ticks + if stat.pid == self.pid { stat.children_ticks } else { 0 })
            .sum();
        // USER_HZ, which is 100 on every architecture that Rust's Linux targets have.
        Duration::from_millis(ticks * 10)
    }
}

/// A line of `/proc/PID/stat` (`proc_pid_stat(5)`).
struct Stat {
    pid: u32,
    parent: u32,
    ticks: u64,
    children_ticks: u64,
}

impl Stat {
    fn of(pid: u32) -> Option<Self> {
        let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The command's name is in parentheses and may hold anything.
        let (_, fields) = text.rsplit_once(") ")?;
        let fields: Vec<&str> = fields.split(' ').collect();
        let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
        Some(Self {
            pid,
            parent: number(4)?.try_into().ok()?,
            ticks: number(14)? + number(15)?,
            children_ticks: number(16)? + number(17)?,
        })
    }
}
