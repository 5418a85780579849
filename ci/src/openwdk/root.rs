//! Makes the folder that replaces Microsoft's WDK: headers and libraries, in the layout that wdk-build expects.
//!
//! | folder | source |
//! |---|---|
//! | `Include/…/km/crt` | `ci/openwdk/include`: our own headers; they are searched first, and include those below |
//! | `Include/…/km` | mingw-w64's ddk headers, with the edits of `ci/openwdk/edits.toml` |
//! | `Include/…/shared` | mingw-w64's other headers |
//! | `Lib/…/km/x64`, `Lib/…/km/ARM64` | import libraries, from the names in mingw-w64's libraries and in `ci/openwdk/lib`; static libraries, from the C sources there |
//!
//! The folder is in ci/target. Its name is a digest of its inputs, so that a changed input makes a new folder.

use std::{
    collections::{BTreeMap, hash_map::DefaultHasher},
    fs::{self, File},
    hash::{Hash, Hasher},
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, bail};
use object::read::archive::ArchiveFile;
use serde::Deserialize;

use crate::changes::Edit;

use super::{
    target::{Profile, TARGET, TARGET_ARM64},
    toolchain::{Llvm, Mingw},
};

/// The version in the names of folders: that of the WDK in the documentation of wdk-build 0.6.
const VERSION: &str = "10.0.26100.0";

/// Increased when this module makes a different folder from the same inputs.
const RECIPE: u32 = 2;

/// Headers that are made empty. Those for SIMD have types that bindgen cannot express.
const EMPTY: [&str; 9] = [
    "dontuse.h",
    "emmintrin.h",
    "immintrin.h",
    "mm_malloc.h",
    "pmmintrin.h",
    "suppress.h",
    "tmmintrin.h",
    "x86intrin.h",
    "xmmintrin.h",
];

/// Headers that sources name in another case. File names on Windows are not case-sensitive.
const ALIASES: [(&str, &str); 6] = [
    ("DriverSpecs.h", "driverspecs.h"),
    ("FltKernel.h", "fltKernel.h"),
    ("Ntifs.h", "ntifs.h"),
    ("Ntstrsafe.h", "ntstrsafe.h"),
    ("fltkernel.h", "fltKernel.h"),
    ("fltuserstructures.h", "fltUserStructures.h"),
];

/// The libraries that wdk-build links, and that of the Filter Manager: the name, and the image that it imports from.
const LIBRARIES: [(&str, &str); 4] = [
    ("ntoskrnl", "ntoskrnl.exe"),
    ("hal", "HAL.dll"),
    ("wmilib", "WMILIB.SYS"),
    ("fltMgr", "FLTMGR.SYS"),
];

/// The corrections of mingw-w64's headers.
#[derive(Deserialize)]
struct Edits {
    edit: Vec<Edit>,
}

/// The folder of the open WDK's own files.
pub(super) fn data() -> PathBuf {
    crate::repository().join("ci/openwdk")
}

/// The folder of what is made from them, which `cargo clean` removes.
pub(super) fn cache() -> PathBuf {
    crate::repository().join("ci/target/openwdk")
}

/// Makes the folder, unless it exists, and returns its path.
///
/// # Errors
///
/// A file cannot be read or written, or a tool fails.
pub fn make(cache: &Path, llvm: &Llvm, mingw: &Mingw) -> anyhow::Result<PathBuf> {
    let root = cache.join(key(llvm, mingw)?);
    if root.is_dir() {
        return Ok(root);
    }
    fs::create_dir_all(cache).with_context(|| format!("cannot create {}", cache.display()))?;
    let lock = File::create(cache.join("lock"))?;
    lock.lock()?;
    if root.is_dir() {
        // Another process made it meanwhile.
        return Ok(root);
    }
    remove_others(cache);
    // Made under another name and then renamed, so that an interruption leaves no incomplete folder.
    let draft = tempfile::Builder::new()
        .prefix("draft-")
        .tempdir_in(cache)?;
    headers(draft.path(), mingw)?;
    libraries(draft.path(), llvm, mingw)?;
    fs::rename(draft.path(), &root).with_context(|| format!("cannot create {}", root.display()))?;
    let _ = draft.keep();
    Ok(root)
}

/// Removes the folders that were made from other inputs, with the wdk crates that were compiled there, unless a build
/// is using them. Errors are ignored.
fn remove_others(cache: &Path) {
    for root in fs::read_dir(cache).into_iter().flatten().flatten() {
        let shared = fs::read_dir(root.path().join("drivers"))
            .into_iter()
            .flatten()
            .flatten();
        let in_use = shared
            .flat_map(|shared| {
                [Profile::Dev, Profile::Release]
                    .map(|profile| File::open(shared.path().join(profile.lock())))
            })
            .flatten()
            .any(|lock| lock.try_lock().is_err());
        if !in_use {
            let _ = fs::remove_dir_all(root.path());
        }
    }
}

/// The folders of the headers, in the order in which they are searched.
#[must_use]
pub fn include_directories(root: &Path) -> [PathBuf; 3] {
    let include = root.join("Include").join(VERSION);
    ["km/crt", "km", "shared"].map(|part| include.join(part))
}

/// The folder of the libraries for x64.
#[must_use]
pub fn library_directory(root: &Path) -> PathBuf {
    root.join("Lib").join(VERSION).join("km/x64")
}

/// The name of the folder: a digest of its inputs.
fn key(llvm: &Llvm, mingw: &Mingw) -> anyhow::Result<String> {
    let mut hasher = DefaultHasher::new();
    (RECIPE, &llvm.bin, &mingw.include).hash(&mut hasher);
    for file in files_below(&data())? {
        (&file, fs::read(&file)?).hash(&mut hasher);
    }
    // An upgraded package has other sizes or dates. Reading its contents each time would take too long.
    let packaged = ["ddk/wdm.h", "ddk/ntifs.h", "ddk/ntddk.h", "_mingw.h"]
        .map(|header| mingw.include.join(header))
        .into_iter()
        .chain(LIBRARIES.map(|(library, _)| mingw_library(mingw, library)))
        .chain([llvm.program("llvm-dlltool")]);
    for file in packaged {
        if let Ok(metadata) = fs::metadata(&file) {
            (&file, metadata.len(), metadata.modified()?).hash(&mut hasher);
        }
    }
    Ok(format!("{:016x}", hasher.finish()))
}

fn files_below(directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let entries =
        fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(files_below(&path)?);
        } else if path.extension().is_none_or(|extension| extension != "md") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn headers(root: &Path, mingw: &Mingw) -> anyhow::Result<()> {
    let [ours, km, shared] = include_directories(root);
    fs::create_dir_all(&ours)?;
    for file in files_below(&data().join("include"))? {
        let name = file.file_name().context("the file has no name")?;
        fs::copy(&file, ours.join(name))?;
    }
    for name in EMPTY {
        fs::write(ours.join(name), "")?;
    }
    for (alias, name) in ALIASES {
        fs::write(ours.join(alias), format!("#include <{name}>\n"))?;
    }

    for file in files_below(&mingw.include.join("ddk"))? {
        let name = file.file_name().context("the file has no name")?;
        link(&file, &km.join(name))?;
    }
    link(&mingw.include, &shared)?;

    let edits = fs::read_to_string(data().join("edits.toml"))?;
    let edits: Edits =
        toml::from_str(&edits).context("ci/openwdk/edits.toml is not a valid edits file")?;
    let mut edited = BTreeMap::new();
    for Edit {
        file,
        find,
        replace,
    } in edits.edit
    {
        let text = match edited.remove(&file) {
            Some(text) => text,
            None => fs::read_to_string(mingw.include.join("ddk").join(&file))?,
        };
        // Nothing is replaced if a newer mingw-w64 has corrected the header. The tests check the layout.
        edited.insert(file, text.replace(&find, &replace));
    }
    for (file, text) in edited {
        fs::remove_file(km.join(&file))?;
        fs::write(km.join(&file), text)?;
    }
    Ok(())
}

#[cfg(unix)]
fn link(original: &Path, place: &Path) -> anyhow::Result<()> {
    std::os::unix::fs::symlink(original, place)
        .with_context(|| format!("cannot create {}", place.display()))
}

#[cfg(not(unix))]
fn link(_: &Path, _: &Path) -> anyhow::Result<()> {
    bail!("the open WDK is made on Linux only: on Windows, use Microsoft's WDK")
}

fn libraries(root: &Path, llvm: &Llvm, mingw: &Mingw) -> anyhow::Result<()> {
    let x64 = library_directory(root);
    let arm64 = x64.with_file_name("ARM64");
    for (directory, machine, target) in [
        (&x64, "i386:x86-64", TARGET),
        (&arm64, "arm64", TARGET_ARM64),
    ] {
        fs::create_dir_all(directory)?;
        for (library, image) in LIBRARIES {
            let mut exports = exports_known_to_mingw(&mingw_library(mingw, library))?;
            exports.extend(exports_listed(
                &data().join("lib").join(format!("{library}.txt")),
            )?);
            import_library(directory, library, image, &exports, llvm, machine)?;
        }
        // Linker command lines use both spellings.
        link(&directory.join("fltMgr.lib"), &directory.join("fltmgr.lib"))?;
        empty_library(&directory.join("BufferOverflowFastFailK.lib"), llvm, target)?;
    }
    // wdk-build links it for ARM64.
    empty_library(&arm64.join("arm64rt.lib"), llvm, TARGET_ARM64)?;
    static_library(root, &x64.join("wdmsec.lib"), llvm, &[])?;
    static_library(root, &arm64.join("wdmsec.lib"), llvm, &FOR_ARM64)
}

fn mingw_library(mingw: &Mingw, library: &str) -> PathBuf {
    mingw.lib.join(format!("lib{library}.a"))
}

/// Exports by their names: functions and variables.
type Exports = BTreeMap<String, Kind>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Function,
    Variable,
}

/// The exports in an import library of mingw-w64: each has a symbol `__imp_X`, and a function also has a symbol `X`.
fn exports_known_to_mingw(library: &Path) -> anyhow::Result<Exports> {
    if !library.is_file() {
        return Ok(Exports::new());
    }
    let bytes = fs::read(library)?;
    let archive = ArchiveFile::parse(&*bytes)
        .with_context(|| format!("cannot read {}", library.display()))?;
    let mut names = std::collections::BTreeSet::new();
    for symbol in archive.symbols()?.into_iter().flatten() {
        names.insert(String::from_utf8_lossy(symbol?.name()).into_owned());
    }
    Ok(names
        .iter()
        .filter_map(|name| name.strip_prefix("__imp_"))
        .map(|name| {
            let kind = if names.contains(name) {
                Kind::Function
            } else {
                Kind::Variable
            };
            (name.to_owned(), kind)
        })
        .collect())
}

/// The exports in a list: a name on each line, ` DATA` after the name of a variable, `#` before a comment.
fn exports_listed(list: &Path) -> anyhow::Result<Exports> {
    if !list.is_file() {
        return Ok(Exports::new());
    }
    let text = fs::read_to_string(list)?;
    Ok(text
        .lines()
        .filter_map(|line| line.split('#').next())
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let name = words.next()?.to_owned();
            let kind = if words.next() == Some("DATA") {
                Kind::Variable
            } else {
                Kind::Function
            };
            Some((name, kind))
        })
        .collect())
}

fn import_library(
    directory: &Path,
    library: &str,
    image: &str,
    exports: &Exports,
    llvm: &Llvm,
    machine: &str,
) -> anyhow::Result<()> {
    let definition = directory.join(format!("{library}.def"));
    let mut file = File::create(&definition)?;
    writeln!(file, "LIBRARY {image}\nEXPORTS")?;
    for (name, kind) in exports {
        let data = if *kind == Kind::Variable { " DATA" } else { "" };
        writeln!(file, "{name}{data}")?;
    }
    drop(file);
    run(Command::new(llvm.program("llvm-dlltool"))
        .args(["-m", machine, "-d"])
        .arg(&definition)
        .arg("-l")
        .arg(directory.join(format!("{library}.lib"))))
}

/// Makes an empty library, such as the one that checks stack cookies, which code that is built here does not have.
fn empty_library(library: &Path, llvm: &Llvm, target: &str) -> anyhow::Result<()> {
    let object = library.with_extension("obj");
    let source = library.with_extension("c");
    fs::write(&source, "typedef int this_file_is_empty;\n")?;
    run(Command::new(llvm.program("clang"))
        .args([&format!("--target={target}"), "-c", "-o"])
        .arg(&object)
        .arg(&source))?;
    archive(&object, library, llvm)
}

/// The arguments that change a compilation for x64 into one for ARM64.
const FOR_ARM64: [&str; 5] = [
    "--target=aarch64-pc-windows-msvc",
    "-U_AMD64_",
    "-UAMD64",
    "-D_ARM64_",
    "-DARM64",
];

/// Makes a static library, whose code is linked into the driver, from our source of the same name.
fn static_library(
    root: &Path,
    library: &Path,
    llvm: &Llvm,
    arguments: &[&str],
) -> anyhow::Result<()> {
    let object = library.with_extension("obj");
    let source = library.with_extension("c");
    let source = source.file_name().context("the library has no name")?;
    run(llvm
        .clang(&include_directories(root))
        .args(arguments)
        .args(["-O1", "-c", "-o"])
        .arg(&object)
        .arg(data().join("lib").join(source)))?;
    archive(&object, library, llvm)
}

fn archive(object: &Path, library: &Path, llvm: &Llvm) -> anyhow::Result<()> {
    let mut out = std::ffi::OsString::from("/out:");
    out.push(library);
    run(Command::new(llvm.program("llvm-lib")).arg(out).arg(object))
}

/// Runs a tool, and shows its output only if it fails.
pub(super) fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command
        .output()
        .with_context(|| format!("cannot start {}", command.get_program().display()))?;
    if output.status.success() {
        return Ok(());
    }
    bail!(
        "{} failed:\n{}{}",
        command.get_program().display(),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unused_folders_are_removed() {
        let cache = tempfile::tempdir().unwrap();
        let shared = |root: &str| {
            let directory = cache.path().join(root).join("drivers/0");
            fs::create_dir_all(&directory).unwrap();
            File::create(directory.join(Profile::Release.lock())).unwrap()
        };
        let at_work = shared("at-work");
        at_work.lock().unwrap();
        shared("left-behind");
        fs::create_dir(cache.path().join("draft-interrupted")).unwrap();
        File::create(cache.path().join("lock")).unwrap();
        remove_others(cache.path());
        let mut left: Vec<_> = fs::read_dir(cache.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        left.sort();
        assert_eq!(left, ["at-work", "lock"]);
    }

    #[test]
    fn a_list_of_names_has_comments_and_variables() {
        let list = tempfile::NamedTempFile::new().unwrap();
        fs::write(
            &list,
            "# all\nExAllocatePool2 # a function\n\nIoFileObjectType DATA\n",
        )
        .unwrap();
        let exports = exports_listed(list.path()).unwrap();
        assert_eq!(exports.len(), 2);
        assert!(exports["ExAllocatePool2"] == Kind::Function);
        assert!(exports["IoFileObjectType"] == Kind::Variable);
    }
}
