//! Resolves what was typed into [`Settings`].

use jiff::Timestamp;

use super::record_filter::without_other_days;
use super::{Cli, Command, GlobalArgs, ImportArgs, LoadArgs, Method, StatusArgs};
use crate::cli::config::{
    self, CommandSettings, ConfigError, Console, DatabaseSettings, DedupeSettings, Environment,
    ForgetSettings, Form, ImportSettings, Prices, RecordSettings, Settings, SourceSpec, StatusPart,
    StatusSettings, defaults,
};
use crate::database::LoadMethod;
use crate::database::url::Engine;

impl Cli {
    /// Resolves the arguments, the environment and `db.toml`.
    ///
    /// # Errors
    /// The first option or key that cannot be used.
    pub fn settings(&self, environment: &Environment) -> Result<Settings, ConfigError> {
        let global = &self.global;
        let is_answer = matches!(self.command, Command::Query(_) | Command::Search(_));
        let console = Console::resolve(
            if is_answer { Form::Text } else { global.output.of_result()? },
            (global.quiet, global.verbose),
            global.log_format,
            global.color,
            environment,
        );
        let mut typed_fetchers = None;
        let command = match &self.command {
            Command::Import(args) => {
                typed_fetchers = args.load.fetchers;
                let settings = Box::new(args.settings(global.database(environment)?, environment)?);
                if args.load.dry_run {
                    CommandSettings::DryRun(settings)
                } else {
                    CommandSettings::Import(settings)
                }
            }
            Command::Index => CommandSettings::Index(global.database(environment)?),
            Command::Status(args) => {
                CommandSettings::Status(args.settings(global.database(environment)?)?)
            }
            Command::Record { event_id } => CommandSettings::Record(RecordSettings {
                database: global.database(environment)?,
                event_id: event_id.clone(),
            }),
            Command::Query(args) => match &args.name {
                Some(name) => {
                    let database = global.database(environment)?;
                    let settings = args.settings(name, database, global.output)?;
                    CommandSettings::Query(Box::new(settings))
                }
                None => CommandSettings::Questions(global.output.of_result()?),
            },
            Command::Search(args) => {
                let database = global.database(environment)?;
                CommandSettings::Search(Box::new(args.settings(database, global.output)?))
            }
            Command::Report(args) => {
                let settings = args.settings(global.database(environment)?)?;
                CommandSettings::Report(Box::new(settings))
            }
            Command::Forget(args) => CommandSettings::Forget(ForgetSettings {
                database: global.database(environment)?,
                scopes: args.sources.iter().map(|it| config::uri_scope(it)).collect(),
                is_dry_run: args.dry_run,
            }),
            Command::Dedupe(args) => CommandSettings::Dedupe(DedupeSettings {
                database: global.database(environment)?,
                deletes: args.delete,
                lines_max: config::count_in("--limit", args.limit, &defaults::STATUS_LINES_RANGE)?,
            }),
            Command::Verify(args) => {
                CommandSettings::Verify(Box::new(args.settings(global.database(environment)?)?))
            }
            Command::Schema => CommandSettings::Schema(global.database(environment)?.engine()),
            Command::Completions { shell } => CommandSettings::Completions(*shell),
            Command::Man { folder } => CommandSettings::Man(folder.clone()),
        };
        let blocking_threads = defaults::blocking_threads(typed_fetchers);
        Ok(Settings { command, console, blocking_threads })
    }
}

impl GlobalArgs {
    /// Returns the database that is named by the option, the environment, a file or the default.
    fn database(&self, environment: &Environment) -> Result<DatabaseSettings, ConfigError> {
        let flag = "--retry-for";
        let retry_for = config::duration_in(flag, &self.retry_for, &defaults::RETRY_FOR_RANGE)?;
        let typed = self.database.as_ref().map(|typed| typed.0.as_str());
        let settings = DatabaseSettings::resolve(typed, self.config.as_deref(), environment)?;
        Ok(DatabaseSettings { retry_for, ..settings })
    }
}

impl ImportArgs {
    fn settings(
        &self,
        database: DatabaseSettings,
        environment: &Environment,
    ) -> Result<ImportSettings, ConfigError> {
        let load = &self.load;
        let shard = self.selection.shard(environment)?;
        // Each shard would build them again, and slow down the others meanwhile.
        let is_part = shard.as_ref().is_some_and(|it| it.shard.is_part());
        let engine = database.engine();
        let sources: Vec<SourceSpec> =
            self.sources.iter().map(|it| config::source(it)).collect::<Result<_, _>>()?;
        let inputs = sources.iter().filter(|spec| **spec == SourceSpec::Stdin).count();
        if inputs > 1 {
            return Err(ConfigError::StdinTwice);
        }
        if inputs > 0 && self.selection.shard.is_some() {
            return Err(ConfigError::StdinShard);
        }
        let has_s3 = sources.iter().any(|spec| matches!(spec, SourceSpec::S3 { .. }));
        let rows = &defaults::BATCH_ROWS_RANGE;
        let now = Timestamp::now();
        let filter = self.filter.filter(now)?;
        let batch_bytes =
            config::bytes_in("--batch-bytes", &load.batch_bytes, &defaults::BATCH_BYTES_RANGE)?;
        Ok(ImportSettings {
            sources,
            s3: self.s3.settings()?,
            follows_links: self.selection.follow_links,
            selection: without_other_days(self.selection.days.selection(now)?, &filter),
            filter,
            shard,
            listers: config::count_in("--listers", load.listers, &defaults::LISTERS_RANGE)?,
            fetchers: load.fetchers(has_s3)?,
            writers: load.writers(engine)?,
            batch_rows_max: config::count_in("--batch-rows", load.batch_rows, rows)?,
            batch_bytes_max: usize::try_from(batch_bytes).unwrap_or(usize::MAX),
            memory_bytes: config::bytes_in(
                "--memory",
                &load.memory,
                &defaults::MEMORY_BYTES_RANGE,
            )?,
            object_bytes_max: config::bytes_in(
                "--max-object-size",
                &load.max_object_size,
                &defaults::OBJECT_BYTES_RANGE,
            )?,
            load_method: load.method(engine)?,
            keeps_other_fields: !load.no_other_fields,
            replaces_changed: load.replace_changed,
            builds_indexes: !load.no_index && !is_part,
            upgrades_table: load.upgrade_table,
            exits_zero_on_losses: load.exit_zero_on_losses,
            verifies: self.verify,
            public_keys: self.verification.public_keys.clone(),
            prices: Prices {
                list: config::price("--list-price", load.list_price)?,
                get: config::price("--get-price", load.get_price)?,
            },
            database,
        })
    }
}

impl LoadArgs {
    fn fetchers(&self, has_s3: bool) -> Result<usize, ConfigError> {
        match self.fetchers {
            Some(typed) => config::count_in("--fetchers", typed, &defaults::FETCHERS_RANGE),
            None => Ok(defaults::fetchers(has_s3)),
        }
    }

    fn writers(&self, engine: Engine) -> Result<usize, ConfigError> {
        let typed = self.writers.unwrap_or_else(|| defaults::writers(engine));
        let writers = config::count_in("--writers", typed, &defaults::WRITERS_RANGE)?;
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
    fn settings(&self, database: DatabaseSettings) -> Result<StatusSettings, ConfigError> {
        let part = match (self.failed, self.skipped, self.rejected, self.runs) {
            (true, ..) => StatusPart::Failed,
            (_, true, ..) => StatusPart::Skipped,
            (_, _, true, _) => StatusPart::Rejected,
            (.., true) => StatusPart::Runs,
            _ => StatusPart::Totals,
        };
        let lines_max = config::count_in("--limit", self.limit, &defaults::STATUS_LINES_RANGE)?;
        Ok(StatusSettings { database, part, lines_max })
    }
}
