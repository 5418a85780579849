//! Measures how many combinations of answers the matrix emits, checks, lints, builds and verifies per minute.

use anyhow::ensure;

use super::{
    cost::Cost,
    experiment::{Experiment, Needs, Progress, Row},
    statistics::Pair,
};
use crate::checks::{
    cache,
    matrix::{self, combinations},
    shard::Shard,
};

/// The number of parts of the matrix. One of them is tried.
const PARTS: usize = 64;

pub static EXPERIMENT: Experiment = Experiment {
    name: "combinations",
    how: "runs cargo xtask matrix --shard 1/64; before that, runs a combination of another part, which compiles the \
          wdk crates if necessary and is not counted",
    peer: None,
    runs: 1,
    needs: Needs::Both,
    rows: &[
        Row {
            name: "combinations-per-minute",
            unit: "1/min",
            what: "combinations that differ in code: linted, built and verified",
        },
        Row {
            name: "combinations-cpu",
            unit: "s",
            what: "processor time of one such combination",
        },
    ],
    run,
};

fn run(runs: u16, progress: &Progress) -> anyhow::Result<Vec<Vec<Pair>>> {
    progress.say(0, "one combination, not counted");
    // The matrix has its own progress bar.
    progress.clear();
    try_part(2, Some(1))?;
    let mut samples = Vec::new();
    for run in 0..runs {
        progress.say(run, "combinations");
        progress.clear();
        let (cost, built) = Cost::of(|| try_part(1, None))?;
        samples.push(pairs(cost, built));
    }
    Ok(samples)
}

/// Tries a part of the matrix, or only its first `at_most` combinations, and returns how many were built.
fn try_part(number: usize, at_most: Option<usize>) -> anyhow::Result<usize> {
    let axes = matrix::axes()?;
    let part: Shard = format!("{number}/{PARTS}")
        .parse()
        .map_err(anyhow::Error::msg)?;
    let mut combinations = part.keep(combinations::chosen(&axes));
    combinations.truncate(at_most.unwrap_or(usize::MAX));
    cache::ignore();
    let outcome = matrix::try_all(&axes, &combinations, None)?;
    ensure!(
        outcome.passed(),
        "a combination failed: run cargo xtask matrix --shard {part}"
    );
    ensure!(outcome.built() > 0, "no combination of the part was built");
    Ok(outcome.built())
}

/// The numbers of one repetition, in the order of the rows.
fn pairs(cost: Cost, built: usize) -> Vec<Pair> {
    let built = f64::from(u32::try_from(built).unwrap_or(u32::MAX));
    vec![
        Pair::alone(built * 60.0 / cost.wall.as_secs_f64()),
        Pair::alone(cost.cpu.as_secs_f64() / built),
    ]
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_row_has_its_number() {
        let cost = Cost {
            wall: Duration::from_secs(30),
            cpu: Duration::from_secs(45),
        };
        let pairs = pairs(cost, 10);
        assert_eq!(pairs.len(), EXPERIMENT.rows.len());
        assert_eq!(pairs, [Pair::alone(20.0), Pair::alone(4.5)]);
    }
}
