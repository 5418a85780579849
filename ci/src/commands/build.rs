//! `cargo xtask build`: builds an emitted project on this machine.
//!
//! On Windows it runs `cargo wdk build`, as described in the README of the project. On Linux it runs cargo with the
//! [open WDK](crate::openwdk). The wdk crates are compiled once, in a [`Shared`] directory; a second project with the
//! same versions takes a second or two.

use std::{
    collections::hash_map::DefaultHasher,
    env,
    ffi::OsStr,
    fs::{self, File},
    hash::{Hash, Hasher},
    path::{Path, PathBuf},
    process::{Command, ExitCode, Output, Stdio},
};

use anyhow::{Context, bail};
use serde::Deserialize;

use crate::{
    commands::{package, setup},
    openwdk::{
        OpenWdk, lock_file,
        target::{Arch, Profile, TARGET, TARGET_ARM64},
    },
};

/// Build an emitted project; the last line on stdout is the path of the .sys.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The folder with the Cargo.toml of the project.
    dir: PathBuf,

    /// Build with optimisation and without debug assertions.
    #[arg(long)]
    release: bool,

    /// The architecture that the driver is for.
    #[arg(long, value_enum, default_value_t)]
    target_arch: Arch,

    /// Also make a test-signed package with the version of Cargo.toml; the last line on stdout is its folder.
    #[arg(long)]
    package: bool,

    /// Install nothing: only say what is missing.
    #[arg(long)]
    no_setup: bool,
}

const EXAMPLES: &str = "\
Examples:
  cargo xtask build ../my-filter --release
      build the x64 driver
  cargo xtask build ../my-filter --release --target-arch arm64
      build the ARM64 driver
  cargo xtask build ../my-filter --release --package
      also make a test-signed package (with a catalog on Windows only)";

/// Runs the verb.
///
/// # Errors
///
/// The project cannot be built or packaged.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    Project::open(&args.dir)?;
    if !cfg!(windows) {
        let mut groups = vec![setup::Group::Build];
        if args.package {
            groups.push(setup::Group::Package);
        }
        setup::ensure(&groups, !args.no_setup)?;
    }
    let profile = if args.release {
        Profile::Release
    } else {
        Profile::Dev
    };
    let sys = build_for(&args.dir, profile, args.target_arch)?;
    println!("{}", sys.display());
    if args.package {
        let folder = package::make(&args.dir.canonicalize()?, &sys, profile, args.target_arch)?;
        println!("{}", folder.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// Builds an emitted project and returns the path of its `.sys`. Cargo's progress goes to stderr.
///
/// # Errors
///
/// The folder is not a driver project, a tool is missing, or the build failed.
pub fn build(dir: &Path, profile: Profile) -> anyhow::Result<PathBuf> {
    build_for(dir, profile, Arch::Amd64)
}

/// The same as [`build`], for an architecture.
///
/// # Errors
///
/// Those of [`build`].
pub fn build_for(dir: &Path, profile: Profile, arch: Arch) -> anyhow::Result<PathBuf> {
    Project::open(dir)?.build(profile, arch, Progress::Shown)
}

/// The same as [`build_for`], without printing progress. If the build fails, the error contains the compiler's output.
///
/// # Errors
///
/// Those of [`build`].
pub fn build_quietly(dir: &Path, profile: Profile, arch: Arch) -> anyhow::Result<PathBuf> {
    Project::open(dir)?.build(profile, arch, Progress::InErrors)
}

/// The command with which cargo compiles and links the x64 driver of a project in the release profile, on Linux.
#[derive(Debug, Clone)]
pub struct Compilation {
    /// The compiler and its arguments, without the output folder.
    pub arguments: Vec<String>,
    /// The environment variables that cargo sets.
    pub environment: Vec<(String, String)>,
    /// The name of the crate.
    pub krate: String,
}

/// Builds a project that was not built before, and returns the command with which cargo compiled the driver. What the
/// build script made is copied into the project, because a build of another project of this name moves it.
///
/// # Errors
///
/// Those of [`build`], or the command is not in cargo's output.
pub fn compilation(dir: &Path) -> anyhow::Result<Compilation> {
    let project = Project::open(dir)?;
    let mut cargo = Cargo::new(&project, Profile::Release, "build")?;
    cargo.args(["--locked", "--target", TARGET, "--release", "-vv"]);
    cargo.env("CARGO_TERM_COLOR", "never");
    let _lock = cargo.take()?;
    let output = cargo.command.output().context("cannot start cargo")?;
    project.must_have_built(&output)?;
    let said = String::from_utf8_lossy(&output.stderr);
    let mut compilation = Compilation::read(&said, &project.krate())
        .with_context(|| format!("cargo did not say how it compiles the driver:\n{said}"))?;
    // Another folder takes its place.
    let arguments = &mut compilation.arguments;
    let at = arguments.iter().position(|it| it == "--out-dir");
    let at = at.context("cargo named no --out-dir")?;
    arguments.drain(at..at + 2);

    let mut variables = compilation.environment.iter();
    let made = variables.find(|(name, _)| name == "OUT_DIR");
    let (_, made) = made.context("cargo named no OUT_DIR")?.clone();
    let own = project.target().join("made");
    for name in crate::files_below(Path::new(&made))? {
        let path = own.join(&name);
        fs::create_dir_all(path.parent().unwrap_or(&own))?;
        fs::copy(Path::new(&made).join(&name), path)?;
    }
    let variables = compilation.environment.iter_mut().map(|(_, value)| value);
    for text in variables.chain(&mut compilation.arguments) {
        *text = text.replace(&made, &own.to_string_lossy());
    }
    Ok(compilation)
}

impl Compilation {
    /// Reads the command, without the wrapper, with which cargo says that it compiles a crate.
    fn read(said: &str, krate: &str) -> Option<Self> {
        let name = format!("--crate-name {krate} ");
        let running = said
            .lines()
            .filter_map(|line| line.trim().strip_prefix("Running `")?.strip_suffix('`'))
            .find(|line| line.contains(&name))?;
        let words = shlex::split(running)?;
        let mut environment = Vec::new();
        for (at, word) in words.iter().enumerate() {
            match word.split_once('=') {
                Some((name, value)) if !name.contains('/') => {
                    environment.push((name.to_owned(), value.to_owned()));
                }
                _ => {
                    return Some(Self {
                        environment,
                        arguments: words.get(at + 1..)?.to_vec(),
                        krate: krate.to_owned(),
                    });
                }
            }
        }
        None
    }
}

/// The path of the `.sys` that [`build_for`] writes on Linux.
///
/// # Errors
///
/// The folder is not a driver project.
pub fn sys(dir: &Path, profile: Profile, arch: Arch) -> anyhow::Result<PathBuf> {
    Ok(Project::open(dir)?.sys(profile, arch))
}

/// The destination of cargo's progress.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// To stderr.
    Shown,
    /// Into the error, if the build fails.
    InErrors,
}

impl Progress {
    /// Redirects the output of a command. It does not go to stdout, where the last line is the path.
    fn direct(self, command: &mut Command) {
        match self {
            Self::Shown => command.stdout(std::io::stderr()).stderr(Stdio::inherit()),
            Self::InErrors => command.stdout(Stdio::null()).stderr(Stdio::piped()),
        };
    }
}

/// A cargo command, such as `clippy` or `check`, in an emitted project, with the open WDK and the dev profile. It needs
/// `--target x86_64-pc-windows-msvc`.
///
/// # Errors
///
/// The folder is not a driver project, or a tool is missing.
pub fn cargo(dir: &Path, command: &str) -> anyhow::Result<Cargo> {
    Cargo::new(&Project::open(dir)?, Profile::Dev, command)
}

/// The part of a project's Cargo.toml that is read here.
#[derive(Deserialize)]
struct Manifest {
    package: Option<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
struct Metadata {
    wdk: Option<toml::Table>,
}

/// An emitted project.
struct Project {
    dir: PathBuf,
    package: String,
}

impl Project {
    fn open(dir: &Path) -> anyhow::Result<Self> {
        let shown = dir.display();
        if !dir.is_dir() {
            bail!("there is no folder {shown}: name the folder of an emitted project");
        }
        let manifest = dir.join("Cargo.toml");
        let Ok(text) = fs::read_to_string(&manifest) else {
            bail!("{shown} has no Cargo.toml: name the folder of an emitted project");
        };
        let manifest: Manifest = toml::from_str(&text)
            .with_context(|| format!("{} is not a valid Cargo.toml", manifest.display()))?;
        let Some(package) = manifest.package else {
            bail!(
                "{shown} is a workspace without a package of its own: name the folder of the driver's package"
            );
        };
        if package.metadata.and_then(|metadata| metadata.wdk).is_none() {
            bail!(
                "{shown} is not a driver: its Cargo.toml has no [package.metadata.wdk]; \
                 name the folder of an emitted project"
            );
        }
        // On Windows, a canonical path has a prefix that some tools do not accept.
        let dir = if cfg!(windows) {
            std::path::absolute(dir)?
        } else {
            dir.canonicalize()?
        };
        Ok(Self {
            dir,
            package: package.name,
        })
    }

    /// The name of the library, which is also that of the driver.
    fn krate(&self) -> String {
        self.package.replace('-', "_")
    }

    fn target(&self) -> PathBuf {
        self.dir.join("target")
    }

    /// The path of the driver in a build with the open WDK.
    fn sys(&self, profile: Profile, arch: Arch) -> PathBuf {
        let folder = self.target().join(arch.target()).join(profile.folder());
        folder.join(self.krate()).with_extension("sys")
    }

    fn build(&self, profile: Profile, arch: Arch, progress: Progress) -> anyhow::Result<PathBuf> {
        if cfg!(windows) {
            self.build_with_cargo_wdk(profile, arch, progress)
        } else {
            self.build_with_open_wdk(profile, arch, progress)
        }
    }

    /// Returns an error if the build failed.
    fn must_have_built(&self, output: &Output) -> anyhow::Result<()> {
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let said = if said.is_empty() {
            "see the output of the compiler above".into()
        } else {
            said
        };
        bail!("{} does not build: {said}", self.dir.display())
    }

    fn build_with_open_wdk(
        &self,
        profile: Profile,
        arch: Arch,
        progress: Progress,
    ) -> anyhow::Result<PathBuf> {
        let mut cargo = Cargo::new(self, profile, "build")?;
        cargo.args([
            "--locked",
            "--target",
            arch.target(),
            "--profile",
            profile.name(),
        ]);
        progress.direct(&mut cargo.command);
        self.must_have_built(&cargo.output()?)?;
        let sys = self.sys(profile, arch);
        fs::copy(sys.with_extension("dll"), &sys).with_context(|| {
            format!("the build made no {}", sys.with_extension("dll").display())
        })?;
        Ok(sys)
    }

    fn build_with_cargo_wdk(
        &self,
        profile: Profile,
        arch: Arch,
        progress: Progress,
    ) -> anyhow::Result<PathBuf> {
        let there = Command::new("cargo")
            .args(["wdk", "--version"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if !there.is_ok_and(|status| status.success()) {
            bail!(
                "cargo-wdk is not installed: run `cargo install cargo-wdk --locked`, in a prompt where the WDK is found"
            );
        }
        let mut cargo = Command::new("cargo");
        cargo
            .args(["wdk", "build", "--locked", "--profile", profile.name()])
            .args(["--target-arch", arch.name()])
            .current_dir(&self.dir);
        progress.direct(&mut cargo);
        self.must_have_built(&cargo.output().context("cannot start cargo")?)?;
        let krate = self.krate();
        let folder = self.target().join(arch.target()).join(profile.folder());
        let sys = folder
            .join(format!("{krate}_package"))
            .join(format!("{krate}.sys"));
        if !sys.is_file() {
            bail!("cargo-wdk made no {}", sys.display());
        }
        Ok(sys)
    }
}

/// A cargo command in an emitted project.
pub struct Cargo {
    command: Command,
    shared: Shared,
    project: PathBuf,
    package: String,
    profile: Profile,
}

/// Variables with flags that would replace those of the project. wdk-build refuses a driver without `crt-static`.
const FLAGS: [&str; 5] = [
    "RUSTFLAGS",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_TARGET_X86_64_PC_WINDOWS_MSVC_RUSTFLAGS",
    "CARGO_TARGET_AARCH64_PC_WINDOWS_MSVC_RUSTFLAGS",
];

/// The packages of the build script in which it spends its time. They are compiled once, and it runs in each project.
const OPTIMIZED: [(&str, u8); 3] = [("bindgen", 2), ("clang-sys", 1), ("proc-macro2", 1)];

impl Cargo {
    fn new(project: &Project, profile: Profile, subcommand: &str) -> anyhow::Result<Self> {
        let lock = project.dir.join("Cargo.lock");
        if !lock.is_file() {
            bail!(
                "{} has no Cargo.lock, which every emitted project has: restore it, \
                 or run `cargo generate-lockfile` there",
                project.dir.display()
            );
        }
        lock_file::check(&lock)?;
        let wdk = OpenWdk::prepare()?;
        let shared = Shared::of(&wdk, &project.dir)?;
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        // The options follow the subcommand: cargo does not pass those that precede an external one, such as `clippy`, on
        // to it.
        command.current_dir(&project.dir).arg(subcommand);
        for (package, level) in OPTIMIZED {
            for profile in ["dev", "release"] {
                let setting = format!("profile.{profile}.package.{package}.opt-level={level}");
                command.args(["--config", &setting]);
            }
        }
        for flags in FLAGS {
            if env::var_os(flags).is_some_and(|value| !value.is_empty()) {
                eprintln!(
                    "note: {flags} is not passed on: it would replace the project's own flags"
                );
            }
            command.env_remove(flags);
        }
        wdk.equip(&mut command)?;
        command
            .env("CARGO_TARGET_DIR", project.target())
            .env("CARGO_BUILD_BUILD_DIR", shared.build_directory());
        Ok(Self {
            command,
            shared,
            project: project.dir.clone(),
            package: project.package.clone(),
            profile,
        })
    }

    /// Adds arguments.
    pub fn args<S: AsRef<OsStr>>(&mut self, arguments: impl IntoIterator<Item = S>) -> &mut Self {
        self.command.args(arguments);
        self
    }

    /// Sets an environment variable.
    pub fn env(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Self {
        self.command.env(name, value);
        self
    }

    fn take(&self) -> anyhow::Result<File> {
        self.shared
            .take_for(&self.package, &self.project, self.profile)
    }

    /// Runs the command and returns its output.
    ///
    /// # Errors
    ///
    /// Cargo cannot be started.
    pub fn output(&mut self) -> anyhow::Result<Output> {
        let _lock = self.take()?;
        self.command.output().context("cannot start cargo")
    }
}

/// A directory where the wdk crates are compiled once, for all projects that use the same versions of them.
///
/// It is cargo's *build* directory for each of these projects. Each project has its own *target* directory, where the
/// driver is written. wdk-build searches for a Cargo.lock above the build directory and reads the Cargo.toml beside it.
/// Both files are derived from the first project and are not changed later, because a change would recompile the wdk
/// crates.
struct Shared {
    directory: PathBuf,
}

impl Shared {
    fn of(wdk: &OpenWdk, project: &Path) -> anyhow::Result<Self> {
        let manifest: toml::Table =
            toml::from_str(&fs::read_to_string(project.join("Cargo.toml"))?)?;
        let metadata = manifest
            .get("package")
            .and_then(|package| package.get("metadata"));
        let mut hasher = DefaultHasher::new();
        lock_file::packages(&project.join("Cargo.lock"))?.hash(&mut hasher);
        metadata.map(ToString::to_string).hash(&mut hasher);
        let directory = wdk
            .root
            .join("drivers")
            .join(format!("{:016x}", hasher.finish()));
        let shared = Self { directory };
        if !shared.directory.is_dir() {
            shared.lay_anchor(&manifest, project)?;
        }
        Ok(shared)
    }

    /// Creates the directory, with a manifest that has only the project's dependencies, and with its lock file.
    fn lay_anchor(&self, manifest: &toml::Table, project: &Path) -> anyhow::Result<()> {
        let above = self
            .directory
            .parent()
            .context("the directory has no parent")?;
        fs::create_dir_all(above)?;
        let draft = tempfile::Builder::new()
            .prefix("draft-")
            .tempdir_in(above)?;
        let mut anchor = manifest.clone();
        anchor.retain(|section, _| {
            matches!(section, "package" | "dependencies" | "build-dependencies")
        });
        anchor.insert("workspace".into(), toml::Table::new().into());
        if let Some(package) = anchor
            .get_mut("package")
            .and_then(toml::Value::as_table_mut)
        {
            package.retain(|key, _| matches!(key, "name" | "version" | "edition" | "metadata"));
        }
        fs::create_dir(draft.path().join("src"))?;
        fs::write(draft.path().join("src/lib.rs"), "")?;
        fs::write(draft.path().join("Cargo.toml"), toml::to_string(&anchor)?)?;
        fs::copy(project.join("Cargo.lock"), draft.path().join("Cargo.lock"))?;
        match fs::rename(draft.path(), &self.directory) {
            Ok(()) => {
                let _ = draft.keep();
                Ok(())
            }
            // Another process created it first.
            Err(_) if self.directory.is_dir() => Ok(()),
            Err(error) => {
                Err(error).with_context(|| format!("cannot create {}", self.directory.display()))
            }
        }
    }

    fn build_directory(&self) -> PathBuf {
        self.directory.join("target")
    }

    /// Locks the directory for one run of cargo. As with cargo's own lock, there is one lock per profile: a project can
    /// be linted in one profile while it is built in the other.
    ///
    /// Cargo does not distinguish two projects of the same name in one build directory: if the sources of the second
    /// are older, it reuses the driver of the first. So the files that cargo made for a package are moved aside when
    /// another project of that name is built, and moved back when their project is built again.
    fn take_for(&self, package: &str, project: &Path, profile: Profile) -> anyhow::Result<File> {
        let lock = File::create(self.directory.join(profile.lock()))?;
        if lock.try_lock().is_err() {
            eprintln!("waiting for another build to finish");
            lock.lock()?;
        }
        let owners = self.directory.join("owners").join(profile.folder());
        fs::create_dir_all(&owners)?;
        let owner = owners.join(package);
        let this = project.as_os_str().as_encoded_bytes();
        if fs::read(&owner).is_ok_and(|last| last == this) {
            return Ok(lock);
        }
        let aside = owners.join(format!("{package}.aside"));
        fs::create_dir_all(&aside)?;
        if let Ok(last) = fs::read(&owner) {
            let place = aside.join(digest(&last));
            let _ = fs::remove_dir_all(&place);
            // Created even if cargo made no files: then there is nothing to move back.
            fs::create_dir_all(&place)?;
            for made in self.made_of(package, profile)? {
                relocate(&made, self.directory.as_path(), &place)?;
            }
            fs::write(place.join(OWNER), &last)?;
        }
        fs::write(&owner, this)?;
        let place = aside.join(digest(this));
        if place.is_dir() {
            fs::remove_file(place.join(OWNER))?;
            for made in entries_below(&place)? {
                relocate(&made, &place, &self.directory)?;
            }
            fs::remove_dir_all(&place)?;
        }
        remove_aside_of_projects_gone(&aside);
        Ok(lock)
    }

    /// The files that cargo made for a package: fingerprints, the build script and its output, and the driver.
    fn made_of(&self, package: &str, profile: Profile) -> anyhow::Result<Vec<PathBuf>> {
        let mut made = Vec::new();
        for target in ["", TARGET, TARGET_ARM64] {
            let folder = self.build_directory().join(target).join(profile.folder());
            for part in [".fingerprint", "build", "deps"] {
                for entry in fs::read_dir(folder.join(part)).into_iter().flatten() {
                    let entry = entry?;
                    if is_of(package, &entry.file_name().to_string_lossy()) {
                        made.push(entry.path());
                    }
                }
            }
        }
        Ok(made)
    }
}

/// Whether `name` is that of a file or folder that cargo made for `package`, and not for a package with a longer name.
fn is_of(package: &str, name: &str) -> bool {
    let krate = package.replace('-', "_");
    let stems = [package, &krate, &format!("lib{krate}")].map(str::to_owned);
    stems.iter().any(|stem| {
        let Some(rest) = name.strip_prefix(stem.as_str()) else {
            return false;
        };
        let hash = rest
            .strip_prefix('-')
            .map(|rest| rest.split('.').next().unwrap_or(rest));
        rest.starts_with('.')
            || hash
                .is_some_and(|it| it.len() == 16 && it.bytes().all(|byte| byte.is_ascii_hexdigit()))
    })
}

/// The file that names the project whose files are moved aside.
const OWNER: &str = "project";

fn digest(project: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    project.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// Moves a file or folder from `from` to the same relative path in `to`.
fn relocate(path: &Path, from: &Path, to: &Path) -> anyhow::Result<()> {
    let place = to.join(path.strip_prefix(from)?);
    if let Some(above) = place.parent() {
        fs::create_dir_all(above)?;
    }
    fs::rename(path, &place).with_context(|| format!("cannot move {}", path.display()))
}

/// The files and folders that were moved aside to `place`: the entries of cargo's folders.
fn entries_below(place: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(place)? {
        let path = entry?.path();
        let parts = [".fingerprint", "build", "deps"].map(OsStr::new);
        if path.file_name().is_some_and(|name| parts.contains(&name)) {
            for entry in fs::read_dir(&path)? {
                entries.push(entry?.path());
            }
        } else if path.is_dir() {
            entries.extend(entries_below(&path)?);
        }
    }
    Ok(entries)
}

/// Removes the files that were moved aside for projects that no longer exist. Errors are ignored.
fn remove_aside_of_projects_gone(aside: &Path) {
    for place in fs::read_dir(aside).into_iter().flatten().flatten() {
        let project = fs::read(place.path().join(OWNER)).unwrap_or_default();
        let project = String::from_utf8_lossy(&project).into_owned();
        if !Path::new(&project).is_dir() {
            let _ = fs::remove_dir_all(place.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Compilation, is_of};

    #[test]
    fn the_command_of_cargo_is_read() {
        let said = "   Compiling a v1\n     Running `A=1 'B=c d' /x/xtask /y/rustc --crate-name a_b -C 'd=e f'`\n";
        let read = Compilation::read(said, "a_b").unwrap();
        assert_eq!(read.environment[1], ("B".to_owned(), "c d".to_owned()));
        assert_eq!(read.arguments[..2], ["/y/rustc", "--crate-name"]);
        assert_eq!(read.arguments.last().unwrap(), "d=e f");
        assert!(Compilation::read(said, "a").is_none());
    }

    #[test]
    fn files_of_a_package_are_distinguished_from_those_of_another() {
        for name in [
            "my-filter-2122ae1839a3ba51",
            "my_filter.dll",
            "my_filter.dll.lib",
            "my_filter-2122ae1839a3ba51.d",
            "libmy_filter-2122ae1839a3ba51.rmeta",
        ] {
            assert!(is_of("my-filter", name), "{name}");
        }
        for name in [
            "my-filter-two-2122ae1839a3ba51",
            "my_filter_two.dll",
            "libmy_filter_two-2122ae1839a3ba51.rmeta",
            "my-filter",
            "wdk-sys-2122ae1839a3ba51",
        ] {
            assert!(!is_of("my-filter", name), "{name}");
        }
    }
}
