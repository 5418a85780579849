//! Attaches the filter to volumes, and detaches it.
//!
//! Documents: "`PFLT_INSTANCE_SETUP_CALLBACK` callback function (fltkernel.h)", "`PFLT_INSTANCE_QUERY_TEARDOWN_CALLBACK`
//! callback function (fltkernel.h)", "`PFLT_INSTANCE_TEARDOWN_CALLBACK` callback function (fltkernel.h)".

use crate::lifecycle::{contexts, devices, operations};
use crate::machine::events::must;
use crate::machine::ledger::bad_handle;
use crate::machine::schedule::enter;
use crate::machine::state::with;
use crate::machine::system::{once, system_block};
use crate::machine::threads::{self, new_thread};
use crate::machine::{guest, memory};
use crate::objects::volumes::{Instance, KINDS, TEARDOWN_MANUAL, Volume};
use crate::trace::{Registration, Routine};
use crate::vocabulary::irql::PASSIVE;
use crate::vocabulary::layout::{device_object, related_objects, vpb};
use crate::vocabulary::status::Status;

impl Volume {
    /// The device object of the volume, which belongs to the file system.
    #[must_use]
    pub fn device_object(&self) -> u64 {
        let what = format!("the volume device object of {}", self.name);
        devices::of_another(&what, self.device_type, self.characteristics(), self.driver)
    }

    /// `Characteristics` of its devices: `FILE_REMOVABLE_MEDIA`, `FILE_REMOTE_DEVICE`.
    #[must_use]
    pub fn characteristics(&self) -> u32 {
        const NETWORK: u32 = 0x14;
        u32::from(self.removable) | u32::from(self.device_type == NETWORK) << 4
    }

    /// The device object of the disk beneath.
    #[must_use]
    pub fn disk_device_object(&self) -> u64 {
        const DISK: u32 = 0x07;
        let what = format!("the disk device object of {}", self.name);
        let device = devices::of_another(&what, DISK, self.characteristics(), "\\Driver\\volmgr");
        guest::write(device + device_object::SECTOR_SIZE, 512_u16);
        device
    }

    /// The volume parameter block that joins the two; 0 where there is no disk.
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

/// The volumes that the filter can attach to.
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

/// The volume that files lie on unless something else is said.
#[must_use]
pub fn first() -> Volume {
    known().swap_remove(0)
}

/// The volume of a handle; ends the scenario if it is none.
#[must_use]
pub fn find(handle: u64) -> Volume {
    let volume = known().into_iter().find(|volume| volume.handle == handle);
    volume.unwrap_or_else(|| bad_handle("volume handle", handle))
}

/// Finds an instance.
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

fn with_objects(instance: &Instance, action: impl FnOnce(u64) -> u64) -> u64 {
    let objects = system_block(related_objects::SIZE, "the related objects of a callback");
    fill_objects(objects, instance, 0);
    let answer = action(objects);
    must(memory::free(objects, false));
    answer
}

/// Offers a volume to the filter. The instance, if the filter wants one.
#[expect(
    clippy::must_use_candidate,
    reason = "whether it attached shows in what follows"
)]
pub fn attach(volume: &Volume, flags: u32) -> Option<u64> {
    let instance = Instance {
        handle: memory::handle(format!("the instance handle on {}", volume.name)),
        volume: volume.clone(),
    };
    // The instance exists while its setup runs: contexts can be set on it.
    let setup = with(|state| {
        state.filter.instances.push(instance.clone());
        state.filter.callbacks.setup
    });
    if setup != 0 {
        let routine = Routine::InstanceSetup {
            volume: volume.name.to_owned(),
        };
        let thread = threads::current();
        let answer = with_objects(&instance, |objects| {
            let arguments = [
                objects,
                u64::from(flags),
                u64::from(volume.device_type),
                u64::from(volume.file_system),
            ];
            enter(routine, PASSIVE, thread, setup, &arguments)
        });
        if !Status(answer as u32).is_success() {
            forget(instance.handle);
            return None;
        }
    }
    Some(instance.handle)
}

fn forget(handle: u64) {
    contexts::instance_is_gone(handle);
    with(|state| {
        state
            .filter
            .instances
            .retain(|instance| instance.handle != handle);
    });
}

/// Detaches an instance by hand, if the filter lets it.
#[must_use]
pub fn detach(handle: u64) -> bool {
    let Some(instance) = by_instance(handle) else {
        return false;
    };
    let query = with(|state| state.filter.callbacks.query_teardown);
    if query == 0 {
        return false;
    }
    let routine = Routine::InstanceQueryTeardown {
        volume: instance.volume.name.to_owned(),
    };
    let thread = new_thread();
    let answer = with_objects(&instance, |objects| {
        enter(routine, PASSIVE, thread, query, &[objects, 0])
    });
    if !Status(answer as u32).is_success() {
        return false;
    }
    tear_down(handle, TEARDOWN_MANUAL);
    true
}

/// Tears an instance down: start, drain, complete, contexts.
pub fn tear_down(handle: u64, reason: u32) {
    let Some(instance) = by_instance(handle) else {
        return;
    };
    let (start, complete) = with(|state| {
        let callbacks = state.filter.callbacks;
        (callbacks.teardown_start, callbacks.teardown_complete)
    });
    let thread = threads::current();
    let volume = instance.volume.name.to_owned();
    if start != 0 {
        let routine = Routine::InstanceTeardownStart {
            volume: volume.clone(),
        };
        with_objects(&instance, |objects| {
            enter(
                routine,
                PASSIVE,
                thread,
                start,
                &[objects, u64::from(reason)],
            )
        });
    }
    operations::drain(handle);
    if complete != 0 {
        let routine = Routine::InstanceTeardownComplete { volume };
        with_objects(&instance, |objects| {
            enter(
                routine,
                PASSIVE,
                thread,
                complete,
                &[objects, u64::from(reason)],
            )
        });
    }
    forget(handle);
}
