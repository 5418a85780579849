//! Sources with a change: a file, what to find in it, what to put there.
//!
//! One form for whatever is a small difference from sources that are kept elsewhere: the corrections of mingw-w64's
//! headers, and the emitted projects that the tests break on purpose.

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
    /// The file, below the folder that is changed.
    pub file: String,
    /// What is replaced: it stands in the file exactly once.
    pub find: String,
    /// What replaces it.
    pub replace: String,
}

impl Edit {
    /// The text of the file with the change.
    ///
    /// # Errors
    ///
    /// The text to find does not stand in `text` exactly once.
    pub fn apply_to(&self, text: &str) -> anyhow::Result<String> {
        let times = text.matches(&self.find).count();
        ensure!(
            times == 1,
            "this stands {times} times in {}, and is to stand there once:\n{}",
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
    /// What it is called.
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
    /// A file cannot be read or written, or a text to find does not stand there exactly once. Nothing is changed then.
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

/// Changes that were made; dropping it takes them back.
#[derive(Debug, Default)]
#[must_use = "dropping it takes the changes back"]
pub struct Applied {
    originals: BTreeMap<PathBuf, String>,
}

impl Drop for Applied {
    fn drop(&mut self) {
        for (path, text) in &self.originals {
            if let Err(error) = fs::write(path, text) {
                eprintln!("{} stays changed: {error}", path.display());
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
    fn changes_are_made_in_order_and_taken_back() {
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
    fn a_text_that_does_not_stand_there_once_is_refused_and_nothing_is_changed() {
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
                    "sample: this stands {times} times in a.txt, and is to stand there once:\n{find}"
                )
            );
            assert_eq!(fs::read_to_string(&file).unwrap(), "one one two");
        }
    }
}
