//! The files of `migrations/`, which the program contains.
//!
//! They are not embedded by sqlx, whose macro would compile sqlx and SQLite a second time, for the
//! compiler's own machine.

use crate::database::url::Engine;

/// One file of `migrations/`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Migration {
    /// The number that the file's name begins with.
    pub(super) version: i64,
    /// The rest of the file's name.
    pub(super) name: &'static str,
    /// The statements.
    pub(super) sql: &'static str,
}

/// Embeds the files of one folder.
macro_rules! embedded {
    ($folder:literal: $($version:literal $name:literal)+) => {
        &[$(Migration {
            version: $version,
            name: $name,
            sql: include_str!(concat!(
                "../../../migrations/", $folder, "/000", $version, "_", $name, ".sql"
            )),
        }),+]
    };
}

/// Returns the files of the engine's folder, in the order in which they run.
pub(super) fn migrations(engine: Engine) -> &'static [Migration] {
    match engine {
        Engine::Sqlite => embedded!("sqlite": 1 "tables" 2 "identities" 3 "events" 4 "integrity"),
        Engine::Postgres => {
            embedded!("postgres": 1 "tables" 2 "identities" 3 "events" 4 "integrity")
        }
        Engine::Mysql => embedded!("mysql": 1 "tables" 2 "identities" 3 "events" 4 "integrity"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_folders_is_embedded() {
        for (engine, folder) in
            [(Engine::Sqlite, "sqlite"), (Engine::Postgres, "postgres"), (Engine::Mysql, "mysql")]
        {
            let folder = format!("{}/migrations/{folder}", env!("CARGO_MANIFEST_DIR"));
            let entries = std::fs::read_dir(&folder).unwrap();
            let mut names: Vec<String> =
                entries.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            let embedded = migrations(engine);
            let expected: Vec<String> =
                embedded.iter().map(|it| format!("{:04}_{}.sql", it.version, it.name)).collect();
            assert_eq!(names, expected);
            for (name, migration) in names.iter().zip(embedded) {
                let file = std::fs::read_to_string(format!("{folder}/{name}")).unwrap();
                assert_eq!(migration.sql, file);
            }
        }
    }
}
