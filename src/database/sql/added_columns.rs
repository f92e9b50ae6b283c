//! The columns that existing tables may lack, and the statements that add them.

use super::schema::{ColumnInfo, LOGS, OBJECTS, RUNS, SchemaMismatch};
use crate::database::url::Engine;

/// A column that a table of an earlier version, or a `logs` table of the user's, may lack. It is added
/// before rows are loaded, which changes nothing but the definition of the table.
#[derive(Debug, Clone, Copy)]
pub(super) struct AddedColumn {
    pub(super) table: &'static str,
    pub(super) name: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
    mysql: &'static str,
    is_unique: bool,
}

/// MySQL from 8.0.23 and MariaDB from 10.3 hide the column from `SELECT *`, and from an INSERT without
/// a list of columns, as other programs may write one.
macro_rules! invisible {
    ($column_type:literal) => {
        concat!($column_type, " /*!80023 INVISIBLE */ /*M!100303 INVISIBLE */")
    };
}

/// The columns that are added to existing tables.
pub(super) const ADDED_COLUMNS: [AddedColumn; 14] = [
    AddedColumn {
        table: LOGS.name,
        name: "otherFields",
        sqlite: "text",
        postgres: "text COLLATE \"C\"",
        mysql: invisible!("longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"),
        is_unique: false,
    },
    AddedColumn {
        table: LOGS.name,
        name: "eventAt",
        sqlite: "text",
        postgres: "timestamp",
        mysql: invisible!("datetime"),
        is_unique: false,
    },
    AddedColumn {
        table: LOGS.name,
        name: "identityId",
        sqlite: "integer",
        postgres: "bigint",
        mysql: invisible!("bigint"),
        is_unique: false,
    },
    AddedColumn {
        table: LOGS.name,
        name: "objectId",
        sqlite: "integer",
        postgres: "bigint",
        mysql: invisible!("bigint"),
        is_unique: false,
    },
    AddedColumn {
        table: OBJECTS.name,
        name: "number",
        sqlite: "integer",
        postgres: "bigint",
        mysql: "bigint",
        is_unique: true,
    },
    AddedColumn {
        table: OBJECTS.name,
        name: "duplicate_count",
        sqlite: "integer",
        postgres: "bigint",
        mysql: "bigint",
        is_unique: false,
    },
    AddedColumn {
        table: OBJECTS.name,
        name: "kept_for",
        sqlite: "text",
        postgres: "text",
        mysql: "longtext",
        is_unique: false,
    },
    AddedColumn {
        table: OBJECTS.name,
        name: "filters",
        sqlite: "text",
        postgres: "text",
        mysql: "longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        is_unique: false,
    },
    AddedColumn {
        table: OBJECTS.name,
        name: "filtered_count",
        sqlite: "integer",
        postgres: "bigint",
        mysql: "bigint",
        is_unique: false,
    },
    AddedColumn {
        table: OBJECTS.name,
        name: "content_sha256",
        sqlite: "text",
        postgres: "text",
        mysql: "char(64)",
        is_unique: false,
    },
    AddedColumn {
        table: RUNS.name,
        name: "filtered_count",
        sqlite: "integer",
        postgres: "bigint",
        mysql: "bigint",
        is_unique: false,
    },
    AddedColumn {
        table: RUNS.name,
        name: "selection",
        sqlite: "text",
        postgres: "text",
        mysql: "mediumtext",
        is_unique: false,
    },
    AddedColumn {
        table: RUNS.name,
        name: "shard",
        sqlite: "text",
        postgres: "text",
        mysql: "varchar(40)",
        is_unique: false,
    },
    AddedColumn {
        table: RUNS.name,
        name: "job",
        sqlite: "text",
        postgres: "text",
        mysql: "mediumtext",
        is_unique: false,
    },
];

impl AddedColumn {
    /// Returns its type in an engine's DDL.
    fn column_type(&self, engine: Engine) -> &'static str {
        match engine {
            Engine::Sqlite => self.sqlite,
            Engine::Postgres => self.postgres,
            Engine::Mysql => self.mysql,
        }
    }

    /// Returns whether a column of this type, as the database lists it, is ours.
    fn is_of_type(&self, engine: Engine, found: &str) -> bool {
        let ours = self.column_type(engine);
        let ours = ours.split_once(' ').map_or(ours, |(name, _)| name);
        // PostgreSQL lists `timestamp without time zone`, MySQL 5.7 and MariaDB `bigint(20)`.
        found.to_ascii_lowercase().starts_with(ours)
    }
}

/// Returns the statements that add those of [`ADDED_COLUMNS`] that a table lacks, and the difference
/// if it has one of another type. `found` are the columns of the table; if there are none, it does not
/// exist.
pub(super) fn statements_of_added_columns(
    engine: Engine,
    table: &str,
    found: &[ColumnInfo],
) -> Result<Vec<String>, SchemaMismatch> {
    let (mut adds, mut statements) = (Vec::new(), Vec::new());
    for column in ADDED_COLUMNS.iter().filter(|column| column.table == table && !found.is_empty()) {
        let name = column.name;
        match found.iter().find(|it| it.name.eq_ignore_ascii_case(name)) {
            Some(existing) if column.is_of_type(engine, &existing.column_type) => {}
            Some(existing) => {
                return Err(SchemaMismatch::beyond_repair(format!(
                    "column `{name}` of the `{table}` table is {}, not {}",
                    existing.column_type,
                    column.column_type(engine)
                )));
            }
            None => {
                let mut add = format!("ADD COLUMN {name} {}", column.column_type(engine));
                if column.is_unique && engine == Engine::Sqlite {
                    statements
                        .push(format!("CREATE UNIQUE INDEX {table}_{name} ON {table} ({name})"));
                } else if column.is_unique {
                    add.push_str(" UNIQUE");
                }
                adds.push(add);
            }
        }
    }
    let mut alters = match engine {
        // SQLite adds one column at a time.
        Engine::Sqlite => adds.iter().map(|add| format!("ALTER TABLE {table} {add}")).collect(),
        _ if adds.is_empty() => Vec::new(),
        _ => vec![format!("ALTER TABLE {table} {}", adds.join(", "))],
    };
    alters.append(&mut statements);
    Ok(alters)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(name: &str, column_type: &str) -> ColumnInfo {
        let (name, column_type) = (name.to_owned(), column_type.to_owned());
        ColumnInfo { name, column_type, charset: String::new(), is_optional: true }
    }

    #[test]
    fn a_new_table_has_the_columns() {
        let mysql = include_str!("../../../migrations/mysql/0001_tables.sql");
        let postgres = include_str!("../../../migrations/postgres/0001_tables.sql");
        let sqlite = include_str!("../../../migrations/sqlite/0001_tables.sql");
        for column in ADDED_COLUMNS {
            for (sql, column_type) in
                [(mysql, column.mysql), (postgres, column.postgres), (sqlite, column.sqlite)]
            {
                let mut lines = sql.lines().map(|line| line.split_whitespace().take(2));
                let is_there = lines.any(|mut words| {
                    let ours = column_type.split(' ').next();
                    words.next() == Some(column.name)
                        && words.next().map(|it| it.trim_end_matches(',').to_ascii_lowercase())
                            == ours.map(str::to_owned)
                });
                assert!(is_there, "{} {column_type}", column.name);
            }
        }
    }

    #[test]
    fn the_columns_that_a_table_lacks_are_added() {
        let columns = |names: &[&str]| names.iter().map(|it| info(it, "text")).collect::<Vec<_>>();
        let statements = |engine, table, found: &[ColumnInfo]| {
            statements_of_added_columns(engine, table, found).map_err(|it| it.difference)
        };
        for engine in [Engine::Sqlite, Engine::Postgres, Engine::Mysql] {
            assert_eq!(statements(engine, "logs", &[]), Ok(vec![]));
        }
        let old = columns(&["eventID"]);
        assert_eq!(statements(Engine::Sqlite, "logs", &old).unwrap().len(), 4);
        assert_eq!(statements(Engine::Mysql, "logs", &old).unwrap().len(), 1);
        let ledger = ["ALTER TABLE import_objects ADD COLUMN number bigint UNIQUE, \
             ADD COLUMN duplicate_count bigint, ADD COLUMN kept_for text, ADD COLUMN filters text, \
             ADD COLUMN filtered_count bigint, ADD COLUMN content_sha256 text"];
        let ledger = ledger.map(str::to_owned);
        assert_eq!(statements(Engine::Postgres, "import_objects", &old), Ok(ledger.into()));
        let mut with_ours = old;
        with_ours.push(info("OTHERFIELDS", "TEXT"));
        with_ours.push(info("eventat", "timestamp without time zone"));
        with_ours.push(info("identityId", "bigint(20)"));
        let added = statements(Engine::Postgres, "logs", &with_ours);
        assert_eq!(added, Ok(vec!["ALTER TABLE logs ADD COLUMN objectId bigint".to_owned()]));
        with_ours.push(info("objectId", "varchar(40)"));
        let error = statements(Engine::Postgres, "logs", &with_ours).unwrap_err();
        assert_eq!(error, "column `objectId` of the `logs` table is varchar(40), not bigint");
    }
}
