//! `cargo xtask`: the commands of the template.
//!
//! | module | content |
//! |---|---|
//! | [`commands`] | the commands for users: emit, build, package, verify |
//! | [`checks`] | the commands for maintainers: the tests of the template |
//! | [`changes`] | small changes to sources, as data: file, text to find, replacement |
//! | [`openwdk`] | headers, libraries and tools that build a driver without Windows |

pub mod changes;
pub mod checks;
pub mod commands;
mod git;
mod interruption;
pub mod openwdk;

use std::{
    env, fs,
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

/// The folder for temporary files: that of `TMPDIR`, or else one in memory, if the system has one with enough room. On a
/// disk, creating and deleting the temporary files takes up to half of the time of emitting a project.
#[must_use]
pub fn temporary_place() -> PathBuf {
    let memory = Path::new("/dev/shm");
    if env::var_os("TMPDIR").is_none() && has_room(memory) {
        memory.to_owned()
    } else {
        env::temp_dir()
    }
}

/// Whether a folder has room for what the tests run at the same time, of which prefixes of Wine are the largest part. In a
/// container, `/dev/shm` often has 64 MiB.
#[cfg(unix)]
fn has_room(folder: &Path) -> bool {
    const BYTES: u64 = 6 << 30;
    nix::sys::statvfs::statvfs(folder)
        .is_ok_and(|it| it.blocks_available() * it.fragment_size() >= BYTES)
}

#[cfg(not(unix))]
fn has_room(_: &Path) -> bool {
    false
}

/// A temporary folder for emitted projects, in [`temporary_place`].
///
/// # Errors
///
/// It cannot be made.
pub fn scratch_folder() -> std::io::Result<TempDir> {
    TempDir::new_in(temporary_place())
}

/// Whether a folder is a build folder of cargo. Such a folder is not copied, listed or read.
#[must_use]
pub fn is_build_folder(path: &Path) -> bool {
    path.is_dir() && (path.ends_with("target") || path.join("CACHEDIR.TAG").is_file())
}

/// The relative paths of the files below a folder, in order, without those in `.git` and in build folders.
///
/// # Errors
///
/// A folder cannot be read.
pub fn files_below(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder);
        for entry in entries.with_context(|| format!("cannot read {}", folder.display()))? {
            let path = entry?.path();
            if !path.is_dir() {
                files.push(path.strip_prefix(root)?.to_owned());
            } else if !path.ends_with(".git") && !is_build_folder(&path) {
                folders.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

/// A text for a terminal, with control and invisible characters escaped, except line ends and tabs.
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

/// The path of the `xtask` program, which starts itself again in other roles. Its integration tests are other programs;
/// cargo builds the `xtask` program beside them.
///
/// # Errors
///
/// The program is missing.
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
