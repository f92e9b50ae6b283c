//! What is left of an import if nothing is read, decoded or parsed: ready-made rows, sent to
//! PostgreSQL as fast as it takes them. No client that sends rows over connections is faster.

use std::fs::File;
use std::io::Read;

use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

use crate::databases::{folder_for_servers, server, with_tables};
use crate::measure::{Measured, Usage, with_server};
use crate::own_database::{Engine, OwnDatabase};

/// The first argument that turns this program into one that only sends files: `URL FILE…`.
pub const SEND: &str = "--send-only";

/// As many as an import has writers.
const CONNECTIONS: u64 = 2;

/// As much as an import sends at once.
const MESSAGE_BYTES: usize = 64 << 10;

/// The rows of a `logs` table in a file for each connection.
pub struct ReadyParts {
    folder: TempDir,
}

impl ReadyParts {
    /// Lets the server write the files.
    pub fn of(database: &OwnDatabase) -> Self {
        let parts = Self { folder: folder_for_servers() };
        let rows = database.number("SELECT COUNT(*) FROM logs").div_ceil(CONNECTIONS);
        for (part, file) in (0..).zip(parts.files()) {
            let select = format!("SELECT * FROM logs OFFSET {} LIMIT {rows}", part * rows);
            // Else a scan may begin where another one stopped, and read rows of both parts.
            let scan_in_order =
                "SET synchronize_seqscans = off; SET max_parallel_workers_per_gather = 0";
            database
                .query(&format!("{scan_in_order}; COPY ({select}) TO '{file}' (FORMAT binary)"));
        }
        parts
    }

    fn files(&self) -> Vec<String> {
        let file = |part| self.folder.path().join(format!("part{part}")).display().to_string();
        (0..CONNECTIONS).map(file).collect()
    }

    /// Sends them into a new database without indexes, measured.
    pub fn send(&self) -> Usage {
        let database = with_tables(Engine::Postgres, &["--no-index"]);
        let mut sender = Measured::new(&std::env::current_exe().unwrap());
        sender.command().arg(SEND).arg(&database.url).args(self.files());
        with_server(server(Engine::Postgres), || sender.run())
    }
}

/// Sends each file over a connection of its own.
pub fn send(url: &str, files: &[String]) {
    std::thread::scope(|scope| {
        for file in files {
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.unwrap().block_on(send_file(url, file));
            });
        }
    });
}

async fn send_file(url: &str, file: &str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let mut copy = connection.copy_in_raw("COPY logs FROM STDIN (FORMAT binary)").await.unwrap();
    let mut file = File::open(file).unwrap();
    let mut message = vec![0; MESSAGE_BYTES];
    loop {
        let bytes = file.read(&mut message).unwrap();
        if bytes == 0 {
            break;
        }
        copy.send(&message[..bytes]).await.unwrap();
    }
    copy.finish().await.unwrap();
    connection.close().await.unwrap();
}
