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

/// The registration of the operation.
pub const REGISTRATION: FLT_OPERATION_REGISTRATION = pre_and_post::<Read>();

impl PreOperation for Read {
    const MAJOR_FUNCTION: u32 = IRP_MJ_READ;
    // Paging reads resolve page faults and fill the cache. They are skipped: a filter that does not
    // transform data does not need them, and a callback can do little in them. Cached reads, which
    // most programs send, are not skipped.
    const FLAGS: FLT_OPERATION_REGISTRATION_FLAGS = FLTFL_OPERATION_REGISTRATION_SKIP_PAGING_IO;
    type Answer = Answer;

    /// Called before the operation is passed on. Your code goes here.
    ///
    /// Runs at `APC_LEVEL` or below. The buffer belongs to the caller: read or change it only
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
    /// Called when the operation is complete, if `pre_operation` returned `WithCallback`. Your code
    /// goes here.
    ///
    /// Runs in an arbitrary thread at `DISPATCH_LEVEL` or below: do not access paged memory, and do
    /// not wait.
    fn post_operation(
        _state: &State,
        _data: &mut FLT_CALLBACK_DATA,
        _objects: &FLT_RELATED_OBJECTS,
    ) {
    }
}
