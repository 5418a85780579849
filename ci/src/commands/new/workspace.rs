//! A Cargo workspace around the new project, which Cargo must still accept afterwards.

use std::fs;
use std::path::Path;

use anyhow::bail;

/// Refuses a folder that a pattern of a workspace around it makes a member.
///
/// The new project is a workspace of its own, and Cargo refuses a workspace among the members of another. The project is
/// not added to the members, but a pattern such as `crates/*` can include it.
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
