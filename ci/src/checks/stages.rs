//! Selects the stages that a command line names.

use anyhow::Context;

/// The stages with these names, or all stages if there are no names.
///
/// # Errors
///
/// A name is not that of a stage.
pub fn chosen<T>(
    all: &'static [T],
    name_of: fn(&T) -> &'static str,
    names: &[String],
) -> anyhow::Result<Vec<&'static T>> {
    if names.is_empty() {
        return Ok(all.iter().collect());
    }
    let find = |name: &String| {
        let stage = all.iter().find(|stage| name_of(stage) == name);
        stage.with_context(|| {
            let known: Vec<_> = all.iter().map(name_of).collect();
            format!(
                "`{name}` is not a stage; the stages are {}",
                known.join(", ")
            )
        })
    };
    names.iter().map(find).collect()
}
