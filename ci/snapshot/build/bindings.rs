//! The filter manager's types and functions, from the WDK's own `fltKernel.h`.
//!
//! `wdk-sys` has no filter manager yet. What it does have is taken from it, so that a
//! `DRIVER_OBJECT` here is the `DRIVER_OBJECT` there.

use std::{error::Error, path::Path};

use bindgen::{
    Builder,
    callbacks::{DeriveTrait, ImplementsTrait, ParseCallbacks},
};
use wdk_build::{BuilderExt, Config};

/// Writes `fltmgr.rs` to `out_dir`.
pub fn generate(config: &Config, out_dir: &Path) -> Result<(), Box<dyn Error>> {
    Builder::wdk_default(config)?
        .header_contents(
            "fltmgr-input.h",
            "#include <ntifs.h>\n#include <fltKernel.h>\n",
        )
        .allowlist_file(r"(?i).*[/\\]flt\w*\.h")
        .allowlist_recursively(false)
        // Externs that nothing defines: a GUID is written as a constant where it is needed.
        .blocklist_var("GUID_.*")
        .raw_line("use wdk_sys::*;")
        .parse_callbacks(Box::new(TypesOfWdkSys))
        .generate()?
        .write_to_file(out_dir.join("fltmgr.rs"))?;
    Ok(())
}

/// Tells bindgen what it cannot see: the types of `wdk-sys` are `Copy`. Without this the unions of
/// `FltMgr` would not be Rust unions.
#[derive(Debug)]
struct TypesOfWdkSys;

impl ParseCallbacks for TypesOfWdkSys {
    fn blocklisted_type_implements_trait(
        &self,
        _name: &str,
        derive_trait: DeriveTrait,
    ) -> Option<ImplementsTrait> {
        Some(match derive_trait {
            DeriveTrait::Copy => ImplementsTrait::Yes,
            _ => ImplementsTrait::No,
        })
    }
}
