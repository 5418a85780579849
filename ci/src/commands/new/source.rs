//! What a project is emitted from: the parts of the repository that cargo-generate reads.
//!
//! cargo-generate first copies the whole folder that it is given. It is given a copy of the parts that it needs.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context;
use tempfile::TempDir;

/// A temporary folder with the template alone.
///
/// # Errors
///
/// A file cannot be copied.
pub fn staged() -> anyhow::Result<TempDir> {
    let repository = crate::repository();
    let staged = tempfile::Builder::new()
        .prefix("template-")
        .tempdir_in(crate::temporary_place())?;
    copy_parts(&repository, staged.path())?;
    Ok(staged)
}

/// Copies the parts of a template to an empty folder.
pub fn copy_parts(from: &Path, to: &Path) -> anyhow::Result<()> {
    for name in ["cargo-generate.toml", "hooks", "template"] {
        let from = from.join(name);
        copy(&from, &to.join(name)).with_context(|| format!("cannot copy {}", from.display()))?;
    }
    Ok(())
}

/// Takes the user's answers from the environment of cargo-generate, and gives it what it needs there: a name of the user,
/// which no emitted file contains, and a fast place for temporary files.
pub fn isolate(command: &mut Command) {
    if env::var_os("USER").is_none() {
        command.env("USER", "developer");
    }
    command.env("TMPDIR", crate::temporary_place());
    for (name, value) in env::vars_os() {
        // cargo-generate stops at a variable that is not Unicode.
        let is_text = name.to_str().is_some() && value.to_str().is_some();
        if !is_text || name.to_string_lossy().starts_with("CARGO_GENERATE_") {
            command.env_remove(name);
        }
    }
}

/// An empty configuration for cargo-generate, beside a [`staged`] template, instead of the user's.
#[must_use]
pub fn no_configuration(staged: &Path) -> PathBuf {
    staged.join("no-configuration.toml")
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    if !from.is_dir() {
        return fs::copy(from, to).map(|_| ());
    }
    if crate::is_build_folder(from) {
        return Ok(());
    }
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        copy(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}
