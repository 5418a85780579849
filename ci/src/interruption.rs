//! Reports Ctrl-C as an error, so that temporary files are removed as after any other error.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, anyhow};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Makes Ctrl-C an error of [`check`], instead of the end of the process.
///
/// # Errors
///
/// The handler cannot be set.
pub fn survive() -> anyhow::Result<()> {
    ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::Relaxed))
        .context("Ctrl-C cannot be caught")
}

/// Checks whether Ctrl-C was pressed.
///
/// # Errors
///
/// Ctrl-C was pressed.
pub fn check() -> anyhow::Result<()> {
    if INTERRUPTED.load(Ordering::Relaxed) {
        return Err(said());
    }
    Ok(())
}

/// The error after Ctrl-C.
pub fn said() -> anyhow::Error {
    anyhow!("interrupted; nothing is left behind")
}
