//! `IRP_MJ_ACQUIRE_FOR_SECTION_SYNCHRONIZATION`: a file is about to be mapped into memory.

use crate::{
    flt::{
        AcquireForSectionSynchronization, Answer, Callbacks, PostAnswer, PostOperation,
        PreOperation,
    },
    state::State,
};

impl Callbacks<AcquireForSectionSynchronization> for State {
    type Context = ();

    /// Called before the operation is passed on. Your code goes here.
    ///
    /// Runs at `APC_LEVEL` or below. The memory manager waits: do not send I/O to the file. Only
    /// the creation of a section may be failed, and only if it is necessary:
    /// `Answer::fail_section`.
    fn pre_operation(
        &self,
        _data: &mut PreOperation<'_, AcquireForSectionSynchronization>,
    ) -> Answer<AcquireForSectionSynchronization, ()> {
        Answer::pass()
    }

    /// Called when the operation is complete, if `pre_operation` returned `pass_with`. Your code
    /// goes here.
    ///
    /// Runs at `APC_LEVEL` or below. The file system holds the file's locks.
    fn post_operation(
        &self,
        data: PostOperation<'_, AcquireForSectionSynchronization>,
        (): (),
    ) -> PostAnswer<AcquireForSectionSynchronization> {
        data.finished()
    }
}
