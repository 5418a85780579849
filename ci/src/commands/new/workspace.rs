//! Somebody's Cargo workspace around the new project, which must stay one that Cargo accepts.

use std::fs;
use std::path::Path;

use anyhow::bail;

/// Refuses a folder that a workspace around it takes as a member without being told.
///
/// The new project is a workspace of its own, and Cargo accepts none inside another's members. The project is
/// never added to a list of members; but a pattern such as `crates/*` covers it all the same.
pub fn refuse_membership(target: &Path) -> anyhow::Result<()> {
    for folder in target.ancestors().skip(1) {
        let manifest = folder.join("Cargo.toml");
        let Some(workspace) = workspace(&manifest) else {
            continue;
        };
        let list = |key: &str| {
            let items = workspace.get(key).and_then(toml::Value::as_array);
            items.into_iter().flatten().filter_map(toml::Value::as_str)
        };
        let Ok(inside) = target.strip_prefix(folder) else {
            continue;
        };
        if list("exclude").any(|excluded| inside.starts_with(excluded)) {
            return Ok(());
        }
        let covers = |pattern: &&str| {
            glob::Pattern::new(pattern).is_ok_and(|pattern| pattern.matches_path(inside))
        };
        if let Some(pattern) = list("members").find(covers) {
            bail!(
                "{} has the members {pattern}, which would take in the new project, a workspace of its own: add {} to its exclude list first, or emit the project elsewhere",
                manifest.display(),
                inside.display()
            );
        }
        return Ok(());
    }
    Ok(())
}

fn workspace(manifest: &Path) -> Option<toml::Table> {
    let text = fs::read_to_string(manifest).ok()?;
    let table: toml::Table = toml::from_str(&text).ok()?;
    table.get("workspace")?.as_table().cloned()
}
