//! git, as a program.
//!
//! Two ways of use: [`reading`] the repository of the user with the user's settings, but without hooks, locks and
//! questions; and a [`Store`] of its own for trees and merges, where no setting of the user applies.

use std::{
    env,
    ffi::OsStr,
    fs,
    io::{IsTerminal, Write},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use anyhow::{Context, bail};
use tempfile::TempDir;

/// The file that has no content.
const NOTHING: &str = if cfg!(windows) { "NUL" } else { "/dev/null" };

/// A command that reads the repository of a folder. It writes neither references nor the index, and runs no hook.
pub fn reading(folder: &Path) -> Command {
    let mut command = plain();
    command
        .current_dir(folder)
        .env("GIT_OPTIONAL_LOCKS", "0")
        .args(["-c", "core.fsmonitor=false", "-c"])
        .arg(format!("core.hooksPath={NOTHING}"));
    command
}

/// git without the variables of the user's environment that change what it does.
fn plain() -> Command {
    let mut command = Command::new("git");
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("GIT_") {
            command.env_remove(name);
        }
    }
    command
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("LC_ALL", "C")
        .stdin(Stdio::null());
    command
}

/// Runs a command. Returns what it printed, with its exit status.
pub fn output(command: &mut Command, input: Option<&[u8]>) -> anyhow::Result<Output> {
    let missing = "git cannot be started: install it, and put it on the PATH";
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let Some(input) = input else {
        return command.output().context(missing);
    };
    let mut child = command.stdin(Stdio::piped()).spawn().context(missing)?;
    let stdin = child.stdin.take();
    std::thread::scope(|scope| {
        // A program that ends early does not read all of it; its exit status tells.
        scope.spawn(|| stdin.map(|mut stdin| stdin.write_all(input)));
        child.wait_with_output()
    })
    .context("git cannot be waited for")
}

/// Runs a command that must succeed. Returns what it printed.
pub fn run(command: &mut Command, input: Option<&[u8]>) -> anyhow::Result<Vec<u8>> {
    let output = output(command, input)?;
    if !output.status.success() {
        let arguments: Vec<_> = command.get_args().map(OsStr::to_string_lossy).collect();
        bail!(
            "git {} failed ({}): {}",
            arguments.join(" "),
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(output.stdout)
}

/// The same for a command that prints one line.
pub fn line(command: &mut Command) -> anyhow::Result<String> {
    let bytes = run(command, None)?;
    Ok(String::from_utf8_lossy(&bytes).trim_end().to_owned())
}

/// The parts of a text that ends each with a NUL.
pub fn parts(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let text = text.strip_suffix('\0').unwrap_or(&text);
    if text.is_empty() {
        return Vec::new();
    }
    text.split('\0').map(str::to_owned).collect()
}

/// The option with which `git diff` colors its output, as git does for a terminal.
pub fn color() -> &'static str {
    if std::io::stdout().is_terminal() {
        "--color"
    } else {
        "--no-color"
    }
}

/// Whether a repository has a commit or a tree.
pub fn has(repository: &Path, name: &str) -> anyhow::Result<bool> {
    let name = format!("{name}^{{tree}}");
    let said = output(reading(repository).args(["cat-file", "-e", &name]), None)?;
    Ok(said.status.success())
}

/// Writes files of a commit or a tree into a folder: all, or those at some paths.
pub fn check_out(repository: &Path, name: &str, paths: &[&str], to: &Path) -> anyhow::Result<()> {
    let folder = crate::scratch_folder().context("no temporary folder can be made")?;
    let index = folder.path().join("index");
    let root = line(reading(repository).args(["rev-parse", "--show-toplevel"]))?;
    let git = || {
        let mut git = reading(Path::new(&root));
        git.env("GIT_INDEX_FILE", &index);
        git
    };
    run(git().args(["read-tree", name]), None)?;
    let files = run(git().args(["ls-files", "-z", "--"]).args(paths), None)?;
    let mut checkout = git();
    checkout
        .args(["checkout-index", "--quiet", "--force", "-z", "--stdin"])
        .arg(format!("--prefix={}/", to.display()));
    run(&mut checkout, Some(&files))?;
    Ok(())
}

/// A file in a tree: its mode and its object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// The mode, such as 100644.
    pub mode: String,
    /// The name of the object.
    pub id: String,
}

/// A repository for temporary objects, which also has the objects of the user's repository.
pub struct Store {
    folder: TempDir,
}

impl Store {
    /// Makes the repository.
    pub fn new(user: &Path) -> anyhow::Result<Self> {
        let folder = crate::scratch_folder().context("no temporary folder can be made")?;
        let format = line(reading(user).args(["rev-parse", "--show-object-format"]))?;
        let objects = line(reading(user).args(["rev-parse", "--git-path", "objects"]))?;
        let store = Self { folder };
        let mut init = store.isolated();
        init.args(["init", "--quiet", "--bare", "--template="])
            .arg(format!("--object-format={format}"))
            .arg(store.path());
        run(&mut init, None)?;
        let objects = fs::canonicalize(user.join(objects))?;
        let info = store.path().join("objects/info");
        fs::create_dir_all(&info)?;
        // A path that begins with a quotation mark is in the syntax of C.
        let path = objects.to_string_lossy().replace('\\', "/");
        fs::write(info.join("alternates"), format!("{path}\n"))?;
        Ok(store)
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("store.git")
    }

    /// git without any setting of the user or the machine.
    fn isolated(&self) -> Command {
        let mut command = plain();
        command
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", NOTHING)
            .env("GIT_ATTR_NOSYSTEM", "1")
            .env("HOME", self.folder.path())
            .env("XDG_CONFIG_HOME", self.folder.path())
            .current_dir(self.folder.path());
        for role in ["AUTHOR", "COMMITTER"] {
            command
                .env(format!("GIT_{role}_NAME"), "template")
                .env(format!("GIT_{role}_EMAIL"), "template@localhost")
                .env(format!("GIT_{role}_DATE"), "2000-01-01T00:00:00Z");
        }
        command
    }

    /// A command in this repository.
    pub fn git(&self) -> Command {
        let mut command = self.isolated();
        command.env("GIT_DIR", self.path());
        command
    }

    /// The tree of all files below `folder`, whose part `prefix` is returned. The attributes of its files apply.
    pub fn tree(&self, folder: &Path, prefix: &str, crlf: &str) -> anyhow::Result<String> {
        let index = self.index();
        let mut add = self.git();
        add.env("GIT_WORK_TREE", folder)
            .env("GIT_INDEX_FILE", &index)
            .current_dir(folder)
            .args([
                "-c",
                &format!("core.autocrlf={crlf}"),
                "-c",
                "core.safecrlf=false",
            ])
            .args(["add", "--all", "--force", "."]);
        run(&mut add, None)?;
        let mut write = self.git();
        write.env("GIT_INDEX_FILE", &index).arg("write-tree");
        if !prefix.is_empty() {
            write.arg(format!("--prefix={prefix}/"));
        }
        line(&mut write)
    }

    /// The tree without files.
    pub fn empty(&self) -> anyhow::Result<String> {
        let id = run(self.git().arg("mktree"), Some(b""))?;
        Ok(String::from_utf8_lossy(&id).trim_end().to_owned())
    }

    /// A name for an index that does not exist yet.
    pub fn index(&self) -> PathBuf {
        let number = fs::read_dir(self.folder.path()).map_or(0, Iterator::count);
        self.folder.path().join(format!("index-{number}"))
    }

    /// The files of a tree, by their paths.
    pub fn files(&self, tree: &str) -> anyhow::Result<Vec<(String, Blob)>> {
        let listed = run(self.git().args(["ls-tree", "-r", "-z", tree]), None)?;
        let entries = parts(&listed).into_iter().filter_map(|line| {
            let (about, path) = line.split_once('\t')?;
            let mut about = about.split(' ');
            let (mode, _, id) = (about.next()?, about.next()?, about.next()?);
            let blob = Blob {
                mode: mode.to_owned(),
                id: id.to_owned(),
            };
            Some((path.to_owned(), blob))
        });
        Ok(entries.collect())
    }

    /// A tree with other files at some paths; `None` removes one.
    pub fn changed(&self, tree: &str, files: &[(String, Option<Blob>)]) -> anyhow::Result<String> {
        let index = self.index();
        let git = || {
            let mut git = self.git();
            git.env("GIT_INDEX_FILE", &index);
            git
        };
        run(git().args(["read-tree", tree]), None)?;
        let mut lines = Vec::new();
        for (path, blob) in files {
            let removed = Blob {
                mode: "0".to_owned(),
                id: "0".repeat(tree.len()),
            };
            let Blob { mode, id } = blob.as_ref().unwrap_or(&removed);
            lines.extend(format!("{mode} {id}\t{path}\0").into_bytes());
        }
        let mut update = git();
        update.args(["update-index", "-z", "--index-info"]);
        run(&mut update, Some(&lines))?;
        line(git().arg("write-tree"))
    }

    /// A commit of a tree, under a name that conflict markers show.
    pub fn commit(&self, tree: &str, parent: Option<&str>, name: &str) -> anyhow::Result<String> {
        let mut commit = self.git();
        commit.args(["commit-tree", "--no-gpg-sign", "-m", name, tree]);
        if let Some(parent) = parent {
            commit.args(["-p", parent]);
        }
        let id = line(&mut commit)?;
        run(
            self.git()
                .args(["update-ref", &format!("refs/heads/{name}"), &id]),
            None,
        )?;
        Ok(id)
    }

    /// Adds a file.
    pub fn blob(&self, content: &[u8]) -> anyhow::Result<String> {
        let id = run(
            self.git().args(["hash-object", "-w", "--stdin"]),
            Some(content),
        )?;
        Ok(String::from_utf8_lossy(&id).trim_end().to_owned())
    }

    /// The content of an object.
    pub fn content(&self, id: &str) -> anyhow::Result<Vec<u8>> {
        run(self.git().args(["cat-file", "blob", id]), None)
    }

    /// The environment in which git finds the objects of this store, for a command in the user's repository.
    pub fn lend(&self, command: &mut Command, user: &Path) -> anyhow::Result<()> {
        let objects = line(reading(user).args(["rev-parse", "--git-path", "objects"]))?;
        command
            .env("GIT_OBJECT_DIRECTORY", self.path().join("objects"))
            .env(
                "GIT_ALTERNATE_OBJECT_DIRECTORIES",
                fs::canonicalize(user.join(objects))?,
            );
        Ok(())
    }

    /// The folder for temporary files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}
