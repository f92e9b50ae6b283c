//! What is left of an import if nothing is read, decoded or parsed: ready-made rows, sent to
//! PostgreSQL as fast as it takes them. No client that sends rows over connections is faster.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;

use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

use crate::databases::{server, with_tables};
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
        let folder = tempfile::tempdir().unwrap();
        // The server runs as another user.
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o777)).unwrap();
        let parts = Self { folder };
        let rows = database.number("SELECT COUNT(*) FROM logs").div_ceil(CONNECTIONS);
        for (part, file) in (0..).zip(parts.files()) {
            let select = format!("SELECT * FROM logs OFFSET {} LIMIT {rows}", part * rows);
            database.query(&format!("COPY ({select}) TO '{file}' (FORMAT binary)"));
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
