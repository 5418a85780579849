//! The test bench.
#![allow(missing_docs)]

#[cfg(not(target_arch = "x86_64"))]
compile_error!(
    "the test bench runs the driver's own x64 code; build it for an x86_64 target, such as x86_64-unknown-linux-gnu"
);

mod fault;
mod guest;
pub mod image;
mod memory;
pub mod model;
mod os;
mod play;
pub mod scenario;
pub mod status;
pub mod trace;
pub mod worker;
