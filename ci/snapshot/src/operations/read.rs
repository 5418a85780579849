//! `IRP_MJ_READ`: data is read from a file.

use wdk_sys::IRP_MJ_READ;

use crate::{
    callbacks::{Answer, PostOperation, PreOperation, pre_and_post},
    fltmgr::{
        FLT_CALLBACK_DATA, FLT_OPERATION_REGISTRATION, FLT_OPERATION_REGISTRATION_FLAGS,
        FLT_RELATED_OBJECTS, FLTFL_OPERATION_REGISTRATION_SKIP_PAGING_IO,
    },
    state::State,
};

/// The operation.
pub struct Read;

/// How it is registered.
pub const REGISTRATION: FLT_OPERATION_REGISTRATION = pre_and_post::<Read>();

impl PreOperation for Read {
    const MAJOR_FUNCTION: u32 = IRP_MJ_READ;
    // Paging reads resolve page faults and fill the cache: a filter that does not transform data
    // has nothing to do there, and little is allowed. Cached reads are not skipped: they are what
    // most programs do.
    const FLAGS: FLT_OPERATION_REGISTRATION_FLAGS = FLTFL_OPERATION_REGISTRATION_SKIP_PAGING_IO;
    type Answer = Answer;

    /// Your code for the time before the operation goes here.
    ///
    /// Runs at `APC_LEVEL` or below. The buffer is the caller's: it may be read or changed only
    /// through an MDL.
    fn pre_operation(
        _state: &State,
        _data: &mut FLT_CALLBACK_DATA,
        _objects: &FLT_RELATED_OBJECTS,
    ) -> Answer {
        Answer::NoCallback
    }
}

impl PostOperation for Read {
    /// Your code for the time after the operation goes here. It is called when `pre_operation`
    /// answered `WithCallback`.
    ///
    /// Runs in an arbitrary thread, up to `DISPATCH_LEVEL`: no paged memory, no waiting.
    fn post_operation(
        _state: &State,
        _data: &mut FLT_CALLBACK_DATA,
        _objects: &FLT_RELATED_OBJECTS,
    ) {
    }
}
