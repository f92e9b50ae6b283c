//! The definitions of the tables, the view and the indexes, as an administrator would run them.

use std::fmt::Write as _;

use super::migrate::CREATE_TABLE;
use super::migrations::migrations;
use super::schema::{alter_table_statements, create_index_statements};
use crate::database::indexes::INDEXES;
use crate::database::url::Engine;

/// Returns SQL that makes what an import makes.
pub(in crate::database) fn ddl(engine: Engine) -> String {
    const WRITABLE: &str = "writing to a String cannot fail";
    let name = match engine {
        Engine::Sqlite => "SQLite",
        Engine::Postgres => "PostgreSQL",
        Engine::Mysql => "MySQL and MariaDB",
    };
    let (version, now) = (env!("CARGO_PKG_VERSION"), jiff::Timestamp::now());
    let mut sql = format!(
        "-- The tables of cloudtrail2sql {version} for {name}. An account that imports into them needs no\n\
         -- right to create any.\n{CREATE_TABLE};\n"
    );
    for file in migrations(engine) {
        let insert = format!(
            "INSERT INTO import_migrations (version, name, finished_at) VALUES ({}, '{}', '{now}')",
            file.version, file.name
        );
        write!(sql, "\n{}\n{insert};\n", file.sql.trim_end()).expect(WRITABLE);
    }
    sql.push_str("\n-- Indexes. A load takes several times as long if they exist before it.\n");
    let statements = match engine {
        Engine::Mysql => alter_table_statements(&INDEXES),
        Engine::Sqlite | Engine::Postgres => create_index_statements(&INDEXES),
    };
    for (_, statement) in statements {
        writeln!(sql, "{statement};").expect(WRITABLE);
    }
    sql
}
