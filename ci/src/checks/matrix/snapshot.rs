//! One emitted project, kept: whoever reviews a change of the template sees here what it does to what is emitted.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use time::OffsetDateTime;

use super::{
    checks::Emitted,
    combinations::{self, Axis},
};
use crate::repository;

/// The year of the snapshot's copyright: it is not to drift with the calendar.
const YEAR: i32 = 2026;

/// The project with everything on, as it is emitted now. Without the test bench: that is copied as it stands.
///
/// # Errors
///
/// Where it cannot be emitted.
pub fn emitted(axes: &[Axis]) -> anyhow::Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut files = Emitted::new(&combinations::everything(axes))?.files()?;
    files.retain(|name, _| name != Path::new("testbench/"));
    let this_year = format!("Copyright {}", OffsetDateTime::now_utc().year());
    for (name, bytes) in &mut files {
        if name.to_string_lossy().starts_with("LICENSE") {
            let text = String::from_utf8_lossy(bytes);
            *bytes = text
                .replace(&this_year, &format!("Copyright {YEAR}"))
                .into_bytes();
        }
    }
    Ok(files)
}

/// The project as it is kept.
///
/// # Errors
///
/// Where it cannot be read.
pub fn kept() -> anyhow::Result<BTreeMap<PathBuf, Vec<u8>>> {
    super::checks::files_of(&folder())
}

/// Writes it anew, and returns its folder.
///
/// # Errors
///
/// Where it cannot be emitted or written.
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
