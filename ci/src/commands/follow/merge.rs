//! The merge of the author's changes and the template's, by git.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, bail};
use serde::Serialize;

use super::{lock, project::Project};
use crate::git::{Blob, Store, output, run};

/// The name of the author's side in a conflict.
const OURS: &str = "project";

/// The three trees of a merge.
pub struct Trees {
    /// What the recorded version emits with the recorded answers.
    pub base: String,
    /// The project.
    pub ours: String,
    /// What the wanted version emits with the wanted answers.
    pub theirs: String,
}

/// A file that the author must look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Conflict {
    /// The path in the project.
    pub path: String,
    /// What both sides did, and what was done.
    pub what: String,
    /// What the template changes, if the file in the project does not show it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub difference: String,
}

/// The result of a merge.
pub struct Merged {
    /// The tree.
    pub tree: String,
    /// The files that the author must look at.
    pub conflicts: Vec<Conflict>,
    /// The files that the project keeps and the template changes.
    pub kept: Vec<String>,
    /// What the user should know.
    pub notes: Vec<String>,
}

/// The versions of a file in a conflict: in the base, in the project, in the template.
type Stages = [Option<Blob>; 3];

/// Merges. `template` is the name of the template's side in a conflict.
///
/// # Errors
///
/// git fails.
pub fn merge(
    store: &Store,
    project: &Project,
    trees: &Trees,
    template: &str,
) -> anyhow::Result<Merged> {
    let (trees, kept) = without_kept(store, project, trees)?;
    let base = store.commit(&trees.base, None, "base")?;
    store.commit(&trees.ours, Some(&base), OURS)?;
    store.commit(&trees.theirs, Some(&base), template)?;
    let mut merge = store.git();
    merge.args([
        "-c",
        "merge.directoryRenames=false",
        "-c",
        "merge.conflictStyle=merge",
        "-c",
        "merge.renameLimit=10000",
        "merge-tree",
        "--write-tree",
        "-z",
        "--messages",
        OURS,
        template,
    ]);
    let said = output(&mut merge, None)?;
    if !matches!(said.status.code(), Some(0 | 1)) {
        bail!(
            "git merge-tree failed ({}): {}. It needs git 2.38 or later",
            said.status,
            String::from_utf8_lossy(&said.stderr).trim()
        );
    }
    let text = String::from_utf8_lossy(&said.stdout);
    let mut fields = text.split('\0');
    let tree = fields.next().context("git merge-tree printed nothing")?;
    let stages = stages(&mut fields);
    let messages = messages(&mut fields);
    let mut merged = Merged {
        tree: tree.to_owned(),
        conflicts: Vec::new(),
        kept,
        notes: Vec::new(),
    };
    let mut files = Vec::new();
    for (path, stages) in &stages {
        if let Some(blob) = merged_lock(store, path, stages)? {
            files.push((path.clone(), Some(blob)));
            merged.notes.push(format!(
                "both sides have changed the packages in {path}: they are merged, and cargo completes them"
            ));
            continue;
        }
        let conflict = conflict(store, path, stages, &messages, template, &mut files)?;
        merged.conflicts.push(conflict);
    }
    merged.tree = store.changed(tree, &files)?;
    Ok(merged)
}

/// The trees in which the files that the project keeps are everywhere as in the project, and those that the template
/// changes.
fn without_kept(
    store: &Store,
    project: &Project,
    trees: &Trees,
) -> anyhow::Result<(Trees, Vec<String>)> {
    let files = |tree: &str| -> anyhow::Result<BTreeMap<String, Blob>> {
        let files = store.files(tree)?.into_iter();
        Ok(files.filter(|(path, _)| project.keeps(path)).collect())
    };
    let (base, ours, theirs) = (
        files(&trees.base)?,
        files(&trees.ours)?,
        files(&trees.theirs)?,
    );
    let paths: BTreeSet<&String> = base.keys().chain(theirs.keys()).collect();
    let kept = paths
        .iter()
        .filter(|path| base.get(**path) != theirs.get(**path))
        .map(|path| (*path).clone())
        .collect();
    let own: Vec<_> = paths
        .iter()
        .map(|path| ((*path).clone(), ours.get(*path).cloned()))
        .collect();
    let trees = Trees {
        base: store.changed(&trees.base, &own)?,
        ours: trees.ours.clone(),
        theirs: store.changed(&trees.theirs, &own)?,
    };
    Ok((trees, kept))
}

/// Reads the files in conflict: `MODE ID STAGE\tPATH`, ended by an empty field.
fn stages<'a>(fields: &mut impl Iterator<Item = &'a str>) -> BTreeMap<String, Stages> {
    let mut found: BTreeMap<String, Stages> = BTreeMap::new();
    for field in fields.take_while(|field| !field.is_empty()) {
        let Some((about, path)) = field.split_once('\t') else {
            continue;
        };
        let about: Vec<&str> = about.split(' ').collect();
        if let [mode, id, stage] = about[..]
            && let Some(place) = stage.parse().ok().and_then(|stage: usize| {
                let stages = found.entry(path.to_owned()).or_default();
                stages.get_mut(stage.checked_sub(1)?)
            })
        {
            *place = Some(Blob {
                mode: mode.to_owned(),
                id: id.to_owned(),
            });
        }
    }
    found
}

/// Reads the messages on conflicts by the path: `COUNT`, the paths, the kind, the message.
fn messages<'a>(fields: &mut impl Iterator<Item = &'a str>) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    while let Some(count) = fields.next().and_then(|count| count.parse().ok()) {
        let paths: Vec<&str> = fields.take(count).collect();
        let (Some(kind), Some(message)) = (fields.next(), fields.next()) else {
            break;
        };
        if kind.starts_with("CONFLICT") {
            for path in paths {
                found
                    .entry(path.to_owned())
                    .or_insert_with(|| message.trim().to_owned());
            }
        }
    }
    found
}

/// A lock file with the changes of both sides, if it can be merged by its packages.
fn merged_lock(store: &Store, path: &str, stages: &Stages) -> anyhow::Result<Option<Blob>> {
    let [Some(base), Some(ours), Some(theirs)] = stages else {
        return Ok(None);
    };
    if path.rsplit('/').next() != Some(lock::FILE) {
        return Ok(None);
    }
    let text = |blob: &Blob| -> anyhow::Result<String> {
        Ok(String::from_utf8_lossy(&store.content(&blob.id)?).into_owned())
    };
    let Some(whole) = lock::merged(&text(base)?, &text(ours)?, &text(theirs)?) else {
        return Ok(None);
    };
    Ok(Some(Blob {
        mode: ours.mode.clone(),
        id: store.blob(whole.as_bytes())?,
    }))
}

/// Says what happened to a file, and what the tree must have in its place.
fn conflict(
    store: &Store,
    path: &str,
    stages: &Stages,
    messages: &BTreeMap<String, String>,
    template: &str,
    files: &mut Vec<(String, Option<Blob>)>,
) -> anyhow::Result<Conflict> {
    let mut difference = String::new();
    let what = match stages {
        [Some(base), None, Some(theirs)] => {
            files.push((path.to_owned(), None));
            difference = changes(store, base, theirs)?;
            "you have removed it, and the template has changed it: it stays removed".to_owned()
        }
        [Some(_), Some(ours), None] => {
            files.push((path.to_owned(), Some(ours.clone())));
            "you have changed it, and the template has removed it: it stays".to_owned()
        }
        [_, Some(ours), Some(theirs)] => {
            if is_binary(&store.content(&ours.id)?) || is_binary(&store.content(&theirs.id)?) {
                let other = format!("{path}.{template}");
                files.push((path.to_owned(), Some(ours.clone())));
                files.push((other.clone(), Some(theirs.clone())));
                format!("both have changed it, and it is no text: the template's is {other}")
            } else {
                format!(
                    "both have changed it: choose between <<<<<<< {OURS} and >>>>>>> {template}"
                )
            }
        }
        _ => messages
            .get(path)
            .cloned()
            .unwrap_or_else(|| "the names are in conflict".to_owned()),
    };
    Ok(Conflict {
        path: path.to_owned(),
        what,
        difference,
    })
}

/// The lines that differ between two objects.
fn changes(store: &Store, from: &Blob, to: &Blob) -> anyhow::Result<String> {
    let mut diff = store.git();
    diff.args(["diff", "--no-ext-diff", "--no-color", &from.id, &to.id]);
    let text = String::from_utf8_lossy(&run(&mut diff, None)?).into_owned();
    Ok(text
        .find("\n@@")
        .map_or_else(String::new, |at| text[at + 1..].to_owned()))
}

/// Whether git takes a content for binary: there is a NUL in its beginning.
fn is_binary(content: &[u8]) -> bool {
    content.iter().take(8000).any(|byte| *byte == 0)
}
