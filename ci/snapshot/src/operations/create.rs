//! `IRP_MJ_CREATE`: a file or directory is created or opened.

use crate::{
    flt::{Answer, Callbacks, Create, PostAnswer, PostOperation, PreOperation},
    state::State,
};

impl Callbacks<Create> for State {
    type Context = ();

    /// Called before the operation is passed on. Your code goes here.
    ///
    /// Runs at `PASSIVE_LEVEL` in the thread that opens the file. The file is not open yet. To
    /// refuse the operation, return `Answer::fail`.
    fn pre_operation(&self, _data: &mut PreOperation<'_, Create>) -> Answer<Create, ()> {
        Answer::pass()
    }

    /// Called when the operation is complete, if `pre_operation` returned `pass_with`. Your code
    /// goes here.
    ///
    /// Runs at `PASSIVE_LEVEL` in the thread that opens the file. After an error or
    /// `STATUS_REPARSE` there is no open file. To refuse an open that succeeded, return
    /// `data.cancel_open`.
    fn post_operation(&self, data: PostOperation<'_, Create>, (): ()) -> PostAnswer<Create> {
        data.finished()
    }
}
