//! A minifilter in C, built with clang against the open WDK: for trying the bench on drivers of others.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context;

use super::{
    OpenWdk,
    root::{self, run},
    toolchain::Llvm,
};

impl OpenWdk {
    /// clang, told to compile for the kernel of 64-bit Windows.
    #[must_use]
    pub fn clang(&self) -> Command {
        clang(&self.llvm, &self.root)
    }
}

/// The same, for a folder that is still being made.
pub(super) fn clang(llvm: &Llvm, root: &Path) -> Command {
    let mut clang = Command::new(llvm.program("clang"));
    clang.args([
        "--target=x86_64-pc-windows-msvc",
        "-std=gnu17",
        "-fms-compatibility",
        "-fms-extensions",
        // A driver is not linked with the C runtime, and has no floating point.
        "-fno-builtin",
        "-mno-implicit-float",
        "-fno-stack-protector",
        // A variable that several files declare is one, as it is to Microsoft's compiler.
        "-fcommon",
        "-D_WIN64",
        "-D_AMD64_",
        "-DAMD64",
        "-D_KERNEL_MODE",
        // The headers are not ours to tidy.
        "-Wno-everything",
        // What is not declared would be called with a guessed signature.
        "-Werror=implicit-function-declaration",
        "-Werror=int-conversion",
    ]);
    for directory in root::include_directories(root) {
        clang.arg("-I").arg(directory);
    }
    clang
}

/// Compiles the C sources of a minifilter and links them to the `.sys` that `out` names. Headers are searched in the
/// sources' own folders, in `includes`, and in the open WDK.
///
/// # Errors
///
/// The open WDK cannot be made, or what the compiler or the linker said.
pub fn compile_c(sources: &[PathBuf], includes: &[PathBuf], out: &Path) -> anyhow::Result<()> {
    let wdk = OpenWdk::prepare()?;
    let directory = out.parent().context("the .sys has a folder")?;
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
    ]);
    let mut output = OsString::from("/out:");
    output.push(out);
    link.arg(output);
    for (number, source) in sources.iter().enumerate() {
        let object = objects.path().join(format!("{number}.obj"));
        let mut clang = wdk.clang();
        for include in includes {
            clang.arg("-I").arg(include);
        }
        run(clang.args(["-O1", "-c", "-o"]).arg(&object).arg(source))?;
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
