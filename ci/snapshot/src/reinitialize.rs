//! What the driver does when the other drivers have started.
//!
//! `DriverEntry` of a driver that starts at boot runs before there is a file system.

use core::sync::atomic::Ordering;

use crate::{flt::reinitialization::Reinitialize, state::State};

impl Reinitialize for State {
    /// Called once, when files can be opened. Your code goes here.
    ///
    /// Runs at `PASSIVE_LEVEL` in a system thread, for which other drivers wait. Callbacks run
    /// already: one that opens files checks `files_reachable` first.
    fn file_systems_are_up(&self) {
        self.files_reachable.store(true, Ordering::Release);
    }
}
