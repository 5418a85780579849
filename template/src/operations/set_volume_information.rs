//! `IRP_MJ_SET_VOLUME_INFORMATION`: a volume's label or quota settings are changed.

use crate::{
    flt::{Answer, Callbacks, PostAnswer, PostOperation, PreOperation, SetVolumeInformation},
    state::State,
};

impl Callbacks<SetVolumeInformation> for State {
    type Context = ();

    /// Called before the operation is passed on. Your code goes here.
    ///
    /// Runs at `PASSIVE_LEVEL`.
    fn pre_operation(
        &self,
        _data: &mut PreOperation<'_, SetVolumeInformation>,
    ) -> Answer<SetVolumeInformation, ()> {
        Answer::pass()
    }

    /// Called when the operation is complete, if `pre_operation` returned `pass_with` or
    /// `synchronize`. Your code goes here.
    ///
    /// Runs at `DISPATCH_LEVEL` or below.
    fn post_operation(
        &self,
        data: PostOperation<'_, SetVolumeInformation>,
        (): (),
    ) -> PostAnswer<SetVolumeInformation> {
        data.finished()
    }
}
