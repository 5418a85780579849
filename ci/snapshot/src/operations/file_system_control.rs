//! `IRP_MJ_FILE_SYSTEM_CONTROL`: a file-system control code is sent.

use wdk_sys::IRP_MJ_FILE_SYSTEM_CONTROL;

use crate::{
    callbacks::{Answer, PostOperation, PreOperation, pre_and_post},
    fltmgr::{FLT_CALLBACK_DATA, FLT_OPERATION_REGISTRATION, FLT_RELATED_OBJECTS},
    state::State,
};

/// The operation.
pub struct FileSystemControl;

/// How it is registered.
pub const REGISTRATION: FLT_OPERATION_REGISTRATION = pre_and_post::<FileSystemControl>();

impl PreOperation for FileSystemControl {
    const MAJOR_FUNCTION: u32 = IRP_MJ_FILE_SYSTEM_CONTROL;
    type Answer = Answer;

    /// Your code for the time before the operation goes here.
    ///
    /// Runs at `PASSIVE_LEVEL`. Mounts do not come this way: the instance setup callback tells of
    /// them. Offloaded copies do (`FSCTL_OFFLOAD_READ`, `FSCTL_OFFLOAD_WRITE`), and requests for
    /// `BypassIO` (`FSCTL_MANAGE_BYPASS_IO`).
    fn pre_operation(
        _state: &State,
        _data: &mut FLT_CALLBACK_DATA,
        _objects: &FLT_RELATED_OBJECTS,
    ) -> Answer {
        Answer::NoCallback
    }
}

impl PostOperation for FileSystemControl {
    /// Your code for the time after the operation goes here. It is called when `pre_operation`
    /// answered `WithCallback`.
    ///
    /// Runs up to `DISPATCH_LEVEL`.
    fn post_operation(
        _state: &State,
        _data: &mut FLT_CALLBACK_DATA,
        _objects: &FLT_RELATED_OBJECTS,
    ) {
    }
}
