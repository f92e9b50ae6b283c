//! docs/tables.md has every table and column that the program creates.

use std::collections::BTreeMap;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, SqliteConnection};

use super::examples::shown;
use super::pages::{page, root};

/// Returns the columns of each table that an import creates, in the table's order.
async fn tables() -> BTreeMap<String, Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    shown(folder.path(), &["import", "empty"], 0);
    let file = folder.path().join("cloudtrail.db");
    let mut database: SqliteConnection =
        SqliteConnectOptions::new().filename(file).connect().await.unwrap();
    let query = "SELECT t.name, c.name FROM sqlite_schema t, pragma_table_info(t.name) c \
                 WHERE t.type = 'table' ORDER BY t.name, c.cid";
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
    assert_eq!(names(&rows), tables().await["logs"]);
}

#[test]
fn the_types_of_logs_are_those_of_mysql_s_migrations() {
    let mut migrations = String::new();
    for file in std::fs::read_dir(root().join("migrations/mysql")).unwrap() {
        migrations.push_str(&std::fs::read_to_string(file.unwrap().path()).unwrap());
    }
    for row in page("docs/tables.md").table(&["column", "holds", "MySQL, MariaDB"]) {
        let (column, column_type) = (row[0].trim_matches('`'), row[2].trim_matches('`'));
        let is_there = migrations.lines().any(|line| {
            let line = line.trim_start();
            let line = line.strip_prefix("ADD COLUMN ").unwrap_or(line);
            let mut words = line.split([' ', ',', ';']).filter(|word| !word.is_empty());
            words.next() == Some(column) && words.next() == Some(column_type)
        });
        assert!(is_there, "{column} {column_type}");
    }
}

#[tokio::test]
async fn every_table_and_column_is_on_the_page() {
    let page = page("docs/tables.md");
    let tables = tables().await;
    let ledger = page.table(&["column of `import_objects`", "holds"]);
    assert_eq!(names(&ledger), tables["import_objects"]);
    for (table, columns) in tables {
        assert!(page.text.contains(&format!("`{table}`")), "{table}");
        // How the migrations are recorded is nobody's business.
        for column in columns.iter().filter(|_| table != "import_migrations") {
            assert!(page.text.contains(&format!("`{column}`")), "{table}.{column}");
        }
    }
}
