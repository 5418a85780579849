//! `cargo xtask`: everything that is done with the template, one module a verb.
//!
//! | question | module |
//! |---|---|
//! | how is a project emitted, and which answers are refused? | [`new`] |
//! | how is a driver built without Windows? | [`build`], [`openwdk`] |
//! | what must be installed for that? | [`setup`] |
//! | how is a `.sys` put through the bench, and how is the verdict shown? | [`verify`] |
//! | what does CI run? | [`test`] |
//! | which combinations of answers are tried, and what must they pass? | [`matrix`] |
//! | what do the template and its tools cost, beside a peer? | [`measure`] |
//! | does an INF keep the rules, and say what the answers call for? | [`inf`] |
//! | what would be emitted, judged strictly? | [`render`] |
//! | do nasty answers break anything? | [`hostile`] |
//! | which versions does a fresh project lock? | [`lock`] |

pub mod build;
pub mod hostile;
pub mod inf;
mod interruption;
pub mod lock;
pub mod matrix;
pub mod measure;
pub mod new;
pub mod openwdk;
pub mod options;
pub mod package;
pub mod render;
pub mod setup;
pub mod test;
pub mod tools;
pub mod verify;

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
