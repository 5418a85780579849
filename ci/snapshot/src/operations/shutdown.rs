//! `IRP_MJ_SHUTDOWN`: the system is about to shut down.

use wdk_sys::IRP_MJ_SHUTDOWN;

use crate::{
    callbacks::{PreOperation, pre_only},
    fltmgr::{FLT_CALLBACK_DATA, FLT_OPERATION_REGISTRATION, FLT_RELATED_OBJECTS},
    state::State,
};

/// The operation.
pub struct Shutdown;

/// The registration of the operation.
pub const REGISTRATION: FLT_OPERATION_REGISTRATION = pre_only::<Shutdown>();

impl PreOperation for Shutdown {
    const MAJOR_FUNCTION: u32 = IRP_MJ_SHUTDOWN;
    type Answer = ();

    /// Called before the operation is passed on. Your code goes here.
    ///
    /// Runs at `PASSIVE_LEVEL`, once for each volume. The operation has no post-operation callback
    /// and must not be failed. The unload callback is not called at shutdown: write data that must
    /// reach the disk here.
    fn pre_operation(
        _state: &State,
        _data: &mut FLT_CALLBACK_DATA,
        _objects: &FLT_RELATED_OBJECTS,
    ) {
    }
}
