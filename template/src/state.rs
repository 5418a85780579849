//! What the callbacks share.

use core::sync::atomic::{AtomicU32, Ordering};

use crate::published::Published;

/// The state that every callback is given. It is made before the filter is registered and dropped
/// after it is unregistered, so a callback never finds it missing. Callbacks run at the same time
/// on several processors, and post-operation callbacks up to `DISPATCH_LEVEL`: atomics, spin locks
/// and constants belong here.
pub struct State {
    /// How many instances are attached now; `fltmc instances` shows the same ones.
    attached: AtomicU32,
}

/// The state of the loaded driver.
pub static STATE: Published<State> = Published::empty();

impl State {
    /// The state of a driver that has not attached to anything yet.
    pub const fn new() -> Self {
        Self {
            attached: AtomicU32::new(0),
        }
    }

    /// Counts an instance that attached.
    pub fn instance_attached(&self) {
        self.attached.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts an instance that is gone.
    pub fn instance_detached(&self) {
        self.attached.fetch_sub(1, Ordering::Relaxed);
    }
}
