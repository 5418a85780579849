//! `IRP_MJ_CLEANUP`: the last handle to an open file is closed.

use crate::{
    flt::{Answer, Callbacks, Cleanup, PostAnswer, PostOperation, PreOperation},
    state::State,
};

impl Callbacks<Cleanup> for State {
    type Context = ();

    /// Called before the operation is passed on. Your code goes here.
    ///
    /// Runs at `PASSIVE_LEVEL`. A cleanup must not be failed: the handle is closed in any case.
    fn pre_operation(&self, _data: &mut PreOperation<'_, Cleanup>) -> Answer<Cleanup, ()> {
        Answer::pass()
    }

    /// Called when the operation is complete, if `pre_operation` returned `pass_with` or
    /// `synchronize`. Your code goes here.
    ///
    /// Runs at `DISPATCH_LEVEL` or below. The name of the file can no longer be queried.
    fn post_operation(&self, data: PostOperation<'_, Cleanup>, (): ()) -> PostAnswer<Cleanup> {
        data.finished()
    }
}
