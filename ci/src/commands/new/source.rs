//! What a project is emitted from: the parts of the repository that cargo-generate reads.
//!
//! Given a folder, cargo-generate copies all that is below it before it looks at anything: of a clone that somebody
//! works in, gigabytes in ci/target. So it is given a copy of what it needs.

use std::{fs, path::Path};

use anyhow::Context;
use tempfile::TempDir;

/// A folder with the template and no more. It goes when it is dropped.
///
/// # Errors
///
/// A file cannot be copied.
pub fn staged() -> anyhow::Result<TempDir> {
    let repository = crate::repository();
    let staged = tempfile::Builder::new().prefix("template-").tempdir()?;
    for name in ["cargo-generate.toml", "hooks", "template"] {
        let from = repository.join(name);
        copy(&from, &staged.path().join(name))
            .with_context(|| format!("cannot copy {}", from.display()))?;
    }
    Ok(staged)
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    if !from.is_dir() {
        return fs::copy(from, to).map(|_| ());
    }
    // What cargo leaves where somebody worked on the bench in place.
    if from.ends_with("testbench/target") {
        return Ok(());
    }
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        copy(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}
