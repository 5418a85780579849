//! The I/O manager: requests of a user-mode program to the driver's device, and system shutdown.
//!
//! Documents: "Handling IRPs", "`IRP` structure (wdm.h)", "`DRIVER_DISPATCH` callback function (wdm.h)", "Methods for
//! Accessing Data Buffers".

use crate::lifecycle::pool;
use crate::machine::events::{breach, emit, must};
use crate::machine::ledger::holds;
use crate::machine::process::PROGRAM;
use crate::machine::schedule::{Queued, enter, run_queued};
use crate::machine::space::Purpose;
use crate::machine::state::{left_out, with};
use crate::machine::system::{object_block, opaque, system_block};
use crate::machine::threads::new_thread_of;
use crate::machine::trap::thread_object;
use crate::machine::{guest, memory, threads};
use crate::objects::devices::{Completion, OpenDevice};
use crate::objects::operations::Completed;
use crate::scenario::Script;
use crate::trace::{Breach, Callback, Event, Kind, Routine};
use crate::vocabulary::file::{access, disposition, option, share};
use crate::vocabulary::irql::PASSIVE;
use crate::vocabulary::layout::{device_object, driver_object, file_object, irp};
use crate::vocabulary::major::{
    self, CLEANUP, CLOSE, CREATE, DEVICE_CONTROL, FLUSH_BUFFERS, READ, SHUTDOWN, WRITE,
};
use crate::vocabulary::status::{self, Status};

/// The data of a request: a control code, the input, and the size of the output buffer.
#[derive(Debug, Clone, Copy, Default)]
pub struct Transfer<'a> {
    /// The control code.
    pub code: u32,
    /// The input.
    pub input: &'a [u8],
    /// The size of the output buffer.
    pub output: u32,
}

/// Opens a device of the driver by its name or its symbolic link. Without a name, by the first link, or the first device
/// if there is no link.
#[must_use]
pub fn open(name: Option<&str>) -> Completed {
    const EXCLUSIVE: u32 = 0x8; // DO_EXCLUSIVE
    let linked = || with(|state| state.devices.links.first().map(|link| link.name.clone()));
    let name = name.map(str::to_owned).or_else(linked);
    let Some(device) = find(name.as_deref()) else {
        return told(CREATE, false, status::OBJECT_NAME_NOT_FOUND);
    };
    let is_open = with(|state| state.devices.open.iter().any(|open| open.device == device));
    if is_open && guest::read::<u32>(device + device_object::FLAGS) & EXCLUSIVE != 0 {
        return told(CREATE, true, status::ACCESS_DENIED);
    }
    let open = OpenDevice {
        device,
        file: new_file(device),
    };
    let completed = send(open, CREATE, Transfer::default());
    if completed.status.is_success() {
        with(|state| state.devices.open.push(open));
    } else {
        must(memory::free(open.file, false));
    }
    completed
}

/// In the script [`Script::OpenDuringUnload`], opens a device when the driver begins to release its devices.
pub fn open_during_unload() {
    let unloading = threads::routine() == Some(Routine::FilterUnload { mandatory: false });
    let first = with(|state| {
        state.scenario.script == Script::OpenDuringUnload && !state.devices.opened_late
    });
    if unloading && first {
        with(|state| state.devices.opened_late = true);
        let _ = open(None);
    }
}

/// Records the result of a request. `dispatched` says whether the driver has a routine for it.
fn told(major: u8, dispatched: bool, status: Status) -> Completed {
    emit(&Event::DeviceRequest {
        major,
        dispatched,
        status,
    });
    of(status)
}

/// Returns the device with a name. Programs write `\\\\.\\name` for `\\DosDevices\\name`.
fn find(name: Option<&str>) -> Option<u64> {
    let Some(name) = name else {
        return with(|state| state.devices.made.first().map(|device| device.object));
    };
    let last = |name: &str| name.rsplit('\\').next().unwrap_or_default().to_lowercase();
    let short = ["\\\\.\\", "\\??\\", "\\DosDevices\\", "\\GLOBAL??\\"];
    let link = short.iter().find_map(|prefix| name.strip_prefix(prefix));
    with(|state| {
        let devices = &state.devices;
        let target = match link {
            Some(link) => {
                let mut links = devices.links.iter();
                let found = links.find(|known| last(&known.name) == link.to_lowercase());
                found.map(|found| found.target.clone())
            }
            None => Some(name.to_owned()),
        }?;
        let mut made = devices.made.iter();
        let device = made.find(|device| device.name.eq_ignore_ascii_case(&target))?;
        Some(device.object)
    })
}

/// Sends a request to the open device. Returns `None` if no device is open.
#[must_use]
pub fn request(major: u8, transfer: Transfer) -> Option<Completed> {
    let open = with(|state| state.devices.open.last().copied())?;
    Some(send(open, major, transfer))
}

/// Closes the open device.
#[must_use]
pub fn close() -> Option<Completed> {
    let open = with(|state| state.devices.open.pop())?;
    let _ = send(open, CLEANUP, Transfer::default());
    let completed = send(open, CLOSE, Transfer::default());
    must(memory::free(open.file, false));
    Some(completed)
}

/// Returns whether a device is open.
#[must_use]
pub fn is_open() -> bool {
    with(|state| !state.devices.open.is_empty())
}

/// Shuts down the system: sends the shutdown notifications.
pub fn shutdown() {
    let devices = with(|state| state.devices.made.clone());
    for device in devices {
        if holds(Kind::ShutdownNotification, device.object) {
            let open = OpenDevice {
                device: device.object,
                file: new_file(device.object),
            };
            let _ = send(open, SHUTDOWN, Transfer::default());
            must(memory::free(open.file, false));
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

/// The offset after the IRP of the memory descriptor list.
const MDL: u64 = irp::SIZE as u64 + 0x200;

fn of(status: Status) -> Completed {
    Completed {
        status,
        ..Completed::default()
    }
}

/// Sends an IRP to the driver's dispatch routine.
fn send(open: OpenDevice, major: u8, transfer: Transfer) -> Completed {
    let OpenDevice { device, file } = open;
    let driver = with(|state| state.filter.driver);
    let dispatch = guest::read::<u64>(driver + driver_object::MAJOR + 8 * u64::from(major));
    let routine = Routine::Other {
        callback: Callback::Dispatch(major),
    };
    if !memory::is_code(dispatch) || left_out(&routine) {
        return told(major, false, status::INVALID_DEVICE_REQUEST);
    }
    let name = major::name(major);
    let thread = new_thread_of(PROGRAM);
    let request = object_block(irp::SIZE + 0x240, Purpose::Irp, "an IRP");
    let stack = request + irp::SIZE as u64 + 0x40;
    guest::write(request + irp::HEAD, 0x00D0_0006_u32);
    guest::write(request + irp::MODE, 1_u8);
    guest::write(request + irp::LOCATION, 0x0101_u16);
    guest::write(request + irp::THREAD, thread_object(thread));
    guest::write(request + irp::STACK, stack);
    guest::write(stack, major);
    guest::write(stack + 0x28, device);
    guest::write(stack + 0x30, file);
    let (buffer, size) = parameters(request, stack, device, major, transfer);
    guest::write(request + irp::STATUS, status::UNSET.0);
    guest::write(request + irp::INFORMATION, status::UNSET_INFORMATION);
    let answer = Status(enter(routine, PASSIVE, thread, dispatch, &[device, request]) as u32);
    let marked = !is_completed(request) && is_marked(request);
    if answer == status::PENDING {
        run_queued(Queued::Kept);
    }
    let completion = with(|state| {
        let completed = &mut state.devices.completed;
        let at = completed.iter().position(|known| known.irp == request)?;
        Some(completed.remove(at))
    });
    for problem in problems(major, answer, marked, completion) {
        breach(
            Breach::Request,
            format!("the dispatch routine of {name} {problem}"),
        );
    }
    let Some(completion) = completion else {
        // The driver completes the request later.
        return told(major, true, answer);
    };
    let filled = size
        .min(transfer.output as usize)
        .min(completion.information as usize);
    let data = guest::bytes(buffer, filled);
    if buffer != 0 {
        must(memory::free(buffer, false));
    }
    Completed {
        information: completion.information,
        data,
        ..told(major, true, completion.status)
    }
}

/// Returns what a dispatch routine did wrong with a request.
fn problems(
    major: u8,
    answer: Status,
    marked: bool,
    completion: Option<Completion>,
) -> Vec<String> {
    // FILE_DOES_NOT_EXIST, the greatest result of a create request.
    const MOST_OF_CREATE: u64 = 5;
    let is_pending = answer == status::PENDING;
    let mut problems = Vec::new();
    let marked = marked || completion.is_some_and(|completion| completion.marked);
    if is_pending && !marked {
        problems.push("returned STATUS_PENDING without IoMarkIrpPending".to_owned());
    } else if marked && !is_pending {
        problems.push(format!("called IoMarkIrpPending and returned {answer}"));
    }
    let Some(Completion {
        status,
        information,
        boost,
        ..
    }) = completion
    else {
        if !is_pending {
            problems.push(format!("returned {answer} without IoCompleteRequest"));
        }
        return problems;
    };
    if status == status::UNSET {
        problems.push("completed the request without setting IoStatus.Status".to_owned());
    } else if status == status::PENDING {
        problems.push("completed the request with STATUS_PENDING".to_owned());
    } else if !is_pending && answer != status {
        problems.push(format!(
            "returned {answer}, and IoStatus.Status is {status}"
        ));
    } else if status.is_success() && information == status::UNSET_INFORMATION {
        problems.push("completed the request without setting IoStatus.Information".to_owned());
    } else if status.is_success()
        && match major {
            CREATE => information > MOST_OF_CREATE,
            CLEANUP | CLOSE | FLUSH_BUFFERS | SHUTDOWN => information != 0,
            _ => false,
        }
    {
        problems.push(format!(
            "completed the request with IoStatus.Information {information}, and it transfers no data"
        ));
    }
    if !is_pending && boost != 0 {
        problems.push(format!(
            "completed the request with PriorityBoost {boost}; it is IO_NO_INCREMENT for a request that did not wait"
        ));
    }
    problems
}

/// Completes a request of a program. Its IRP is freed.
pub fn complete(request: u64, boost: u8) {
    let completion = Completion {
        irp: request,
        status: Status(guest::read(request + irp::STATUS)),
        information: guest::read(request + irp::INFORMATION),
        marked: is_marked(request),
        boost,
    };
    with(|state| state.devices.completed.push(completion));
    must(memory::free(request, false));
}

fn is_completed(request: u64) -> bool {
    with(|state| {
        let mut completed = state.devices.completed.iter();
        completed.any(|known| known.irp == request)
    })
}

/// Returns whether `IoMarkIrpPending` was called for a request.
fn is_marked(request: u64) -> bool {
    const CONTROL: u64 = 3;
    const PENDING_RETURNED: u8 = 1; // SL_PENDING_RETURNED
    let stack = guest::read::<u64>(request + irp::STACK);
    guest::read::<u8>(stack + CONTROL) & PENDING_RETURNED != 0
}

/// Writes the parameters of a request, and its buffer by the method of the control code or the device. Returns the
/// output buffer, or the only one, and its size.
fn parameters(
    request: u64,
    stack: u64,
    device: u64,
    major: u8,
    transfer: Transfer,
) -> (u64, usize) {
    const BUFFERED_IO: u32 = 0x4; // DO_BUFFERED_IO
    const DIRECT_IO: u32 = 0x10; // DO_DIRECT_IO
    let (input, output) = (transfer.input.len(), transfer.output as usize);
    let block = |size: usize| match size {
        0 => 0,
        size => system_block(size, "the buffer of a request to the device"),
    };
    let flags = guest::read::<u32>(device + device_object::FLAGS);
    match major {
        CREATE => {
            guest::write(request + SECURITY_CONTEXT + 8, request + ACCESS_STATE);
            guest::write(request + SECURITY_CONTEXT + 0x10, access::GENERIC_READ);
            guest::write(stack + 0x08, request + SECURITY_CONTEXT);
            let options = disposition::OPEN << 24 | option::NON_DIRECTORY | option::SYNCHRONOUS;
            guest::write(stack + 0x10, options);
            guest::write(stack + 0x1A, share::ALL);
            (0, 0)
        }
        DEVICE_CONTROL => {
            guest::write(stack + 0x08, output as u32);
            guest::write(stack + 0x10, input as u32);
            guest::write(stack + 0x18, transfer.code);
            match transfer.code & 3 {
                // METHOD_BUFFERED
                0 => {
                    let size = input.max(output);
                    let buffer = block(size);
                    guest::put(buffer, transfer.input);
                    guest::write(request + irp::SYSTEM_BUFFER, buffer);
                    (buffer, size)
                }
                // METHOD_NEITHER
                3 => {
                    let (from, to) = (block(input), block(output));
                    guest::put(from, transfer.input);
                    guest::write(stack + 0x20, from);
                    guest::write(request + irp::USER_BUFFER, to);
                    (to, output)
                }
                // METHOD_IN_DIRECT, METHOD_OUT_DIRECT
                _ => {
                    let (from, to) = (block(input), block(output));
                    guest::put(from, transfer.input);
                    guest::write(request + irp::SYSTEM_BUFFER, from);
                    describe(request, to, output);
                    (to, output)
                }
            }
        }
        READ | WRITE => {
            let size = if major == READ { output } else { input };
            let buffer = block(size);
            guest::put(buffer, transfer.input);
            guest::write(stack + 0x08, size as u32);
            if flags & BUFFERED_IO != 0 {
                guest::write(request + irp::SYSTEM_BUFFER, buffer);
            } else if flags & DIRECT_IO != 0 {
                describe(request, buffer, size);
            } else {
                guest::write(request + irp::USER_BUFFER, buffer);
            }
            (buffer, size)
        }
        _ => (0, 0),
    }
}

/// Stores a memory descriptor list for a buffer in a request.
fn describe(request: u64, buffer: u64, size: usize) {
    if size != 0 {
        pool::describe(request + MDL, buffer, size as u32);
        guest::write(request + irp::MDL, request + MDL);
    }
}

/// Flushes the open device.
#[must_use]
pub fn flush() -> Option<Completed> {
    request(FLUSH_BUFFERS, Transfer::default())
}
