//! Reads the lock file of a project, and checks that the open WDK was tested with its packages.

use std::{fs, path::Path};

use anyhow::Context;
use serde::Deserialize;

use super::host;

/// The packages of a lock file that come from a registry: name and version.
///
/// # Errors
///
/// The file cannot be read.
pub fn packages(lock: &Path) -> anyhow::Result<Vec<(String, String)>> {
    #[derive(Deserialize)]
    struct Lock {
        #[serde(default)]
        package: Vec<Locked>,
    }
    #[derive(Deserialize)]
    struct Locked {
        name: String,
        version: String,
        source: Option<String>,
    }
    let text =
        fs::read_to_string(lock).with_context(|| format!("cannot read {}", lock.display()))?;
    let lock: Lock =
        toml::from_str(&text).with_context(|| format!("{} is not a lock file", lock.display()))?;
    Ok(lock
        .package
        .into_iter()
        .filter(|package| package.source.is_some())
        .map(|package| (package.name, package.version))
        .collect())
}

/// Refuses a project whose lock file names a version of the wdk crates that the open WDK was not tested with.
///
/// # Errors
///
/// The open WDK was tested with another version.
pub fn check(lock: &Path) -> anyhow::Result<()> {
    for (package, version) in packages(lock)? {
        host::check_version(&package, &version)?;
    }
    Ok(())
}
