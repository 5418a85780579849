//! Who may unload the driver: everybody who may stop a service, unless the control device is in use.

use wdk_sys::{NTSTATUS, STATUS_FLT_DO_NOT_DETACH, STATUS_SUCCESS};

use crate::{
    control_device,
    driver::DRIVER,
    fltmgr::{FLT_FILTER_UNLOAD_FLAGS, FLTFL_FILTER_UNLOAD_MANDATORY, PFLT_FILTER_UNLOAD_CALLBACK},
};

/// What is registered as `FilterUnloadCallback`.
pub const CALLBACK: PFLT_FILTER_UNLOAD_CALLBACK = Some(unload);

/// Refuses what is not mandatory (`fltmc unload`) while a program has the control device open: the
/// driver goes on as before. A mandatory request (`sc stop`) cannot be refused; the I/O manager holds
/// it back until the device is closed ("Unload Routine Environment"). `PASSIVE_LEVEL`.
unsafe extern "C" fn unload(flags: FLT_FILTER_UNLOAD_FLAGS) -> NTSTATUS {
    if flags & FLTFL_FILTER_UNLOAD_MANDATORY == 0 && !control_device::close_unless_in_use() {
        return STATUS_FLT_DO_NOT_DETACH;
    }
    drop(DRIVER.take());
    STATUS_SUCCESS
}
