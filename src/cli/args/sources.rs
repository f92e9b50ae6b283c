//! The arguments that name objects: days, accounts, shards, and how to reach S3.

use clap::Args;
use jiff::Timestamp;

use super::{MaybeSecret, Payer};
use crate::cli::config::{self, ConfigError, Environment, ShardSettings};
use crate::source::s3::S3Options;
use crate::trail::layout::Selection;

/// Days, accounts and regions.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Selection")]
pub(super) struct DaysArgs {
    /// First day folder: 2026-01-15, a time, or 7d for seven days ago
    ///
    /// Days are those of the day folders (…/2026/01/15/), in UTC. CloudTrail delivers late, so a
    /// file may contain events of the days before its folder's: to get all events, add a day.
    /// `import --since` selects by the time of events instead.
    /// With --from, --to, --account-id or --trail-region, only objects in CloudTrail's layout
    /// (AWSLogs/ACCOUNT/CloudTrail/REGION/YYYY/MM/DD/) are selected.
    #[arg(long, value_name = "DAY")]
    from: Option<String>,

    /// Last day folder, in the same forms
    #[arg(long, value_name = "DAY")]
    to: Option<String>,

    /// Account whose logs to select; may be repeated
    #[arg(long, value_name = "ID")]
    account_id: Vec<String>,

    /// Region whose logs to select, which need not be the bucket's; may be repeated
    #[arg(long, value_name = "REGION")]
    trail_region: Vec<String>,
}

/// Which objects of the sources to import.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Selection")]
pub(super) struct SelectionArgs {
    #[command(flatten)]
    pub(super) days: DaysArgs,

    /// Follow symbolic links that lead out of a folder that is imported
    ///
    /// Each target is read once. Links to something in the folder need no following.
    #[arg(long)]
    pub(super) follow_links: bool,

    /// Import only the K-th of N equal parts, so that N machines share the work
    ///
    /// An object is assigned to a part by a hash of its name. The machines need not know each
    /// other. `auto` takes K and N from the variables of AWS Batch arrays, Cloud Run jobs, Slurm arrays
    /// and GitLab; `auto/N` also takes K from a Kubernetes indexed job and from Nomad. No shard builds
    /// indexes: run `cloudtrail2sql index` when all are done.
    #[arg(long, value_name = "K/N")]
    pub(super) shard: Option<String>,

    /// Name of the job that all shards belong to [default: that of the job engine]
    ///
    /// `status` tells jobs apart by it. A date will do for shards that run every night.
    #[arg(long, value_name = "NAME", requires = "shard")]
    job: Option<String>,
}

/// How to reach S3, with the names of the AWS CLI.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "S3")]
pub(super) struct S3Args {
    /// Profile of the AWS configuration files
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,

    /// Region of the bucket [default: found by asking S3]
    #[arg(long, value_name = "REGION")]
    region: Option<String>,

    /// S3-compatible server to use instead of AWS
    #[arg(long, value_name = "URL")]
    endpoint_url: Option<MaybeSecret>,

    /// Send requests without credentials, for public buckets
    #[arg(long)]
    no_sign_request: bool,

    /// Pay for the requests to a requester-pays bucket
    ///
    /// The value `requester` is optional; the AWS CLI requires it.
    #[arg(
        long,
        value_name = "requester",
        value_enum,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "requester",
        hide_possible_values = true
    )]
    request_payer: Option<Payer>,
}

impl DaysArgs {
    /// Returns the selection.
    pub(super) fn selection(&self, now: Timestamp) -> Result<Selection, ConfigError> {
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
        let regions =
            self.trail_region.iter().map(|typed| config::filled("--trail-region", Some(typed)));
        let regions = regions.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
        Ok(Selection { from, to, accounts, regions, ..Selection::default() })
    }
}

impl SelectionArgs {
    /// Returns the shard that was asked for.
    pub(super) fn shard(
        &self,
        environment: &Environment,
    ) -> Result<Option<ShardSettings>, ConfigError> {
        let Some(typed) = &self.shard else { return Ok(None) };
        let shard = config::shard(typed, environment);
        let shard = shard.map_err(|source| ConfigError::Shard { typed: typed.clone(), source })?;
        let job = config::filled("--job", self.job.as_ref())?;
        Ok(Some(ShardSettings { job: job.or(shard.job), ..shard }))
    }
}

impl S3Args {
    /// Returns how S3 is reached.
    pub(super) fn settings(&self) -> Result<S3Options, ConfigError> {
        let endpoint_url = self.endpoint_url.as_ref().map(|typed| config::endpoint_url(&typed.0));
        Ok(S3Options {
            profile: config::filled("--profile", self.profile.as_ref())?,
            region: config::filled("--region", self.region.as_ref())?,
            endpoint_url: endpoint_url.transpose()?,
            no_sign_request: self.no_sign_request,
            request_payer: self.request_payer.is_some(),
            ..S3Options::default()
        })
    }
}
