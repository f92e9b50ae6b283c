//! Encrypts connections to a PostgreSQL server whose certificate sqlx cannot read.
//!
//! Where a certificate is not verified, sqlx still reads it, to check that the server has its key. Its
//! library reads X.509 version 3 only, but `openssl x509 -req` makes version 1 without further options, as
//! in PostgreSQL's documentation. A certificate that anybody could have made proves nothing with its key
//! either, so this relay accepts it unread. It is used only where the mode verifies no certificate.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional_with_sizes};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;

/// How long the relay waits for the driver to connect.
const ACCEPT_MAX: Duration = Duration::from_secs(30);

/// How many bytes are copied at once.
const BUFFER_BYTES: usize = 64 << 10;

/// Documentation, "Message Formats": `SSLRequest`, with its length.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// Connects to a server with TLS. Returns an address of this machine that leads to it, for one connection
/// without TLS, which a task of its own serves until either connection ends.
pub(super) async fn relay_with_tls(host: &str, port: u16) -> io::Result<SocketAddr> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let mut server = TcpStream::connect((host, port)).await?;
    server.set_nodelay(true)?;
    server.write_all(&SSL_REQUEST).await?;
    if server.read_u8().await? != b'S' {
        return Err(io::Error::other("the server no longer supports TLS"));
    }
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    let mut server = TlsConnector::from(Arc::new(config())).connect(name, server).await?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        let accepted = tokio::time::timeout(ACCEPT_MAX, listener.accept()).await;
        let Ok(Ok((mut driver, _))) = accepted else { return };
        if driver.set_nodelay(true).is_ok() {
            // Whatever ends a connection ends the other: the driver reports it.
            let (from, to) = (&mut driver, &mut server);
            let _ = copy_bidirectional_with_sizes(from, to, BUFFER_BYTES, BUFFER_BYTES).await;
        }
    });
    Ok(address)
}

/// Returns whether a connection failed because of the server's certificate.
pub(super) fn is_certificate_refused(error: &sqlx::Error) -> bool {
    let sqlx::Error::Io(error) = error else { return false };
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
    matches!(cause, Some(rustls::Error::InvalidCertificate(_)))
}

fn config() -> ClientConfig {
    let provider = Arc::new(ring::default_provider());
    let verifier = Arc::new(AcceptUnread { provider: Arc::clone(&provider) });
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider supports the default versions of TLS")
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth()
}

/// Accepts every certificate without reading it.
#[derive(Debug)]
struct AcceptUnread {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for AcceptUnread {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
