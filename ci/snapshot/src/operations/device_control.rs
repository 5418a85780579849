//! `IRP_MJ_DEVICE_CONTROL`: a device control code is sent through an open file or volume.

use crate::{
    flt::{Answer, Callbacks, DeviceControl, PostAnswer, PostOperation, PreOperation},
    state::State,
};

impl Callbacks<DeviceControl> for State {
    type Context = ();

    /// Called before the operation is passed on. Your code goes here.
    ///
    /// Runs at `APC_LEVEL` or below. The code's transfer method decides how the buffers are passed.
    fn pre_operation(
        &self,
        _data: &mut PreOperation<'_, DeviceControl>,
    ) -> Answer<DeviceControl, ()> {
        Answer::pass()
    }

    /// Called when the operation is complete, if `pre_operation` returned `pass_with` or
    /// `synchronize`. Your code goes here.
    ///
    /// Runs at `DISPATCH_LEVEL` or below.
    fn post_operation(
        &self,
        data: PostOperation<'_, DeviceControl>,
        (): (),
    ) -> PostAnswer<DeviceControl> {
        data.finished()
    }
}
