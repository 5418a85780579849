//! `IRP_MJ_SET_INFORMATION`: a file is renamed, deleted, resized or otherwise changed.

use wdk_sys::IRP_MJ_SET_INFORMATION;

use crate::{
    callbacks::{Answer, PostOperation, PreOperation, pre_and_post},
    fltmgr::{FLT_CALLBACK_DATA, FLT_OPERATION_REGISTRATION, FLT_RELATED_OBJECTS},
    state::State,
};

/// The operation.
pub struct SetInformation;

/// The registration of the operation.
pub const REGISTRATION: FLT_OPERATION_REGISTRATION = pre_and_post::<SetInformation>();

impl PreOperation for SetInformation {
    const MAJOR_FUNCTION: u32 = IRP_MJ_SET_INFORMATION;
    type Answer = Answer;

    /// Called before the operation is passed on. Your code goes here.
    ///
    /// Runs at `PASSIVE_LEVEL`. `data.Iopb` contains the information class. Renames, links and
    /// deletions are information classes.
    fn pre_operation(
        _state: &State,
        _data: &mut FLT_CALLBACK_DATA,
        _objects: &FLT_RELATED_OBJECTS,
    ) -> Answer {
        Answer::NoCallback
    }
}

impl PostOperation for SetInformation {
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
