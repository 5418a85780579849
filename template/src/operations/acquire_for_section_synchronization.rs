//! `IRP_MJ_ACQUIRE_FOR_SECTION_SYNCHRONIZATION`: a file is about to be mapped into memory.

use crate::{
    callbacks::{Answer, PostOperation, PreOperation, pre_and_post},
    fltmgr::{FLT_CALLBACK_DATA, FLT_OPERATION_REGISTRATION, FLT_RELATED_OBJECTS},
    state::State,
};

/// The operation.
pub struct AcquireForSectionSynchronization;

/// The registration of the operation.
pub const REGISTRATION: FLT_OPERATION_REGISTRATION =
    pre_and_post::<AcquireForSectionSynchronization>();

impl PreOperation for AcquireForSectionSynchronization {
    // The header defines the code with a cast, which bindgen does not evaluate.
    const MAJOR_FUNCTION: u32 = 0xFF;
    type Answer = Answer;

    /// Called before the operation is passed on. Your code goes here.
    ///
    /// Runs at `APC_LEVEL` or below. The memory manager waits: do not send I/O to the file.
    /// Complete the operation only with an error status. The mapping then fails with that status.
    fn pre_operation(
        _state: &State,
        _data: &mut FLT_CALLBACK_DATA,
        _objects: &FLT_RELATED_OBJECTS,
    ) -> Answer {
        Answer::NoCallback
    }
}

impl PostOperation for AcquireForSectionSynchronization {
    /// Called when the operation is complete, if `pre_operation` returned `WithCallback`. Your code
    /// goes here.
    ///
    /// Runs at `APC_LEVEL` or below. The file system holds the file's locks.
    fn post_operation(
        _state: &State,
        _data: &mut FLT_CALLBACK_DATA,
        _objects: &FLT_RELATED_OBJECTS,
    ) {
    }
}
