//! Accounts that may do less than the administrator.

use super::scratch::Scratch;
use crate::databases::Engine;

/// A password with characters that URLs escape.
pub const PASSWORD: &str = "s3cret/Pa55:wörd@";
pub const PASSWORD_IN_URL: &str = "s3cret%2FPa55%3Aw%C3%B6rd%40";

/// A test's own account, dropped with its database.
pub struct Account {
    pub name: String,
    engine: Engine,
}

impl Account {
    /// Makes an account with no right but to connect, named after the database.
    pub fn new(scratch: &Scratch) -> Self {
        let name = format!("u{}", scratch.name);
        let engine = scratch.engine;
        let create = match engine {
            Engine::Postgres => format!("CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'"),
            _ => format!("CREATE USER {name}@'%' IDENTIFIED BY '{PASSWORD}'"),
        };
        engine.administer(&create);
        Self { name, engine }
    }

    /// Returns the URL of a database for this account.
    pub fn url(&self, scratch: &Scratch) -> String {
        with_user(&scratch.url, &self.name, PASSWORD_IN_URL)
    }

    /// Drops the account and what it owns in the database.
    pub fn drop(self, scratch: &Scratch) {
        if self.engine == Engine::Postgres {
            let drop_database = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", scratch.name);
            self.engine.administer(&drop_database);
            self.engine.administer(&format!("DROP ROLE {}", self.name));
        } else {
            self.engine.administer(&format!("DROP USER {}@'%'", self.name));
        }
    }
}

/// Returns a URL with another account.
pub fn with_user(url: &str, user: &str, password: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap();
    let (_, place) = rest.rsplit_once('@').unwrap();
    format!("{scheme}://{user}:{password}@{place}")
}
