//! `IRP_MJ_CREATE`: a file or directory is created or opened.

use wdk_sys::IRP_MJ_CREATE;

use crate::{
    callbacks::{Answer, PostOperation, PreOperation, pre_and_post},
    fltmgr::{FLT_CALLBACK_DATA, FLT_OPERATION_REGISTRATION, FLT_RELATED_OBJECTS},
    state::State,
};

/// The operation.
pub struct Create;

/// The registration of the operation.
pub const REGISTRATION: FLT_OPERATION_REGISTRATION = pre_and_post::<Create>();

impl PreOperation for Create {
    const MAJOR_FUNCTION: u32 = IRP_MJ_CREATE;
    type Answer = Answer;

    /// Called before the operation is passed on. Your code goes here.
    ///
    /// Runs at `PASSIVE_LEVEL` in the thread that opens the file. The file object has no contexts
    /// yet, and its name is the one that the caller passed. To refuse the operation, return
    /// `Answer::Complete` with an error status such as `STATUS_ACCESS_DENIED`.
    fn pre_operation(
        _state: &State,
        _data: &mut FLT_CALLBACK_DATA,
        _objects: &FLT_RELATED_OBJECTS,
    ) -> Answer {
        Answer::NoCallback
    }
}

impl PostOperation for Create {
    /// Called when the operation is complete, if `pre_operation` returned `WithCallback`. Your code
    /// goes here.
    ///
    /// Runs at `PASSIVE_LEVEL` in the thread that opened the file. `data.IoStatus` is the result:
    /// after `STATUS_REPARSE` or an error there is no open file.
    fn post_operation(
        _state: &State,
        _data: &mut FLT_CALLBACK_DATA,
        _objects: &FLT_RELATED_OBJECTS,
    ) {
    }
}
