//! `cargo xtask test`: everything that CI runs, in stages.
//!
//! What is tested stands in the tests themselves (`ci/tests/` and the unit tests); here stands only
//! in which order they run, and what has to be there first.

use std::{
    path::PathBuf,
    process::{Command, ExitCode},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};

use crate::{openwdk, repository, setup, tools};

/// Run everything that CI runs.
///
/// Installs what is missing first (Debian packages, rustup targets, programs from crates.io, Python's
/// index and npm) and says what and why. Then runs the stages in turn and goes on after a failure, so
/// that one run shows everything. Exit status: 0 all passed, 1 a stage failed, 2 it could not start.
///
/// Examples:
///   cargo xtask test                 everything
///   cargo xtask test lint bench      two stages
///   cargo xtask test --list          the stages, and what each is for
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// The stages to run [default: all]
    #[arg(value_name = "STAGE")]
    stages: Vec<String>,
    /// List the stages and stop
    #[arg(long)]
    list: bool,
    /// Install nothing; say what is missing
    #[arg(long)]
    no_setup: bool,
}

/// One stage: a cargo command in a folder of the repository.
struct Stage {
    name: &'static str,
    purpose: &'static str,
    folder: &'static str,
    cargo: &'static [&'static str],
}

const STAGES: &[Stage] = &[
    Stage {
        name: "format",
        purpose: "rustfmt on the xtask program",
        folder: "ci",
        cargo: &["fmt", "--check"],
    },
    Stage {
        name: "bench-format",
        purpose: "rustfmt on the test bench",
        folder: "template/testbench",
        cargo: &["fmt", "--check"],
    },
    Stage {
        name: "lint",
        purpose: "clippy on the xtask program and its tests",
        folder: "ci",
        cargo: &[
            "clippy",
            "--locked",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ],
    },
    Stage {
        name: "bench-lint",
        purpose: "clippy on the test bench",
        folder: "template/testbench",
        cargo: &[
            "clippy",
            "--locked",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ],
    },
    Stage {
        name: "bench-windows",
        purpose: "clippy on the test bench as Windows compiles it",
        folder: "template/testbench",
        cargo: &[
            "clippy",
            "--locked",
            "--all-targets",
            "--target",
            openwdk::TARGET,
            "--",
            "-D",
            "warnings",
        ],
    },
    Stage {
        name: "bench",
        purpose: "the test bench's own unit tests",
        folder: "template/testbench",
        cargo: &["test", "--locked", "--lib"],
    },
    Stage {
        name: "unit",
        purpose: "the xtask program's unit tests",
        folder: "ci",
        cargo: &["test", "--locked", "--lib"],
    },
    Stage {
        name: "template",
        purpose: "emission, refusals, builds, the bench on good and broken drivers here and under Wine, pipelines",
        folder: "ci",
        cargo: &["test", "--locked", "--no-fail-fast", "--test", "*"],
    },
    Stage {
        name: "matrix",
        purpose: "every pair of answers: emitted, built where it differs in code, verified",
        folder: "ci",
        cargo: &["run", "--locked", "--quiet", "--", "matrix"],
    },
    Stage {
        name: "hostile",
        purpose: "20,000 nasty answers: refused, or a project that says what was answered",
        folder: "ci",
        // Always the same ones: who changes something else is to see nothing new here.
        cargo: &[
            "run",
            "--locked",
            "--quiet",
            "--",
            "matrix",
            "--hostile",
            "20000",
            "--seed",
            "1",
        ],
    },
];

/// Runs the verb.
///
/// # Errors
///
/// Where a stage is unknown, something is missing that could not be installed, or cargo could not
/// be started.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if args.list {
        for stage in STAGES {
            println!("{:<14}{}", stage.name, stage.purpose);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let stages = chosen(&args.stages)?;
    setup::ensure(&setup::Group::ALL, !args.no_setup)?;
    tools::ensure_cargo_generate()?;
    tools::ensure_cargo_deny()?;
    tools::ensure_linters()?;

    let mut results = Vec::new();
    for (number, stage) in stages.iter().enumerate() {
        eprintln!(
            "\n[{}/{}] {}: {}",
            number + 1,
            stages.len(),
            stage.name,
            stage.purpose
        );
        let start = Instant::now();
        let passed = run_stage(stage)?;
        results.push((stage, passed, start.elapsed()));
    }
    Ok(report(&results))
}

/// The stages named on the command line, or all.
fn chosen(names: &[String]) -> anyhow::Result<Vec<&'static Stage>> {
    if names.is_empty() {
        return Ok(STAGES.iter().collect());
    }
    names
        .iter()
        .map(|name| {
            let known = || {
                STAGES
                    .iter()
                    .map(|stage| stage.name)
                    .collect::<Vec<_>>()
                    .join(", ")
            };
            STAGES
                .iter()
                .find(|stage| stage.name == name)
                .with_context(|| format!("`{name}` is no stage; the stages are {}", known()))
        })
        .collect()
}

fn run_stage(stage: &Stage) -> anyhow::Result<bool> {
    let folder: PathBuf = repository().join(stage.folder);
    if !folder.is_dir() {
        bail!("{} is missing: is this a complete clone?", folder.display());
    }
    let mut command = Command::new("cargo");
    if stage.folder.starts_with("template/") {
        // Nothing is left in the template: emitting a project from a folder copies all of it.
        command.env("CARGO_TARGET_DIR", repository().join("ci/target/testbench"));
    }
    let status = command
        .args(stage.cargo)
        .current_dir(&folder)
        .status()
        .context("cargo could not be started; is rustup installed?")?;
    Ok(status.success())
}

fn report(results: &[(&&Stage, bool, Duration)]) -> ExitCode {
    eprintln!();
    for (stage, passed, time) in results {
        let verdict = if *passed { "passed" } else { "FAILED" };
        eprintln!("{verdict}  {:<14}{:>6.1} s", stage.name, time.as_secs_f64());
    }
    let failed: Vec<_> = results
        .iter()
        .filter(|(_, passed, _)| !passed)
        .map(|(stage, ..)| stage.name)
        .collect();
    if failed.is_empty() {
        return ExitCode::SUCCESS;
    }
    eprintln!(
        "To repeat what failed: cargo xtask test {}",
        failed.join(" ")
    );
    ExitCode::from(1)
}
