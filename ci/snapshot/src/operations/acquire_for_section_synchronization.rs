//! `IRP_MJ_ACQUIRE_FOR_SECTION_SYNCHRONIZATION`: a file is about to be mapped into memory.

use crate::{
    callbacks::{Answer, PostOperation, PreOperation, pre_and_post},
    fltmgr::{FLT_CALLBACK_DATA, FLT_OPERATION_REGISTRATION, FLT_RELATED_OBJECTS},
    state::State,
};

/// The operation.
pub struct AcquireForSectionSynchronization;

/// How it is registered.
pub const REGISTRATION: FLT_OPERATION_REGISTRATION =
    pre_and_post::<AcquireForSectionSynchronization>();

impl PreOperation for AcquireForSectionSynchronization {
    // A cast in the header, which bindgen does not see.
    const MAJOR_FUNCTION: u32 = 0xFF;
    type Answer = Answer;

    /// Your code for the time before the operation goes here.
    ///
    /// Runs at `APC_LEVEL` or below. The memory manager waits: no I/O to the file. Only an error
    /// status may complete it, and then the mapping fails with that status.
    fn pre_operation(
        _state: &State,
        _data: &mut FLT_CALLBACK_DATA,
        _objects: &FLT_RELATED_OBJECTS,
    ) -> Answer {
        Answer::NoCallback
    }
}

impl PostOperation for AcquireForSectionSynchronization {
    /// Your code for the time after the operation goes here. It is called when `pre_operation`
    /// answered `WithCallback`.
    ///
    /// Runs at `APC_LEVEL` or below. The file system holds the file's locks now.
    fn post_operation(
        _state: &State,
        _data: &mut FLT_CALLBACK_DATA,
        _objects: &FLT_RELATED_OBJECTS,
    ) {
    }
}
