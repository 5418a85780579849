//! What the callbacks share.

use core::sync::atomic::AtomicU32;

/// The state of the driver, to which every callback has a reference.
///
/// Callbacks run at the same time on several processors, and post-operation callbacks at
/// `DISPATCH_LEVEL` or below: use atomics and constants.
pub struct State {
    /// The number of attached instances.
    pub attached: AtomicU32,
    /// The settings.
    pub parameters: crate::parameters::Parameters,
    /// Whether files can be opened.
    pub files_reachable: core::sync::atomic::AtomicBool,
}

impl State {
    /// Returns the state of a driver that is not attached to a volume yet.
    pub const fn new(parameters: crate::parameters::Parameters) -> Self {
        Self {
            attached: AtomicU32::new(0),
            parameters,
            files_reachable: core::sync::atomic::AtomicBool::new(false),
        }
    }
}
