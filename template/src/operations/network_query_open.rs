//! `IRP_MJ_NETWORK_QUERY_OPEN`: a file's attributes are queried without opening it, as fast I/O.

use crate::{
    flt::{Answer, Callbacks, NetworkQueryOpen, PostAnswer, PostOperation, PreOperation},
    state::State,
};

impl Callbacks<NetworkQueryOpen> for State {
    type Context = ();

    /// Called before the operation is passed on. Your code goes here.
    ///
    /// Runs at `PASSIVE_LEVEL`. There is no open file, and the file object must not be referenced
    /// or kept. After `Answer::disallow_fast_io`, the caller opens the file, so that the same
    /// request arrives as a create.
    fn pre_operation(
        &self,
        _data: &mut PreOperation<'_, NetworkQueryOpen>,
    ) -> Answer<NetworkQueryOpen, ()> {
        Answer::pass()
    }

    /// Called when the operation is complete, if `pre_operation` returned `pass_with`. Your code
    /// goes here.
    ///
    /// Runs at `PASSIVE_LEVEL` in the thread of the caller.
    fn post_operation(
        &self,
        data: PostOperation<'_, NetworkQueryOpen>,
        (): (),
    ) -> PostAnswer<NetworkQueryOpen> {
        data.finished()
    }
}
