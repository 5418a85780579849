//! Measures how many scenarios the bench runs per second, compared with starting a process that does nothing.

use std::{
    path::Path,
    process::{Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use anyhow::{Context, ensure};
use testbench::{Bench, Expectations, worker};

use super::{
    cost::{Cost, milliseconds},
    experiment::{Experiment, Needs, Progress, Row, cores},
    statistics::Pair,
};
use crate::{
    commands::{build, new},
    interruption,
    openwdk::target::{Arch, Profile},
    program, scratch_folder,
};

pub static EXPERIMENT: Experiment = Experiment {
    name: "scenarios",
    how: "the bench judges the release .sys of the project with the defaults; it runs each scenario in its own \
          process, as many at a time as there are processors",
    peer: Some(
        "starts the same program in the same role without a job, as often and as many at a time; it ends at once",
    ),
    runs: 5,
    needs: Needs::Build,
    rows: &[
        Row {
            name: "scenarios-per-second",
            unit: "1/s",
            what: "scenarios that the bench runs and judges",
        },
        Row {
            name: "scenarios-cpu",
            unit: "ms",
            what: "processor time of one scenario, run and judged",
        },
    ],
    run,
};

fn run(runs: u16, progress: &Progress) -> anyhow::Result<Vec<Vec<Pair>>> {
    progress.say(0, "building the driver");
    let folder = scratch_folder()?;
    let project = new::emit("my-filter", &[], folder.path())?;
    let sys = build::build_quietly(&project, Profile::Release, Arch::Amd64)?;
    let expectations = project.join("testbench.toml");
    let mut samples = Vec::new();
    for run in 0..runs {
        let judged = || {
            progress.say(run, "the bench");
            Cost::of(|| judge(&sys, &expectations))
        };
        let started = |count| {
            progress.say(run, "starts of a process");
            Cost::of(|| start_processes(count))
        };
        // The bench runs first, because the number of starts is its number of scenarios.
        let (bench, count) = judged()?;
        interruption::check()?;
        let (starts, ()) = started(count)?;
        interruption::check()?;
        samples.push(pairs(bench, starts, count));
    }
    Ok(samples)
}

/// The numbers of one repetition, in the order of the rows.
fn pairs(bench: Cost, starts: Cost, count: usize) -> Vec<Pair> {
    let count = f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    vec![
        Pair::beside(
            count / bench.wall.as_secs_f64(),
            count / starts.wall.as_secs_f64(),
        ),
        Pair::beside(
            milliseconds(bench.cpu) / count,
            milliseconds(starts.cpu) / count,
        ),
    ]
}

/// Has the bench judge the driver, and returns the number of scenarios.
fn judge(sys: &Path, expectations: &Path) -> anyhow::Result<usize> {
    let report = Bench::open(sys)?
        .expect(Expectations::read(expectations)?)
        .worker(program()?)
        .run()?;
    ensure!(
        report.findings.is_empty() && report.scenarios > 0,
        "the bench has findings in the driver with the defaults: see cargo xtask test"
    );
    Ok(report.scenarios)
}

/// Starts the bench's worker `count` times, on as many threads as the bench uses. Without a job it exits with status 2.
fn start_processes(count: usize) -> anyhow::Result<()> {
    let program = program()?;
    let next = AtomicUsize::new(0);
    let work = || -> anyhow::Result<()> {
        while next.fetch_add(1, Ordering::Relaxed) < count {
            let status = Command::new(&program)
                .env(worker::ROLE, "1")
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .context("the worker cannot be started")?;
            interruption::check()?;
            ensure!(
                status.code() == Some(2),
                "a worker without a job ended with {status} instead of 2"
            );
        }
        Ok(())
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..cores()).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|thread| {
            thread
                .join()
                .unwrap_or_else(|_| anyhow::bail!("a thread panicked"))
        })
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_row_has_its_pair() {
        let cost = |wall, cpu| Cost {
            wall: Duration::from_millis(wall),
            cpu: Duration::from_millis(cpu),
        };
        let pairs = pairs(cost(500, 800), cost(250, 400), 200);
        assert_eq!(pairs.len(), EXPERIMENT.rows.len());
        assert_eq!(pairs, [Pair::beside(400.0, 800.0), Pair::beside(4.0, 2.0)]);
    }
}
