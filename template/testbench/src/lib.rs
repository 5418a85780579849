//! The test bench.
#![allow(missing_docs)]

#[cfg(not(target_arch = "x86_64"))]
compile_error!(
    "the test bench runs the driver's own x64 code; build it for an x86_64 target, such as x86_64-unknown-linux-gnu"
);

mod bench;
pub mod expect;
mod fault;
mod guest;
pub mod image;
mod memory;
pub mod model;
mod os;
mod play;
pub mod report;
pub mod rules;
pub mod scenario;
pub mod status;
pub mod trace;
pub mod worker;

pub use bench::{Bench, Progress};
pub use expect::{Expectations, Policy};
pub use image::Refusal;
pub use report::{Finding, Report};
