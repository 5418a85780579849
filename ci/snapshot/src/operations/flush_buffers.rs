//! `IRP_MJ_FLUSH_BUFFERS`: a file's cached data is written to its volume.

use wdk_sys::IRP_MJ_FLUSH_BUFFERS;

use crate::{
    callbacks::{Answer, PostOperation, PreOperation, pre_and_post},
    fltmgr::{FLT_CALLBACK_DATA, FLT_OPERATION_REGISTRATION, FLT_RELATED_OBJECTS},
    state::State,
};

/// The operation.
pub struct FlushBuffers;

/// How it is registered.
pub const REGISTRATION: FLT_OPERATION_REGISTRATION = pre_and_post::<FlushBuffers>();

impl PreOperation for FlushBuffers {
    const MAJOR_FUNCTION: u32 = IRP_MJ_FLUSH_BUFFERS;
    type Answer = Answer;

    /// Your code for the time before the operation goes here.
    ///
    /// Runs at `PASSIVE_LEVEL`. Completing it with success without passing it on breaks the
    /// promise that the data is on disk.
    fn pre_operation(
        _state: &State,
        _data: &mut FLT_CALLBACK_DATA,
        _objects: &FLT_RELATED_OBJECTS,
    ) -> Answer {
        Answer::NoCallback
    }
}

impl PostOperation for FlushBuffers {
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
