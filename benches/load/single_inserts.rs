//! One INSERT a record, each in a transaction of its own, on a connection a core: what the
//! tutorial's importer does.

use std::time::{Duration, Instant};

use cloudtrail2sql::record::COLUMNS;
use cloudtrail2sql::row::Rows;
use sqlx::{Connection, MySqlConnection, PgConnection, SqliteConnection};

use crate::data::{Data, read};
use crate::databases::with_tables;
use crate::measure::Usage;
use crate::own_database::Engine;

/// How long to insert. The rate does not change, so the rest is reckoned.
const SAMPLE: Duration = Duration::from_secs(5);

/// As many as the machine has cores.
fn connections(engine: Engine) -> usize {
    if engine == Engine::Sqlite {
        return 1;
    }
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Returns what inserting all rows of the data would take, from the rate of some seconds.
pub fn single_inserts(engine: Engine, data: &Data) -> Usage {
    let database = with_tables(engine, &["--no-index"]);
    let mut rows: Vec<Rows> = Vec::new();
    read(&data.folder, |log, _| {
        if rows.iter().map(Rows::len).sum::<usize>() < 200_000 {
            rows.push(log.rows);
        }
    });
    let workers = connections(engine);
    let placeholder =
        |n: usize| if engine == Engine::Postgres { format!("${n}") } else { "?".into() };
    let placeholders: Vec<String> = (1..=COLUMNS.len()).map(placeholder).collect();
    let sql =
        format!("INSERT INTO logs ({}) VALUES ({})", COLUMNS.join(", "), placeholders.join(", "));
    macro_rules! insert_over {
        ($connection:ty, $worker:expr) => {
            async {
                let mut connection = <$connection>::connect(&database.url).await.unwrap();
                let (started, mut inserted) = (Instant::now(), 0_u64);
                let mine = rows.iter().skip($worker).step_by(workers).flatten();
                for row in mine.take_while(|_| started.elapsed() < SAMPLE) {
                    let mut query = sqlx::query(&sql);
                    for cell in row {
                        query = query.bind(cell);
                    }
                    query.execute(&mut connection).await.unwrap();
                    inserted += 1;
                }
                (inserted, started.elapsed())
            }
        };
    }
    let work = |worker: usize| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        match engine {
            Engine::Sqlite => runtime.block_on(insert_over!(SqliteConnection, worker)),
            Engine::Postgres => runtime.block_on(insert_over!(PgConnection, worker)),
            Engine::Mysql | Engine::Mariadb => {
                runtime.block_on(insert_over!(MySqlConnection, worker))
            }
        }
    };
    let rates: Vec<f64> = std::thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = (0..workers).map(|n| scope.spawn(move || work(n))).collect();
        let rate = |(inserted, took): (u64, Duration)| {
            #[expect(clippy::cast_precision_loss, reason = "a rate")]
            let inserted = inserted as f64;
            inserted / took.as_secs_f64()
        };
        threads.into_iter().map(|thread| rate(thread.join().unwrap())).collect()
    });
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let wall = Duration::from_secs_f64(data.rows as f64 / rates.iter().sum::<f64>());
    Usage { wall, ..Usage::default() }
}
