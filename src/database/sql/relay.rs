//! Keeps a password from being sent in clear text over a network.
//!
//! sqlx sends it to a server that asks for it, encrypted connection or not. It cannot be asked to
//! refuse, so an unencrypted connection to another machine passes through this relay, which reads
//! what the server says until the login, and closes the connection if it asks for the password.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader, copy_buf};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// How long the relay waits for the driver to connect.
const ACCEPT_MAX: Duration = Duration::from_secs(30);

/// The largest message before the end of the login. Those of both protocols have less than 1 KiB.
const MESSAGE_BYTES_MAX: usize = 64 << 10;

/// How many bytes are copied at once.
const BUFFER_BYTES: usize = 64 << 10;

/// What the relay understands of a server's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Postgres,
    Mysql,
}

/// An address of this machine that leads to a server, for one connection.
pub(super) struct Relay {
    pub(super) address: SocketAddr,
    has_refused: Arc<AtomicBool>,
}

impl Relay {
    /// Connects to a server, and waits for the driver in a task of its own, which ends with either
    /// connection.
    pub(super) async fn to(host: &str, port: u16, protocol: Protocol) -> io::Result<Self> {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let server = TcpStream::connect((host, port)).await?;
        server.set_nodelay(true)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let has_refused = Arc::new(AtomicBool::new(false));
        let refuses = Arc::clone(&has_refused);
        tokio::spawn(async move {
            let Ok(Ok((driver, _))) = tokio::time::timeout(ACCEPT_MAX, listener.accept()).await
            else {
                return;
            };
            // Whatever ends a connection ends the other: the driver reports it.
            let _ = relay(driver, server, protocol, &refuses).await;
        });
        Ok(Self { address, has_refused })
    }

    /// Returns the result of a connection over this relay, with the reason if it was refused.
    pub(super) fn explain<T>(&self, connected: Result<T, sqlx::Error>) -> Result<T, sqlx::Error> {
        connected.map_err(|error| {
            if !self.has_refused.load(Ordering::Acquire) {
                return error;
            }
            let text = "the server asks for the password in clear text, but the connection is not \
                        encrypted: use TLS (`sslmode=require`, `ssl-mode=REQUIRED`)";
            sqlx::Error::Configuration(text.into())
        })
    }
}

async fn relay(
    driver: TcpStream,
    server: TcpStream,
    protocol: Protocol,
    has_refused: &AtomicBool,
) -> io::Result<()> {
    driver.set_nodelay(true)?;
    let (driver_read, mut driver_write) = driver.into_split();
    let (server_read, mut server_write) = server.into_split();
    let mut server_read = BufReader::with_capacity(BUFFER_BYTES, server_read);
    let mut driver_read = BufReader::with_capacity(BUFFER_BYTES, driver_read);
    let down = async {
        let asks = match protocol {
            Protocol::Postgres => pass_postgres_login(&mut server_read, &mut driver_write).await?,
            Protocol::Mysql => pass_mysql_greeting(&mut server_read, &mut driver_write).await?,
        };
        if asks {
            has_refused.store(true, Ordering::Release);
            return Ok(0);
        }
        copy_buf(&mut server_read, &mut driver_write).await
    };
    tokio::select! {
        ended = down => ended.map(drop),
        ended = copy_buf(&mut driver_read, &mut server_write) => ended.map(drop),
    }
}

/// Passes the server's messages on until the login has succeeded or failed. Returns whether it asks
/// for the password in clear text (documentation, "Message Formats": `AuthenticationCleartextPassword`).
async fn pass_postgres_login(
    server: &mut BufReader<OwnedReadHalf>,
    driver: &mut OwnedWriteHalf,
) -> io::Result<bool> {
    const OK: u32 = 0;
    const CLEAR_TEXT: u32 = 3;
    loop {
        let mut header = [0; 5];
        server.read_exact(&mut header).await?;
        let length = u32::from_be_bytes([header[1], header[2], header[3], header[4]]);
        let body = read_body(server, (length as usize).saturating_sub(4)).await?;
        let request = body.first_chunk().map(|code| u32::from_be_bytes(*code));
        if (header[0], request) == (b'R', Some(CLEAR_TEXT)) {
            return Ok(true);
        }
        driver.write_all(&[&header[..], &body].concat()).await?;
        if header[0] == b'E' || (header[0], request) == (b'R', Some(OK)) {
            return Ok(false);
        }
    }
}

/// Passes the server's greeting on. Returns whether it names the plugin for passwords in clear text.
/// If a later packet names it, sqlx refuses.
async fn pass_mysql_greeting(
    server: &mut BufReader<OwnedReadHalf>,
    driver: &mut OwnedWriteHalf,
) -> io::Result<bool> {
    let mut header = [0; 4];
    server.read_exact(&mut header).await?;
    let length = u32::from_le_bytes([header[0], header[1], header[2], 0]);
    let body = read_body(server, length as usize).await?;
    if memchr::memmem::find(&body, b"mysql_clear_password").is_some() {
        return Ok(true);
    }
    driver.write_all(&[&header[..], &body].concat()).await?;
    Ok(false)
}

async fn read_body(server: &mut BufReader<OwnedReadHalf>, length: usize) -> io::Result<Vec<u8>> {
    if length > MESSAGE_BYTES_MAX {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut body = vec![0; length];
    server.read_exact(&mut body).await?;
    Ok(body)
}
