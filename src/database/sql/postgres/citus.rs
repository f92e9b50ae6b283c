//! Citus: tables whose rows are in shards on the nodes of a cluster.
//!
//! Invariant: if `logs` is such a table, so are all tables of the ledger. A transaction that writes to
//! both is then committed in two phases, or by one node alone. With a ledger of one node only, Citus may
//! commit the rows before the ledger; and each node would make a ledger of its own.

use crate::database::DatabaseError;
use crate::database::sql::connection::{Cell, CellType, Connection};
use crate::database::sql::schema::SchemaMismatch;

/// Returns 1 if the database has the extension, otherwise 0.
const CATALOG: &str = "SELECT COUNT(to_regclass('pg_catalog.pg_dist_partition'))";

/// Returns the number of the node's group, which is 0 for a coordinator.
const GROUP: &str = "SELECT groupid::bigint FROM pg_dist_local_group";

/// Returns whether `logs` is a table of the cluster (1 or 0), the setting, and which of the other tables
/// are not, or do not exist.
const PLACE: &str = "SELECT (SELECT COUNT(*) FROM pg_dist_partition \
     WHERE logicalrelid = to_regclass('logs')), current_setting('synchronous_commit'), \
     (SELECT STRING_AGG(t.name, ',') FROM UNNEST(ARRAY['import_objects', 'import_rejects', \
     'import_runs', 'import_migrations', 'identities']) AS t(name) WHERE NOT EXISTS \
     (SELECT 1 FROM pg_dist_partition WHERE logicalrelid = to_regclass(t.name)))";

/// What the user can do about a setting that loses commits.
const COMMIT_ADVICE: &str = "turn it on for the account (ALTER ROLE … SET synchronous_commit = on), or for \
     this import: `?options=-c%20synchronous_commit%3Don` in the URL";

/// What the user can do at a worker without the cluster's ledger.
const LEDGER_ADVICE: &str = "import through the coordinator: name it in the database URL; to import through \
     workers as well, make the ledger part of the cluster there (docs/clusters.md, \"Citus\")";

/// What the user can do at a worker without tables or indexes.
const DDL_ADVICE: &str = "name the coordinator in the database URL; once it has made them, imports through \
     this worker are possible, too (docs/clusters.md, \"Citus\"); without indexes, use `--no-index`";

/// Returns why rows and ledger would not be committed together; `None` if they are, or if the table
/// `logs` is not one of the cluster.
pub(super) async fn find_mismatch(
    connection: &mut dyn Connection,
) -> Result<Option<SchemaMismatch>, sqlx::Error> {
    if !has_citus(connection).await? {
        return Ok(None);
    }
    let types = [CellType::Int, CellType::Text, CellType::Text];
    let rows = connection.query(PLACE, &[], &types).await?;
    let Some(row) = rows.into_iter().next() else { return Ok(None) };
    let [is_distributed, setting, local] =
        <[_; 3]>::try_from(row).expect("the query selects three columns");
    if is_distributed.into_int() == 0 {
        return Ok(None);
    }
    if setting.into_text() == "off" {
        let difference = "`logs` is a table of a Citus cluster, and `synchronous_commit` is off: if this \
             node fails, it forgets the ledger's last commits, while the other nodes keep the rows";
        return Ok(Some(SchemaMismatch::with_advice(difference.to_owned(), COMMIT_ADVICE)));
    }
    let Some(local) = local.into_optional_text() else { return Ok(None) };
    let difference = "`logs` is a table of a Citus cluster, but the ledger is not";
    if is_worker(connection).await? {
        let difference = format!("{difference}: this worker has none, or one of its own");
        return Ok(Some(SchemaMismatch::with_advice(difference, LEDGER_ADVICE)));
    }
    let difference = format!("{difference}: rows and ledger are not always committed together");
    let statements = local.split(',').map(|table| match table {
        // The view `events` joins it, and the nodes do that side by side if each has a copy.
        "identities" => "SELECT create_reference_table('identities')".to_owned(),
        _ => format!("SELECT citus_add_local_table_to_metadata('{table}')"),
    });
    Ok(Some(SchemaMismatch::repaired_by(difference, statements.collect())))
}

/// Returns why tables and indexes must not be created or changed through this node; `None` if they may.
pub(super) async fn find_ddl_refusal(
    connection: &mut dyn Connection,
) -> Result<Option<DatabaseError>, sqlx::Error> {
    if !has_citus(connection).await? || !is_worker(connection).await? {
        return Ok(None);
    }
    let message = "this server is a worker of a Citus cluster: tables and indexes that it makes are no part \
         of the cluster";
    Ok(Some(DatabaseError::unusable(message.to_owned(), DDL_ADVICE.to_owned())))
}

/// Returns whether the database has the extension.
pub(super) async fn has_citus(connection: &mut dyn Connection) -> Result<bool, sqlx::Error> {
    let rows = connection.query(CATALOG, &[], &[CellType::Int]).await?;
    Ok(rows.into_iter().flatten().map(Cell::into_int).any(|count| count != 0))
}

async fn is_worker(connection: &mut dyn Connection) -> Result<bool, sqlx::Error> {
    let rows = connection.query(GROUP, &[], &[CellType::Int]).await?;
    Ok(rows.into_iter().flatten().map(Cell::into_int).any(|group| group != 0))
}
