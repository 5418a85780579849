//! The verdict on a driver.

use std::path::PathBuf;

use serde::Serialize;
use testbench::Report;

/// The report of the bench, with the digest of the file and the path of the expectations.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Verdict {
    /// The SHA-256 digest of the file.
    pub sha256: String,
    /// The file with the expectations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expectations_file: Option<PathBuf>,
    /// The report of the bench.
    #[serde(flatten)]
    pub report: Report,
}
