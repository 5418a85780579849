//! Runs the scripts, injects faults, and collects the findings.

mod api;
mod explore;
mod faults;
mod outcome;
mod player;
mod session;
mod verdict;

pub use api::Bench;
pub use explore::Progress;
pub(crate) use faults::{fault, ways};
pub(crate) use player::Player;
pub(crate) use session::Session;
pub(crate) use verdict::findings_of;
