//! `IRP_MJ_CLOSE`: the last reference to a file object is released.

use wdk_sys::IRP_MJ_CLOSE;

use crate::{
    callbacks::{AnswerWithoutFailing, PostOperation, PreOperation, pre_and_post},
    fltmgr::{FLT_CALLBACK_DATA, FLT_OPERATION_REGISTRATION, FLT_RELATED_OBJECTS},
    state::State,
};

/// The operation.
pub struct Close;

/// The registration of the operation.
pub const REGISTRATION: FLT_OPERATION_REGISTRATION = pre_and_post::<Close>();

impl PreOperation for Close {
    const MAJOR_FUNCTION: u32 = IRP_MJ_CLOSE;
    type Answer = AnswerWithoutFailing;

    /// Called before the operation is passed on. Your code goes here.
    ///
    /// Runs at `APC_LEVEL` or below, in an arbitrary thread, possibly long after the cleanup. A
    /// close must not be failed.
    fn pre_operation(
        _state: &State,
        _data: &mut FLT_CALLBACK_DATA,
        _objects: &FLT_RELATED_OBJECTS,
    ) -> AnswerWithoutFailing {
        AnswerWithoutFailing::NoCallback
    }
}

impl PostOperation for Close {
    /// Called when the operation is complete, if `pre_operation` returned `WithCallback`. Your code
    /// goes here.
    ///
    /// Runs at `APC_LEVEL` or below. The file object is about to be freed, and its contexts are no
    /// longer accessible.
    fn post_operation(
        _state: &State,
        _data: &mut FLT_CALLBACK_DATA,
        _objects: &FLT_RELATED_OBJECTS,
    ) {
    }
}
