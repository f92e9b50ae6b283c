//! What a managed server limits: the connections of an account, and the time that a statement or a
//! transaction may take.

use std::time::Duration;

use super::account::Account;
use super::scratch::Scratch;
use crate::binary::Place;
use crate::databases::{Engine, HeldTable, promises};
use crate::wait;

promises! { on servers: an_account_with_few_connections_takes_an_import }

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sample");

/// How many records the sample has.
const SAMPLE_ROWS: u64 = 1_234;

/// Gives the account the database.
fn give_database(account: &Account, scratch: &Scratch) {
    let (database, name, engine) = (&scratch.name, &account.name, scratch.engine);
    engine.administer(&match engine {
        Engine::Postgres => format!("ALTER DATABASE {database} OWNER TO {name}"),
        _ => format!("GRANT ALL ON {database}.* TO {name}@'%'"),
    });
}

fn an_account_with_few_connections_takes_an_import(engine: Engine) {
    for connections in [1, 2] {
        let scratch = Scratch::created(engine);
        let account = Account::new(&scratch);
        give_database(&account, &scratch);
        let name = &account.name;
        engine.administer(&match engine {
            Engine::Postgres => format!("ALTER ROLE {name} CONNECTION LIMIT {connections}"),
            _ => format!("ALTER USER {name}@'%' WITH MAX_USER_CONNECTIONS {connections}"),
        });
        let place = Place::with_database(&account.url(&scratch));
        let run = place.run(&["--output=json", "import", "--batch-rows=100", SAMPLE]).expect(0);
        // Whether two are enough depends on how fast they are.
        if connections == 1 {
            let warning = "the server gives no more connections; continuing with 1\n";
            assert!(run.stderr.contains(warning), "{}", run.shown());
        }
        assert_eq!(scratch.number("SELECT COUNT(*) FROM logs"), SAMPLE_ROWS);
        assert_eq!(run.json()["indexes_missing"].as_array().unwrap().len(), 0, "{}", run.shown());
        account.drop(&scratch);
    }
}

#[test]
fn the_time_limits_of_postgres_end_no_statement_of_an_import() {
    let scratch = Scratch::created(Engine::Postgres);
    let account = Account::new(&scratch);
    give_database(&account, &scratch);
    let url = account.url(&scratch);
    let place = Place::with_database(&url);
    let limit = Duration::from_secs(1);
    for setting in ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"] {
        let set = format!("ALTER ROLE {} SET {setting} = '1s'", account.name);
        scratch.engine.administer(&set);
    }
    place.run(&["--quiet", "import", "--no-index", SAMPLE]).expect(0);
    let held = HeldTable::of(&scratch);
    let running = place.start(&["index"]);
    wait::until("an index is built", || scratch.index_builds() > 0);
    // The limits have to pass.
    std::thread::sleep(limit + Duration::from_secs(1));
    drop(held);
    let run = running.end().expect(0);
    assert!(!run.stderr.contains("retrying"), "{}", run.shown());
    // A question waits for the lock, too.
    let held = HeldTable::for_itself(&scratch);
    let running = place.start(&["query", "services"]);
    wait::until("the question is asked", || {
        scratch.running("SELECT") + scratch.running("WITH") > 0
    });
    std::thread::sleep(limit + Duration::from_secs(1));
    drop(held);
    let run = running.end().expect(0);
    assert!(!run.stderr.contains("retrying"), "{}", run.shown());
    account.drop(&scratch);
}
