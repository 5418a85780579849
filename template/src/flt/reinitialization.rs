//! A routine that runs when the other drivers have started ("Writing a Reinitialize Routine").

use core::{marker::PhantomData, mem, ptr};

use wdk::nt_success;
use wdk_sys::{
    FILE_SHARE_VALID_FLAGS, FILE_SYNCHRONOUS_IO_NONALERT, HANDLE, IO_STATUS_BLOCK,
    OBJ_CASE_INSENSITIVE, OBJ_KERNEL_HANDLE, OBJECT_ATTRIBUTES, PDRIVER_OBJECT, PVOID,
    STATUS_INVALID_DEVICE_STATE, SYNCHRONIZE, ULONG,
    ntddk::{IoRegisterDriverReinitialization, ZwOpenFile},
};

use super::{
    bindings::{FltObjectDereference, FltObjectReference, PFLT_FILTER},
    handle::KernelHandle,
    published::Minifilter,
    registration::Loading,
    step::{Failure, Step},
    unicode::{Text, text},
};

/// The step `FltObjectReference`.
const REFERENCE_FILTER: &Step = &Step::new(8, text!("FltObjectReference"));

/// What a driver does when files can be opened.
pub trait Reinitialize: Minifilter {
    /// Called once, at `PASSIVE_LEVEL` in a system thread, when the folder of Windows can be opened.
    /// Callbacks run already. Other drivers wait for the thread.
    fn file_systems_are_up(&self);
}

/// How often the routine is queued at most. It does not wait in between, because its thread starts
/// other drivers: queued again, it runs after theirs.
const MOST_ROUNDS: ULONG = 16;

/// The link to the folder of Windows, on the boot volume.
const SYSTEM_ROOT: Text = text!(r"\SystemRoot");

/// The right to queue the routine: a reference to the filter, which is released when this is
/// dropped.
///
/// There is no function that removes the routine from the queue. While it is queued or runs, this
/// reference is held, and `FltUnregisterFilter` waits for it: no unload releases the driver earlier.
/// If the I/O manager dropped the routine because memory is exhausted, which it cannot report, an
/// unload would wait until the system is restarted.
///
/// # Invariants
///
/// The filter is registered, and this reference is counted.
#[must_use = "the routine runs after it was queued"]
pub struct Reinitialization<S> {
    filter: PFLT_FILTER,
    state: PhantomData<S>,
}

impl<S: Reinitialize> Reinitialization<S> {
    /// References the filter. It is called before filtering starts, so that the value is dropped
    /// before the driver is, if `DriverEntry` fails. Wraps `FltObjectReference`; IRQL <=
    /// `DISPATCH_LEVEL`.
    ///
    /// # Errors
    ///
    /// The status of `FltObjectReference`; `STATUS_INVALID_DEVICE_STATE` if filtering was started.
    pub fn prepare(loading: &Loading<'_, S>) -> Result<Self, Failure> {
        let Some(filter) = loading.filter() else {
            return Err(Failure {
                step: REFERENCE_FILTER,
                status: STATUS_INVALID_DEVICE_STATE,
            });
        };
        // SAFETY: the filter is registered, and an unload waits for its callbacks at least.
        let status = unsafe { FltObjectReference(filter.cast()) };
        REFERENCE_FILTER.check(status)?;
        Ok(Self {
            filter,
            state: PhantomData,
        })
    }

    /// Queues the routine. In `DriverEntry`, this is the last act before it returns
    /// `STATUS_SUCCESS` ("`DriverEntry` Return Values"). Wraps `IoRegisterDriverReinitialization`;
    /// IRQL `PASSIVE_LEVEL`.
    pub fn queue(self, loading: &mut Loading<'_, S>) {
        self.queue_for(loading.driver_object().as_ptr());
    }

    fn queue_for(self, driver_object: PDRIVER_OBJECT) {
        let context: PVOID = self.filter.cast();
        // The routine releases the reference.
        mem::forget(self);
        // SAFETY: the driver's own object, and a routine that knows the context.
        unsafe {
            IoRegisterDriverReinitialization(driver_object, Some(reinitialize::<S>), context);
        };
    }
}

impl<S> Drop for Reinitialization<S> {
    fn drop(&mut self) {
        // SAFETY: the invariant.
        unsafe { FltObjectDereference(self.filter.cast()) };
    }
}

/// The routine. `count` is the number of this call.
unsafe extern "C" fn reinitialize<S: Reinitialize>(
    driver_object: PDRIVER_OBJECT,
    context: PVOID,
    count: ULONG,
) {
    let reinitialization = Reinitialization::<S> {
        filter: context.cast(),
        state: PhantomData,
    };
    if system_root_can_be_opened() {
        // SAFETY: FltUnregisterFilter waits for the reference, which is released afterwards.
        let state = unsafe { S::published().in_callback() };
        state.file_systems_are_up();
    } else if count < MOST_ROUNDS {
        reinitialization.queue_for(driver_object);
    }
}

/// Returns whether the folder of Windows can be opened. Any failure means that it is too early.
/// Wraps `ZwOpenFile`; IRQL `PASSIVE_LEVEL`.
fn system_root_can_be_opened() -> bool {
    let mut name = SYSTEM_ROOT.counted();
    let mut attributes = OBJECT_ATTRIBUTES {
        #[expect(clippy::cast_possible_truncation, reason = "a small structure")]
        Length: size_of::<OBJECT_ATTRIBUTES>() as ULONG,
        ObjectName: &raw mut name,
        Attributes: OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE,
        ..OBJECT_ATTRIBUTES::default()
    };
    let mut io_status = IO_STATUS_BLOCK::default();
    let mut folder: HANDLE = ptr::null_mut();
    // SAFETY: the name and the attributes outlive the call, and the places have the right types.
    let status = unsafe {
        ZwOpenFile(
            &raw mut folder,
            SYNCHRONIZE,
            &raw mut attributes,
            &raw mut io_status,
            FILE_SHARE_VALID_FLAGS,
            FILE_SYNCHRONOUS_IO_NONALERT,
        )
    };
    if !nt_success(status) {
        return false;
    }
    // SAFETY: opened as a kernel handle just now, and closed by nobody else.
    drop(unsafe { KernelHandle::own(folder) });
    true
}
