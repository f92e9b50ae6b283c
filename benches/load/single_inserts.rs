//! One INSERT a record, each in a transaction of its own, on a connection a core: what the
//! tutorial's importer does.

use std::time::{Duration, Instant};

use cloudtrail2sql::trail::fields::COLUMNS;
use cloudtrail2sql::trail::rows::Rows;
use sqlx::{Connection, MySqlConnection, PgConnection, SqliteConnection};

use crate::data::{Data, read};
use crate::databases::{server, with_tables};
use crate::measure::{Usage, own_cpu, with_server};
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

/// Returns what inserting all rows of the data would take, reckoned from some seconds of it.
#[expect(clippy::cast_precision_loss, reason = "rates")]
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
                    for cell in row.cells {
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
    let mut inserted = 0;
    let mut rows_per_second = 0.0;
    let before = own_cpu();
    let sample = with_server(server(engine), || {
        std::thread::scope(|scope| {
            let work = &work;
            let threads: Vec<_> = (0..workers).map(|n| scope.spawn(move || work(n))).collect();
            for (count, took) in threads.into_iter().map(|thread| thread.join().unwrap()) {
                inserted += count;
                rows_per_second += count as f64 / took.as_secs_f64();
            }
        });
        Usage { client_cpu: own_cpu().saturating_sub(before), ..Usage::default() }
    });
    let share = data.rows as f64 / inserted as f64;
    Usage {
        wall: Duration::from_secs_f64(data.rows as f64 / rows_per_second),
        client_cpu: sample.client_cpu.mul_f64(share),
        server_cpu: sample.server_cpu.mul_f64(share),
        ..Usage::default()
    }
}
