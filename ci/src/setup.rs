//! `cargo xtask setup`.

use std::process::ExitCode;

/// Install what building and testing here needs.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// What something is needed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Building a driver.
    Build,
    /// Trying its INF and its start in Wine.
    Wine,
}

/// Sees to it that what the groups need is there.
///
/// # Errors
///
/// A sentence that says what is missing and what to do.
pub fn ensure(_groups: &[Group], _install: bool) -> anyhow::Result<()> {
    Ok(())
}

/// Runs the verb.
///
/// # Errors
///
/// A sentence that says what is wrong and what to do.
pub fn run(_args: &Args) -> anyhow::Result<ExitCode> {
    anyhow::bail!("not written yet")
}
