//! `cargo xtask nightly`: the checks that take longer than CI allows.

use std::{
    process::{Command, ExitCode},
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};

use crate::{
    checks::{hostile, matrix, mutate, shard::Shard, stages, tools},
    commands::setup,
    interruption,
};

/// Run the checks that take longer than CI allows
///
/// With --shard, runs the K-th of N equal parts of each stage, in full. Without it, runs a
/// random sample of each stage, in at most 90 minutes for all stages; the seed is printed, and
/// --seed repeats the sample.
///
/// Exit status: 0 all passed, 1 a stage failed, 2 it could not start.
///
/// Examples:
///   cargo xtask nightly                        a sample of each stage
///   cargo xtask nightly matrix --shard 2/8     the second eighth of one stage
///   cargo xtask nightly --seed 7               the sample of an earlier run
///   cargo xtask nightly --list                 list the stages
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// The stages to run [default: all]
    #[arg(value_name = "STAGE")]
    stages: Vec<String>,
    /// Run the K-th of N equal parts, in full
    #[arg(long, value_name = "K/N")]
    shard: Option<Shard>,
    /// The seed of the sample and of the hostile answers [default: random]
    #[arg(long)]
    seed: Option<u64>,
    /// List the stages and stop
    #[arg(long)]
    list: bool,
    /// Install nothing; say what is missing
    #[arg(long)]
    no_setup: bool,
}

/// The parameters of a stage.
struct Work {
    seed: u64,
    shard: Option<Shard>,
    /// The time limit of a sample; `None` for a part.
    limit: Option<Duration>,
}

/// The result of a stage.
struct Outcome {
    passed: bool,
    tried: usize,
    of: usize,
}

struct Stage {
    name: &'static str,
    purpose: &'static str,
    /// The time limit of a sample, in minutes.
    minutes: u64,
    run: fn(&Work) -> anyhow::Result<Outcome>,
}

const STAGES: &[Stage] = &[
    Stage {
        name: "matrix",
        purpose: "all combinations of answers that differ in code: emitted, built, verified",
        minutes: 35,
        run: full_matrix,
    },
    Stage {
        name: "hostile",
        purpose: "200,000 hostile answers, different for each seed",
        minutes: 15,
        run: nasty_answers,
    },
    Stage {
        name: "updates",
        purpose: "1,000 projects with random edits, updated to newer versions of the template",
        minutes: 15,
        run: random_updates,
    },
    Stage {
        name: "answers",
        purpose: "each answer changed later, in a project with edits: builds, verifies",
        minutes: 5,
        run: later_answers,
    },
    Stage {
        name: "scripts",
        purpose: "2,000 random runs of Test-Driver.ps1 on a simulated Windows; needs pwsh in PATH",
        minutes: 5,
        run: random_script_runs,
    },
    Stage {
        name: "mutate",
        purpose: "all mutants of the emitted driver: built, judged by the bench",
        minutes: 10,
        run: all_mutants,
    },
];

/// The number of hostile answers in all parts.
const ANSWERS: usize = 200_000;

/// The number of answers between two checks of the time limit.
const AT_ONCE: usize = 5_000;

/// The number of updated projects in all parts.
const UPDATES: usize = 1_000;

/// The number of updates in one test process, between two checks of the time limit.
const UPDATES_AT_ONCE: usize = 50;

/// The number of changed answers in one test process, between two checks of the time limit.
const ANSWERS_LATER_AT_ONCE: usize = 8;

/// The number of random runs of the script in all parts.
const SCRIPT_RUNS: usize = 2_000;

/// The number of runs in one process of PowerShell, between two checks of the time limit.
const SCRIPT_RUNS_AT_ONCE: usize = 50;

/// Runs the verb.
///
/// # Errors
///
/// A stage is unknown, or something that is missing cannot be installed.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if args.list {
        for stage in STAGES {
            println!("{:<10}{}", stage.name, stage.purpose);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let stages = stages::chosen(STAGES, |stage| stage.name, &args.stages)?;
    setup::ensure(&setup::Group::ALL, !args.no_setup)?;
    tools::ensure_cargo_generate()?;
    interruption::survive()?;
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..1_000_000_000));
    let part = args.shard.map_or_else(
        || "a sample of each stage".to_owned(),
        |shard| format!("part {shard} of each stage"),
    );
    println!("{part}, seed {seed}");

    let mut rows = Vec::new();
    for stage in stages {
        println!("\n{}: {}", stage.name, stage.purpose);
        let start = Instant::now();
        let minutes = Duration::from_mins(stage.minutes);
        let outcome = (stage.run)(&Work {
            seed,
            shard: args.shard,
            limit: args.shard.is_none().then_some(minutes),
        })?;
        rows.push((stage.name, outcome, start.elapsed()));
    }
    println!("\n{part}, seed {seed}");
    for (name, outcome, time) in &rows {
        let verdict = if outcome.passed { "passed" } else { "FAILED" };
        println!(
            "{verdict}  {name:<10}{:>8} of {:>7}  {:>6} s",
            outcome.tried,
            outcome.of,
            time.as_secs()
        );
    }
    let failed = rows.iter().any(|(_, outcome, _)| !outcome.passed);
    Ok(ExitCode::from(u8::from(failed)))
}

fn full_matrix(work: &Work) -> anyhow::Result<Outcome> {
    let axes = matrix::axes()?;
    let mut combinations = matrix::all(&axes)?;
    let of = combinations.len();
    if let Some(shard) = work.shard {
        combinations = shard.keep(combinations);
    } else {
        fastrand::Rng::with_seed(work.seed).shuffle(&mut combinations);
    }
    let outcome = matrix::try_all(&axes, &combinations, work.limit)?;
    outcome.report(&axes);
    ensure!(outcome.tried() > 0, "no combination was tried");
    Ok(Outcome {
        passed: outcome.passed(),
        tried: outcome.tried(),
        of,
    })
}

/// Tries `total` cases, of which `try_some` tries `at_once` from a number on and returns whether they passed.
fn in_pieces(
    work: &Work,
    total: usize,
    at_once: usize,
    mut try_some: impl FnMut(u64) -> anyhow::Result<bool>,
) -> anyhow::Result<Outcome> {
    let start = Instant::now();
    let mut numbers: Vec<usize> = (0..total).step_by(at_once).collect();
    if let Some(shard) = work.shard {
        numbers = shard.keep(numbers);
    }
    let mut outcome = Outcome {
        passed: true,
        tried: 0,
        of: total,
    };
    for number in numbers {
        if work.limit.is_some_and(|limit| start.elapsed() > limit) {
            break;
        }
        outcome.passed &= try_some(number as u64)?;
        outcome.tried += at_once;
    }
    Ok(outcome)
}

fn nasty_answers(work: &Work) -> anyhow::Result<Outcome> {
    let start = Instant::now();
    let mut all = hostile::Outcome::default();
    let outcome = in_pieces(work, ANSWERS, AT_ONCE, |number| {
        let some = hostile::try_cases(work.seed.wrapping_add(number), AT_ONCE, 100)?;
        let passed = some.failures.is_empty();
        all.add(some);
        Ok(passed)
    })?;
    all.time = start.elapsed();
    println!("{all}");
    Ok(outcome)
}

fn random_updates(work: &Work) -> anyhow::Result<Outcome> {
    let test = "each_line_of_random_edits_stays_or_stands_in_a_conflict";
    in_pieces(work, UPDATES, UPDATES_AT_ONCE, |number| {
        test_of_updates(
            test,
            [
                ("UPDATE_SEED", work.seed.wrapping_add(number)),
                ("UPDATE_RUNS", UPDATES_AT_ONCE as u64),
            ],
        )
    })
}

fn later_answers(work: &Work) -> anyhow::Result<Outcome> {
    let others = matrix::axes()?;
    let others: usize = others.iter().map(|axis| axis.values.len().max(2) - 1).sum();
    let test = "each_answer_is_changed_later";
    in_pieces(work, others, ANSWERS_LATER_AT_ONCE, |number| {
        test_of_updates(
            test,
            [
                ("ANSWER_FROM", number),
                ("ANSWER_RUNS", ANSWERS_LATER_AT_ONCE as u64),
            ],
        )
    })
}

/// Runs a test of `ci/tests/follow.rs` with values for its variables.
fn test_of_updates(test: &str, variables: [(&str, u64); 2]) -> anyhow::Result<bool> {
    let status = Command::new("cargo")
        .args(["test", "--quiet", "--test", "follow", "--"])
        .args(["--exact", test, "--nocapture"])
        .envs(variables.map(|(name, value)| (name, value.to_string())))
        .current_dir(crate::repository().join("ci"))
        .status()
        .context("cargo cannot be started")?;
    if !status.success() {
        let [first, second] = variables.map(|(name, value)| format!("{name}={value}"));
        println!(
            "FAILED; to repeat this, in ci/: {first} {second} cargo test --test follow {test}"
        );
    }
    Ok(status.success())
}

fn random_script_runs(work: &Work) -> anyhow::Result<Outcome> {
    let Some(powershell) = tools::powershell() else {
        println!("skipped: there is no pwsh in PATH");
        return Ok(Outcome {
            passed: true,
            tried: 0,
            of: SCRIPT_RUNS,
        });
    };
    in_pieces(work, SCRIPT_RUNS, SCRIPT_RUNS_AT_ONCE, |number| {
        // The script reads a seed as a signed 32-bit number.
        let seed = work.seed % 1_000_000_000 + number;
        let status = tools::script_tests(&powershell)
            .args(["-Only", "TestDriver.Random"])
            .env("TEST_DRIVER_SEED", seed.to_string())
            .env("TEST_DRIVER_RUNS", SCRIPT_RUNS_AT_ONCE.to_string())
            .status()
            .context("pwsh cannot be started")?;
        if !status.success() {
            println!(
                "FAILED; to repeat these runs: TEST_DRIVER_SEED={seed} TEST_DRIVER_RUNS={SCRIPT_RUNS_AT_ONCE} \
                 pwsh ci/tests/scripts/Invoke-Tests.ps1 -Only TestDriver.Random"
            );
        }
        Ok(status.success())
    })
}

fn all_mutants(work: &Work) -> anyhow::Result<Outcome> {
    let mut run = mutate::Run::of_template()?;
    if let Some(shard) = work.shard {
        run.shard(shard);
    } else {
        run.sample(run.of(), work.seed);
    }
    let outcome = run.judge(mutate::JOBS, work.limit)?;
    outcome.print();
    Ok(Outcome {
        passed: outcome.passed(if outcome.tried.len() == outcome.of {
            mutate::REQUIRED
        } else {
            mutate::REQUIRED_OF_A_PART
        }),
        tried: outcome.tried.len(),
        of: outcome.of,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_of_all_stages_fits_into_90_minutes() {
        let minutes: u64 = STAGES.iter().map(|stage| stage.minutes).sum();
        // Each stage takes additional time to finish the work that it has begun.
        assert!(minutes <= 85, "{minutes} minutes");
    }

    #[test]
    fn an_unknown_stage_is_refused() {
        let refused = stages::chosen(STAGES, |stage| stage.name, &["mutant".to_owned()])
            .map(drop)
            .unwrap_err();
        assert_eq!(
            refused.to_string(),
            "`mutant` is not a stage; the stages are matrix, hostile, updates, answers, scripts, mutate"
        );
    }
}
