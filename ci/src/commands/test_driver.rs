//! `cargo xtask test-driver`: builds an emitted project on this machine and runs the tests in its `testbench/`.

use std::{
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context, ensure};

use crate::{
    commands::{build, setup},
    openwdk::target::Profile,
};

/// Build an emitted project, then run the tests in its testbench/ folder.
///
/// The driver is built for x64, as `cargo xtask build` does. The tests are run by cargo; what follows -- is passed to it,
/// for example the name of a test.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The folder with the Cargo.toml of the project.
    dir: PathBuf,

    /// Test the driver that is built with optimisation and without debug assertions.
    #[arg(long)]
    release: bool,

    /// Install nothing: only say what is missing.
    #[arg(long)]
    no_setup: bool,

    /// Arguments of `cargo test`.
    #[arg(last = true, value_name = "ARGUMENTS")]
    arguments: Vec<String>,
}

const EXAMPLES: &str = "\
Examples:
  cargo xtask test-driver ../my-filter
      build the driver and run all of its tests
  cargo xtask test-driver ../my-filter -- --test create
      run the tests in testbench/tests/create.rs
  cargo xtask test-driver ../my-filter -- a_file_is_opened
      run the tests whose name contains this text

Exit status: 0 every test passed; 2 the driver cannot be built, or the project has no testbench/;\notherwise that of cargo test.";

/// Runs the verb.
///
/// # Errors
///
/// The driver cannot be built, or the project has no tests.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let tests = tests(&args.dir)?;
    if !cfg!(windows) {
        setup::ensure(&[setup::Group::Build], !args.no_setup)?;
    }
    let profile = if args.release {
        Profile::Release
    } else {
        Profile::Dev
    };
    let sys = build::build(&args.dir, profile)?;
    let status = command(&tests, &sys)
        .args(&args.arguments)
        .status()
        .context("cannot start cargo")?;
    let code = status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .unwrap_or(1);
    Ok(ExitCode::from(code))
}

/// The folder of the tests of a project.
fn tests(dir: &Path) -> anyhow::Result<PathBuf> {
    let tests = dir.join("testbench");
    ensure!(
        tests.join("Cargo.toml").is_file(),
        "{} has no folder testbench with a Cargo.toml: name the folder of an emitted project with the option testbench",
        dir.display()
    );
    Ok(tests)
}

/// The command that tests a driver with the tests in a folder.
#[must_use]
pub fn command(tests: &Path, sys: &Path) -> Command {
    let mut command = Command::new("cargo");
    command
        .arg("test")
        .current_dir(tests)
        .env("DRIVER_SYS", sys);
    command
}
