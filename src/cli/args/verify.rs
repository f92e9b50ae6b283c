//! The arguments of a verification.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;

use super::sources::{DaysArgs, S3Args};
use crate::cli::config::{
    self, ConfigError, DatabaseSettings, SourceSpec, VerifySettings, defaults, spell_bytes,
};

/// Arguments of `verify`.
#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// Folder or `s3://BUCKET/PREFIX/` that holds `AWSLogs/`, as it was imported
    #[arg(required = true, value_name = "SOURCE")]
    sources: Vec<OsString>,

    #[command(flatten)]
    s3: S3Args,

    #[command(flatten)]
    days: DaysArgs,

    #[command(flatten)]
    options: VerifyOptions,

    /// Do not read log files again that were imported without `--verify`
    ///
    /// They count as not hashed.
    #[arg(long, help_heading = "Verification")]
    no_reread: bool,

    /// Objects to fetch at once, 1 to 256
    #[arg(long, value_name = "N", help_heading = "Verification",
        default_value_t = defaults::FETCHERS_S3)]
    fetchers: usize,

    /// Refuse an object that is larger than this when decompressed
    #[arg(long, value_name = "SIZE", help_heading = "Verification",
        default_value_t = spell_bytes(defaults::OBJECT_BYTES))]
    max_object_size: String,
}

/// Options of `verify` and of `import --verify`.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Verification")]
pub(super) struct VerifyOptions {
    /// File with public keys, from `aws cloudtrail list-public-keys`; may be repeated
    ///
    /// Without it, CloudTrail is asked (`cloudtrail:ListPublicKeys`). With it, no request is sent but for
    /// objects.
    #[arg(long, value_name = "FILE")]
    pub(super) public_keys: Vec<PathBuf>,
}

impl VerifyArgs {
    /// Returns the settings.
    pub(super) fn settings(
        &self,
        database: DatabaseSettings,
    ) -> Result<VerifySettings, ConfigError> {
        let sources: Vec<SourceSpec> =
            self.sources.iter().map(|it| config::source(it)).collect::<Result<_, _>>()?;
        Ok(VerifySettings {
            database,
            sources,
            s3: self.s3.settings()?,
            selection: self.days.selection(Timestamp::now())?,
            fetchers: config::count_in("--fetchers", self.fetchers, &defaults::FETCHERS_RANGE)?,
            rereads: !self.no_reread,
            public_keys: self.options.public_keys.clone(),
            object_bytes_max: config::bytes_in(
                "--max-object-size",
                &self.max_object_size,
                &defaults::OBJECT_BYTES_RANGE,
            )?,
        })
    }
}
