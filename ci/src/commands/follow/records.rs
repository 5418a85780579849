//! The records in the trees of a merge.

use super::{merge::Trees, project::Project};
use crate::{
    commands::new::{
        record::{self, KeepLines},
        template::Template,
    },
    git::{Blob, Store},
};

/// The record in a tree.
///
/// # Errors
///
/// git fails.
pub fn text(store: &Store, tree: &str) -> anyhow::Result<Option<String>> {
    let files = store.files(tree)?;
    let found = files.into_iter().find(|(path, _)| path == record::FILE);
    found
        .map(|(_, blob)| {
            let content = store.content(&blob.id)?;
            Ok(String::from_utf8_lossy(&content).into_owned())
        })
        .transpose()
}

/// The trees, with records that differ in nothing that is no change of the template or of an answer:
///
/// - The list `keep` of the project is in the records of the template, too.
/// - If the version in the base emits no record, the base has the one that `adopt` wrote, which the new one replaces.
/// - If nothing of the kit that matters has changed, the new record has the recorded state of the kit.
///
/// # Errors
///
/// git fails.
pub fn aligned(
    store: &Store,
    project: &Project,
    template: &Template,
    trees: Trees,
) -> anyhow::Result<Trees> {
    let Some(ours) = text(store, &trees.ours)? else {
        return Ok(trees);
    };
    let keep = KeepLines::of(&ours);
    let with_keep = |text: String| match &keep {
        Some(keep) => keep.put_into(&text),
        None => text,
    };
    let with_state = |text: String| match (&project.kit, template.kit()) {
        (Some(old), Some(kit)) if kit.is_state(old) => {
            let new = kit.revision.as_deref().unwrap_or(old);
            text.replacen(new, old, 1)
        }
        _ => text,
    };
    let base = match text(store, &trees.base)? {
        Some(text) => Some(with_keep(text)),
        None if trees.base == store.empty()? => None,
        None => Some(ours),
    };
    let theirs = text(store, &trees.theirs)?;
    let theirs = theirs.map(|text| with_keep(with_state(text)));
    Ok(Trees {
        base: with_text(store, trees.base, base)?,
        theirs: with_text(store, trees.theirs, theirs)?,
        ours: trees.ours,
    })
}

/// A tree with another record.
fn with_text(store: &Store, tree: String, text: Option<String>) -> anyhow::Result<String> {
    let Some(text) = text else {
        return Ok(tree);
    };
    let blob = Blob {
        mode: "100644".to_owned(),
        id: store.blob(text.as_bytes())?,
    };
    store.changed(&tree, &[(record::FILE.to_owned(), Some(blob))])
}
