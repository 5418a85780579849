//! `IRP_MJ_NETWORK_QUERY_OPEN`: a file's attributes are queried without opening it, as fast I/O.

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

/// The registration of the operation.
pub const REGISTRATION: FLT_OPERATION_REGISTRATION = pre_and_post::<NetworkQueryOpen>();

/// The possible answers, which include refusing fast I/O.
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
    /// Refuse fast I/O: the caller opens the file instead.
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
    // The header defines the code with a cast, which bindgen does not evaluate.
    const MAJOR_FUNCTION: u32 = 0xF2;
    type Answer = FastIoAnswer;

    /// Called before the operation is passed on. Your code goes here.
    ///
    /// Runs at `PASSIVE_LEVEL`. There is no open file. After `FastIoAnswer::DisallowFastIo`, the
    /// caller opens the file, so that the same request arrives as a create.
    fn pre_operation(
        _state: &State,
        _data: &mut FLT_CALLBACK_DATA,
        _objects: &FLT_RELATED_OBJECTS,
    ) -> FastIoAnswer {
        FastIoAnswer::NoCallback
    }
}

impl PostOperation for NetworkQueryOpen {
    /// Called when the operation is complete, if `pre_operation` returned `WithCallback`. Your code
    /// goes here.
    ///
    /// Runs at `PASSIVE_LEVEL` in the thread of the caller.
    fn post_operation(
        _state: &State,
        _data: &mut FLT_CALLBACK_DATA,
        _objects: &FLT_RELATED_OBJECTS,
    ) {
    }
}
