//! Runs the scripts, injects faults, and collects the findings.

mod api;
mod explore;
mod faults;
mod outcome;
mod player;
mod verdict;

pub use api::Bench;
pub use explore::Progress;
