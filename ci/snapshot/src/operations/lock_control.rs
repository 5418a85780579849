//! `IRP_MJ_LOCK_CONTROL`: a byte range of a file is locked or unlocked.

use crate::{
    flt::{Answer, Callbacks, LockControl, PostAnswer, PostOperation, PreOperation},
    state::State,
};

impl Callbacks<LockControl> for State {
    type Context = ();

    /// Called before the operation is passed on. Your code goes here.
    ///
    /// Runs at `PASSIVE_LEVEL`, also for fast I/O. `data.minor_function` distinguishes locks from
    /// unlocks.
    fn pre_operation(&self, _data: &mut PreOperation<'_, LockControl>) -> Answer<LockControl, ()> {
        Answer::pass()
    }

    /// Called when the operation is complete, if `pre_operation` returned `pass_with` or
    /// `synchronize`. Your code goes here.
    ///
    /// Runs at `DISPATCH_LEVEL` or below. A lock that waits can complete long after its request.
    fn post_operation(
        &self,
        data: PostOperation<'_, LockControl>,
        (): (),
    ) -> PostAnswer<LockControl> {
        data.finished()
    }
}
