//! Shared by the tests: the two programs that emit a project, and access to the emitted files.

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

/// Every printable ASCII character, with the blank neither first nor last.
pub const PRINTABLE: &str = "!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_ `abcdefghijklmnopqrstuvwxyz{|}~";

/// A name with characters that are special in one of the emitted files.
pub const HOSTILE: &str = "A \"B\" & 100% Co; [x] {y}";

/// Names that Markdown, TOML, INF or Liquid could misinterpret.
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

/// Prints that a test skipped cases, and why. The line is shown even if the output of passing tests is captured.
pub fn skipped(cases: usize, why: &str) {
    let _ = writeln!(std::io::stderr(), "skipped {cases} cases: {why}");
}

/// Whether this clone has the commit of a released version. A clone with one commit has not; then, says that a test is
/// skipped.
pub fn has_version(version: &str) -> bool {
    let has = xtask::commands::new::template::Template::of(&version.parse().unwrap()).is_ok();
    if !has {
        skipped(
            1,
            &format!("this clone does not have the commit of version {version}"),
        );
    }
    has
}

/// A folder that is deleted when the test ends. It is in memory where the system has such a folder.
pub fn folder() -> TempDir {
    xtask::scratch_folder().unwrap()
}

/// An empty folder that all tests of a program share. Rust does not drop what lives as long as the program, so the
/// folder stays, and the next run empties it.
pub fn shared_folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Runs `cargo xtask new` without a terminal and without the environment variable USER.
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

/// Runs the released `cargo generate` on this repository, with `--silent`.
pub fn cargo_generate(name: &str, arguments: &[&str], destination: &Path) -> Output {
    let source = xtask::commands::new::staged().unwrap();
    let from = ["--path", source.path().to_str().unwrap()];
    cargo_generate_from(from, name, arguments, destination)
}

/// Runs the released `cargo generate` on another source: `from` is `--path P` or `--git U`.
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

/// The output of a program on both streams, without colours.
pub fn said(output: &Output) -> String {
    let both = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    console::strip_ansi_codes(&String::from_utf8(both).unwrap()).into_owned()
}

/// The files below a folder, by their paths with `/`, without a folder `.git`.
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

/// Asserts that two trees are equal, and reports the first line that differs.
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

/// Emits a project through the library, for tests of its files.
pub fn emit(answers: &[(&str, &str)]) -> (TempDir, PathBuf) {
    let destination = folder();
    let project = xtask::commands::new::emit("my-filter", answers, destination.path()).unwrap();
    (destination, project)
}

/// Renders a project without emitting it, for tests that need only the text of many projects. The matrix tests that the
/// rendered files are the same as the emitted ones.
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
