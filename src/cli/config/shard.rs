//! The shard of one process: as typed, or from the environment variables of the job engine that started it.
//!
//! An engine gives each of its processes an index in a variable, and most of them the number of processes in
//! another. The variables are data here: [`ENGINES`]. Two engines at once are an error, as nothing shows
//! which of them divides the work: a wrong guess would import some shards twice and others never.

use std::fmt;

use super::defaults::SHARDS_MAX;
use super::environment::Environment;
use crate::trail::object::Shard;

/// The shard of this process, and what named it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardSettings {
    /// The shard.
    pub shard: Shard,
    /// The variable that it comes from, with its value; `None` if it was typed.
    pub variable: Option<(&'static str, u64)>,
    /// The job that all shards belong to, as the user or the engine names it.
    pub job: Option<String>,
}

/// Why a shard is not usable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShardError {
    /// Neither `K/N` nor `auto` nor `auto/N`.
    #[error("K is not one of 1 to N, or it is not written `K/N`, `auto` or `auto/N`")]
    NotAShard,
    /// More shards than the program allows.
    #[error("{0} shards are more than {SHARDS_MAX}")]
    TooMany(u64),
    /// No engine has set its variable.
    #[error("no variable of a job engine is set")]
    NoVariable,
    /// Several engines have set their variables.
    #[error("both `{0}` and `{1}` are set")]
    Ambiguous(&'static str, &'static str),
    /// The engine has no variable for the number of shards.
    #[error("`{0}` is set, but {1} does not report the number of shards")]
    NoCount(&'static str, &'static str),
    /// The engine has set only some of its variables.
    #[error("`{set}` is set, but `{missing}` is not")]
    Incomplete {
        /// The one that is set.
        set: &'static str,
        /// The one that is not.
        missing: &'static str,
    },
    /// The value of a variable is not a number.
    #[error("the variable `{0}` is not a number: `{1}`")]
    NotANumber(&'static str, String),
    /// The index is not that of a shard.
    #[error("`{variable}` is {value}, but {count} shards are counted from {first} to {last}")]
    NoSuchShard {
        /// The variable.
        variable: &'static str,
        /// Its value.
        value: u64,
        /// The number of shards.
        count: u64,
        /// The index of the first one.
        first: u64,
        /// The index of the last one.
        last: u64,
    },
    /// The engine runs another number of shards than was typed.
    #[error("`{variable}` is {value}, but `--shard` names {typed} shards")]
    OtherCount {
        /// The variable with the number of shards.
        variable: &'static str,
        /// Its value.
        value: u64,
        /// The number that was typed.
        typed: u64,
    },
    /// The indexes of a Slurm array have gaps.
    #[error("the indexes of the Slurm array are not evenly spaced")]
    Uneven,
}

/// The variables of one engine.
#[derive(Debug)]
struct Engine {
    name: &'static str,
    index: &'static str,
    first: First,
    /// The variable with the number of processes, if it has one.
    count: Option<&'static str>,
    /// The variable with the name of the job, and what stands before the index at its end.
    job: (&'static str, &'static str),
}

/// Which index the first process has.
#[derive(Debug, Clone, Copy)]
enum First {
    Fixed(u64),
    /// As the variables of a Slurm array say.
    OfSlurm,
}

/// The engines whose variables are known.
const ENGINES: [Engine; 6] = [
    // AWS Batch user guide, "AWS Batch job environment variables"; the id of a child is `PARENT:INDEX`
    // ("Array jobs").
    Engine {
        name: "AWS Batch",
        index: "AWS_BATCH_JOB_ARRAY_INDEX",
        first: First::Fixed(0),
        count: Some("AWS_BATCH_JOB_ARRAY_SIZE"),
        job: ("AWS_BATCH_JOB_ID", ":"),
    },
    // Cloud Run, "Container runtime contract": environment variables for jobs.
    Engine {
        name: "Cloud Run",
        index: "CLOUD_RUN_TASK_INDEX",
        first: First::Fixed(0),
        count: Some("CLOUD_RUN_TASK_COUNT"),
        job: ("CLOUD_RUN_EXECUTION", ""),
    },
    // sbatch(1), "Output environment variables".
    Engine {
        name: "Slurm",
        index: "SLURM_ARRAY_TASK_ID",
        first: First::OfSlurm,
        count: Some("SLURM_ARRAY_TASK_COUNT"),
        job: ("SLURM_ARRAY_JOB_ID", ""),
    },
    // GitLab, "Predefined CI/CD variables": every job has CI_NODE_TOTAL, only `parallel` ones the index.
    Engine {
        name: "GitLab",
        index: "CI_NODE_INDEX",
        first: First::Fixed(1),
        count: Some("CI_NODE_TOTAL"),
        job: ("CI_PIPELINE_ID", ""),
    },
    // Kubernetes, "Jobs", Completion mode: the host name of a pod is `JOB-INDEX`.
    Engine {
        name: "Kubernetes",
        index: "JOB_COMPLETION_INDEX",
        first: First::Fixed(0),
        count: None,
        job: ("HOSTNAME", "-"),
    },
    // Nomad, "Runtime environment settings": from 0 to count - 1.
    Engine {
        name: "Nomad",
        index: "NOMAD_ALLOC_INDEX",
        first: First::Fixed(0),
        count: None,
        job: ("NOMAD_JOB_ID", ""),
    },
];

/// Returns the shard that `K/N`, `auto` or `auto/N` names.
pub(crate) fn shard(typed: &str, environment: &Environment) -> Result<ShardSettings, ShardError> {
    let named = match typed.strip_prefix("auto") {
        Some("") => ShardSettings::of_engine(None, environment)?,
        Some(rest) => {
            let count = rest.strip_prefix('/').and_then(|count| count.parse().ok());
            let count = count.filter(|count| *count > 0).ok_or(ShardError::NotAShard)?;
            ShardSettings::of_engine(Some(count), environment)?
        }
        None => {
            let shard = Shard::parse(typed).ok_or(ShardError::NotAShard)?;
            ShardSettings { shard, variable: None, job: None }
        }
    };
    match named.shard.count {
        count if count > SHARDS_MAX => Err(ShardError::TooMany(count)),
        _ => Ok(named),
    }
}

impl ShardError {
    /// Returns what to do instead, in one line.
    pub(super) fn hint(&self) -> String {
        let hint = match self {
            Self::NotAShard => {
                "write it as `K/N`: `1/3`, `2/3` and `3/3` for three machines; on a job engine as \
                 `auto` or `auto/N`"
            }
            Self::TooMany(_) => "use fewer shards: each of them lists all objects",
            Self::NoVariable => {
                let names: Vec<&str> = ENGINES.iter().map(|engine| engine.index).collect();
                let names = names.join("`, `");
                return format!("`auto` reads `{names}`; otherwise write it as `K/N`");
            }
            Self::Ambiguous(..) => "give one of them an empty value, or write it as `K/N`",
            Self::NoCount(..) => "write it as `auto/N`, with the number of processes of the job",
            Self::Incomplete { .. } | Self::NotANumber(..) => {
                "the engine sets these variables: do not change them, or write it as `K/N`"
            }
            Self::NoSuchShard { .. } | Self::OtherCount { .. } => {
                "let the job have as many processes as there are shards"
            }
            Self::Uneven => "submit it as `--array=1-N`",
        };
        hint.to_owned()
    }
}

/// The shard, and what named it, as the run prints it.
impl fmt::Display for ShardSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.shard)?;
        match self.variable {
            Some((name, value)) => write!(f, "(from `{name}`, which is {value}")?,
            None => f.write_str("(from `--shard`")?,
        }
        match &self.job {
            Some(job) => write!(f, "; job {job})"),
            None => f.write_str(")"),
        }
    }
}

impl ShardSettings {
    /// Returns the shard that the variables of an engine name. `typed_count` is the number of shards, if it
    /// was typed.
    fn of_engine(typed_count: Option<u64>, environment: &Environment) -> Result<Self, ShardError> {
        let mut set = ENGINES.iter().filter(|it| environment.variable(it.index).is_some());
        let engine = set.next().ok_or(ShardError::NoVariable)?;
        if let Some(other) = set.next() {
            return Err(ShardError::Ambiguous(engine.index, other.index));
        }
        let of_engine = match engine.count {
            Some(variable) if typed_count.is_none() => Some(engine.number(variable, environment)?),
            Some(variable) => number(variable, environment)?,
            None => None,
        };
        let count = match (engine.count, of_engine, typed_count) {
            (Some(variable), Some(value), Some(typed)) if value != typed => {
                return Err(ShardError::OtherCount { variable, value, typed });
            }
            (_, Some(count), _) | (_, None, Some(count)) => count,
            (_, None, None) => return Err(ShardError::NoCount(engine.index, engine.name)),
        };
        let value = engine.number(engine.index, environment)?;
        let (first, step) = engine.first_and_step(count, environment)?;
        let last = count.saturating_sub(1).saturating_mul(step).saturating_add(first);
        let steps = value.checked_sub(first).filter(|it| it % step == 0).map(|it| it / step);
        let Some(steps) = steps.filter(|steps| *steps < count) else {
            let variable = engine.index;
            return Err(ShardError::NoSuchShard { variable, value, count, first, last });
        };
        let shard = Shard { index: steps + 1, count };
        Ok(Self {
            shard,
            variable: Some((engine.index, value)),
            job: engine.job(value, environment),
        })
    }
}

impl Engine {
    /// Returns the value of a variable that must be set, as the index is.
    fn number(&self, variable: &'static str, env: &Environment) -> Result<u64, ShardError> {
        let missing = ShardError::Incomplete { set: self.index, missing: variable };
        number(variable, env)?.ok_or(missing)
    }

    /// Returns the index of the first process, and how far the indexes are apart.
    fn first_and_step(&self, count: u64, env: &Environment) -> Result<(u64, u64), ShardError> {
        let First::Fixed(first) = self.first else {
            let [first, last, step] =
                ["SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_MAX", "SLURM_ARRAY_TASK_STEP"]
                    .map(|variable| self.number(variable, env));
            let (first, last, step) = (first?, last?, step?);
            // `--array=1,2,7` has a minimum, a maximum and a count, too, and steps of 1.
            let span = last.checked_sub(first).filter(|_| step > 0);
            let is_even = span.is_some_and(|span| span % step == 0 && span / step + 1 == count);
            return if is_even { Ok((first, step)) } else { Err(ShardError::Uneven) };
        };
        Ok((first, 1))
    }

    /// Returns the name of the job, without the index at its end; `None` if it is not as expected.
    fn job(&self, index: u64, environment: &Environment) -> Option<String> {
        let (variable, before_index) = self.job;
        let value = environment.variable(variable)?.to_str()?;
        let name = match before_index {
            "" => value,
            before => value.strip_suffix(&format!("{before}{index}"))?,
        };
        Some(name.to_owned()).filter(|name| !name.is_empty())
    }
}

/// Returns the number in a variable, if it is set.
fn number(variable: &'static str, environment: &Environment) -> Result<Option<u64>, ShardError> {
    let Some(value) = environment.variable(variable) else { return Ok(None) };
    let value = value.to_string_lossy();
    let not_a_number = |_| ShardError::NotANumber(variable, value.to_string());
    value.parse().map(Some).map_err(not_a_number)
}

#[cfg(test)]
mod tests;
