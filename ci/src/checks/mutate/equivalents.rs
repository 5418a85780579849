//! The mutants that behave like the driver, listed in `ci/mutants.toml` with a reason.

use std::{fs, path::Path};

use anyhow::{Context, ensure};
use serde::Deserialize;

use super::operators::Mutant;

/// The file, in the repository.
pub const FILE: &str = "ci/mutants.toml";

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    #[serde(default)]
    mutant: Vec<Equivalent>,
}

/// A mutant that behaves like the driver. It is identified without its line, which other changes move.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Equivalent {
    file: String,
    function: String,
    find: String,
    replace: String,
    #[serde(default = "first")]
    occurrence: usize,
    /// The project, if another one has a different mutant that is identified by the same keys.
    project: Option<String>,
    /// Why it behaves like the driver.
    pub reason: String,
}

fn first() -> usize {
    1
}

impl Equivalent {
    /// Whether it is this mutant, which some projects have.
    #[must_use]
    pub fn is(&self, mutant: &Mutant, projects: &[String]) -> bool {
        let project = self.project.as_ref();
        project.is_none_or(|project| projects.contains(project))
            && self.file == mutant.file
            && self.function == mutant.function
            && self.find == mutant.find
            && self.replace == mutant.replace
            && self.occurrence == mutant.occurrence
    }

    /// The mutant in one line.
    #[must_use]
    pub fn name(&self) -> String {
        format!(
            "{}, {}: {} → {} ({})",
            self.file, self.function, self.find, self.replace, self.occurrence
        )
    }
}

/// Reads a list.
///
/// # Errors
///
/// The file cannot be read or understood, or an entry has no reason.
pub fn read(path: &Path) -> anyhow::Result<Vec<Equivalent>> {
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let list: List =
        toml::from_str(&text).with_context(|| format!("{} is not understood", path.display()))?;
    for entry in &list.mutant {
        ensure!(
            !entry.reason.trim().is_empty(),
            "{}: this mutant has no reason: {}",
            path.display(),
            entry.name()
        );
    }
    Ok(list.mutant)
}

/// Refuses entries that are no mutant, and mutants with two entries.
///
/// # Errors
///
/// The entries.
pub fn check<'a>(
    entries: &[Equivalent],
    mutants: &(impl Iterator<Item = (&'a Mutant, Vec<String>)> + Clone),
) -> anyhow::Result<()> {
    let unknown: Vec<_> = entries
        .iter()
        .filter(|entry| {
            let mut mutants = mutants.clone();
            !mutants.any(|(mutant, projects)| entry.is(mutant, &projects))
        })
        .map(Equivalent::name)
        .collect();
    ensure!(
        unknown.is_empty(),
        "{FILE} lists mutants that do not exist; remove them or correct them:\n{}",
        unknown.join("\n")
    );
    let twice = (1..entries.len()).find(|&at| entries[..at].contains(&entries[at]));
    ensure!(
        twice.is_none(),
        "{FILE} lists this mutant twice: {}",
        twice.map(|at| entries[at].name()).unwrap_or_default()
    );
    Ok(())
}
