//! What the callbacks share.

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use wdk_sys::ULONG;

use crate::{parameters::Parameters, published::Published};

/// The state that every callback is given. It is made before the filter is registered and dropped
/// after it is unregistered, so a callback never finds it missing. Callbacks run at the same time
/// on several processors, and post-operation callbacks up to `DISPATCH_LEVEL`: atomics, spin locks
/// and constants belong here.
pub struct State {
    /// How many instances are attached now; `fltmc instances` shows the same ones.
    attached: AtomicU32,
    /// The settings.
    parameters: Parameters,
    /// Whether files can be opened: not yet, while the system starts.
    files_reachable: AtomicBool,
}

/// The state of the loaded driver.
pub static STATE: Published<State> = Published::empty();

impl State {
    /// The state of a driver that has not attached to anything yet.
    pub const fn new(parameters: Parameters) -> Self {
        Self {
            attached: AtomicU32::new(0),
            parameters,
            files_reachable: AtomicBool::new(false),
        }
    }

    /// Whether an instance on this type of device may attach; counts it then.
    pub fn instance_attaches(&self, device_type: ULONG) -> bool {
        let room = |attached: u32| {
            (attached < self.parameters.maximum_instances).then_some(attached.wrapping_add(1))
        };
        self.parameters.attach_to(device_type)
            && self
                .attached
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, room)
                .is_ok()
    }

    /// Counts an instance that is gone.
    pub fn instance_detached(&self) {
        self.attached.fetch_sub(1, Ordering::Relaxed);
    }

    /// Notes that files can be opened from now on.
    pub fn files_are_reachable(&self) {
        self.files_reachable.store(true, Ordering::Release);
    }

    /// Whether files can be opened; a callback that opens one asks first.
    #[expect(dead_code, reason = "for your callbacks")]
    pub fn can_open_files(&self) -> bool {
        self.files_reachable.load(Ordering::Acquire)
    }
}
