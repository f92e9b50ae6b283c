//! Carries out a round: starts its imports, lets happen what was drawn, and waits for the end.

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use sqlx::{Connection, SqliteConnection};

use super::plan::{Event, Kinds, Round, Way};
use crate::binary::{Place, Run, Running};
use crate::databases::{Engine, OwnDatabase};
use crate::proxy::Proxy;
use crate::s3_server::S3Server;
use crate::wait;

/// The time after which the faults end, so that each round ends: what cannot succeed in this time
/// may try as often as it likes.
const FAULTS_MAX: Duration = Duration::from_secs(15);

/// The pause between two looks at the imports.
const INTERVAL: Duration = Duration::from_millis(5);

/// What a round is carried out on.
pub(super) struct Stage<'s> {
    pub(super) place: &'s Place,
    /// The arguments that name the source.
    pub(super) source: &'s [&'s str],
    pub(super) server: Option<&'s S3Server>,
    pub(super) database: &'s OwnDatabase,
    pub(super) kinds: &'s Kinds,
    /// How long an import takes on this machine, roughly.
    pub(super) usual: Duration,
}

/// What happened to the imports of a round.
#[derive(Debug, Default)]
pub(super) struct Happened {
    /// What was done to imports that were running.
    pub(super) faults: Vec<&'static str>,
    /// Connections that the proxy cut.
    pub(super) cuts: u64,
    /// Faulty answers of S3.
    pub(super) answers: u64,
    /// The imports that were not killed.
    pub(super) runs: Vec<Run>,
}

/// The imports of a round; those that were killed are gone.
struct Imports(Vec<Running>);

impl Imports {
    fn have_ended(&mut self) -> bool {
        self.0.iter_mut().all(Running::has_ended)
    }

    /// Waits for the end of all of them, until the time is over.
    fn wait_until(&mut self, end: Instant) {
        while !self.have_ended() && Instant::now() < end {
            std::thread::sleep(INTERVAL);
        }
    }
}

impl Round {
    pub(super) fn carry_out(&self, stage: &Stage<'_>) -> Happened {
        let mut happened = Happened::default();
        let proxy = self.start_proxy(stage.kinds.engine);
        let database_url = &stage.database.url;
        let url = proxy.as_ref().map_or(database_url.clone(), |proxy| proxy.url(stage.database));
        let answers_before = stage.server.map_or(0, S3Server::faults_done);
        if let Some(server) = stage.server {
            self.s3.iter().for_each(|it| server.fail_every(it.op, it.fault, it.every));
            server.set_latency(self.latency);
        }
        let started = Instant::now();
        let start = |options: &Vec<String>| {
            let mut args = vec!["--output=json", "--database", &url, "import"];
            args.extend(options.iter().map(String::as_str));
            args.extend(stage.source);
            stage.place.start(&args)
        };
        let mut imports = Imports(self.imports.iter().map(start).collect());
        if self.imports.len() > 1 {
            happened.faults.push("at once");
        }
        let mut ending: Vec<JoinHandle<()>> = Vec::new();
        for (at, event) in &self.events {
            imports.wait_until(started + stage.usual.mul_f64(*at));
            if imports.have_ended() {
                break;
            }
            ending.extend(happened.let_happen(event, &mut imports, stage, proxy.as_ref()));
        }
        imports.wait_until(started + FAULTS_MAX);
        if let Some(proxy) = &proxy {
            proxy.heal();
        }
        if let Some(server) = stage.server {
            server.heal();
            server.set_latency(Duration::ZERO);
        }
        happened.runs = imports.0.into_iter().map(Running::end).collect();
        for thread in ending {
            thread.join().unwrap();
        }
        happened.cuts = proxy.map_or(0, |proxy| proxy.faults_done());
        happened.answers = stage.server.map_or(0, S3Server::faults_done) - answers_before;
        happened
    }

    fn start_proxy(&self, engine: Engine) -> Option<Arc<Proxy>> {
        if matches!(self.way, Way::Direct) {
            return None;
        }
        let proxy = Proxy::start(engine);
        match &self.way {
            Way::Direct | Way::Proxy => {}
            Way::SpoiledCommits(every, faults) => proxy.spoil_commits(*every, faults),
            Way::Cut(cuts) => proxy.cut_at_random(*cuts),
            Way::Slow(delay) => proxy.set_delay(*delay),
        }
        Some(Arc::new(proxy))
    }
}

impl Happened {
    /// Lets an event happen. Returns the thread that ends it, if it lasts.
    fn let_happen(
        &mut self,
        event: &Event,
        imports: &mut Imports,
        stage: &Stage<'_>,
        proxy: Option<&Arc<Proxy>>,
    ) -> Option<JoinHandle<()>> {
        let (mut name, mut thread) = (None, None);
        let left = imports.0.len();
        match event {
            Event::Kill(n) => name = imports.0.swap_remove(n % left).kill().then_some("kill"),
            Event::Signal(signal, n) => {
                if !imports.0[n % left].has_ended() {
                    imports.0[n % left].signal(signal);
                    name = Some(*signal);
                }
            }
            Event::EndSessions => {
                name = (stage.database.end_sessions() > 0).then_some("sessions ended");
            }
            Event::Crash(away) => {
                let crashes = stage.kinds.crashes.as_deref().expect("drawn only if it is there");
                thread = Some(crash(stage.kinds.engine, crashes, *away));
                name = Some("server killed");
            }
            Event::Unreachable(away) => {
                let (proxy, away) = (proxy.expect("drawn only with a proxy").clone(), *away);
                proxy.set_down(true);
                thread = Some(std::thread::spawn(move || {
                    std::thread::sleep(away);
                    proxy.set_down(false);
                }));
                name = Some("unreachable");
            }
            Event::Lock(held) => {
                thread = lock(stage.database, *held);
                name = thread.is_some().then_some("locked");
            }
        }
        self.faults.extend(name);
        thread
    }
}

/// Asks `tests/run` to kill the server of `engine` and to start it again after a while.
///
/// The thread ends when the server answers again.
fn crash(engine: Engine, crashes: &Path, away: Duration) -> JoinHandle<()> {
    let name = match engine {
        Engine::Sqlite => unreachable!("SQLite has no server"),
        Engine::Postgres => "postgres",
        Engine::Mysql => "mysql",
        Engine::Mariadb => "mariadb",
    };
    let (request, unfinished) = (crashes.join(name), crashes.join(format!(".{name}")));
    std::fs::write(&unfinished, format!("{:.3}\n", away.as_secs_f64())).unwrap();
    std::fs::rename(&unfinished, &request).unwrap();
    std::thread::spawn(move || {
        wait::until("the server is started again", || !request.exists());
        wait::until("the server answers", || engine.try_administer("SELECT 1").is_ok());
    })
}

/// Locks the file of `database` against writers for so long, if it is there and not locked.
fn lock(database: &OwnDatabase, held: Duration) -> Option<JoinHandle<()>> {
    let url = database.url.clone();
    let (sender, is_locked) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(async {
            let Ok(mut connection) = SqliteConnection::connect(&url).await else { return };
            if sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut connection).await.is_ok() {
                sender.send(()).unwrap();
                tokio::time::sleep(held).await;
            }
            connection.close().await.unwrap();
        });
    });
    is_locked.recv().is_ok().then_some(thread)
}
