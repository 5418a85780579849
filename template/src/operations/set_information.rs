//! `IRP_MJ_SET_INFORMATION`: a file is renamed, deleted, resized or otherwise changed.

use crate::{
    flt::{Answer, Callbacks, PostAnswer, PostOperation, PreOperation, SetInformation},
    state::State,
};

impl Callbacks<SetInformation> for State {
    type Context = ();

    /// Called before the operation is passed on. Your code goes here.
    ///
    /// Runs at `APC_LEVEL` or below. For a rename or a hard link, `data.destination_name` returns
    /// the new name; `data.deletes_file` returns whether the file is to be deleted. A create with
    /// `FILE_DELETE_ON_CLOSE` deletes a file, too.
    fn pre_operation(
        &self,
        _data: &mut PreOperation<'_, SetInformation>,
    ) -> Answer<SetInformation, ()> {
        Answer::pass()
    }

    /// Called when the operation is complete, if `pre_operation` returned `pass_with` or
    /// `synchronize`. Your code goes here.
    ///
    /// Runs at `DISPATCH_LEVEL` or below.
    fn post_operation(
        &self,
        data: PostOperation<'_, SetInformation>,
        (): (),
    ) -> PostAnswer<SetInformation> {
        data.finished()
    }
}
