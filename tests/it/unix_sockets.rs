//! Servers that are reached through a Unix socket instead of a port.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread;

use crate::binary::Place;
use crate::databases::{Engine, OwnDatabase, promises};

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sample");

promises! { on servers:
    a_database_is_made_and_filled_through_a_socket
}

/// Listens on the socket file, and passes everything on to the server.
fn forward(socket: &Path, engine: Engine) {
    let listener = UnixListener::bind(socket).unwrap();
    thread::spawn(move || {
        for program in listener.incoming().map_while(Result::ok) {
            let server = TcpStream::connect(engine.address()).unwrap();
            let (mut from_program, mut to_server) =
                (program.try_clone().unwrap(), server.try_clone().unwrap());
            thread::spawn(move || {
                let _ = io::copy(&mut from_program, &mut to_server);
                let _ = to_server.shutdown(Shutdown::Write);
            });
            thread::spawn(move || answer(server, program));
        }
    });
}

fn answer(mut server: TcpStream, mut program: UnixStream) {
    let _ = io::copy(&mut server, &mut program);
    let _ = program.shutdown(Shutdown::Both);
}

/// Imports into a database that is not there yet, several times, as a hasty farewell is chancy.
fn a_database_is_made_and_filled_through_a_socket(engine: Engine) {
    let folder = tempfile::tempdir().unwrap();
    // PostgreSQL's clients look for a file of this name.
    let socket = folder.path().join(".s.PGSQL.5432");
    forward(&socket, engine);
    for _ in 0..5 {
        let database = OwnDatabase::new(engine);
        let (login, _) = database.url.rsplit_once('@').unwrap();
        let url = match engine {
            Engine::Postgres => {
                format!("{login}@localhost/{}?host={}", database.name, folder.path().display())
            }
            _ => format!("{login}@localhost/{}?socket={}", database.name, socket.display()),
        };
        Place::with_database(&url).run(&["import", SAMPLE]).expect(0);
        assert_eq!(database.number("SELECT COUNT(*) FROM logs"), 1234);
    }
}
