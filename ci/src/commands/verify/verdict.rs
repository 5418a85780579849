//! What the command says of a driver.

use std::path::PathBuf;

use serde::Serialize;
use testbench::Report;

/// The report with what only the command line knows.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Verdict {
    /// Which bytes were judged.
    pub sha256: String,
    /// The file with the expectations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expectations_file: Option<PathBuf>,
    /// The report of the bench.
    #[serde(flatten)]
    pub report: Report,
}
