//! `cargo xtask verify`.

use std::process::ExitCode;

/// Put a minifilter `.sys` through the test bench.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Where this process was started as a bench worker, serves and returns its exit code.
#[must_use]
pub fn serve_as_bench_worker() -> Option<ExitCode> {
    None
}

/// Runs the verb.
///
/// # Errors
///
/// A sentence that says what is wrong and what to do.
pub fn run(_args: &Args) -> anyhow::Result<ExitCode> {
    anyhow::bail!("not written yet")
}
