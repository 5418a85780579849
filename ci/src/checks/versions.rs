//! The versions of the template, in `ci/versions.toml`: what each emits, as a digest, and whether it is released.
//!
//! What a released version emits does not change any more; the next change starts the next version.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};
use semver::Version;
use serde::Deserialize;

use super::{
    cache::Inputs,
    matrix::combinations::{self, Axis},
    render::Renderer,
};
use crate::repository;

/// The year in the licenses of what is digested.
const YEAR: &str = "2026";

/// A version of the template.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its number.
    pub number: Version,
    /// Whether it may still change.
    pub released: bool,
    /// [`digest`] of what it emits, once it is released.
    pub digest: Option<String>,
    /// The commit that released it. A file cannot name its own commit: the next version enters it.
    pub commit: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Versions {
    version: Vec<Entry>,
}

/// Where the versions stand.
#[must_use]
pub fn file() -> PathBuf {
    repository().join("ci/versions.toml")
}

/// All versions, in their order.
///
/// # Errors
///
/// The file cannot be read, or is not as it must be.
pub fn read() -> anyhow::Result<Vec<Entry>> {
    let text = fs::read_to_string(file()).context("ci/versions.toml cannot be read")?;
    judged(&text)
}

/// The versions in a text of that form.
///
/// # Errors
///
/// What is wrong with it.
pub fn judged(text: &str) -> anyhow::Result<Vec<Entry>> {
    let versions: Versions = toml::from_str(text).context("ci/versions.toml is not understood")?;
    let versions = versions.version;
    for (at, entry) in versions.iter().enumerate() {
        let number = &entry.number;
        let next = versions.get(at + 1);
        ensure!(
            next.is_none_or(|next| next.number > *number),
            "{number} stands before an older version"
        );
        ensure!(
            next.is_none() || entry.released,
            "{number} is not released, and another version follows it: release it first"
        );
        ensure!(
            entry.digest.is_some() == entry.released,
            "{number}: a released version has a digest, and no other has"
        );
        let is_commit = |it: &String| it.len() == 40 && it.chars().all(|it| it.is_ascii_hexdigit());
        ensure!(
            entry.commit.as_ref().is_none_or(is_commit),
            "{number}: a commit is 40 hexadecimal digits"
        );
        ensure!(
            entry.commit.is_some() == next.is_some(),
            "{number}: the commit that released a version is entered when the next version starts, and not before"
        );
    }
    Ok(versions)
}

/// A digest of what the template in `root` emits for each combination of the matrix.
///
/// # Errors
///
/// The template is at fault.
pub fn digest(root: &Path) -> anyhow::Result<String> {
    // What the hooks say of the folder is not emitted.
    let renderer = Renderer::of(root, Path::new("."))?;
    let axes: Vec<Axis> = renderer.options().iter().map(Axis::of).collect();
    let mut digest = Inputs::of("emitted");
    for combination in combinations::chosen(&axes) {
        let answers: Vec<(&str, &str)> = combination
            .given()
            .into_iter()
            .map(|(option, value)| match option {
                "license_year" => (option, YEAR),
                _ => (option, value),
            })
            .collect();
        for (option, value) in &answers {
            digest = digest.with(option, value);
        }
        for (file, bytes) in renderer.render("my-filter", &answers)?.files {
            digest = digest.with(&file, &*bytes);
        }
    }
    Ok(digest.digest())
}
