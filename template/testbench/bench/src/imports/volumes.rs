//! Volumes and instances.
//!
//! Document: "`FLT_VOLUME_PROPERTIES` structure (fltkernel.h)" and the reference pages of the functions.

use crate::lifecycle::{files, filter, instances, volumes};
use crate::machine::declare::functions;
use crate::machine::events::refuse;
use crate::machine::function::{Fails, Optional};
use crate::machine::guest;
use crate::machine::ledger::{acquire, bad_handle};
use crate::machine::state::with;
use crate::objects::volumes::{MANUAL, TEARDOWN_MANUAL, Volume};
use crate::trace::Kind;
use crate::vocabulary::irql::{APC, DISPATCH, PASSIVE};
use crate::vocabulary::status::{self, Status};

functions! { pub VOLUMES = "FLTMGR.SYS", "fltkernel.h";
    /// Gets the properties of a volume.
    [APC, Fails::With(&[status::BUFFER_TOO_SMALL])]
    fn FltGetVolumeProperties(volume: u64, properties: u64, length: u32, returned: u64) -> Status {
        let volume = volumes::find(volume);
        volume_properties(&volume, properties, length as usize, returned)
    }

    /// Gets the device name of a volume.
    [APC, Fails::With(&[status::BUFFER_TOO_SMALL])]
    fn FltGetVolumeName(volume: u64, name: Optional, size: Optional) -> Status {
        let volume = volumes::find(volume);
        give_name(volume.device, name, size)
    }

    /// Gets the GUID name of a volume.
    [PASSIVE, Fails::With(&[status::FLT_VOLUME_NOT_FOUND, status::INSUFFICIENT_RESOURCES])]
    fn FltGetVolumeGuidName(volume: u64, name: Optional, size: Optional) -> Status {
        let volume = volumes::find(volume);
        if !volume.kind.disk {
            return status::INVALID_DEVICE_REQUEST;
        }
        give_name("\\??\\Volume{01234567-89ab-cdef-0123-456789abcdef}", name, size)
    }

    /// Gets the file system type of a volume or an instance.
    [APC, Fails::With(&[status::FLT_DELETING_OBJECT])]
    fn FltGetFileSystemType(object: u64, out: u64) -> Status {
        let volume = volumes::by_instance(object).map_or_else(|| volumes::find(object), |instance| instance.volume);
        guest::write(out, volume.kind.file_system);
        status::SUCCESS
    }

    /// Gets the disk device object of a volume, with a reference.
    [DISPATCH, Fails::With(&[status::FLT_NO_DEVICE_OBJECT])]
    fn FltGetDiskDeviceObject(volume: u64, out: u64) -> Status {
        let volume = volumes::find(volume);
        if !volume.kind.disk {
            return status::FLT_NO_DEVICE_OBJECT;
        }
        guest::write(out, referenced(volume.disk_device_object(), "the disk device object"));
        status::SUCCESS
    }

    /// Gets the device object of a volume, with a reference.
    [DISPATCH, Fails::With(&[status::FLT_NO_DEVICE_OBJECT])]
    fn FltGetDeviceObject(volume: u64, out: u64) -> Status {
        let volume = volumes::find(volume);
        guest::write(out, referenced(volume.device_object(), "the volume device object"));
        status::SUCCESS
    }

    /// Returns whether the disk is writable.
    [PASSIVE, Fails::With(&[status::INSUFFICIENT_RESOURCES])]
    fn FltIsVolumeWritable(object: u64, out: u64) -> Status {
        if volumes::by_instance(object).is_none() {
            let _ = volumes::find(object);
        }
        guest::write(out, 1_u8);
        status::SUCCESS
    }

    /// Gets the volume of an instance, with a reference.
    [APC, Fails::With(&[status::FLT_DELETING_OBJECT])]
    fn FltGetVolumeFromInstance(instance: u64, out: u64) -> Status {
        let Some(instance) = volumes::by_instance(instance) else { bad_handle("instance handle", instance) };
        filter::reference(instance.volume.handle);
        guest::write(out, instance.volume.handle);
        status::SUCCESS
    }

    /// Gets the volume of a file object, with a reference.
    [APC, Fails::With(&[status::INVALID_PARAMETER])]
    fn FltGetVolumeFromFileObject(filter: u64, file: u64, out: u64) -> Status {
        filter::check(filter);
        let Some(volume) = files::volume_of(file) else { bad_handle("file object", file) };
        filter::reference(volume.handle);
        guest::write(out, volume.handle);
        status::SUCCESS
    }

    /// Gets the volume with a name, with a reference.
    [PASSIVE, Fails::With(&[status::FLT_VOLUME_NOT_FOUND])]
    fn FltGetVolumeFromName(filter: u64, name: u64, out: u64) -> Status {
        filter::check(filter);
        let name = String::from_utf16_lossy(&guest::unicode_units(name));
        let path = if name.starts_with('\\') { name.clone() } else { format!("\\??\\{name}") };
        let by_letter = volumes::resolve(&path).filter(|(_, rest)| rest.is_empty()).map(|(volume, _)| volume);
        let is_named = |volume: &Volume| volume.device.eq_ignore_ascii_case(&name);
        let Some(volume) = by_letter.or_else(|| volumes::all().into_iter().find(is_named)) else {
            return status::FLT_VOLUME_NOT_FOUND;
        };
        filter::reference(volume.handle);
        guest::write(out, volume.handle);
        status::SUCCESS
    }

    /// Gets the instances of the filter or of a volume. Each has a reference.
    [APC, Fails::With(&[status::INVALID_PARAMETER])]
    fn FltEnumerateInstances(volume: Optional, filter: Optional, list: u64, size: u32, returned: u64) -> Status {
        if filter != 0 {
            filter::check(filter);
        }
        if volume != 0 {
            let _ = volumes::find(volume);
        } else if filter == 0 {
            return refuse(status::INVALID_PARAMETER, "Volume and Filter are NULL");
        }
        let found: Vec<u64> = with(|state| {
            let instances = state.filter.instances.iter();
            let here = instances.filter(|instance| volume == 0 || instance.volume.handle == volume);
            here.map(|instance| instance.handle).collect()
        });
        give_list(&found, list, size, returned)
    }

    /// Gets the volumes. Each has a reference.
    [APC, Fails::With(&[status::INVALID_PARAMETER])]
    fn FltEnumerateVolumes(filter: u64, list: u64, size: u32, returned: u64) -> Status {
        filter::check(filter);
        let found: Vec<u64> = volumes::all().iter().map(|volume| volume.handle).collect();
        give_list(&found, list, size, returned)
    }

    /// Attaches the filter to a volume.
    [PASSIVE, Fails::With(&[status::FLT_DELETING_OBJECT])]
    fn FltAttachVolume(filter: u64, volume: u64, _name: u64, out: Optional) -> Status {
        filter::check(filter);
        let volume = volumes::find(volume);
        if with(|state| state.filter.instances.iter().any(|instance| instance.volume.handle == volume.handle)) {
            return status::FLT_INSTANCE_NAME_COLLISION;
        }
        let Some(instance) = instances::attach(&volume, MANUAL) else { return status::FLT_DO_NOT_ATTACH };
        if out != 0 {
            filter::reference(instance);
            guest::write(out, instance);
        }
        status::SUCCESS
    }

    /// Detaches the filter from a volume.
    [APC, Fails::Never]
    fn FltDetachVolume(filter: u64, volume: u64, _name: u64) -> Status {
        filter::check(filter);
        let volume = volumes::find(volume);
        let instance = with(|state| {
            let mut instances = state.filter.instances.iter();
            instances.find(|instance| instance.volume.handle == volume.handle).map(|i| i.handle)
        });
        match instance {
            Some(instance) => { instances::tear_down(instance, TEARDOWN_MANUAL); status::SUCCESS }
            None => status::FLT_INSTANCE_NOT_FOUND,
        }
    }
}

/// Returns an object to which the driver now holds a reference.
fn referenced(object: u64, what: &str) -> u64 {
    acquire(Kind::Reference, object, what);
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
    let strings = [volume.kind.driver, "\\Ntfs", volume.device];
    let room: usize = strings.iter().map(|text| text.len() * 2).sum();
    guest::write(returned, (SIZE + room) as u32);
    if length < SIZE {
        return status::BUFFER_TOO_SMALL;
    }
    guest::fill(address, 0, SIZE);
    guest::write(address, volume.kind.device_type);
    guest::write(address + 0x04, volume.characteristics());
    guest::write::<u16>(address + 0x10, if volume.kind.disk { 512 } else { 0 }); // SectorSize
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
