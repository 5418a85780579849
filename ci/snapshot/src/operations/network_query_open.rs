//! `IRP_MJ_NETWORK_QUERY_OPEN`: a file's attributes are asked for without opening it, as fast I/O.

use crate::{
    callbacks::{PostOperation, PreAnswer, PreOperation, pre_and_post},
    fltmgr::{
        _FLT_PREOP_CALLBACK_STATUS::{
            FLT_PREOP_DISALLOW_FASTIO, FLT_PREOP_SUCCESS_NO_CALLBACK,
            FLT_PREOP_SUCCESS_WITH_CALLBACK,
        },
        FLT_CALLBACK_DATA, FLT_OPERATION_REGISTRATION, FLT_PREOP_CALLBACK_STATUS,
        FLT_RELATED_OBJECTS,
    },
    state::State,
};

/// The operation.
pub struct NetworkQueryOpen;

/// How it is registered.
pub const REGISTRATION: FLT_OPERATION_REGISTRATION = pre_and_post::<NetworkQueryOpen>();

/// What may be answered: fast I/O can be turned away.
#[allow(
    dead_code,
    reason = "the callback uses one of these until you choose another"
)]
#[derive(Clone, Copy)]
pub enum FastIoAnswer {
    /// Pass the operation on.
    NoCallback,
    /// Pass the operation on, and call `post_operation` when it is complete.
    WithCallback,
    /// Turn it away: the caller opens the file instead.
    DisallowFastIo,
}

impl PreAnswer for FastIoAnswer {
    fn give(self, _data: &mut FLT_CALLBACK_DATA) -> FLT_PREOP_CALLBACK_STATUS {
        match self {
            Self::NoCallback => FLT_PREOP_SUCCESS_NO_CALLBACK,
            Self::WithCallback => FLT_PREOP_SUCCESS_WITH_CALLBACK,
            Self::DisallowFastIo => FLT_PREOP_DISALLOW_FASTIO,
        }
    }
}

impl PreOperation for NetworkQueryOpen {
    // A cast in the header, which bindgen does not see.
    const MAJOR_FUNCTION: u32 = 0xF2;
    type Answer = FastIoAnswer;

    /// Your code for the time before the operation goes here.
    ///
    /// Runs at `PASSIVE_LEVEL`. There is no open file; `FastIoAnswer::DisallowFastIo` has the
    /// caller open one instead, so that the same request arrives as a create.
    fn pre_operation(
        _state: &State,
        _data: &mut FLT_CALLBACK_DATA,
        _objects: &FLT_RELATED_OBJECTS,
    ) -> FastIoAnswer {
        FastIoAnswer::NoCallback
    }
}

impl PostOperation for NetworkQueryOpen {
    /// Your code for the time after the operation goes here. It is called when `pre_operation`
    /// answered `WithCallback`.
    ///
    /// Runs at `PASSIVE_LEVEL` in the thread that asked.
    fn post_operation(
        _state: &State,
        _data: &mut FLT_CALLBACK_DATA,
        _objects: &FLT_RELATED_OBJECTS,
    ) {
    }
}
