//! What is done to the program in one round of a trial, drawn at random.

use std::path::PathBuf;
use std::time::Duration;

use fastrand::Rng;

use crate::databases::Engine;
use crate::proxy::{CommitFault, RandomCuts};
use crate::s3_server::{Fault, Op};

/// What a round may do.
#[derive(Debug, Clone)]
pub(super) struct Kinds {
    pub(super) engine: Engine,
    /// Whether the objects are in a bucket.
    pub(super) has_bucket: bool,
    /// The folder in which `tests/run --soak` takes requests to kill a server.
    pub(super) crashes: Option<PathBuf>,
}

/// A round: imports that are disturbed.
#[derive(Debug)]
pub(super) struct Round {
    /// The arguments of each import.
    pub(super) imports: Vec<Vec<String>>,
    pub(super) way: Way,
    pub(super) s3: Vec<S3Fault>,
    pub(super) latency: Duration,
    /// In the order in which they happen: the time is a fraction of the round's usual time.
    pub(super) events: Vec<(f64, Event)>,
}

/// The way to the database.
#[derive(Debug)]
pub(super) enum Way {
    Direct,
    Proxy,
    SpoiledCommits(u64, Vec<CommitFault>),
    Cut(RandomCuts),
    Slow(Duration),
}

/// One of `every` calls is answered with a fault.
#[derive(Debug)]
pub(super) struct S3Fault {
    pub(super) op: Op,
    pub(super) fault: Fault,
    pub(super) every: usize,
}

/// What happens at a random time.
#[derive(Debug)]
pub(super) enum Event {
    /// SIGKILL to one of the imports: the n-th of those that are left.
    Kill(usize),
    Signal(&'static str, usize),
    /// The server ends all sessions of the database.
    EndSessions,
    /// The server is killed, and is away for so long before it is started again.
    Crash(Duration),
    /// No connection to the server for so long.
    Unreachable(Duration),
    /// Another program locks the SQLite file for so long.
    Lock(Duration),
}

/// How long a server is away.
const AWAY_MS_MAX: u64 = 3_000;

impl Round {
    pub(super) fn draw(random: &mut Rng, kinds: &Kinds) -> Self {
        let imports = [1, 1, 1, 1, 1, 2, 2, 3][random.usize(0..8)];
        let mut round = Self {
            imports: (0..imports).map(|_| options(random, kinds.engine)).collect(),
            way: Way::Direct,
            s3: Vec::new(),
            latency: Duration::ZERO,
            events: Vec::new(),
        };
        if kinds.engine != Engine::Sqlite {
            round.way = way(random);
        }
        if kinds.has_bucket && random.usize(0..3) > 0 {
            round.s3 = (0..random.usize(1..=3)).map(|_| S3Fault::draw(random)).collect();
            round.latency = Duration::from_millis([0, 0, 5, 20][random.usize(0..4)]);
        }
        let is_quiet = imports == 1 && matches!(round.way, Way::Direct) && round.s3.is_empty();
        let events = random.usize(usize::from(is_quiet)..=3);
        round.events = (0..events).map(|_| round.event(random, kinds)).collect();
        round.events.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        round
    }

    fn event(&self, random: &mut Rng, kinds: &Kinds) -> (f64, Event) {
        let at = random.f64();
        let away = Duration::from_millis(random.u64(0..AWAY_MS_MAX));
        let n = random.usize(0..self.imports.len());
        let of_all =
            [Event::Kill(n), Event::Kill(n), Event::Signal("INT", n), Event::Signal("TERM", n)];
        let mut events = Vec::from(of_all);
        if kinds.engine == Engine::Sqlite {
            events.extend([Event::Lock(away), Event::Kill(n)]);
        } else {
            events.extend([Event::EndSessions, Event::EndSessions]);
            if !matches!(self.way, Way::Direct) {
                events.push(Event::Unreachable(away));
            }
            if kinds.crashes.is_some() {
                events.push(Event::Crash(away));
            }
        }
        (at, events.swap_remove(random.usize(0..events.len())))
    }
}

fn way(random: &mut Rng) -> Way {
    let cuts = |random: &mut Rng, asked_bytes_max, answered_bytes_max| {
        Way::Cut(RandomCuts { seed: random.u64(..), asked_bytes_max, answered_bytes_max })
    };
    match random.usize(0..10) {
        0..4 => Way::Direct,
        4 => Way::Proxy,
        5 | 6 => {
            let mut faults =
                vec![CommitFault::AnswerLost, CommitFault::NeverSent, CommitFault::CutAtOnce];
            random.shuffle(&mut faults);
            faults.truncate(random.usize(1..=3));
            Way::SpoiledCommits(random.u64(2..6), faults)
        }
        7 => {
            let bytes_max = random.u64(10_000..200_000);
            cuts(random, bytes_max, u64::MAX)
        }
        8 => {
            let bytes_max = random.u64(3_000..30_000);
            cuts(random, u64::MAX, bytes_max)
        }
        _ => Way::Slow(Duration::from_millis(random.u64(1..5))),
    }
}

impl S3Fault {
    fn draw(random: &mut Rng) -> Self {
        let op = [Op::GetObject, Op::GetObject, Op::GetObject, Op::ListObjectsV2];
        let op = op[random.usize(0..4)];
        let fault = match random.usize(0..9) {
            1 => Fault::Internal,
            2 => Fault::TooMany,
            3 => Fault::KmsThrottling,
            4 => Fault::Drop,
            5 => Fault::Cut(random.usize(0..400)),
            6 => Fault::End(random.usize(0..400)),
            // Rarely, because a large body takes until the program calls it too slow.
            7 if random.usize(0..8) == 0 => Fault::Drip(Duration::from_millis(1)),
            0 | 7 => Fault::SlowDown,
            _ if op == Op::GetObject => Fault::Flip,
            _ => Fault::Drop,
        };
        Self { op, fault, every: random.usize(2..8) }
    }
}

/// Returns options that change how the work is divided, but not what is loaded.
fn options(random: &mut Rng, engine: Engine) -> Vec<String> {
    // SQLite allows one writer.
    let writers = if engine == Engine::Sqlite { 1 } else { random.usize(1..=4) };
    let mut options = vec![
        format!("--batch-rows={}", [3, 7, 41, 999][random.usize(0..4)]),
        format!("--writers={writers}"),
        format!("--fetchers={}", [1, 4, 19][random.usize(0..3)]),
    ];
    if random.bool() {
        options.push("--no-index".to_owned());
    }
    options
}
