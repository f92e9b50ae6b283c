//! The tables as data: columns, indexes, and the INSERT statements.
//!
//! The files in `migrations/` create the tables; a test compares them with this file.

use sqlx::migrate::{Migration, MigrationType, Migrator};

use crate::database::url::Engine;
use crate::database::{Index, SchemaChange};
use crate::trail::fields::{COLUMN_COUNT, COLUMNS, FIELDS, Field, MysqlType};
use crate::trail::record::CellLimit;

/// The columns of `logs` that migrations after the first one add. A `logs` table without our
/// migrations table, such as the tutorial's, is expected to lack them: the migrations add them.
const ADDED_COLUMNS: [&str; 0] = [];

/// The schema of one version of the program.
#[derive(Debug)]
pub(super) struct Schema {
    /// In the order in which they run.
    pub(super) migrations: Vec<Migration>,
    /// The columns of `logs` that migrations after the first one add.
    added_columns: Vec<&'static str>,
}

impl Schema {
    /// Returns this version's schema, followed by changes that only tests make.
    pub(super) fn new(files: &Migrator, changes: &[SchemaChange]) -> Self {
        let migration = |change: &SchemaChange| {
            let (name, sql) = ("later version".into(), change.sql.into());
            Migration::new(change.version, name, MigrationType::Simple, sql, false)
        };
        let added = changes.iter().flat_map(|change| change.added_columns).copied();
        Self {
            migrations: files.iter().cloned().chain(changes.iter().map(migration)).collect(),
            added_columns: ADDED_COLUMNS.into_iter().chain(added).collect(),
        }
    }

    /// Returns the columns that `logs` has before any migration if the user created it.
    pub(super) fn columns_before(&self) -> Vec<&'static str> {
        COLUMNS.into_iter().filter(|name| !self.added_columns.contains(name)).collect()
    }

    /// Returns the columns that `logs` has after all migrations.
    pub(super) fn columns_after(&self) -> Vec<&'static str> {
        let mut columns = self.columns_before();
        columns.extend(&self.added_columns);
        columns
    }

    /// Returns whether one of the applied migrations belongs to a later version of the program.
    pub(super) fn is_older_than(&self, applied: &[i64]) -> bool {
        let newest = self.migrations.iter().map(|migration| migration.version).max();
        applied.iter().max() > newest.as_ref()
    }
}

/// How an existing `logs` table differs from ours, and the statements that would alter it, if any
/// would.
#[derive(Debug)]
pub(super) struct SchemaMismatch {
    pub(super) difference: String,
    pub(super) statements: Vec<String>,
}

impl SchemaMismatch {
    /// Returns a mismatch that no statement of ours repairs.
    pub(super) fn beyond_repair(difference: String) -> Self {
        Self { difference, statements: Vec::new() }
    }
}

/// Returns how many rows a multi-row INSERT has at most; a power of two.
///
/// MySQL and MariaDB are fastest at about 100 rows, and slower with fewer or more (BENCHMARKS.md,
/// "Settings"). PostgreSQL is faster with many.
pub(super) const fn statement_rows_max(engine: Engine) -> usize {
    match engine {
        Engine::Postgres => 1024,
        Engine::Mysql | Engine::Sqlite => 128,
    }
}

/// Returns the SQL with the engine's placeholder in place of each `?`. The key of an object has the
/// placeholder `?id`: MySQL gets it as hexadecimal text, because it shows the values of a running
/// statement to other sessions, and their queries fail if one is not valid text.
pub(super) fn placeholders(engine: Engine, sql: &str) -> String {
    if engine == Engine::Mysql {
        return sql.replace("?id", "UNHEX(?)");
    }
    let sql = sql.replace("?id", "?");
    if engine != Engine::Postgres {
        return sql;
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

/// A table, as multi-row INSERTs need it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) columns: &'static [&'static str],
    /// The column with the key of an object, if it has one.
    pub(super) object_id: Option<&'static str>,
}

impl Table {
    /// Returns the INSERT statement for this number of rows.
    pub(super) fn insert_sql(&self, engine: Engine, rows: usize) -> String {
        let placeholder = |name: &&str| if self.object_id == Some(name) { "?id" } else { "?" };
        let values: Vec<_> = self.columns.iter().map(placeholder).collect();
        let row = format!("({})", values.join(","));
        let columns = self.columns.join(", ");
        let rows = vec![row; rows].join(",");
        placeholders(engine, &format!("INSERT INTO {} ({columns}) VALUES {rows}", self.name))
    }
}

pub(super) const LOGS: Table = Table { name: "logs", columns: &COLUMNS, object_id: None };

pub(super) const OBJECTS: Table = Table {
    name: "import_objects",
    object_id: Some("id"),
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
    object_id: Some("object_id"),
    columns: &["object_id", "record_index", "offset_bytes", "reason", "record"],
};

pub(super) const RUNS: Table = Table {
    name: "import_runs",
    object_id: None,
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

/// The indexes of the post-load step: the tutorial's five, and one on `eventTime`.
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

/// How many bytes an index key of InnoDB may have (MySQL manual, "InnoDB Limits").
const INNODB_KEY_BYTES_MAX: u16 = 3_072;

/// How many characters of a column MySQL indexes if the column is too wide for a full index.
const PREFIX_CHARS: u16 = 255;

/// Returns whether MySQL can index only the first characters of the field's column.
pub(super) fn needs_prefix_index(field: &Field) -> bool {
    let MysqlType::Varchar(chars) = field.types.mysql else { return true };
    chars > INNODB_KEY_BYTES_MAX / 4
}

/// Returns the key part of MySQL's index on a column: the whole column, or its first characters.
pub(super) fn mysql_key(index: &Index) -> String {
    match FIELDS.iter().find(|field| field.name == index.column) {
        Some(field) if needs_prefix_index(field) => format!("{}({PREFIX_CHARS})", index.column),
        _ => index.column.to_owned(),
    }
}

/// Returns one statement for each index, for engines that build one index at a time.
pub(super) fn create_index_statements(missing: &[Index]) -> Vec<(Vec<Index>, String)> {
    let build = |index: &Index| {
        let create =
            format!("CREATE INDEX IF NOT EXISTS {} ON logs ({})", index.name, index.column);
        (vec![*index], create)
    };
    missing.iter().map(build).collect()
}

/// A value in PostgreSQL's B-tree may fill a third of a page (documentation, "B-Tree Indexes"):
/// 2,704 bytes with its header.
const POSTGRES_INDEXED_BYTES_MAX: usize = 2_600;

/// Returns how much each column of `logs` can hold.
pub(super) fn limits(engine: Engine) -> [CellLimit; COLUMN_COUNT] {
    FIELDS.map(|field| match engine {
        Engine::Postgres if field.index.is_some() => CellLimit::Bytes(POSTGRES_INDEXED_BYTES_MAX),
        Engine::Postgres | Engine::Sqlite => CellLimit::Any,
        Engine::Mysql => match field.types.mysql {
            MysqlType::Varchar(chars) => CellLimit::Chars(chars.into()),
            MysqlType::MediumText => CellLimit::Bytes((1 << 24) - 1),
            // It holds more than an object can have.
            MysqlType::LongText => CellLimit::Any,
        },
    })
}

/// Compares the names of columns. Returns `None` if there is no table, or if it has the expected
/// columns in any order.
pub(super) fn other_columns(
    found: &[impl AsRef<str>],
    expected: &[impl AsRef<str>],
) -> Option<SchemaMismatch> {
    if found.is_empty() {
        return None;
    }
    // Column names are not case-sensitive; PostgreSQL lists them in lower case.
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
    let difference =
        format!("there is a `logs` table with other columns: it {}", parts.join(" and "));
    Some(SchemaMismatch::beyond_repair(difference))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_insert_has_a_placeholder_for_every_value() {
        let table = Table { name: "t", columns: &["a", "b"], object_id: None };
        let sqlite = "INSERT INTO t (a, b) VALUES (?,?),(?,?)";
        assert_eq!(table.insert_sql(Engine::Sqlite, 2), sqlite);
        let postgres = "INSERT INTO t (a, b) VALUES ($1,$2),($3,$4)";
        assert_eq!(table.insert_sql(Engine::Postgres, 2), postgres);
        let table = Table { name: "t", columns: &["a", "b"], object_id: Some("a") };
        let mysql = "INSERT INTO t (a, b) VALUES (UNHEX(?),?)";
        assert_eq!(table.insert_sql(Engine::Mysql, 1), mysql);
        let sqlite = "INSERT INTO t (a, b) VALUES (?,?)";
        assert_eq!(table.insert_sql(Engine::Sqlite, 1), sqlite);
    }

    #[test]
    fn no_statement_binds_more_values_than_its_database_accepts() {
        // PostgreSQL and MySQL count bound values in 16 bits (their protocols, Bind and
        // COM_STMT_PREPARE). SQLite's limit is the default of SQLITE_MAX_VARIABLE_NUMBER.
        for (engine, binds_max) in
            [(Engine::Sqlite, 32_766), (Engine::Postgres, 65_535), (Engine::Mysql, 65_535)]
        {
            for table in [LOGS, OBJECTS, REJECTS, RUNS] {
                let binds = statement_rows_max(engine) * table.columns.len();
                assert!(binds <= binds_max, "{engine:?} {}", table.name);
            }
        }
    }

    #[test]
    fn the_first_migration_agrees_with_the_code() {
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
    fn schema(changes: &[SchemaChange]) -> Schema {
        Schema::new(&sqlx::migrate!("migrations/sqlite"), changes)
    }

    #[test]
    fn a_table_of_the_users_need_not_have_the_columns_that_migrations_add() {
        let change = SchemaChange { version: 9, sql: "", added_columns: &["objectId"] };
        let schema = schema(&[change]);
        assert_eq!(schema.columns_before(), COLUMNS);
        assert_eq!(schema.columns_after()[..COLUMN_COUNT], COLUMNS);
        assert_eq!(schema.columns_after()[COLUMN_COUNT..], ["objectId"]);
        assert_eq!(schema.migrations.last().map(|migration| migration.version), Some(9));
    }

    #[test]
    fn a_schema_of_a_later_version_is_recognised() {
        let newest = schema(&[]).migrations.last().unwrap().version;
        for (applied, expected) in
            [(&[][..], false), (&[1], false), (&[1, newest], false), (&[1, newest + 1], true)]
        {
            assert_eq!(schema(&[]).is_older_than(applied), expected, "{applied:?}");
        }
    }

    #[test]
    fn migrations_are_numbered_from_one_without_gaps() {
        for files in [
            sqlx::migrate!("migrations/sqlite"),
            sqlx::migrate!("migrations/postgres"),
            sqlx::migrate!("migrations/mysql"),
        ] {
            let versions: Vec<i64> = files.iter().map(|migration| migration.version).collect();
            assert_eq!(versions, (1..).take(versions.len()).collect::<Vec<i64>>());
        }
    }
}
