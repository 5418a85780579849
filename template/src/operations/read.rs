//! `IRP_MJ_READ`: data is read from a file.

use crate::{
    flt::{
        Answer, Callbacks, PostAnswer, PostOperation, PreOperation, Read,
        bindings::FLTFL_OPERATION_REGISTRATION_SKIP_PAGING_IO,
    },
    state::State,
};

impl Callbacks<Read> for State {
    // Paging reads resolve page faults and fill the cache. They are skipped: a filter that does not
    // transform data does not need them, and a callback can do little in them. Cached reads, which
    // most programs send, are not skipped.
    const FLAGS: u32 = FLTFL_OPERATION_REGISTRATION_SKIP_PAGING_IO;
    type Context = ();

    /// Called before the operation is passed on. Your code goes here.
    ///
    /// Runs at `APC_LEVEL` or below. A placeholder of cloud storage
    /// (`FILE_ATTRIBUTE_RECALL_ON_DATA_ACCESS`) has no data yet: pass its reads and writes on, and
    /// send none of your own. To see the data afterwards, call `data.buffer` here, which locks the
    /// caller's buffer.
    fn pre_operation(&self, _data: &mut PreOperation<'_, Read>) -> Answer<Read, ()> {
        Answer::pass()
    }

    /// Called when the operation is complete, if `pre_operation` returned `pass_with` or
    /// `synchronize`. Your code goes here.
    ///
    /// Runs in an arbitrary thread at `DISPATCH_LEVEL` or below. The data is in
    /// `data.locked_buffer`, if `pre_operation` had it locked.
    fn post_operation(&self, data: PostOperation<'_, Read>, (): ()) -> PostAnswer<Read> {
        data.finished()
    }
}
