//! `cargo xtask build`.

use std::process::ExitCode;

/// Build an emitted project.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the verb.
///
/// # Errors
///
/// A sentence that says what is wrong and what to do.
pub fn run(_args: &Args) -> anyhow::Result<ExitCode> {
    anyhow::bail!("not written yet")
}
