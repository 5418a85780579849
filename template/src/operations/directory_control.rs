//! `IRP_MJ_DIRECTORY_CONTROL`: a directory is listed or watched.

use wdk_sys::IRP_MJ_DIRECTORY_CONTROL;

use crate::{
    callbacks::{Answer, PostOperation, PreOperation, pre_and_post},
    fltmgr::{FLT_CALLBACK_DATA, FLT_OPERATION_REGISTRATION, FLT_RELATED_OBJECTS},
    state::State,
};

/// The operation.
pub struct DirectoryControl;

/// The registration of the operation.
pub const REGISTRATION: FLT_OPERATION_REGISTRATION = pre_and_post::<DirectoryControl>();

impl PreOperation for DirectoryControl {
    const MAJOR_FUNCTION: u32 = IRP_MJ_DIRECTORY_CONTROL;
    type Answer = Answer;

    /// Called before the operation is passed on. Your code goes here.
    ///
    /// Runs at `PASSIVE_LEVEL`. `MinorFunction` distinguishes a listing from a change notification,
    /// which stays pending until the directory changes.
    fn pre_operation(
        _state: &State,
        _data: &mut FLT_CALLBACK_DATA,
        _objects: &FLT_RELATED_OBJECTS,
    ) -> Answer {
        Answer::NoCallback
    }
}

impl PostOperation for DirectoryControl {
    /// Called when the operation is complete, if `pre_operation` returned `WithCallback`. Your code
    /// goes here.
    ///
    /// Runs at `DISPATCH_LEVEL` or below. The listing is in the caller's buffer: access it through
    /// an MDL.
    fn post_operation(
        _state: &State,
        _data: &mut FLT_CALLBACK_DATA,
        _objects: &FLT_RELATED_OBJECTS,
    ) {
    }
}
