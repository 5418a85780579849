//! Links the xtask program at a fixed address.

use std::env;

fn main() {
    // A worker of the test bench runs for a few milliseconds. In a position-independent program of this size, a third of
    // them is spent on relocations.
    if env::var_os("CARGO_CFG_TARGET_OS").is_some_and(|system| system == "linux") {
        println!("cargo::rustc-link-arg=-no-pie");
    }
    println!("cargo::rerun-if-changed=build.rs");
}
