//! A snapshot of one emitted project, which shows in a review how a change of the template changes the output.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;

use super::{
    checks::Emitted,
    combinations::{self, Axis},
};
use crate::repository;

/// The copyright year of the snapshot, so that the snapshot does not depend on the current year.
const YEAR: &str = "2026";

/// The project with everything on, as it is emitted now, without the test bench, which is copied unchanged.
///
/// # Errors
///
/// The project cannot be emitted.
pub fn emitted(axes: &[Axis]) -> anyhow::Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut everything = combinations::everything(axes);
    for (option, answer) in &mut everything.answers {
        if option == "license_year" {
            YEAR.clone_into(answer);
        }
    }
    let mut files = Emitted::new(&everything)?.files()?;
    files.retain(|name, _| name != Path::new("testbench/"));
    Ok(files)
}

/// The files of the snapshot.
///
/// # Errors
///
/// The snapshot cannot be read.
pub fn kept() -> anyhow::Result<BTreeMap<PathBuf, Vec<u8>>> {
    super::checks::files_of(&folder())
}

/// Replaces the snapshot, and returns its folder.
///
/// # Errors
///
/// The project cannot be emitted or written.
pub fn write(axes: &[Axis]) -> anyhow::Result<PathBuf> {
    let files = emitted(axes)?;
    let folder = folder();
    if folder.exists() {
        fs::remove_dir_all(&folder)
            .with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    for (name, bytes) in files {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(folder)
}

fn folder() -> PathBuf {
    repository().join("ci/snapshot")
}
