//! What the words of the command line mean, in the terms of [`crate::cli::config`].

use jiff::Timestamp;

use super::{ChoiceArgs, GlobalArgs, ImportArgs, LoadArgs, Method, S3Args, StatusArgs};
use crate::cli::config::{
    self, BATCH_BYTES, BATCH_ROWS, ConfigError, Database, Environment, FETCHERS, ImportSettings,
    LISTERS, MEMORY_BYTES, OBJECT_BYTES, Prices, STATUS_LINES, StatusPart, StatusSettings, WRITERS,
};
use crate::database::LoadMethod;
use crate::database::url::Engine;
use crate::source::s3::S3Options;
use crate::trail::layout::Selection;
use crate::trail::object::Shard;

impl GlobalArgs {
    /// Returns the database that was chosen by flag, environment, file or default.
    pub fn database(&self, environment: &Environment) -> Result<Database, ConfigError> {
        Database::resolve(
            self.database.as_ref().map(|typed| typed.0.as_str()),
            self.config.as_deref(),
            environment,
        )
    }
}

impl ImportArgs {
    /// Returns what the arguments mean for `database`.
    pub fn settings(&self, database: Database) -> Result<ImportSettings, ConfigError> {
        let load = &self.load;
        let engine = database.engine();
        let in_range = |count| config::count_in("--fetchers", count, &FETCHERS);
        let batch_bytes = config::bytes_in("--batch-bytes", &load.batch_bytes, &BATCH_BYTES)?;
        Ok(ImportSettings {
            sources: self.sources.iter().map(|it| config::source(it)).collect::<Result<_, _>>()?,
            s3: self.s3.settings()?,
            selection: self.choice.selection(Timestamp::now())?,
            shard: self.choice.shard.as_deref().map_or(Ok(Shard::WHOLE), config::shard)?,
            listers: config::count_in("--listers", load.listers, &LISTERS)?,
            fetchers: load.fetchers.map(in_range).transpose()?,
            writers: load.writers(engine)?,
            batch_rows_max: config::count_in("--batch-rows", load.batch_rows, &BATCH_ROWS)?,
            batch_bytes_max: usize::try_from(batch_bytes).unwrap_or(usize::MAX),
            memory_bytes: config::bytes_in("--memory", &load.memory, &MEMORY_BYTES)?,
            object_bytes_max: config::bytes_in(
                "--max-object-size",
                &load.max_object_size,
                &OBJECT_BYTES,
            )?,
            load_method: load.method(engine)?,
            builds_indexes: !load.no_index,
            is_dry_run: load.dry_run,
            prices: Prices {
                list: config::price("--list-price", load.list_price)?,
                get: config::price("--get-price", load.get_price)?,
            },
            upgrades_table: load.upgrade_table,
            database,
        })
    }
}

impl ChoiceArgs {
    fn selection(&self, now: Timestamp) -> Result<Selection, ConfigError> {
        let day = |flag, typed: &Option<String>| {
            typed.as_deref().map(|typed| config::day(flag, typed, now)).transpose()
        };
        let (from, to) = (day("--from", &self.from)?, day("--to", &self.to)?);
        if let (Some(from), Some(to)) = (from, to)
            && from > to
        {
            return Err(ConfigError::DaysReversed { from, to });
        }
        let accounts = self.account_id.iter().map(|typed| config::account(typed));
        let accounts = accounts.collect::<Result<_, _>>()?;
        let regions = self.trail_region.iter().map(|typed| filled("--trail-region", Some(typed)));
        let regions = regions.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
        Ok(Selection { from, to, accounts, regions })
    }
}

impl S3Args {
    fn settings(&self) -> Result<S3Options, ConfigError> {
        let endpoint_url = self.endpoint_url.as_ref().map(|typed| config::endpoint_url(&typed.0));
        Ok(S3Options {
            profile: filled("--profile", self.profile.as_ref())?,
            region: filled("--region", self.region.as_ref())?,
            endpoint_url: endpoint_url.transpose()?,
            no_sign_request: self.no_sign_request,
            request_payer: self.request_payer.is_some(),
            ..S3Options::default()
        })
    }
}

impl LoadArgs {
    fn writers(&self, engine: Engine) -> Result<usize, ConfigError> {
        let typed = self.writers.unwrap_or_else(|| config::writers_default(engine));
        let writers = config::count_in("--writers", typed, &WRITERS)?;
        if engine == Engine::Sqlite && writers > 1 {
            return Err(ConfigError::SqliteWriters(writers));
        }
        Ok(writers)
    }

    fn method(&self, engine: Engine) -> Result<LoadMethod, ConfigError> {
        match self.load_method {
            Method::Auto => Ok(LoadMethod::fastest(engine)),
            Method::Insert => Ok(LoadMethod::Insert),
            Method::Copy if engine == Engine::Postgres => Ok(LoadMethod::Copy),
            Method::Copy => Err(ConfigError::CopyNeedsPostgres(engine)),
        }
    }
}

impl StatusArgs {
    /// Returns what the arguments mean for `database`.
    pub fn settings(&self, database: Database) -> Result<StatusSettings, ConfigError> {
        let part = match (self.failed, self.rejected, self.runs) {
            (true, ..) => StatusPart::Failed,
            (_, true, _) => StatusPart::Rejected,
            (.., true) => StatusPart::Runs,
            _ => StatusPart::Totals,
        };
        let lines_max = config::count_in("--limit", self.limit, &STATUS_LINES)?;
        Ok(StatusSettings { database, part, lines_max })
    }
}

/// Returns the value of a flag, which must not be empty if the flag is given.
fn filled(flag: &'static str, typed: Option<&String>) -> Result<Option<String>, ConfigError> {
    match typed.map(|typed| typed.trim()) {
        Some("") => Err(ConfigError::EmptyFlag(flag)),
        typed => Ok(typed.map(str::to_owned)),
    }
}
