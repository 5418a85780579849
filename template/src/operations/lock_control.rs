//! `IRP_MJ_LOCK_CONTROL`: a byte range of a file is locked or unlocked.

use wdk_sys::IRP_MJ_LOCK_CONTROL;

use crate::{
    callbacks::{Answer, PostOperation, PreOperation, pre_and_post},
    fltmgr::{FLT_CALLBACK_DATA, FLT_OPERATION_REGISTRATION, FLT_RELATED_OBJECTS},
    state::State,
};

/// The operation.
pub struct LockControl;

/// The registration of the operation.
pub const REGISTRATION: FLT_OPERATION_REGISTRATION = pre_and_post::<LockControl>();

impl PreOperation for LockControl {
    const MAJOR_FUNCTION: u32 = IRP_MJ_LOCK_CONTROL;
    type Answer = Answer;

    /// Called before the operation is passed on. Your code goes here.
    ///
    /// Runs at `PASSIVE_LEVEL`, also for fast I/O. `MinorFunction` distinguishes locks from
    /// unlocks.
    fn pre_operation(
        _state: &State,
        _data: &mut FLT_CALLBACK_DATA,
        _objects: &FLT_RELATED_OBJECTS,
    ) -> Answer {
        Answer::NoCallback
    }
}

impl PostOperation for LockControl {
    /// Called when the operation is complete, if `pre_operation` returned `WithCallback`. Your code
    /// goes here.
    ///
    /// Runs at `DISPATCH_LEVEL` or below. A lock that waits can complete long after its request.
    fn post_operation(
        _state: &State,
        _data: &mut FLT_CALLBACK_DATA,
        _objects: &FLT_RELATED_OBJECTS,
    ) {
    }
}
