//! Who may unload the driver: everybody who may stop a service.

use wdk_sys::{NTSTATUS, STATUS_SUCCESS};

use crate::{
    driver::DRIVER,
    fltmgr::{FLT_FILTER_UNLOAD_FLAGS, PFLT_FILTER_UNLOAD_CALLBACK},
};

/// What is registered as `FilterUnloadCallback`.
pub const CALLBACK: PFLT_FILTER_UNLOAD_CALLBACK = Some(unload);

/// Unloads, whether the request is mandatory (`sc stop`) or not (`fltmc unload`). `PASSIVE_LEVEL`.
unsafe extern "C" fn unload(_flags: FLT_FILTER_UNLOAD_FLAGS) -> NTSTATUS {
    drop(DRIVER.take());
    STATUS_SUCCESS
}
