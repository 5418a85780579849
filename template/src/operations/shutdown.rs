//! `IRP_MJ_SHUTDOWN`: the system is about to shut down.

use crate::{
    flt::{Answer, Callbacks, PreOperation, Shutdown},
    state::State,
};

impl Callbacks<Shutdown> for State {
    type Context = ();

    /// Called before the operation is passed on. Your code goes here.
    ///
    /// Runs at `PASSIVE_LEVEL`, once for each volume. The operation has no post-operation callback
    /// and must not be failed. The unload callback is not called at shutdown: write data that must
    /// reach the disk here.
    fn pre_operation(&self, _data: &mut PreOperation<'_, Shutdown>) -> Answer<Shutdown, ()> {
        Answer::pass()
    }
}
