//! The filter manager's types and functions, from the WDK's own `fltKernel.h`.
//!
//! `wdk-sys` does not have the filter manager. The bindings use the types that `wdk-sys` has, so
//! that both have the same `DRIVER_OBJECT`.

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
        // The header declares these variables, but no library defines them.
        .blocklist_var("GUID_.*")
        .raw_line("use wdk_sys::*;")
        .parse_callbacks(Box::new(TypesOfWdkSys))
        .generate()?
        .write_to_file(out_dir.join("fltmgr.rs"))?;
    Ok(())
}

/// Tells bindgen that the types of `wdk-sys` are `Copy`. Otherwise bindgen would not generate Rust
/// unions for the unions of `FltMgr`.
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
