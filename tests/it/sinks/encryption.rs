//! Connections to a server on another machine.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use cloudtrail2sql::database::UpgradePolicy;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use sqlx::{Connection, MySqlConnection, PgConnection};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::objects::{RUN, batch, numbered};
use super::scratch::{Scratch, open};
use crate::databases::{Engine, promises};

promises! { async on servers: a_server_on_another_machine_must_offer_tls_unless_it_is_turned_off }

/// A certificate of X.509 version 1 and its key.
const VERSION_1: &[u8] = include_bytes!("../../fixtures/x509-version-1.pem");

/// Shows its certificate to everybody. rustls' own type would refuse to read it.
#[derive(Debug)]
struct Shown(Arc<CertifiedKey>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

/// Starts what looks like the PostgreSQL server with TLS and a certificate of version 1, and returns its
/// address.
async fn postgres_with_version_1() -> SocketAddr {
    let certificate = CertificateDer::from_pem_slice(VERSION_1).unwrap();
    let key = PrivateKeyDer::from_pem_slice(VERSION_1).unwrap();
    let key = ring::sign::any_supported_type(&key).unwrap();
    let shown = Shown(Arc::new(CertifiedKey::new(vec![certificate], key)));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let acceptor = TlsAcceptor::from(Arc::new(config.with_cert_resolver(Arc::new(shown))));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut request = [0; 8];
                client.read_exact(&mut request).await.unwrap();
                client.write_all(b"S").await.unwrap();
                // A client that does not like the certificate ends the connection.
                let Ok(mut client) = acceptor.accept(client).await else { return };
                let server = TcpStream::connect(Engine::Postgres.address()).await;
                let _ = copy_bidirectional(&mut client, &mut server.unwrap()).await;
            });
        }
    });
    address
}

#[tokio::test]
async fn a_certificate_that_is_not_verified_may_be_of_version_1() {
    let scratch = Scratch::created(Engine::Postgres);
    let address = postgres_with_version_1().await;
    let url = scratch.url.replace(&Engine::Postgres.address(), &address.to_string());
    for (n, mode) in (1..).zip(["prefer", "require"]) {
        let sink = open(&format!("{url}?sslmode={mode}"));
        sink.prepare(UpgradePolicy::Refuse).await.unwrap();
        sink.write(RUN, &batch(n, [numbered(mode, 10_000)])).await.unwrap();
        sink.close().await;
    }
    assert_eq!(scratch.counts().await, [20_000, 2, 0]);
    let refused = open(&format!("{url}?sslmode=verify-full")).has_ledger().await.unwrap_err();
    assert!(refused.hint.as_ref().is_some_and(|it| it.contains("`sslrootcert`")), "{refused:?}");
}

/// The unspecified address leads to this machine, but no rule says so.
fn elsewhere(url: &str) -> String {
    url.replace("@127.0.0.1", "@0.0.0.0").replace("@localhost", "@0.0.0.0")
}

async fn a_server_on_another_machine_must_offer_tls_unless_it_is_turned_off(engine: Engine) {
    let scratch = Scratch::created(engine);
    let [required, disabled, preferred] = if engine == Engine::Postgres {
        ["sslmode=require", "sslmode=disable", "sslmode=prefer"]
    } else {
        ["ssl-mode=REQUIRED", "ssl-mode=DISABLED", "ssl-mode=PREFERRED"]
    };
    let with_tls = format!("{}?{required}", scratch.url);
    let offers_tls = if engine == Engine::Postgres {
        PgConnection::connect(&with_tls).await.is_ok()
    } else {
        MySqlConnection::connect(&with_tls).await.is_ok()
    };
    let found = open(&elsewhere(&scratch.url)).has_ledger().await;
    if offers_tls {
        assert!(!found.unwrap());
    } else {
        let error = found.unwrap_err();
        assert!(error.hint.as_ref().is_some_and(|it| it.contains(disabled)), "{error:?}");
    }
    // On this machine, TLS is used where it is offered.
    assert!(!open(&scratch.url).has_ledger().await.unwrap());
    for (n, mode) in (1..).zip([disabled, preferred]) {
        let sink = open(&elsewhere(&format!("{}?{mode}", scratch.url)));
        sink.prepare(UpgradePolicy::Refuse).await.unwrap();
        // Larger than what the relay of an unencrypted connection copies at once.
        sink.write(RUN, &batch(n, [numbered(mode, 10_000)])).await.unwrap();
        sink.close().await;
    }
    assert_eq!(scratch.counts().await, [20_000, 2, 0]);
}
