//! Wine, in which tests run programs for Windows.

use std::{
    env, fs,
    io::{Read as _, Seek as _},
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
};

use tempfile::TempDir;

/// Wine, with its own prefix folder, which is deleted on drop.
pub struct Wine {
    program: PathBuf,
    prefix: TempDir,
}

impl Wine {
    /// Creates a new prefix, which takes some seconds.
    pub fn new() -> Self {
        let wine = Self {
            program: program(&["wine64", "wine"]),
            prefix: TempDir::new().unwrap(),
        };
        wine.run(&["wineboot", "--init"]);
        // A new prefix is complete when its first server has ended. Before that, an uninstallation has no effect.
        wine.command(&program(&["wineserver64", "wineserver"]))
            .arg("--wait")
            .status()
            .unwrap();
        wine
    }

    /// The version of Wine.
    pub fn version() -> String {
        let output = Command::new(program(&["wine64", "wine"]))
            .arg("--version")
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// The program that starts Windows programs.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Runs a Windows program and returns its standard output.
    pub fn run(&self, arguments: &[&str]) -> String {
        let mut command = self.command(&self.program);
        Self::written(command.args(arguments)).1
    }

    /// Runs a [`Wine::command`] and returns its exit status and its output on both streams.
    pub fn said(command: &mut Command) -> (ExitStatus, String) {
        let errors = tempfile::tempfile().unwrap();
        command.stderr(errors.try_clone().unwrap());
        let (status, said) = Self::written(command);
        (status, [said, text(errors)].concat())
    }

    /// Writes the output to a file: Wine's own services, which run on for a while, would keep a pipe open.
    fn written(command: &mut Command) -> (ExitStatus, String) {
        let said = tempfile::tempfile().unwrap();
        let status = command.stdout(said.try_clone().unwrap()).status().unwrap();
        (status, text(said))
    }

    /// A command that uses this prefix.
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

    /// A path as Windows programs see it in Wine.
    pub fn path(path: &Path) -> String {
        format!("Z:{}", path.display()).replace('/', r"\")
    }
}

/// Disables address-space randomization for a program, unless a container forbids that.
///
/// Wine maps the data that a process shares with the kernel at `0x7ffe0000`, and fails if the heap is already there.
/// With randomization, that happens in about one start of a thousand.
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

/// The text of a file, from its beginning.
fn text(mut file: fs::File) -> String {
    let mut bytes = Vec::new();
    file.rewind().unwrap();
    file.read_to_end(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes).replace('\r', "")
}

/// The path of one of Wine's programs, which has one of these names.
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
