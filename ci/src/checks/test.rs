//! `cargo xtask test`: everything that CI runs, in stages.
//!
//! This module defines the stages and their order, and installs what they need. The tests are in `ci/tests/` and in the
//! unit tests. The stages of the xtask program are compiled one after the other, and those of the test bench beside them:
//! a compiler does not use all processors all the time. The test programs of all stages then run in parallel.

mod inputs;
mod programs;

use std::{
    borrow::Cow,
    path::PathBuf,
    process::{Child, Command, ExitCode, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};

use self::{
    inputs::Changes,
    programs::{Done, Program},
};
use crate::{
    checks::{cache, stages, tools},
    commands::setup,
    openwdk::target::TARGET,
    repository,
};

/// Run everything that CI runs
///
/// Installs what is missing (Debian packages, rustup targets, programs from crates.io, Python and
/// npm packages), and prints what is installed and why. Then runs all stages, also after a
/// failure. The table at the end has the time of each stage and of the slowest tests;
/// ci/target/test-times.tsv has the time of every test.
///
/// Drivers and verdicts of the bench are kept in ci/target/kept, and reused while their inputs
/// are unchanged.
///
/// Exit status: 0 all passed, 1 a stage failed, 2 it could not start.
///
/// Examples:
///   cargo xtask test                 everything
///   cargo xtask test lint bench      two stages
///   cargo xtask test --changed       what your changes since the last commit can affect
///   cargo xtask test --changed=main  what your changes since main can affect
///   cargo xtask test --list          list the stages
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// The stages to run [default: all]
    #[arg(value_name = "STAGE")]
    stages: Vec<String>,
    /// Run only the stages and test programs that read a file that differs from commit REV
    #[arg(long, value_name = "REV", num_args = 0..=1, require_equals = true, default_missing_value = "HEAD")]
    changed: Option<String>,
    /// Do not reuse the kept results of earlier runs
    #[arg(long)]
    fresh: bool,
    /// List the stages and stop; with --changed, what would run
    #[arg(long)]
    list: bool,
    /// Install nothing; say what is missing
    #[arg(long)]
    no_setup: bool,
}

/// One stage.
struct Stage {
    name: &'static str,
    purpose: &'static str,
    work: Work,
}

/// What a stage does.
enum Work {
    /// One cargo command, in a folder of the repository.
    Cargo(&'static str, &'static [&'static str]),
    /// The test programs that `cargo test` with these arguments would run, in a folder of the repository.
    Tests(&'static str, &'static [&'static str]),
    /// `cargo xtask` with these arguments.
    Xtask(&'static [&'static str]),
}

const CI: &str = "ci";
const BENCH: &str = "template/testbench/bench";

const LINT: &[&str] = &[
    "clippy",
    "--locked",
    "--all-targets",
    "--",
    "-D",
    "warnings",
];

const STAGES: &[Stage] = &[
    Stage {
        name: "format",
        purpose: "rustfmt on the xtask program",
        work: Work::Cargo(CI, &["fmt", "--check"]),
    },
    Stage {
        name: "bench-format",
        purpose: "rustfmt on the test bench",
        work: Work::Cargo(BENCH, &["fmt", "--check"]),
    },
    Stage {
        name: "lint",
        purpose: "clippy on the xtask program and its tests",
        work: Work::Cargo(CI, LINT),
    },
    Stage {
        name: "bench-lint",
        purpose: "clippy on the test bench",
        work: Work::Cargo(BENCH, LINT),
    },
    Stage {
        name: "bench-windows",
        purpose: "clippy on the test bench as Windows compiles it",
        work: Work::Cargo(
            BENCH,
            &[
                "clippy",
                "--locked",
                "--all-targets",
                "--target",
                TARGET,
                "--",
                "-D",
                "warnings",
            ],
        ),
    },
    Stage {
        name: "bench",
        purpose: "the test bench's own unit tests",
        work: Work::Tests(BENCH, &["--locked", "--lib"]),
    },
    Stage {
        name: "unit",
        purpose: "the xtask program's unit tests",
        work: Work::Tests(CI, &["--locked", "--lib"]),
    },
    Stage {
        name: "template",
        purpose: "emission, refusals, builds, the bench on good and broken drivers here and under Wine, pipelines",
        work: Work::Tests(CI, &["--locked", "--test", "*"]),
    },
    Stage {
        name: "matrix",
        purpose: "every pair of answers: emitted, built if the code differs, verified",
        work: Work::Xtask(&["matrix"]),
    },
    Stage {
        name: "hostile",
        purpose: "20,000 hostile answers: refused, or contained in the emitted project",
        // The seed is fixed, so that a change elsewhere does not change which answers are tried.
        work: Work::Xtask(&["matrix", "--hostile", "20000", "--seed", "1"]),
    },
];

/// Runs the verb.
///
/// # Errors
///
/// A stage is unknown, something that is missing cannot be installed, or cargo cannot be started.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let changes = args.changed.as_deref().map(Changes::since).transpose()?;
    let affected = |stage: &&Stage| {
        let changes = changes.as_ref();
        changes.is_none_or(|changes| changes.affect_stage(stage.name))
    };
    let stages: Vec<&Stage> = stages::chosen(STAGES, |stage| stage.name, &args.stages)?
        .into_iter()
        .filter(affected)
        .collect();
    if args.list {
        for stage in stages {
            println!("{:<14}{}", stage.name, stage.purpose);
            if let (Some(changes), "template") = (&changes, stage.name) {
                println!("{:<14}programs: {}", "", changes.programs().join(", "));
            }
        }
        return Ok(ExitCode::SUCCESS);
    }
    if stages.is_empty() {
        println!("No stage reads a changed file.");
        return Ok(ExitCode::SUCCESS);
    }
    let start = Instant::now();
    setup::ensure(&setup::Group::ALL, !args.no_setup)?;
    cache::remove_old();
    let results = thread::scope(|scope| {
        // Installed while the compilers and the first tests run. A test that needs cargo-deny waits for it.
        let deny = scope.spawn(|| tools::ensure_cargo_deny().map(drop));
        let linters = scope.spawn(|| tools::ensure_linters().map(drop));
        let (mut results, waiting) = compile(&stages, changes.as_ref())?;
        // Not beside the others: cargo locks the target folder that they share.
        tools::ensure_cargo_generate()?;
        let end = |installation: thread::ScopedJoinHandle<'_, _>| {
            let ended = installation.join();
            ended.unwrap_or_else(|_| bail!("an installation panicked"))
        };
        end(linters)?;
        eprintln!();
        results.extend(programs::run(waiting, args.fresh)?);
        end(deny)?;
        anyhow::Ok(results)
    })?;
    programs::write_times(&results)?;
    Ok(report(&results, start.elapsed()))
}

/// Runs the stages that are one cargo command, and compiles the test programs, those of the test bench beside the others.
/// Returns the results, and the programs to run.
fn compile(
    stages: &[&Stage],
    changes: Option<&Changes>,
) -> anyhow::Result<(Vec<Done>, Vec<Program>)> {
    let (bench, others): (Vec<&Stage>, Vec<&Stage>) = stages
        .iter()
        .partition(|stage| matches!(stage.work, Work::Cargo(BENCH, _) | Work::Tests(BENCH, _)));
    let (mut results, mut waiting) = (Vec::new(), Vec::new());
    let compiled = thread::scope(|scope| {
        // Printed when a stage has ended: the lines of two compilers would be mixed.
        let bench = scope.spawn(|| compile_in_order(&bench, changes, Stdio::piped));
        let others = compile_in_order(&others, changes, Stdio::inherit);
        [
            others,
            bench
                .join()
                .unwrap_or_else(|_| bail!("a compilation panicked")),
        ]
    });
    for part in compiled {
        let (more_results, more_waiting) = part?;
        results.extend(more_results);
        waiting.extend(more_waiting);
    }
    Ok((results, waiting))
}

/// Does that for stages, one after the other. `output` is where cargo writes.
fn compile_in_order(
    stages: &[&Stage],
    changes: Option<&Changes>,
    output: fn() -> Stdio,
) -> anyhow::Result<(Vec<Done>, Vec<Program>)> {
    let mut results = Vec::new();
    let mut waiting = Vec::new();
    for stage in stages {
        let start = Instant::now();
        eprintln!("\n{}: {}", stage.name, stage.purpose);
        match stage.work {
            Work::Cargo(folder, arguments) => {
                let output = cargo(folder)?
                    .args(arguments)
                    .stdout(output())
                    .stderr(output())
                    .spawn()
                    .and_then(Child::wait_with_output)
                    .context("cargo could not be started; is rustup installed?")?;
                eprint!("{}{}", text(&output.stdout), text(&output.stderr));
                results.push(Done::of_stage(
                    stage.name,
                    output.status.success(),
                    start.elapsed(),
                ));
            }
            Work::Tests(folder, arguments) => {
                let built = programs::of(&mut cargo(folder)?, arguments, output())?;
                let passed = built.is_some();
                results.push(Done::of_stage(stage.name, passed, start.elapsed()));
                let built = built.into_iter().flatten().filter(|program| {
                    stage.name != "template"
                        || changes.is_none_or(|changes| changes.affect_program(&program.name))
                });
                waiting.extend(built.map(|program| program.of_stage(stage.name)));
            }
            Work::Xtask(arguments) => {
                waiting.push(Program::xtask(arguments)?.of_stage(stage.name));
            }
        }
    }
    Ok((results, waiting))
}

fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// cargo in a folder of the repository.
fn cargo(folder: &str) -> anyhow::Result<Command> {
    let path: PathBuf = repository().join(folder);
    if !path.is_dir() {
        bail!("{} is missing: is this a complete clone?", path.display());
    }
    let mut command = Command::new("cargo");
    if folder == BENCH {
        // Not inside the template, which is copied when a project is emitted from this folder.
        command.env("CARGO_TARGET_DIR", repository().join("ci/target/testbench"));
    }
    command.current_dir(path);
    Ok(command)
}

/// How many of the slowest tests are listed.
const SLOWEST: usize = 15;

fn report(results: &[Done], time: Duration) -> ExitCode {
    let mut tests: Vec<_> = results.iter().flat_map(|done| &done.tests).collect();
    tests.sort_by_key(|test| std::cmp::Reverse(test.time));
    if !tests.is_empty() {
        eprintln!("\nThe slowest of {} tests:", tests.len());
        for test in tests.iter().take(SLOWEST) {
            eprintln!("{:>8.1} s  {}", test.time.as_secs_f64(), test.name);
        }
    }
    eprintln!();
    let mut failed = Vec::new();
    for stage in STAGES {
        let done: Vec<_> = results.iter().filter(|it| it.stage == stage.name).collect();
        if done.is_empty() {
            continue;
        }
        let passed = done.iter().all(|done| done.passed);
        let time: Duration = done.iter().map(|done| done.time).sum();
        let verdict = if passed { "passed" } else { "FAILED" };
        eprintln!("{verdict}  {:<14}{:>6.1} s", stage.name, time.as_secs_f64());
        if !passed {
            failed.push(stage.name);
        }
    }
    eprintln!(
        "{} seconds; programs of different stages ran in parallel",
        time.as_secs()
    );
    if failed.is_empty() {
        return ExitCode::SUCCESS;
    }
    eprintln!(
        "To repeat the failed stages: cargo xtask test {}",
        failed.join(" ")
    );
    ExitCode::from(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stage_has_inputs() {
        for stage in STAGES {
            assert!(inputs::of_stage(stage.name).is_some(), "{}", stage.name);
        }
    }
}
