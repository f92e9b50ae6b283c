//! The tables as data: columns, indexes, and how many rows go into a statement.
//!
//! `migrations/` creates the tables; what is said of them here must agree.

use crate::database::Index;
use crate::trail::fields::{COLUMN_COUNT, COLUMNS, FIELDS, Field, MysqlType};
use crate::trail::record::CellLimit;

/// Which SQL the server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Sqlite,
    Postgres,
    /// MySQL and MariaDB.
    Mysql,
}

impl Dialect {
    /// The most rows of a multi-row INSERT; a power of two.
    ///
    /// MySQL and MariaDB are fastest at about 100, and slower with fewer and with more
    /// (BENCHMARKS.md, "Settings"); PostgreSQL likes many.
    pub(super) const fn statement_rows_max(self) -> usize {
        match self {
            Self::Postgres => 1024,
            Self::Mysql | Self::Sqlite => 128,
        }
    }

    /// Returns the SQL with this dialect's placeholders for each `?`.
    pub(super) fn placeholders(self, sql: &str) -> String {
        if self != Self::Postgres {
            return sql.to_owned();
        }
        let mut numbered = String::with_capacity(sql.len() + 64);
        for (n, part) in sql.split('?').enumerate() {
            if n > 0 {
                numbered.push('$');
                numbered.push_str(&n.to_string());
            }
            numbered.push_str(part);
        }
        numbered
    }
}

/// A table that takes multi-row INSERTs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) columns: &'static [&'static str],
}

impl Table {
    /// Returns the INSERT of so many rows.
    pub(super) fn insert_sql(&self, dialect: Dialect, rows: usize) -> String {
        let row = format!("({})", vec!["?"; self.columns.len()].join(","));
        let columns = self.columns.join(", ");
        let rows = vec![row; rows].join(",");
        dialect.placeholders(&format!("INSERT INTO {} ({columns}) VALUES {rows}", self.name))
    }
}

pub(super) const LOGS: Table = Table { name: "logs", columns: &COLUMNS };

pub(super) const OBJECTS: Table = Table {
    name: "import_objects",
    columns: &[
        "id",
        "uri",
        "version",
        "size_bytes",
        "digest",
        "outcome",
        "kind",
        "record_count",
        "row_count",
        "reject_count",
        "altered_count",
        "reason",
        "run_id",
        "batch_id",
        "finished_at",
    ],
};

pub(super) const REJECTS: Table = Table {
    name: "import_rejects",
    columns: &["object_id", "record_index", "offset_bytes", "reason", "record"],
};

pub(super) const RUNS: Table = Table {
    name: "import_runs",
    columns: &[
        "id",
        "started_at",
        "finished_at",
        "program_version",
        "sources",
        "outcome",
        "listed",
        "loaded",
        "already_loaded",
        "skipped",
        "failed",
        "record_count",
        "row_count",
        "reject_count",
        "altered_count",
    ],
};

/// The indexes of the post-load step: the tutorial's five, and one on the time.
pub(super) const INDEXES: [Index; INDEX_COUNT] = {
    let mut indexes = [Index { name: "", column: "" }; INDEX_COUNT];
    let (mut n, mut count) = (0, 0);
    while n < FIELDS.len() {
        if let Some(name) = FIELDS[n].index {
            indexes[count] = Index { name, column: FIELDS[n].name };
            count += 1;
        }
        n += 1;
    }
    indexes
};

const INDEX_COUNT: usize = {
    let (mut n, mut count) = (0, 0);
    while n < FIELDS.len() {
        count += FIELDS[n].index.is_some() as usize;
        n += 1;
    }
    count
};

/// The most bytes of one index key in InnoDB (MySQL manual, "InnoDB Limits").
const INNODB_KEY_BYTES_MAX: u16 = 3_072;

/// How many characters MySQL indexes of a column that is too wide for a full index.
const PREFIX_CHARS: u16 = 255;

/// Returns whether MySQL can index only the first characters of the field's column.
pub(super) fn needs_prefix_index(field: &Field) -> bool {
    let MysqlType::Varchar(chars) = field.types.mysql else { return true };
    chars > INNODB_KEY_BYTES_MAX / 4
}

/// Returns what MySQL indexes of a column: the column, or its first characters.
pub(super) fn mysql_key(index: &Index) -> String {
    match FIELDS.iter().find(|field| field.name == index.column) {
        Some(field) if needs_prefix_index(field) => format!("{}({PREFIX_CHARS})", index.column),
        _ => index.column.to_owned(),
    }
}

/// Returns a statement for each index, for databases that build one at a time.
pub(super) fn create_index_statements(missing: &[Index]) -> Vec<(Vec<Index>, String)> {
    let build = |index: &Index| {
        let create =
            format!("CREATE INDEX IF NOT EXISTS {} ON logs ({})", index.name, index.column);
        (vec![*index], create)
    };
    missing.iter().map(build).collect()
}

/// The longest value that PostgreSQL's B-tree takes is a third of a page (documentation, "B-Tree
/// Indexes"): 2,704 bytes with its header.
const POSTGRES_INDEXED_BYTES_MAX: usize = 2_600;

/// Returns the room in each column of `logs`.
pub(super) fn limits(dialect: Dialect) -> [CellLimit; COLUMN_COUNT] {
    FIELDS.map(|field| match dialect {
        Dialect::Postgres if field.index.is_some() => CellLimit::Bytes(POSTGRES_INDEXED_BYTES_MAX),
        Dialect::Postgres | Dialect::Sqlite => CellLimit::Any,
        Dialect::Mysql => match field.types.mysql {
            MysqlType::Varchar(chars) => CellLimit::Chars(chars.into()),
            MysqlType::MediumText => CellLimit::Bytes((1 << 24) - 1),
            // More than an object can hold.
            MysqlType::LongText => CellLimit::Any,
        },
    })
}

/// Names how the columns of an existing `logs` table differ from ours; `None` if there is no
/// table, or it has our columns, in whatever order.
pub(super) fn other_columns(
    found: &[impl AsRef<str>],
    expected: &[impl AsRef<str>; COLUMN_COUNT],
) -> Option<String> {
    if found.is_empty() {
        return None;
    }
    let lacks = |list: &[&str], name: &str| !list.iter().any(|it| it.eq_ignore_ascii_case(name));
    let found: Vec<&str> = found.iter().map(AsRef::as_ref).collect();
    let expected: Vec<&str> = expected.iter().map(AsRef::as_ref).collect();
    let missing: Vec<&str> = expected.iter().copied().filter(|name| lacks(&found, name)).collect();
    let extra: Vec<&str> = found.iter().copied().filter(|name| lacks(&expected, name)).collect();
    let mut parts = Vec::new();
    if !missing.is_empty() {
        parts.push(format!("lacks `{}`", missing.join("`, `")));
    }
    if !extra.is_empty() {
        parts.push(format!("also has `{}`", extra.join("`, `")));
    }
    if parts.is_empty() {
        return None;
    }
    Some(format!("there is a `logs` table with other columns: it {}", parts.join(" and ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_insert_has_a_placeholder_for_every_value() {
        let table = Table { name: "t", columns: &["a", "b"] };
        let sqlite = "INSERT INTO t (a, b) VALUES (?,?),(?,?)";
        assert_eq!(table.insert_sql(Dialect::Sqlite, 2), sqlite);
        let postgres = "INSERT INTO t (a, b) VALUES ($1,$2),($3,$4)";
        assert_eq!(table.insert_sql(Dialect::Postgres, 2), postgres);
    }

    #[test]
    fn no_statement_binds_more_than_its_database_takes() {
        // PostgreSQL and MySQL count binds in 16 bits (their protocols, Bind and
        // COM_STMT_PREPARE); SQLite's default is SQLITE_MAX_VARIABLE_NUMBER.
        for (dialect, binds_max) in
            [(Dialect::Sqlite, 32_766), (Dialect::Postgres, 65_535), (Dialect::Mysql, 65_535)]
        {
            for table in [LOGS, OBJECTS, REJECTS, RUNS] {
                let binds = dialect.statement_rows_max() * table.columns.len();
                assert!(binds <= binds_max, "{dialect:?} {}", table.name);
            }
        }
    }

    #[test]
    fn the_migrations_agree_with_the_code() {
        let mysql = include_str!("../../../migrations/mysql/0001_tables.sql");
        let postgres = include_str!("../../../migrations/postgres/0001_tables.sql");
        let sqlite = include_str!("../../../migrations/sqlite/0001_tables.sql");
        for field in FIELDS {
            let mysql_type = field.types.mysql.to_string();
            for (sql, column_type) in [
                (mysql, &*mysql_type),
                (postgres, field.types.postgres),
                (sqlite, field.types.sqlite),
            ] {
                let is_there = sql.lines().any(|line| {
                    let mut words = line.split([' ', ',']).filter(|word| !word.is_empty());
                    words.next() == Some(field.name)
                        && words.next().is_some_and(|word| word.eq_ignore_ascii_case(column_type))
                });
                assert!(is_there, "{} {column_type}", field.name);
            }
        }
        for sql in [mysql, postgres, sqlite] {
            for table in [LOGS, OBJECTS, REJECTS, RUNS] {
                let (_, body) = sql.split_once(&format!("EXISTS {} (", table.name)).unwrap();
                let (body, _) = body.split_once("\n)").unwrap();
                let columns: Vec<&str> = body
                    .lines()
                    .filter_map(|line| line.split_whitespace().next())
                    .filter(|word| *word != "PRIMARY" && *word != "--")
                    .collect();
                assert_eq!(columns, table.columns);
            }
        }
    }
}
