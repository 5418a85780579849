//! `IRP_MJ_QUERY_INFORMATION`: information about a file is queried.

use crate::{
    flt::{Answer, Callbacks, PostAnswer, PostOperation, PreOperation, QueryInformation},
    state::State,
};

impl Callbacks<QueryInformation> for State {
    type Context = ();

    /// Called before the operation is passed on. Your code goes here.
    ///
    /// Runs at `PASSIVE_LEVEL`, or at `APC_LEVEL` for queries of the memory manager. The buffer of
    /// fast I/O cannot be accessed: refuse it with `Answer::disallow_fast_io`, and the query
    /// arrives again as an IRP.
    fn pre_operation(
        &self,
        _data: &mut PreOperation<'_, QueryInformation>,
    ) -> Answer<QueryInformation, ()> {
        Answer::pass()
    }

    /// Called when the operation is complete, if `pre_operation` returned `pass_with` or
    /// `synchronize`. Your code goes here.
    ///
    /// Runs at `DISPATCH_LEVEL` or below. The result of the file system is in `data.locked_buffer`.
    fn post_operation(
        &self,
        data: PostOperation<'_, QueryInformation>,
        (): (),
    ) -> PostAnswer<QueryInformation> {
        data.finished()
    }
}
