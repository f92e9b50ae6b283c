//! A server without TLS that speaks MySQL's protocol, takes any password, and answers every statement
//! with the same bytes; and one that asks for the password in clear text.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// The server. It ends with the test.
#[derive(Debug)]
pub struct HostileMysql {
    pub address: SocketAddr,
    received: Arc<Mutex<Vec<u8>>>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// The packet of a result with 2^60 columns: an integer of eight bytes.
pub const MANY_COLUMNS: [u8; 9] = [0xfe, 0, 0, 0, 0, 0, 0, 0, 0x10];

/// Returns the packet of error 1064 with this text.
pub fn error_packet(text: &str) -> Vec<u8> {
    [&[0xff, 0x28, 0x04][..], b"#42000", text.as_bytes()].concat()
}

impl HostileMysql {
    /// Starts a server that answers every statement with the packet `answer`.
    pub fn start(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::serving(move |stream, _| serve(stream, &answer))
    }

    /// Starts a server that asks for the password in clear text, in MySQL's protocol or in
    /// PostgreSQL's, and keeps what it is sent.
    pub fn asking_for_password(is_postgres: bool) -> Self {
        Self::serving(move |stream, received| {
            if is_postgres {
                // The first message has its length and no type.
                let mut startup = [0; 4];
                stream.read_exact(&mut startup)?;
                stream.read_exact(&mut vec![0; u32::from_be_bytes(startup) as usize - 4])?;
                stream.write_all(b"R\0\0\0\x08\0\0\0\x03")?;
            } else {
                send(stream, 0, &greeting("mysql_clear_password"))?;
            }
            let mut buffer = [0; 1024];
            let bytes = stream.read(&mut buffer)?;
            received.lock().unwrap().extend_from_slice(&buffer[..bytes]);
            Ok(())
        })
    }

    /// Starts a server whose accounts log in with this plugin.
    pub fn with_plugin(plugin: &'static str) -> Self {
        Self::serving(move |stream, _| send(stream, 0, &greeting(plugin)))
    }

    /// Returns whether the server was sent this text.
    pub fn has_received(&self, text: &str) -> bool {
        String::from_utf8_lossy(&self.received.lock().unwrap()).contains(text)
    }

    fn serving(
        serve: impl Fn(&mut TcpStream, &Mutex<Vec<u8>>) -> std::io::Result<()> + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (is_over, received) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let (is_over_there, received_there) = (Arc::clone(&is_over), Arc::clone(&received));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if is_over_there.load(Ordering::Relaxed) {
                    return;
                }
                // The program may close the connection at any time.
                let _ = serve(&mut stream.unwrap(), &received_there);
            }
        });
        Self { address, received, is_over, thread: Some(thread) }
    }
}

impl Drop for HostileMysql {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Ok(stream) = TcpStream::connect(self.address) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(stream: &mut TcpStream, answer: &[u8]) -> std::io::Result<()> {
    send(stream, 0, &greeting("mysql_native_password"))?;
    receive(stream)?;
    send(stream, 2, &[0, 0, 0, 2, 0, 0, 0])?;
    loop {
        receive(stream)?;
        send(stream, 1, answer)?;
    }
}

fn greeting(plugin: &str) -> Vec<u8> {
    // Version 10; a connection's number, half of the nonce; PROTOCOL_41, CONNECT_WITH_DB,
    // TRANSACTIONS, SECURE_CONNECTION; utf8mb4; PLUGIN_AUTH; the rest of the nonce.
    [
        b"\x0a8.0.0\0\x01\0\0\0abcdefgh\0".as_slice(),
        &[0x08, 0xa2, 45, 2, 0, 0x08, 0, 21],
        &[0; 10],
        b"ijklmnopqrst\0",
        plugin.as_bytes(),
        b"\0",
    ]
    .concat()
}

fn send(stream: &mut TcpStream, number: u8, payload: &[u8]) -> std::io::Result<()> {
    let length = u32::try_from(payload.len()).unwrap().to_le_bytes();
    stream.write_all(&[&length[..3], &[number], payload].concat())
}

fn receive(stream: &mut TcpStream) -> std::io::Result<()> {
    let mut header = [0; 4];
    stream.read_exact(&mut header)?;
    let length = u32::from_le_bytes([header[0], header[1], header[2], 0]);
    stream.read_exact(&mut vec![0; length as usize])
}
