//! `IRP_MJ_SET_SECURITY`: a file's security descriptor is changed.

use crate::{
    flt::{Answer, Callbacks, PostAnswer, PostOperation, PreOperation, SetSecurity},
    state::State,
};

impl Callbacks<SetSecurity> for State {
    type Context = ();

    /// Called before the operation is passed on. Your code goes here.
    ///
    /// Runs at `PASSIVE_LEVEL`. The new descriptor is captured and can be read.
    fn pre_operation(&self, _data: &mut PreOperation<'_, SetSecurity>) -> Answer<SetSecurity, ()> {
        Answer::pass()
    }

    /// Called when the operation is complete, if `pre_operation` returned `pass_with` or
    /// `synchronize`. Your code goes here.
    ///
    /// Runs at `DISPATCH_LEVEL` or below.
    fn post_operation(
        &self,
        data: PostOperation<'_, SetSecurity>,
        (): (),
    ) -> PostAnswer<SetSecurity> {
        data.finished()
    }
}
