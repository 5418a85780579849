//! The versions of the template, and what they emit.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use semver::Version;
use tempfile::TempDir;

use super::git::{output, parts, reading, run};
use crate::{
    checks::versions,
    commands::{
        new::{
            answers::Answers,
            generator::{self, Emitted},
            record::template_version,
        },
        options::{Declared, declared_in, listed},
    },
    repository,
};

/// A version of the template.
pub struct Template {
    /// Its number.
    pub version: Version,
    /// Its files, if they are not those of this clone.
    folder: Option<TempDir>,
    options: Vec<Declared>,
}

impl Template {
    /// The version of this clone.
    ///
    /// # Errors
    ///
    /// The clone is not complete.
    pub fn own() -> anyhow::Result<Self> {
        Self::new(template_version()?, None)
    }

    /// A version: that of this clone, or a released one, from its commit.
    ///
    /// # Errors
    ///
    /// There is no such version, or this clone does not have its commit.
    pub fn of(version: &Version) -> anyhow::Result<Self> {
        let own = template_version()?;
        if *version == own {
            return Self::own();
        }
        let all = versions::read()?;
        let Some(entry) = all.iter().find(|entry| entry.number == *version) else {
            let numbers: Vec<String> = all.iter().map(|entry| entry.number.to_string()).collect();
            if *version > own {
                bail!(
                    "version {version} is newer than this clone of the template, which is version {own}: update the clone"
                );
            }
            bail!(
                "{version} is no version of the template: they are {}",
                listed(numbers.iter().map(String::as_str))
            );
        };
        let commit = entry.commit.as_ref().with_context(|| {
            format!("ci/versions.toml does not name the commit of version {version}: update the clone of the template")
        })?;
        Self::new(version.clone(), Some(sources(version, commit)?))
    }

    /// A version whose `cargo-generate.toml`, `hooks` and `template` are in a folder.
    ///
    /// # Errors
    ///
    /// The options cannot be read.
    pub fn in_folder(version: Version, folder: TempDir) -> anyhow::Result<Self> {
        Self::new(version, Some(folder))
    }

    fn new(version: Version, folder: Option<TempDir>) -> anyhow::Result<Self> {
        let root = folder
            .as_ref()
            .map_or_else(repository, |it| it.path().to_owned());
        let options = declared_in(&root.join("cargo-generate.toml"))?;
        Ok(Self {
            version,
            folder,
            options,
        })
    }

    /// Its options.
    #[must_use]
    pub fn options(&self) -> &[Declared] {
        &self.options
    }

    /// Emits a project.
    ///
    /// # Errors
    ///
    /// The sentence with which the template refuses an answer.
    pub fn emit(&self, name: &str, answers: &Answers, to: &Path) -> anyhow::Result<PathBuf> {
        let source = self.folder.as_ref().map(TempDir::path);
        let Emitted { path, .. } = generator::generate_from(source, name, answers, to, None)?;
        Ok(path)
    }
}

/// The files of a commit of this clone that a project is emitted from.
fn sources(version: &Version, commit: &str) -> anyhow::Result<TempDir> {
    let clone = repository();
    let has = output(
        reading(&clone).args(["cat-file", "-e", &format!("{commit}^{{commit}}")]),
        None,
    )?;
    if !has.status.success() {
        let clone = clone.display();
        bail!(
            "this clone of the template does not have commit {commit}, which released version {version}: run git -C {clone} \
             fetch --unshallow, or git -C {clone} fetch URL {commit} with the address of the template. If nobody has the \
             commit any more, cargo xtask update --without-base lists every difference"
        );
    }
    let folder = crate::scratch_folder().context("no temporary folder can be made")?;
    let index = folder.path().join("index");
    let out = folder.path().join("files");
    fs::create_dir(&out)?;
    let git = || {
        let mut git = reading(&clone);
        git.env("GIT_INDEX_FILE", &index);
        git
    };
    run(git().args(["read-tree", commit]), None)?;
    let mut list = git();
    list.args([
        "ls-files",
        "-z",
        "--",
        "cargo-generate.toml",
        "hooks",
        "template",
    ]);
    let files = run(&mut list, None)?;
    if parts(&files).is_empty() {
        bail!("commit {commit} of version {version} has no template");
    }
    let mut checkout = git();
    checkout
        .args(["checkout-index", "--quiet", "--force", "-z", "--stdin"])
        .arg(format!("--prefix={}/", out.display()));
    run(&mut checkout, Some(&files))?;
    let sources = crate::scratch_folder().context("no temporary folder can be made")?;
    for entry in fs::read_dir(&out)? {
        let entry = entry?;
        fs::rename(entry.path(), sources.path().join(entry.file_name()))?;
    }
    Ok(sources)
}
