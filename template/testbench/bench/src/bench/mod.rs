//! The bench: plays the scripts, finds out what can fail, makes it fail, and collects the verdict.

mod api;
mod explore;
mod faults;
mod outcome;
mod player;
mod verdict;

pub use api::Bench;
pub use explore::Progress;
