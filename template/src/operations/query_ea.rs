//! `IRP_MJ_QUERY_EA`: a file's extended attributes are queried.

use crate::{
    flt::{Answer, Callbacks, PostAnswer, PostOperation, PreOperation, QueryEa},
    state::State,
};

impl Callbacks<QueryEa> for State {
    type Context = ();

    /// Called before the operation is passed on. Your code goes here.
    ///
    /// Runs at `PASSIVE_LEVEL`.
    fn pre_operation(&self, _data: &mut PreOperation<'_, QueryEa>) -> Answer<QueryEa, ()> {
        Answer::pass()
    }

    /// Called when the operation is complete, if `pre_operation` returned `pass_with` or
    /// `synchronize`. Your code goes here.
    ///
    /// Runs at `DISPATCH_LEVEL` or below. The attributes are in the caller's buffer:
    /// `data.locked_buffer`, or `data.when_safe` and then `buffer`.
    fn post_operation(&self, data: PostOperation<'_, QueryEa>, (): ()) -> PostAnswer<QueryEa> {
        data.finished()
    }
}
