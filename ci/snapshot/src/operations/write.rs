//! `IRP_MJ_WRITE`: data is written to a file.

use wdk_sys::IRP_MJ_WRITE;

use crate::{
    callbacks::{Answer, PostOperation, PreOperation, pre_and_post},
    fltmgr::{
        FLT_CALLBACK_DATA, FLT_OPERATION_REGISTRATION, FLT_OPERATION_REGISTRATION_FLAGS,
        FLT_RELATED_OBJECTS, FLTFL_OPERATION_REGISTRATION_SKIP_PAGING_IO,
    },
    state::State,
};

/// The operation.
pub struct Write;

/// How it is registered.
pub const REGISTRATION: FLT_OPERATION_REGISTRATION = pre_and_post::<Write>();

impl PreOperation for Write {
    const MAJOR_FUNCTION: u32 = IRP_MJ_WRITE;
    // Paging writes carry what reached the cache or a mapping earlier, in threads of the memory
    // manager: a filter that does not transform data has seen the write itself already. Cached
    // writes are not skipped: they are that write.
    const FLAGS: FLT_OPERATION_REGISTRATION_FLAGS = FLTFL_OPERATION_REGISTRATION_SKIP_PAGING_IO;
    type Answer = Answer;

    /// Your code for the time before the operation goes here.
    ///
    /// Runs at `APC_LEVEL` or below. The buffer is the caller's: it may be read only through an
    /// MDL, and it is replaced, never changed.
    fn pre_operation(
        _state: &State,
        _data: &mut FLT_CALLBACK_DATA,
        _objects: &FLT_RELATED_OBJECTS,
    ) -> Answer {
        Answer::NoCallback
    }
}

impl PostOperation for Write {
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
