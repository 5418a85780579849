//! Volumes and the filter's instances on them.
//!
//! Documents: "`PFLT_INSTANCE_SETUP_CALLBACK` callback function (fltkernel.h)",
//! "`PFLT_INSTANCE_QUERY_TEARDOWN_CALLBACK` callback function (fltkernel.h)",
//! "`PFLT_INSTANCE_TEARDOWN_CALLBACK` callback function (fltkernel.h)", "`FLT_VOLUME_PROPERTIES`
//! structure (fltkernel.h)".

use super::layout::{device_object, related_objects, vpb};
use super::process::once;
use super::{
    APC, DISPATCH, Fails, Optional, PASSIVE, acquire, bad_handle, devices, enter, filter,
    functions, system_block, with,
};
use super::{contexts, operations};
use crate::status::{self, Status};
use crate::trace::{Registration, Routine};
use crate::{guest, memory};

/// A simulated volume.
#[derive(Debug, Clone)]
pub struct Volume {
    /// What the report calls it.
    pub name: &'static str,
    /// The handle.
    pub handle: u64,
    /// `FsContext2` of its file objects.
    pub file_context: u64,
    /// The volume's device name.
    pub device: &'static str,
    /// `DEVICE_TYPE` of the file system's volume.
    pub device_type: u32,
    /// `FLT_FILESYSTEM_TYPE`.
    pub file_system: u32,
    /// There is a disk beneath.
    pub disk: bool,
    /// The medium can be removed.
    pub removable: bool,
    /// The name of the file system's driver object.
    pub driver: &'static str,
}

impl Volume {
    /// The device object of the volume, which belongs to the file system.
    #[must_use]
    pub fn device_object(&self) -> u64 {
        let what = format!("the volume device object of {}", self.name);
        devices::of_another(&what, self.device_type, self.characteristics(), self.driver)
    }

    /// `Characteristics` of its devices: `FILE_REMOVABLE_MEDIA`, `FILE_REMOTE_DEVICE`.
    fn characteristics(&self) -> u32 {
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

/// An instance of the filter on a volume.
#[derive(Debug, Clone)]
pub struct Instance {
    /// The handle.
    pub handle: u64,
    /// The volume.
    pub volume: Volume,
}

struct Kind {
    name: &'static str,
    device: &'static str,
    device_type: u32,
    file_system: u32,
    disk: bool,
    pipes: bool,
    removable: bool,
    driver: &'static str,
}

/// A fixed disk, a removable one, a network redirector; and pipes and mailslots for filters that
/// ask for them.
const KINDS: [Kind; 5] = [
    Kind {
        name: "a fixed NTFS disk",
        device: "\\Device\\HarddiskVolume3",
        device_type: 0x08, // FILE_DEVICE_DISK_FILE_SYSTEM
        file_system: 2,    // FLT_FSTYPE_NTFS
        disk: true,
        pipes: false,
        removable: false,
        driver: "\\FileSystem\\Ntfs",
    },
    Kind {
        name: "a removable FAT disk",
        device: "\\Device\\HarddiskVolume7",
        device_type: 0x08,
        file_system: 3, // FLT_FSTYPE_FAT
        disk: true,
        pipes: false,
        removable: true,
        driver: "\\FileSystem\\fastfat",
    },
    Kind {
        name: "the network redirector",
        device: "\\Device\\Mup",
        device_type: 0x14, // FILE_DEVICE_NETWORK_FILE_SYSTEM
        file_system: 13,   // FLT_FSTYPE_MUP
        disk: false,
        pipes: false,
        removable: false,
        driver: "\\FileSystem\\Mup",
    },
    Kind {
        name: "the named pipe file system",
        device: "\\Device\\NamedPipe",
        device_type: 0x11, // FILE_DEVICE_NAMED_PIPE
        file_system: 25,   // FLT_FSTYPE_NPFS
        disk: false,
        pipes: true,
        removable: false,
        driver: "\\FileSystem\\Npfs",
    },
    Kind {
        name: "the mailslot file system",
        device: "\\Device\\Mailslot",
        device_type: 0x0C, // FILE_DEVICE_MAILSLOT
        file_system: 26,   // FLT_FSTYPE_MSFS
        disk: false,
        pipes: true,
        removable: false,
        driver: "\\FileSystem\\Msfs",
    },
];

/// `FLTFL_INSTANCE_SETUP_AUTOMATIC_ATTACHMENT`.
pub const AUTOMATIC: u32 = 1;
/// `FLTFL_INSTANCE_SETUP_MANUAL_ATTACHMENT`.
pub const MANUAL: u32 = 2;
/// `FLTFL_INSTANCE_TEARDOWN_MANUAL`.
pub const TEARDOWN_MANUAL: u32 = 1;
/// `FLTFL_INSTANCE_TEARDOWN_FILTER_UNLOAD`.
pub const FILTER_UNLOAD: u32 = 2;

functions! { pub VOLUMES = "FLTMGR.SYS", "fltkernel.h";
    /// Describes a volume.
    [APC, Fails::With(&[status::BUFFER_TOO_SMALL])]
    fn FltGetVolumeProperties(volume: u64, properties: u64, length: u32, returned: u64) -> Status {
        let volume = find(volume);
        volume_properties(&volume, properties, length as usize, returned)
    }

    /// A volume's device name.
    [APC, Fails::With(&[status::BUFFER_TOO_SMALL])]
    fn FltGetVolumeName(volume: u64, name: Optional, size: Optional) -> Status {
        let volume = find(volume);
        give_name(volume.device, name, size)
    }

    /// A volume's name with its GUID.
    [PASSIVE, Fails::With(&[status::FLT_VOLUME_NOT_FOUND, status::INSUFFICIENT_RESOURCES])]
    fn FltGetVolumeGuidName(volume: u64, name: Optional, size: Optional) -> Status {
        let volume = find(volume);
        if !volume.disk {
            return status::INVALID_DEVICE_REQUEST;
        }
        give_name("\\??\\Volume{01234567-89ab-cdef-0123-456789abcdef}", name, size)
    }

    /// A volume's or instance's file system.
    [APC, Fails::With(&[status::FLT_DELETING_OBJECT])]
    fn FltGetFileSystemType(object: u64, out: u64) -> Status {
        let volume = by_instance(object).map_or_else(|| find(object), |instance| instance.volume);
        guest::write(out, volume.file_system);
        status::SUCCESS
    }

    /// The device object of the disk beneath a volume; referenced.
    [DISPATCH, Fails::With(&[status::FLT_NO_DEVICE_OBJECT])]
    fn FltGetDiskDeviceObject(volume: u64, out: u64) -> Status {
        let volume = find(volume);
        if !volume.disk {
            return status::FLT_NO_DEVICE_OBJECT;
        }
        guest::write(out, referenced(volume.disk_device_object(), "the disk device object"));
        status::SUCCESS
    }

    /// The device object of a volume; referenced.
    [DISPATCH, Fails::With(&[status::FLT_NO_DEVICE_OBJECT])]
    fn FltGetDeviceObject(volume: u64, out: u64) -> Status {
        let volume = find(volume);
        guest::write(out, referenced(volume.device_object(), "the volume device object"));
        status::SUCCESS
    }

    /// Whether the disk can be written.
    [PASSIVE, Fails::With(&[status::INSUFFICIENT_RESOURCES])]
    fn FltIsVolumeWritable(object: u64, out: u64) -> Status {
        if by_instance(object).is_none() {
            let _ = find(object);
        }
        guest::write(out, 1_u8);
        status::SUCCESS
    }

    /// The volume of an instance; referenced.
    [APC, Fails::With(&[status::FLT_DELETING_OBJECT])]
    fn FltGetVolumeFromInstance(instance: u64, out: u64) -> Status {
        let Some(instance) = by_instance(instance) else { bad_handle("instance handle", instance) };
        filter::reference(instance.volume.handle);
        guest::write(out, instance.volume.handle);
        status::SUCCESS
    }

    /// The volume of a file object; referenced.
    [APC, Fails::With(&[status::INVALID_PARAMETER])]
    fn FltGetVolumeFromFileObject(filter: u64, file: u64, out: u64) -> Status {
        super::filter::check(filter);
        let Some(volume) = operations::volume_of(file) else { bad_handle("file object", file) };
        super::filter::reference(volume.handle);
        guest::write(out, volume.handle);
        status::SUCCESS
    }

    /// The volume of a name; referenced.
    [PASSIVE, Fails::With(&[status::FLT_VOLUME_NOT_FOUND])]
    fn FltGetVolumeFromName(filter: u64, name: u64, out: u64) -> Status {
        super::filter::check(filter);
        let name = guest::unicode(name);
        let Some(volume) = all().into_iter().find(|volume| volume.device.eq_ignore_ascii_case(&name)) else {
            return status::FLT_VOLUME_NOT_FOUND;
        };
        super::filter::reference(volume.handle);
        guest::write(out, volume.handle);
        status::SUCCESS
    }

    /// The filter's instances, or those on a volume; each referenced.
    [APC, Fails::With(&[status::INVALID_PARAMETER])]
    fn FltEnumerateInstances(volume: Optional, filter: Optional, list: u64, size: u32, returned: u64) -> Status {
        if filter != 0 {
            super::filter::check(filter);
        }
        let found: Vec<u64> = with(|state| {
            let instances = state.filter.instances.iter();
            let here = instances.filter(|instance| volume == 0 || instance.volume.handle == volume);
            here.map(|instance| instance.handle).collect()
        });
        give_list(&found, list, size, returned)
    }

    /// The volumes; each referenced.
    [APC, Fails::With(&[status::INVALID_PARAMETER])]
    fn FltEnumerateVolumes(filter: u64, list: u64, size: u32, returned: u64) -> Status {
        super::filter::check(filter);
        let found: Vec<u64> = all().iter().map(|volume| volume.handle).collect();
        give_list(&found, list, size, returned)
    }

    /// Attaches the filter to a volume.
    [PASSIVE, Fails::With(&[status::FLT_DELETING_OBJECT])]
    fn FltAttachVolume(filter: u64, volume: u64, _name: u64, out: Optional) -> Status {
        super::filter::check(filter);
        let volume = find(volume);
        if with(|state| state.filter.instances.iter().any(|instance| instance.volume.handle == volume.handle)) {
            return status::FLT_INSTANCE_NAME_COLLISION;
        }
        let Some(instance) = attach(&volume, MANUAL) else { return status::FLT_DO_NOT_ATTACH };
        if out != 0 {
            super::filter::reference(instance);
            guest::write(out, instance);
        }
        status::SUCCESS
    }

    /// Detaches the filter from a volume.
    [APC, Fails::Never]
    fn FltDetachVolume(filter: u64, volume: u64, _name: u64) -> Status {
        super::filter::check(filter);
        let volume = find(volume);
        let instance = with(|state| {
            let mut instances = state.filter.instances.iter();
            instances.find(|instance| instance.volume.handle == volume.handle).map(|i| i.handle)
        });
        match instance {
            Some(instance) => { tear_down(instance, TEARDOWN_MANUAL); status::SUCCESS }
            None => status::FLT_INSTANCE_NOT_FOUND,
        }
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

thread_local! {
    static KNOWN: std::cell::RefCell<Vec<Volume>> = const { std::cell::RefCell::new(Vec::new()) };
}

fn known() -> Vec<Volume> {
    KNOWN.with(|known| {
        let mut known = known.borrow_mut();
        if known.is_empty() {
            known.extend(KINDS.iter().map(|kind| Volume {
                name: kind.name,
                handle: memory::handle(format!("the volume handle of {}", kind.name)),
                file_context: memory::handle("FsContext2 of a file object".to_owned()),
                device: kind.device,
                device_type: kind.device_type,
                file_system: kind.file_system,
                disk: kind.disk,
                removable: kind.removable,
                driver: kind.driver,
            }));
        }
        known.clone()
    })
}

/// The volume that files lie on unless something else is said.
#[must_use]
pub fn first() -> Volume {
    known().swap_remove(0)
}

fn find(handle: u64) -> Volume {
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

/// An object that the driver now has a reference to.
fn referenced(object: u64, what: &str) -> u64 {
    acquire(crate::trace::Kind::Reference, object, what);
    object
}

fn give_name(text: &str, name: u64, size: u64) -> Status {
    let units: Vec<u16> = text.encode_utf16().collect();
    let needed = units.len() * 2;
    guest::write_if(size, needed as u32);
    if name == 0 || usize::from(guest::read::<u16>(name + 2)) < needed {
        return status::BUFFER_TOO_SMALL;
    }
    guest::through(name, "Buffer", || {
        guest::put_wide(guest::read(name + 8), &units);
    });
    guest::write(name, needed as u16);
    status::SUCCESS
}

fn give_list(found: &[u64], list: u64, size: u32, returned: u64) -> Status {
    guest::write(returned, found.len() as u32);
    if (size as usize) < found.len() {
        return status::BUFFER_TOO_SMALL;
    }
    for (at, object) in found.iter().enumerate() {
        filter::reference(*object);
        guest::write(list + 8 * at as u64, *object);
    }
    status::SUCCESS
}

fn volume_properties(volume: &Volume, address: u64, length: usize, returned: u64) -> Status {
    const SIZE: usize = 0x48;
    let strings = [volume.driver, "\\Ntfs", volume.device];
    let room: usize = strings.iter().map(|text| text.len() * 2).sum();
    guest::write(returned, (SIZE + room) as u32);
    if length < SIZE {
        return status::BUFFER_TOO_SMALL;
    }
    guest::fill(address, 0, SIZE);
    guest::write(address, volume.device_type);
    guest::write(address + 0x04, volume.characteristics());
    guest::write::<u16>(address + 0x10, if volume.disk { 512 } else { 0 }); // SectorSize
    if length < SIZE + room {
        guest::write(returned, SIZE as u32);
        return status::BUFFER_OVERFLOW;
    }
    let mut at = address + SIZE as u64;
    for (index, text) in strings.iter().enumerate() {
        let size = text.len() * 2;
        guest::set_unicode(address + 0x18 + 0x10 * index as u64, size, size, at);
        for unit in text.encode_utf16() {
            guest::write(at, unit);
            at += 2;
        }
    }
    status::SUCCESS
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
    super::must(memory::free(objects, false));
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
        let thread = with(|state| state.thread);
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
    let thread = super::new_thread();
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
    let (start, complete, thread) = with(|state| {
        let callbacks = state.filter.callbacks;
        (
            callbacks.teardown_start,
            callbacks.teardown_complete,
            state.thread,
        )
    });
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
