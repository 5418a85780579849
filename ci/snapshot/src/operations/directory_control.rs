//! `IRP_MJ_DIRECTORY_CONTROL`: a directory is listed or watched.

use crate::{
    flt::{Answer, Callbacks, DirectoryControl, PostAnswer, PostOperation, PreOperation},
    state::State,
};

impl Callbacks<DirectoryControl> for State {
    type Context = ();

    /// Called before the operation is passed on. Your code goes here.
    ///
    /// Runs at `APC_LEVEL` or below. A request for changes stays pending until the directory
    /// changes.
    fn pre_operation(
        &self,
        _data: &mut PreOperation<'_, DirectoryControl>,
    ) -> Answer<DirectoryControl, ()> {
        Answer::pass()
    }

    /// Called when the operation is complete, if `pre_operation` returned `pass_with` or
    /// `synchronize`. Your code goes here.
    ///
    /// Runs at `DISPATCH_LEVEL` or below. The listing is in the caller's buffer:
    /// `data.locked_buffer`, or `data.when_safe` and then `buffer`.
    fn post_operation(
        &self,
        data: PostOperation<'_, DirectoryControl>,
        (): (),
    ) -> PostAnswer<DirectoryControl> {
        data.finished()
    }
}
