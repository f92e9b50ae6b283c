//! The jobs that `status` reports, and the shards that they lack.

use std::collections::BTreeMap;

use super::format::{counted, to_second};
use crate::cli::escape::visible;
use crate::database::jobs::Job;

/// The most numbers and ranges of shards that a line shows; JSON has all.
const RANGES_SHOWN: usize = 20;

/// The most jobs that the text shows; JSON has all.
const JOBS_SHOWN: usize = 10;

/// Returns the lines for people: the last job, and others that are incomplete.
pub(super) fn jobs_text(jobs: &[Job]) -> String {
    let mut text = String::new();
    for (n, job) in jobs.iter().enumerate().take(JOBS_SHOWN) {
        text.push_str(if n == 0 { "last job: " } else { "other job: " });
        let (done, count) = (job.done.len(), job.shard_count);
        if job.is_complete() {
            text.push_str(&format!("all {count} shards are done\n"));
        } else {
            text.push_str(&format!("{done} of {count} shards are done\n"));
        }
        text.push_str(&format!("  {}\n", visible(&described(job))));
        for (state, shards) in by_state(job) {
            text.push_str(&format!("  {}: {}\n", visible(state), ranges(&shards)));
        }
        if !job.is_complete() {
            text.push_str(&format!("  run each of these with `--shard K/{count}`\n"));
        }
    }
    if jobs.len() > JOBS_SHOWN {
        let more = counted((jobs.len() - JOBS_SHOWN) as u64, "other job");
        text.push_str(&format!("incomplete, too: {more} (`--output json` lists them)\n"));
    }
    text
}

/// Returns what the job imports, when it began, and its name.
fn described(job: &Job) -> String {
    let sources: Vec<String> = serde_json::from_str(&job.sources).unwrap_or_default();
    let mut text = sources.join(" ");
    if let Some(selection) = &job.selection {
        text.push_str(&format!(" {selection}"));
    }
    text.push_str(&format!(", begun {}", to_second(&job.started_at)));
    if let Some(name) = &job.name {
        text.push_str(&format!(", job {name}"));
    }
    text
}

/// Returns the shards that are not done by what became of them, in words.
fn by_state(job: &Job) -> BTreeMap<&str, Vec<u64>> {
    let mut states: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for shard in &job.unfinished {
        let state = match &*shard.outcome {
            "running" => "running or killed",
            outcome => outcome,
        };
        states.entry(state).or_default().push(shard.shard);
    }
    if !job.missing.is_empty() {
        states.insert("did not run", job.missing.clone());
    }
    states
}

/// Returns ascending numbers as `1, 3-5`.
fn ranges(numbers: &[u64]) -> String {
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for &number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    let shown = ranges.iter().take(RANGES_SHOWN).map(|(first, last)| {
        if first == last { first.to_string() } else { format!("{first}-{last}") }
    });
    let mut text = shown.collect::<Vec<_>>().join(", ");
    let hidden: u64 = ranges.iter().skip(RANGES_SHOWN).map(|(first, last)| last - first + 1).sum();
    if hidden > 0 {
        text.push_str(&format!(" and {hidden} more"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_jobs_are_counted() {
        let job = Job {
            name: None,
            sources: r#"["s3://acme/"]"#.into(),
            selection: None,
            shard_count: 2,
            started_at: "2026-01-15T00:00:00.5Z".into(),
            done: vec![1],
            unfinished: Vec::new(),
            missing: vec![2],
            last_run: 1,
        };
        let text = jobs_text(&vec![job.clone(); JOBS_SHOWN]);
        assert!(!text.contains("too"), "{text}");
        let text = jobs_text(&vec![job; JOBS_SHOWN + 2]);
        assert_eq!(text.matches("did not run: 2").count(), JOBS_SHOWN);
        assert!(text.ends_with("\nincomplete, too: 2 other jobs (`--output json` lists them)\n"));
    }

    #[test]
    fn neighbours_are_shown_as_a_range() {
        assert_eq!(ranges(&[4]), "4");
        assert_eq!(ranges(&[1, 2, 4, 6, 7, 8]), "1-2, 4, 6-8");
        let odd: Vec<u64> = (0..30).map(|n| 2 * n + 1).collect();
        assert!(ranges(&odd).ends_with(", 37, 39 and 10 more"), "{}", ranges(&odd));
    }
}
