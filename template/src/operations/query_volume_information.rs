//! `IRP_MJ_QUERY_VOLUME_INFORMATION`: information about a volume is queried.

use crate::{
    flt::{Answer, Callbacks, PostAnswer, PostOperation, PreOperation, QueryVolumeInformation},
    state::State,
};

impl Callbacks<QueryVolumeInformation> for State {
    type Context = ();

    /// Called before the operation is passed on. Your code goes here.
    ///
    /// Runs at `PASSIVE_LEVEL`.
    fn pre_operation(
        &self,
        _data: &mut PreOperation<'_, QueryVolumeInformation>,
    ) -> Answer<QueryVolumeInformation, ()> {
        Answer::pass()
    }

    /// Called when the operation is complete, if `pre_operation` returned `pass_with` or
    /// `synchronize`. Your code goes here.
    ///
    /// Runs at `DISPATCH_LEVEL` or below. The result of the file system is in `data.locked_buffer`.
    fn post_operation(
        &self,
        data: PostOperation<'_, QueryVolumeInformation>,
        (): (),
    ) -> PostAnswer<QueryVolumeInformation> {
        data.finished()
    }
}
