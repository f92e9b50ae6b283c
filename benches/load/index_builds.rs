//! What each index costs: the time to build it alone, and its size.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use cloudtrail2sql::database::indexes::{INDEXES, Index};

use crate::data::Data;
use crate::databases::{ENGINES, import, name, server, settle};
use crate::day::size_bytes;
use crate::measure::{own_cpu, statement, with_server};
use crate::own_database::{Engine, OwnDatabase};

/// What one index took on one database.
#[derive(Debug, Clone, Copy, Default)]
struct Build {
    wall: Duration,
    cpu: Duration,
    bytes: u64,
}

/// Builds all indexes one after another on each database, and reports in Markdown.
///
/// An import builds several of them at once, so the sum is more than an import takes.
pub fn index_builds(data: &Data) -> String {
    let mut builds: BTreeMap<usize, Vec<Build>> = BTreeMap::new();
    let mut report = format!("{} records\n\n| index |", data.rows);
    for engine in ENGINES {
        write!(report, " {} s | CPU s | MiB |", name(engine)).unwrap();
        let database = OwnDatabase::new(engine);
        import(&database, &data.folder, &["--no-index"]);
        settle(engine);
        for (n, index) in INDEXES.iter().enumerate() {
            builds.entry(n).or_default().push(build(&database, index));
        }
    }
    report += &format!("\n|---|{}", "---|---|---|".repeat(ENGINES.len()));
    for (n, builds) in builds {
        write!(report, "\n| `{}` |", INDEXES[n].name).unwrap();
        for build in builds {
            let (wall, cpu) = (build.wall.as_secs_f64(), build.cpu.as_secs_f64());
            write!(report, " {wall:.2} | {cpu:.2} | {} |", build.bytes >> 20).unwrap();
        }
    }
    report
}

fn build(database: &OwnDatabase, index: &Index) -> Build {
    let is_mysql = matches!(database.engine, Engine::Mysql | Engine::Mariadb);
    let key_part = |column: &&str| match *column {
        // They are too wide for a full index.
        "errorCode" | "requestID" if is_mysql => format!("{column}(255)"),
        column => column.to_owned(),
    };
    let columns: Vec<String> = index.columns.iter().map(key_part).collect();
    let create =
        format!("CREATE INDEX {} ON {} ({})", index.name, index.table.as_str(), columns.join(", "));
    let bytes_before = size_bytes(database);
    // SQLite works in this process.
    let cpu_before = own_cpu();
    let built =
        with_server(server(database.engine), || statement(|| drop(database.query(&create))));
    let cpu = built.server_cpu + own_cpu().saturating_sub(cpu_before);
    Build { wall: built.wall, cpu, bytes: size_bytes(database).saturating_sub(bytes_before) }
}
