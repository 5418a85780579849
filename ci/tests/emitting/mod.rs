//! What the tests of the template's answers share: the two programs that emit a project, and what they emitted.

#![allow(dead_code, reason = "each test program uses a part of it")]

pub mod windows;
pub mod wine;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;
use xtask::checks::render::Renderer;

/// Every printable ASCII character, the blank not at an end.
pub const PRINTABLE: &str = "!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_ `abcdefghijklmnopqrstuvwxyz{|}~";

/// A name with everything that some file takes for its own.
pub const HOSTILE: &str = "A \"B\" & 100% Co; [x] {y}";

/// Names of what Markdown, TOML, INF or Liquid could take for something else.
pub const HOSTILE_TEXTS: [&str; 12] = [
    PRINTABLE,
    HOSTILE,
    "{{ crate_name }} {% if x %} {{",
    "%SystemRoot% %13% 100%%",
    "\"quoted\"",
    "ends in a backslash\\",
    "# no heading",
    "1. no list",
    "- no list",
    "<b>no tag</b> &amp; https://example.com @user",
    "**bold** _it_ ~~gone~~ `code` $x$ ![a](b) | c",
    "true",
];

/// Says that a test left cases out, and why, also where nothing is said of tests that pass.
pub fn skipped(cases: usize, why: &str) {
    let _ = writeln!(std::io::stderr(), "skipped {cases} cases: {why}");
}

/// A folder that goes when the test ends; in memory where there is such a place.
pub fn folder() -> TempDir {
    xtask::scratch_folder().unwrap()
}

/// An empty folder for what all tests of a program share: nothing is dropped that lives as long as the program, so
/// it stays, and the next run empties it.
pub fn shared_folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// `cargo xtask new`, away from any terminal and without a user's name.
pub fn xtask_new(arguments: &[&str], destination: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xtask"))
        .arg("new")
        .args(arguments)
        .arg("--destination")
        .arg(destination)
        .env_remove("USER")
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap()
}

/// The released `cargo generate` on this repository, with `--silent`.
pub fn cargo_generate(name: &str, arguments: &[&str], destination: &Path) -> Output {
    let source = xtask::commands::new::staged().unwrap();
    let from = ["--path", source.path().to_str().unwrap()];
    cargo_generate_from(from, name, arguments, destination)
}

/// The same on another place: `from` is `--path P` or `--git U`.
pub fn cargo_generate_from(
    from: [&str; 2],
    name: &str,
    arguments: &[&str],
    destination: &Path,
) -> Output {
    xtask::checks::tools::cargo_generate(from, name, destination)
        .unwrap()
        .args(arguments)
        .output()
        .unwrap()
}

/// What a program said, without colours.
pub fn said(output: &Output) -> String {
    let both = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    console::strip_ansi_codes(&String::from_utf8(both).unwrap()).into_owned()
}

/// The files below a folder, by their path with `/`; a git repository in it is left out.
pub fn tree(folder: &Path) -> Tree {
    fn walk(root: &Path, folder: &Path, files: &mut Tree) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let name = path
                    .strip_prefix(root)
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .replace('\\', "/");
                files.insert(name, fs::read(&path).unwrap());
            } else if path != root.join(".git") {
                walk(root, &path, files);
            }
        }
    }
    let mut files = BTreeMap::new();
    walk(folder, folder, &mut files);
    files
}

/// Files by their path.
pub type Tree = BTreeMap<String, Vec<u8>>;

/// Says which file and line differs, where one does.
pub fn assert_same(expected: &Tree, actual: &Tree, way: &str) {
    let names = |tree: &Tree| tree.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(expected), names(actual), "{way}");
    for (name, bytes) in expected {
        let (expected, actual) = (
            String::from_utf8_lossy(bytes),
            String::from_utf8_lossy(&actual[name]),
        );
        let differing = expected
            .lines()
            .zip(actual.lines())
            .enumerate()
            .find(|(_, (one, other))| one != other);
        assert_eq!(differing, None, "{way}: {name}");
        assert!(
            expected == actual,
            "{way}: the ends of lines or of the file differ in {name}"
        );
    }
}

/// The names in a folder.
pub fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Emits a project by the library, for tests of what is in it.
pub fn emit(answers: &[(&str, &str)]) -> (TempDir, PathBuf) {
    let destination = folder();
    let project = xtask::commands::new::emit("my-filter", answers, destination.path()).unwrap();
    (destination, project)
}

/// What would be emitted, without emitting it: for tests of many projects, of which only the text counts. That it is the
/// same is what the matrix tries.
pub fn rendered(answers: &[(&str, &str)]) -> Tree {
    thread_local! {
        static RENDERER: Renderer = Renderer::new(Path::new("/nowhere")).unwrap();
    }
    let project = RENDERER
        .with(|renderer| renderer.render("my-filter", answers))
        .unwrap_or_else(|failure| panic!("{answers:?}: {failure}"));
    project
        .files
        .into_iter()
        .map(|(name, bytes)| (name, bytes.to_vec()))
        .collect()
}

/// A file of a project, as text.
pub fn read(project: &Path, name: &str) -> String {
    fs::read_to_string(project.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}
