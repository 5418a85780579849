//! `IRP_MJ_QUERY_OPEN`: a file's attributes are queried by name, without opening it.

use crate::{
    flt::{Answer, Callbacks, PostAnswer, PostOperation, PreOperation, QueryOpen},
    state::State,
};

impl Callbacks<QueryOpen> for State {
    type Context = ();

    /// Called before the operation is passed on. Your code goes here.
    ///
    /// Runs at `APC_LEVEL` or below. There is no open file, and the file object must not be
    /// referenced or kept. After `Answer::disallow`, the caller opens the file, so that the same
    /// request arrives as a create.
    fn pre_operation(&self, _data: &mut PreOperation<'_, QueryOpen>) -> Answer<QueryOpen, ()> {
        Answer::pass()
    }

    /// Called when the operation is complete, if `pre_operation` returned `pass_with`. Your code
    /// goes here.
    ///
    /// Runs at `APC_LEVEL` or below in the thread of the caller. The file system does not set
    /// `data.information`. `data.disallow` discards the result, and the caller opens the file.
    fn post_operation(&self, data: PostOperation<'_, QueryOpen>, (): ()) -> PostAnswer<QueryOpen> {
        data.finished()
    }
}
