//! The open WDK, which replaces Microsoft's kit on Linux.
//!
//! | purpose | module |
//! |---|---|
//! | finds LLVM and mingw-w64 | [`toolchain`] |
//! | makes the folder that `WDKContentRoot` names | [`root`] |
//! | defines architectures, targets and profiles | [`target`] |
//! | checks the versions in a project's lock file | [`lock_file`] |
//! | makes wdk-build work on Linux | [`host`] |
//! | builds a minifilter in C | [`c`] |
//!
//! `ci/openwdk/` has its data, and a README that describes how the parts work together. An emitted project does not
//! depend on it.

pub mod c;
pub mod host;
pub mod lock_file;
pub mod root;
pub mod target;
pub mod toolchain;

use std::{env, path::PathBuf, process::Command};

use anyhow::Context;

use self::{
    target::{TARGET, TARGET_ARM64},
    toolchain::{Llvm, Mingw},
};

/// The open WDK, ready to build with.
#[derive(Debug, Clone)]
pub struct OpenWdk {
    /// The folder that `WDKContentRoot` names.
    pub root: PathBuf,
    llvm: Llvm,
}

impl OpenWdk {
    /// Makes the open WDK from LLVM and mingw-w64.
    ///
    /// # Errors
    ///
    /// Something is missing that [`setup`](crate::commands::setup) installs, or a tool fails.
    pub fn prepare() -> anyhow::Result<Self> {
        const MISSING: &str = "run `cargo xtask setup`, which says what is missing";
        let llvm = Llvm::find().with_context(|| format!("there is no complete LLVM: {MISSING}"))?;
        let mingw =
            Mingw::find().with_context(|| format!("mingw-w64 is not complete: {MISSING}"))?;
        let root = root::make(&root::cache(), &llvm, &mingw)?;
        Ok(Self { root, llvm })
    }

    /// Sets the environment of a cargo command that builds a driver.
    ///
    /// # Errors
    ///
    /// The path of this program cannot be determined.
    pub fn equip(&self, command: &mut Command) -> anyhow::Result<()> {
        let mut path = vec![self.llvm.bin.clone()];
        path.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
        command
            .env("WDKContentRoot", &self.root)
            .env_remove("Version_Number")
            .env("RUSTC_WRAPPER", crate::program()?)
            .env(host::ROLE, "1")
            // For bindgen, which reads the headers, and for embed-resource, which runs clang and llvm-rc.
            .env("LIBCLANG_PATH", &self.llvm.libclang)
            .env("PATH", env::join_paths(path)?);
        for target in [TARGET, TARGET_ARM64] {
            let name = target.replace('-', "_");
            command
                .env(
                    format!("CARGO_TARGET_{}_LINKER", name.to_uppercase()),
                    self.llvm.program("lld-link"),
                )
                .env(format!("CC_{name}"), self.llvm.program("clang"));
        }
        // A build script with bindgen has 14 MB without debug information, and 89 MB with it.
        for profile in ["DEV", "RELEASE"] {
            command
                .env(format!("CARGO_PROFILE_{profile}_BUILD_OVERRIDE_DEBUG"), "0")
                .env(
                    format!("CARGO_PROFILE_{profile}_BUILD_OVERRIDE_STRIP"),
                    "symbols",
                );
        }
        Ok(())
    }

    /// clang, set up to compile for the kernel of 64-bit Windows with these headers.
    #[must_use]
    pub fn clang(&self) -> Command {
        self.llvm.clang(&root::include_directories(&self.root))
    }

    fn library(&self, name: &str) -> PathBuf {
        root::library_directory(&self.root).join(name)
    }

    fn program(&self, name: &str) -> PathBuf {
        self.llvm.program(name)
    }
}
