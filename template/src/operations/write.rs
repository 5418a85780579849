//! `IRP_MJ_WRITE`: data is written to a file.

use crate::{
    flt::{
        Answer, Callbacks, PostAnswer, PostOperation, PreOperation, Write,
        bindings::FLTFL_OPERATION_REGISTRATION_SKIP_PAGING_IO,
    },
    state::State,
};

impl Callbacks<Write> for State {
    // Paging writes write data of the cache and of mapped files to the disk, in threads of the memory
    // manager. They are skipped: a filter that observes what programs write sees the cached write. A
    // filter that must see what is written to mapped files needs them.
    const FLAGS: u32 = FLTFL_OPERATION_REGISTRATION_SKIP_PAGING_IO;
    type Context = ();

    /// Called before the operation is passed on. Your code goes here.
    ///
    /// Runs at `APC_LEVEL` or below. The data is in the caller's buffer, `data.buffer`, which must
    /// not be changed: to write other data, a filter replaces the buffer. A placeholder of cloud
    /// storage (`FILE_ATTRIBUTE_RECALL_ON_DATA_ACCESS`) has no data yet: pass its reads and writes
    /// on, and send none of your own.
    fn pre_operation(&self, _data: &mut PreOperation<'_, Write>) -> Answer<Write, ()> {
        Answer::pass()
    }

    /// Called when the operation is complete, if `pre_operation` returned `pass_with` or
    /// `synchronize`. Your code goes here.
    ///
    /// Runs in an arbitrary thread at `DISPATCH_LEVEL` or below.
    fn post_operation(&self, data: PostOperation<'_, Write>, (): ()) -> PostAnswer<Write> {
        data.finished()
    }
}
