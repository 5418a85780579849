//! Devices, symbolic links, shutdown notifications, reinitialization routines and objects.
//!
//! Documents: "Creating a Device Object", "SDDL for Device Objects", "`DriverEntry` return values" and the reference
//! pages of the functions.

use std::ops::Range;

use crate::imports::{io, process};
use crate::lifecycle::{arguments, devices, handles, io_manager, pool};
use crate::machine::declare::functions;
use crate::machine::enter::in_teardown;
use crate::machine::events::{breach, emit, misuse, must, refuse};
use crate::machine::function::{Fails, Optional};
use crate::machine::ledger::{acquire, bad_handle, holds, must_release, release};
use crate::machine::space::Purpose;
use crate::machine::state::with;
use crate::machine::{guest, memory, threads};
use crate::objects::devices::{Device, Link};
use crate::trace::{Breach, Event, Kind, Misuse, Routine};
use crate::vocabulary::irql::{ANY, APC, DISPATCH, PASSIVE};
use crate::vocabulary::layout::{device_object, driver_object};
use crate::vocabulary::status::{self, Status};

functions! { pub DEVICES = "ntoskrnl.exe", "wdm.h";
    /// Creates a device object.
    [APC, Fails::With(&[status::INSUFFICIENT_RESOURCES, status::OBJECT_NAME_COLLISION])]
    fn IoCreateDevice(
        driver: u64, extension: u32, name: Optional, kind: u32, characteristics: u32, exclusive: u8, out: u64,
    ) -> Status {
        create(driver, extension, name, kind, characteristics, exclusive, out)
    }
    /// Deletes a device object.
    [APC, Fails::Never]
    fn IoDeleteDevice(device: u64) {
        io_manager::open_during_unload();
        must_release(Kind::Device, device);
        with(|state| state.devices.made.retain(|known| known.object != device));
        must(memory::free(device, in_teardown()));
    }
    /// Creates a symbolic link.
    [PASSIVE, Fails::With(&[status::OBJECT_NAME_COLLISION])]
    fn IoCreateSymbolicLink(link: u64, target: u64) -> Status {
        let name = String::from_utf16_lossy(&guest::unicode_units(link));
        let target = String::from_utf16_lossy(&guest::unicode_units(target));
        if let Err(refused) = arguments::new_name(&name) {
            return refused;
        }
        if !target.starts_with('\\') {
            let reason = format!("the device name {target:?} does not begin with a backslash");
            return refuse(status::INVALID_PARAMETER, reason);
        }
        if with(|state| state.devices.links.iter().any(|link| link.name.eq_ignore_ascii_case(&name))) {
            return status::OBJECT_NAME_COLLISION;
        }
        let key = with(|state| {
            state.devices.count += 1;
            let key = u64::from(state.devices.count);
            state.devices.links.push(Link { name: name.clone(), target, key });
            key
        });
        acquire(Kind::SymbolicLink, key, name);
        status::SUCCESS
    }
    /// Deletes a symbolic link.
    [PASSIVE, Fails::Never]
    fn IoDeleteSymbolicLink(link: u64) -> Status {
        io_manager::open_during_unload();
        let name = String::from_utf16_lossy(&guest::unicode_units(link));
        let found = with(|state| {
            let links = &mut state.devices.links;
            let at = links.iter().position(|link| link.name == name)?;
            Some(links.remove(at).key)
        });
        if let Some(key) = found {
            let _ = release(Kind::SymbolicLink, key);
            return status::SUCCESS;
        }
        let problem = format!("the symbolic link {name}, which another driver created, is deleted");
        breach(Breach::ForeignLink, problem);
        status::OBJECT_NAME_NOT_FOUND
    }
    /// Registers for `IRP_MJ_SHUTDOWN`.
    [PASSIVE, Fails::With(&[status::INSUFFICIENT_RESOURCES])]
    fn IoRegisterShutdownNotification(device: u64) -> Status { notify(device) }
    /// Registers for an `IRP_MJ_SHUTDOWN` that is sent after the file systems have handled theirs.
    [PASSIVE, Fails::With(&[status::INSUFFICIENT_RESOURCES])]
    fn IoRegisterLastChanceShutdownNotification(device: u64) -> Status { notify(device) }
    /// Unregisters a shutdown notification.
    [PASSIVE, Fails::Never]
    fn IoUnregisterShutdownNotification(device: u64) {
        io_manager::open_during_unload();
        must_release(Kind::ShutdownNotification, device);
    }
    /// Completes an IRP.
    [DISPATCH, Fails::Never]
    fn IofCompleteRequest(irp: u64, boost: u8) {
        match memory::block_at(irp) {
            Some(block) if block.freed && block.purpose == Purpose::Irp => {
                breach(Breach::Request, "IofCompleteRequest is called a second time for a request");
            }
            Some(block) if block.purpose == Purpose::Irp => {
                let thread = threads::current();
                if with(|state| state.locks.of(thread).any(|lock| lock.kind.ends_with("spin lock"))) {
                    misuse(Misuse::Lock { problem: "IofCompleteRequest is called while a spin lock is held".to_owned() });
                }
                io_manager::complete(irp, boost);
            }
            _ => bad_handle("IRP", irp),
        }
    }
    /// Releases a reference to an object.
    [DISPATCH, Fails::Never]
    fn ObfDereferenceObject(object: u64) -> i64 {
        must_release(Kind::Reference, object);
        0
    }
    /// Adds a reference to an object.
    [DISPATCH, Fails::Never]
    fn ObfReferenceObject(object: u64) -> i64 {
        acquire(Kind::Reference, object, object_name(object));
        0
    }
    /// Opens a handle to an object.
    [APC, Fails::With(&[status::INSUFFICIENT_RESOURCES, status::ACCESS_DENIED])]
    fn ObOpenObjectByPointer(object: u64, attributes: u32, _state: u64, _access: u32, kind: u64, mode: u8, out: u64) -> Status {
        handles::check_attributes(attributes);
        if kind == 0 && mode != 0 {
            return refuse(status::OBJECT_TYPE_MISMATCH, "ObjectType is NULL and AccessMode is UserMode");
        }
        let what = if holds(Kind::Device, object) {
            "to the device".to_owned()
        } else {
            format!("to {}", object_name(object))
        };
        guest::write(out, handles::new_handle(Kind::Handle, &what));
        status::SUCCESS
    }
    /// Returns the object of a handle, with a reference.
    [PASSIVE, Fails::With(&[status::INVALID_HANDLE])]
    fn ObReferenceObjectByHandle(handle: u64, access: u32, kind: u64, _mode: u8, out: u64, _information: u64) -> Status {
        // NtCurrentProcess, NtCurrentThread
        let pseudo = handle == u64::MAX || handle == u64::MAX - 1;
        if !pseudo && !holds(Kind::Handle, handle) {
            return status::INVALID_HANDLE;
        }
        if access & 0xF000_0000 != 0 {
            return refuse(status::ACCESS_DENIED, format!("DesiredAccess 0x{access:x} has a generic access right"));
        }
        let files = process::variable("IoFileObjectType").map(guest::read::<u64>);
        if !pseudo && kind != 0 && io::file_of(handle).is_some() != (files == Some(kind)) {
            return status::OBJECT_TYPE_MISMATCH;
        }
        guest::write(out, match io::file_of(handle) {
            Some(file) => {
                acquire(Kind::Reference, file, "the file object behind a handle");
                file
            }
            None => referenced("the object behind a handle"),
        });
        status::SUCCESS
    }
}

functions! { pub NTDDK_DEVICES = "ntoskrnl.exe", "ntddk.h";
    /// Registers a routine that is called after the drivers of this start phase have started.
    [PASSIVE, Fails::Never]
    fn IoRegisterDriverReinitialization(driver: u64, routine: u64, context: u64) {
        reinitialize_later(driver, routine, context);
    }
    /// Registers a routine that is called after the boot devices were found.
    [PASSIVE, Fails::Never]
    fn IoRegisterBootDriverReinitialization(driver: u64, routine: u64, context: u64) {
        reinitialize_later(driver, routine, context);
    }
    /// Returns the drive letter of a volume device. The driver must free the string.
    [PASSIVE, Fails::With(&[status::INSUFFICIENT_RESOURCES])]
    fn IoVolumeDeviceToDosName(_device: u64, name: u64) -> Status {
        let buffer = pool::allocate(4, u32::from_le_bytes(*b"Io  "), true, false);
        guest::write(buffer, u16::from(b'C'));
        guest::write(buffer + 2, u16::from(b':'));
        guest::set_unicode(name, 4, 4, buffer);
        status::SUCCESS
    }
}

functions! { pub WDMSEC = "ntoskrnl.exe", "wdmsec.h";
    /// Creates a device object with a security descriptor. wdmsec.lib, which is linked into the driver, looks it up by
    /// name.
    [PASSIVE, Fails::With(&[status::INSUFFICIENT_RESOURCES, status::OBJECT_NAME_COLLISION])]
    fn IoCreateDeviceSecure(
        driver: u64, extension: u32, name: Optional, kind: u32, characteristics: u32, exclusive: u8, sddl: u64,
        class: Optional, out: u64,
    ) -> Status {
        let sddl = guest::unicode(sddl);
        if name == 0 && characteristics & AUTOGENERATED_NAME == 0 {
            return refuse(status::INVALID_PARAMETER, "the device has no name");
        }
        if !is_dacl(&sddl) {
            return refuse(status::INVALID_PARAMETER, format!("{sddl:?} is no DACL in the format of \"SDDL for Device Objects\""));
        }
        if class != 0 {
            emit(&Event::DeviceClass { class: guid(class) });
        }
        create(driver, extension, name, kind, characteristics, exclusive, out)
    }
    /// Returns whether the access rights of a handle permit a control code.
    [ANY, Fails::With(&[status::ACCESS_DENIED])]
    fn IoValidateDeviceIoControlAccess(irp: u64, access: u32) -> Status {
        if !memory::block_at(irp).is_some_and(|block| block.purpose == Purpose::Irp) {
            bad_handle("IRP", irp);
        }
        if access & !3 != 0 {
            return refuse(status::INVALID_PARAMETER, format!("RequiredAccess is 0x{access:x}"));
        }
        status::SUCCESS
    }
}

/// `FILE_DEVICE_SECURE_OPEN`.
const SECURE_OPEN: u32 = 0x100;

/// `FILE_AUTOGENERATED_DEVICE_NAME`.
const AUTOGENERATED_NAME: u32 = 0x80;

/// Returns the text of a GUID.
fn guid(at: u64) -> String {
    let first = guest::read::<u32>(at);
    let (second, third) = (guest::read::<u16>(at + 4), guest::read::<u16>(at + 6));
    let last = guest::read::<u64>(at + 8).swap_bytes();
    let (fourth, fifth) = (last >> 48, last & 0xFFFF_FFFF_FFFF);
    format!("{first:08X}-{second:04X}-{third:04X}-{fourth:04X}-{fifth:012X}")
}

/// Returns whether a string has the format of "SDDL for Device Objects": a DACL of ACEs with six fields each, which
/// allow or deny access.
fn is_dacl(sddl: &str) -> bool {
    let Some(list) = sddl.strip_prefix("D:") else {
        return false;
    };
    let list = list.strip_prefix('P').unwrap_or(list);
    let Some(aces) = list.strip_prefix('(') else {
        return list.is_empty();
    };
    aces.strip_suffix(')').is_some_and(|aces| {
        aces.split(")(").all(|ace| {
            let fields: Vec<_> = ace.split(';').collect();
            matches!(fields[..], ["A" | "D", _, rights, "", "", sid] if !rights.is_empty() && !sid.is_empty())
        })
    })
}

/// Returns the name of an object. The scenario ends if the object does not exist.
fn object_name(object: u64) -> String {
    let block = || memory::block_at(object).filter(|block| !block.freed);
    memory::handle_name(object)
        .or_else(|| block().map(|block| block.what))
        .unwrap_or_else(|| bad_handle("object", object))
}

/// Returns a handle to an object to which the driver now holds a reference.
#[must_use]
pub fn referenced(what: &str) -> u64 {
    let object = memory::handle(what.to_owned());
    acquire(Kind::Reference, object, what);
    object
}

fn create(
    driver: u64,
    extension: u32,
    name: u64,
    kind: u32,
    characteristics: u32,
    exclusive: u8,
    out: u64,
) -> Status {
    if driver == 0 || with(|state| state.filter.driver) != driver {
        bad_handle("driver object", driver);
    }
    if !TYPES.contains(&kind) && !OWN_TYPES.contains(&kind) {
        breach(
            Breach::Argument,
            format!(
                "DeviceType is 0x{kind:x}; it is a FILE_DEVICE_XXX of the headers, or from 0x8000 to 0xffff"
            ),
        );
    }
    if extension > LARGEST_EXTENSION {
        return status::INSUFFICIENT_RESOURCES;
    }
    let name = guest::unicode(name);
    if !name.is_empty() && characteristics & SECURE_OPEN == 0 {
        breach(
            Breach::DeviceNamespace,
            format!(
                "the device {name} is created without FILE_DEVICE_SECURE_OPEN: its security does not apply to opens of names below its own"
            ),
        );
    }
    if !name.is_empty() {
        if let Err(refused) = arguments::new_name(&name) {
            return refused;
        }
        let is_same = |device: &Device| device.name.eq_ignore_ascii_case(&name);
        if with(|state| state.devices.made.iter().any(is_same)) {
            return status::OBJECT_NAME_COLLISION;
        }
    }
    let what = format!("the device object {name}");
    let device = devices::device_object(&what, extension as usize, driver, kind, characteristics);
    // DO_DEVICE_INITIALIZING, DO_EXCLUSIVE
    let flags = 0x80_u32 | u32::from(exclusive != 0) << 3;
    guest::write(device + device_object::FLAGS, flags);
    if extension != 0 {
        guest::write(
            device + device_object::EXTENSION,
            device + device_object::SIZE as u64,
        );
    }
    let next = guest::read::<u64>(driver + driver_object::DEVICE);
    guest::write(device + device_object::NEXT, next);
    guest::write(driver + driver_object::DEVICE, device);
    let made = Device {
        object: device,
        name: name.clone(),
        initializing: threads::routine() != Some(Routine::DriverEntry),
    };
    with(|state| state.devices.made.push(made));
    acquire(Kind::Device, device, name);
    guest::write(out, device);
    status::SUCCESS
}

/// The range of the `FILE_DEVICE_XXX` in the headers.
const TYPES: Range<u32> = 1..0x100;

/// The range of the device types for other vendors.
const OWN_TYPES: Range<u32> = 0x8000..0x1_0000;

/// `DEVICE_OBJECT.Size`, which includes the extension, is a 16-bit field.
const LARGEST_EXTENSION: u32 = (u16::MAX as usize - device_object::SIZE) as u32;

fn notify(device: u64) -> Status {
    if !holds(Kind::Device, device) {
        bad_handle("device object", device);
    }
    acquire(
        Kind::ShutdownNotification,
        device,
        "IoRegisterShutdownNotification",
    );
    status::SUCCESS
}

fn reinitialize_later(driver: u64, routine: u64, context: u64) {
    if driver == 0 || with(|state| state.filter.driver) != driver {
        bad_handle("driver object", driver);
    }
    with(|state| state.devices.reinitialize.push_back((routine, context)));
    acquire(
        Kind::Reinitialization,
        routine,
        "IoRegisterDriverReinitialization",
    );
}

#[cfg(test)]
mod tests {
    use super::is_dacl;

    #[test]
    fn only_a_dacl_is_accepted() {
        for sddl in [
            "D:",
            "D:P",
            "D:P(A;;GA;;;SY)",
            "D:(A;;GRGW;;;BA)(D;;GA;;;WD)",
        ] {
            assert!(is_dacl(sddl), "{sddl}");
        }
        for text in [
            "",
            "O:SY",
            "D:P(A;;GA;;;SY",
            "D:(A;;GA;;;)",
            "D:(A;;GA;;SY)",
            "D:(X;;GA;;;SY)",
            "D:PA",
        ] {
            assert!(!is_dacl(text), "{text}");
        }
    }
}
