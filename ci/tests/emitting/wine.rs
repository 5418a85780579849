//! Wine, in which tests run what is meant for Windows.

use std::{
    env, fs,
    io::{Read as _, Seek as _},
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
};

use tempfile::TempDir;

/// Wine, with a folder of its own that goes with it.
pub struct Wine {
    program: PathBuf,
    prefix: TempDir,
}

impl Wine {
    /// A fresh one; it takes some seconds.
    pub fn new() -> Self {
        let wine = Self {
            program: program(&["wine64", "wine"]),
            prefix: TempDir::new().unwrap(),
        };
        wine.run(&["wineboot", "--init"]);
        // A new prefix is settled when its first server has ended: before that, what is uninstalled stays.
        wine.command(&program(&["wineserver64", "wineserver"]))
            .arg("--wait")
            .status()
            .unwrap();
        wine
    }

    /// Which Wine it is.
    pub fn version() -> String {
        let output = Command::new(program(&["wine64", "wine"]))
            .arg("--version")
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// What starts programs there.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Runs a program there and returns what it said.
    pub fn run(&self, arguments: &[&str]) -> String {
        let mut command = self.command(&self.program);
        Self::written(command.args(arguments)).1
    }

    /// Runs a [`Wine::command`] and returns how it ended, and what it said on both its outputs.
    pub fn said(command: &mut Command) -> (ExitStatus, String) {
        let errors = tempfile::tempfile().unwrap();
        command.stderr(errors.try_clone().unwrap());
        let (status, said) = Self::written(command);
        (status, [said, text(errors)].concat())
    }

    /// Into a file: Wine's own services, which stay for a while, would hold a pipe open.
    fn written(command: &mut Command) -> (ExitStatus, String) {
        let said = tempfile::tempfile().unwrap();
        let status = command.stdout(said.try_clone().unwrap()).status().unwrap();
        (status, text(said))
    }

    /// A program of Wine's, for this prefix.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        #[cfg(unix)]
        fix_addresses(&mut command);
        command
            .env("WINEPREFIX", self.prefix.path())
            .env("WINEARCH", "win64")
            .env("WINEDEBUG", "-all")
            .env("WINEDLLOVERRIDES", "mscoree,mshtml=")
            .env_remove("DISPLAY")
            .stdin(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    /// A path as Windows programs see it there.
    pub fn path(path: &Path) -> String {
        format!("Z:{}", path.display()).replace('/', r"\")
    }
}

/// Gives a program's heap no random address, where a container does not forbid that.
///
/// Wine maps the data that a process shares with the kernel at `0x7ffe0000`, and fails where the heap is there already: at
/// random, about one start in a thousand.
#[cfg(unix)]
fn fix_addresses(command: &mut Command) {
    use nix::sys::personality::{self, Persona};
    use std::os::unix::process::CommandExt as _;

    let fix = || {
        let _forbidden = personality::set(Persona::ADDR_NO_RANDOMIZE);
        Ok(())
    };
    // SAFETY: between fork and exec, `fix` makes one system call, and neither allocates nor locks.
    unsafe { command.pre_exec(fix) };
}

/// What was written to a file.
fn text(mut file: fs::File) -> String {
    let mut bytes = Vec::new();
    file.rewind().unwrap();
    file.read_to_end(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes).replace('\r', "")
}

/// One of Wine's programs, by one of its names.
fn program(names: &[&str]) -> PathBuf {
    let folders = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&folders)
        .chain([PathBuf::from("/usr/lib/wine")])
        .flat_map(|folder| {
            names
                .iter()
                .map(move |name| folder.join(name))
                .collect::<Vec<_>>()
        })
        .find(|path| path.is_file())
        .expect("Wine is not installed: run cargo xtask setup")
}

impl Drop for Wine {
    /// Ends Wine's own services, which would write to the folder while it is removed.
    fn drop(&mut self) {
        self.run(&["wineboot", "--kill"]);
    }
}
