//! The databases of the cases, and their own ways to load a file.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use cloudtrail2sql::trail::fields::COLUMNS;
use tempfile::TempDir;

use crate::measure::{Measured, Server, Usage, statement, with_server};
use crate::own_database::{Engine, OwnDatabase};

pub const ENGINES: [Engine; 4] = [Engine::Postgres, Engine::Mysql, Engine::Mariadb, Engine::Sqlite];

/// Returns the engine's name for people.
pub fn name(engine: Engine) -> &'static str {
    match engine {
        Engine::Sqlite => "SQLite",
        Engine::Postgres => "PostgreSQL",
        Engine::Mysql => "MySQL",
        Engine::Mariadb => "MariaDB",
    }
}

/// Returns what the engine says of itself.
pub fn version(engine: Engine) -> String {
    match engine {
        Engine::Postgres => scalar(engine, "SHOW server_version"),
        Engine::Mysql | Engine::Mariadb => scalar(engine, "SELECT version()"),
        Engine::Sqlite => {
            let database = with_tables(engine, &["--no-index"]);
            database.query("SELECT sqlite_version()")[0][0].clone().unwrap_or_default()
        }
    }
}

fn scalar(engine: Engine, sql: &str) -> String {
    engine.administer(sql)[0][0].clone().unwrap_or_default()
}

/// Returns the server's process, if there is one on this machine.
pub fn server(engine: Engine) -> Option<Server> {
    match engine {
        Engine::Sqlite => None,
        Engine::Postgres => {
            Server::parent_of(scalar(engine, "SELECT pg_backend_pid()").parse().ok()?)
        }
        Engine::Mysql | Engine::Mariadb => {
            let file = std::fs::read_to_string(scalar(engine, "SELECT @@pid_file")).ok()?;
            Server::running(file.trim().parse().ok()?)
        }
    }
}

/// Imports a source into the database, measured.
pub fn import(database: &OwnDatabase, source: &Path, args: &[&str]) -> Usage {
    let mut import = import_command(database, args);
    import.command().arg(source);
    with_server(server(database.engine), || import.run())
}

/// Returns the command that imports into the database, without a source.
pub fn import_command(database: &OwnDatabase, args: &[&str]) -> Measured {
    let mut import = Measured::new(Path::new(env!("CARGO_BIN_EXE_cloudtrail2sql")));
    let command = import.command();
    command.arg("import").args(args);
    command.env_clear().env("DATABASE_URL", &database.url);
    import
}

/// Makes our tables in a new database.
pub fn with_tables(engine: Engine, args: &[&str]) -> OwnDatabase {
    let database = OwnDatabase::new(engine);
    let nothing = tempfile::tempdir().unwrap();
    import(&database, nothing.path(), args);
    settle(engine);
    database
}

/// Lets the server finish what earlier work left to it.
pub fn settle(engine: Engine) {
    if engine == Engine::Postgres {
        engine.administer("CHECKPOINT");
    }
    std::thread::sleep(Duration::from_millis(500));
}

/// Makes a folder into which servers can write: they run as another user.
pub fn folder_for_servers() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o777)).unwrap();
    folder
}

/// Returns the columns of `logs` that an import fills, as a list in SQL.
fn columns() -> String {
    let own = ["otherFields", "eventAt", "identityId", "objectId"];
    [&COLUMNS[..], &own[..]].concat().join(", ")
}

/// The rows of a database's `logs` table as a file that the database itself loads fastest.
pub struct ReadyFile {
    folder: TempDir,
    engine: Engine,
}

impl ReadyFile {
    /// Writes the file, by the server if there is one.
    pub fn of(database: &OwnDatabase) -> Self {
        let file = Self { folder: folder_for_servers(), engine: database.engine };
        let path = file.path();
        match database.engine {
            Engine::Postgres => {
                database.query(&format!("COPY logs TO '{path}' (FORMAT binary)"));
            }
            Engine::Mysql | Engine::Mariadb => {
                database.query(&format!(
                    "SELECT {} FROM logs INTO OUTFILE '{path}' CHARACTER SET utf8mb4",
                    columns()
                ));
            }
            Engine::Sqlite => {
                file.sqlite(
                    &database.file(),
                    "",
                    &format!(".mode csv\n.output {path}\nSELECT * FROM logs;\n"),
                );
            }
        }
        file
    }

    fn path(&self) -> String {
        self.folder.path().join("logs").display().to_string()
    }

    /// Returns what loads it, for people.
    pub fn statement(engine: Engine) -> &'static str {
        match engine {
            Engine::Postgres => "`COPY … FROM 'file' (FORMAT binary)`",
            Engine::Mysql | Engine::Mariadb => "`LOAD DATA INFILE`",
            Engine::Sqlite => "`sqlite3 .import`",
        }
    }

    /// Loads it into a new database without indexes, measured.
    pub fn load(&self) -> Usage {
        let database = with_tables(self.engine, &["--no-index"]);
        let path = self.path();
        let load = match self.engine {
            Engine::Postgres => format!("COPY logs FROM '{path}' (FORMAT binary)"),
            Engine::Mysql | Engine::Mariadb => {
                format!(
                    "LOAD DATA INFILE '{path}' INTO TABLE logs CHARACTER SET utf8mb4 ({})",
                    columns()
                )
            }
            Engine::Sqlite => {
                // As our own connections have it.
                let settings = "PRAGMA journal_mode = TRUNCATE;\nPRAGMA synchronous = FULL;\n\
                                PRAGMA cache_size = -32768;\n";
                let import = format!(".mode csv\n.import {path} logs\n");
                return self.sqlite(&database.file(), settings, &import);
            }
        };
        with_server(server(self.engine), || statement(|| drop(database.query(&load))))
    }

    fn sqlite(&self, database: &Path, settings: &str, commands: &str) -> Usage {
        let script = self.folder.path().join("script");
        std::fs::write(&script, format!("{settings}{commands}")).unwrap();
        let mut shell = Measured::new(Path::new("sqlite3"));
        shell.command().args(["-batch", "-bail"]).arg(database);
        shell.command().stdin(std::fs::File::open(&script).unwrap());
        shell.run()
    }
}
