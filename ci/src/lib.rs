//! `cargo xtask`: everything that is done with the template.
//!
//! | module | what is in it |
//! |---|---|
//! | [`commands`] | what a user of the template runs: emit, build, package, verify |
//! | [`checks`] | what a maintainer runs: the tests of the template |
//! | [`changes`] | the form of a small change to sources that are kept elsewhere |
//! | [`openwdk`] | headers, libraries and tools that build a driver without Windows |

pub mod changes;
pub mod checks;
pub mod commands;
mod interruption;
pub mod openwdk;

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::Context;
use tempfile::TempDir;

/// The folder of the repository: the one that holds `cargo-generate.toml`.
#[must_use]
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map_or_else(|| PathBuf::from(".."), Path::to_path_buf)
}

/// A folder for projects that are looked at and thrown away: in memory, where there is such a place. It goes when it is
/// dropped.
///
/// # Errors
///
/// Where it cannot be made.
pub fn scratch_folder() -> std::io::Result<TempDir> {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        TempDir::new_in(memory)
    } else {
        TempDir::new()
    }
}

/// A text for a terminal: what is not printed but obeyed there is escaped, but for the ends of lines and tabs.
#[must_use]
pub fn visible(text: &str) -> String {
    text.chars()
        .map(|character| {
            // After a letter, so that an accent that is a character of its own stays as it is.
            let escaped: String = ['a', character]
                .iter()
                .collect::<String>()
                .escape_debug()
                .skip(1)
                .collect();
            let kept = matches!(character, '\n' | '\t' | '\'' | '"' | '\\');
            if kept { character.to_string() } else { escaped }
        })
        .collect()
}

/// The `xtask` program, which starts itself again in other roles. Its integration tests are programs of
/// their own, beside which cargo has built it.
///
/// # Errors
///
/// Where it is not there.
pub fn program() -> anyhow::Result<PathBuf> {
    let current = env::current_exe().context("this program cannot find itself")?;
    // Linux says so where cargo has built it anew meanwhile.
    let current = current
        .to_str()
        .and_then(|path| path.strip_suffix(" (deleted)"))
        .map_or(current.clone(), PathBuf::from);
    let named = |path: &Path| path.file_stem().is_some_and(|stem| stem == "xtask");
    if named(&current) {
        return Ok(current);
    }
    let beside = current
        .ancestors()
        .nth(2)
        .map(|folder| {
            folder
                .join("xtask")
                .with_extension(env::consts::EXE_EXTENSION)
        })
        .filter(|path| path.is_file());
    beside.with_context(|| {
        format!(
            "xtask is not built beside {}: run cargo build in ci/",
            current.display()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::visible;

    #[test]
    fn what_a_terminal_obeys_is_escaped_and_the_rest_is_not() {
        let plain = "C:\\a \"b\" 'c'\n\td – e\u{308} 日本 {}";
        assert_eq!(visible(plain), plain);
        assert_eq!(
            visible("\u{1b}[31m\r\0\u{202e}\u{200b}\u{7f}\u{9b}"),
            "\\u{1b}[31m\\r\\0\\u{202e}\\u{200b}\\u{7f}\\u{9b}"
        );
    }
}
