//! `IRP_MJ_QUERY_SECURITY`: a file's security descriptor is queried.

use crate::{
    flt::{Answer, Callbacks, PostAnswer, PostOperation, PreOperation, QuerySecurity},
    state::State,
};

impl Callbacks<QuerySecurity> for State {
    type Context = ();

    /// Called before the operation is passed on. Your code goes here.
    ///
    /// Runs at `PASSIVE_LEVEL`.
    fn pre_operation(
        &self,
        _data: &mut PreOperation<'_, QuerySecurity>,
    ) -> Answer<QuerySecurity, ()> {
        Answer::pass()
    }

    /// Called when the operation is complete, if `pre_operation` returned `pass_with` or
    /// `synchronize`. Your code goes here.
    ///
    /// Runs at `DISPATCH_LEVEL` or below. The descriptor is in the caller's buffer:
    /// `data.locked_buffer`, or `data.when_safe` and then `buffer`.
    fn post_operation(
        &self,
        data: PostOperation<'_, QuerySecurity>,
        (): (),
    ) -> PostAnswer<QuerySecurity> {
        data.finished()
    }
}
