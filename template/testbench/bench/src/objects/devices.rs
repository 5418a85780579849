//! The devices of the driver, and its reinitialization routines.

use std::collections::VecDeque;

/// The driver's devices.
#[derive(Debug, Clone, Default)]
pub struct Devices {
    /// The device objects.
    pub made: Vec<u64>,
    /// The symbolic links: name and key.
    pub links: Vec<(String, u64)>,
    /// Routines that are queued, each with its context.
    pub reinitialize: VecDeque<(u64, u64)>,
    /// How many routines were called.
    pub rounds: u32,
    /// How many links were made.
    pub count: u32,
}
