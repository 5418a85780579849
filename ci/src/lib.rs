//! `cargo xtask`: everything that is done with the template, one module a verb.
//!
//! | question | module |
//! |---|---|
//! | how is a project emitted, and which answers are refused? | [`new`] |
//! | how is a driver built without Windows? | [`build`], [`openwdk`] |
//! | what must be installed for that? | [`setup`] |
//! | how is a `.sys` put through the bench, and how is the verdict shown? | [`verify`] |
//! | what does CI run? | [`test`] |
//! | which versions does a fresh project lock? | [`lock`] |

pub mod build;
pub mod lock;
pub mod new;
pub mod openwdk;
pub mod options;
pub mod setup;
pub mod test;
pub mod tools;
pub mod verify;

use std::path::{Path, PathBuf};

/// The folder of the repository: the one that holds `cargo-generate.toml`.
#[must_use]
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map_or_else(|| PathBuf::from(".."), Path::to_path_buf)
}
