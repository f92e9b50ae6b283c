//! What `dedupe` needs, and which rows it leaves alone.

use super::{counts, rows, write};
use crate::binary::Place;
use crate::databases::{Engine, OwnDatabase, promises};

promises! { on all:
    without_an_index_it_says_how_to_build_it
    rows_of_no_object_stay
}

promises! { on servers:
    a_read_only_account_can_look
}

fn two_copies(engine: Engine) -> (OwnDatabase, Place) {
    let database = OwnDatabase::new(engine);
    let place = Place::with_database(&database.url);
    write(&place, "logs/a.json", &["1", "2"]);
    write(&place, "logs/b.json", &["1", "2"]);
    place.run(&["--quiet", "import", "--no-index", "logs"]).expect(0);
    (database, place)
}

fn without_an_index_it_says_how_to_build_it(engine: Engine) {
    let (database, place) = two_copies(engine);
    for args in [&["dedupe"][..], &["dedupe", "--delete"]] {
        let run = place.run(args).expect(1);
        assert!(run.stderr.contains("has no index on `eventID`"), "{}", run.shown());
        assert!(run.stderr.contains("hint: `cloudtrail2sql index` builds it"), "{}", run.shown());
    }
    // An index of the user's counts.
    database.query(
        "CREATE INDEX of_mine ON logs (eventID, eventName(20))"
            .replace("(20)", if engine.is_mysql() { "(20)" } else { "" })
            .replace("eventID,", if engine.is_mysql() { "eventID(300)," } else { "eventID," })
            .as_str(),
    );
    place.run(&["--quiet", "dedupe", "--delete"]).expect(0);
    assert_eq!(rows(&database), ["1 a", "2 a"]);
}

fn rows_of_no_object_stay(engine: Engine) {
    let (database, place) = two_copies(engine);
    place.run(&["--quiet", "index"]).expect(0);
    // As another program would store it, and as after a loss of the ledger's line.
    database.query("UPDATE logs SET objectId = NULL WHERE eventID = '1'");
    let of_b = "(SELECT number FROM import_objects WHERE uri LIKE '%b.json')";
    let changed = format!("UPDATE logs SET objectId = 77 WHERE objectId = {of_b}");
    database.query(&changed);
    let found = place.run(&["--output=json", "dedupe"]).expect(0).json();
    assert_eq!((counts(&found), &found["left"]), ((0, 0), &serde_json::json!(2)), "{found}");
    let run = place.run(&["dedupe", "--delete"]).expect(3);
    assert!(run.stdout.contains("warning: 2 duplicate rows cannot be removed"), "{}", run.shown());
    assert_eq!(rows(&database), ["1 none", "1 none", "2 a", "2 none"]);
}

fn a_read_only_account_can_look(engine: Engine) {
    let (database, place) = two_copies(engine);
    place.run(&["--quiet", "index"]).expect(0);
    let (name, reader) = (&database.name, format!("r{}", database.name));
    if engine == Engine::Postgres {
        engine.administer(&format!("CREATE ROLE {reader} LOGIN PASSWORD 'pw'"));
        database.query(&format!("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {reader}"));
    } else {
        engine.administer(&format!("CREATE USER {reader}@'%' IDENTIFIED BY 'pw'"));
        engine.administer(&format!("GRANT SELECT ON {name}.* TO {reader}@'%'"));
    }
    let url = crate::sinks::account::with_user(&database.url, &reader, "pw");
    let found = Place::with_database(&url).run(&["--output=json", "dedupe"]).expect(0).json();
    let refused = Place::with_database(&url).run(&["dedupe", "--delete"]);
    if engine == Engine::Postgres {
        database.query(&format!("DROP OWNED BY {reader}"));
        engine.administer(&format!("DROP ROLE {reader}"));
    } else {
        engine.administer(&format!("DROP USER {reader}@'%'"));
    }
    assert_eq!(counts(&found), (2, 2));
    refused.expect(1);
    assert_eq!(rows(&database), ["1 a", "1 b", "2 a", "2 b"]);
}

fn a_table_without_a_key_is_refused(engine: Engine) {
    let (database, place) = two_copies(engine);
    place.run(&["--quiet", "index"]).expect(0);
    database.query("ALTER TABLE logs DROP COLUMN id");
    place.run(&["dedupe"]).expect(0);
    let run = place.run(&["dedupe", "--delete"]).expect(1);
    assert!(run.stderr.contains("have no key"), "{}", run.shown());
    let (_, hint) = run.stderr.split_once("hint: run: ").unwrap();
    let add = hint.split(" (MySQL").next().unwrap();
    database.query(add);
    place.run(&["--quiet", "dedupe", "--delete"]).expect(0);
    assert_eq!(rows(&database), ["1 a", "2 a"]);
}

#[test]
fn a_mysql_table_without_a_key_is_refused() {
    a_table_without_a_key_is_refused(Engine::Mysql);
}

#[test]
fn a_mariadb_table_without_a_key_is_refused() {
    a_table_without_a_key_is_refused(Engine::Mariadb);
}

#[test]
fn a_sqlite_table_without_rowid_is_refused() {
    let (database, place) = two_copies(Engine::Sqlite);
    place.run(&["--quiet", "index"]).expect(0);
    database.query("DROP VIEW events");
    let definition = database.query("SELECT sql FROM sqlite_master WHERE name = 'logs'");
    let definition = definition[0][0].clone().unwrap();
    let (before, _) = definition.rsplit_once(')').unwrap();
    database.query(&format!(
        "ALTER TABLE logs RENAME TO old; {before}, n INTEGER PRIMARY KEY) WITHOUT ROWID; \
         INSERT INTO logs SELECT *, rowid FROM old; DROP TABLE old; \
         CREATE INDEX logs_eventid ON logs (eventID)"
    ));
    place.run(&["dedupe"]).expect(0);
    let run = place.run(&["dedupe", "--delete"]).expect(1);
    assert!(run.stderr.contains("WITHOUT ROWID"), "{}", run.shown());
}
