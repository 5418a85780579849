//! Who may unload the driver: whoever stops its service. A request that may be refused is refused.

use wdk_sys::{NTSTATUS, STATUS_FLT_DO_NOT_DETACH, STATUS_SUCCESS};

use crate::{
    driver::DRIVER,
    fltmgr::{FLT_FILTER_UNLOAD_FLAGS, FLTFL_FILTER_UNLOAD_MANDATORY, PFLT_FILTER_UNLOAD_CALLBACK},
};

/// What is registered as `FilterUnloadCallback`.
pub const CALLBACK: PFLT_FILTER_UNLOAD_CALLBACK = Some(unload);

/// Refuses what is not mandatory (`fltmc unload`): the driver goes on filtering as before. A
/// mandatory request (`sc stop`) cannot be refused: the filter manager unloads the image whatever
/// is answered, so everything is torn down (`PFLT_FILTER_UNLOAD_CALLBACK`). `PASSIVE_LEVEL`.
unsafe extern "C" fn unload(flags: FLT_FILTER_UNLOAD_FLAGS) -> NTSTATUS {
    if flags & FLTFL_FILTER_UNLOAD_MANDATORY == 0 {
        return STATUS_FLT_DO_NOT_DETACH;
    }
    drop(DRIVER.take());
    STATUS_SUCCESS
}
