//! `IRP_MJ_FILE_SYSTEM_CONTROL`: a file-system control code is sent.

use crate::{
    flt::{Answer, Callbacks, FileSystemControl, PostAnswer, PostOperation, PreOperation},
    state::State,
};

impl Callbacks<FileSystemControl> for State {
    type Context = ();

    /// Called before the operation is passed on. Your code goes here.
    ///
    /// Runs at `APC_LEVEL` or below. The control codes include offloaded copies
    /// (`FSCTL_OFFLOAD_READ`, `FSCTL_OFFLOAD_WRITE`), but not mounts: for these, the filter manager
    /// calls the instance setup callback.
    ///
    /// Requests for `BypassIO` that `bypass_io.rs` vetoes do not arrive here.
    fn pre_operation(
        &self,
        _data: &mut PreOperation<'_, FileSystemControl>,
    ) -> Answer<FileSystemControl, ()> {
        Answer::pass()
    }

    /// Called when the operation is complete, if `pre_operation` returned `pass_with` or
    /// `synchronize`. Your code goes here.
    ///
    /// Runs at `DISPATCH_LEVEL` or below.
    fn post_operation(
        &self,
        data: PostOperation<'_, FileSystemControl>,
        (): (),
    ) -> PostAnswer<FileSystemControl> {
        data.finished()
    }
}
