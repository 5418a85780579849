//! Volumes and lookup of their instances and device objects.

use crate::lifecycle::devices;
use crate::machine::ledger::bad_handle;
use crate::machine::state::with;
use crate::machine::system::{once, system_block};
use crate::machine::{guest, memory};
use crate::objects::volumes::{Instance, KINDS, Volume};
use crate::trace::Registration;
use crate::vocabulary::layout::{device_object, related_objects, vpb};

impl Volume {
    /// Returns the device object of the volume, which belongs to the file system.
    #[must_use]
    pub fn device_object(&self) -> u64 {
        let what = format!("the volume device object of {}", self.name);
        devices::of_another(&what, self.device_type, self.characteristics(), self.driver)
    }

    /// Returns the `Characteristics` of its devices: `FILE_REMOVABLE_MEDIA`, `FILE_REMOTE_DEVICE`.
    #[must_use]
    pub fn characteristics(&self) -> u32 {
        const NETWORK: u32 = 0x14;
        u32::from(self.removable) | u32::from(self.device_type == NETWORK) << 4
    }

    /// Returns the device object of the underlying disk.
    #[must_use]
    pub fn disk_device_object(&self) -> u64 {
        const DISK: u32 = 0x07;
        let what = format!("the disk device object of {}", self.name);
        let device = devices::of_another(&what, DISK, self.characteristics(), "\\Driver\\volmgr");
        guest::write(device + device_object::SECTOR_SIZE, 512_u16);
        device
    }

    /// Returns the volume parameter block, or 0 if there is no disk.
    #[must_use]
    pub fn parameter_block(&self) -> u64 {
        if !self.disk {
            return 0;
        }
        let what = format!("the volume parameter block of {}", self.name);
        once(&what, || {
            let block = system_block(vpb::SIZE, &what);
            guest::write(block + vpb::HEAD, 0x0060_000A_u32);
            guest::write(block + vpb::FLAGS, 1_u16); // VPB_MOUNTED
            guest::write(block + vpb::DEVICE, self.device_object());
            guest::write(block + vpb::REAL_DEVICE, self.disk_device_object());
            block
        })
    }
}

/// Returns the volumes to which the filter can attach.
#[must_use]
pub fn all() -> Vec<Volume> {
    let pipes = with(|state| state.filter.registration.flags & Registration::NPFS_MSFS != 0);
    known()
        .into_iter()
        .zip(&KINDS)
        .filter(|(_, kind)| pipes || !kind.pipes)
        .map(|(volume, _)| volume)
        .collect()
}

fn known() -> Vec<Volume> {
    let known = with(|state| state.volumes.known.clone());
    if !known.is_empty() {
        return known;
    }
    let made: Vec<Volume> = KINDS
        .iter()
        .map(|kind| Volume {
            name: kind.name,
            handle: memory::handle(format!("the volume handle of {}", kind.name)),
            file_context: memory::handle("FsContext2 of a file object".to_owned()),
            device: kind.device,
            device_type: kind.device_type,
            file_system: kind.file_system,
            disk: kind.disk,
            removable: kind.removable,
            driver: kind.driver,
        })
        .collect();
    with(|state| state.volumes.known.clone_from(&made));
    made
}

/// Returns the default volume of files.
#[must_use]
pub fn first() -> Volume {
    known().swap_remove(0)
}

/// Returns the volume of a handle. The scenario ends if the handle is invalid.
#[must_use]
pub fn find(handle: u64) -> Volume {
    let volume = known().into_iter().find(|volume| volume.handle == handle);
    volume.unwrap_or_else(|| bad_handle("volume handle", handle))
}

/// Looks up an instance.
#[must_use]
pub fn by_instance(handle: u64) -> Option<Instance> {
    with(|state| {
        let mut instances = state.filter.instances.iter();
        instances
            .find(|instance| instance.handle == handle)
            .cloned()
    })
}

/// Fills in an `FLT_RELATED_OBJECTS`.
pub fn fill_objects(address: u64, instance: &Instance, file: u64) {
    let filter = with(|state| state.filter.handle);
    guest::write(
        address + related_objects::LENGTH,
        related_objects::SIZE as u16,
    );
    guest::write(address + related_objects::FILTER, filter);
    guest::write(address + related_objects::VOLUME, instance.volume.handle);
    guest::write(address + related_objects::INSTANCE, instance.handle);
    guest::write(address + related_objects::FILE, file);
}
