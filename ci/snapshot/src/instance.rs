//! Instances: which volumes the filter attaches to.

use core::sync::atomic::Ordering;

use crate::{
    flt::{InstanceSetup, Instances, bindings::_FLT_FILESYSTEM_TYPE::FLT_FSTYPE_RAW},
    state::State,
};

impl Instances for State {
    // In persistent memory, mapped files are read and written without any operation. A filter that
    // sees reads or writes does not attach to such volumes.
    const DAX_VOLUMES: bool = false;

    /// Returns whether the filter attaches to a volume. Your choice of volumes goes here.
    ///
    /// Runs at `PASSIVE_LEVEL`. A raw volume has no file system, and so no files.
    fn attaches_to(&self, volume: &InstanceSetup<'_>) -> bool {
        if volume.file_system() == FLT_FSTYPE_RAW {
            return false;
        }
        let most = self.parameters.maximum_instances;
        let room = |attached: u32| (attached < most).then_some(attached.wrapping_add(1));
        self.parameters.attach_to(volume.device_type())
            && self
                .attached
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, room)
                .is_ok()
    }

    /// Called when an instance is gone: no operation of its volume arrives any more.
    fn detached(&self) {
        self.attached.fetch_sub(1, Ordering::Relaxed);
    }
}
