//! The second part of loading, which runs when the other drivers have started ("Writing a Reinitialize
//! Routine").
//!
//! `DriverEntry` of a driver that starts at boot runs before there is a file system. The routine here
//! waits until the folder of Windows can be opened, and then calls [`file_systems_are_up`].

use core::{mem, ptr};

use wdk::nt_success;
use wdk_sys::{
    DRIVER_OBJECT, FILE_DIRECTORY_FILE, FILE_READ_ATTRIBUTES, FILE_SHARE_VALID_FLAGS,
    FILE_SYNCHRONOUS_IO_NONALERT, HANDLE, IO_STATUS_BLOCK, OBJ_CASE_INSENSITIVE, OBJ_KERNEL_HANDLE,
    OBJECT_ATTRIBUTES, PVOID, SYNCHRONIZE, ULONG,
    ntddk::{IoRegisterDriverReinitialization, ZwOpenFile},
};

use crate::{
    filter::Handle,
    fltmgr::{FltObjectDereference, FltObjectReference},
    kernel_handle::KernelHandle,
    state::{STATE, State},
    step::{Failure, Step},
    unicode::{counted, utf16},
};

/// Your code for what has to wait until files can be opened goes here.
///
/// Runs once, at `PASSIVE_LEVEL` in a system thread, while callbacks run already. Other drivers wait
/// for the thread: be short.
fn file_systems_are_up(state: &State) {
    state.files_are_reachable();
}

/// How often the routine is queued at most. It does not wait in between, because the thread starts
/// other drivers: queued again, it comes after theirs.
const MOST_ROUNDS: ULONG = 16;

/// The link to the folder of Windows, on the volume that it was started from.
const SYSTEM_ROOT: &[u16] = &utf16!(r"\SystemRoot");

/// The right to have the routine called: a reference to the filter, which dropping gives back.
///
/// There is no call that takes the routine off the queue. While it is queued or runs, this reference
/// is held, and `FltUnregisterFilter` waits for it: no unload, mandatory or not, takes the routine's
/// code or the state away before it is done, but for the few instructions of its return. The price: were the I/O manager to drop the routine for
/// want of memory, which it cannot say, an unload would wait until the system is restarted.
pub struct Reinitialization(Handle);

impl Reinitialization {
    /// References the filter. Wraps `FltObjectReference`; IRQL <= `DISPATCH_LEVEL`.
    ///
    /// # Errors
    ///
    /// What `FltObjectReference` answers: `STATUS_FLT_DELETING_OBJECT` where the filter goes already.
    pub fn prepare(filter: Handle) -> Result<Self, Failure> {
        // SAFETY: DriverEntry has registered the filter and not yet started it.
        let status = unsafe { FltObjectReference(filter.0.cast()) };
        Step::ReferenceFilter.check(status)?;
        Ok(Self(filter))
    }

    /// Queues the routine; in `DriverEntry` the last act before `STATUS_SUCCESS` ("`DriverEntry`
    /// Return Values"). Wraps `IoRegisterDriverReinitialization`; IRQL `PASSIVE_LEVEL`.
    ///
    /// The context is the filter's handle, a copy. What `DriverEntry` was given, such as the registry
    /// path, is gone when the routine runs.
    pub fn queue(self, driver_object: &mut DRIVER_OBJECT) {
        let context: PVOID = self.0.0.cast();
        // The routine gives the reference back.
        mem::forget(self);
        // SAFETY: the driver's own object, a routine of the right type, and a context that it knows.
        unsafe { IoRegisterDriverReinitialization(driver_object, Some(reinitialize), context) };
    }
}

impl Drop for Reinitialization {
    fn drop(&mut self) {
        // SAFETY: it was referenced, and only this drop gives the reference back.
        unsafe { FltObjectDereference(self.0.0.cast()) };
    }
}

/// Called by the I/O manager, `count` being the number of this call.
unsafe extern "C" fn reinitialize(driver_object: *mut DRIVER_OBJECT, context: PVOID, count: ULONG) {
    let reinitialization = Reinitialization(Handle(context.cast()));
    if system_root_can_be_opened() {
        // SAFETY: the filter is referenced until this returns, and the state outlives it.
        if let Some(state) = unsafe { STATE.get() } {
            file_systems_are_up(state);
        }
    } else if count < MOST_ROUNDS {
        // SAFETY: the I/O manager passes the driver's own object.
        reinitialization.queue(unsafe { &mut *driver_object });
    }
}

/// Wraps `ZwOpenFile`. Any failure means that it is too early; what else could be wrong, the next
/// rounds find out.
fn system_root_can_be_opened() -> bool {
    let mut name = counted(SYSTEM_ROOT);
    let mut attributes = OBJECT_ATTRIBUTES {
        #[expect(clippy::cast_possible_truncation, reason = "a small structure")]
        Length: size_of::<OBJECT_ATTRIBUTES>() as ULONG,
        ObjectName: &raw mut name,
        Attributes: OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE,
        ..OBJECT_ATTRIBUTES::default()
    };
    let mut io_status = IO_STATUS_BLOCK::default();
    let mut folder: HANDLE = ptr::null_mut();
    // SAFETY: the name and the attributes outlive the call, which writes to places of the right type.
    let status = unsafe {
        ZwOpenFile(
            &raw mut folder,
            FILE_READ_ATTRIBUTES | SYNCHRONIZE,
            &raw mut attributes,
            &raw mut io_status,
            FILE_SHARE_VALID_FLAGS,
            FILE_DIRECTORY_FILE | FILE_SYNCHRONOUS_IO_NONALERT,
        )
    };
    if !nt_success(status) {
        return false;
    }
    // SAFETY: opened as a kernel handle just now, and closed by nobody else.
    drop(unsafe { KernelHandle::own(folder) });
    true
}
