//! The jobs that `import_runs` records, and the shards that each of them lacks. Pure.
//!
//! A job is one import that was divided into shards: runs with the same sources, the same selection and the
//! same number of shards, which one job of an engine started, as far as its name is known.
//!
//! - A run without a name belongs to the job that began last, so that a shard can be repeated by hand.
//! - A shard that starts again after it was complete begins a new job, which lacks all other shards: names and
//!   numbers of shards recur every night. If the shard was only repeated, the new job is reported although
//!   nothing is missing. The opposite error would hide shards that never ran.
//!   A partial one may also be a retry, as an engine that sees exit code 3 repeats it under the same name.
//! - Of the jobs with the same sources and selection, only the one that began last counts. It imports all
//!   that the earlier ones lack, as does a run without shards.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::status::RunLine;
use crate::trail::object::Shard;

/// How far apart the last runs of jobs may be that are reported together, in microseconds: one day, so that
/// several jobs of one night are reported, and one that was given up long ago is not.
const REPORTED_TOGETHER_US: i64 = 24 * 60 * 60 * 1_000_000;

/// How many jobs with the same sources and selection are kept in mind, so that a late retry is not taken for a
/// new job.
const OPEN_JOBS_MAX: usize = 8;

/// One import that was divided into shards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Job {
    /// The name that the job engine has for it, if it has one.
    pub name: Option<String>,
    /// The sources: a JSON array.
    pub sources: String,
    /// Which objects of the sources: a JSON object; `None` for all.
    pub selection: Option<String>,
    /// The number of shards, at least 2.
    pub shard_count: u64,
    /// When its first run began. RFC 3339, UTC.
    pub started_at: String,
    /// The shards with a run that is complete or partial.
    pub done: Vec<u64>,
    /// The shards that have begun and are not done, each with the outcome of its last run.
    pub unfinished: Vec<UnfinishedShard>,
    /// The shards that have not begun.
    pub missing: Vec<u64>,
    /// The id of its last run.
    #[serde(skip)]
    pub last_run: i64,
}

/// A shard that has begun and is not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnfinishedShard {
    /// Its index, from 1.
    pub shard: u64,
    /// `running` (also if it was killed), `interrupted` or `failed`.
    pub outcome: String,
}

impl Job {
    /// Returns whether every shard is done.
    pub fn is_complete(&self) -> bool {
        self.unfinished.is_empty() && self.missing.is_empty()
    }
}

/// Returns the job that began a run last; then those that are incomplete and whose last run began at most
/// a day earlier. `runs` are the newest first, as the store returns them. If older ones are left out, shards
/// may be called missing that are done, but never the other way round.
pub fn latest_jobs(runs: &[RunLine]) -> Vec<Job> {
    let mut jobs: Vec<Job> = opened(runs).into_iter().map(OpenJob::into_job).collect();
    jobs.sort_by_key(|job| std::cmp::Reverse(job.last_run));
    let newest = jobs.first().map_or(0, |job| job.last_run);
    let is_recent = |job: &Job| newest - job.last_run <= REPORTED_TOGETHER_US;
    let mut number = 0;
    jobs.retain(|job| {
        number += 1;
        number == 1 || (!job.is_complete() && is_recent(job))
    });
    jobs
}

/// A job while its runs are read.
#[derive(Debug)]
struct OpenJob<'r> {
    first: &'r RunLine,
    shard_count: u64,
    /// The last run of each shard; the one that is done, if one is.
    shards: BTreeMap<u64, &'r RunLine>,
    last_run: i64,
}

/// Reads the runs, the oldest first. Returns the jobs that began last, one for each sources and selection.
fn opened(runs: &[RunLine]) -> Vec<OpenJob<'_>> {
    let mut jobs_of: HashMap<(&str, Option<&str>), Vec<OpenJob<'_>>> = HashMap::new();
    for run in runs.iter().rev() {
        let jobs = jobs_of.entry((&run.sources, run.selection.as_deref())).or_default();
        match run.shard.filter(|shard| shard.is_part()) {
            Some(shard) => add(jobs, run, shard),
            None if is_done(run) => jobs.clear(),
            None => {}
        }
    }
    jobs_of.into_values().filter_map(|mut jobs| jobs.pop()).collect()
}

/// Adds the run of a shard to its job. `jobs` have the same sources and selection, and are in the order in
/// which they began.
fn add<'r>(jobs: &mut Vec<OpenJob<'r>>, run: &'r RunLine, shard: Shard) {
    let Shard { index, count } = shard;
    let last = jobs.iter().rposition(|job| job.has(run, count));
    if let Some(job) = last.map(|n| &mut jobs[n]) {
        let earlier = job.shards.get(&index).filter(|earlier| is_done(earlier));
        let is_next = earlier.is_some_and(|earlier| !is_retry(run, earlier));
        if !is_next {
            job.last_run = run.id;
            // What a run has settled stays settled, however its retry ends.
            if earlier.is_none() || is_done(run) {
                job.shards.insert(index, run);
            }
            return;
        }
    }
    // A job that uses the name of an earlier one replaces it.
    last.map(|n| jobs.remove(n));
    if jobs.len() == OPEN_JOBS_MAX {
        jobs.remove(0);
    }
    let shards = BTreeMap::from([(index, run)]);
    jobs.push(OpenJob { first: run, shard_count: count, shards, last_run: run.id });
}

fn is_done(run: &RunLine) -> bool {
    matches!(&*run.outcome, "complete" | "partial")
}

/// Returns whether an engine may have repeated a run that was partial.
fn is_retry(run: &RunLine, earlier: &RunLine) -> bool {
    earlier.outcome == "partial" && run.job.is_some() && run.job == earlier.job
}

impl OpenJob<'_> {
    /// Returns whether a run of one of so many shards, with the same sources and selection, may belong to it.
    fn has(&self, run: &RunLine, shard_count: u64) -> bool {
        let has_name = run.job.is_none() || run.job == self.first.job;
        self.shard_count == shard_count && has_name
    }

    fn into_job(self) -> Job {
        let (mut done, mut unfinished) = (Vec::new(), Vec::new());
        for (shard, run) in &self.shards {
            if is_done(run) {
                done.push(*shard);
            } else {
                unfinished.push(UnfinishedShard { shard: *shard, outcome: run.outcome.clone() });
            }
        }
        let missing = (1..=self.shard_count).filter(|it| !self.shards.contains_key(it));
        let missing = missing.collect();
        let first = self.first;
        Job {
            name: first.job.clone(),
            sources: first.sources.clone(),
            selection: first.selection.clone(),
            shard_count: self.shard_count,
            started_at: first.started_at.clone(),
            done,
            unfinished,
            missing,
            last_run: self.last_run,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::status::RunTotals;

    /// Returns runs, the newest first, of `SHARD OUTCOME [JOB [SELECTION]]`, which begin an hour apart.
    fn runs(lines: &[&str]) -> Vec<RunLine> {
        let run = |(n, line): (usize, &&str)| {
            let mut words = line.split(' ');
            let shard = words.next().and_then(Shard::parse);
            let outcome = words.next().unwrap().to_owned();
            let mut named = || words.next().filter(|word| *word != "-").map(ToOwned::to_owned);
            RunLine {
                id: 3_600_000_000 * i64::try_from(n).unwrap(),
                started_at: format!("hour {n}"),
                finished_at: (outcome != "running").then(String::new),
                outcome,
                sources: r#"["s3://acme/"]"#.into(),
                job: named(),
                selection: named(),
                shard,
                program_version: String::new(),
                totals: RunTotals::default(),
            }
        };
        let mut runs: Vec<RunLine> = lines.iter().enumerate().map(run).collect();
        runs.reverse();
        runs
    }

    /// Returns for each job when it began, and what is done, unfinished and missing.
    fn shown(lines: &[&str]) -> Vec<String> {
        let show = |job: &Job| {
            let unfinished: Vec<String> =
                job.unfinished.iter().map(|it| format!("{} {}", it.shard, it.outcome)).collect();
            format!(
                "{} of {}: done {:?}, unfinished {:?}, missing {:?}",
                job.started_at, job.shard_count, job.done, unfinished, job.missing
            )
        };
        latest_jobs(&runs(lines)).iter().map(show).collect()
    }

    #[test]
    fn shards_that_did_not_run_or_did_not_end_are_named() {
        let lines = ["1/5 complete", "2/5 running", "4/5 partial", "5/5 interrupted"];
        let expected =
            r#"hour 0 of 5: done [1, 4], unfinished ["2 running", "5 interrupted"], missing [3]"#;
        assert_eq!(shown(&lines), [expected]);
        assert_eq!(shown(&[]), [""; 0]);
        assert_eq!(shown(&["- complete", "1/1 complete"]), [""; 0]);
    }

    #[test]
    fn a_retry_completes_its_job() {
        let lines = ["1/3 complete", "2/3 failed", "3/3 complete", "2/3 running", "2/3 complete"];
        let done = "hour 0 of 3: done [1, 2, 3], unfinished [], missing []";
        assert_eq!(shown(&lines), [done]);
        assert!(latest_jobs(&runs(&lines))[0].is_complete());
        // By hand, without the name that the engine has.
        let lines = ["1/3 complete X", "2/3 failed X", "3/3 complete X", "2/3 complete"];
        assert_eq!(shown(&lines), [done]);
    }

    #[test]
    fn an_engine_that_retries_a_partial_shard_begins_no_job() {
        let night = ["1/2 complete X", "2/2 partial X"];
        for retries in
            [&["2/2 partial X"][..], &["2/2 partial X", "2/2 running X"], &["2/2 failed X"]]
        {
            let expected = "hour 0 of 2: done [1, 2], unfinished [], missing []";
            assert_eq!(shown(&[&night[..], retries].concat()), [expected], "{retries:?}");
        }
        // Without a name, it may be the next night.
        let expected = "hour 2 of 2: done [2], unfinished [], missing [1]";
        assert_eq!(shown(&["1/2 complete", "2/2 partial", "2/2 partial"]), [expected]);
        // A name that is used again.
        let expected = "hour 2 of 2: done [1], unfinished [], missing [2]";
        assert_eq!(shown(&[&night[..], &["1/2 complete X"]].concat()), [expected]);
    }

    #[test]
    fn a_shard_that_was_done_begins_the_next_job() {
        let night = ["2/3 complete", "1/3 complete", "3/3 complete"];
        let lines = [&night[..], &["1/3 complete", "3/3 complete"]].concat();
        let expected = "hour 3 of 3: done [1, 3], unfinished [], missing [2]";
        assert_eq!(shown(&lines), [expected]);
        let first = shown(&[&night[..], &["3/3 running"]].concat());
        assert_eq!(first, [r#"hour 3 of 3: done [], unfinished ["3 running"], missing [1, 2]"#]);
    }

    #[test]
    fn jobs_with_other_names_are_others_whatever_shards_they_lack() {
        let lines = ["1/3 complete X", "3/3 complete X", "2/3 complete Y"];
        let expected = "hour 2 of 3: done [2], unfinished [], missing [1, 3]";
        assert_eq!(shown(&lines), [expected]);
        // A late retry of the first job does not become the last job.
        let lines = [&lines[..], &["2/3 complete X"]].concat();
        assert_eq!(shown(&lines), [expected]);
    }

    #[test]
    fn a_later_import_of_the_same_replaces_an_incomplete_job() {
        let first = ["1/3 complete", "3/3 failed"];
        let lacking = shown(&first);
        for (later, expected) in [
            (&["- complete"][..], vec![]),
            (&["1/1 partial"], vec![]),
            (&["- failed"], lacking.clone()),
            (&["- running"], lacking.clone()),
            (
                &["1/2 complete", "2/2 complete"],
                vec!["hour 2 of 2: done [1, 2], unfinished [], missing []".to_owned()],
            ),
            // Other objects.
            (&["- complete - march"], lacking),
        ] {
            assert_eq!(shown(&[&first[..], later].concat()), expected, "{later:?}");
        }
    }

    #[test]
    fn incomplete_jobs_of_one_day_are_reported_together() {
        let lines = [
            "1/2 complete - old",
            "1/2 complete - may",
            "1/2 complete - april",
            "2/2 complete - april",
            "1/3 complete - june",
        ];
        let of_june = "hour 4 of 3: done [1], unfinished [], missing [2, 3]";
        let of_may = "hour 1 of 2: done [1], unfinished [], missing [2]";
        let of_old = "hour 0 of 2: done [1], unfinished [], missing [2]";
        assert_eq!(shown(&lines), [of_june, of_may, of_old]);
        let mut lines = lines.to_vec();
        lines.splice(1..1, ["- failed"; 21]);
        assert_eq!(latest_jobs(&runs(&lines)).len(), 2);
    }
}
