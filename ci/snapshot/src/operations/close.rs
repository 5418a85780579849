//! `IRP_MJ_CLOSE`: the last reference to a file object is released.

use wdk_sys::IRP_MJ_CLOSE;

use crate::{
    callbacks::{AnswerWithoutFailing, PostOperation, PreOperation, pre_and_post},
    fltmgr::{FLT_CALLBACK_DATA, FLT_OPERATION_REGISTRATION, FLT_RELATED_OBJECTS},
    state::State,
};

/// The operation.
pub struct Close;

/// How it is registered.
pub const REGISTRATION: FLT_OPERATION_REGISTRATION = pre_and_post::<Close>();

impl PreOperation for Close {
    const MAJOR_FUNCTION: u32 = IRP_MJ_CLOSE;
    type Answer = AnswerWithoutFailing;

    /// Your code for the time before the operation goes here.
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
    /// Your code for the time after the operation goes here. It is called when `pre_operation`
    /// answered `WithCallback`.
    ///
    /// Runs at `APC_LEVEL` or below. The file object is about to be freed: its contexts are out
    /// of reach.
    fn post_operation(
        _state: &State,
        _data: &mut FLT_CALLBACK_DATA,
        _objects: &FLT_RELATED_OBJECTS,
    ) {
    }
}
