//! Links the xtask program at a fixed address.

use std::env;

fn main() {
    // Each scenario of the test bench starts this program as a worker, for a few milliseconds. A position-independent
    // program of this size spends much of them on relocations.
    if env::var_os("CARGO_CFG_TARGET_OS").is_some_and(|system| system == "linux") {
        println!("cargo::rustc-link-arg=-no-pie");
    }
    println!("cargo::rerun-if-changed=build.rs");
}
