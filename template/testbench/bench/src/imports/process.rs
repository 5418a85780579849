//! Processes, threads, time, notify routines and exported variables.
//!
//! Documents: "Windows Kernel-Mode Process and Thread Manager" and the reference pages of the functions.

use crate::lifecycle::security;
use crate::machine::declare::functions;
use crate::machine::function::{Fails, Optional};
use crate::machine::ledger::{acquire, bad_handle, holds, must_release, release};
use crate::machine::space::USER_PROBE_ADDRESS;
use crate::machine::state::{with, with_thread};
use crate::machine::switch::SWITCH;
use crate::machine::system::{once, system_block};
use crate::machine::trap::current_thread;
use crate::machine::{guest, memory, process, threads, thunks};
use crate::objects::programs::Process;
use crate::trace::{Kind, Subject};
use crate::vocabulary::irql::{ANY, APC, DISPATCH, PASSIVE};
use crate::vocabulary::layout::callback_data;
use crate::vocabulary::status::{self, Status};
use std::sync::atomic::Ordering;

functions! { pub PROCESS = "ntoskrnl.exe", "ntddk.h";
    /// Returns the identifier of the current process.
    [ANY, Fails::Quiet]
    fn PsGetCurrentProcessId() -> u64 { u64::from(process::current().id) }
    /// Returns the identifier of the current thread.
    [ANY, Fails::Quiet]
    fn PsGetCurrentThreadId() -> u64 { 0x1000 + 4 * u64::from(threads::current()) }
    /// Returns the current process.
    [ANY, Fails::Quiet]
    fn IoGetCurrentProcess() -> u64 { process::current().object }
    /// Returns the current process.
    [ANY, Fails::Quiet]
    fn PsGetCurrentProcess() -> u64 { process::current().object }
    /// Returns the current thread.
    [ANY, Fails::Quiet]
    fn KeGetCurrentThread() -> u64 { current_thread() }
    /// Returns the current thread.
    [ANY, Fails::Quiet]
    fn PsGetCurrentThread() -> u64 { current_thread() }
    /// Returns the identifier of a process.
    [ANY, Fails::Quiet]
    fn PsGetProcessId(process: u64) -> u64 { u64::from(process_at(process).id) }
    /// Returns the process of a thread.
    [DISPATCH, Fails::Quiet]
    fn IoThreadToProcess(thread: u64) -> u64 { process_of_thread(thread).object }
    /// Returns whether the requesting process is a 32-bit process.
    [DISPATCH, Fails::Quiet]
    fn IoIs32bitProcess(_irp: u64) -> u8 { 0 }
    /// Returns the top-level IRP of the thread.
    [DISPATCH, Fails::Quiet]
    fn IoGetTopLevelIrp() -> u64 { 0 }
    /// Returns the transaction of a create operation. There is none.
    [APC, Fails::Quiet]
    fn IoGetTransactionParameterBlock(_file: u64) -> u64 { 0 }
    /// Sets the top-level IRP of the thread.
    [DISPATCH, Fails::Quiet]
    fn IoSetTopLevelIrp(_irp: u64) {}
    /// Returns the previous processor mode.
    [DISPATCH, Fails::Quiet]
    fn ExGetPreviousMode() -> u8 { 0 }
    /// Returns the system time.
    [ANY, Fails::Quiet]
    fn KeQuerySystemTimePrecise(out: u64) { guest::write(out, now()); }
    /// Returns the time since the system start.
    [ANY, Fails::Quiet]
    fn KeQueryInterruptTime() -> i64 { now() }
    /// Returns the performance counter.
    [ANY, Fails::Quiet]
    fn KeQueryPerformanceCounter(frequency: Optional) -> i64 { guest::write_if(frequency, 10_000_000_i64); now() }
    /// Returns the length of a clock tick.
    [ANY, Fails::Quiet]
    fn KeQueryTimeIncrement() -> u32 { 156_250 }
    /// Converts system time to local time.
    [ANY, Fails::Quiet]
    fn ExSystemTimeToLocalTime(system: u64, local: u64) { guest::copy(local, system, 8); }
    /// Returns the limits of the stack.
    [DISPATCH, Fails::Quiet]
    fn IoGetStackLimits(low: u64, high: u64) {
        let [begin, end] = stack();
        guest::write(low, begin);
        guest::write(high, end);
    }
    /// Returns the number of unused bytes of the stack.
    [DISPATCH, Fails::Quiet]
    fn IoGetRemainingStackSize() -> u64 { SWITCH.driver_stack.load(Ordering::Relaxed) - stack()[0] }
    /// Looks up a kernel function by name.
    [PASSIVE, Fails::Never]
    fn MmGetSystemRoutineAddress(name: u64) -> u64 {
        let name = guest::unicode(name);
        thunks::by_name("ntoskrnl.exe", &name)
    }
    /// Returns whether an address is valid.
    [DISPATCH, Fails::Quiet]
    fn MmIsAddressValid(address: u64) -> u8 { u8::from(memory::is_known(address, 1)) }
    /// Returns a pseudorandom number. The sequence is the same in every run.
    [APC, Fails::Quiet]
    fn RtlRandomEx(seed: u64) -> u32 {
        let next = guest::read::<u32>(seed).wrapping_mul(1_664_525).wrapping_add(1_013_904_223) & 0x7FFF_FFFF;
        guest::write(seed, next);
        next
    }
    /// Creates a UUID.
    [PASSIVE, Fails::With(&[status::INSUFFICIENT_RESOURCES])]
    fn ExUuidCreate(out: u64) -> Status {
        guest::write(out, now());
        guest::write(out + 8, now());
        status::SUCCESS
    }

    /// Registers or removes a process-notify routine.
    [PASSIVE, Fails::With(&[status::INVALID_PARAMETER]), unless remove != 0]
    fn PsSetCreateProcessNotifyRoutine(routine: u64, remove: u8) -> Status { notify(Subject::Process, routine, remove != 0) }
    /// Registers or removes a process-notify routine.
    [PASSIVE, Fails::With(&[status::ACCESS_DENIED]), unless remove != 0]
    fn PsSetCreateProcessNotifyRoutineEx(routine: u64, remove: u8) -> Status { notify(Subject::Process, routine, remove != 0) }
    /// Registers or removes a process-notify routine.
    [PASSIVE, Fails::With(&[status::ACCESS_DENIED]), unless remove != 0]
    fn PsSetCreateProcessNotifyRoutineEx2(_kind: u32, routine: u64, remove: u8) -> Status { notify(Subject::Process, routine, remove != 0) }
    /// Registers a thread-notify routine.
    [PASSIVE, Fails::With(&[status::INSUFFICIENT_RESOURCES])]
    fn PsSetCreateThreadNotifyRoutine(routine: u64) -> Status { notify(Subject::Thread, routine, false) }
    /// Removes a thread-notify routine.
    [APC, Fails::Never]
    fn PsRemoveCreateThreadNotifyRoutine(routine: u64) -> Status { notify(Subject::Thread, routine, true) }
    /// Registers an image-load-notify routine.
    [PASSIVE, Fails::With(&[status::INSUFFICIENT_RESOURCES])]
    fn PsSetLoadImageNotifyRoutine(routine: u64) -> Status { notify(Subject::Image, routine, false) }
    /// Removes an image-load-notify routine.
    [APC, Fails::Never]
    fn PsRemoveLoadImageNotifyRoutine(routine: u64) -> Status { notify(Subject::Image, routine, true) }
    /// Registers a registry callback.
    [APC, Fails::With(&[status::INSUFFICIENT_RESOURCES])]
    fn CmRegisterCallbackEx(routine: u64, altitude: u64, _driver: u64, _context: u64, cookie: u64, _reserved: u64) -> Status {
        let _ = guest::unicode_units(altitude);
        acquire(Kind::NotifyRoutine(Subject::Registry), routine, "CmRegisterCallbackEx");
        guest::write(cookie, routine);
        status::SUCCESS
    }
    /// Unregisters a registry callback.
    [APC, Fails::Never]
    fn CmUnRegisterCallback(cookie: u64) -> Status {
        must_release(Kind::NotifyRoutine(Subject::Registry), cookie);
        status::SUCCESS
    }
}

functions! { pub VERSION = "ntoskrnl.exe", "wdm.h";
    /// Returns whether the system supports a version of WDM. Since Windows Vista, the version is 6.0.
    [PASSIVE, Fails::Never]
    fn IoIsWdmVersionAvailable(major: u8, minor: u8) -> u8 { u8::from((major, minor) <= (6, 0)) }
}

functions! { pub FLT_PROCESS = "FLTMGR.SYS", "fltkernel.h";
    /// Returns the process that requested the operation.
    [DISPATCH, Fails::Never]
    fn FltGetRequestorProcess(data: u64) -> u64 { requestor(data).object }
    /// Returns the identifier of the process that requested the operation.
    [DISPATCH, Fails::Never]
    fn FltGetRequestorProcessId(data: u64) -> u32 { requestor(data).id }
    /// Returns the identifier of the process that requested the operation.
    [DISPATCH, Fails::Never]
    fn FltGetRequestorProcessIdEx(data: u64) -> u64 { u64::from(requestor(data).id) }
    /// Returns the session of the process that requested the operation.
    [APC, Fails::Never]
    fn FltGetRequestorSessionId(data: u64, out: u64) -> Status {
        guest::write(out, requestor(data).session);
        status::SUCCESS
    }
    /// Returns the next extra create parameter. There is none.
    [APC, Fails::Never]
    fn FltGetNextExtraCreateParameter(_filter: u64, _list: u64, _current: u64, _kind: u64, _next: u64, _size: u64) -> Status {
        status::NOT_FOUND
    }
    /// Looks up an extra create parameter by type. There is none.
    [APC, Fails::Never]
    fn FltFindExtraCreateParameter(_filter: u64, _list: u64, _kind: u64, _parameter: u64, _size: u64) -> Status {
        status::NOT_FOUND
    }
    /// Returns whether an extra create parameter originates from user mode.
    [APC, Fails::Never]
    fn FltIsEcpFromUserMode(_filter: u64, _parameter: u64) -> u8 { 0 }
    /// Returns the list of extra create parameters. There is none.
    [APC, Fails::Never]
    fn FltGetEcpListFromCallbackData(_filter: u64, _data: u64, out: u64) -> Status {
        guest::write(out, 0_u64);
        status::SUCCESS
    }
}

/// The exported kernel variables that the bench models.
pub const VARIABLES: &[&str] = &[
    "IoFileObjectType",
    "IoDeviceObjectType",
    "IoDriverObjectType",
    "PsProcessType",
    "PsThreadType",
    "SeTokenObjectType",
    "ExEventObjectType",
    "PsInitialSystemProcess",
    "NtBuildNumber",
    "KdDebuggerEnabled",
    "KdDebuggerNotPresent",
    "InitSafeBootMode",
    "MmHighestUserAddress",
    "MmSystemRangeStart",
    "MmUserProbeAddress",
    "SeExports",
];

/// Returns the address of an exported variable.
#[must_use]
pub fn variable(name: &str) -> Option<u64> {
    if !VARIABLES.contains(&name) {
        return None;
    }
    Some(once(name, || {
        let block = system_block(8, &format!("the kernel's variable {name}"));
        let value = match name {
            "NtBuildNumber" => 0xF000_0000 + 19041,
            "KdDebuggerEnabled" | "InitSafeBootMode" => 0,
            "KdDebuggerNotPresent" => 1,
            "MmHighestUserAddress" => 0x7FFF_FFFE_FFFF,
            "MmSystemRangeStart" => 0xFFFF_8000_0000_0000,
            "MmUserProbeAddress" => USER_PROBE_ADDRESS,
            "SeExports" => security::exports(),
            "PsInitialSystemProcess" => process::get(process::SYSTEM).object,
            name => memory::handle(format!("the object {name}")),
        };
        guest::write(block, value);
        block
    }))
}

/// Returns the process that requested an operation.
fn requestor(data: u64) -> Process {
    process_of_thread(guest::read(data + callback_data::THREAD))
}

fn process_of_thread(thread: u64) -> Process {
    process::of_thread(thread).unwrap_or_else(|| bad_handle("thread object", thread))
}

fn process_at(object: u64) -> Process {
    process::of_object(object).unwrap_or_else(|| bad_handle("process object", object))
}

/// Returns the limits of the stack of the current thread.
fn stack() -> [u64; 2] {
    with_thread(|thread| {
        let stack = thread.stack;
        stack.map_or([0, 0], |stack| [stack.low() as u64, stack.high() as u64])
    })
}

fn now() -> i64 {
    with(|state| {
        state.clock += 10_000;
        state.clock
    })
}

fn notify(subject: Subject, routine: u64, remove: bool) -> Status {
    let kind = Kind::NotifyRoutine(subject);
    if !remove {
        if holds(kind, routine) {
            return status::INVALID_PARAMETER;
        }
        acquire(kind, routine, "a driver routine");
        return status::SUCCESS;
    }
    if release(kind, routine) {
        status::SUCCESS
    } else {
        status::INVALID_PARAMETER
    }
}
