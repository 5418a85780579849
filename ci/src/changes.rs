//! Changes of source files, each with the text to find and its replacement.
//!
//! They are the corrections of mingw-w64's headers, and the changes with which the tests break emitted projects.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};
use serde::Deserialize;

/// One change of one file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    /// The path of the file in the folder that is changed.
    pub file: String,
    /// The text to find, which occurs exactly once in the file.
    pub find: String,
    /// The text that replaces it.
    pub replace: String,
}

impl Edit {
    /// Returns `text`, which is that of the file, with the change.
    ///
    /// # Errors
    ///
    /// The text to find does not occur exactly once in `text`.
    pub fn apply_to(&self, text: &str) -> anyhow::Result<String> {
        let times = text.matches(&self.find).count();
        ensure!(
            times == 1,
            "this text occurs {times} times in {}, but must occur once:\n{}",
            self.file,
            self.find
        );
        Ok(text.replacen(&self.find, &self.replace, 1))
    }
}

/// An emitted project with changes.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Changed {
    /// Its name.
    pub name: String,
    /// The answers that the project is emitted with: those that are not the defaults.
    #[serde(default)]
    pub answers: BTreeMap<String, String>,
    /// The changes, in the order in which they are made.
    pub edit: Vec<Edit>,
}

impl Changed {
    /// The answers, in the form that emission takes.
    #[must_use]
    pub fn given(&self) -> Vec<(&str, &str)> {
        self.answers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect()
    }

    /// Changes the project in `folder`, until the result is dropped.
    ///
    /// # Errors
    ///
    /// A file cannot be read or written, or a text to find does not occur exactly once. Then nothing is changed.
    pub fn apply(&self, folder: &Path) -> anyhow::Result<Applied> {
        let mut applied = Applied::default();
        for edit in &self.edit {
            let path = folder.join(&edit.file);
            let text = fs::read_to_string(&path)
                .with_context(|| format!("{}: cannot read {}", self.name, path.display()))?;
            let changed = edit.apply_to(&text).context(self.name.clone())?;
            applied.originals.entry(path.clone()).or_insert(text);
            fs::write(&path, changed)
                .with_context(|| format!("{}: cannot write {}", self.name, path.display()))?;
        }
        Ok(applied)
    }
}

/// Changes that were made. Dropping this value reverts them.
#[derive(Debug, Default)]
#[must_use = "dropping this value reverts the changes"]
pub struct Applied {
    originals: BTreeMap<PathBuf, String>,
}

impl Drop for Applied {
    fn drop(&mut self) {
        for (path, text) in &self.originals {
            if let Err(error) = fs::write(path, text) {
                eprintln!("cannot revert {}: {error}", path.display());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(edits: &[(&str, &str)]) -> Changed {
        let edit = edits.iter().map(|(find, replace)| Edit {
            file: "a.txt".to_owned(),
            find: (*find).to_owned(),
            replace: (*replace).to_owned(),
        });
        Changed {
            name: "sample".to_owned(),
            answers: BTreeMap::new(),
            edit: edit.collect(),
        }
    }

    #[test]
    fn changes_are_made_in_order_and_reverted() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.txt");
        fs::write(&file, "one two").unwrap();
        let applied = changed(&[("one", "three"), ("three two", "four")])
            .apply(folder.path())
            .unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "four");
        drop(applied);
        assert_eq!(fs::read_to_string(&file).unwrap(), "one two");
    }

    #[test]
    fn a_text_that_does_not_occur_once_is_refused_and_nothing_is_changed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.txt");
        fs::write(&file, "one one two").unwrap();
        for (find, times) in [("one", 2), ("three", 0)] {
            let error = changed(&[("two", "2"), (find, "")])
                .apply(folder.path())
                .unwrap_err();
            assert_eq!(
                format!("{error:#}"),
                format!(
                    "sample: this text occurs {times} times in a.txt, but must occur once:\n{find}"
                )
            );
            assert_eq!(fs::read_to_string(&file).unwrap(), "one one two");
        }
    }
}
