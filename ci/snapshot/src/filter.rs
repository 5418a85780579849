//! The registration with the filter manager.

use core::ptr;

use wdk_sys::DRIVER_OBJECT;

use crate::{
    fltmgr::{
        FLT_REGISTRATION, FLT_REGISTRATION_FLAGS, FLT_REGISTRATION_VERSION, FltRegisterFilter,
        FltStartFiltering, FltUnregisterFilter, PFLT_FILTER,
    },
    instance,
    operations::OPERATIONS,
    step::{Failure, Step},
    unload,
};

#[expect(clippy::cast_possible_truncation, reason = "a small structure")]
const SIZE: u16 = size_of::<FLT_REGISTRATION>() as u16;
#[expect(clippy::cast_possible_truncation, reason = "0x0203 at most")]
const VERSION: u16 = FLT_REGISTRATION_VERSION as u16;
/// `sc stop` unloads the driver.
const SERVICE_STOP: FLT_REGISTRATION_FLAGS = 0;
/// Volumes in persistent memory (DAX) are left out: what is mapped there is read and written without
/// any operation, not even paging I/O, so a filter of reads or writes does not see it. Named pipes
/// and mailslots are left out: the filter has no callback for creating them.
const VOLUMES: FLT_REGISTRATION_FLAGS = 0;

/// The registered filter; dropping it unregisters it.
pub struct Filter {
    handle: Handle,
}

/// The filter manager's name for a registered filter.
#[derive(Clone, Copy)]
pub struct Handle(pub PFLT_FILTER);

// SAFETY: it names an object of the filter manager, which may be used from any thread.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

impl Filter {
    /// Registers the driver's callbacks. Wraps `FltRegisterFilter`; IRQL <= `APC_LEVEL`.
    ///
    /// # Errors
    ///
    /// What `FltRegisterFilter` answers, such as `STATUS_OBJECT_NAME_NOT_FOUND` where the service's
    /// key has no instances because the driver was not installed with its INF.
    pub fn register(driver_object: &mut DRIVER_OBJECT) -> Result<Self, Failure> {
        // FltMgr copies the registration and the operations.
        let registration = FLT_REGISTRATION {
            Size: SIZE,
            Version: VERSION,
            Flags: SERVICE_STOP | VOLUMES,
            OperationRegistration: OPERATIONS.as_ptr(),
            FilterUnloadCallback: unload::CALLBACK,
            InstanceSetupCallback: Some(instance::setup),
            InstanceQueryTeardownCallback: Some(instance::query_teardown),
            InstanceTeardownCompleteCallback: Some(instance::teardown_complete),
            ..FLT_REGISTRATION::default()
        };
        let mut handle: PFLT_FILTER = ptr::null_mut();
        // SAFETY: the registration and the list it points to live until the call returns, the list
        // ends in IRP_MJ_OPERATION_END, and the callbacks have the types they are registered with.
        let status =
            unsafe { FltRegisterFilter(driver_object, &raw const registration, &raw mut handle) };
        Step::RegisterFilter.check(status)?;
        Ok(Self {
            handle: Handle(handle),
        })
    }

    /// The handle, with which filtering is started.
    pub const fn handle(&self) -> Handle {
        self.handle
    }
}

impl Drop for Filter {
    fn drop(&mut self) {
        // SAFETY: the handle came from FltRegisterFilter, and only this drop gives it back.
        unsafe { FltUnregisterFilter(self.handle.0) };
    }
}

impl Handle {
    /// Starts filtering; callbacks run before this returns. Wraps `FltStartFiltering`; IRQL <=
    /// `APC_LEVEL`.
    ///
    /// # Errors
    ///
    /// What `FltStartFiltering` answers.
    pub fn start_filtering(self) -> Result<(), Failure> {
        // SAFETY: the handle came from FltRegisterFilter; DriverEntry calls this before it or the
        // unload callback gives the handle back.
        let status = unsafe { FltStartFiltering(self.0) };
        Step::StartFiltering.check(status)
    }
}
