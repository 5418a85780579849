//! The open WDK: what stands in for Microsoft's kit where there is none.
//!
//! | part | module |
//! |---|---|
//! | which tools and headers are there? | [`toolchain`] |
//! | the folder that `WDKContentRoot` names | [`root`] |
//! | what is a driver built for? | [`target`] |
//! | was the open WDK tried with a project's crates? | [`lock_file`] |
//! | wdk-build on a Linux host | [`host`] |
//! | a minifilter in C | [`c`] |
//!
//! `ci/openwdk/` holds its data, and a README that says how the parts fit. An emitted project knows nothing of it.

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
    /// What `WDKContentRoot` is set to.
    pub root: PathBuf,
    llvm: Llvm,
}

impl OpenWdk {
    /// Makes it of what is installed.
    ///
    /// # Errors
    ///
    /// Something is missing, which [`setup`](crate::commands::setup) would have installed, or a tool failed.
    pub fn prepare() -> anyhow::Result<Self> {
        const MISSING: &str = "run `cargo xtask setup`, which says what is missing";
        let llvm = Llvm::find().with_context(|| format!("there is no complete LLVM: {MISSING}"))?;
        let mingw =
            Mingw::find().with_context(|| format!("mingw-w64 is not complete: {MISSING}"))?;
        let root = root::make(&root::cache(), &llvm, &mingw)?;
        Ok(Self { root, llvm })
    }

    /// Sets what cargo needs, and what it starts, to build a driver with it.
    ///
    /// # Errors
    ///
    /// Where this program lies cannot be found out.
    pub fn equip(&self, command: &mut Command) -> anyhow::Result<()> {
        let mut path = vec![self.llvm.bin.clone()];
        path.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
        command
            .env("WDKContentRoot", &self.root)
            .env_remove("Version_Number")
            .env("RUSTC_WRAPPER", crate::program()?)
            .env(host::ROLE, "1")
            // bindgen reads the headers; embed-resource has clang preprocess the resource script for llvm-rc.
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
        // Build scripts that carry bindgen: 14 MB each without debug information, and 89 MB with.
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

    /// clang, which compiles for the kernel of 64-bit Windows against these headers.
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
