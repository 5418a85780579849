//! Ctrl-C, as a failure like any other: what is half done is cleaned up on the way out.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, anyhow};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From here on Ctrl-C ends nothing by itself: [`check`] tells of it.
///
/// # Errors
///
/// The system refuses.
pub fn survive() -> anyhow::Result<()> {
    ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::Relaxed))
        .context("Ctrl-C cannot be caught")
}

/// Goes on, unless somebody pressed Ctrl-C.
///
/// # Errors
///
/// Somebody did.
pub fn check() -> anyhow::Result<()> {
    if INTERRUPTED.load(Ordering::Relaxed) {
        return Err(said());
    }
    Ok(())
}

/// What is said after Ctrl-C.
pub fn said() -> anyhow::Error {
    anyhow!("interrupted; nothing is left behind")
}
