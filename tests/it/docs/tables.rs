//! docs/tables.md has every table and column that the program creates.

use std::collections::BTreeMap;

use cloudtrail2sql::database::indexes::INDEXES;
use cloudtrail2sql::trail::fields::{FIELDS, Form};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, SqliteConnection};

use super::examples::shown;
use super::pages::page;

/// Returns the columns of each table that an import creates, in the table's order.
async fn tables() -> BTreeMap<String, Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    shown(folder.path(), &["import", "empty"], 0);
    let file = folder.path().join("cloudtrail.db");
    let mut database: SqliteConnection =
        SqliteConnectOptions::new().filename(file).connect().await.unwrap();
    let query = "SELECT t.name, c.name FROM sqlite_schema t, pragma_table_info(t.name) c \
                 WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' ORDER BY t.name, c.cid";
    let rows: Vec<(String, String)> = sqlx::query_as(query).fetch_all(&mut database).await.unwrap();
    let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (table, column) in rows {
        tables.entry(table).or_default().push(column);
    }
    tables
}

/// Returns the names in the first cells, which may hold several.
fn names(rows: &[Vec<String>]) -> Vec<String> {
    let names = rows.iter().flat_map(|row| row[0].split(", "));
    names.map(|name| name.trim_matches('`').to_owned()).collect()
}

#[tokio::test]
async fn the_columns_of_logs_are_those_of_the_page() {
    let rows = page("docs/tables.md").table(&["column", "holds", "MySQL, MariaDB"]);
    let own = page("docs/tables.md").table(&["column of ours", "holds", "MySQL, MariaDB"]);
    let mut names = [names(&rows), names(&own)].concat();
    assert_eq!(names.pop().as_deref(), Some("id"), "only MySQL and MariaDB have it");
    assert_eq!(names, tables().await["logs"]);
}

#[test]
fn the_page_describes_the_table_of_fields() {
    let page = page("docs/tables.md");
    let rows = page.table(&["column", "holds", "MySQL, MariaDB"]);
    assert_eq!(rows.len(), FIELDS.len());
    for (row, field) in rows.iter().zip(FIELDS) {
        assert_eq!(row[0], format!("`{}`", field.name));
        assert_eq!(row[1] == "JSON", field.form == Form::Json, "{}", field.name);
        assert_eq!(row[2], format!("`{}`", field.types.mysql));
    }
}

#[test]
fn the_page_lists_the_indexes() {
    let page = page("docs/tables.md");
    let rows = page.table(&["index", "columns", "for"]);
    let expected = INDEXES.iter().map(|index| {
        let columns: Vec<String> = index.columns.iter().map(|it| format!("`{it}`")).collect();
        (format!("`{}`", index.name), columns.join(", "))
    });
    let found = rows.iter().map(|row| (row[0].clone(), row[1].clone()));
    assert_eq!(found.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
}

#[tokio::test]
async fn every_table_and_column_is_on_the_page() {
    let page = page("docs/tables.md");
    let tables = tables().await;
    let ledger = page.table(&["column of `import_objects`", "holds"]);
    assert_eq!(names(&ledger), tables["import_objects"]);
    for (table, columns) in tables {
        assert!(page.text.contains(&format!("`{table}`")), "{table}");
        // How the migrations are recorded is internal.
        for column in columns.iter().filter(|_| table != "import_migrations") {
            assert!(page.text.contains(&format!("`{column}`")), "{table}.{column}");
        }
    }
}
