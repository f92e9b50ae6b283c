//! What every sink promises, on SQLite, PostgreSQL, MySQL and MariaDB; and what only one of them
//! can get wrong.
//!
//! Each test has a database of its own on a real server, and looks at it past the program, with
//! sqlx. A server that is not named in the environment is a failure.

/// Makes a test of each promise on each of the databases.
macro_rules! promises {
    (on all: $($promise:ident)+) => {
        promises! { on [sqlite postgres mysql mariadb]: $($promise)+ }
    };
    (on servers: $($promise:ident)+) => {
        promises! { on [postgres mysql mariadb]: $($promise)+ }
    };
    (on $servers:tt: $($promise:ident)+) => {
        $(promises! { @one $promise $servers })+
    };
    (@one $promise:ident [$($server:ident)+]) => {
        mod $promise {
            $(#[tokio::test]
            async fn $server() {
                super::$promise($crate::sinks::server!($server)).await;
            })+
        }
    };
}

macro_rules! server {
    (sqlite) => {
        $crate::databases::Engine::Sqlite
    };
    (postgres) => {
        $crate::databases::Engine::Postgres
    };
    (mysql) => {
        $crate::databases::Engine::Mysql
    };
    (mariadb) => {
        $crate::databases::Engine::Mariadb
    };
}
use server;

mod commits;
mod indexes;
mod narrow_tables;
mod objects;
mod refusals;
mod runs;
mod scratch;
mod sizes;
mod tables;
mod tutorial;
mod values;
