//! `IRP_MJ_CLEANUP`: the last handle to an open file is closed.

use wdk_sys::IRP_MJ_CLEANUP;

use crate::{
    callbacks::{AnswerWithoutFailing, PostOperation, PreOperation, pre_and_post},
    fltmgr::{FLT_CALLBACK_DATA, FLT_OPERATION_REGISTRATION, FLT_RELATED_OBJECTS},
    state::State,
};

/// The operation.
pub struct Cleanup;

/// The registration of the operation.
pub const REGISTRATION: FLT_OPERATION_REGISTRATION = pre_and_post::<Cleanup>();

impl PreOperation for Cleanup {
    const MAJOR_FUNCTION: u32 = IRP_MJ_CLEANUP;
    type Answer = AnswerWithoutFailing;

    /// Called before the operation is passed on. Your code goes here.
    ///
    /// Runs at `PASSIVE_LEVEL`. A cleanup must not be failed: the handle is closed in any case.
    fn pre_operation(
        _state: &State,
        _data: &mut FLT_CALLBACK_DATA,
        _objects: &FLT_RELATED_OBJECTS,
    ) -> AnswerWithoutFailing {
        AnswerWithoutFailing::NoCallback
    }
}

impl PostOperation for Cleanup {
    /// Called when the operation is complete, if `pre_operation` returned `WithCallback`. Your code
    /// goes here.
    ///
    /// Runs at `PASSIVE_LEVEL` or `APC_LEVEL`. File names can no longer be queried.
    fn post_operation(
        _state: &State,
        _data: &mut FLT_CALLBACK_DATA,
        _objects: &FLT_RELATED_OBJECTS,
    ) {
    }
}
