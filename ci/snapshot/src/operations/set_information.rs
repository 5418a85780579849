//! `IRP_MJ_SET_INFORMATION`: a file is renamed, deleted, resized or otherwise changed.

use wdk_sys::IRP_MJ_SET_INFORMATION;

use crate::{
    callbacks::{Answer, PostOperation, PreOperation, pre_and_post},
    fltmgr::{FLT_CALLBACK_DATA, FLT_OPERATION_REGISTRATION, FLT_RELATED_OBJECTS},
    state::State,
};

/// The operation.
pub struct SetInformation;

/// How it is registered.
pub const REGISTRATION: FLT_OPERATION_REGISTRATION = pre_and_post::<SetInformation>();

impl PreOperation for SetInformation {
    const MAJOR_FUNCTION: u32 = IRP_MJ_SET_INFORMATION;
    type Answer = Answer;

    /// Your code for the time before the operation goes here.
    ///
    /// Runs at `PASSIVE_LEVEL`. `data.Iopb` names the information class: renames, links and
    /// deletions all come this way.
    fn pre_operation(
        _state: &State,
        _data: &mut FLT_CALLBACK_DATA,
        _objects: &FLT_RELATED_OBJECTS,
    ) -> Answer {
        Answer::NoCallback
    }
}

impl PostOperation for SetInformation {
    /// Your code for the time after the operation goes here. It is called when `pre_operation`
    /// answered `WithCallback`.
    ///
    /// Runs at `PASSIVE_LEVEL` or above, up to `DISPATCH_LEVEL`.
    fn post_operation(
        _state: &State,
        _data: &mut FLT_CALLBACK_DATA,
        _objects: &FLT_RELATED_OBJECTS,
    ) {
    }
}
