//! `cargo xtask setup`: installs what building and testing need on this machine.
//!
//! [`NEEDS`] lists everything. It is tested on Debian 12 and 13, fresh from debootstrap. It is not tested on Ubuntu
//! 24.04, which has packages of the same names. The version of LLVM is the newest one that apt has.

use std::{
    fs,
    path::Path,
    process::{Command, ExitCode, Stdio},
};

use anyhow::{Context, bail};

use crate::openwdk::{
    target::{TARGET, TARGET_ARM64},
    toolchain::{GNU_TARGET, Llvm, Mingw},
};

/// Install what building and testing need on this machine.
///
/// Lists what is missing and why it is needed, and installs it: Rust's targets and, as root, Debian packages. Without
/// root it prints the command to run. On Windows it installs nothing: Microsoft's kit builds the driver there.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Install nothing: only list what is missing, with exit status 2 if something is.
    #[arg(long, visible_alias = "no-setup")]
    check: bool,
}

/// The purpose of a need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Building a driver, in Rust or C.
    Build,
    /// Installing and starting the driver in Wine, and running the test bench for Windows.
    Wine,
    /// Signing a package.
    Package,
    /// Linting the emitted pipelines.
    Lint,
}

impl Group {
    /// All groups.
    pub const ALL: [Self; 4] = [Self::Build, Self::Wine, Self::Package, Self::Lint];
}

/// Something that must be installed.
struct Need {
    group: Group,
    name: &'static str,
    why: &'static str,
    found: fn() -> bool,
    source: Source,
}

/// The source of a need.
enum Source {
    /// These Debian packages.
    Packages(&'static [&'static str]),
    /// These Debian packages. Their names end with the version of LLVM.
    Llvm(&'static [&'static str]),
    /// This target of rustup.
    RustTarget(&'static str),
}

const NEEDS: [Need; 10] = [
    Need {
        group: Group::Build,
        name: "LLVM",
        why: "lld-link links the driver, llvm-rc compiles its resources, llvm-dlltool makes the import libraries, \
              libclang reads the kernel's headers, clang compiles C",
        found: || Llvm::find().is_some(),
        source: Source::Llvm(&["lld", "llvm", "clang", "libclang1"]),
    },
    Need {
        group: Group::Build,
        name: "mingw-w64's headers",
        why: "the kernel's interface, under an open licence",
        found: || Mingw::find_include().is_some(),
        source: Source::Packages(&["mingw-w64-common"]),
    },
    Need {
        group: Group::Build,
        name: "mingw-w64's libraries",
        why: "the names of the kernel's exports",
        found: || Mingw::find_lib().is_some(),
        source: Source::Packages(&["mingw-w64-x86-64-dev"]),
    },
    Need {
        group: Group::Build,
        name: "Rust for 64-bit Windows",
        why: "core, compiled for the driver's target",
        found: || rust_target_is_there(TARGET),
        source: Source::RustTarget(TARGET),
    },
    Need {
        group: Group::Build,
        name: "Rust for Windows on ARM64",
        why: "core for ARM64; the rust-toolchain.toml of an emitted project names both targets",
        found: || rust_target_is_there(TARGET_ARM64),
        source: Source::RustTarget(TARGET_ARM64),
    },
    Need {
        group: Group::Wine,
        name: "Wine",
        why: "it installs the driver from the INF, starts it as a service, and runs the test bench for Windows",
        found: || {
            ["/usr/lib/wine/wine64", "/usr/bin/wine64", "/usr/bin/wine"]
                .iter()
                .any(|wine| Path::new(wine).is_file())
        },
        source: Source::Packages(&["wine64", "libwine"]),
    },
    Need {
        group: Group::Wine,
        name: "Rust for programs of 64-bit Windows",
        why: "std, for the test bench that runs in Wine",
        found: || rust_target_is_there(GNU_TARGET),
        source: Source::RustTarget(GNU_TARGET),
    },
    Need {
        group: Group::Wine,
        name: "GCC's runtime for Windows",
        why: "the test bench that runs in Wine needs it to unwind after a panic",
        found: || Mingw::find_runtime().is_some(),
        source: Source::Packages(&["gcc-mingw-w64-x86-64-win32-runtime"]),
    },
    Need {
        group: Group::Package,
        name: "openssl, osslsigncode and sbsigntool",
        why: "they make a test certificate, sign the driver of a package with it, and verify the signature",
        found: || {
            ["openssl", "osslsigncode", "sbverify"]
                .iter()
                .all(|program| Path::new("/usr/bin").join(program).is_file())
        },
        source: Source::Packages(&["openssl", "osslsigncode", "sbsigntool"]),
    },
    Need {
        group: Group::Lint,
        name: "Python's venv",
        why: "the linters of the emitted pipelines come from PyPI",
        found: || {
            Command::new("python3")
                .args(["-c", "import ensurepip, venv"])
                .stderr(Stdio::null())
                .status()
                .is_ok_and(|status| status.success())
        },
        source: Source::Packages(&["python3-venv"]),
    },
];

/// Runs the verb.
///
/// # Errors
///
/// Something is missing and cannot be installed.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    ensure(&Group::ALL, !args.check)?;
    println!("Everything is installed.");
    Ok(ExitCode::SUCCESS)
}

/// Lists what is missing of the needs of some groups, and installs it if `install` is true.
///
/// # Errors
///
/// Something is still missing. The message says what to do.
pub fn ensure(groups: &[Group], install: bool) -> anyhow::Result<()> {
    if cfg!(windows) {
        return Ok(());
    }
    let missing = missing(groups);
    if missing.is_empty() {
        return Ok(());
    }
    for need in &missing {
        eprintln!("missing: {}: {}", need.name, need.why);
    }
    let by_apt = missing
        .iter()
        .any(|need| !matches!(need.source, Source::RustTarget(_)));
    if by_apt && !has_apt() {
        bail!(
            "this machine has no apt-get, and building is tested on Debian 12 and 13 only: install LLVM (with lld, \
             clang and libclang) and mingw-w64 with the machine's package manager, or use a Debian container"
        );
    }
    let as_root = install && is_root();
    if by_apt && as_root {
        eprintln!("running apt-get update");
        apt(&["update", "--quiet"])?;
    }
    let plan = Plan::of(&missing)?;
    if !install {
        bail!("run this, then try again: {}", plan.line());
    }
    for target in &plan.targets {
        add_rust_target(target)?;
    }
    if !plan.packages.is_empty() {
        let line = plan.apt_line();
        if !as_root {
            bail!("run this, then try again: sudo {line}");
        }
        eprintln!("running {line}");
        let mut arguments = vec!["install", "--yes", "--no-install-recommends"];
        arguments.extend(plan.packages.iter().map(String::as_str));
        apt(&arguments)?;
    }
    match self::missing(groups).first() {
        Some(need) => bail!(
            "{} is still not found after its installation: see ci/openwdk/README.md",
            need.name
        ),
        None => Ok(()),
    }
}

fn missing(groups: &[Group]) -> Vec<&'static Need> {
    NEEDS
        .iter()
        .filter(|need| groups.contains(&need.group) && !(need.found)())
        .collect()
}

/// What is to be installed.
struct Plan {
    packages: Vec<String>,
    targets: Vec<&'static str>,
}

impl Plan {
    fn of(missing: &[&'static Need]) -> anyhow::Result<Self> {
        let mut plan = Self {
            packages: Vec::new(),
            targets: Vec::new(),
        };
        for need in missing {
            match need.source {
                Source::Packages(packages) => plan
                    .packages
                    .extend(packages.iter().map(ToString::to_string)),
                Source::RustTarget(target) => plan.targets.push(target),
                Source::Llvm(stems) => {
                    let version = newest_llvm(stems, &apt_names(stems)).with_context(|| {
                        "apt has no complete version of LLVM: run `sudo apt-get update`, then try again"
                    })?;
                    plan.packages
                        .extend(stems.iter().map(|stem| format!("{stem}-{version}")));
                }
            }
        }
        Ok(plan)
    }

    fn apt_line(&self) -> String {
        format!(
            "apt-get install --no-install-recommends {}",
            self.packages.join(" ")
        )
    }

    /// The command that installs everything.
    fn line(&self) -> String {
        let apt = (!self.packages.is_empty()).then(|| format!("sudo {}", self.apt_line()));
        let rustup = self
            .targets
            .iter()
            .map(|target| format!("rustup target add {target}"));
        apt.into_iter()
            .chain(rustup)
            .collect::<Vec<_>>()
            .join(" && ")
    }
}

/// Adds a target with rustup, which needs no root.
fn add_rust_target(target: &str) -> anyhow::Result<()> {
    let line = format!("rustup target add {target}");
    eprintln!("running {line}");
    let added = Command::new("rustup")
        .args(["target", "add", target])
        .stdout(std::io::stderr())
        .status()
        .with_context(|| {
            format!("cannot start rustup to run `{line}`: install it from https://rustup.rs")
        })?;
    if !added.success() {
        bail!("`{line}` failed: see its output above");
    }
    Ok(())
}

/// apt-cache's lines for the packages whose names are one of the stems and a number.
fn apt_names(stems: &[&str]) -> String {
    let pattern = format!("^({})-[0-9]+$", stems.join("|"));
    let output = Command::new("apt-cache")
        .args(["search", "--names-only", &pattern])
        .output();
    output.map_or_else(
        |_| String::new(),
        |output| String::from_utf8_lossy(&output.stdout).into_owned(),
    )
}

/// The highest number that every stem has in `names`, which are apt-cache's lines of `name - description`.
fn newest_llvm(stems: &[&str], names: &str) -> Option<u32> {
    let versions = |stem: &str| -> Vec<u32> {
        names
            .lines()
            .filter_map(|line| {
                line.split_whitespace()
                    .next()?
                    .strip_prefix(stem)?
                    .strip_prefix('-')?
                    .parse()
                    .ok()
            })
            .collect()
    };
    let of_each: Vec<Vec<u32>> = stems.iter().map(|stem| versions(stem)).collect();
    let (first, rest) = of_each.split_first()?;
    first
        .iter()
        .copied()
        .filter(|version| rest.iter().all(|versions| versions.contains(version)))
        .max()
}

fn has_apt() -> bool {
    Path::new("/usr/bin/apt-get").is_file()
}

/// Runs apt-get and shows its progress. Waits until another apt-get that is running ends.
fn apt(arguments: &[&str]) -> anyhow::Result<()> {
    let status = Command::new("apt-get")
        .args(["-o", "DPkg::Lock::Timeout=300"])
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        // stdout is for the path of the driver only.
        .stdout(std::io::stderr())
        .status()
        .context("cannot start apt-get")?;
    if !status.success() {
        bail!(
            "apt-get {} failed: see its output above. If another installation was running, or this one was \
             interrupted, run `dpkg --configure -a` and try again",
            arguments.first().copied().unwrap_or_default()
        );
    }
    Ok(())
}

#[cfg(unix)]
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;

    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

#[cfg(not(unix))]
fn is_root() -> bool {
    false
}

fn rust_target_is_there(target: &str) -> bool {
    let output = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", target])
        .output();
    output.is_ok_and(|output| {
        output.status.success()
            && Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOKWORM: &str = "lld-14 - LLVM-based linker\nlld-19 - LLVM-based linker\nlld-22 - LLVM-based linker\n\
                            llvm-14 - Modular compiler\nllvm-19 - Modular compiler\nllvm-22 - Modular compiler\n\
                            clang-14 - C\nclang-19 - C\nclang-22 - C\nlibclang1-14 - C\nlibclang1-19 - C\n";

    #[test]
    fn the_newest_llvm_that_has_everything_is_chosen() {
        let stems = ["lld", "llvm", "clang", "libclang1"];
        assert_eq!(newest_llvm(&stems, BOOKWORM), Some(19));
        assert_eq!(
            newest_llvm(&stems, &format!("{BOOKWORM}libclang1-22 - C\n")),
            Some(22)
        );
        assert_eq!(newest_llvm(&stems, ""), None);
    }

    #[test]
    fn a_plan_is_one_command() {
        let plan = |packages: &[&str], targets: &[&'static str]| Plan {
            packages: packages.iter().map(ToString::to_string).collect(),
            targets: targets.to_vec(),
        };
        assert_eq!(
            plan(&["lld-22", "mingw-w64-common"], &[TARGET]).line(),
            "sudo apt-get install --no-install-recommends lld-22 mingw-w64-common \
             && rustup target add x86_64-pc-windows-msvc"
        );
        assert_eq!(
            plan(&[], &[TARGET]).line(),
            "rustup target add x86_64-pc-windows-msvc"
        );
    }

    #[test]
    fn every_need_says_what_it_is_for() {
        for need in &NEEDS {
            assert!(!need.name.is_empty() && !need.why.is_empty());
        }
    }
}
