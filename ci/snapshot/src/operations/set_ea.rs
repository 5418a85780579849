//! `IRP_MJ_SET_EA`: a file's extended attributes are changed.

use crate::{
    flt::{Answer, Callbacks, PostAnswer, PostOperation, PreOperation, SetEa},
    state::State,
};

impl Callbacks<SetEa> for State {
    type Context = ();

    /// Called before the operation is passed on. Your code goes here.
    ///
    /// Runs at `PASSIVE_LEVEL`. The attributes are in the caller's buffer, `data.buffer`.
    fn pre_operation(&self, _data: &mut PreOperation<'_, SetEa>) -> Answer<SetEa, ()> {
        Answer::pass()
    }

    /// Called when the operation is complete, if `pre_operation` returned `pass_with` or
    /// `synchronize`. Your code goes here.
    ///
    /// Runs at `DISPATCH_LEVEL` or below.
    fn post_operation(&self, data: PostOperation<'_, SetEa>, (): ()) -> PostAnswer<SetEa> {
        data.finished()
    }
}
