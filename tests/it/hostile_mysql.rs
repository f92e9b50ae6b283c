//! A server that speaks MySQL's protocol without TLS, takes any password, and answers every statement
//! with the same bytes.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// The server. It ends with the test.
#[derive(Debug)]
pub struct HostileMysql {
    pub address: SocketAddr,
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
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (is_over, answer) = (Arc::new(AtomicBool::new(false)), answer.into());
        let is_over_there = Arc::clone(&is_over);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if is_over_there.load(Ordering::Relaxed) {
                    return;
                }
                // The program may close the connection at any time.
                let _ = serve(&mut stream.unwrap(), &answer);
            }
        });
        Self { address, is_over, thread: Some(thread) }
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
    // Version 10; a connection's number, half of the nonce; PROTOCOL_41, CONNECT_WITH_DB,
    // TRANSACTIONS, SECURE_CONNECTION; utf8mb4; PLUGIN_AUTH; the rest of the nonce.
    let greeting = [
        b"\x0a8.0.0\0\x01\0\0\0abcdefgh\0".as_slice(),
        &[0x08, 0xa2, 45, 2, 0, 0x08, 0, 21],
        &[0; 10],
        b"ijklmnopqrst\0mysql_native_password\0",
    ]
    .concat();
    send(stream, 0, &greeting)?;
    receive(stream)?;
    send(stream, 2, &[0, 0, 0, 2, 0, 0, 0])?;
    loop {
        receive(stream)?;
        send(stream, 1, answer)?;
    }
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
