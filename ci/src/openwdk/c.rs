//! Builds a minifilter in C with clang and the open WDK, to test the bench with other drivers.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context;

use super::{OpenWdk, root::run};

/// How a driver is optimized.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Optimize {
    /// As usual.
    Usual,
    /// For size and across sources, as the release profile of emitted projects.
    Size,
}

/// Compiles the C sources of a minifilter and links them to the `.sys` that `out` names. Headers are searched in the
/// sources' own folders, in `includes`, and in the open WDK.
///
/// # Errors
///
/// The open WDK cannot be made, or the compiler or the linker fails, with its output.
pub fn compile_c(sources: &[PathBuf], includes: &[PathBuf], out: &Path) -> anyhow::Result<()> {
    compile_c_with(sources, includes, &[], Optimize::Usual, out)
}

/// As [`compile_c`], with macros that are defined.
///
/// # Errors
///
/// As there.
pub fn compile_c_with(
    sources: &[PathBuf],
    includes: &[PathBuf],
    defines: &[&str],
    optimize: Optimize,
    out: &Path,
) -> anyhow::Result<()> {
    let wdk = OpenWdk::prepare()?;
    let directory = out.parent().context("the .sys has no folder")?;
    fs::create_dir_all(directory)?;
    let objects = tempfile::tempdir()?;
    let mut link = Command::new(wdk.program("lld-link"));
    link.args([
        "/driver",
        "/subsystem:native",
        "/entry:DriverEntry",
        "/nodefaultlib",
        "/dynamicbase",
        "/nxcompat",
        "/integritycheck",
        // The same sources give the same file.
        "/Brepro",
    ]);
    if optimize == Optimize::Size {
        link.args(["/opt:ref", "/opt:icf"]);
    }
    let mut output = OsString::from("/out:");
    output.push(out);
    link.arg(output);
    for (number, source) in sources.iter().enumerate() {
        let object = objects.path().join(format!("{number}.obj"));
        let mut clang = wdk.clang();
        for include in includes {
            clang.arg("-I").arg(include);
        }
        clang.args(defines.iter().map(|name| format!("-D{name}")));
        clang.args(match optimize {
            Optimize::Usual => &["-O1"][..],
            Optimize::Size => &["-Os", "-flto", "-fno-builtin"],
        });
        run(clang.args(["-c", "-o"]).arg(&object).arg(source))?;
        link.arg(object);
    }
    for library in [
        "fltMgr.lib",
        "ntoskrnl.lib",
        "hal.lib",
        "wdmsec.lib",
        "BufferOverflowFastFailK.lib",
    ] {
        link.arg(wdk.library(library));
    }
    run(&mut link)
}
