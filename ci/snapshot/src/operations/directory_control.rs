//! `IRP_MJ_DIRECTORY_CONTROL`: a directory is listed or watched.

use wdk_sys::IRP_MJ_DIRECTORY_CONTROL;

use crate::{
    callbacks::{Answer, PostOperation, PreOperation, pre_and_post},
    fltmgr::{FLT_CALLBACK_DATA, FLT_OPERATION_REGISTRATION, FLT_RELATED_OBJECTS},
    state::State,
};

/// The operation.
pub struct DirectoryControl;

/// How it is registered.
pub const REGISTRATION: FLT_OPERATION_REGISTRATION = pre_and_post::<DirectoryControl>();

impl PreOperation for DirectoryControl {
    const MAJOR_FUNCTION: u32 = IRP_MJ_DIRECTORY_CONTROL;
    type Answer = Answer;

    /// Your code for the time before the operation goes here.
    ///
    /// Runs at `PASSIVE_LEVEL`. `MinorFunction` tells a listing from a change notification, which
    /// stays pending until something happens.
    fn pre_operation(
        _state: &State,
        _data: &mut FLT_CALLBACK_DATA,
        _objects: &FLT_RELATED_OBJECTS,
    ) -> Answer {
        Answer::NoCallback
    }
}

impl PostOperation for DirectoryControl {
    /// Your code for the time after the operation goes here. It is called when `pre_operation`
    /// answered `WithCallback`.
    ///
    /// Runs up to `DISPATCH_LEVEL`. The listing lies in the caller's buffer: reach it through an
    /// MDL.
    fn post_operation(
        _state: &State,
        _data: &mut FLT_CALLBACK_DATA,
        _objects: &FLT_RELATED_OBJECTS,
    ) {
    }
}
