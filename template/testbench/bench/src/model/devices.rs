//! Devices, links, shutdown notification, reinitialization, objects; and who opens the device.
//!
//! Documents: "Creating a Device Object", "`IoRegisterShutdownNotification` function (wdm.h)",
//! "`IoRegisterDriverReinitialization` function (ntddk.h)", "`DriverEntry` return values".

use std::collections::VecDeque;

use super::layout::{device_object, driver_object, file_object, irp};
use super::process::once;
use super::{
    APC, DISPATCH, Fails, Optional, PASSIVE, acquire, bad_handle, enter, functions, hang, holds,
    misuse, must, must_release, new_thread, release, system_block, with,
};
use crate::scenario::Story;
use crate::status::{self, Status};
use crate::trace::{Kind, Misuse, Routine};
use crate::{guest, memory};

/// The driver's devices.
#[derive(Debug, Clone, Default)]
pub struct Devices {
    made: Vec<u64>,
    links: Vec<(String, u64)>,
    reinitialize: VecDeque<(u64, u64)>,
    rounds: u32,
    count: u32,
}

functions! { pub DEVICES = "ntoskrnl.exe", "wdm.h";
    /// Makes a device.
    [APC, Fails::With(&[status::INSUFFICIENT_RESOURCES, status::OBJECT_NAME_COLLISION])]
    fn IoCreateDevice(
        driver: u64, extension: u32, name: Optional, kind: u32, characteristics: u32, _exclusive: u8, out: u64,
    ) -> Status {
        create(driver, extension, name, kind, characteristics, out)
    }
    /// Deletes it.
    [APC, Fails::Never]
    fn IoDeleteDevice(device: u64) {
        must_release(Kind::Device, device);
        with(|state| state.devices.made.retain(|known| *known != device));
        must(memory::free(device, super::in_teardown()));
    }
    /// Makes a link for programs.
    [PASSIVE, Fails::With(&[status::OBJECT_NAME_COLLISION])]
    fn IoCreateSymbolicLink(link: u64, target: u64) -> Status {
        let name = String::from_utf16_lossy(&guest::unicode_units(link));
        let _ = guest::unicode_units(target);
        let key = with(|state| {
            state.devices.count += 1;
            let key = u64::from(state.devices.count);
            state.devices.links.push((name.clone(), key));
            key
        });
        acquire(Kind::SymbolicLink, key, name);
        status::SUCCESS
    }
    /// Deletes it.
    [PASSIVE, Fails::Never]
    fn IoDeleteSymbolicLink(link: u64) -> Status {
        let name = String::from_utf16_lossy(&guest::unicode_units(link));
        let found = with(|state| {
            let links = &mut state.devices.links;
            let at = links.iter().position(|(known, _)| *known == name)?;
            Some(links.remove(at).1)
        });
        match found {
            Some(key) => { let _ = release(Kind::SymbolicLink, key); status::SUCCESS }
            None => status::OBJECT_NAME_NOT_FOUND,
        }
    }
    /// Asks for an `IRP_MJ_SHUTDOWN`.
    [PASSIVE, Fails::With(&[status::INSUFFICIENT_RESOURCES])]
    fn IoRegisterShutdownNotification(device: u64) -> Status { notify(device) }
    /// Asks for an `IRP_MJ_SHUTDOWN` after the file systems' own.
    [PASSIVE, Fails::With(&[status::INSUFFICIENT_RESOURCES])]
    fn IoRegisterLastChanceShutdownNotification(device: u64) -> Status { notify(device) }
    /// Takes that back.
    [PASSIVE, Fails::Never]
    fn IoUnregisterShutdownNotification(device: u64) {
        must_release(Kind::ShutdownNotification, device);
    }
    /// Completes an IRP.
    [DISPATCH, Fails::Never]
    fn IofCompleteRequest(irp: u64, _boost: u32) {
        match memory::block_at(irp) {
            Some(block) if !block.freed && block.what == "an IRP" => {
                guest::write(irp + COMPLETED, 1_u8);
                guest::copy(irp + COMPLETED_WITH, irp + irp::STATUS, 4);
            }
            _ => bad_handle("IRP", irp),
        }
    }
    /// Takes a reference to an object back.
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
    /// A handle to an object.
    [PASSIVE, Fails::With(&[status::INSUFFICIENT_RESOURCES, status::ACCESS_DENIED])]
    fn ObOpenObjectByPointer(object: u64, _attributes: u32, _state: u64, _access: u32, _kind: u64, _mode: u8, out: u64) -> Status {
        let what = if holds(Kind::Device, object) {
            "to the device".to_owned()
        } else {
            format!("to {}", object_name(object))
        };
        guest::write(out, super::registry::new_handle(Kind::Handle, &what));
        status::SUCCESS
    }
    /// The object behind a handle; referenced.
    [PASSIVE, Fails::With(&[status::INVALID_HANDLE])]
    fn ObReferenceObjectByHandle(handle: u64, _access: u32, _kind: u64, _mode: u8, out: u64, _information: u64) -> Status {
        // NtCurrentProcess, NtCurrentThread
        let pseudo = handle == u64::MAX || handle == u64::MAX - 1;
        if !pseudo && !holds(Kind::Handle, handle) {
            return status::INVALID_HANDLE;
        }
        guest::write(out, match super::io::file_of(handle) {
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
    /// Asks for a routine to be called after the drivers of this phase have started.
    [PASSIVE, Fails::Never]
    fn IoRegisterDriverReinitialization(driver: u64, routine: u64, context: u64) {
        reinitialize_later(driver, routine, context);
    }
    /// Asks for a routine to be called after the boot devices were found.
    [PASSIVE, Fails::Never]
    fn IoRegisterBootDriverReinitialization(driver: u64, routine: u64, context: u64) {
        reinitialize_later(driver, routine, context);
    }
    /// The drive letter of a volume's device. The string is the driver's.
    [PASSIVE, Fails::With(&[status::INSUFFICIENT_RESOURCES])]
    fn IoVolumeDeviceToDosName(_device: u64, name: u64) -> Status {
        let buffer = super::pool::allocate(4, u32::from_le_bytes(*b"Io  "), true, false);
        guest::write(buffer, u16::from(b'C'));
        guest::write(buffer + 2, u16::from(b':'));
        guest::set_unicode(name, 4, 4, buffer);
        status::SUCCESS
    }
}

functions! { pub WDMSEC = "ntoskrnl.exe", "wdmsec.h";
    /// Makes a device with a security of its own. wdmsec.lib, which becomes a part of the driver, finds it by name.
    [PASSIVE, Fails::With(&[status::INSUFFICIENT_RESOURCES, status::OBJECT_NAME_COLLISION])]
    fn IoCreateDeviceSecure(
        driver: u64, extension: u32, name: Optional, kind: u32, characteristics: u32, _exclusive: u8, sddl: u64,
        _class: u64, out: u64,
    ) -> Status {
        if (name == 0 && characteristics & AUTOGENERATED_NAME == 0) || !is_dacl(&guest::unicode(sddl)) {
            return status::INVALID_PARAMETER;
        }
        create(driver, extension, name, kind, characteristics, out)
    }
    /// Whether a program may send a control code, by the rights of its handle.
    [PASSIVE, Fails::With(&[status::ACCESS_DENIED])]
    fn IoValidateDeviceIoControlAccess(_irp: u64, _access: u32) -> Status { status::SUCCESS }
}

/// `FILE_AUTOGENERATED_DEVICE_NAME`.
const AUTOGENERATED_NAME: u32 = 0x80;

/// Whether it is what "SDDL for Device Objects" allows: a DACL, of aces with six fields each that allow or deny.
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

/// What an object is called; the scenario ends where there is none.
fn object_name(object: u64) -> String {
    let block = || memory::block_at(object).filter(|block| !block.freed);
    memory::handle_name(object)
        .or_else(|| block().map(|block| block.what))
        .unwrap_or_else(|| bad_handle("object", object))
}

/// A handle to an object that the driver now has a reference to.
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
    out: u64,
) -> Status {
    if driver == 0 || with(|state| state.filter.driver) != driver {
        bad_handle("driver object", driver);
    }
    if extension > LARGEST_EXTENSION {
        return status::INSUFFICIENT_RESOURCES;
    }
    let name = guest::unicode(name);
    let what = format!("the device object {name}");
    let device = device_object(&what, extension as usize, driver, kind, characteristics);
    guest::write(device + device_object::FLAGS, 0x80_u32); // DO_DEVICE_INITIALIZING
    if extension != 0 {
        guest::write(
            device + device_object::EXTENSION,
            device + device_object::SIZE as u64,
        );
    }
    let next = guest::read::<u64>(driver + driver_object::DEVICE);
    guest::write(device + device_object::NEXT, next);
    guest::write(driver + driver_object::DEVICE, device);
    with(|state| state.devices.made.push(device));
    acquire(Kind::Device, device, name);
    guest::write(out, device);
    status::SUCCESS
}

/// `DEVICE_OBJECT.Size`, which counts the extension, is 16 bits wide.
const LARGEST_EXTENSION: u32 = (u16::MAX as usize - device_object::SIZE) as u32;

/// A device object. The pointers that its document calls opaque lead to inaccessible memory.
fn device_object(
    what: &str,
    extension: usize,
    driver: u64,
    kind: u32,
    characteristics: u32,
) -> u64 {
    let size = device_object::SIZE + extension;
    let device = system_block(size, what);
    guest::write(device, 3_u16);
    guest::write(device + 2, size as u16);
    guest::write(device + device_object::DRIVER, driver);
    guest::write(device + device_object::CHARACTERISTICS, characteristics);
    guest::write(device + device_object::TYPE, kind);
    guest::write(device + device_object::STACK_SIZE, 1_u8);
    for (member, place) in [
        ("AttachedDevice", device_object::ATTACHED),
        ("Vpb", device_object::VPB),
        ("DeviceObjectExtension", device_object::OBJECT_EXTENSION),
    ] {
        guest::write(
            device + place,
            opaque(&format!("{member} of a device object")),
        );
    }
    device
}

/// Where an opaque pointer of a structure points.
#[must_use]
pub fn opaque(what: &str) -> u64 {
    once(&format!("opaque {what}"), || {
        memory::handle(what.to_owned())
    })
}

/// A device object of another driver's; the same for the same name.
#[must_use]
pub fn of_another(what: &str, kind: u32, characteristics: u32, driver: &str) -> u64 {
    once(what, || {
        let name = driver.rsplit('\\').next().unwrap_or_default();
        let driver = once(driver, || new_driver_object(0, 0, 0, driver, name));
        let device = device_object(what, 0, driver, kind, characteristics);
        let extension = opaque("DeviceExtension of another driver's device object");
        guest::write(device + device_object::EXTENSION, extension);
        guest::write(driver + driver_object::DEVICE, device);
        device
    })
}

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

/// More rounds than any driver needs to find what it waits for.
const MOST_ROUNDS: u32 = 1000;

/// After `DriverEntry` succeeded: the reinitialization routines run, until none is queued any more.
pub fn reinitialize() {
    while let Some((routine, context)) = with(|state| state.devices.reinitialize.pop_front()) {
        let (driver, count) = with(|state| {
            state.devices.rounds += 1;
            (state.filter.driver, state.devices.rounds)
        });
        if count > MOST_ROUNDS {
            hang(format!(
                "the reinitialization routine queued itself {MOST_ROUNDS} times: the system waits for it to be done"
            ));
        }
        let _ = release(Kind::Reinitialization, routine);
        let arguments = [driver, context, u64::from(count)];
        let _ = enter(
            reinitialization(),
            PASSIVE,
            new_thread(),
            routine,
            &arguments,
        );
    }
}

/// The routine that `IoRegisterDriverReinitialization` queues.
#[must_use]
pub fn reinitialization() -> Routine {
    Routine::Other {
        routine: "DRIVER_REINITIALIZE".to_owned(),
    }
}

/// Whether files can be opened. A driver that has a reinitialization routine may be waiting for that: in
/// one story it has to wait for three rounds, in another for ever.
#[must_use]
pub fn files_are_up() -> bool {
    with(|state| match state.scenario.story {
        Story::ServiceStop => !(1..=3).contains(&state.devices.rounds),
        Story::Shutdown => state.devices.rounds == 0,
        _ => true,
    })
}

/// A handle of a program to the driver's device.
#[derive(Debug)]
pub struct Open {
    device: u64,
    file: u64,
}

/// A program opens the driver's first device.
#[must_use]
pub fn open() -> Option<Open> {
    let device = with(|state| state.devices.made.first().copied())?;
    let open = Open {
        device,
        file: new_file(device),
    };
    if open.send(0x00).is_success() {
        return Some(open);
    }
    must(memory::free(open.file, false));
    None
}

impl Open {
    /// `FlushFileBuffers`.
    pub fn flush(&self) {
        let _ = self.send(0x09);
    }

    /// `CloseHandle`.
    pub fn close(self) {
        let _ = self.send(0x12);
        let _ = self.send(0x02);
        must(memory::free(self.file, false));
    }

    fn send(&self, major: u8) -> Status {
        send(self.device, self.file, major)
    }
}

/// A program opens the driver's device, tries a control code, flushes and closes it.
pub fn use_device() {
    if let Some(open) = open() {
        let _ = open.send(0x0E);
        open.flush();
        open.close();
    }
}

/// The system shuts down: the notifications.
pub fn shutdown() {
    let devices = with(|state| state.devices.made.clone());
    for device in devices {
        if holds(Kind::ShutdownNotification, device) {
            let file = new_file(device);
            let _ = send(device, file, 0x10);
            must(memory::free(file, false));
        }
    }
}

fn new_file(device: u64) -> u64 {
    let file = system_block(file_object::SIZE, "the file object of the control device");
    guest::write(file + file_object::HEAD, 0x00D8_0005_u32);
    guest::write(file + file_object::DEVICE, device);
    let extension = opaque("FileObjectExtension of a file object");
    guest::write(file + file_object::OBJECT_EXTENSION, extension);
    file
}

/// Behind the IRP: the `IO_SECURITY_CONTEXT` of a create and the `ACCESS_STATE` that it points to.
const SECURITY_CONTEXT: u64 = irp::SIZE as u64 + 0x120;
const ACCESS_STATE: u64 = SECURITY_CONTEXT + 0x20;
/// Behind the IRP, out of the driver's sight: whether it was completed, and with what.
const COMPLETED: u64 = irp::SIZE as u64 + 0x100;
const COMPLETED_WITH: u64 = COMPLETED + 4;

/// Sends an IRP to the driver's dispatch routine.
fn send(device: u64, file: u64, major: u8) -> Status {
    let driver = with(|state| state.filter.driver);
    let dispatch = guest::read::<u64>(driver + driver_object::MAJOR + 8 * u64::from(major));
    if !memory::is_code(dispatch) {
        return status::INVALID_DEVICE_REQUEST;
    }
    let name = super::operations::major_name(major);
    let request = system_block(irp::SIZE + 0x240, "an IRP");
    let stack = request + irp::SIZE as u64 + 0x40;
    guest::write(request + irp::HEAD, 0x00D0_0006_u32);
    guest::write(request + irp::MODE, 1_u8);
    guest::write(request + irp::LOCATION, 0x0101_u16);
    guest::write(request + irp::THREAD, super::process::current_thread());
    guest::write(request + irp::STACK, stack);
    guest::write(stack, major);
    guest::write(stack + 0x28, device);
    guest::write(stack + 0x30, file);
    match major {
        0x00 => {
            guest::write(request + SECURITY_CONTEXT + 8, request + ACCESS_STATE);
            guest::write(request + SECURITY_CONTEXT + 0x10, 0x0012_0089_u32); // FILE_GENERIC_READ
            guest::write(stack + 0x08, request + SECURITY_CONTEXT);
            guest::write(stack + 0x10, 0x0100_0060_u32); // FILE_OPEN, FILE_NON_DIRECTORY_FILE, synchronous
            guest::write(stack + 0x1A, 0x7_u16);
        }
        0x0E => guest::write(stack + 0x18, 0x0022_FFFC_u32),
        _ => {}
    }
    let routine = dispatch_routine(major);
    let answer = Status(enter(routine, PASSIVE, new_thread(), dispatch, &[device, request]) as u32);
    let completed = guest::read::<u8>(request + COMPLETED) == 1;
    let with = Status(guest::read(request + COMPLETED_WITH));
    let problem = match completed {
        false if answer != status::PENDING => {
            Some(format!("returned {answer} without IoCompleteRequest"))
        }
        true if answer != status::PENDING && answer != with => {
            Some(format!("returned {answer}, and IoStatus.Status is {with}"))
        }
        _ => None,
    };
    if let Some(problem) = problem {
        misuse(Misuse::Lock {
            problem: format!("the dispatch routine of {name} {problem}"),
        });
    }
    must(memory::free(request, false));
    answer
}

/// A dispatch routine of the driver's.
#[must_use]
pub fn dispatch_routine(major: u8) -> Routine {
    Routine::Other {
        routine: format!(
            "dispatch routine of {}",
            super::operations::major_name(major)
        ),
    }
}

/// Whether a dispatch entry is the driver's own.
#[must_use]
pub fn is_own_dispatch(major: u8) -> bool {
    let driver = with(|state| state.filter.driver);
    memory::rva(guest::read(
        driver + driver_object::MAJOR + 8 * u64::from(major),
    ))
    .is_some()
}

/// A driver object as the I/O manager hands it to `DriverEntry`.
#[must_use]
pub fn new_driver_object(base: u64, size: usize, entry: u64, name: &str, service: &str) -> u64 {
    let driver = system_block(driver_object::SIZE, "the driver object");
    let extension = system_block(0x60, "the driver extension");
    let hardware = once("the hardware database", || {
        super::system_string(
            "\\REGISTRY\\MACHINE\\HARDWARE\\DESCRIPTION\\SYSTEM",
            memory::Purpose::System,
            "the path of the hardware database",
        )
    });
    let name = super::system_string(name, memory::Purpose::System, "the driver's name");
    let key = super::system_string(service, memory::Purpose::System, "the service's name");
    guest::write(driver + driver_object::HEAD, 0x0150_0004_u32);
    guest::write(driver + driver_object::START, base);
    guest::write(driver + driver_object::LENGTH, size as u32);
    guest::write(driver + driver_object::EXTENSION, extension);
    guest::write(
        driver + driver_object::SECTION,
        opaque("DriverSection of the driver object"),
    );
    guest::write(driver + driver_object::HARDWARE, hardware);
    guest::write(driver + driver_object::FAST_IO, 0_u64);
    guest::write(driver + driver_object::INIT, entry);
    guest::copy(driver + driver_object::NAME, name, 16);
    guest::write(extension, driver);
    guest::copy(extension + 0x18, key, 16);
    let default = super::thunk("ntoskrnl.exe", "IopInvalidDeviceRequest");
    for major in 0..28 {
        guest::write(driver + driver_object::MAJOR + 8 * major, default);
    }
    driver
}

#[cfg(test)]
mod tests {
    use super::is_dacl;

    #[test]
    fn a_dacl_is_told_from_other_text() {
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
