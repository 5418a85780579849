//! The worker program.

use std::path::PathBuf;
use std::time::Duration;

/// The worker program and its time limit.
#[derive(Debug, Clone)]
pub struct Player {
    /// The path of the program.
    pub program: PathBuf,
    /// The time limit of a scenario, or of an act of a test.
    pub limit: Duration,
}
