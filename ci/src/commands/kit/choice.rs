//! Which kit applies to a command.

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::ensure;

use super::model::FILE;
use crate::commands::options::named;

/// The variable with the folder of a kit.
const VARIABLE: &str = "TEMPLATE_KIT";

/// Which kit applies.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Choice {
    /// The folder of an organisation's kit [default: the variable `TEMPLATE_KIT`, or kit/ in the clone of the template]
    #[arg(long, value_name = "DIR")]
    kit: Option<PathBuf>,

    /// Use no kit
    #[arg(long, conflicts_with = "kit")]
    no_kit: bool,
}

impl Choice {
    /// Whether the command line names the kit: then it also applies to projects whose records name none.
    #[must_use]
    pub fn is_named(&self) -> bool {
        self.kit.is_some()
    }

    /// The folder of the kit, if one applies.
    ///
    /// # Errors
    ///
    /// A folder is named that has no kit.
    pub fn folder(&self) -> anyhow::Result<Option<PathBuf>> {
        if self.no_kit {
            return Ok(None);
        }
        if let Some(folder) = &self.kit {
            return found(folder, "--kit").map(Some);
        }
        if let Some(folder) = env::var_os(VARIABLE) {
            let folder = PathBuf::from(folder);
            if folder.as_os_str().is_empty() {
                return Ok(None);
            }
            return found(&folder, VARIABLE).map(Some);
        }
        let own = crate::repository().join("kit");
        Ok(own.join(FILE).is_file().then_some(own))
    }
}

/// A folder in which a kit must be. `by` is what names it.
///
/// # Errors
///
/// There is no `kit.toml`.
pub fn found(folder: &Path, by: &str) -> anyhow::Result<PathBuf> {
    ensure!(
        folder.join(FILE).is_file(),
        "{by} {} has no {FILE}: name the folder of a kit",
        named(&folder.display().to_string())
    );
    Ok(folder.to_owned())
}
