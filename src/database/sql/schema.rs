//! The tables as data: columns, the INSERT statements, and the comparison with existing tables.
//!
//! The files in `migrations/` create the tables; a test compares them with this file.

use super::migrations::{Migration, migrations};
use crate::database::indexes::{INDEXES, Index, IndexedTable};
use crate::database::url::Engine;
use crate::trail::fields::{COLUMN_COUNT, COLUMNS, FIELDS, MysqlType};
use crate::trail::identity;
use crate::trail::record::CellLimit;

/// The schema of this version of the program.
#[derive(Debug)]
pub(super) struct Schema {
    /// The migrations that make the tables, in the order in which they run.
    pub(super) tables: Vec<Migration>,
    /// The migration that makes the view `events`. The program works without it.
    pub(super) view: Migration,
}

impl Schema {
    /// Returns the schema of an engine.
    ///
    /// # Panics
    /// If no migration of the engine makes the view; a test checks that.
    pub(super) fn new(engine: Engine) -> Self {
        let (mut views, tables): (Vec<Migration>, Vec<Migration>) =
            migrations(engine).iter().partition(|it| it.name == VIEW);
        Self { tables, view: views.pop().expect("one migration makes the view") }
    }

    /// Returns whether one of the applied migrations belongs to a later version of the program.
    pub(super) fn is_older_than(&self, applied: &[i64]) -> bool {
        let newest = self.tables.iter().chain([&self.view]).map(|it| it.version).max();
        applied.iter().any(|version| Some(*version) > newest)
    }
}

/// The name of the view.
pub(super) const VIEW: &str = "events";

/// The columns of the view.
pub(super) const VIEW_COLUMNS: [&str; 41] = [
    "event_id",
    "event_time",
    "event_source",
    "event_name",
    "event_type",
    "event_category",
    "read_only",
    "management_event",
    "account_id",
    "region",
    "user_type",
    "user_name",
    "user_arn",
    "user_id",
    "user_account_id",
    "access_key_id",
    "role_name",
    "role_arn",
    "session_name",
    "principal_arn",
    "mfa",
    "source_identity",
    "invoked_by",
    "source_ip",
    "user_agent",
    "error_code",
    "error_message",
    "resource_arn",
    "resources",
    "request_parameters",
    "response_elements",
    "additional_event_data",
    "tls_version",
    "from_console",
    "vpc_endpoint_id",
    "vpc_endpoint_account_id",
    "shared_event_id",
    "request_id",
    "user_identity",
    "other_fields",
    "object_id",
];

/// A column of an existing table or view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ColumnInfo {
    pub(super) name: String,
    /// As the database lists it.
    pub(super) column_type: String,
    /// The character set of a text column, if the database has one for each column.
    pub(super) charset: String,
    /// Whether a row may be inserted without a value for it: it is nullable, has a default, or is
    /// generated or numbered by the database.
    pub(super) is_optional: bool,
}

/// How an existing `logs` table differs from ours, or from a place where rows and ledger are committed
/// together.
#[derive(Debug)]
pub(super) struct SchemaMismatch {
    pub(super) difference: String,
    pub(super) remedy: Remedy,
}

/// What helps against a [`SchemaMismatch`].
#[derive(Debug)]
pub(super) enum Remedy {
    /// Another table: no statement of ours repairs this one.
    OtherTable,
    /// The program can run these statements.
    Statements(Vec<String>),
    /// The user can do this.
    Advice(String),
}

impl SchemaMismatch {
    /// Returns a mismatch that no statement of ours repairs.
    pub(super) fn beyond_repair(difference: String) -> Self {
        Self { difference, remedy: Remedy::OtherTable }
    }

    /// Returns a mismatch that the user can do something about.
    pub(super) fn with_advice(difference: String, advice: &str) -> Self {
        Self { difference, remedy: Remedy::Advice(advice.to_owned()) }
    }

    /// Returns a mismatch that statements repair.
    pub(super) fn repaired_by(difference: String, statements: Vec<String>) -> Self {
        Self { difference, remedy: Remedy::Statements(statements) }
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

/// Returns the SQL with the engine's placeholder in place of each `?`.
///
/// The key of an object has the placeholder `?id`: MySQL gets it as hexadecimal text, because it shows
/// the values of a running statement to other sessions, and their queries fail if one is not valid
/// text. A time has the placeholder `?at`: it is bound as text, which PostgreSQL does not convert by
/// itself.
pub(super) fn placeholders(engine: Engine, sql: &str) -> String {
    if engine == Engine::Mysql {
        return sql.replace("?id", "UNHEX(?)").replace("?at", "?");
    }
    let sql = sql.replace("?id", "?");
    if engine != Engine::Postgres {
        return sql.replace("?at", "?");
    }
    let mut numbered = String::with_capacity(sql.len() + 64);
    for (n, part) in sql.split('?').enumerate() {
        if n > 0 {
            numbered.push('$');
            numbered.push_str(&n.to_string());
        }
        match part.strip_prefix("at") {
            Some(rest) => {
                numbered.push_str("::timestamp");
                numbered.push_str(rest);
            }
            None => numbered.push_str(part),
        }
    }
    numbered
}

/// A table, as multi-row INSERTs need it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) columns: &'static [&'static str],
    /// The placeholder of a column, where it is not `?`.
    pub(super) placeholder: Option<(&'static str, &'static str)>,
    /// Whether a row whose key exists is left out.
    pub(super) ignores_existing: bool,
}

impl Table {
    /// Returns the INSERT statement for this number of rows.
    pub(super) fn insert_sql(&self, engine: Engine, rows: usize) -> String {
        let placeholder = |name: &&str| match self.placeholder {
            Some((column, placeholder)) if column == *name => placeholder,
            _ => "?",
        };
        let values: Vec<_> = self.columns.iter().map(placeholder).collect();
        let row = format!("({})", values.join(","));
        let columns = self.columns.join(", ");
        let rows = vec![row; rows].join(",");
        let unless_existing = match engine {
            _ if !self.ignores_existing => "",
            // INSERT IGNORE would also cut a value that is too long.
            Engine::Mysql => " ON DUPLICATE KEY UPDATE id = id",
            Engine::Postgres | Engine::Sqlite => " ON CONFLICT (id) DO NOTHING",
        };
        let insert =
            format!("INSERT INTO {} ({columns}) VALUES {rows}{unless_existing}", self.name);
        placeholders(engine, &insert)
    }
}

/// The columns of `logs` that are written, in the order of packed rows.
pub(super) const LOGS_COLUMNS: [&str; COLUMN_COUNT + 4] = {
    let mut names = ["otherFields"; COLUMN_COUNT + 4];
    let mut n = 0;
    while n < COLUMN_COUNT {
        names[n] = COLUMNS[n];
        n += 1;
    }
    names[COLUMN_COUNT + 1] = "eventAt";
    names[COLUMN_COUNT + 2] = "identityId";
    names[COLUMN_COUNT + 3] = "objectId";
    names
};

pub(super) const LOGS: Table = Table {
    name: "logs",
    columns: &LOGS_COLUMNS,
    placeholder: Some(("eventAt", "?at")),
    ignores_existing: false,
};

/// The columns of `identities`, in order.
const IDENTITIES_COLUMNS: [&str; identity::COLUMNS.len() + 3] = {
    let mut names = ["id"; identity::COLUMNS.len() + 3];
    let mut n = 0;
    while n < identity::COLUMNS.len() {
        names[n + 1] = identity::COLUMNS[n];
        n += 1;
    }
    names[n + 1] = "mfa";
    names[n + 2] = "user_identity";
    names
};

pub(super) const IDENTITIES: Table = Table {
    name: "identities",
    columns: &IDENTITIES_COLUMNS,
    placeholder: None,
    ignores_existing: true,
};

/// The ledger, without `duplicate_count` and `kept_for`, which are NULL in a new line.
pub(super) const OBJECTS: Table = Table {
    name: "import_objects",
    placeholder: Some(("id", "?id")),
    ignores_existing: false,
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
        "number",
        "filters",
        "filtered_count",
        "content_sha256",
    ],
};

pub(super) const REJECTS: Table = Table {
    name: "import_rejects",
    placeholder: Some(("object_id", "?id")),
    ignores_existing: false,
    columns: &["object_id", "record_index", "offset_bytes", "reason", "record"],
};

pub(super) const RUNS: Table = Table {
    name: "import_runs",
    placeholder: None,
    ignores_existing: false,
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
        "filtered_count",
        "selection",
        "shard",
        "job",
    ],
};

pub(super) const DIGESTS: Table = Table {
    name: "import_digests",
    placeholder: Some(("id", "?id")),
    ignores_existing: false,
    columns: &[
        "id",
        "uri",
        "account_id",
        "region",
        "trail",
        "home_region",
        "is_backfill",
        "start_time",
        "end_time",
        "state",
        "verified_by",
        "reason",
        "content_sha256",
        "signature",
        "previous_bucket",
        "previous_key",
        "named_count",
        "proven_count",
        "changed_count",
        "not_loaded_count",
        "not_imported_count",
        "gone_count",
        "not_hashed_count",
        "proofs",
        "verified_at",
        "missing_since",
    ],
};

pub(super) const COVERAGE: Table = Table {
    name: "import_coverage",
    placeholder: Some(("id", "?id")),
    ignores_existing: false,
    columns: &[
        "id",
        "folder",
        "account_id",
        "region",
        "day",
        "seconds",
        "proven_seconds",
        "digest_count",
        "proven_digest_count",
        "unproven_digest_count",
        "wrong_digest_count",
        "unreadable_digest_count",
        "deleted_digest_count",
        "named_count",
        "proven_count",
        "changed_count",
        "not_loaded_count",
        "not_imported_count",
        "gone_count",
        "not_hashed_count",
        "pending_count",
        "unproven_count",
        "unexpected_count",
        "other_family_count",
        "verified_at",
    ],
};

/// How many bytes an index key of InnoDB may have (MySQL manual, "InnoDB Limits").
const INNODB_KEY_BYTES_MAX: usize = 3_072;

/// How many characters of a column MySQL indexes if the column is too wide for a full index.
const PREFIX_CHARS: usize = 255;

/// Returns the part of a key of InnoDB for one of so many columns: the whole column, or its first
/// characters. A prefix as long as the column makes a full index; a table of an earlier version has
/// wider columns.
fn mysql_key_part(column: &str, columns: usize) -> String {
    let chars_max = INNODB_KEY_BYTES_MAX / 4 / columns;
    let field = FIELDS.iter().find(|field| field.name == column);
    match field.map(|field| field.types.mysql) {
        Some(MysqlType::Varchar(chars)) if usize::from(chars) > chars_max => {
            format!("{column}({PREFIX_CHARS})")
        }
        Some(MysqlType::Varchar(chars)) if columns > 1 => format!("{column}({chars})"),
        _ => column.to_owned(),
    }
}

/// Returns whether MySQL can index only the first characters of a column of `logs`.
pub(super) fn needs_prefix_index(column: &str) -> bool {
    mysql_key_part(column, 1) != column
}

/// Returns one statement for the indexes of each table: MySQL builds several in one pass.
pub(super) fn alter_table_statements(missing: &[Index]) -> Vec<(Vec<Index>, String)> {
    let of_table = |table: IndexedTable| {
        let indexes: Vec<Index> = missing.iter().copied().filter(|it| it.table == table).collect();
        let add = |index: &Index| {
            let parts = index.columns.iter();
            let parts: Vec<_> =
                parts.map(|column| mysql_key_part(column, index.columns.len())).collect();
            format!("ADD INDEX {} ({})", index.name, parts.join(", "))
        };
        let adds: Vec<String> = indexes.iter().map(add).collect();
        let statement = format!("ALTER TABLE {} {}", table.as_str(), adds.join(", "));
        (!adds.is_empty()).then_some((indexes, statement))
    };
    IndexedTable::ALL.into_iter().filter_map(of_table).collect()
}

/// Returns one statement for each index, for engines that build one index at a time.
pub(super) fn create_index_statements(missing: &[Index]) -> Vec<(Vec<Index>, String)> {
    let build = |index: &Index| {
        let (table, columns) = (index.table.as_str(), index.columns.join(", "));
        let create = format!("CREATE INDEX IF NOT EXISTS {} ON {table} ({columns})", index.name);
        (vec![*index], create)
    };
    missing.iter().map(build).collect()
}

/// A value in PostgreSQL's B-tree may fill a third of a page (documentation, "B-Tree Indexes"):
/// 2,704 bytes with its header.
const POSTGRES_INDEXED_BYTES_MAX: usize = 2_600;

/// Returns how much each column of `logs` can hold.
pub(super) fn limits(engine: Engine) -> [CellLimit; COLUMN_COUNT] {
    // The columns of one index share its room; integers need next to none.
    let index_width = |column: &str| {
        let indexes = INDEXES.iter().filter(|index| index.table == IndexedTable::Logs);
        let with_column = indexes.filter(|it| it.columns.contains(&column));
        let is_text = |column: &&&str| FIELDS.iter().any(|field| field.name == **column);
        let widths = with_column.map(|it| it.columns.iter().filter(is_text).count());
        widths.max().unwrap_or(0)
    };
    FIELDS.map(|field| match (engine, index_width(field.name)) {
        (Engine::Postgres, width @ 1..) => CellLimit::Bytes(POSTGRES_INDEXED_BYTES_MAX / width),
        (Engine::Postgres | Engine::Sqlite, _) => CellLimit::Any,
        (Engine::Mysql, _) => match field.types.mysql {
            MysqlType::Varchar(chars) => CellLimit::Chars(chars.into()),
            MysqlType::MediumText => CellLimit::Bytes((1 << 24) - 1),
            // It holds more than an object can have.
            MysqlType::LongText => CellLimit::Any,
        },
    })
}

/// Compares the names of the columns of an existing `logs` table with the 16. Returns `None` if there is
/// no table, or if a row can be inserted into it: it has the 16 columns, in any order, and fills further
/// ones by itself.
pub(super) fn other_columns(found: &[ColumnInfo]) -> Option<SchemaMismatch> {
    if found.is_empty() {
        return None;
    }
    // Column names are not case-sensitive; PostgreSQL lists them in lower case.
    let has = |name: &str| found.iter().any(|it| it.name.eq_ignore_ascii_case(name));
    let is_ours = |name: &str| LOGS_COLUMNS.iter().any(|ours| ours.eq_ignore_ascii_case(name));
    let missing: Vec<&str> = COLUMNS.into_iter().filter(|name| !has(name)).collect();
    let extra = found.iter().filter(|column| !column.is_optional && !is_ours(&column.name));
    let extra: Vec<&str> = extra.map(|column| &*column.name).collect();
    let mut parts = Vec::new();
    if !missing.is_empty() {
        parts.push(format!("lacks `{}`", missing.join("`, `")));
    }
    if !extra.is_empty() {
        parts.push(format!("needs a value for `{}`", extra.join("`, `")));
    }
    if parts.is_empty() {
        return None;
    }
    let difference =
        format!("there is a `logs` table with other columns: it {}", parts.join(" and "));
    Some(SchemaMismatch::beyond_repair(difference))
}

/// Returns whether an existing table has just these columns.
pub(super) fn has_columns(found: &[ColumnInfo], columns: &[&str]) -> bool {
    let is_there = |name: &&str| found.iter().any(|it| it.name.eq_ignore_ascii_case(name));
    found.len() == columns.len() && columns.iter().all(is_there)
}

#[cfg(test)]
mod tests;
