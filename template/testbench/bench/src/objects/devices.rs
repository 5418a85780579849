//! The devices and the reinitialization routines of the driver.

use std::collections::VecDeque;

/// The driver's devices.
#[derive(Debug, Clone, Default)]
pub struct Devices {
    /// The device objects.
    pub made: Vec<u64>,
    /// The symbolic links: name and key.
    pub links: Vec<(String, u64)>,
    /// The queued reinitialization routines, each with its context.
    pub reinitialize: VecDeque<(u64, u64)>,
    /// The number of calls of reinitialization routines.
    pub rounds: u32,
    /// The number of created links.
    pub count: u32,
}
