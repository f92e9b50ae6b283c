//! Tests of the shard of one machine.

use super::*;

/// Returns what a run prints, or the error with its hint, for variables as `NAME=VALUE`.
fn shown(typed: &str, variables: &str) -> String {
    let variables = variables.split_whitespace().map(|it| it.split_once('=').unwrap());
    match shard(typed, &Environment::new(variables, "")) {
        Ok(settings) => settings.to_string(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_typed_shard_needs_no_variable() {
    assert_eq!(shown("2/3", "JOB_COMPLETION_INDEX=7"), "2/3 (from `--shard`)");
    for typed in
        ["", "1", "0/3", "4/3", "a/b", "Auto", "auto3", "auto/", "auto/0", "auto/x", "auto/1/2"]
    {
        let found = shard(typed, &Environment::new([("JOB_COMPLETION_INDEX", "0")], ""));
        assert_eq!(found, Err(ShardError::NotAShard), "{typed}");
    }
}

#[test]
fn each_engine_counts_in_its_own_way() {
    let slurm = "SLURM_ARRAY_TASK_COUNT=4 SLURM_ARRAY_JOB_ID=77";
    let from_1 =
        format!("{slurm} SLURM_ARRAY_TASK_MIN=1 SLURM_ARRAY_TASK_MAX=4 SLURM_ARRAY_TASK_STEP=1");
    let by_3 =
        format!("{slurm} SLURM_ARRAY_TASK_MIN=10 SLURM_ARRAY_TASK_MAX=19 SLURM_ARRAY_TASK_STEP=3");
    for (typed, variables, expected) in [
        (
            "auto",
            "AWS_BATCH_JOB_ARRAY_INDEX=0 AWS_BATCH_JOB_ARRAY_SIZE=4 AWS_BATCH_JOB_ID=1f-2e:0",
            "1/4 (from `AWS_BATCH_JOB_ARRAY_INDEX`, which is 0; job 1f-2e)",
        ),
        (
            "auto",
            "CLOUD_RUN_TASK_INDEX=3 CLOUD_RUN_TASK_COUNT=4 CLOUD_RUN_EXECUTION=load-x7k",
            "4/4 (from `CLOUD_RUN_TASK_INDEX`, which is 3; job load-x7k)",
        ),
        (
            "auto",
            &format!("SLURM_ARRAY_TASK_ID=4 {from_1}"),
            "4/4 (from `SLURM_ARRAY_TASK_ID`, which is 4; job 77)",
        ),
        (
            "auto",
            &format!("SLURM_ARRAY_TASK_ID=16 {by_3}"),
            "3/4 (from `SLURM_ARRAY_TASK_ID`, which is 16; job 77)",
        ),
        (
            "auto",
            "CI_NODE_INDEX=1 CI_NODE_TOTAL=4 CI_PIPELINE_ID=9001",
            "1/4 (from `CI_NODE_INDEX`, which is 1; job 9001)",
        ),
        (
            "auto/8",
            "JOB_COMPLETION_INDEX=7 HOSTNAME=nightly-29384-7",
            "8/8 (from `JOB_COMPLETION_INDEX`, which is 7; job nightly-29384)",
        ),
        (
            "auto/8",
            "NOMAD_ALLOC_INDEX=0 NOMAD_JOB_ID=import/periodic-1",
            "1/8 (from `NOMAD_ALLOC_INDEX`, which is 0; job import/periodic-1)",
        ),
        // The number that the engine tells is the one that was typed.
        (
            "auto/4",
            "AWS_BATCH_JOB_ARRAY_INDEX=2 AWS_BATCH_JOB_ARRAY_SIZE=4",
            "3/4 (from `AWS_BATCH_JOB_ARRAY_INDEX`, which is 2)",
        ),
        // A host name that is not the job's.
        (
            "auto/8",
            "JOB_COMPLETION_INDEX=7 HOSTNAME=fixed",
            "8/8 (from `JOB_COMPLETION_INDEX`, which is 7)",
        ),
        // Every job of GitLab has the total.
        (
            "auto/8",
            "NOMAD_ALLOC_INDEX=1 CI_NODE_TOTAL=1 CI_NODE_INDEX=",
            "2/8 (from `NOMAD_ALLOC_INDEX`, which is 1)",
        ),
    ] {
        assert_eq!(shown(typed, variables), expected, "{variables}");
    }
}

#[test]
fn the_shards_of_each_engine_are_those_from_1_to_n() {
    let slurm = "SLURM_ARRAY_TASK_COUNT=3 SLURM_ARRAY_TASK_MIN=5 SLURM_ARRAY_TASK_MAX=9 SLURM_ARRAY_TASK_STEP=2";
    for (index, others, values) in [
        ("AWS_BATCH_JOB_ARRAY_INDEX", "AWS_BATCH_JOB_ARRAY_SIZE=3", [0, 1, 2]),
        ("CLOUD_RUN_TASK_INDEX", "CLOUD_RUN_TASK_COUNT=3", [0, 1, 2]),
        ("SLURM_ARRAY_TASK_ID", slurm, [5, 7, 9]),
        ("CI_NODE_INDEX", "CI_NODE_TOTAL=3", [1, 2, 3]),
        ("JOB_COMPLETION_INDEX", "", [0, 1, 2]),
        ("NOMAD_ALLOC_INDEX", "", [0, 1, 2]),
    ] {
        let shard_of = |value: u64| {
            let variables = format!("{index}={value} {others}");
            let variables = variables.split_whitespace().map(|it| it.split_once('=').unwrap());
            shard("auto/3", &Environment::new(variables, "")).map(|it| it.shard)
        };
        let found: Vec<u64> = values.iter().map(|it| shard_of(*it).unwrap().index).collect();
        assert_eq!(found, [1, 2, 3], "{index}");
        assert!(shard_of(values[2] + 1).is_err(), "{index}");
        assert!(values[0] == 0 || shard_of(values[0] - 1).is_err(), "{index}");
    }
}

#[test]
fn variables_that_name_no_shard_are_refused() {
    let batch = "AWS_BATCH_JOB_ARRAY_INDEX=2 AWS_BATCH_JOB_ARRAY_SIZE=4";
    let slurm = "SLURM_ARRAY_TASK_ID=2 SLURM_ARRAY_TASK_COUNT=3 SLURM_ARRAY_TASK_MIN=1";
    for (typed, variables, expected) in [
        ("auto", "", "no variable of a job engine is set"),
        ("auto/3", "CI_NODE_TOTAL=1 HOSTNAME=x-1", "no variable of a job engine is set"),
        (
            "auto",
            "JOB_COMPLETION_INDEX=2",
            "`JOB_COMPLETION_INDEX` is set, but Kubernetes does not report the number of shards",
        ),
        (
            "auto",
            &format!("{batch} NOMAD_ALLOC_INDEX=1"),
            "both `AWS_BATCH_JOB_ARRAY_INDEX` and `NOMAD_ALLOC_INDEX` are set",
        ),
        (
            "auto",
            "AWS_BATCH_JOB_ARRAY_INDEX=2",
            "`AWS_BATCH_JOB_ARRAY_INDEX` is set, but `AWS_BATCH_JOB_ARRAY_SIZE` is not",
        ),
        ("auto/8", batch, "`AWS_BATCH_JOB_ARRAY_SIZE` is 4, but `--shard` names 8 shards"),
        (
            "auto/2",
            "JOB_COMPLETION_INDEX=2",
            "`JOB_COMPLETION_INDEX` is 2, but 2 shards are counted from 0 to 1",
        ),
        (
            "auto",
            "CI_NODE_INDEX=0 CI_NODE_TOTAL=2",
            "`CI_NODE_INDEX` is 0, but 2 shards are counted from 1 to 2",
        ),
        (
            "auto/2",
            "JOB_COMPLETION_INDEX=-1",
            "the variable `JOB_COMPLETION_INDEX` is not a number: `-1`",
        ),
        (
            "auto",
            "CI_NODE_INDEX=1 CI_NODE_TOTAL=two",
            "the variable `CI_NODE_TOTAL` is not a number: `two`",
        ),
        ("auto", slurm, "`SLURM_ARRAY_TASK_ID` is set, but `SLURM_ARRAY_TASK_MAX` is not"),
        (
            "auto",
            &format!("{slurm} SLURM_ARRAY_TASK_MAX=7 SLURM_ARRAY_TASK_STEP=1"),
            "the indexes of the Slurm array are not evenly spaced",
        ),
        (
            "auto",
            &format!("{slurm} SLURM_ARRAY_TASK_MAX=3 SLURM_ARRAY_TASK_STEP=0"),
            "the indexes of the Slurm array are not evenly spaced",
        ),
        ("1/99999999", "", "99999999 shards are more than 10000"),
        ("auto/10001", "NOMAD_ALLOC_INDEX=0", "10001 shards are more than 10000"),
        (
            "auto",
            "CI_NODE_INDEX=1 CI_NODE_TOTAL=0",
            "`CI_NODE_INDEX` is 1, but 0 shards are counted from 1 to 1",
        ),
    ] {
        assert_eq!(shown(typed, variables), expected, "{typed} {variables}");
    }
}
