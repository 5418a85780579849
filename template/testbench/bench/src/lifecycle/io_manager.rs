//! The I/O manager: requests of a user-mode program to the driver's device, and system shutdown.
//!
//! Documents: "Handling IRPs", "`IRP` structure (wdm.h)", "`DRIVER_DISPATCH` callback function (wdm.h)".

use crate::machine::events::{misuse, must};
use crate::machine::ledger::holds;
use crate::machine::schedule::enter;
use crate::machine::space::Purpose;
use crate::machine::state::{left_out, with};
use crate::machine::system::{object_block, opaque, system_block};
use crate::machine::threads::new_thread;
use crate::machine::trap::current_thread;
use crate::machine::{guest, memory};
use crate::trace::{Callback, Kind, Misuse, Routine};
use crate::vocabulary::irql::PASSIVE;
use crate::vocabulary::layout::{driver_object, file_object, irp};
use crate::vocabulary::major;
use crate::vocabulary::status::{self, Status};

/// An open handle of a user-mode program to the driver's device.
#[derive(Debug)]
pub struct Open {
    device: u64,
    file: u64,
}

/// Opens the first device of the driver.
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

/// Opens the driver's device, sends a control code, flushes the device and closes it.
pub fn use_device() {
    if let Some(open) = open() {
        let _ = open.send(0x0E);
        open.flush();
        open.close();
    }
}

/// Shuts down the system: sends the shutdown notifications.
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

/// The offset after the IRP of the `IO_SECURITY_CONTEXT` of a create request and its `ACCESS_STATE`.
const SECURITY_CONTEXT: u64 = irp::SIZE as u64 + 0x120;

const ACCESS_STATE: u64 = SECURITY_CONTEXT + 0x20;

/// The offset after the IRP of the flag for completion. The driver does not access it.
pub const COMPLETED: u64 = irp::SIZE as u64 + 0x100;

/// The offset after the IRP of the completion status. The driver does not access it.
pub const COMPLETED_WITH: u64 = COMPLETED + 4;

/// Sends an IRP to the driver's dispatch routine.
fn send(device: u64, file: u64, major: u8) -> Status {
    let driver = with(|state| state.filter.driver);
    let dispatch = guest::read::<u64>(driver + driver_object::MAJOR + 8 * u64::from(major));
    let routine = Routine::Other {
        callback: Callback::Dispatch(major),
    };
    if !memory::is_code(dispatch) || left_out(&routine) {
        return status::INVALID_DEVICE_REQUEST;
    }
    let name = major::name(major);
    let request = object_block(irp::SIZE + 0x240, Purpose::Irp, "an IRP");
    let stack = request + irp::SIZE as u64 + 0x40;
    guest::write(request + irp::HEAD, 0x00D0_0006_u32);
    guest::write(request + irp::MODE, 1_u8);
    guest::write(request + irp::LOCATION, 0x0101_u16);
    guest::write(request + irp::THREAD, current_thread());
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
