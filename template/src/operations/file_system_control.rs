//! `IRP_MJ_FILE_SYSTEM_CONTROL`: a file-system control code is sent.

use wdk_sys::IRP_MJ_FILE_SYSTEM_CONTROL;

use crate::{
    callbacks::{Answer, PostOperation, PreOperation, pre_and_post},
    fltmgr::{FLT_CALLBACK_DATA, FLT_OPERATION_REGISTRATION, FLT_RELATED_OBJECTS},
    state::State,
};

/// The operation.
pub struct FileSystemControl;

/// The registration of the operation.
pub const REGISTRATION: FLT_OPERATION_REGISTRATION = pre_and_post::<FileSystemControl>();

impl PreOperation for FileSystemControl {
    const MAJOR_FUNCTION: u32 = IRP_MJ_FILE_SYSTEM_CONTROL;
    type Answer = Answer;

    /// Called before the operation is passed on. Your code goes here.
    ///
    /// Runs at `PASSIVE_LEVEL`. The control codes include offloaded copies (`FSCTL_OFFLOAD_READ`,
    /// `FSCTL_OFFLOAD_WRITE`) and requests for `BypassIO` (`FSCTL_MANAGE_BYPASS_IO`), but not
    /// mounts: for these, the filter manager calls the instance setup callback.
    fn pre_operation(
        _state: &State,
        _data: &mut FLT_CALLBACK_DATA,
        _objects: &FLT_RELATED_OBJECTS,
    ) -> Answer {
        Answer::NoCallback
    }
}

impl PostOperation for FileSystemControl {
    /// Called when the operation is complete, if `pre_operation` returned `WithCallback`. Your code
    /// goes here.
    ///
    /// Runs at `DISPATCH_LEVEL` or below.
    fn post_operation(
        _state: &State,
        _data: &mut FLT_CALLBACK_DATA,
        _objects: &FLT_RELATED_OBJECTS,
    ) {
    }
}
