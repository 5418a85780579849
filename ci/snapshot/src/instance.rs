//! Instances: which volumes the filter attaches to. The filter manager calls these at
//! `PASSIVE_LEVEL`.

use wdk_sys::{NTSTATUS, STATUS_FLT_DO_NOT_ATTACH, STATUS_SUCCESS, ULONG};

use crate::{
    fltmgr::{
        _FLT_FILESYSTEM_TYPE::FLT_FSTYPE_RAW, FLT_FILESYSTEM_TYPE,
        FLT_INSTANCE_QUERY_TEARDOWN_FLAGS, FLT_INSTANCE_SETUP_FLAGS, FLT_INSTANCE_TEARDOWN_FLAGS,
        PCFLT_RELATED_OBJECTS,
    },
    state::STATE,
};

/// Whether to attach to a volume with this file system. A raw volume has none, and so no files.
///
/// Your choice of volumes goes here.
const fn attaches_to(file_system: FLT_FILESYSTEM_TYPE) -> bool {
    file_system != FLT_FSTYPE_RAW
}

/// `InstanceSetupCallback`: a volume was mounted, or somebody attaches the filter to one by hand.
pub unsafe extern "C" fn setup(
    _objects: PCFLT_RELATED_OBJECTS,
    _flags: FLT_INSTANCE_SETUP_FLAGS,
    device_type: ULONG,
    file_system: FLT_FILESYSTEM_TYPE,
) -> NTSTATUS {
    if !attaches_to(file_system) {
        return STATUS_FLT_DO_NOT_ATTACH;
    }
    // SAFETY: a callback of the registered filter, and the reference ends with it.
    if let Some(state) = unsafe { STATE.get() }
        && !state.instance_attaches(device_type)
    {
        return STATUS_FLT_DO_NOT_ATTACH;
    }
    STATUS_SUCCESS
}

/// `InstanceQueryTeardownCallback`: somebody detaches an instance by hand, as with `fltmc detach`.
/// Without this callback nobody could.
#[expect(
    clippy::missing_const_for_fn,
    reason = "called by the filter manager only"
)]
pub unsafe extern "C" fn query_teardown(
    _objects: PCFLT_RELATED_OBJECTS,
    _flags: FLT_INSTANCE_QUERY_TEARDOWN_FLAGS,
) -> NTSTATUS {
    STATUS_SUCCESS
}

/// `InstanceTeardownCompleteCallback`: the instance is gone; no operation of its volume arrives any
/// more.
pub unsafe extern "C" fn teardown_complete(
    _objects: PCFLT_RELATED_OBJECTS,
    _reason: FLT_INSTANCE_TEARDOWN_FLAGS,
) {
    // SAFETY: a callback of the registered filter, and the reference ends with it.
    if let Some(state) = unsafe { STATE.get() } {
        state.instance_detached();
    }
}
