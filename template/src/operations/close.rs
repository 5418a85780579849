//! `IRP_MJ_CLOSE`: the last reference to a file object is released.

use crate::{
    flt::{Answer, Callbacks, Close, PostAnswer, PostOperation, PreOperation},
    state::State,
};

impl Callbacks<Close> for State {
    type Context = ();

    /// Called before the operation is passed on. Your code goes here.
    ///
    /// Runs at `APC_LEVEL` or below, in an arbitrary thread, possibly long after the cleanup. A
    /// close must not be failed.
    fn pre_operation(&self, _data: &mut PreOperation<'_, Close>) -> Answer<Close, ()> {
        Answer::pass()
    }

    /// Called when the operation is complete, if `pre_operation` returned `pass_with` or
    /// `synchronize`. Your code goes here.
    ///
    /// Runs at `DISPATCH_LEVEL` or below. The file object is about to be freed, and its contexts
    /// are no longer accessible.
    fn post_operation(&self, data: PostOperation<'_, Close>, (): ()) -> PostAnswer<Close> {
        data.finished()
    }
}
