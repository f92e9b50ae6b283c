//! Tests of the tables as data.

use super::*;

fn table(placeholder: Option<(&'static str, &'static str)>) -> Table {
    Table { name: "t", columns: &["a", "b"], placeholder, ignores_existing: false }
}

#[test]
fn an_insert_has_a_placeholder_for_every_value() {
    let plain = table(None);
    let sqlite = "INSERT INTO t (a, b) VALUES (?,?),(?,?)";
    assert_eq!(plain.insert_sql(Engine::Sqlite, 2), sqlite);
    let postgres = "INSERT INTO t (a, b) VALUES ($1,$2),($3,$4)";
    assert_eq!(plain.insert_sql(Engine::Postgres, 2), postgres);
    let with_id = table(Some(("a", "?id")));
    let mysql = "INSERT INTO t (a, b) VALUES (UNHEX(?),?)";
    assert_eq!(with_id.insert_sql(Engine::Mysql, 1), mysql);
    let sqlite = "INSERT INTO t (a, b) VALUES (?,?)";
    assert_eq!(with_id.insert_sql(Engine::Sqlite, 1), sqlite);
    let with_time = table(Some(("b", "?at")));
    let postgres = "INSERT INTO t (a, b) VALUES ($1,$2::timestamp),($3,$4::timestamp)";
    assert_eq!(with_time.insert_sql(Engine::Postgres, 2), postgres);
    assert_eq!(with_time.insert_sql(Engine::Mysql, 1), sqlite);
    let facts = Table { columns: &["id", "b"], ignores_existing: true, ..plain };
    let mysql = "INSERT INTO t (id, b) VALUES (?,?) ON DUPLICATE KEY UPDATE id = id";
    assert_eq!(facts.insert_sql(Engine::Mysql, 1), mysql);
    let postgres = "INSERT INTO t (id, b) VALUES ($1,$2) ON CONFLICT (id) DO NOTHING";
    assert_eq!(facts.insert_sql(Engine::Postgres, 1), postgres);
}

#[test]
fn no_statement_binds_more_values_than_its_database_accepts() {
    // PostgreSQL and MySQL count bound values in 16 bits (their protocols, Bind and
    // COM_STMT_PREPARE). SQLite's limit is the default of SQLITE_MAX_VARIABLE_NUMBER.
    for (engine, binds_max) in
        [(Engine::Sqlite, 32_766), (Engine::Postgres, 65_535), (Engine::Mysql, 65_535)]
    {
        for table in [LOGS, IDENTITIES, OBJECTS, REJECTS, RUNS, DIGESTS, COVERAGE] {
            let binds = statement_rows_max(engine) * table.columns.len();
            assert!(binds <= binds_max, "{engine:?} {}", table.name);
        }
    }
}

/// Returns the names of the columns that a `CREATE TABLE` in one of the files has.
fn columns_of(sql: &str, table: &str) -> Vec<String> {
    let (_, body) = sql.split_once(&format!("EXISTS {table} (")).unwrap();
    let (body, _) = body.split_once("\n)").unwrap();
    let words = body.lines().filter_map(|line| line.split_whitespace().next());
    words.filter(|word| !["PRIMARY", "--"].contains(word)).map(ToOwned::to_owned).collect()
}

#[test]
fn the_migrations_agree_with_the_code() {
    let mysql = concat!(
        include_str!("../../../../migrations/mysql/0001_tables.sql"),
        include_str!("../../../../migrations/mysql/0002_identities.sql"),
        include_str!("../../../../migrations/mysql/0004_integrity.sql")
    );
    let postgres = concat!(
        include_str!("../../../../migrations/postgres/0001_tables.sql"),
        include_str!("../../../../migrations/postgres/0002_identities.sql"),
        include_str!("../../../../migrations/postgres/0004_integrity.sql")
    );
    let sqlite = concat!(
        include_str!("../../../../migrations/sqlite/0001_tables.sql"),
        include_str!("../../../../migrations/sqlite/0002_identities.sql"),
        include_str!("../../../../migrations/sqlite/0004_integrity.sql")
    );
    let has = |sql: &str, name: &str, column_type: &str| {
        sql.lines().any(|line| {
            let line = line.split_once("--").map_or(line, |(code, _)| code);
            let words: Vec<&str> = line.split([' ', ',']).filter(|word| !word.is_empty()).collect();
            let ours: Vec<&str> = column_type.split(' ').collect();
            words.first() == Some(&name)
                && words.len() > 1
                && words[1].eq_ignore_ascii_case(ours[0])
        })
    };
    for field in FIELDS {
        let mysql_type = field.types.mysql.to_string();
        assert!(has(mysql, field.name, &mysql_type), "{} {mysql_type}", field.name);
        assert!(has(postgres, field.name, field.types.postgres), "{}", field.name);
        assert!(has(sqlite, field.name, field.types.sqlite), "{}", field.name);
    }
    for (sql, has_key) in [(mysql, true), (postgres, false), (sqlite, false)] {
        for table in [LOGS, IDENTITIES, OBJECTS, REJECTS, RUNS, DIGESTS, COVERAGE] {
            let mut columns = columns_of(sql, table.name);
            if has_key && table.name == LOGS.name {
                assert_eq!(columns.pop().as_deref(), Some("id"));
            }
            if table.name == OBJECTS.name {
                let of_dedupe = columns.split_off(table.columns.len());
                assert_eq!(of_dedupe, ["duplicate_count", "kept_for"]);
            }
            assert_eq!(columns, table.columns);
        }
    }
}

#[test]
fn a_schema_of_a_later_version_is_recognised() {
    let schema = Schema::new(Engine::Sqlite);
    let newest = schema.tables.iter().map(|it| it.version).max().unwrap();
    assert!(newest > schema.view.version);
    for (applied, expected) in
        [(&[][..], false), (&[1], false), (&[1, newest], false), (&[1, newest + 1], true)]
    {
        assert_eq!(schema.is_older_than(applied), expected, "{applied:?}");
    }
}

#[test]
fn migrations_are_numbered_from_one_without_gaps_and_the_view_comes_last() {
    for engine in [Engine::Sqlite, Engine::Postgres, Engine::Mysql] {
        let versions: Vec<i64> = migrations(engine).iter().map(|it| it.version).collect();
        assert_eq!(versions, (1..).take(versions.len()).collect::<Vec<i64>>());
        assert_eq!(Schema::new(engine).tables.len() + 1, versions.len());
    }
}

fn info(name: &str, column_type: &str, is_optional: bool) -> ColumnInfo {
    let (name, column_type) = (name.to_owned(), column_type.to_owned());
    ColumnInfo { name, column_type, charset: String::new(), is_optional }
}

#[test]
fn a_table_is_ours_if_a_row_can_be_inserted() {
    let mut found: Vec<ColumnInfo> = COLUMNS.iter().map(|name| info(name, "text", true)).collect();
    assert!(other_columns(&[]).is_none() && other_columns(&found).is_none());
    found.push(info("added_at", "timestamp", true));
    found.push(info("objectid", "bigint", true));
    assert!(other_columns(&found).is_none());
    found.push(info("tenant", "text", false));
    let mismatch = other_columns(&found[1..]).unwrap();
    assert!(matches!(mismatch.remedy, Remedy::OtherTable));
    let expected = "there is a `logs` table with other columns: it lacks `eventVersion` and needs a \
                    value for `tenant`";
    assert_eq!(mismatch.difference, expected);
}

#[test]
fn an_index_of_mysql_has_a_prefix_where_the_key_is_too_long() {
    let statements = alter_table_statements(&INDEXES);
    assert_eq!(statements.len(), 2);
    let (logs, identities) = (&statements[0].1, &statements[1].1);
    for part in [
        "ADD INDEX logs_eventtime (eventTime)",
        "ADD INDEX logs_eventsource_eventname (eventSource(384), eventName(384))",
        "ADD INDEX logs_errorcode_identityid (errorCode(255), identityId)",
        "ADD INDEX logs_identityid_eventat (identityId, eventAt)",
    ] {
        assert!(logs.contains(part), "{logs}");
    }
    assert!(identities.contains("ADD INDEX identities_user_name (user_name)"), "{identities}");
    assert!(needs_prefix_index("requestID") && !needs_prefix_index("eventName"));
}
