//! The kept rows are removed: what other objects had is loaded again.

use super::{assert_balanced, dedupe, rows, write};
use crate::binary::Place;
use crate::databases::{Engine, OwnDatabase, promises};

promises! { on all:
    what_a_forgotten_object_kept_is_loaded_again
    what_a_replaced_object_kept_is_loaded_again
    a_database_without_the_columns_gets_them
}

/// Imports two logs with an event in common, whose row the first one keeps, and a third that has nothing
/// to do with them.
fn kept_in_a(engine: Engine) -> (OwnDatabase, Place) {
    let database = OwnDatabase::new(engine);
    let place = Place::with_database(&database.url);
    write(&place, "logs/a.json", &["1", "2"]);
    write(&place, "logs/b.json", &["2", "3"]);
    write(&place, "logs/c.json", &["4"]);
    write(&place, "logs/d.json", &["4"]);
    place.run(&["--quiet", "import", "logs"]).expect(0);
    dedupe(&place, &database, &["--delete"], 0);
    assert_eq!(rows(&database), ["1 a", "2 a", "3 b", "4 c"]);
    (database, place)
}

fn what_a_forgotten_object_kept_is_loaded_again(engine: Engine) {
    let (database, place) = kept_in_a(engine);
    let dry = place.run(&["--output=json", "forget", "--dry-run", "logs/a.json"]).expect(0).json();
    assert_eq!(dry["loaded_again"], 0);
    let text = place.run(&["forget", "logs/a.json"]).expect(0).stdout;
    let warning = "warning: the next import loads 1 object again";
    assert!(text.contains(warning), "{text}");
    assert_eq!(rows(&database), ["3 b", "4 c"]);
    assert_balanced(&database);
    let failed = place.run(&["status", "--failed"]).expect(0).stdout;
    assert!(
        failed.contains("/logs/b.json") && failed.contains("`dedupe` removed rows"),
        "{failed}"
    );
    assert!(!failed.contains("d.json"), "{failed}");
    std::fs::remove_file(place.path("logs/a.json")).unwrap();
    let run = place.run(&["--output=json", "import", "logs"]).expect(0);
    assert_eq!(run.json()["loaded"]["objects"], 1, "{}", run.shown());
    assert_eq!(rows(&database), ["2 b", "3 b", "4 c"]);
    assert_balanced(&database);
    let again = place.run(&["--output=json", "import", "logs"]).expect(0).json();
    assert_eq!(again["loaded"]["objects"], 0);
    // Together, nothing is left to load again.
    let both = ["--output=json", "forget", "logs/c.json", "logs/d.json"];
    place.run(&both).expect(0);
    assert_eq!(rows(&database), ["2 b", "3 b"]);
    assert_balanced(&database);
}

fn what_a_replaced_object_kept_is_loaded_again(engine: Engine) {
    let (database, place) = kept_in_a(engine);
    write(&place, "logs/a.json", &["1", "5", "6"]);
    place.run(&["--quiet", "import", "--replace-changed", "logs/a.json"]).expect(0);
    assert_eq!(rows(&database), ["1 a", "3 b", "4 c", "5 a", "6 a"]);
    assert_balanced(&database);
    place.run(&["--quiet", "import", "logs"]).expect(0);
    assert_eq!(rows(&database), ["1 a", "2 b", "3 b", "4 c", "5 a", "6 a"]);
    assert_balanced(&database);
    // A file that cannot be read keeps the rows that are left.
    write(&place, "logs/e.json", &["3"]);
    place.run(&["--quiet", "import", "logs"]).expect(0);
    dedupe(&place, &database, &["--delete"], 0);
    place.run(&["--quiet", "forget", "logs/b.json"]).expect(0);
    place.write("logs/e.json", "{\"Records\":[");
    place.run(&["--quiet", "import", "logs/e.json"]).expect(3);
    assert_balanced(&database);
    write(&place, "logs/e.json", &["3"]);
    place.run(&["--quiet", "import", "logs/e.json"]).expect(0);
    assert_eq!(rows(&database), ["1 a", "3 e", "4 c", "5 a", "6 a"]);
    assert_balanced(&database);
}

fn a_database_without_the_columns_gets_them(engine: Engine) {
    let database = OwnDatabase::new(engine);
    let place = Place::with_database(&database.url);
    write(&place, "logs/a.json", &["1"]);
    write(&place, "logs/b.json", &["1"]);
    place.run(&["--quiet", "import", "logs"]).expect(0);
    for column in ["duplicate_count", "kept_for"] {
        database.query(&format!("ALTER TABLE import_objects DROP COLUMN {column}"));
    }
    place.run(&["status"]).expect(0);
    place.run(&["dedupe"]).expect(0);
    assert!(database.try_query("SELECT kept_for FROM import_objects").is_err());
    dedupe(&place, &database, &["--delete"], 0);
    assert_eq!(rows(&database), ["1 a"]);
    for column in ["duplicate_count", "kept_for"] {
        database.query(&format!("ALTER TABLE import_objects DROP COLUMN {column}"));
    }
    place.run(&["--quiet", "forget", "logs"]).expect(0);
    assert_eq!(rows(&database), [""; 0]);
}
