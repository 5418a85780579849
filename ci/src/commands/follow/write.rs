//! What a merge changes in the working tree of a project.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use serde::Serialize;

use super::{
    merge::Conflict,
    project::{Place, Project},
};
use crate::commands::new::record;
use crate::git::{Store, parts, reading, run};

/// What happens to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// It is created.
    Added,
    /// Its content or its mode changes.
    Changed,
    /// It is removed.
    Removed,
}

/// A file that changes.
#[derive(Clone, Debug, Serialize)]
pub struct Change {
    /// The path in the project.
    pub path: String,
    /// What happens to it.
    pub kind: Kind,
    #[serde(skip)]
    executable: bool,
    #[serde(skip)]
    link: bool,
}

/// The files that differ between two trees.
///
/// # Errors
///
/// git fails.
pub fn changes(store: &Store, from: &str, to: &str) -> anyhow::Result<Vec<Change>> {
    let mut diff = store.git();
    diff.args(["diff-tree", "-r", "-z", "--no-renames", from, to]);
    let fields = parts(&run(&mut diff, None)?);
    let pairs = fields.chunks_exact(2).filter_map(|pair| {
        let about: Vec<&str> = pair[0].trim_start_matches(':').split(' ').collect();
        let [_, mode, _, _, status] = about[..] else {
            return None;
        };
        Some(Change {
            path: pair[1].clone(),
            kind: match status {
                "A" => Kind::Added,
                "D" => Kind::Removed,
                _ => Kind::Changed,
            },
            executable: mode == "100755",
            link: mode == "120000",
        })
    });
    Ok(pairs.collect())
}

/// Removes from `changes` those that would touch something else than files of the project: what git ignores, and what is
/// behind a link.
pub fn in_the_way(project: &Project, changes: &mut Vec<Change>) -> Vec<Conflict> {
    let mut conflicts = Vec::new();
    changes.retain(|change| {
        let Some(what) = obstacle(&project.folder, change) else {
            return true;
        };
        conflicts.push(Conflict {
            path: change.path.clone(),
            what,
            difference: String::new(),
        });
        false
    });
    conflicts
}

fn obstacle(folder: &Path, change: &Change) -> Option<String> {
    let target = folder.join(&change.path);
    let inside = Path::new(&change.path).ancestors().skip(1);
    for parent in inside.filter(|parent| !parent.as_os_str().is_empty()) {
        if let Ok(found) = fs::symlink_metadata(folder.join(parent))
            && !found.is_dir()
        {
            let kind = if found.is_symlink() {
                "a link"
            } else {
                "a file"
            };
            return Some(format!(
                "{} is {kind}: nothing is written behind it",
                parent.display()
            ));
        }
    }
    if change.link {
        return Some("the template has a link there, which is not written".to_owned());
    }
    let found = fs::symlink_metadata(&target).ok()?;
    if change.kind == Kind::Added {
        return Some("the template adds it, and git ignores what is there: it is left".to_owned());
    }
    found
        .is_symlink()
        .then(|| "it is a link in the project, and is left".to_owned())
}

/// An index of the last commit in which the project is that of `tree`.
///
/// # Errors
///
/// git fails.
pub fn index_with(store: &Store, place: &Place, tree: &str) -> anyhow::Result<PathBuf> {
    let index = store.index();
    let git = || -> anyhow::Result<_> {
        let mut git = reading(&place.root);
        git.env("GIT_INDEX_FILE", &index);
        store.lend(&mut git, &place.root)?;
        Ok(git)
    };
    if place.prefix.is_empty() {
        run(git()?.args(["read-tree", tree]), None)?;
        return Ok(index);
    }
    run(git()?.args(["read-tree", "HEAD"]), None)?;
    let old = run(git()?.args(["ls-files", "-z", "--", &place.prefix]), None)?;
    let mut remove = git()?;
    remove.args(["update-index", "--force-remove", "-z", "--stdin"]);
    run(&mut remove, Some(&old))?;
    let at = format!("--prefix={}/", place.prefix);
    run(git()?.args(["read-tree", &at, tree]), None)?;
    Ok(index)
}

/// The contents of the files of a tree as they are in the working tree of the user: with the user's ends of lines and
/// filters.
///
/// # Errors
///
/// git fails.
pub fn contents(
    store: &Store,
    place: &Place,
    tree: &str,
    changes: &[Change],
) -> anyhow::Result<BTreeMap<String, PathBuf>> {
    let out = store.folder().join("out");
    fs::create_dir_all(&out)?;
    let index = index_with(store, place, tree)?;
    let prefix = match place.prefix.as_str() {
        "" => String::new(),
        prefix => format!("{prefix}/"),
    };
    let written = changes.iter().filter(|change| change.kind != Kind::Removed);
    let paths: Vec<String> = written.map(|change| change.path.clone()).collect();
    let list: Vec<u8> = paths
        .iter()
        .flat_map(|path| format!("{prefix}{path}\0").into_bytes())
        .collect();
    let mut checkout = reading(&place.root);
    checkout.env("GIT_INDEX_FILE", &index);
    store.lend(&mut checkout, &place.root)?;
    checkout
        .args(["checkout-index", "--quiet", "--force", "-z", "--stdin"])
        .arg(format!("--prefix={}/", out.display()));
    run(&mut checkout, Some(&list))?;
    let place = |path: String| {
        let file = out.join(format!("{prefix}{path}"));
        (path, file)
    };
    Ok(paths.into_iter().map(place).collect())
}

/// Changes the files. The record comes last: before that, the project is of the old version.
///
/// # Errors
///
/// A file cannot be written.
pub fn write(
    project: &Project,
    changes: &[Change],
    contents: &BTreeMap<String, PathBuf>,
) -> anyhow::Result<()> {
    let is_record = |change: &&Change| change.path == record::FILE;
    let (last, first): (Vec<&Change>, Vec<&Change>) = changes.iter().partition(is_record);
    for change in first.into_iter().chain(last) {
        let target = project.folder.join(&change.path);
        let done = match contents.get(&change.path) {
            Some(content) => put(&target, content, change.executable),
            None => remove(&project.folder, &target),
        };
        done.with_context(|| {
            format!(
                "{} cannot be written. Undo the update with git restore and git clean in {}",
                target.display(),
                project.shown
            )
        })?;
    }
    Ok(())
}

/// Writes a file in one step.
fn put(target: &Path, content: &Path, executable: bool) -> anyhow::Result<()> {
    let folder = target.parent().context("there is no folder")?;
    fs::create_dir_all(folder)?;
    let mut new = tempfile::Builder::new()
        .prefix(".template-")
        .tempfile_in(folder)?;
    std::io::copy(&mut fs::File::open(content)?, &mut new)?;
    set_mode(new.path(), executable)?;
    new.persist(target)?;
    Ok(())
}

#[cfg(unix)]
fn set_mode(path: &Path, executable: bool) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = if executable { 0o755 } else { 0o644 };
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn set_mode(_: &Path, _: bool) -> std::io::Result<()> {
    Ok(())
}

/// Removes a file, and the folders that are empty then.
fn remove(folder: &Path, target: &Path) -> anyhow::Result<()> {
    fs::remove_file(target)?;
    for parent in target.ancestors().skip(1).take_while(|it| *it != folder) {
        if fs::remove_dir(parent).is_err() {
            break;
        }
    }
    Ok(())
}
