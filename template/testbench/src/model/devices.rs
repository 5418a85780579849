//! Devices, links, shutdown notification, reinitialization, objects; and who opens the device.
//!
//! Documents: "Creating a Device Object", "`IoRegisterShutdownNotification` function (wdm.h)",
//! "`IoRegisterDriverReinitialization` function (ntddk.h)", "`DriverEntry` return values".

use super::layout::{device_object, driver_object, irp};
use super::{
    APC, DISPATCH, Fails, PASSIVE, acquire, bad_handle, enter, functions, holds, misuse, must,
    must_release, new_thread, release, system_block, with,
};
use crate::status::{self, Status};
use crate::trace::{Kind, Misuse, Routine};
use crate::{guest, memory};

/// The driver's devices.
#[derive(Debug, Clone, Default)]
pub struct Devices {
    made: Vec<u64>,
    links: Vec<(String, u64)>,
    reinitialize: Vec<(u64, u64)>,
    count: u32,
}

functions! { pub DEVICES = "ntoskrnl.exe", "wdm.h";
    /// Makes a device.
    [APC, Fails::With(&[status::INSUFFICIENT_RESOURCES, status::OBJECT_NAME_COLLISION])]
    fn IoCreateDevice(
        driver: u64, extension: u32, name: u64, kind: u32, characteristics: u32, _exclusive: u8, out: u64,
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
    fn IoCreateSymbolicLink(link: u64, _name: u64) -> Status {
        let name = guest::unicode(link);
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
        let name = guest::unicode(link);
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
            Some(block) if !block.freed && block.what == "an IRP" => guest::write(irp + irp::SIZE as u64 + 0x100, 1_u8),
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
        acquire(Kind::Reference, object, memory::handle_name(object).unwrap_or_else(|| "an object".to_owned()));
        0
    }
    /// The object behind a handle; referenced.
    [PASSIVE, Fails::With(&[status::INVALID_HANDLE])]
    fn ObReferenceObjectByHandle(_handle: u64, _access: u32, _kind: u64, _mode: u8, out: u64, _information: u64) -> Status {
        guest::write(out, referenced("the object behind a handle"));
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
    let name = guest::unicode(name);
    let size = device_object::SIZE + extension as usize;
    let device = system_block(size, &format!("the device object {name}"));
    guest::write(device, 0x0150_0003_u32);
    guest::write(device + device_object::DRIVER, driver);
    guest::write(device + device_object::FLAGS, 0x80_u32); // DO_DEVICE_INITIALIZING
    guest::write(device + device_object::CHARACTERISTICS, characteristics);
    guest::write(device + device_object::TYPE, kind);
    guest::write(device + device_object::STACK_SIZE, 1_u8);
    if extension != 0 {
        guest::write(
            device + device_object::EXTENSION,
            device + device_object::SIZE as u64,
        );
    }
    let next = guest::read::<u64>(driver + 8);
    guest::write(device + device_object::NEXT, next);
    guest::write(driver + 8, device);
    with(|state| state.devices.made.push(device));
    acquire(Kind::Device, device, name);
    guest::write(out, device);
    status::SUCCESS
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
    with(|state| state.devices.reinitialize.push((routine, context)));
    acquire(
        Kind::Reinitialization,
        routine,
        "IoRegisterDriverReinitialization",
    );
}

/// After `DriverEntry` succeeded: the reinitialization routines run, once each.
pub fn reinitialize() {
    let (driver, waiting) = with(|state| {
        (
            state.filter.driver,
            std::mem::take(&mut state.devices.reinitialize),
        )
    });
    for (count, (routine, context)) in waiting.into_iter().enumerate() {
        let name = Routine::Other {
            routine: "DRIVER_REINITIALIZE".to_owned(),
        };
        let _ = release(Kind::Reinitialization, routine);
        let arguments = [driver, context, count as u64 + 1];
        let _ = enter(name, PASSIVE, 1, routine, &arguments);
    }
}

thread_local! {
    static VOLUME_DEVICE: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// The device object that a file object of a volume points to.
#[must_use]
pub fn volume_device(kind: u32) -> u64 {
    VOLUME_DEVICE.with(|device| {
        if device.get() == 0 {
            let block = system_block(device_object::SIZE, "the volume's device object");
            guest::write(block, 0x0150_0003_u32);
            guest::write(block + device_object::TYPE, kind);
            device.set(block);
        }
        device.get()
    })
}

/// A program opens the driver's device, tries a control code and closes it.
pub fn use_device() {
    let device = with(|state| state.devices.made.first().copied());
    let Some(device) = device else { return };
    if send(device, 0x00).is_success() {
        let _ = send(device, 0x0E);
        let _ = send(device, 0x09);
        let _ = send(device, 0x12);
        let _ = send(device, 0x02);
    }
}

/// The system shuts down: the notifications.
pub fn shutdown() {
    let devices = with(|state| state.devices.made.clone());
    for device in devices {
        if holds(Kind::ShutdownNotification, device) {
            let _ = send(device, 0x10);
        }
    }
}

/// Sends an IRP to the driver's dispatch routine.
fn send(device: u64, major: u8) -> Status {
    let driver = with(|state| state.filter.driver);
    let dispatch = guest::read::<u64>(driver + driver_object::MAJOR + 8 * u64::from(major));
    if !memory::is_code(dispatch) {
        return status::INVALID_DEVICE_REQUEST;
    }
    let size = irp::SIZE + 0x140;
    let request = system_block(size, "an IRP");
    let stack = request + irp::SIZE as u64 + 0x40;
    let file = system_block(0xD8, "the file object of the control device");
    guest::write(file, 0x00D8_0005_u32);
    guest::write(file + 8, device);
    guest::write(request + irp::HEAD, 0x00D0_0006_u32);
    guest::write(request + irp::MODE, 1_u8);
    guest::write(request + irp::LOCATION, 0x0101_u16);
    guest::write(request + irp::STACK, stack);
    guest::write(stack, major);
    guest::write(stack + 0x28, device);
    guest::write(stack + 0x30, file);
    if major == 0x0E {
        guest::write(stack + 0x18, 0x0022_FFFC_u32);
    }
    let routine = Routine::Other {
        routine: format!(
            "dispatch routine of {}",
            super::operations::major_name(major)
        ),
    };
    let answer = Status(enter(routine, PASSIVE, new_thread(), dispatch, &[device, request]) as u32);
    let completed = guest::read::<u8>(request + irp::SIZE as u64 + 0x100) == 1;
    if !completed && answer != status::PENDING {
        misuse(Misuse::Lock {
            problem: format!(
                "the dispatch routine of {} returned {answer} without IoCompleteRequest",
                super::operations::major_name(major)
            ),
        });
    }
    must(memory::free(request, false));
    must(memory::free(file, false));
    answer
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
pub fn new_driver_object(base: u64, size: usize, entry: u64, service: &str) -> u64 {
    let driver = system_block(driver_object::SIZE, "the driver object");
    let extension = system_block(0x60, "the driver extension");
    let name = super::system_string(
        &format!("\\FileSystem\\{service}"),
        memory::Purpose::System,
        "the driver's name",
    );
    let key = super::system_string(service, memory::Purpose::System, "the service's name");
    guest::write(driver + driver_object::HEAD, 0x0150_0004_u32);
    guest::write(driver + driver_object::START, base);
    guest::write(driver + driver_object::LENGTH, size as u32);
    guest::write(driver + driver_object::EXTENSION, extension);
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
