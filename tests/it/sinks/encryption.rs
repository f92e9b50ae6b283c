//! Connections to a server on another machine.

use cloudtrail2sql::database::UpgradePolicy;
use sqlx::{Connection, MySqlConnection, PgConnection};

use super::objects::{RUN, batch, numbered};
use super::scratch::{Scratch, open};
use crate::databases::{Engine, promises};

promises! { async on servers: a_server_on_another_machine_must_offer_tls_unless_it_is_turned_off }

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
