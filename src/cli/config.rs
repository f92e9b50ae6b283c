//! Resolved settings: options, environment variables and `db.toml` become types that hold valid
//! values only.
//!
//! [`crate::cli::args`] holds what was typed; the commands see what is defined here. A value that
//! was checked here needs no second check.
//!
//! Connects to nothing. Reads at most one `db.toml` and the CA file that it names, and no variable
//! of the process: they are passed in as an [`Environment`]. (The AWS SDK reads its own variables
//! later, when S3 is opened.)
//!
//! A password is only in `DatabaseUrl`, and only `DatabaseUrl::expose` returns it: no Debug, no
//! Display and no error of this module shows one.

pub mod defaults;

mod environment;

mod size;

mod source_spec;

mod shard;

mod origin;

mod db_toml;

mod error;

mod config_file;

mod values;

mod selection;

mod database;

mod console;

mod settings;

pub use self::console::{AnswerForm, Color, Console, Form, LogSettings};
pub use self::database::DatabaseSettings;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use self::db_toml::url_of_text;
pub use self::db_toml::{DbTomlError, DbTomlFault, SyntaxError};
pub use self::environment::Environment;
pub use self::error::ConfigError;
pub use self::origin::Origin;
pub(crate) use self::selection::{DayEdge, account, day, moment};
pub use self::settings::{
    CommandSettings, DedupeSettings, Export, ForgetSettings, ImportSettings, Prices, QuerySettings,
    RecordSettings, ReportSettings, SearchSettings, Settings, StatusPart, StatusSettings,
    VerifySettings,
};
pub(crate) use self::shard::shard;
pub use self::shard::{ShardError, ShardSettings};
pub use self::size::SizeError;
pub(crate) use self::size::spell_bytes;
pub(crate) use self::source_spec::uri_scope;
pub use self::source_spec::{SourceSpec, SourceSpecError};
pub(crate) use self::values::{
    bytes_in, count_in, duration_in, endpoint_url, filled, price, source, spell_duration,
};

#[cfg(test)]
mod tests;
