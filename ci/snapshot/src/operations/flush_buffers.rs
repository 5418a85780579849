//! `IRP_MJ_FLUSH_BUFFERS`: a file's cached data is written to its volume.

use crate::{
    flt::{Answer, Callbacks, FlushBuffers, PostAnswer, PostOperation, PreOperation},
    state::State,
};

impl Callbacks<FlushBuffers> for State {
    type Context = ();

    /// Called before the operation is passed on. Your code goes here.
    ///
    /// Runs at `PASSIVE_LEVEL`. Do not complete the operation with a success status: the caller
    /// would assume that the data is on the disk.
    fn pre_operation(
        &self,
        _data: &mut PreOperation<'_, FlushBuffers>,
    ) -> Answer<FlushBuffers, ()> {
        Answer::pass()
    }

    /// Called when the operation is complete, if `pre_operation` returned `pass_with` or
    /// `synchronize`. Your code goes here.
    ///
    /// Runs at `DISPATCH_LEVEL` or below.
    fn post_operation(
        &self,
        data: PostOperation<'_, FlushBuffers>,
        (): (),
    ) -> PostAnswer<FlushBuffers> {
        data.finished()
    }
}
