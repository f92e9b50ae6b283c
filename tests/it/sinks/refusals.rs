//! What the database or the file system does not allow: reported with a hint and without a secret.

use std::sync::Arc;

use cloudtrail2sql::cli::error::{RunError, render};
use cloudtrail2sql::database::indexes::INDEXES;
use cloudtrail2sql::database::status::RunStart;
use cloudtrail2sql::database::{DatabaseError, ErrorClass, Store, UpgradePolicy};
use cloudtrail2sql::import::error::chain;
use cloudtrail2sql::import::load::load;

use super::account::{Account, PASSWORD, PASSWORD_IN_URL, with_user};
use super::commits::RETRY;
use super::objects::{RUN, batch, numbered};
use super::scratch::{Scratch, open};
use crate::databases::{Engine, promises};

promises! { async on servers:
    an_account_that_may_only_load_uses_tables_of_another_account
    an_unknown_error_is_fatal_and_shown_with_its_code
    a_wrong_password_is_fatal_and_not_shown
    a_server_that_is_not_there_is_reported
    an_account_that_may_not_create_the_database_gets_the_sql
    an_account_that_may_not_create_tables_gets_a_hint
    a_login_refused_later_is_not_blamed_on_the_data
}

/// How often a writer that does not wait tries, while another one waits.
const TURNED_AWAY: usize = 1_000;

/// SQLite's code of a file that another connection writes.
const SQLITE_BUSY: &str = "5";

/// Returns the error as the user sees it, after checking that it shows no secret.
fn shown(error: DatabaseError, sink: &dyn Store) -> String {
    let all = format!("{error:?} {sink:?} {}", chain(&error));
    let report = render(&RunError::from(error));
    for secret in [PASSWORD, PASSWORD_IN_URL, "Pa55"] {
        assert!(!all.contains(secret) && !report.contains(secret), "{all}\n{report}");
    }
    report
}

async fn a_wrong_password_is_fatal_and_not_shown(engine: Engine) {
    let scratch = Scratch::created(engine);
    let account = Account::new(&scratch);
    let sink = open(&with_user(&scratch.url, &account.name, "not-the-Pa55word"));
    let error = sink.prepare(UpgradePolicy::Refuse).await.unwrap_err();
    assert!(error.class == ErrorClass::Fatal, "{error:?}");
    let report = shown(error, &*sink);
    assert!(report.starts_with("error: cannot connect to the database\n  caused by: "), "{report}");
    assert!(report.contains(&account.name), "{report}");
    assert!(report.contains("\n\nhint: check the user name and the password"), "{report}");
    account.drop(&scratch);
}

async fn a_server_that_is_not_there_is_reported(engine: Engine) {
    let scheme = if engine == Engine::Postgres { "postgres" } else { "mysql" };
    // A port without a server: it was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for place in [format!("127.0.0.1:{port}"), "no-such-host.invalid".to_owned()] {
        let sink = open(&format!("{scheme}://someone:{PASSWORD_IN_URL}@{place}/logs"));
        let error = sink.prepare(UpgradePolicy::Refuse).await.unwrap_err();
        let report = shown(error, &*sink);
        assert!(report.starts_with("error: cannot connect to the database"), "{report}");
        let expected = if place.starts_with("127") { "refused" } else { "lookup" };
        assert!(report.contains(expected), "{report}");
        let hint = report.lines().last().unwrap();
        assert!(hint.starts_with("hint: ") && hint.contains("host"), "{report}");
    }
}

async fn an_account_that_may_not_create_the_database_gets_the_sql(engine: Engine) {
    let scratch = Scratch::new(engine);
    let account = Account::new(&scratch);
    let sink = open(&account.url(&scratch));
    let error = sink.prepare(UpgradePolicy::Refuse).await.unwrap_err();
    assert!(error.class == ErrorClass::Fatal, "{error:?}");
    let report = shown(error, &*sink);
    let hint = report.lines().last().unwrap().to_owned();
    let (_, sql) = hint.split_once("run: ").unwrap();
    let (expected, sql) = if engine.is_mysql() {
        // MySQL can grant privileges on a database before it exists.
        let sql = sql.replace("the account", &format!("{}@'%'", account.name));
        (format!("ON `{}`.* TO ", scratch.name), sql)
    } else {
        (format!("CREATE DATABASE \"{}\"", scratch.name), sql.to_owned())
    };
    assert!(sql.contains(&expected), "{report}");
    engine.administer(&sql);
    sink.prepare(UpgradePolicy::Refuse).await.unwrap();
    sink.write(RUN, &batch(1, [numbered("a", 3)])).await.unwrap();
    assert_eq!(scratch.counts().await, [3, 1, 0]);
    assert_eq!(sink.missing_indexes().await.unwrap(), INDEXES);
    Arc::clone(&sink).build_missing_indexes().await.unwrap();
    sink.close().await;
    account.drop(&scratch);
}

async fn an_account_that_may_not_create_tables_gets_a_hint(engine: Engine) {
    let scratch = Scratch::created(engine);
    let account = Account::new(&scratch);
    if engine.is_mysql() {
        let grant = format!("GRANT SELECT ON {}.* TO {}@'%'", scratch.name, account.name);
        engine.administer(&grant);
    } else {
        scratch.run("REVOKE CREATE ON SCHEMA public FROM PUBLIC").await;
    }
    let sink = open(&account.url(&scratch));
    let error = sink.prepare(UpgradePolicy::Refuse).await.unwrap_err();
    let report = shown(error, &*sink);
    assert!(report.starts_with("error: cannot create the tables\n  caused by: "), "{report}");
    assert!(report.to_lowercase().contains("denied"), "{report}");
    assert!(report.contains("the account needs the right to create tables"), "{report}");
    account.drop(&scratch);
}

async fn a_login_refused_later_is_not_blamed_on_the_data(engine: Engine) {
    let (scratch, _) = Scratch::prepared(engine).await;
    let account = Account::new(&scratch);
    let grant = if engine.is_mysql() {
        format!("GRANT ALL ON {}.* TO {}@'%'", scratch.name, account.name)
    } else {
        format!("GRANT ALL ON ALL TABLES IN SCHEMA public TO {}", account.name)
    };
    scratch.run(&grant).await;
    let sink = open(&account.url(&scratch));
    sink.write(RUN, &batch(1, [numbered("a", 3)])).await.unwrap();
    sink.close().await;
    let shut_out = match engine {
        Engine::Postgres => format!("ALTER ROLE {} NOLOGIN", account.name),
        Engine::Mysql => format!("ALTER USER {}@'%' PASSWORD EXPIRE", account.name),
        _ => format!("ALTER USER {}@'%' ACCOUNT LOCK", account.name),
    };
    engine.administer(&shut_out);
    // As refused data, every object would be recorded as failed.
    let error = sink.write(RUN, &batch(2, [numbered("b", 3)])).await.unwrap_err();
    assert!(error.class == ErrorClass::Fatal, "{error:?}");
    shown(error, &*sink);
    assert_eq!(scratch.counts().await, [3, 1, 0]);
    account.drop(&scratch);
}

async fn an_account_that_may_only_load_uses_tables_of_another_account(engine: Engine) {
    let (scratch, _) = Scratch::prepared(engine).await;
    let account = Account::new(&scratch);
    let grant = if engine.is_mysql() {
        format!(
            "GRANT SELECT, INSERT, UPDATE, DELETE ON {}.* TO {}@'%'",
            scratch.name, account.name
        )
    } else {
        let tables = "SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public";
        format!("REVOKE CREATE ON SCHEMA public FROM PUBLIC; GRANT {tables} TO {}", account.name)
    };
    scratch.run(&grant).await;
    let sink = open(&account.url(&scratch));
    for policy in [UpgradePolicy::Refuse, UpgradePolicy::Upgrade] {
        assert!(!sink.prepare(policy).await.unwrap());
    }
    let run = sink.begin_run(&RunStart::default()).await.unwrap();
    sink.write(run, &batch(1, [numbered("a", 3)])).await.unwrap();
    assert_eq!(scratch.counts().await, [3, 1, 0]);
    sink.close().await;
    account.drop(&scratch);
}

/// Review B15: an error that the driver's table does not list must not be recorded as the fault of
/// an object.
async fn an_unknown_error_is_fatal_and_shown_with_its_code(engine: Engine) {
    let (scratch, sink) = Scratch::prepared(engine).await;
    let (trigger, expected) = if engine.is_mysql() {
        let trigger = "CREATE TRIGGER unknown BEFORE INSERT ON logs FOR EACH ROW \
             SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = 1030, MESSAGE_TEXT = 'got error 28'";
        (trigger, "error 1030: got error 28")
    } else {
        let trigger = "CREATE FUNCTION unknown() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             RAISE EXCEPTION 'no such statement' USING ERRCODE = '27000'; END $$; \
             CREATE TRIGGER unknown BEFORE INSERT ON logs \
             FOR EACH ROW EXECUTE FUNCTION unknown()";
        (trigger, "SQLSTATE 27000: no such statement")
    };
    scratch.run(trigger).await;
    let mut settled = Vec::new();
    let objects = batch(1, [numbered("a", 3), numbered("b", 1)]);
    let error = load(&*sink, RUN, objects, RETRY, &mut settled).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Fatal, "{error:?}");
    let report = shown(error, &*sink);
    assert!(report.starts_with("error: cannot write a batch\n  caused by: "), "{report}");
    assert!(report.contains(expected), "{report}");
    assert!(report.contains("hint: look up the error's code"), "{report}");
    assert!(settled.is_empty());
    assert_eq!(scratch.counts().await, [0; 3]);
}

#[tokio::test]
async fn a_file_that_is_not_a_sqlite_database_is_left_unchanged() {
    let scratch = Scratch::new(Engine::Sqlite);
    let text = b"this is a diary, not a database, and it is long enough to be mistaken for one";
    std::fs::write(scratch.file(), text.repeat(100)).unwrap();
    let sink = scratch.sink();
    let error = sink.prepare(UpgradePolicy::Upgrade).await.unwrap_err();
    let report = shown(error, &*sink);
    assert!(report.contains("file is not a database"), "{report}");
    assert!(report.ends_with("hint: name another file: this is not a SQLite database"), "{report}");
    assert_eq!(std::fs::read(scratch.file()).unwrap(), text.repeat(100));
}

#[tokio::test]
async fn a_sqlite_file_in_a_missing_folder_names_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("not there").join("logs.db");
    let sink = open(&format!("sqlite://{}", path.display().to_string().replace(' ', "%20")));
    let error = sink.prepare(UpgradePolicy::Refuse).await.unwrap_err();
    let report = shown(error, &*sink);
    assert!(report.starts_with("error: cannot create the database\n  caused by: "), "{report}");
    let hint = format!("hint: the folder `{}` must exist", path.parent().unwrap().display());
    assert!(report.lines().last().unwrap().starts_with(&hint), "{report}");
    assert!(!path.exists());
}

#[tokio::test]
async fn a_read_only_sqlite_file_is_reported() {
    let (scratch, sink) = Scratch::prepared(Engine::Sqlite).await;
    sink.close().await;
    let sink = open(&format!("{}?mode=ro", scratch.url));
    assert!(sink.has_ledger().await.unwrap(), "reading is not writing");
    let error = sink.write(RUN, &batch(1, [numbered("a", 1)])).await.unwrap_err();
    assert!(error.class == ErrorClass::Fatal, "{error:?}");
    let report = shown(error, &*sink);
    assert!(report.contains("readonly"), "{report}");
    assert!(report.ends_with("hint: the file and its folder must be writable"), "{report}");
}

#[tokio::test]
async fn a_sqlite_file_that_another_process_writes_is_waited_for() {
    use sqlx::{Connection, SqliteConnection};
    let (scratch, sink) = Scratch::prepared(Engine::Sqlite).await;
    let mut other = SqliteConnection::connect(&scratch.url).await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let batch = batch(1, [numbered("a", 3)]);
    let write = sink.write(RUN, &batch);
    // A third process that does not wait is turned away again and again, while the write waits.
    let turned_away = async {
        let url = format!("{}?mode=rw", scratch.url);
        let options: sqlx::sqlite::SqliteConnectOptions = url.parse().unwrap();
        let options = options.busy_timeout(std::time::Duration::ZERO);
        let mut third = SqliteConnection::connect_with(&options).await.unwrap();
        for _ in 0..TURNED_AWAY {
            let begun = sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut third).await;
            let error = begun.unwrap_err().into_database_error().unwrap();
            assert_eq!(error.code().as_deref(), Some(SQLITE_BUSY), "{error}");
        }
    };
    let mut write = std::pin::pin!(write);
    tokio::select! {
        biased;
        written = &mut write => panic!("the write did not wait: {written:?}"),
        () = turned_away => {}
    }
    assert_eq!(scratch.counts().await, [0; 3]);
    sqlx::raw_sql("COMMIT").execute(&mut other).await.unwrap();
    write.await.unwrap();
    assert_eq!(scratch.counts().await, [3, 1, 0]);
}
