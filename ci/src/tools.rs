//! Programs from crates.io that the tests run.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;

use anyhow::{Context, ensure};

/// The release that the template is tested with: the same as that of the library in Cargo.toml.
const CARGO_GENERATE: &str = "0.26.0";

/// The released `cargo-generate` program, with its git client, in `ci/target/tools`.
///
/// It is built there when it is missing, which takes about two minutes, once. A debug build, because that takes
/// a third of the time and the program runs for a tenth of a second.
///
/// # Errors
///
/// A sentence that says what could not be installed.
pub fn ensure_cargo_generate() -> anyhow::Result<PathBuf> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock();

    let root = crate::repository().join("ci/target/tools");
    let program = root
        .join("bin/cargo-generate")
        .with_extension(std::env::consts::EXE_EXTENSION);
    let version = Command::new(&program).arg("--version").output();
    let wanted = format!("cargo generate {CARGO_GENERATE}");
    if version.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).trim() == wanted) {
        return Ok(program);
    }

    eprintln!(
        "Installing cargo-generate {CARGO_GENERATE} into {}, once",
        root.display()
    );
    let status = Command::new("cargo")
        .args([
            "install",
            "cargo-generate",
            "--version",
            CARGO_GENERATE,
            "--debug",
            "--force",
            "--root",
        ])
        .arg(&root)
        // The released lock file, two of whose packages claim to need a newer Rust and do not.
        .args(["--locked", "--ignore-rust-version"])
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .status()
        .context("cargo cannot be started")?;
    ensure!(
        status.success(),
        "cargo-generate {CARGO_GENERATE} cannot be installed from crates.io: see above"
    );
    Ok(program)
}
