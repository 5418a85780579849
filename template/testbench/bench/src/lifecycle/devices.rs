//! Driver objects and device objects.

use crate::machine::space::Purpose;
use crate::machine::state::with;
use crate::machine::system::{once, opaque, system_block, system_string};
use crate::machine::thunks::thunk;
use crate::machine::{guest, memory};
use crate::vocabulary::layout::{device_object, driver_object};

/// Creates a device object. Pointers that its document describes as opaque point to inaccessible memory.
#[must_use]
pub fn device_object(
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

/// Returns a device object of another driver. The same name gives the same object.
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

/// Returns whether a dispatch entry points to a routine of the driver.
#[must_use]
pub fn is_own_dispatch(major: u8) -> bool {
    let driver = with(|state| state.filter.driver);
    memory::rva(guest::read(
        driver + driver_object::MAJOR + 8 * u64::from(major),
    ))
    .is_some()
}

/// Creates the driver object that `DriverEntry` receives.
#[must_use]
pub fn new_driver_object(base: u64, size: usize, entry: u64, name: &str, service: &str) -> u64 {
    let driver = system_block(driver_object::SIZE, "the driver object");
    let extension = system_block(0x60, "the driver extension");
    let hardware = once("the hardware database", || {
        system_string(
            "\\REGISTRY\\MACHINE\\HARDWARE\\DESCRIPTION\\SYSTEM",
            Purpose::System,
            "the path of the hardware database",
        )
    });
    let name = system_string(name, Purpose::System, "the driver's name");
    let key = system_string(service, Purpose::System, "the service's name");
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
    let default = thunk("ntoskrnl.exe", "IopInvalidDeviceRequest");
    for major in 0..28 {
        guest::write(driver + driver_object::MAJOR + 8 * major, default);
    }
    driver
}
