//! Makes wdk-build work on Linux, as cargo's `RUSTC_WRAPPER`.
//!
//! Build scripts run on the host, and wdk-build refuses every host except Windows. The crates are not patched: when
//! cargo compiles them for the host, this program runs the compiler with additional arguments or with another source
//! file, as [`Change`] says. Everything else is compiled unchanged.

use std::{
    env,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context, bail};

/// If this variable is set, cargo started this program as its compiler.
pub const ROLE: &str = "XTASK_SERVES_AS_RUSTC_WRAPPER";

/// The versions that the open WDK was tested with. Another version may need other changes.
const KNOWN: [(&str, &str); 8] = [
    ("wdk", "0.5.0"),
    ("wdk-alloc", "0.4.2"),
    ("wdk-build", "0.6.0"),
    ("wdk-macros", "0.5.2"),
    ("wdk-panic", "0.5.0"),
    ("wdk-sys", "0.5.2"),
    ("windows", "0.62.2"),
    ("windows-future", "0.3.2"),
];

/// Refuses a version of a wdk crate, or of a crate that is changed, that the open WDK was not tested with.
///
/// # Errors
///
/// The open WDK was tested with another version.
pub fn check_version(package: &str, version: &str) -> anyhow::Result<()> {
    match KNOWN.iter().find(|(name, _)| *name == package) {
        Some((_, known)) if *known != version => bail!(
            "the open WDK was not tested with {package} {version}, but with {package} {known}: \
             see \"A new version of the wdk crates\" in ci/openwdk/README.md"
        ),
        _ => Ok(()),
    }
}

/// A change of the compilation of a crate for the host.
enum Change {
    /// Compiles this file instead. The crate is empty on Linux, or does not compile there.
    Instead(&'static str),
    /// Compiles with `target_os = "windows"`, which the crate requires, and with the function of Windows' `std` that it
    /// calls.
    AsOnWindows,
}

fn change(krate: &str) -> Option<Change> {
    match krate {
        "windows" => Some(Change::Instead("windows.rs")),
        "windows_future" => Some(Change::Instead("windows_future.rs")),
        "wdk_build" => Some(Change::AsOnWindows),
        _ => None,
    }
}

/// If cargo started this process as its compiler, serves and returns its exit code.
#[must_use]
pub fn serve_as_rustc_wrapper() -> Option<ExitCode> {
    env::var_os(ROLE)?;
    let failed = match compile(env::args_os().skip(1).collect()) {
        Ok(code) => return Some(code),
        Err(error) => error,
    };
    eprintln!("error: {failed:#}");
    Some(ExitCode::FAILURE)
}

/// Runs the compiler, which is the first of the `arguments`, with the others, changed as [`change`] says.
fn compile(mut arguments: Vec<OsString>) -> anyhow::Result<ExitCode> {
    if arguments.is_empty() {
        bail!("{ROLE} is set, but no compiler was named: this program was not started by cargo");
    }
    let rustc = arguments.remove(0);
    if let (Ok(package), Ok(version)) = (env::var("CARGO_PKG_NAME"), env::var("CARGO_PKG_VERSION"))
    {
        check_version(&package, &version)?;
    }
    let for_this_machine = value_of(&arguments, "--target").is_none();
    let krate = value_of(&arguments, "--crate-name").and_then(OsStr::to_str);
    match krate.filter(|_| for_this_machine).and_then(change) {
        Some(Change::Instead(file)) => {
            let source = arguments
                .iter_mut()
                .find(|argument| Path::new(argument).ends_with("src/lib.rs"))
                .context(
                    "cargo named no src/lib.rs: its command line differs from the supported one",
                )?;
            *source = sources().join(file).into();
        }
        Some(Change::AsOnWindows) => {
            let std = compile_std(&rustc, &arguments)?;
            let mut std_argument = OsString::from("std=");
            std_argument.push(std);
            arguments.extend(
                [
                    "--cfg",
                    r#"target_os="windows""#,
                    "-Aexplicit_builtin_cfgs_in_flags",
                    "--extern",
                ]
                .map(OsString::from),
            );
            arguments.push(std_argument);
        }
        None => {}
    }
    run(Command::new(rustc).args(arguments))
}

/// Compiles `std.rs` into the directory that cargo searches for dependencies, and returns the path of the library.
fn compile_std(rustc: &OsStr, arguments: &[OsString]) -> anyhow::Result<PathBuf> {
    let directory = value_of(arguments, "--out-dir").context("cargo named no --out-dir")?;
    let library = Path::new(directory).join("libopenwdk_std.rlib");
    let status = Command::new(rustc)
        .args(["--crate-name", "openwdk_std", "--crate-type", "rlib"])
        .args(["--edition", "2021", "-C", "metadata=openwdk"])
        .arg("-o")
        .arg(&library)
        .arg(sources().join("std.rs"))
        .status()
        .with_context(|| format!("cannot start {}", rustc.display()))?;
    if !status.success() {
        bail!("ci/openwdk/host/std.rs does not compile with this Rust: see ci/openwdk/README.md");
    }
    Ok(library)
}

/// The value of an option, given as `--option value` or `--option=value`.
fn value_of<'a>(arguments: &'a [OsString], option: &str) -> Option<&'a OsStr> {
    arguments.iter().enumerate().find_map(|(index, argument)| {
        if argument == option {
            return arguments.get(index + 1).map(OsString::as_os_str);
        }
        let value = argument.to_str()?.strip_prefix(option)?.strip_prefix('=')?;
        Some(OsStr::new(value))
    })
}

fn sources() -> PathBuf {
    super::root::data().join("host")
}

#[cfg(unix)]
fn run(command: &mut Command) -> anyhow::Result<ExitCode> {
    use std::os::unix::process::CommandExt;

    Err(command.exec()).with_context(|| format!("cannot start {}", command.get_program().display()))
}

#[cfg(not(unix))]
fn run(command: &mut Command) -> anyhow::Result<ExitCode> {
    let status = command.status()?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_untested_version_is_refused() {
        assert_eq!(
            check_version("wdk-build", "0.7.0").unwrap_err().to_string(),
            "the open WDK was not tested with wdk-build 0.7.0, but with wdk-build 0.6.0: \
             see \"A new version of the wdk crates\" in ci/openwdk/README.md"
        );
        check_version("wdk-build", "0.6.0").unwrap();
        check_version("serde", "99.0.0").unwrap();
    }

    #[test]
    fn options_are_read_in_both_forms() {
        let arguments = ["--crate-name", "windows", "--target=x"].map(OsString::from);
        assert_eq!(
            value_of(&arguments, "--crate-name"),
            Some(OsStr::new("windows"))
        );
        assert_eq!(value_of(&arguments, "--target"), Some(OsStr::new("x")));
        assert_eq!(value_of(&arguments, "--out-dir"), None);
    }
}
